//! How files are cut into parts, and how many of them are under way.

use std::num::NonZeroU64;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::concurrency::Concurrency;
use super::memory::{PIECE, Pool};

const MIB: u64 = 1024 * 1024;

/// The smallest part but for a file's last: S3 asks for 5 MiB, BLAKE3's tree for a power of two.
const SMALLEST: u64 = 8 * MIB;

/// S3's limit of parts in one upload.
const MOST_PARTS: u64 = 10_000;

/// Files of one version in transfer at once. Small ones are one request each, so this is how many of those go at once
/// before anything is known of the way.
const FILES: usize = 32;

/// Returns how many files of one version are in transfer at once: fewer where a process may open few.
pub(crate) fn files_at_once() -> usize {
    at_once(FILES, descriptors())
}

/// Returns how many of `most` things are done at once. A share of the process's descriptors bounds them: a file that is
/// fetched has two and a request has one, and the process is not ours alone.
fn at_once(most: usize, descriptors: usize) -> usize {
    most.min(descriptors / 8)
}

/// Returns how many descriptors this process may have.
fn descriptors() -> usize {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None::<u64>;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)).max(32)
}

/// Returns the length of the parts of a file of `size` bytes.
pub(crate) fn part_size(size: u64) -> u64 {
    let mut part = SMALLEST;
    while size.div_ceil(part) > MOST_PARTS {
        part *= 2;
    }
    part
}

/// Returns the offset and length of each part of a file of `size` bytes; an empty file has none.
pub(in crate::s3) fn parts(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = part_size(size);
    (0..size.div_ceil(part)).map(move |n| (n * part, part.min(size - n * part)))
}

/// Returns how many parts are sent at once under a limit: so few that each is done within seconds. Only a whole part
/// counts as progress, and only whole parts are kept when a push is interrupted.
fn parts_at_once(rate: NonZeroU64) -> usize {
    const SECONDS: u64 = 4;
    let parts = rate.get().saturating_mul(SECONDS) / SMALLEST;
    usize::try_from(parts).unwrap_or(usize::MAX).clamp(1, 64)
}

/// The limits that all transfers of one client share.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Limits {
    pub(in crate::s3) pool: Arc<Pool>,
    /// Parts on their way to the server.
    pub(in crate::s3) up: Arc<Concurrency>,
    /// Whole files on their way to the server.
    pub(in crate::s3) whole: Arc<Concurrency>,
    /// Ranges on their way here.
    pub(in crate::s3) down: Arc<Concurrency>,
    /// Parts of local files that are read and hashed for nothing but their digests.
    local: Arc<Semaphore>,
}

/// The right to read a piece of a local file at a time, on a thread of its own.
pub(in crate::s3) type Local = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Limits {
    /// Returns the limits for transfers of at most `rate` bytes per second.
    pub(in crate::s3) fn new(rate: Option<NonZeroU64>) -> Self {
        // The budget of the pool bounds them further. On a disk and two cores six are as good as any more.
        let most = |most: usize| at_once(most, descriptors());
        let parts = rate.map_or(64, parts_at_once);
        let up = Concurrency::new(parts.min(2), most(parts.min(6)), most(parts));
        let down = Concurrency::new(2, most(6), most(32));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let local = Arc::new(Semaphore::new(cores));
        Self { pool: Pool::new(), up, whole: Concurrency::new(4, most(FILES), most(2 * FILES)), down, local }
    }

    /// Waits for a permit to hash a part of a local file, with memory for it: more than there are processors bring nothing,
    /// however many files there are.
    pub(in crate::s3) async fn local(&self) -> Local {
        // The semaphore is never closed. Nobody who has memory waits for such a permit.
        let permit = Arc::clone(&self.local).acquire_owned().await.expect("open");
        (permit, self.pool.permit(PIECE as u64).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_low_limit_sends_few_parts_at_once() {
        let at_once = |rate| parts_at_once(NonZeroU64::new(rate).unwrap());
        assert_eq!([1, 2_000_000, 5_000_000, 20_000_000, u64::MAX].map(at_once), [1, 1, 2, 9, 64]);
    }

    #[test]
    fn a_process_that_may_open_few_files_does_little_at_once() {
        let at_once = |descriptors| at_once(FILES, descriptors);
        assert_eq!([usize::MAX, 1024, 256, 100, 32].map(at_once), [32, 32, 32, 12, 4]);
        assert!((4..=FILES).contains(&files_at_once()), "whatever the limit of this process");
    }

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
