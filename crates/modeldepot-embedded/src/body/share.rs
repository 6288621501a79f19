//! How much memory each of several transfers may hold: the more transfers, the less each. So a thousand stalled clients
//! hold little, and a few fast ones get all they need.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The smallest share that is worth a hop to another thread.
const LEAST: usize = 8 << 10;

/// Transfers of one kind, and roughly what they may hold together: a transfer keeps what it took while there were
/// fewer.
pub(crate) struct Transfers {
    budget: usize,
    count: AtomicUsize,
}

impl Transfers {
    pub(crate) const fn new(budget: usize) -> Self {
        Self { budget, count: AtomicUsize::new(0) }
    }

    /// Registers a transfer.
    pub(crate) fn begin(&'static self) -> Share {
        self.count.fetch_add(1, Ordering::Relaxed);
        Share(self)
    }
}

/// One transfer's share of the memory.
pub(crate) struct Share(&'static Transfers);

impl Share {
    /// Returns how much the transfer may hold now, at most `most`.
    pub(crate) fn size(&self, most: usize) -> usize {
        let count = self.0.count.load(Ordering::Relaxed).max(1);
        (self.0.budget / count).clamp(LEAST.min(most), most)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hold_little_and_few_all_they_need() {
        static TRANSFERS: Transfers = Transfers::new(8 << 20);
        let mut held = 0;
        let shares: Vec<_> = (0..1024)
            .map(|_| {
                let share = TRANSFERS.begin();
                held += share.size(512 << 10);
                share
            })
            .collect();
        assert!(held < 48 << 20, "{held} bytes");
        assert_eq!(shares[0].size(512 << 10), LEAST);
        drop(shares);
        assert_eq!(TRANSFERS.begin().size(512 << 10), 512 << 10);
    }
}
