//! How Python waits for work.
//!
//! Work runs on the threads of a runtime while the caller waits without the GIL. Every [`TICK`] it checks for signals,
//! so Ctrl-C is noticed as quickly as in Python itself; the work is then dropped, along with its temporary files.
//!
//! A runtime's threads do not survive a fork, so each process has a runtime of its own. The parent's is leaked, because
//! shutting it down would wait for threads that do not exist.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::error::internal;
use crate::gate::Gate;
use crate::progress::Watcher;

/// The interval at which waiting threads check for signals.
const TICK: Duration = Duration::from_millis(40);

/// How long dropped work may take to end: it performs a few file operations and releases the lease.
const FAREWELL: Duration = Duration::from_secs(2);

/// The runtime, and the process it belongs to.
///
/// Only locked briefly, by threads that hold the GIL. Forking takes the GIL as well, so no child process finds it
/// locked.
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

/// Waits for work while other Python threads run.
///
/// # Errors
/// The exception of a signal handler or the watcher, after the work was dropped.
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

/// Starts work and returns an asyncio future with what `finish` makes of the result. Canceling the future drops the
/// work, and so does the end of the interpreter.
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
    let gate = Gate::of_this_process(py);
    if gate.is_closed() {
        // The future would never be done.
        return Err(PyRuntimeError::new_err("cannot start work: the interpreter is shutting down"));
    }
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
                let told = attached(&gate, |py| match watcher.function(py) {
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
        attached(&gate, |py| {
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

/// Calls into the interpreter, unless it is shutting down: then nobody is left to wait.
fn attached(gate: &Gate, work: impl FnOnce(Python<'_>) -> PyResult<()>) -> Option<()> {
    tokio::task::block_in_place(|| {
        let _inside = gate.enter()?;
        Python::try_attach(work)
    })
    .and_then(Result::ok)
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

/// Drops work when its future is done. Has no effect if the work is done too.
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
