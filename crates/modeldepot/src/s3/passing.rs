//! Transient failures, as input for the retry policy.

use std::time::Duration;

/// What is known about a transient failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passing {
    pub(super) cause: Cause,
    /// How long the server asked to wait.
    pub(super) after: Option<Duration>,
    /// How long nothing moved before the request was given up.
    pub(super) silent: Duration,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Cause {
    /// The server or the connection failed.
    #[default]
    Failed,
    /// The server asks for fewer requests.
    Throttled,
    /// No connection was established: usually there is no server.
    Unreached,
    /// The bucket is in another region, which is now known.
    Moved,
}

/// An error source that tells whether to try again.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) passing: Passing,
}
