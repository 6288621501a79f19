//! The queue of log lines that are not yet written.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::file::Open;

/// The most bytes in the queue.
const MOST: usize = 4 << 20;

/// The size of a line besides its text.
const EACH: usize = 64;

/// The minimum time between two warnings.
const PACE: Duration = Duration::from_secs(60);

/// Lines on their way to the writing thread.
#[derive(Debug)]
pub(super) struct Queue {
    /// `None` for standard error, where lost lines are not reported.
    path: Option<PathBuf>,
    state: Mutex<State>,
    /// Signals that there is something to write, or that the queue was closed.
    came: Condvar,
    /// Signals that something was written.
    went: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Next>,
    bytes: usize,
    /// The number of entries queued so far, and of those completed.
    begun: u64,
    done: u64,
    closed: bool,
    /// Lines lost since the last warning.
    lost: u64,
    told: Option<Instant>,
    /// Lines dropped because the queue was full.
    dropped: u64,
}

#[derive(Debug)]
enum Next {
    Line(String),
    Reopen,
}

impl Queue {
    pub(super) fn new(path: Option<&Path>) -> Queue {
        let state = Mutex::default();
        Queue { path: path.map(Path::to_owned), state, came: Condvar::new(), went: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, line: &str) {
        let size = line.len() + EACH;
        let mut state = self.state();
        if state.bytes + size > MOST {
            state.dropped += 1;
            drop(state);
            self.lose(&io::Error::new(io::ErrorKind::TimedOut, "it is written to too slowly"));
            return;
        }
        state.bytes += size;
        state.begun += 1;
        state.waiting.push_back(Next::Line(line.to_owned()));
        self.came.notify_one();
    }

    pub(super) fn reopen(&self) {
        let mut state = self.state();
        // One is enough.
        if !matches!(state.waiting.back(), Some(Next::Reopen)) {
            state.begun += 1;
            state.waiting.push_back(Next::Reopen);
            self.came.notify_one();
        }
    }

    /// Lets the thread end after writing everything.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.came.notify_one();
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        let state = self.state();
        let begun = state.begun;
        let (state, _) = self
            .went
            .wait_timeout_while(state, patience, |state| state.done < begun)
            .unwrap_or_else(PoisonError::into_inner);
        state.done >= begun
    }

    /// Writes lines until the queue is closed and empty.
    pub(super) fn write(&self, mut open: Open) {
        loop {
            let state = self.state();
            let waits = |state: &mut State| state.waiting.is_empty() && !state.closed;
            let mut state = self.came.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            let Some(next) = state.waiting.pop_front() else { return };
            drop(state);
            // If the file cannot be reopened, keep writing to the old one.
            if (matches!(next, Next::Reopen) || !open.is_in_place())
                && let Err(error) = open.again()
            {
                self.tell("cannot reopen the log", &error);
            }
            if let Next::Line(line) = &next
                && let Err(error) = open.line(line)
            {
                self.lose(&error);
            }
            let mut state = self.state();
            if let Next::Line(line) = next {
                state.bytes -= line.len() + EACH;
            }
            state.done += 1;
            self.went.notify_all();
        }
    }

    /// Counts a lost line, and warns from time to time.
    fn lose(&self, error: &io::Error) {
        self.state().lost += 1;
        self.tell("log lines were lost", error);
    }

    fn tell(&self, what: &str, error: &io::Error) {
        let Some(path) = &self.path else { return };
        let mut state = self.state();
        if state.told.is_some_and(|told| told.elapsed() <= PACE) {
            return;
        }
        state.told = Some(Instant::now());
        let lines = std::mem::take(&mut state.lost);
        drop(state);
        tracing::warn!(log = %path.display(), %error, lines, "{what}");
    }

    /// Returns whether a loss was reported, and how many lines were lost since.
    #[cfg(test)]
    pub(super) fn lost(&self) -> (bool, u64) {
        let state = self.state();
        (state.told.is_some(), state.lost)
    }

    #[cfg(test)]
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }
}
