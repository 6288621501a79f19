//! How Python waits for work.
//!
//! Work runs on the threads of a runtime, and the caller waits without the GIL. Every [`TICK`] it looks for signals, so
//! Ctrl-C is seen as soon as in Python itself; then the work is dropped, and what it had staged goes with it.
//!
//! A runtime's threads do not live on in a fork. So each process has its own: the one of the parent is left where it is,
//! since to end it would be to wait for threads that are not there.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::error::internal;
use crate::progress::Watcher;

/// How often a wait looks up.
const TICK: Duration = Duration::from_millis(40);

/// How long dropped work may take to be gone. It is a few file operations, and the lease that is withdrawn.
const FAREWELL: Duration = Duration::from_secs(2);

/// The runtime, with the process that it is of.
///
/// Locked by threads that hold the GIL, and for a moment only. A fork is made by a thread that holds it as well, so no
/// child finds it locked.
static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

/// Returns the runtime of this process.
pub(crate) fn runtime(py: Python<'_>) -> PyResult<Arc<Runtime>> {
    let mut kept = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((of, runtime)) = &*kept
        && *of == process
    {
        return Ok(Arc::clone(runtime));
    }
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let made = Builder::new_multi_thread().worker_threads(threads).thread_name("modeldepot").enable_all().build();
    let made = made.map_err(|error| internal(py, format!("cannot start the threads that do the work: {error}")))?;
    let made = Arc::new(made);
    std::mem::forget(kept.replace((process, Arc::clone(&made))));
    Ok(made)
}

/// Waits for work. Other threads of Python run meanwhile.
///
/// # Errors
/// What a signal handler or the watcher raised, after the work was dropped.
pub(crate) fn wait<T, F>(py: Python<'_>, work: F, watcher: &mut Watcher) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = runtime(py)?;
    let mut task = runtime.spawn(work);
    loop {
        let done = py.detach(|| runtime.block_on(async { timeout(TICK, &mut task).await }));
        if let Ok(done) = done {
            return done.map_err(|error| internal(py, fate(error))).and_then(|done| watcher.tell(py).map(|()| done));
        }
        if let Err(raised) = py.check_signals().and_then(|()| watcher.tell(py)) {
            task.abort();
            let gone = async {
                let _ = (&mut task).await;
                modeldepot::settled().await;
            };
            let _ = py.detach(|| runtime.block_on(async { timeout(FAREWELL, gone).await }));
            return Err(raised);
        }
    }
}

/// Starts work and returns the asyncio future of what `finish` makes of its result. A future that is cancelled drops the
/// work.
pub(crate) fn promise<'py, T, F>(
    py: Python<'py>,
    work: F,
    mut watcher: Watcher,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let event_loop = py.import("asyncio")?.call_method0("get_running_loop")?;
    let future = event_loop.call_method0("create_future")?;
    let runtime = runtime(py)?;
    let mut task = runtime.spawn(work);
    future.call_method1("add_done_callback", (Drop { task: task.abort_handle() },))?;
    let (event_loop, promised) = (event_loop.unbind(), future.clone().unbind());
    runtime.spawn(async move {
        let done = loop {
            if let Ok(done) = timeout(TICK, &mut task).await {
                break done;
            }
            if let Some(now) = watcher.news() {
                let told = attached(|py| match watcher.function(py) {
                    Some(function) => {
                        event_loop.call_method1(py, "call_soon_threadsafe", (function, now.0, now.1)).map(drop)
                    }
                    None => Ok(()),
                });
                if told.is_none() {
                    return;
                }
            }
        };
        attached(|py| {
            if let (Some(now), Some(function)) = (watcher.news(), watcher.function(py)) {
                event_loop.call_method1(py, "call_soon_threadsafe", (function, now.0, now.1))?;
            }
            let settled = match done {
                Ok(value) => finish(py, value),
                Err(error) if error.is_cancelled() => return watcher.close(py),
                Err(error) => Err(internal(py, fate(error))),
            };
            watcher.close(py)?;
            let (value, error) = match settled {
                Ok(value) => (value, None),
                Err(error) => (py.None(), Some(error.into_value(py))),
            };
            let settle = py.import("modeldepot._futures")?.getattr("settle")?;
            event_loop.call_method1(py, "call_soon_threadsafe", (settle, promised, value, error)).map(drop)
        });
    });
    Ok(future)
}

/// Does something with the interpreter, unless it is shutting down. The waiter of a closed loop no longer exists.
fn attached(work: impl FnOnce(Python<'_>) -> PyResult<()>) -> Option<()> {
    tokio::task::block_in_place(|| Python::try_attach(work)).and_then(Result::ok)
}

fn fate(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("panicked: {}", text.unwrap_or_default())
        }
        Err(_) => "the work was cancelled".to_owned(),
    }
}

/// Drops work whose future is done. Of work that is done itself nothing is left to drop.
#[pyclass(frozen, module = "modeldepot._modeldepot")]
struct Drop {
    task: tokio::task::AbortHandle,
}

#[pymethods]
impl Drop {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.task.abort();
    }
}
