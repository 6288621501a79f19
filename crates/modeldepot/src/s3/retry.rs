//! The retry policy of all requests.
//!
//! Transient failures are retried after a random pause below a bound that doubles, so that many clients do not return
//! at the same moment; if the server asks for a pause, that is added. Retries are limited by number and by time. Only
//! time in which nothing moved counts, so a transfer that progresses is never given up for taking long.

use std::error::Error as _;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::S3Client;
use super::error::{passing, status};
use super::http::connector::Silent;
use super::http::timeouts;
use super::passing::{Cause, Passing, Said};
use super::transfer::concurrency::Concurrency;
use crate::diagnosis::root;
use crate::error::{Error, Mark, Result};
use crate::settings::Timeouts;

/// The bound of the first pause.
const FIRST: Duration = Duration::from_millis(150);

/// The bound of the first pause when the server asks for fewer requests.
const THROTTLED: Duration = Duration::from_millis(500);

/// The longest bound of a pause.
const LONGEST: Duration = Duration::from_secs(8);

/// The longest pause that is added because the server asks for it.
const ASKED: Duration = Duration::from_secs(20);

/// How many bytes a transfer must move to count as progressing, or an eighth of the rest if that is less: more than a
/// broken server sends before it fails.
const PROGRESS: u64 = 64 * 1024;

/// Counts the attempts of one request or transfer.
#[derive(Debug)]
pub(super) struct Retry {
    /// The maximum number of attempts without progress.
    attempts: u32,
    /// The same while no server is reached.
    unreached: u32,
    /// The maximum time in which nothing moves, after which no attempt starts.
    idle: Duration,
    failures: u32,
    waited: Duration,
    moved: u64,
}

impl Retry {
    fn new(attempts: u32, unreached: u32, idle: Duration) -> Self {
        Retry { attempts, unreached, idle, failures: 0, waited: Duration::ZERO, moved: 0 }
    }

    /// For a small request that a user is waiting for.
    pub(super) fn small(timeouts: &Timeouts) -> Self {
        Self::new(8, 5, timeouts.answer * 3 / 2)
    }

    /// For transfers, where giving up would waste what was already moved.
    pub(super) fn transfer(timeouts: &Timeouts) -> Self {
        Self::new(10, 10, timeouts.answer * 15 / 2)
    }

    /// For a write that conflicted with another writer: each attempt sends all bytes again.
    pub(super) fn conflict(timeouts: &Timeouts) -> Self {
        Self::new(5, 5, timeouts.answer * 3 / 2)
    }

    /// Counts bytes that were moved for good; `left` bytes remain.
    pub(super) fn moved(&mut self, bytes: u64, left: u64) {
        self.moved += bytes;
        if self.moved >= PROGRESS.min(left / 8 + 1) {
            (self.failures, self.waited, self.moved) = (0, Duration::ZERO, 0);
        }
    }

    /// Returns how long to wait before the next attempt, or `None` when there should be no other.
    pub(super) fn pause(&mut self, failure: &Passing) -> Option<Duration> {
        self.pause_drawn(failure, fastrand::f64())
    }

    fn pause_drawn(&mut self, failure: &Passing, drawn: f64) -> Option<Duration> {
        self.failures += 1;
        let (first, most) = match failure.cause {
            Cause::Failed => (FIRST, self.attempts),
            Cause::Throttled => (THROTTLED, self.attempts),
            Cause::Unreached => (FIRST, self.unreached),
            Cause::Moved => (Duration::ZERO, self.attempts),
        };
        let bound = first.saturating_mul(1 << (self.failures - 1).min(16)).min(LONGEST);
        // Never less than requested, and never all clients at the same moment.
        let pause = failure.after.unwrap_or_default().min(ASKED) + bound.mul_f64(drawn);
        self.waited += failure.silent + pause;
        (self.failures < most && self.waited < self.idle).then_some(pause)
    }

    /// Waits before the next attempt, or returns the error when there should be no other.
    pub(super) async fn again(&mut self, error: Error) -> Result<()> {
        let Some(pause) = passing_of(&error).and_then(|failure| self.pause(&failure)) else { return Err(error) };
        tracing::debug!(%error, attempt = self.failures, ?pause, "trying again");
        sleep(pause).await;
        Ok(())
    }
}

fn passing_of(error: &Error) -> Option<Passing> {
    if let Error::Tls { .. } = error {
        return Some(Passing { cause: Cause::Unreached, ..Passing::default() });
    }
    match error.mark() {
        Mark::Silent(within) => Some(Passing { silent: *within, ..Passing::default() }),
        Mark::Unavailable | Mark::Unreached => {
            let said = error.source().and_then(|source| source.downcast_ref::<Said>());
            Some(said.map_or_else(Passing::default, |said| said.passing))
        }
        _ => None,
    }
}

