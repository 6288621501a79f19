//! Keeps the runtime's threads out of an interpreter that is shutting down.
//!
//! A thread that waits for the GIL, or gives it back, while the interpreter finalizes crashes the process. So each
//! thread passes the gate first, and a function that Python calls at exit closes it and waits for those inside.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use pyo3::prelude::*;

/// The gate, and the process it belongs to: a fork copies only the thread that calls it, so a child would wait forever
/// for the others that are inside.
///
/// Only locked briefly, by threads that hold the GIL. Forking takes the GIL as well, so no child process finds it
/// locked.
static GATE: Mutex<Option<(u32, Arc<Gate>)>> = Mutex::new(None);

#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// A thread that may call Python until this is dropped.
pub(crate) struct Inside<'a>(&'a Gate);

impl Gate {
    /// Returns the gate of this process.
    pub(crate) fn of_this_process(_: Python<'_>) -> Arc<Gate> {
        let mut kept = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        match &*kept {
            Some((of, gate)) if *of == process => Arc::clone(gate),
            _ => Arc::clone(&kept.insert((process, Arc::default())).1),
        }
    }

    /// Lets a thread of the runtime in, unless the gate is closed.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (!state.closed).then(|| {
            state.inside += 1;
            Inside(self)
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Lets nobody in any more, and waits until everybody has left.
    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let empty = self.left.wait_while(state, |state| state.inside > 0);
        drop(empty);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).inside -= 1;
        self.0.left.notify_all();
    }
}

/// Has Python close the gate at exit.
pub(crate) fn close_at_exit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let close = wrap_pyfunction!(close, module)?;
    module.py().import("atexit")?.call_method1("register", (close,)).map(drop)
}

/// Closes the gate. Those inside may be waiting for the GIL.
#[pyfunction]
fn close(py: Python<'_>) {
    let gate = Gate::of_this_process(py);
    py.detach(|| gate.close());
}
