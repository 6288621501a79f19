//! Work on other tasks and threads, whose panics are ours.

use tokio::task::JoinError;

use crate::error::Result;

/// Runs file work and hashing where it may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// Returns what a task returned, or goes on with its panic. A task is cancelled only when the runtime ends; whoever
/// waits for it then ends with it, without a word.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> T {
    match result.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(cancelled)) => std::panic::resume_unwind(Box::new(cancelled.to_string())),
    }
}
