//! The slowest pace at which a client may send or read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// How far a client is behind the slowest pace. It falls behind while the server waits for it and catches up with each
/// byte. So it may pause briefly but can neither stall nor drip, and earlier speed earns no credit.
pub(crate) struct Pace {
    patience: Duration,
    slowest: u32,
    behind: Duration,
    /// When the current wait for the client began.
    since: Option<Instant>,
    end: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(patience: Duration, slowest: u32) -> Self {
        Self { patience, slowest: slowest.max(1), behind: Duration::ZERO, since: None, end: None }
    }

    /// Waits for the client; ready when it has fallen too far behind.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.patience.saturating_sub(self.behind);
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            if let Some(end) = &mut self.end {
                end.as_mut().reset(now + left);
            }
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(left)));
        ready!(end.as_mut().poll(cx));
        Poll::Ready(())
    }

    /// Returns true while the server waits for the client.
    pub(crate) fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Records that the client moved this many bytes.
    pub(crate) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.behind += since.elapsed();
        }
        let caught_up = Duration::from_secs_f64(bytes as f64 / f64::from(self.slowest));
        self.behind = self.behind.saturating_sub(caught_up);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    /// Returns whether a client keeps its connection if it moves `bytes` after each wait of `every`, `times` times.
    async fn borne(pace: &mut Pace, times: usize, bytes: usize, every: Duration) -> bool {
        for _ in 0..times {
            if timeout(every, poll_fn(|cx| pace.poll_over(cx))).await.is_ok() {
                return false;
            }
            pace.moved(bytes);
        }
        true
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_be_slow_but_neither_stand_still_nor_drip() {
        let second = Duration::from_secs(1);
        let pace = || Pace::new(30 * second, 512);
        assert!(borne(&mut pace(), 10_000, 600, second).await, "slow");
        assert!(borne(&mut pace(), 100, 20 * 512, 20 * second).await, "with pauses");
        assert!(!borne(&mut pace(), 1, 1, 31 * second).await, "stands still");
        assert!(!borne(&mut pace(), 40, 1, second).await, "drips");
        assert!(!borne(&mut pace(), 1000, 256, second).await, "half the pace");
        // A gigabyte at once earns no credit.
        let mut fast = pace();
        fast.moved(1 << 30);
        assert!(!borne(&mut fast, 40, 1, second).await, "drips after a burst");
        // Time that the server takes does not count against the client.
        let mut waits = pace();
        waits.moved(10);
        tokio::time::sleep(3600 * second).await;
        assert!(borne(&mut waits, 1, 10, second).await, "the server worked for an hour");
    }
}
