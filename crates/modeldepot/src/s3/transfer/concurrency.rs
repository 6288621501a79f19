//! How many requests go at once: as many as bring more bytes.
//!
//! One connection is slow where the way is long or loses packets, and many are slow where a disk or two processors do the
//! work. So a larger number is tried, and kept if more bytes came of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long bytes are counted before it is decided.
const WINDOW: Duration = Duration::from_millis(500);

/// What a third more requests must bring in bytes. Less may be chance.
const GAIN: f64 = 1.1;

/// Windows that pass before anything is tried: the first bytes fill buffers on the way.
const WARM_UP: u32 = 2;

/// Windows that pass after a try that was not worth it, before the next.
const REST: u32 = 8;

/// Limits how many requests go at once, and adapts that number to the throughput, between bounds.
#[derive(Debug)]
pub(in crate::s3) struct Concurrency {
    permits: Arc<Semaphore>,
    most: usize,
    least: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Permits to be taken away as they come back.
    owed: usize,
    began: Option<Instant>,
    bytes: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Nothing is tried for so many windows.
    Rest(u32),
    /// More are tried than `from`, which brought `rate` bytes a second. So many windows have not shown a gain.
    Trial { from: usize, rate: f64, idle: u32 },
}

/// The right to have a request under way.
#[derive(Debug)]
pub(in crate::s3) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    concurrency: Arc<Concurrency>,
}

impl Concurrency {
    pub(in crate::s3) fn new(least: usize, first: usize, most: usize) -> Arc<Self> {
        let state = State { limit: first, owed: 0, began: None, bytes: 0, stage: Stage::Rest(WARM_UP) };
        Arc::new(Self { permits: Arc::new(Semaphore::new(first)), most, least, state: Mutex::new(state) })
    }

    /// Waits for a permit.
    pub(in crate::s3) async fn permit(self: &Arc<Self>) -> Permit {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("open");
        Permit { permit: Some(permit), concurrency: Arc::clone(self) }
    }

    /// Counts bytes that were moved.
    pub(in crate::s3) fn moved(&self, bytes: u64) {
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
        (state.began, state.bytes) = (Some(now), 0);
        // After a pause the window says how long the pause was.
        if passed > 4 * WINDOW {
            return;
        }
        state.stage = match state.stage {
            Stage::Rest(windows) if windows > 0 => Stage::Rest(windows - 1),
            Stage::Rest(_) => self.try_more(&mut state, rate),
            Stage::Trial { rate: before, .. } if rate >= before * GAIN => self.try_more(&mut state, rate),
            Stage::Trial { from, rate, idle: 0 } => Stage::Trial { from, rate, idle: 1 },
            Stage::Trial { from, .. } => {
                self.set(&mut state, from);
                Stage::Rest(REST)
            }
        };
    }

    fn try_more(&self, state: &mut State, rate: f64) -> Stage {
        let from = state.limit;
        self.set(state, from + (from / 3).max(1));
        if state.limit == from { Stage::Rest(REST) } else { Stage::Trial { from, rate, idle: 0 } }
    }

    /// Halves the number: the server asks for less.
    pub(in crate::s3) fn slow_down(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = state.limit / 2;
        self.set(&mut state, limit);
        state.stage = Stage::Rest(REST);
        tracing::debug!(limit = state.limit, "the server asks for less");
    }

