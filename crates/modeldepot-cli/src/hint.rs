//! What to do next, computed from the fields of an error.

use std::io;
use std::path::{Path, PathBuf};

use modeldepot::{Endpoint, Error as Depot, ErrorKind, ManifestError, Settings, SettingsError, SourceError};
use modeldepot_embedded::Error as Embedded;

use crate::config::Origin;
use crate::error::Error;

/// Returns the hint for an error, if there is one worth a line.
pub(crate) fn hint(error: &Error, settings: Option<&Settings>) -> Option<String> {
    match error {
        Error::Depot(error) => depot(error, settings),
        Error::Embedded(error) => embedded(error),
        Error::Settings { source, origin } => setting(source, origin),
        Error::Addressing { origin, .. } => found(origin),
        Error::Usage { hint, .. } => Some((*hint).to_owned()),
        Error::MetaFile { .. } => Some("write it as one object: `{\"architecture\": \"resnet18\", …}`".to_owned()),
        Error::Unconfirmed { .. } => Some("pass --yes to delete without being asked".to_owned()),
        Error::Io { source, .. } => disk(source),
        Error::Faults { kind: ErrorKind::Corrupt, .. } => Some(
            "do not use what is damaged; publish it again under a new version, and `modeldepot rm` the old one"
                .to_owned(),
        ),
        Error::Signal { goes_on: true, .. } => Some("push the same again to go on from here".to_owned()),
        _ => None,
    }
}

pub(crate) fn depot(error: &Depot, settings: Option<&Settings>) -> Option<String> {
    const PUBLISH_AGAIN: &str = "do not use this version; publish the model again under a new one";
    Some(match error {
        Depot::Source(error) => return source(error),
        Depot::Settings(error) => return setting(error, &Origin::Default),
        Depot::History { .. } => "--with takes any file; --history only a training history".to_owned(),
        Depot::Expiry { .. } => "--expires takes 1s to 7d".to_owned(),
        Depot::PutNeedsAName => "write it as `modeldepot url MODEL@VERSION --file PATH --put`".to_owned(),
        Depot::ModelNotFound { similar, .. } => match similar.first() {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => "`modeldepot models` lists the models of this bucket".to_owned(),
        },
        Depot::VersionNotFound { model, version, similar } => match similar.first() {
            Some(similar) if is_near(similar.as_str(), version.as_str()) => {
                format!("did you mean `{model}@{similar}`? `modeldepot versions {model}` lists all")
            }
            Some(latest) => format!("there is `{model}@{latest}`; `modeldepot versions {model}` lists all"),
            None => format!("`modeldepot versions {model}` lists the versions"),
        },
        Depot::FileNotFound { path, files, .. } => {
            match files.iter().find(|file| is_near(file.as_str(), path.as_str())) {
                Some(file) => format!("did you mean `{file}`?"),
                None => {
                    let names: Vec<String> = files.iter().take(5).map(|file| format!("`{file}`")).collect();
                    let more = if files.len() > 5 { ", …" } else { "" };
                    format!("its files are {}{more}", names.join(", "))
                }
            }
        }
        Depot::BucketNotFound { bucket, .. } => {
            if settings.is_none_or(|settings| settings.buckets.all().contains(&bucket)) {
                "`modeldepot init` makes the buckets".to_owned()
            } else {
                format!("`modeldepot s3 mb s3://{bucket}` makes it")
            }
        }
        Depot::ObjectNotFound { bucket, .. } => format!("`modeldepot s3 ls s3://{bucket}` lists what is there"),
        Depot::VersionExists { .. } => {
            "a published version never changes: choose another --version, or leave it out".to_owned()
        }
        Depot::VersionSpent { .. } => "choose another --version, or leave it out".to_owned(),
        Depot::VersionBusy { .. } => {
            "wait until it is published, or choose another --version; a push that died is forgotten after 10 minutes"
                .to_owned()
        }
        Depot::Remains { .. } => "push the same files again to finish it, or choose another --version".to_owned(),
        Depot::Condemned { .. } => "try again in a minute, or choose another --version".to_owned(),
        Depot::ObjectExists { bucket, key } => format!("`modeldepot s3 stat s3://{bucket}/{key}` shows it"),
        Depot::PushedByAnother { .. } => {
            "choose another --version, or leave it out; or push again when they are done".to_owned()
        }
        Depot::BucketTaken { .. } => {
            "choose another name: S3_BUCKET_MODELS, S3_BUCKET_IMAGES, S3_BUCKET_DATA".to_owned()
        }
        Depot::Denied { code, .. } => denied(code).to_owned(),
        Depot::WrongRegion { expected, .. } => match expected {
            Some(region) => format!("pass --region {region}, or set S3_REGION={region}"),
            None => "pass the server's own region with --region, or set S3_REGION".to_owned(),
        },
        Depot::NoCredentials { .. } => {
            "set S3_ACCESS_KEY and S3_SECRET_KEY, or log in as for any AWS tool (AWS_PROFILE, `aws sso login`)"
                .to_owned()
        }
        Depot::Unreachable { endpoint, .. } => {
            if endpoint.parse::<Endpoint>().is_ok_and(|endpoint| endpoint.is_loopback()) {
                "is the server running? `modeldepot up` starts one".to_owned()
            } else {
                "is S3_ENDPOINT or --endpoint right, with its scheme and port?".to_owned()
            }
        }
        Depot::Unavailable { .. } => "try again; a push or pull can be repeated safely".to_owned(),
        Depot::Manifest { source: ManifestError::TooNew(_), .. } => {
            "a newer modeldepot wrote it: update this one".to_owned()
        }
        Depot::Manifest { .. }
        | Depot::FileMissing { .. }
        | Depot::WrongSize { .. }
        | Depot::WrongDigest { .. }
        | Depot::WrongPart { .. } => PUBLISH_AGAIN.to_owned(),
        Depot::Io { source, .. } => return disk(source),
        Depot::Service { .. } => "-vv shows the requests and what the server answered".to_owned(),
        _ => return None,
    })
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

fn denied(code: &str) -> &'static str {
    match code {
        "InvalidAccessKeyId" => "the server does not know the access key: check S3_ACCESS_KEY",
        "SignatureDoesNotMatch" => {
            "the secret key does not fit the access key: check S3_SECRET_KEY (in `.env`, one with `$` or `#` needs '…')"
        }
        "RequestTimeTooSkewed" => "this machine's clock is wrong: set it",
        "ExpiredToken" | "TokenRefreshRequired" => "the login has expired: log in again",
        _ => "ask for a policy that allows it, or check S3_ACCESS_KEY and S3_SECRET_KEY",
    }
}

