//! Failures that may pass, for the one policy of retries.

use std::time::Duration;

/// What is known of a failure that may pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passing {
    pub(super) cause: Cause,
    /// How long the server asked to wait.
    pub(super) after: Option<Duration>,
    /// How long nothing moved before it was given up.
    pub(super) silent: Duration,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Cause {
    /// The server failed, or the way to it.
    #[default]
    Failed,
    /// The server asks for fewer requests.
    Throttled,
    /// No connection came about: most often there is no server.
    Unreached,
    /// The bucket is in another region, which is known now.
    Moved,
}

/// An error's cause that says whether to try again.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) passing: Passing,
}
