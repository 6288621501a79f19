//! What a failure asks the caller to do.

use super::{Error, ErrorKind, Mark, SourceError};
use crate::model::manifest_error::ManifestError;

impl Error {
    /// Returns true when the server may do what it was asked for a little later, and when it may have done it already and
    /// the reply was lost.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Error::Tls { .. })
            || matches!(self.mark(), Mark::Unavailable | Mark::Unreached | Mark::BeyondProxy | Mark::Silent(_))
    }

    /// Returns true for a version that is not free, whatever one would push.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Error::VersionExists { .. } | Error::VersionBusy { .. }) || *self.mark() == Mark::Taken
    }

    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::ModelNotFound { .. } | Error::VersionNotFound { .. } | Error::FileNotFound { .. } => {
                ErrorKind::NotFound
            }
            Error::BucketNotFound { .. } | Error::ObjectNotFound { .. } | Error::VersionDeleted { .. } => {
                ErrorKind::NotFound
            }
            Error::VersionExists { .. } | Error::VersionBusy { .. } | Error::InTheWay { .. } => ErrorKind::Conflict,
            Error::Denied { .. } | Error::WrongRegion { .. } => ErrorKind::Denied,
            Error::NotS3 { .. } => ErrorKind::Invalid,
            Error::Tls { .. } => ErrorKind::Unavailable,
            // A newer layout is not damage: a newer program reads it.
            Error::Manifest { source: ManifestError::TooNew(_), .. } => ErrorKind::Invalid,
            Error::Damaged { .. } | Error::Manifest { .. } => ErrorKind::Corrupt,
            Error::Io { .. } | Error::Source(SourceError::Unreadable { .. }) => ErrorKind::Io,
            Error::Source(_) => ErrorKind::Invalid,
            Error::Other(error) => error.kind(),
        }
    }
}
