//! What to do next about an [`Error`], in words: computed from its fields, for every front end that says it.
//!
//! The words name the command's verbs and flags, and the settings' variables.

use std::io;
use std::path::{Path, PathBuf};

use crate::diagnosis::{Stranger, TlsFault, Unreached, mistake};
use crate::model::history::HistoryError;
use crate::s3::codes;
use crate::settings::{Credentials, LOOPBACK_LOGIN};
use crate::visible::visible;
use crate::{Endpoint, Error, ManifestError, Settings, SettingsError, SourceError};

/// Returns what to do next, if there is something worth a line, under the settings that it happened with.
pub fn hint(error: &Error, settings: Option<&Settings>) -> Option<String> {
    if concerns_the_endpoint(error)
        && let Some(mistake) = settings.and_then(mistake)
    {
        return Some(mistake);
    }
    const PUBLISH_AGAIN: &str = "do not use this version; publish the model again under a new one";
    Some(match error {
        Error::Source(error) => return source(error),
        Error::Settings(error) => return setting(error),
        Error::History { source: HistoryError::Binary { instead, .. }, .. } => (*instead).to_owned(),
        Error::History { .. } => "--with takes any file; --history only a training history".to_owned(),
        Error::Expiry { .. } => "--expires takes 1s to 7d".to_owned(),
        Error::NothingOffered => "offer the files with their sizes".to_owned(),
        Error::NoModelFile => "name the model file, or add it".to_owned(),
        Error::MetadataTooDeep { .. } | Error::MetadataTooLarge { .. } => {
            "put the data into a file beside the model; nothing was sent".to_owned()
        }
        Error::UnreadableManifest { source: ManifestError::TooLarge { .. } } => {
            "pack small files into archives, or publish several versions; nothing was sent".to_owned()
        }
        Error::NoSuchMain { .. } => {
            "name one of the files, or leave it out to let the names of the files decide".to_owned()
        }
        Error::NotAsAnnounced { .. } => {
            "nothing was published: send the right file, under another version until `gc` has removed this one"
                .to_owned()
        }
        Error::OfferedTwice { .. } | Error::FileAndFolder { .. } => "rename one of them, or leave it out".to_owned(),
        Error::NoSuchPart { .. } => "parts are counted from 1, and cut at the upload's part size".to_owned(),
        Error::PartMissing { .. } => "send the part, then complete the upload again".to_owned(),
        Error::UploadUrls { .. } => {
            "update the server, or have the files sent by `modeldepot push` or through the service instead".to_owned()
        }
        Error::PutNeedsAName => "write it as `modeldepot url MODEL@VERSION --file PATH --put`".to_owned(),
        Error::ModelNotFound { similar, .. } => match similar.first() {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => "`modeldepot models` lists the models of this bucket".to_owned(),
        },
        Error::VersionNotFound { model, version, similar } => match similar.first() {
            Some(similar) if is_near(similar.as_str(), version.as_str()) => {
                format!("did you mean `{model}@{similar}`? `modeldepot versions {model}` lists all")
            }
            Some(latest) => format!("there is `{model}@{latest}`; `modeldepot versions {model}` lists all"),
            None => format!("`modeldepot versions {model}` lists the versions"),
        },
        Error::FileNotFound { path, files, .. } => {
            match files.iter().find(|file| is_near(file.as_str(), path.as_str())) {
                Some(file) => format!("did you mean `{file}`?"),
                None => {
                    let names: Vec<String> = files.iter().take(5).map(|file| format!("`{file}`")).collect();
                    let more = if files.len() > 5 { ", …" } else { "" };
                    format!("its files are {}{more}", names.join(", "))
                }
            }
        }
        Error::BucketNotFound { bucket, .. } => {
            if settings.is_none_or(|settings| settings.buckets.setting(bucket).is_some()) {
                "`modeldepot init` makes the buckets".to_owned()
            } else {
                format!("`modeldepot s3 mb s3://{bucket}` makes it")
            }
        }
        Error::ObjectNotFound { bucket, .. } => format!("`modeldepot s3 ls s3://{bucket}` lists its objects"),
        Error::VersionExists { .. } => {
            "a published version never changes: choose another --version, or leave it out".to_owned()
        }
        Error::VersionRetired { .. } => "choose another --version, or leave it out".to_owned(),
        Error::VersionBusy { .. } => {
            "wait until it is published, or choose another --version; a push that died is forgotten after 10 minutes"
                .to_owned()
        }
        Error::Orphans { .. } => "push the same files again to finish it, or choose another --version".to_owned(),
        Error::ForeignObject { .. } => "move that object away, or choose another --version".to_owned(),
        Error::ForeignVersion { model, version } => {
            format!("nothing was deleted; `modeldepot s3 rm` deletes objects under `{model}/v{version}/` one by one")
        }
        Error::PublishedObject { model, version, prefix: None, .. } => {
            format!("`modeldepot rm {model}@{version}` deletes the whole version")
        }
        Error::PublishedObject { model, version, prefix: Some(prefix), .. } => {
            let prefix = if prefix.is_empty() { "/" } else { prefix.as_str() };
            format!("`modeldepot rm {model}@{version}` with `--prefix {}` deletes the whole version", visible(prefix))
        }
        Error::ManifestMissing { model, version } => {
            format!("push the same files as `{model}@{version}` again; the files that are already stored are kept")
        }
        Error::OwnRecord { .. } => {
            "leave it where it is; `modeldepot gc` removes records that are of no use".to_owned()
        }
        Error::GcLocked { .. } => "try again in a minute, or choose another --version".to_owned(),
        Error::ObjectExists { bucket, key } => format!("`modeldepot s3 stat s3://{bucket}/{key}` shows it"),
        Error::PushedByAnother { .. } => {
            "choose another --version, or leave it out; or push again when they are done".to_owned()
        }
        Error::InTheWay { .. } | Error::OtherModel { .. } => {
            "pull into another folder, or move these files away".to_owned()
        }
        Error::Unverified { .. } => "publish the model again to have a digest of every file".to_owned(),
        Error::FolderBusy { .. } => "try again when it is done".to_owned(),
        Error::BucketTaken { bucket } => match settings.map(|settings| settings.buckets.setting(bucket)) {
            Some(Some(setting)) => {
                format!("all accounts of a service share its bucket names: choose one of your own, as in {setting}=my-team-{bucket}")
            }
            Some(None) => "all accounts of a service share its bucket names: choose another one".to_owned(),
            None => "choose another name: S3_BUCKET_MODELS, S3_BUCKET_IMAGES, S3_BUCKET_DATA".to_owned(),
        },
        Error::ProxyUnreachable { endpoint, .. } => {
            let variable = proxy_variable(endpoint);
            format!("check {variable}; hosts in NO_PROXY are reached directly, as in NO_PROXY={}", host(endpoint))
        }
        Error::ProxyRefused { endpoint, status: 407, login: true, .. } => format!(
            "check user and password in {}: `@`, `:`, `/` and `%` in them are written %40, %3A, %2F and %25",
            proxy_variable(endpoint)
        ),
        Error::ProxyRefused { endpoint, status: 407, .. } => {
            let variable = proxy_variable(endpoint);
            format!("set its login in {variable}, as in http://USER:PASSWORD@HOST:PORT (`@`, `:` and `/` in it as %40, %3A and %2F)")
        }
        Error::ProxyRefused { endpoint, .. } => format!(
            "ask for the proxy to let `{0}` through, or reach it directly with NO_PROXY={0}",
            host(endpoint)
        ),
        Error::Denied { code, .. } if code == "InvalidAccessKeyId" => unknown_key(settings),
        Error::Denied { code, .. } => codes::hint(code).or_else(|| codes::hint("AccessDenied"))?.to_owned(),
        Error::ReadOnlyKey { .. } => {
            "to pull and verify is all that this key is for; to push, use one that may put and delete objects \
             (s3:PutObject, s3:DeleteObject)"
                .to_owned()
        }
        Error::WrongRegion { expected, .. } => match expected {
            Some(region) => format!("pass --region {region}, or set S3_REGION={region}"),
            None => "pass the server's own region with --region, or set S3_REGION".to_owned(),
        },
        Error::NoCredentials { .. } => {
            "set S3_ACCESS_KEY and S3_SECRET_KEY, or log in as for any AWS tool (AWS_PROFILE, `aws sso login`)"
                .to_owned()
        }
        Error::Unreachable { endpoint, why, .. } => why.hint(endpoint),
        Error::NotS3 { endpoint, found } => found.hint(endpoint),
        Error::Tls { fault, .. } => fault.hint(),
        Error::NoAnswer { .. } => {
            "is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; S3_TIMEOUT sets how long to wait"
                .to_owned()
        }
        Error::ObjectChanged { .. } => "try again when its writer is done".to_owned(),
        Error::Unavailable { .. } => "try again; a push or pull can be repeated safely".to_owned(),
        Error::Manifest { source: ManifestError::TooNew(_), .. } => {
            "a newer modeldepot wrote it: update this one".to_owned()
        }
        Error::Manifest { .. }
        | Error::FileMissing { .. }
        | Error::FilesMissing { .. }
        | Error::WrongSize { .. }
        | Error::WrongDigest { .. }
        | Error::WrongPart { .. } => PUBLISH_AGAIN.to_owned(),
        Error::Io { source, .. } => return disk(source),
        Error::Service { code, .. } => {
            codes::hint(code).unwrap_or("-vv shows the requests and what the server answered").to_owned()
        }
        _ => return None,
    })
}

