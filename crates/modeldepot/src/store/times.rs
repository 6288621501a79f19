//! How long a push waits for others, and how often it does something again.

use std::time::Duration;

use super::decide::Patience;

/// How long other pushes are looked at often, since many may start at once.
const AT_FIRST: Duration = Duration::from_secs(5);

/// Times of a push. Tests shorten them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// How often a lease is renewed.
    pub(super) renewed_every: Duration,
    /// How long the lowest of several contenders waits for the others to withdraw when it then has an alternative: to
    /// start work, if the server supports create-if-absent, or to take the next version, if none was named.
    pub(super) short_wait: Duration,
    /// How long it waits otherwise, and how long a push waits to be alone before it publishes: longer than the lease of a
    /// dead contender takes to go stale.
    pub(super) long_wait: Duration,
    /// How long the lease of another counts as a contender's while its record cannot be read. On some servers a record
    /// that is being replaced is empty for a moment.
    pub(super) unreadable: Duration,
    /// The unit of the pauses before a manifest is sent again.
    pub(super) create_again: Duration,
    /// How long a push waits for a `gc` run to decide about the version.
    pub(super) cleaning: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            renewed_every: Duration::from_secs(60),
            short_wait: Duration::from_secs(30),
            long_wait: Duration::from_mins(12),
            unreadable: Duration::from_secs(20),
            create_again: Duration::from_millis(10),
            cleaning: Duration::from_secs(10),
        }
    }
}

impl Times {
    /// Returns how long to pause before a manifest is sent again: at random, up to a bound that doubles.
    pub(super) fn before_creating_again(&self, attempt: u32) -> Duration {
        self.create_again * fastrand::u32(5..20 << attempt)
    }
}

/// Returns true when a wait is over.
pub(super) fn is_over(waited: Duration, wait: Duration) -> bool {
    waited >= wait
}

/// Returns whether there is time left to wait.
pub(super) fn patience(waited: Duration, wait: Duration) -> Patience {
    if is_over(waited, wait) { Patience::Over } else { Patience::Left }
}

/// Waits before the leases of others are listed again: briefly at first.
pub(super) async fn pause(waited: Duration) {
    let millis = if is_over(waited, AT_FIRST) { 300..900 } else { 30..90 };
    tokio::time::sleep(Duration::from_millis(fastrand::u64(millis))).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::decide::STALE_AFTER;

    #[test]
    fn the_times_fit_each_other() {
        let times = Times::default();
        // A lease is given up at half its age. Until then, a few renewals may fail.
        assert!(times.renewed_every * 4 < STALE_AFTER / 2);
        // Who has an alternative does not wait for the dead. Who has none waits until even their leases are stale.
        assert!(times.short_wait * 4 < times.long_wait);
        assert!(times.long_wait > STALE_AFTER + times.renewed_every && times.long_wait < STALE_AFTER * 2);
        assert!(times.unreadable < times.short_wait);
    }

    #[test]
    fn a_wait_is_over_when_its_time_has_come() {
        let wait = Duration::from_secs(7);
        for (waited, over) in [(0, false), (6999, false), (7000, true), (7001, true)] {
            let waited = Duration::from_millis(waited);
            assert_eq!(is_over(waited, wait), over);
            assert_eq!(patience(waited, wait), if over { Patience::Over } else { Patience::Left });
        }
    }

    /// With a clock that stands still until everybody waits.
    #[tokio::test(start_paused = true)]
    async fn others_are_looked_at_often_at_first_and_then_less() {
        for (waited, least, most) in [(0, 30, 90), (4999, 30, 90), (5000, 300, 900), (60_000, 300, 900)] {
            for _ in 0..20 {
                let before = tokio::time::Instant::now();
                pause(Duration::from_millis(waited)).await;
                let paused = before.elapsed();
                // The timer is precise to a millisecond.
                let range = Duration::from_millis(least)..Duration::from_millis(most + 2);
                assert!(range.contains(&paused), "{paused:?} after {waited} ms");
            }
        }
    }

    #[test]
    fn a_manifest_is_sent_again_after_pauses_that_grow() {
        let times = Times::default();
        for attempt in 0..6 {
            let mut longest = Duration::ZERO;
            for _ in 0..200 {
                let pause = times.before_creating_again(attempt);
                assert!(pause >= Duration::from_millis(50) && pause < Duration::from_millis(200 << attempt));
                longest = longest.max(pause);
            }
            assert!(longest > Duration::from_millis(100 << attempt), "{longest:?} in attempt {attempt}");
        }
    }
}
