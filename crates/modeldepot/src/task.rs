//! Work on other tasks and threads, whose panics are propagated.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinError;

use crate::error::Result;

/// How long cleaning up after dropped work may take.
const CLEANING: Duration = Duration::from_secs(60);

/// The number of running clean-ups in this process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static ENDED: Notify = Notify::const_new();

/// Counts a clean-up while it exists.
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

/// Cleans up in the background after work that was dropped, if there is a runtime to do it.
pub(crate) fn afterwards(work: impl Future<Output = ()> + Send + 'static) {
    let Ok(runtime) = Handle::try_current() else { return };
    let running = Running::new();
    runtime.spawn(async move {
        let _running = running;
        let _ = tokio::time::timeout(CLEANING, work).await;
    });
}

/// Waits until temporary objects of dropped or failed work have been removed from the bucket, such as the lease of a
/// push that was interrupted while it took the lease. A program should wait for this before it exits; it takes a second
/// or two.
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

/// Runs file access and hashing on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// Returns the result of a task, or resumes its panic. Tasks are cancelled only when the runtime shuts down; a caller
/// that waits for one then ends with it, silently.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> T {
    match result.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(cancelled)) => std::panic::resume_unwind(Box::new(cancelled.to_string())),
    }
}