/// Says where the access key that a server does not know comes from.
fn unknown_key(settings: Option<&Settings>) -> String {
    let place = match settings.map(|settings| &settings.credentials) {
        Some(Credentials::Profile(name)) => format!("check the AWS profile `{name}`"),
        Some(Credentials::Chain) => {
            "it is the AWS login of this machine; set S3_ACCESS_KEY and S3_SECRET_KEY to use another one".to_owned()
        }
        Some(Credentials::Key { access, .. }) if access == LOOPBACK_LOGIN => format!(
            "it is `{LOOPBACK_LOGIN}`, the default on this machine: set the server's own in S3_ACCESS_KEY and S3_SECRET_KEY"
        ),
        _ => "check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead".to_owned(),
    };
    format!("the server does not know the access key: {place}")
}

/// Returns true for failures that an endpoint which cannot be right may be the reason of.
fn concerns_the_endpoint(error: &Error) -> bool {
    match error {
        Error::NotS3 { found, .. } => !matches!(**found, Stranger::Tls | Stranger::PlainHttp),
        Error::Unreachable { why, .. } => matches!(why, Unreached::UnknownHost { .. }),
        Error::Tls { fault, .. } => matches!(fault, TlsFault::WrongName { .. }),
        Error::BucketNotFound { .. } | Error::ObjectNotFound { .. } | Error::Denied { .. } => true,
        _ => false,
    }
}

