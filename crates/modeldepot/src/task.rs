//! Work on other tasks and threads, whose panics are ours.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinError;

use crate::error::Result;

/// How long the clean-up of dropped work may take.
const CLEANING: Duration = Duration::from_secs(60);

/// Clean-ups that are running, in this process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static ENDED: Notify = Notify::const_new();

/// Counts a clean-up as long as it lives.
struct Running;

impl Running {
    fn new() -> Running {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        ENDED.notify_waiters();
    }
}

/// Cleans up in the background after work that was dropped, as far as there is a runtime to do it.
pub(crate) fn afterwards(work: impl Future<Output = ()> + Send + 'static) {
    let Ok(runtime) = Handle::try_current() else { return };
    let running = Running::new();
    runtime.spawn(async move {
        let _running = running;
        let _ = tokio::time::timeout(CLEANING, work).await;
    });
}

/// Waits until what work that was dropped, or has failed, had put into the bucket for its own time only is removed
/// again: the lease of a push that was broken off while it took it. A program that is about to end waits for this, for a
/// second or two.
pub async fn settled() {
    loop {
        let ended = ENDED.notified();
        let mut ended = std::pin::pin!(ended);
        ended.as_mut().enable();
        if RUNNING.load(Ordering::SeqCst) == 0 {
            return;
        }
        ended.await;
    }
}

/// Runs file work and hashing where it may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// Returns what a task returned, or resumes its panic. A task is cancelled only when the runtime ends; a caller that
/// waits for it then ends with it, without a word.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> T {
    match result.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(cancelled)) => std::panic::resume_unwind(Box::new(cancelled.to_string())),
    }
}
