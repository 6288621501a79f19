//! How files are cut into parts, and how much memory all parts in flight may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1024 * 1024;

/// The smallest part but for a file's last: S3 asks for 5 MiB, BLAKE3's tree for a power of two.
const SMALLEST: u64 = 8 * MIB;

/// S3's limit of parts in one upload.
const MOST_PARTS: u64 = 10_000;

/// Bytes of upload parts in memory at once, over all files.
const UPLOAD_BUDGET: u64 = 64 * MIB;

/// Ranged downloads at once, over all files. Each holds about 2 MiB.
const RANGES: usize = 8;

/// Files of one version in transfer at once.
pub(crate) const FILES: usize = 8;

/// Returns the length of the parts of a file of `size` bytes.
pub(super) fn part_size(size: u64) -> u64 {
    let mut part = SMALLEST;
    while size.div_ceil(part) > MOST_PARTS {
        part *= 2;
    }
    part
}

/// Returns the offset and length of each part of a file of `size` bytes; an empty file has none.
pub(super) fn parts(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = part_size(size);
    (0..size.div_ceil(part)).map(move |n| (n * part, part.min(size - n * part)))
}

/// The limits that all transfers of one client share.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    memory: Arc<Semaphore>,
    ranges: Arc<Semaphore>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            memory: Arc::new(Semaphore::new((UPLOAD_BUDGET / MIB) as usize)),
            ranges: Arc::new(Semaphore::new(RANGES)),
        }
    }

    /// Waits for the right to hold `bytes` of a part in memory. A part larger than the whole budget waits for all
    /// of it, so such parts go one by one.
    pub(super) async fn memory(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = bytes.min(UPLOAD_BUDGET).div_ceil(MIB).max(1);
        // The semaphore is never closed.
        Arc::clone(&self.memory).acquire_many_owned(units as u32).await.expect("open")
    }

    /// Waits for the right to fetch a range.
    pub(super) async fn range(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.ranges).acquire_owned().await.expect("open")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_files_have_small_parts_and_huge_ones_fit_the_limit() {
        assert_eq!(part_size(0), 8 * MIB);
        assert_eq!(part_size(138_223_288), 8 * MIB);
        assert_eq!(part_size(80_000 * MIB), 8 * MIB);
        assert_eq!(part_size(80_000 * MIB + 1), 16 * MIB);
        assert_eq!(parts(0).count(), 0);
    }

    proptest! {
        #[test]
        fn parts_cover_the_file(size in 0u64..6_000_000_000_000) {
            let part = part_size(size);
            prop_assert!(part.is_power_of_two() && size.div_ceil(part) <= MOST_PARTS);
            let mut end = 0;
            for (offset, len) in parts(size) {
                prop_assert!(offset == end && len > 0 && len <= part);
                end = offset + len;
            }
            prop_assert_eq!(end, size);
        }
    }
}
