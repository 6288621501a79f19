//! What can go wrong, in few kinds, each an instruction to the caller.
//!
//! A failure has a variant of [`Error`] when callers use its fields. All others are made here by functions, one for each
//! message, as [`Error::Other`].

mod causes;
mod kind;
mod meaning;
mod mismatch;
mod network;
mod object;
mod offer;
mod other;
mod source;
mod version;

use std::path::PathBuf;

use crate::diagnosis::{Stranger, TlsFault};
use crate::model::manifest_error::ManifestError;
use crate::model::name::{ArtifactPath, BucketName, ModelName, Selector, Version};
use crate::s3::codes;
use crate::store::Obstacle;

pub use self::causes::causes;
pub use self::kind::ErrorKind;
pub use self::mismatch::Mismatch;
pub(crate) use self::other::Mark;
pub use self::other::OtherError;
pub use self::source::SourceError;

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation failed. [`Error::kind`] says what to do about it, [`Error::advice`] what to do next.
///
/// Messages are lowercase and name the thing; a cause is in `source`, never repeated in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model has no version.
    #[error("model `{model}` does not exist")]
    #[non_exhaustive]
    ModelNotFound {
        /// The model.
        model: ModelName,
        /// Models of similar names.
        similar: Vec<ModelName>,
    },
    /// The model exists, the version does not.
    #[error("version `{version}` of `{model}` does not exist")]
    #[non_exhaustive]
    VersionNotFound {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// Versions of similar names, or else the latest one.
        similar: Vec<Version>,
    },
    /// The version was deleted.
    #[error("version `{version}` of `{model}` was deleted")]
    #[non_exhaustive]
    VersionDeleted {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// The version has no such file.
    #[error("`{model}@{version}` has no file `{path}`")]
    #[non_exhaustive]
    FileNotFound {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The file.
        path: ArtifactPath,
        /// The files that it has.
        files: Vec<ArtifactPath>,
    },
    /// The bucket does not exist.
    #[error("bucket `{bucket}` does not exist at `{endpoint}`")]
    #[non_exhaustive]
    BucketNotFound {
        /// The bucket.
        bucket: BucketName,
        /// The endpoint.
        endpoint: String,
    },
    /// The object does not exist.
    #[error("object `{key}` does not exist in bucket `{bucket}`")]
    #[non_exhaustive]
    ObjectNotFound {
        /// The bucket.
        bucket: BucketName,
        /// The key.
        key: String,
    },

    /// The version was published before, with other content.
    #[error("version `{version}` of `{model}` already exists with other content")]
    #[non_exhaustive]
    VersionExists {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// The version is being pushed right now.
    #[error("version `{version}` of `{model}` is being pushed by {by} since {since}")]
    #[non_exhaustive]
    VersionBusy {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// Who pushes, in its own words.
        by: String,
        /// Since when, by the server's clock.
        since: String,
        /// How many contenders come before this one.
        rank: u32,
    },
    /// The folder of a pull has something where the version has a file, and no earlier pull put it there.
    #[error("cannot pull into `{}`: {}", folder.display(), Obstacle::list(obstacles))]
    #[non_exhaustive]
    InTheWay {
        /// The folder.
        folder: PathBuf,
        /// All that is in the way.
        obstacles: Vec<Obstacle>,
    },

    /// The server does not accept the caller's login, or not for this.
    #[error("`{endpoint}` refused to {action}: {}", codes::said(code))]
    #[non_exhaustive]
    Denied {
        /// What was tried, as words.
        action: String,
        /// The endpoint.
        endpoint: String,
        /// S3's error code: `AccessDenied`, `InvalidAccessKeyId`, `SignatureDoesNotMatch`, …
        code: String,
    },
    /// The server is in another region than the requests are signed for.
    #[error("`{endpoint}` is not in region `{region}`")]
    #[non_exhaustive]
    WrongRegion {
        /// The endpoint.
        endpoint: String,
        /// The region that was asked.
        region: String,
        /// The region that the server named, if any.
        expected: Option<String>,
    },
    /// Something answers at the endpoint that is not an S3 API, or not in this way.
    #[error("`{endpoint}` {found}")]
    #[non_exhaustive]
    NotS3 {
        /// The endpoint.
        endpoint: String,
        /// What answers.
        found: Box<Stranger>,
    },
    /// No TLS connection can be made.
    #[error("cannot connect to `{endpoint}` over TLS: {fault}")]
    #[non_exhaustive]
    Tls {
        /// The endpoint.
        endpoint: String,
        /// Why.
        fault: TlsFault,
    },

    /// A file in the bucket has other bytes than were published.
    #[error("{} {}: {mismatch}", of_version(path, version.as_deref()), mismatch.verdict())]
    #[non_exhaustive]
    Damaged {
        /// The file.
        path: String,
        /// The version that it belongs to, if it is a file of one.
        version: Option<Box<Selector>>,
        /// How its bytes differ.
        mismatch: Mismatch,
    },
    /// A version's manifest cannot be used.
    #[error("the manifest `{key}` cannot be used")]
    #[non_exhaustive]
    Manifest {
        /// Its key.
        key: String,
        /// Why.
        source: ManifestError,
    },

    /// What was to be pushed cannot be.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file or folder on this machine cannot be used.
    #[error("cannot {action} `{}`", path.display())]
    #[non_exhaustive]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Any other failure.
    #[error(transparent)]
    Other(Box<OtherError>),
}

impl Error {
    /// A file or folder on this machine that cannot be used.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    /// A model that does not exist, with models of similar names.
    pub fn model_not_found(model: ModelName, similar: Vec<ModelName>) -> Error {
        Error::ModelNotFound { model, similar }
    }

    /// A bucket that does not exist.
    pub fn bucket_not_found(bucket: BucketName, endpoint: impl Into<String>) -> Error {
        Error::BucketNotFound { bucket, endpoint: endpoint.into() }
    }

    pub(crate) fn wrong_size(path: impl Into<String>, expected: u64, found: u64) -> Error {
        Error::Damaged { path: path.into(), version: None, mismatch: Mismatch::Size { expected, found } }
    }

    pub(crate) fn wrong_digest(
        path: impl Into<String>,
        algorithm: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        let mismatch = Mismatch::Digest { algorithm, expected: expected.into(), found: found.into() };
        Error::Damaged { path: path.into(), version: None, mismatch }
    }
}

/// Names a file, with its version if that is known.
fn of_version(path: &str, version: Option<&Selector>) -> String {
    version.map_or_else(|| format!("`{path}`"), |version| format!("`{path}` of `{version}`"))
}
