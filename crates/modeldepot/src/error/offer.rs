//! Input that cannot be used: names, settings, and what is offered for publishing.

use super::{Error, ErrorKind, Mark, OtherError};
use crate::advice::{self, Advice, note};
use crate::model::digest::DigestError;
#[cfg(feature = "history")]
use crate::model::history::HistoryError;
use crate::model::manifest_error::ManifestError;
use crate::model::name::{ArtifactPath, ModelName, NameError, Version};
use crate::settings::{ProxyError, SettingsError};

fn invalid(message: impl Into<String>) -> OtherError {
    OtherError::new(ErrorKind::Invalid, message)
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        OtherError::same(ErrorKind::Invalid, error).into()
    }
}

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Self {
        OtherError::same(ErrorKind::Invalid, error).marked(Mark::Settings).into()
    }
}

impl From<DigestError> for Error {
    fn from(error: DigestError) -> Self {
        OtherError::same(ErrorKind::Invalid, error).into()
    }
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        let advice = advice::setting(&error);
        let error = OtherError::same(ErrorKind::Invalid, error).marked(Mark::Settings);
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
        .into()
    }
}

/// Returns a lifetime in the largest unit that it is a whole number of: `30d`.
fn whole(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    let (length, unit) = unit.unwrap_or((1, 's'));
    format!("{}{unit}", seconds / length)
}

impl Error {
    /// A training history that cannot be read.
    #[cfg(feature = "history")]
    pub fn history(path: impl Into<std::path::PathBuf>, source: HistoryError) -> Error {
        let advice = advice::history(&source);
        invalid(format!("cannot read the training history `{}`", path.into().display()))
            .because(source)
            .advise(advice)
            .into()
    }

    /// A presigned URL was asked for with a lifetime that S3 does not allow.
    pub(crate) fn expiry(seconds: u64) -> Error {
        invalid(format!("a presigned URL cannot be valid for {}", whole(seconds))).advise(Advice::ChangeLifetime).into()
    }

    /// A presigned PUT was asked for without naming the version and the file that it would write.
    pub(crate) fn put_needs_a_name() -> Error {
        invalid("a presigned PUT needs a version and a file").advise(Advice::NameUpload).into()
    }

    /// A new version was named `latest`, which is reserved.
    pub fn named_latest(model: &ModelName, version: &Version) -> Error {
        invalid(format!("`{version}` is not a version name: `{model}@latest` already means the latest version"))
            .advise(Advice::LeaveVersionOut)
            .into()
    }

    /// A new version was named `v`, without its number. It would come after all numbers, and so stay the latest.
    pub(crate) fn named_v(version: &Version) -> Error {
        invalid(format!("`{version}` is not a version name: add the number, as in `v1.2`"))
            .advise(Advice::LeaveVersionOut)
            .into()
    }

    /// The latest version was to be deleted, whichever that is.
    pub(crate) fn delete_latest(model: &ModelName) -> Error {
        invalid(format!("name the version to delete: `{model}@latest` can change in the meantime"))
            .advise(Advice::ListVersions { model: model.clone(), nearest: None })
            .into()
    }

    /// A version was offered without a file.
    pub(crate) fn nothing_offered() -> Error {
        invalid("the version has no file").advise(Advice::OfferFiles).into()
    }

    /// No file of a version could be its model file.
    pub(crate) fn no_model_file() -> Error {
        invalid("none of the files can be the model file: they are training state, such as that of an optimizer")
            .advise(Advice::ChooseModelFile)
            .into()
    }

    /// Metadata is nested too deep to be read again.
    pub(crate) fn metadata_too_deep(limit: usize) -> Error {
        metadata(format!("the metadata is nested more than {limit} levels deep"))
    }

    /// Metadata has more values than a reader takes.
    pub(crate) fn metadata_too_large(limit: usize) -> Error {
        metadata(format!("the metadata has more than {limit} values"))
    }

    /// The manifest of a version would be refused by every reader. Nothing was sent.
    pub(crate) fn unreadable_manifest(source: ManifestError) -> Error {
        let too_large = matches!(source, ManifestError::TooLarge { .. });
        let error = invalid("the manifest of this version would be unreadable").because(source);
        match too_large {
            true => error
                .advise(note!("pack small files into archives, or publish several versions; nothing was sent"))
                .into(),
            false => error.into(),
        }
    }

    /// A version was offered without a file that was named as its model file or training history.
    pub(crate) fn no_such_main(path: &ArtifactPath) -> Error {
        OtherError::new(ErrorKind::NotFound, format!("`{path}` is not among the files"))
            .advise(note!("name one of the files, or leave it out to let the names of the files decide"))
            .into()
    }

    /// What was sent is not what was announced.
    pub(crate) fn not_as_announced(path: &ArtifactPath, expected: &str, found: &str) -> Error {
        invalid(format!("`{path}` is not what was announced: its BLAKE3 is {found} where {expected} was"))
            .advise(Advice::SendAnnounced)
            .into()
    }

    /// Two files would have one path.
    pub(crate) fn offered_twice(path: &ArtifactPath) -> Error {
        invalid(format!("two files would be `{path}`")).advise(Advice::RenameOneFile).into()
    }

    /// A path would be both a file and a folder.
    pub(crate) fn file_and_folder(path: &str) -> Error {
        invalid(format!("`{path}` would be both a file and a folder")).advise(Advice::RenameOneFile).into()
    }

    /// A part was asked for that no file of the upload has.
    pub(crate) fn no_such_part(path: &ArtifactPath) -> Error {
        OtherError::new(ErrorKind::NotFound, format!("the upload has no such part of a file `{path}`"))
            .advise(note!("parts are counted from 1, and cut at the upload's part size"))
            .into()
    }

    /// A part of a file was not sent, or is of another length.
    pub(crate) fn part_missing(path: &ArtifactPath, number: u64, expected: u64, found: Option<u64>) -> Error {
        let found = found.map_or("was not sent".to_owned(), |found| format!("has {found}"));
        invalid(format!("part {number} of `{path}` must have {expected} bytes and {found}"))
            .advise(Advice::SendPart)
            .into()
    }
}

fn metadata(message: String) -> Error {
    invalid(message).advise(note!("put the data into a file beside the model; nothing was sent")).into()
}
