//! Why a token file cannot be used.

use std::io;
use std::path::PathBuf;

use modeldepot::{ErrorKind, units};
use time::OffsetDateTime;

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The file cannot be read or written.
    #[error("cannot {action} the token file `{}`", path.display())]
    Io {
        /// What failed, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Every user of the machine could add a token.
    #[error("refused to use the token file `{}`: every user of this machine can write it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a valid token. The error holds no text of the line, which may be a secret.
    #[error("line {line} of `{}` is not `NAME GRANTS BLAKE3`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
    },
    /// A token's name is not allowed.
    #[error("`{}` is not a valid token name: use 1 to 64 letters, digits, `.`, `_` and `-`", name.chars().take(80).collect::<String>().escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// A token of this name already exists.
    #[error("token `{name}` already exists in `{}`", path.display())]
    Taken {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no token of this name.
    #[error("token `{name}` does not exist in `{}`", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// An expired token was rotated without a new expiry time.
    #[error("token `{name}` expired on {}", units::date(Some(*expired)))]
    Expired {
        /// The name.
        name: String,
        /// When it expired.
        expired: OffsetDateTime,
        /// The file.
        path: PathBuf,
    },
    /// The system's random number generator failed.
    #[error("the system returned no random numbers")]
    Random,
}

impl TokensError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            TokensError::Io { .. } => ErrorKind::Io,
            TokensError::Line { .. } | TokensError::Name { .. } => ErrorKind::Invalid,
            TokensError::Taken { .. } | TokensError::Expired { .. } => ErrorKind::Conflict,
            TokensError::Unknown { .. } => ErrorKind::NotFound,
            TokensError::Writable { .. } => ErrorKind::Denied,
            TokensError::Random => ErrorKind::Internal,
        }
    }
}