impl S3Client {
    /// Sends a small request that may be repeated, until it is answered or its time is over.
    pub(super) async fn asked<T, E, F>(&self, send: impl Fn() -> F) -> Result<T, SdkError<E, HttpResponse>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.asked_within(timeouts::small(self.timeouts()), send).await
    }

    /// Like [`asked`](Self::asked), with its own time limit.
    pub(super) async fn asked_within<T, E, F>(
        &self,
        most: std::time::Duration,
        send: impl Fn() -> F,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut retry = Retry::small(self.timeouts());
        let over = Instant::now() + most;
        let mut last = None;
        loop {
            let error = match timeout_at(over, send()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => return Err(last.unwrap_or_else(|| SdkError::timeout_error(Silent(most)))),
            };
            let pause = passing(&error).and_then(|failure| retry.pause(&failure));
            let Some(pause) = pause.filter(|pause| Instant::now() + *pause < over) else { return Err(error) };
            tracing::debug!(cause = %root(&error), attempt = retry.failures, ?pause, "asking again");
            sleep(pause).await;
            last = Some(error);
        }
    }

    /// Lowers the concurrency if the server asked for it.
    pub(super) fn slow_down_after<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E, HttpResponse>,
        concurrency: &Concurrency,
    ) {
        if matches!(status(error), Some(429 | 503)) {
            concurrency.slow_down();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(mut retry: Retry, failure: Passing) -> (u32, Duration) {
        let mut waited = Duration::ZERO;
        while let Some(pause) = retry.pause_drawn(&failure, 1.0) {
            waited += pause + failure.silent;
        }
        (retry.failures, waited + failure.silent)
    }

    #[test]
    fn it_ends_by_number_and_by_time() {
        let times = Timeouts::default();
        let failed = Passing::default();
        let (attempts, waited) = ends(Retry::small(&times), failed);
        assert!(attempts == 8 && waited < Duration::from_secs(30), "{attempts} {waited:?}");
        let (attempts, waited) = ends(Retry::transfer(&times), failed);
        assert!(attempts == 10 && waited < Duration::from_secs(60), "{attempts} {waited:?}");
        let (attempts, waited) = ends(Retry::small(&times), Passing { cause: Cause::Unreached, ..failed });
        assert!(attempts == 5 && waited < Duration::from_secs(3), "a wrong port is said soon: {attempts} {waited:?}");
        let (attempts, waited) = ends(Retry::small(&times), Passing { silent: times.answer, ..failed });
        assert!(attempts == 2 && waited < Duration::from_secs(60), "{attempts} {waited:?}");
        let (attempts, waited) = ends(Retry::transfer(&times), Passing { silent: times.answer * 6, ..failed });
        assert!(attempts == 2 && waited < Duration::from_secs(300), "{attempts} {waited:?}");
    }

    #[test]
    fn pauses_are_drawn_below_a_bound_that_doubles() {
        let bounds = |cause| {
            let mut retry = Retry::new(9, 9, Duration::MAX);
            let failure = Passing { cause, ..Passing::default() };
            (0..8).map(|_| retry.pause_drawn(&failure, 1.0).unwrap().as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(bounds(Cause::Failed), [150, 300, 600, 1200, 2400, 4800, 8000, 8000]);
        assert_eq!(bounds(Cause::Throttled), [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]);
        let mut retry = Retry::new(9, 9, Duration::MAX);
        assert_eq!(retry.pause_drawn(&Passing::default(), 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn a_server_gets_the_pause_that_it_asks_for_within_bounds() {
        let asked = |seconds| Passing { after: Some(Duration::from_secs(seconds)), ..Passing::default() };
        let mut retry = Retry::new(9, 9, Duration::MAX);
        assert_eq!(retry.pause_drawn(&asked(7), 0.0), Some(Duration::from_secs(7)));
        assert_eq!(retry.pause_drawn(&asked(86_400), 0.0), Some(ASKED));
        assert_eq!(Retry::small(&Timeouts::default()).pause_drawn(&asked(86_400), 1.0), Some(ASKED + FIRST));
    }

    #[test]
    fn only_bytes_that_are_worth_something_begin_it_anew() {
        let mut retry = Retry::new(3, 3, Duration::MAX);
        let mut tries = 0;
        while retry.pause_drawn(&Passing::default(), 0.0).is_some() {
            retry.moved(100, 8_000_000);
            tries += 1;
        }
        assert_eq!(tries, 2, "a server that sends a hundred bytes and fails gets nowhere");
        retry.moved(PROGRESS, 8_000_000);
        assert!(retry.pause_drawn(&Passing::default(), 0.0).is_some());
        // A server that sends half of each requested range still completes.
        let mut left = 8_000_000;
        while left > 0 {
            assert!(retry.pause_drawn(&Passing::default(), 0.0).is_some(), "{left}");
            retry.moved(left - left / 2, left / 2);
            left /= 2;
        }
    }
}
