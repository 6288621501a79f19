//! What the caller should do.

/// What the caller should do about an [`Error`](crate::Error).
///
/// This enum is exhaustive on purpose: an exit code, a status or an exception for each kind does not compile until it
/// covers all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Fix the input.
    Invalid,
    /// Check the name.
    NotFound,
    /// Choose another version, or another folder.
    Conflict,
    /// Fix the credentials or the policy.
    Denied,
    /// Try again.
    Unavailable,
    /// Do not use it; publish again.
    Corrupt,
    /// Nothing was published to compare it with; use it at your own risk.
    Unverified,
    /// Fix the disk.
    Io,
    /// Report it.
    Internal,
}

impl ErrorKind {
    /// Returns the kind as it is spelled in JSON.
    pub fn word(self) -> &'static str {
        match self {
            ErrorKind::Invalid => "invalid",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Denied => "denied",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Unverified => "unverified",
            ErrorKind::Io => "io",
            ErrorKind::Internal => "internal",
        }
    }
}
