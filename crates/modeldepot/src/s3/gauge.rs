//! How many requests go at once: as many as bring more bytes.
//!
//! One connection is slow where the way is long or loses packets, and many are slow where a disk or two processors do the
//! work. So the number climbs as long as more bytes come of it, and turns back when fewer do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long bytes are counted before it is decided.
const WINDOW: Duration = Duration::from_millis(500);

/// Less of a change than this says nothing.
const NOISE: f64 = 0.05;

/// After so many windows without a change another number is tried.
const RESTLESS: u32 = 8;

/// A number of requests at once, between bounds, that adapts.
#[derive(Debug)]
pub(super) struct Gauge {
    turns: Arc<Semaphore>,
    most: usize,
    least: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Turns to be taken away as they come back.
    owed: usize,
    up: bool,
    began: Option<Instant>,
    bytes: u64,
    /// Bytes per second in the window before.
    before: f64,
    quiet: u32,
}

/// The right to have a request under way.
#[derive(Debug)]
pub(super) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    gauge: Arc<Gauge>,
}

impl Gauge {
    pub(super) fn new(least: usize, first: usize, most: usize) -> Arc<Self> {
        let state = State { limit: first, owed: 0, up: true, began: None, bytes: 0, before: 0.0, quiet: 0 };
        Arc::new(Self { turns: Arc::new(Semaphore::new(first)), most, least, state: Mutex::new(state) })
    }

    /// Waits for a turn.
    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.turns).acquire_owned().await.expect("open");
        Turn { permit: Some(permit), gauge: Arc::clone(self) }
    }

    /// Counts bytes that were moved.
    pub(super) fn moved(&self, bytes: u64) {
        self.moved_at(bytes, Instant::now());
    }

    fn moved_at(&self, bytes: u64, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let began = *state.began.get_or_insert(now);
        state.bytes += bytes;
        let passed = now - began;
        if passed < WINDOW {
            return;
        }
        let rate = state.bytes as f64 / passed.as_secs_f64();
        let change = if state.before > 0.0 { rate / state.before - 1.0 } else { 1.0 };
        (state.began, state.bytes, state.before) = (Some(now), 0, rate);
        // After a pause the window says how long the pause was.
        if passed > 4 * WINDOW {
            return;
        }
        if change.abs() <= NOISE {
            state.quiet += 1;
            if state.quiet < RESTLESS {
                return;
            }
        } else if change < 0.0 {
            state.up = !state.up;
        }
        state.quiet = 0;
        let step = (state.limit / 4).max(1);
        let limit = if state.up { state.limit + step } else { state.limit.saturating_sub(step) };
        self.set(&mut state, limit);
    }

    /// Halves the number: the server asks for less.
    pub(super) fn slow_down(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = state.limit / 2;
        state.up = true;
        state.before = 0.0;
        self.set(&mut state, limit);
        tracing::debug!(limit = state.limit, "the server asks for less");
    }

    fn set(&self, state: &mut State, limit: usize) {
        let limit = limit.clamp(self.least, self.most);
        if limit > state.limit {
            let more = limit - state.limit;
            let forgiven = more.min(state.owed);
            state.owed -= forgiven;
            self.turns.add_permits(more - forgiven);
        } else {
            state.owed += state.limit - limit;
        }
        if limit == state.limit {
            // At a bound. The other way is left.
            state.up = !state.up;
        }
        state.limit = limit;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.gauge.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permit) = self.permit.take().filter(|_| state.owed > 0) {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a gauge run on a way on which `rate` bytes a second come of a number of requests.
    fn settle(gauge: &Gauge, rate: impl Fn(usize) -> f64) -> usize {
        let mut now = Instant::now();
        let mut visited = Vec::new();
        for _ in 0..400 {
            let limit = gauge.state.lock().unwrap().limit;
            visited.push(limit);
            now += Duration::from_millis(100);
            gauge.moved_at((rate(limit) / 10.0) as u64, now);
        }
        visited.sort_unstable();
        visited[200]
    }

    #[test]
    fn it_finds_how_many_are_worth_it() {
        let long_way = |n: usize| n as f64 * 1e6;
        assert!(settle(&Gauge::new(2, 8, 64), long_way) > 48, "each connection brings its own");
        let disk = |n: usize| 1e8 / (1.0 + (n as f64 - 6.0).abs() / 4.0);
        let found = settle(&Gauge::new(2, 8, 64), disk);
        assert!((4..=10).contains(&found), "six are best, {found} found");
        let found = settle(&Gauge::new(2, 8, 64), |_| 1e8);
        assert!((2..=64).contains(&found));
    }

    #[tokio::test]
    async fn turns_are_taken_away_as_they_come_back() {
        let gauge = Gauge::new(1, 4, 8);
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gauge.turn().await);
        }
        gauge.slow_down();
        assert_eq!(gauge.turns.available_permits(), 0);
        turns.truncate(1);
        assert_eq!(gauge.turns.available_permits(), 1, "two at once, and one of them is out");
        drop(turns);
        assert_eq!(gauge.turns.available_permits(), 2);
        for _ in 0..9 {
            gauge.slow_down();
        }
        drop(gauge.turn().await);
        assert_eq!(gauge.turns.available_permits(), 1, "never fewer than the least");
    }
}
