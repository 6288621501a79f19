//! Bytes go to the disk while others arrive, so that the last sync finds little to do.

use std::fs::File;
use std::num::NonZeroU64;

/// Bytes that are handed to the disk at once.
const UNIT: u64 = 2 * 1024 * 1024;

/// Sets the disk to work on what of a range has been written since `before`, in whole units. Does not wait for it.
///
/// Linux begins to write what it is told will not be needed; what is being written stays in memory all the same. (Measured
/// on one machine: 132 MB fetched and synced in 0.24 s, where without this it took 0.29 s, and a sync now and then 0.27 s.)
pub(in crate::s3) fn begin(file: &File, range: u64, before: u64, now: u64) {
    let (from, to) = (before / UNIT * UNIT, now / UNIT * UNIT);
    #[cfg(target_os = "linux")]
    if let Some(len) = NonZeroU64::new(to - from) {
        // It is a matter of speed alone.
        let _ = rustix::fs::fadvise(file, range + from, Some(len), rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, range, from, to, NonZeroU64::MIN);
}
