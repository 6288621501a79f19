//! Failures of versions and their files.

use std::path::PathBuf;

use super::{Error, ErrorKind, Mark, Mismatch, OtherError};
use crate::advice::{Advice, damaged, note};
use crate::model::name::{ArtifactPath, ModelName, Selector, Version};
use crate::model::prefix::KeyPrefix;
use crate::visible::{FEW, named};

impl Error {
    pub(crate) fn version_retired(model: &ModelName, version: &Version) -> Error {
        let message = format!(
            "version `{version}` of `{model}` was deleted, and the name of a deleted version cannot be used again"
        );
        taken(message, Advice::VersionIsRetired)
    }

    /// A model has no version any more.
    pub fn all_versions_deleted(model: &ModelName) -> Error {
        let message = format!("all versions of model `{model}` were deleted");
        let advice = note!("publish a new version; the names of deleted versions cannot be used again");
        OtherError::new(ErrorKind::NotFound, message).advise(advice).into()
    }

    /// A push that was cut off left files under the version that this one does not have, or has with other content.
    pub(crate) fn orphans(model: &ModelName, version: &Version, paths: &[String]) -> Error {
        let paths = named(paths.iter().map(String::as_str), paths.len(), FEW);
        let message = format!(
            "an unfinished push of `{model}@{version}` had other files than this one, and left them behind: {paths}"
        );
        taken(message, Advice::FinishPush)
    }

    /// The version was published with other files, and something has removed its manifest since.
    pub(crate) fn published_before(model: &ModelName, version: &Version, paths: &[String]) -> Error {
        let paths = named(paths.iter().map(String::as_str), paths.len(), FEW);
        let message = format!(
            "`{model}@{version}` was already published, with other files than this push has: {paths}; its manifest is \
             missing from the bucket"
        );
        taken(message, Advice::RestoreVersion)
    }

    /// Another tool stored an object where the push would store a file.
    pub(crate) fn foreign_object(model: &ModelName, version: &Version, path: &ArtifactPath) -> Error {
        let message = format!(
            "`{path}` of `{model}@{version}` is another tool's object, and not the file that this push would store there"
        );
        taken(message, Advice::MoveObject)
    }

    /// Somebody else wrote to the version while it was being pushed.
    pub(crate) fn pushed_by_another(model: &ModelName, version: &Version, path: &ArtifactPath) -> Error {
        let message =
            format!("somebody else is pushing `{model}@{version}`: `{path}` is not what this push left there");
        taken(message, Advice::YieldToPush)
    }

    /// Orphans of the version are being removed.
    pub(crate) fn gc_locked(model: &ModelName, version: &Version) -> Error {
        let message = format!("gc is removing the orphaned files of an unfinished push of `{model}@{version}`");
        taken(message, Advice::WaitForGc)
    }

    /// What is stored where a version would be is another tool's, its `manifest.json` included.
    pub(crate) fn foreign_version(model: &ModelName, version: &Version) -> Error {
        let message =
            format!("`{model}@{version}` was not published by modeldepot: its `manifest.json` belongs to another tool");
        let advice = Advice::DeleteObjects { model: model.clone(), version: version.clone() };
        OtherError::new(ErrorKind::Conflict, message).advise(advice).into()
    }

    /// An object that belongs to a published version was to be changed. The prefix is that of the version's depot, where
    /// that is not the one in use.
    pub(crate) fn published_object(
        key: &str,
        prefix: Option<KeyPrefix>,
        model: &ModelName,
        version: &Version,
    ) -> Error {
        let message = format!("`{key}` belongs to `{model}@{version}`, and a published version never changes");
        let advice = Advice::DeleteVersion { model: model.clone(), version: version.clone(), prefix };
        OtherError::new(ErrorKind::Conflict, message).advise(advice).into()
    }

    /// A record of modeldepot's own was to be changed as an object.
    pub(crate) fn own_record(key: &str) -> Error {
        let message = format!("`{key}` is a record that modeldepot keeps");
        OtherError::new(ErrorKind::Conflict, message).advise(Advice::LeaveRecord).into()
    }

    /// The manifest of a version is missing from the bucket, and its files are there.
    pub(crate) fn manifest_missing(model: &ModelName, version: &Version) -> Error {
        let message = format!("the manifest of `{model}@{version}` is missing from the bucket; files of it are there");
        OtherError::new(ErrorKind::Corrupt, message)
            .advise(Advice::RestoreManifest { model: model.clone(), version: version.clone() })
            .into()
    }

    pub(crate) fn file_damaged(model: &ModelName, version: &Version, path: &ArtifactPath, mismatch: Mismatch) -> Error {
        let of = Selector { model: model.clone(), version: Some(version.clone()) };
        Error::Damaged { path: path.to_string(), version: Some(Box::new(of)), mismatch }
    }

    pub(crate) fn file_missing(model: &ModelName, version: &Version, path: &ArtifactPath) -> Error {
        let message = format!("`{path}` of `{model}@{version}` is missing from the bucket");
        OtherError::new(ErrorKind::Corrupt, message).advise(damaged(Some(model))).into()
    }

    pub(crate) fn files_missing(model: &ModelName, version: &Version, paths: &[&ArtifactPath]) -> Error {
        let paths = named(paths.iter().map(|path| path.as_str()), paths.len(), FEW);
        let message = format!("{paths} of `{model}@{version}` are missing from the bucket");
        OtherError::new(ErrorKind::Corrupt, message).advise(damaged(Some(model))).into()
    }

    /// A push found its version published with the same content, and damaged since: says what a publisher can do.
    pub(crate) fn push_onto_damage(self) -> Error {
        match self.kind() {
            ErrorKind::Corrupt => {
                OtherError::new(ErrorKind::Corrupt, self.to_string()).advise(Advice::VersionIsDamaged).into()
            }
            _ => self,
        }
    }

    /// A version has files without a published digest, and was asked for only with them.
    pub fn unverified(model: &ModelName, version: &Version, files: &[ArtifactPath]) -> Error {
        let files = named(files.iter().map(ArtifactPath::as_str), files.len(), FEW);
        let message = format!("`{model}@{version}` has files without a published digest: {files}");
        OtherError::new(ErrorKind::Unverified, message)
            .advise(note!("publish the model again to have a digest of every file"))
            .into()
    }

    /// The folder of a pull holds a version of another model.
    pub(crate) fn other_model(folder: impl Into<PathBuf>, found: &ModelName, wanted: &ModelName) -> Error {
        let message = format!("`{}` holds the model `{found}`, not `{wanted}`", folder.into().display());
        OtherError::new(ErrorKind::Conflict, message).advise(Advice::ChangeFolder { overwrite: true }).into()
    }

    /// Another process changes the folder of a pull.
    pub(crate) fn folder_busy(folder: impl Into<PathBuf>) -> Error {
        let message = format!("another process is changing `{}`", folder.into().display());
        OtherError::new(ErrorKind::Unavailable, message).advise(note!("try again when it is done")).into()
    }
}

fn taken(message: String, advice: Advice) -> Error {
    OtherError::new(ErrorKind::Conflict, message).advise(advice).marked(Mark::Taken).into()
}
