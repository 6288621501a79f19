//! What to do about an error, computed from its fields.

use std::path::{Path, PathBuf};

use super::similar::{is_similar, misspelled};
use super::{Advice, EndpointMistake, KeyOrigin, NearestVersion, disk, note};
use crate::diagnosis::{Stranger, TlsFault};
#[cfg(feature = "history")]
use crate::model::history::HistoryError;
use crate::model::key::ObjectKey;
use crate::model::name::{BucketName, ModelName};
use crate::s3::codes;
use crate::settings::ENDS_IN_A_BUCKET;
use crate::store::Obstacle;
use crate::{Endpoint, Error, ManifestError, Settings, SettingsError, SourceError};

impl Error {
    /// Returns what to do next, if there is something worth a line, under the settings that it happened with.
    pub fn advice(&self, settings: Option<&Settings>) -> Option<Advice> {
        if concerns_the_endpoint(self)
            && let Some(mistake) = settings.and_then(EndpointMistake::of)
        {
            return Some(Advice::CorrectEndpoint(mistake));
        }
        Some(match self {
            Error::ModelNotFound { similar, .. } => match similar.first() {
                Some(similar) => Advice::did_you_mean(similar),
                None => Advice::ListModels,
            },
            Error::VersionNotFound { model, version, similar } => Advice::ListVersions {
                model: model.clone(),
                nearest: similar.first().map(|found| match is_similar(version.as_str(), found.as_str()) {
                    true => NearestVersion::Similar(found.clone()),
                    false => NearestVersion::Latest(found.clone()),
                }),
            },
            Error::VersionDeleted { model, .. } => Advice::ListVersions { model: model.clone(), nearest: None },
            Error::FileNotFound { model, path, files, .. } => {
                match files.iter().find(|file| is_similar(path.as_str(), file.as_str())) {
                    Some(file) => Advice::did_you_mean(file),
                    None if is_like_a_version(path.as_str()) => Advice::did_you_mean(format!("{model}@{path}")),
                    None => Advice::files(files),
                }
            }
            Error::BucketNotFound { .. }
                if let Some(path) = settings.and_then(|settings| path(settings.endpoint.as_ref()?)) =>
            {
                note!(
                    "S3_ENDPOINT has the path `{}`, which most servers read as the name of a bucket: leave it out, unless \
                     your server is below it; then check the bucket's name",
                    crate::visible(path)
                )
                .into()
            }
            Error::BucketNotFound { bucket, .. } => Advice::CreateBucket {
                bucket: bucket.clone(),
                configured: settings.is_none_or(|settings| settings.buckets.setting(bucket).is_some()),
            },
            Error::ObjectNotFound { bucket, .. } => Advice::ListObjects { bucket: bucket.clone() },
            Error::VersionExists { .. } => Advice::VersionIsPublished,
            Error::VersionBusy { .. } => Advice::WaitForPush,
            Error::InTheWay { obstacles, .. } => Advice::ChangeFolder { overwrite: obstacles.iter().all(yields) },
            Error::Denied { code, .. } if code == "InvalidAccessKeyId" => {
                Advice::CheckAccessKey(KeyOrigin::of(settings))
            }
            Error::Denied { code, .. } => codes::advice(code).or_else(|| codes::advice("AccessDenied"))?,
            Error::WrongRegion { expected, .. } => Advice::SetRegion { expected: expected.clone() },
            Error::NotS3 { endpoint, found } => found.advice(endpoint),
            Error::Tls { fault, .. } => fault.advice(),
            Error::Damaged { version, .. } => damaged(version.as_ref().map(|of| &of.model)),
            Error::Manifest { key, source } => manifest(key, source),
            Error::Io { source, .. } => disk(source)?.into(),
            Error::Source(error) => return source(error),
            Error::Other(error) => match (error.advice(), settings) {
                (Some(Advice::RenameBucket { bucket, .. }), Some(settings)) => {
                    Advice::RenameBucket { bucket: bucket.clone(), setting: settings.buckets.setting(bucket) }
                }
                (advice, _) => return advice.cloned(),
            },
        })
    }
}

/// Returns the path of an endpoint, if it has one.
fn path(endpoint: &Endpoint) -> Option<&str> {
    Some(endpoint.url().path().trim_end_matches('/')).filter(|path| !path.is_empty())
}

