//! Bytes go to the disk while others arrive, so that the last sync finds little to do.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes after which the disk is set to work. A sync has a price of its own, so not after every part.
const EVERY: usize = 32 * 1024 * 1024;

/// Syncs a file now and then, one sync at a time.
#[derive(Debug)]
pub(super) struct Writeback {
    file: Arc<File>,
    unsynced: AtomicUsize,
    syncing: Arc<AtomicBool>,
}

impl Writeback {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, unsynced: AtomicUsize::new(0), syncing: Arc::default() }
    }

    /// Counts bytes that were written. Must be called inside the runtime.
    pub(super) fn wrote(&self, bytes: usize) {
        if self.unsynced.fetch_add(bytes, Ordering::Relaxed) + bytes < EVERY
            || self.syncing.swap(true, Ordering::Acquire)
        {
            return;
        }
        self.unsynced.store(0, Ordering::Relaxed);
        let (file, syncing) = (Arc::clone(&self.file), Arc::clone(&self.syncing));
        tokio::task::spawn_blocking(move || {
            // A failure shows again in the last sync, which is the one that counts.
            let _ = file.sync_data();
            syncing.store(false, Ordering::Release);
        });
    }
}