fn source(error: &SourceError) -> Option<String> {
    Some(match error {
        SourceError::Folder { .. } => "to push a whole folder, give it as PATH".to_owned(),
        SourceError::NotAFile { .. } => "write it to a file first".to_owned(),
        SourceError::Empty { .. } => "is --exclude too wide, or the training not done?".to_owned(),
        SourceError::Name { .. } | SourceError::NotUtf8 { .. } => {
            "rename the file, or leave it out with --exclude".to_owned()
        }
        SourceError::Twice { .. } => "rename one of them, or leave it out".to_owned(),
        SourceError::LeavesTheTree { .. } => {
            "copy the file into the folder, or leave the link out with --exclude".to_owned()
        }
        SourceError::NoSuchMain { .. } => {
            "--main takes a path inside the folder, such as `weights/model.bin`".to_owned()
        }
        SourceError::Pattern { .. } => "a pattern is written like `*.log` or `checkpoints/**`".to_owned(),
        SourceError::Changed { .. } => "let its writer finish, then push again; nothing was published".to_owned(),
        SourceError::Missing { path } => format!("did you mean `{}`?", neighbour(path)?.display()),
        SourceError::Unreadable { .. } => return None,
    })
}

fn setting(error: &SettingsError, origin: &Origin) -> Option<String> {
    match error {
        SettingsError::Endpoint { text, .. } if format!("http://{text}").parse::<Endpoint>().is_ok() => {
            Some(format!("did you mean `http://{text}`?"))
        }
        SettingsError::HalfAKey { missing, .. } => {
            let place = match origin {
                Origin::File(_, path) => format!(" in `{}`", path.display()),
                _ => String::new(),
            };
            Some(format!("set `{missing}` too{place}, or neither"))
        }
        _ => found(origin),
    }
}

/// Says where a value was found, when that is not in plain sight.
fn found(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Environment(name) => Some(format!("it comes from `{name}` in the environment")),
        Origin::File(name, path) => Some(format!("it comes from `{name}` in `{}`", path.display())),
        Origin::Flag(_) | Origin::Default => None,
    }
}

fn embedded(error: &Embedded) -> Option<String> {
    Some(match error {
        Embedded::InUse { .. } => "another `modeldepot up` serves it; give this one another --data".to_owned(),
        Embedded::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            "another program listens there: choose another port with --listen".to_owned()
        }
        Embedded::Bind { .. } => "choose an address of this machine with --listen".to_owned(),
        Embedded::DefaultCredentials { .. } => "set S3_ACCESS_KEY and S3_SECRET_KEY first".to_owned(),
        Embedded::NotADataFolder { .. } => "give an empty or new folder with --data".to_owned(),
        Embedded::Io { source, .. } => return disk(source),
        _ => return None,
    })
}

fn disk(error: &io::Error) -> Option<String> {
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