/// Returns the variable that names the proxy to an endpoint.
fn proxy_variable(endpoint: &str) -> &'static str {
    if endpoint.starts_with("http://") { "HTTP_PROXY or ALL_PROXY" } else { "HTTPS_PROXY or ALL_PROXY" }
}

fn host(endpoint: &str) -> String {
    let endpoint = endpoint.parse::<Endpoint>().ok();
    endpoint.and_then(|endpoint| endpoint.url().host_str().map(str::to_owned)).unwrap_or_default()
}

/// Returns true for names that one may be typed for the other.
fn is_near(a: &str, b: &str) -> bool {
    strsim::jaro_winkler(a, b) > 0.85
}

/// Returns what lies beside a path that does not exist, under nearly the same name.
fn neighbour(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let nearest = entries.max_by(|a, b| {
        let [a, b] = [a, b].map(|candidate| strsim::jaro_winkler(candidate, name));
        a.total_cmp(&b)
    });
    nearest.filter(|nearest| is_near(nearest, name)).map(|nearest| path.with_file_name(nearest))
}

fn source(error: &SourceError) -> Option<String> {
    Some(match error {
        SourceError::Folder { .. } => "to push a whole folder, give it as PATH".to_owned(),
        SourceError::NotAFile { .. } => "write it to a file first".to_owned(),
        SourceError::Empty { .. } => "name hidden files one by one, or check what is excluded".to_owned(),
        SourceError::TooMany { .. } => "exclude what does not belong to the model, or pack it into archives".to_owned(),
        SourceError::Dangling { .. } | SourceError::LinkLoop { .. } => "repair the link, or exclude it".to_owned(),
        SourceError::IgnoreFile { .. } => "it is a small text file, with patterns as in `.gitignore`".to_owned(),
        SourceError::Name { .. } | SourceError::NotUtf8 { .. } => {
            "rename the file, or leave it out with --exclude".to_owned()
        }
        SourceError::Twice { .. } => "rename one of them, or leave it out".to_owned(),
        SourceError::LeavesTheTree { .. } => {
            "exclude the link, or let links be followed to publish what it points to".to_owned()
        }
        SourceError::NoSuchMain { .. } => {
            "--main takes a path inside the folder, such as `weights/model.bin`".to_owned()
        }
        SourceError::Changed { .. } => "let its writer finish, then push again; nothing was published".to_owned(),
        SourceError::Missing { path } => format!("did you mean `{}`?", neighbour(path)?.display()),
        SourceError::Unreadable { .. } => return None,
    })
}

/// Returns what to do about a setting, wherever it was found.
fn setting(error: &SettingsError) -> Option<String> {
    match error {
        SettingsError::Endpoint { text, .. } if format!("http://{text}").parse::<Endpoint>().is_ok() => {
            Some(format!("did you mean `http://{text}`?"))
        }
        SettingsError::HalfAKey { missing, .. } => Some(format!("set `{missing}` too, or neither")),
        _ => None,
    }
}

/// Returns what to do about a failure of the file system.
pub fn disk(error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::StorageFull => Some("free some space, or use another disk".to_owned()),
        io::ErrorKind::QuotaExceeded => Some("free some of your quota, or use another disk".to_owned()),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            Some("something else is in the way: move it, or use another folder".to_owned())
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("use a folder that can be written to".to_owned()),
        io::ErrorKind::PermissionDenied => {
            Some("use a folder that you may write to, or change its permissions".to_owned())
        }
        _ => None,
    }
}
