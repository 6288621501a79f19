//! Whether a file has changed.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// What tells apart what a file was and is: its content, and who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    length: u64,
    #[cfg(unix)]
    of_unix: (u64, u32, i64, i64),
}

impl Stamp {
    /// Returns the stamp of a file as it is now, or none where it cannot be looked at.
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
