//! One limit for the bytes of all transfers of a client, both ways.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far a quiet moment may be made up for: short enough that no second sees more than a tenth above the limit.
const BURST: Duration = Duration::from_millis(100);

/// A limit in bytes per second. Bytes are handed out in the order in which they are asked for.
#[derive(Debug)]
pub(in crate::s3) struct Rate {
    per_second: NonZeroU64,
    /// When all that was handed out so far has passed.
    clear: Mutex<Instant>,
}

impl Rate {
    pub(in crate::s3) fn new(per_second: NonZeroU64) -> Self {
        Self { per_second, clear: Mutex::new(Instant::now()) }
    }

    /// Returns how many bytes to ask for at once, so that nobody waits for long for anybody else's.
    pub(in crate::s3) fn piece(&self) -> usize {
        usize::try_from(self.per_second.get() / 16).unwrap_or(usize::MAX).max(1024)
    }

    /// Hands out `bytes`. Returns how long to wait before they are moved.
    pub(in crate::s3) fn take(&self, bytes: usize) -> Duration {
        self.take_at(bytes, Instant::now())
    }

    fn take_at(&self, bytes: usize, now: Instant) -> Duration {
        let takes = Duration::from_secs_f64(bytes as f64 / self.per_second.get() as f64);
        let mut clear = self.clear.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = now.checked_sub(BURST).map_or(*clear, |earliest| earliest.max(*clear));
        *clear = begins + takes;
        begins.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_than_the_limit_and_a_tenth() {
        let rate = Rate::new(NonZeroU64::new(1_000_000).unwrap());
        let begin = Instant::now();
        // Sixteen connections that each move 64 KiB as soon as they may.
        let mut free = [begin; 16];
        let mut moved: Vec<Instant> = Vec::new();
        for n in 0..1600 {
            let now = free[n % 16];
            let at = now + rate.take_at(65_536, now);
            moved.push(at);
            free[n % 16] = at;
        }
        let last = *moved.iter().max().unwrap();
        for start in 0..(last - begin).as_secs() {
            let second = begin + Duration::from_secs(start)..begin + Duration::from_secs(start + 1);
            let bytes = moved.iter().filter(|at| second.contains(*at)).count() * 65_536;
            assert!(bytes <= 1_100_000 + 65_536, "second {start}: {bytes}");
        }
        let whole = 1600.0 * 65_536.0 / 1e6;
        assert!(((last - begin).as_secs_f64() - whole).abs() < 1.0, "{:?} for {whole} s", last - begin);
    }
}
