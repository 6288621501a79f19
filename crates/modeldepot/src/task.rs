//! Work on other tasks and threads, whose panics are ours.

use tokio::task::JoinError;

use crate::error::Result;

/// Runs file work and hashing where it may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// Returns what a task returned, or goes on with its panic. Tasks are never cancelled but with their owner.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> T {
    match result {
        Ok(value) => value,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