    fn set(&self, state: &mut State, limit: usize) {
        let limit = limit.clamp(self.least, self.most);
        let (more, fewer) = (limit.saturating_sub(state.limit), state.limit.saturating_sub(limit));
        // Those that are owed are not taken away after all.
        let forgiven = more.min(state.owed);
        self.permits.add_permits(more - forgiven);
        state.owed = state.owed - forgiven + fewer;
        state.limit = limit;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.concurrency.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permit) = self.permit.take().filter(|_| state.owed > 0) {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets requests run on a way on which `rate` bytes a second come of a number of requests, more or less; returns the
    /// number that it stays at.
    fn settle(concurrency: &Concurrency, rate: impl Fn(usize) -> f64) -> usize {
        let (mut now, mut visited, mut random) = (Instant::now(), Vec::new(), fastrand::Rng::with_seed(7));
        for _ in 0..600 {
            let limit = concurrency.state.lock().unwrap().limit;
            visited.push(limit);
            now += Duration::from_millis(100);
            concurrency.moved_at((rate(limit) / 10.0 * (0.8 + 0.4 * random.f64())) as u64, now);
        }
        visited.drain(..300);
        visited.sort_unstable();
        visited[150]
    }

    #[test]
    fn it_finds_how_many_are_worth_it() {
        let long_way = |n: usize| n as f64 * 1e6;
        assert!(settle(&Concurrency::new(2, 6, 64), long_way) > 48, "each connection brings its own");
        let wire = |n: usize| (n as f64 * 1e6).min(2e7);
        let found = settle(&Concurrency::new(2, 6, 64), wire);
        assert!((16..=36).contains(&found), "twenty fill the wire, {found} found");
        let disk = |n: usize| if n <= 6 { 1e8 } else { 8e7 };
        assert_eq!(settle(&Concurrency::new(2, 6, 64), disk), 6, "more are worse");
        let found = settle(&Concurrency::new(2, 6, 64), |_| 1e8);
        assert!((6..=12).contains(&found), "more are no better, and only chance says so: {found}");
    }

    /// Counts bytes at these milliseconds after the first request, and returns the number after each.
    fn limits(counted: &[(u64, u64)]) -> Vec<usize> {
        let (concurrency, began) = (Concurrency::new(2, 6, 64), Instant::now());
        concurrency.moved_at(0, began);
        let count = |&(at, bytes): &(u64, u64)| {
            concurrency.moved_at(bytes, began + Duration::from_millis(at));
            concurrency.state.lock().unwrap().limit
        };
        counted.iter().map(count).collect()
    }

    #[test]
    fn each_full_window_is_judged_by_its_bytes_a_second() {
        let warm = [(499, 40), (500, 60), (1000, 100), (1500, 100)];
        assert_eq!(limits(&warm), [6, 6, 6, 8]);
        let after = |counted: &[(u64, u64)]| limits(&[&warm[..], counted].concat()).split_off(warm.len());
        assert_eq!(after(&[(2000, 111), (2500, 124)]), [10, 13], "each brought more");
        assert_eq!(after(&[(2000, 109), (2500, 109)]), [8, 6], "that was not worth it");
        assert_eq!(after(&[(2500, 150), (3500, 150)]), [8, 6], "more bytes, but in twice the time");
    }

    #[test]
    fn a_window_with_a_pause_says_nothing() {
        assert_eq!(limits(&[(500, 1), (1000, 1), (3000, 1)]), [6, 6, 8], "a slow way is no pause");
        assert_eq!(limits(&[(500, 1), (1000, 1), (3001, 1), (3501, 1)]), [6, 6, 6, 8]);
    }

    #[test]
    fn bytes_are_counted_as_they_move() {
        let concurrency = Concurrency::new(2, 6, 64);
        concurrency.moved(3);
        concurrency.moved(4);
        assert_eq!(concurrency.state.lock().unwrap().bytes, 7);
    }

    #[tokio::test]
    async fn a_number_that_grows_again_leaves_permits_that_are_out() {
        let concurrency = Concurrency::new(1, 8, 64);
        let mut permits = Vec::new();
        for _ in 0..8 {
            permits.push(concurrency.permit().await);
        }
        concurrency.slow_down();
        concurrency.set(&mut concurrency.state.lock().unwrap(), 6);
        assert_eq!(concurrency.permits.available_permits(), 0, "eight are out");
        drop(permits);
        assert_eq!(concurrency.permits.available_permits(), 6);
        concurrency.set(&mut concurrency.state.lock().unwrap(), 9);
        assert_eq!(concurrency.permits.available_permits(), 9);
    }

    #[tokio::test]
    async fn turns_are_taken_away_as_they_come_back() {
        let concurrency = Concurrency::new(1, 4, 8);
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(concurrency.permit().await);
        }
        concurrency.slow_down();
        assert_eq!(concurrency.permits.available_permits(), 0);
        permits.truncate(1);
        assert_eq!(concurrency.permits.available_permits(), 1, "two at once, and one of them is out");
        drop(permits);
        assert_eq!(concurrency.permits.available_permits(), 2);
        for _ in 0..9 {
            concurrency.slow_down();
        }
        drop(concurrency.permit().await);
        assert_eq!(concurrency.permits.available_permits(), 1, "never fewer than the least");
    }
}