/// Returns true for failures that an endpoint which cannot be right may be the reason of.
fn concerns_the_endpoint(error: &Error) -> bool {
    match error {
        Error::NotS3 { found, .. } => !matches!(**found, Stranger::Tls | Stranger::PlainHttp),
        Error::Tls { fault, .. } => matches!(fault, TlsFault::WrongName { .. }),
        Error::BucketNotFound { .. } | Error::ObjectNotFound { .. } | Error::Denied { .. } => true,
        Error::Other(error) => matches!(error.advice(), Some(Advice::CheckHost | Advice::UsePathStyle)),
        _ => false,
    }
}

/// Returns true for what was probably meant as a version: `2`, `1.0`, `v1.0`, `20251028_181858`.
fn is_like_a_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '_'))
}

fn yields(obstacle: &Obstacle) -> bool {
    obstacle.what.yields()
}

/// Returns what to do about a version that is damaged in the bucket.
pub(crate) fn damaged(model: Option<&ModelName>) -> Advice {
    Advice::AvoidDamaged { model: model.cloned() }
}

fn manifest(key: &str, error: &ManifestError) -> Advice {
    match (error, key.parse()) {
        (ManifestError::TooNew(_), _) => note!("a newer modeldepot wrote it: update this one").into(),
        (_, Ok(ObjectKey::Manifest(model, _))) => damaged(Some(&model)),
        _ => damaged(None),
    }
}

/// Returns what to do about a training history.
#[cfg(feature = "history")]
pub(crate) fn history(error: &HistoryError) -> Advice {
    match error {
        HistoryError::Binary { instead, .. } => note!("{}", instead).into(),
        _ => Advice::PushAsFile,
    }
}

fn source(error: &SourceError) -> Option<Advice> {
    Some(match error {
        SourceError::Folder { .. } => Advice::PushFolder,
        SourceError::NotAFile { .. } => note!("write it to a file first").into(),
        SourceError::Empty { .. } => Advice::CheckExcluded,
        SourceError::TooMany { .. } => {
            note!("exclude what does not belong to the model, or pack it into archives").into()
        }
        SourceError::Dangling { .. } | SourceError::LinkLoop { .. } => note!("repair the link, or exclude it").into(),
        SourceError::IgnoreFile { .. } => note!("it is a small text file, with patterns as in `.gitignore`").into(),
        SourceError::WithoutGlobs { .. } => {
            note!("build it with the cargo feature `globs`, or push without patterns").into()
        }
        SourceError::Name { .. } | SourceError::NotUtf8 { .. } => Advice::RenameFile,
        SourceError::Twice { .. } => Advice::RenameOneFile,
        SourceError::LeavesTheTree { .. } => Advice::FollowLinks,
        SourceError::NoSuchMain { .. } => Advice::NameModelFile,
        SourceError::Changed { .. } => note!("let its writer finish, then push again; nothing was published").into(),
        SourceError::Missing { path } => Advice::did_you_mean(neighbour(path)?.display()),
        SourceError::Unreadable { .. } => return None,
    })
}

/// Returns what to do about a setting, wherever it was found.
pub fn setting(error: &SettingsError) -> Option<Advice> {
    match error {
        SettingsError::Endpoint { text, reason, .. } if *reason == ENDS_IN_A_BUCKET => {
            let (endpoint, bucket) = text.trim_end_matches('/').rsplit_once('/')?;
            Some(Advice::NameBucket { endpoint: Some(endpoint.to_owned()), bucket: bucket.to_owned() })
        }
        SettingsError::Endpoint { text, .. } if text.starts_with("s3://") => {
            let bucket = text.trim_start_matches("s3://").split('/').next().unwrap_or_default();
            bucket.parse::<BucketName>().ok()?;
            Some(Advice::NameBucket { endpoint: None, bucket: bucket.to_owned() })
        }
        SettingsError::Endpoint { text, .. } if format!("http://{text}").parse::<Endpoint>().is_ok() => {
            Some(Advice::DidYouMean(format!("http://{text}")))
        }
        SettingsError::HalfAKey { missing, .. } => Some(Advice::SetOther { missing }),
        _ => None,
    }
}

/// Returns the entry beside a path that does not exist whose name is nearly the same.
fn neighbour(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let entries: Vec<String> = entries.collect();
    misspelled(name, entries.iter().map(String::as_str)).map(|nearest| path.with_file_name(nearest))
}
