//! The progress of a transfer, reported to Python by the thread that waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use modeldepot::{Event, Progress};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBool;

/// Counts the bytes of a transfer.
#[derive(Clone, Default)]
pub(crate) struct Meter(Arc<Counts>);

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    /// Returns the callback for the library.
    pub(crate) fn progress(&self) -> Progress {
        let counts = Arc::clone(&self.0);
        Progress::new(move |event| match event {
            // An attempt that starts over resets the count.
            Event::Planned { bytes, .. } => {
                counts.done.store(0, Relaxed);
                counts.total.store(bytes, Relaxed);
            }
            Event::Moved { bytes, .. } => {
                counts.done.fetch_add(bytes, Relaxed);
            }
            _ => {}
        })
    }

    /// Sets the total number of bytes.
    pub(crate) fn plan(&self, total: u64) {
        self.0.total.store(total, Relaxed);
    }

    /// Counts transferred bytes.
    pub(crate) fn moved(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.0.done.load(Relaxed), self.0.total.load(Relaxed))
    }
}

/// The receiver of progress: none, a function of the user's, or a progress bar.
pub(crate) struct Watcher {
    pub(crate) meter: Meter,
    call: Option<Py<PyAny>>,
    bar: bool,
    told: (u64, u64),
}

impl Watcher {
    /// Parses `progress=`: None or False, True for a bar, or a function of the bytes done and the total.
    pub(crate) fn of(given: Option<&Bound<'_, PyAny>>, verb: &str) -> PyResult<Watcher> {
        let mut watcher = Watcher { meter: Meter::default(), call: None, bar: false, told: (0, 0) };
        let Some(given) = given.filter(|given| !given.is_none()) else { return Ok(watcher) };
        if let Ok(wanted) = given.cast::<PyBool>() {
            watcher.bar = wanted.is_true();
            if watcher.bar {
                let module = given.py().import("modeldepot._progress")?;
                watcher.call = Some(module.getattr("Bar")?.call1((verb,))?.unbind());
            }
        } else if given.is_callable() {
            watcher.call = Some(given.clone().unbind());
        } else {
            let name = given.get_type().name()?.to_string();
            return Err(PyTypeError::new_err(format!("`progress` is True, False or a function, not `{name}`")));
        }
        Ok(watcher)
    }

    /// Returns the function, for callers that call it themselves.
    pub(crate) fn function(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.call.as_ref().map(|call| call.clone_ref(py))
    }

    /// Returns the bytes done and the total if they have changed since the last report.
    pub(crate) fn news(&mut self) -> Option<(u64, u64)> {
        let now = self.meter.read();
        (now != self.told && now.1 > 0).then(|| {
            self.told = now;
            now
        })
    }

    /// Reports changes.
    pub(crate) fn tell(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(call) = self.function(py) else { return Ok(()) };
        match self.news() {
            Some(now) => call.call1(py, now).map(drop),
            None => Ok(()),
        }
    }

    /// Reports that the transfer has ended, with or without success.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        match &self.call {
            Some(bar) if self.bar => bar.call_method0(py, "close").map(drop),
            _ => Ok(()),
        }
    }
}
