//! Whether a file has changed.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Tells whether a file has changed: its content, or who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    length: u64,
    #[cfg(unix)]
    of_unix: (u64, u32, i64, i64),
}

impl Stamp {
    /// Returns the current stamp of a file, or `None` if its metadata cannot be read.
    pub fn of(path: &Path) -> Option<Stamp> {
        let found = fs::metadata(path).ok()?;
        Some(Stamp {
            modified: found.modified().ok()?,
            length: found.len(),
            #[cfg(unix)]
            of_unix: {
                use std::os::unix::fs::MetadataExt as _;
                (found.ino(), found.mode(), found.ctime(), found.ctime_nsec())
            },
        })
    }
}
