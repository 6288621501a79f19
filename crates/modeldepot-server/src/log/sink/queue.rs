//! The queue of log lines that are not yet written.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::file::Open;

/// The most bytes that wait.
const MOST: usize = 4 << 20;

/// What a line takes beside its text.
const EACH: usize = 64;

/// The least time between two warnings.
const PACE: Duration = Duration::from_secs(60);

/// Lines on their way to the thread that writes them.
#[derive(Debug)]
pub(super) struct Queue {
    /// None for standard error, where nothing is said of lines that are lost there.
    path: Option<PathBuf>,
    state: Mutex<State>,
    /// There is something to write, or never will be again.
    came: Condvar,
    /// Something was written.
    went: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Next>,
    bytes: usize,
    /// What ever was to be done, and what of it is.
    begun: u64,
    done: u64,
    closed: bool,
    /// Lines lost since it was last said.
    lost: u64,
    told: Option<Instant>,
    /// Lines for which there was no room.
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
        // Once is enough.
        if !matches!(state.waiting.back(), Some(Next::Reopen)) {
            state.begun += 1;
            state.waiting.push_back(Next::Reopen);
            self.came.notify_one();
        }
    }

    /// Lets the thread end once it has written everything.
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

    /// Writes what comes, until the queue is closed and empty.
    pub(super) fn write(&self, mut open: Open) {
        loop {
            let state = self.state();
            let waits = |state: &mut State| state.waiting.is_empty() && !state.closed;
            let mut state = self.came.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            let Some(next) = state.waiting.pop_front() else { return };
            drop(state);
            // Where it cannot be opened again the old file is written on.
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

    /// Counts a line that is lost, and says so from time to time.
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

    /// Returns whether a loss was said, and how many there were since.
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
