//! What a failure asks the caller to do.

use super::{Error, ErrorKind, SourceError};
use crate::model::manifest::ManifestError;
use crate::model::name::BucketName;
use crate::s3::codes;

impl Error {
    /// Returns true when the server may do what it was asked for a little later, and when it may have done it already and
    /// the reply was lost.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Error::ProxyRefused { status, .. } => matches!(status, 502..=504),
            Error::Unreachable { .. } | Error::Tls { .. } | Error::ProxyUnreachable { .. } => true,
            Error::NoAnswer { .. } | Error::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        use Error::*;
        match self {
            NothingOffered
            | NoModelFile
            | MetadataTooDeep { .. }
            | MetadataTooLarge { .. }
            | UnreadableManifest { .. }
            | OfferedTwice { .. }
            | FileAndFolder { .. }
            | PartMissing { .. }
            | NotAsAnnounced { .. } => ErrorKind::Invalid,
            NoSuchMain { .. } | NoSuchPart { .. } => ErrorKind::NotFound,
            Name(_) | Settings(_) | History { .. } | Expiry { .. } | PutNeedsAName => ErrorKind::Invalid,
            Source(SourceError::Unreadable { .. }) => ErrorKind::Io,
            Source(_) => ErrorKind::Invalid,
            ModelNotFound { .. } | VersionNotFound { .. } | FileNotFound { .. } => ErrorKind::NotFound,
            BucketNotFound { .. } | ObjectNotFound { .. } => ErrorKind::NotFound,
            VersionExists { .. } | VersionRetired { .. } | PushedByAnother { .. } => ErrorKind::Conflict,
            VersionBusy { .. } | Orphans { .. } | GcLocked { .. } => ErrorKind::Conflict,
            ForeignObject { .. } | ForeignVersion { .. } | PublishedObject { .. } | OwnRecord { .. } => {
                ErrorKind::Conflict
            }
            BucketTaken { .. } | ObjectExists { .. } => ErrorKind::Conflict,
            InTheWay { .. } | OtherModel { .. } => ErrorKind::Conflict,
            FolderBusy { .. } => ErrorKind::Unavailable,
            Unverified { .. } => ErrorKind::Unverified,
            Denied { .. } | ReadOnlyKey { .. } | WrongRegion { .. } | NoCredentials { .. } | UploadUrls { .. } => {
                ErrorKind::Denied
            }
            ProxyRefused { status: 403 | 407, .. } => ErrorKind::Denied,
            ProxyRefused { .. } | ProxyUnreachable { .. } => ErrorKind::Unavailable,
            NotS3 { .. } => ErrorKind::Invalid,
            Unreachable { .. } | Tls { .. } | NoAnswer { .. } | Unavailable { .. } | ObjectChanged { .. } => {
                ErrorKind::Unavailable
            }
            // A newer layout is not damage: a newer program reads it.
            Manifest { source: ManifestError::TooNew(_), .. } => ErrorKind::Invalid,
            Manifest { .. }
            | ManifestMissing { .. }
            | FileMissing { .. }
            | FilesMissing { .. }
            | WrongSize { .. }
            | WrongDigest { .. }
            | WrongPart { .. } => ErrorKind::Corrupt,
            Io { .. } => ErrorKind::Io,
            Service { code, .. } => codes::kind(code),
        }
    }

    /// Says of a first write that was denied what that means. What is not known of the key is left as it is.
    pub(crate) fn first_write(self, bucket: &BucketName) -> Error {
        match self {
            Error::Denied { endpoint, code, .. } if code == "AccessDenied" || code == "AllAccessDisabled" => {
                Error::ReadOnlyKey { bucket: bucket.clone(), endpoint, code }
            }
            other => other,
        }
    }
}
