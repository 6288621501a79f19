//! Disk space: a reserve that keeps deletes possible on a full disk, and log messages when the disk is full.
//!
//! Deleting frees bytes, but the index must record it first, which takes a little space itself. So the data folder
//! holds a file of a few mebibytes whose only purpose is to be shortened at that moment. New objects are refused until
//! it has its size again.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::private;

/// Space that the index can still use when the disk is full.
const RESERVE: u64 = 4 << 20;

/// How much of the reserve is freed at once: what the index does not use, other programs may take.
const STEP: u64 = 1 << 20;

/// Space left for the index and other programs when checking whether a body fits.
const MARGIN: u64 = 1 << 20;

/// The disk space of a data folder.
#[derive(Debug)]
pub(crate) struct Room {
    folder: PathBuf,
    /// The present size of the reserve.
    reserve: Mutex<u64>,
    /// Whether the last message about the disk said that it is full.
    full: AtomicBool,
}

impl Room {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), reserve: Mutex::new(0), full: AtomicBool::new(false) }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("reserve")
    }

    /// Ensures that the reserve is complete and that there is a little more space, so that a new object does not take
    /// it. Without room for that there is no room for a new object either.
    pub(crate) fn ensure(&self) -> io::Result<()> {
        self.refill()?;
        if self.fits(0) { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// Restores the reserve to its full size.
    pub(crate) fn refill(&self) -> io::Result<()> {
        let mut there = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        if *there >= RESERVE {
            return Ok(());
        }
        let path = self.path();
        *there = path.metadata().map_or(0, |found| found.len());
        if *there < RESERVE {
            if let Err(error) = allocate(&path, *there) {
                let _ = cut(&path, *there);
                return Err(error);
            }
            *there = RESERVE;
        }
        Ok(())
    }

    /// Frees a piece of the reserve. Returns whether there was any left.
    pub(crate) fn spend(&self) -> bool {
        let mut there = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path();
        let found = path.metadata().map_or(0, |found| found.len());
        *there = found.saturating_sub(STEP);
        found > 0 && cut(&path, *there).is_ok()
    }

    /// Returns whether this many bytes will fit, as far as the system can tell.
    pub(crate) fn fits(&self, len: u64) -> bool {
        free(&self.folder).is_none_or(|free| len.saturating_add(MARGIN) <= free)
    }

    /// Logs that the disk is full, once until there is room again.
    pub(crate) fn note_full(&self) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!(
                folder = %self.folder.display(),
                "the disk is full: new objects are refused until there is room; reads and deletes work"
            );
        }
    }

    /// Logs that there is room again, if a message said that the disk is full.
    pub(crate) fn note_room(&self) {
        if self.full.load(Ordering::Relaxed) && self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(folder = %self.folder.display(), "there is room on the disk again");
        }
    }
}

/// Returns how many bytes may still be written to the folder's file system; `None` if the system does not say.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Shortens the reserve.
fn cut(path: &Path, len: u64) -> io::Result<()> {
    if len == 0 { fs::remove_file(path) } else { private::options().write(true).open(path)?.set_len(len) }
}

/// Extends the reserve to its full size from `there` bytes.
fn allocate(path: &Path, there: u64) -> io::Result<()> {
    let file = private::options().write(true).create(true).truncate(false).open(path)?;
    #[cfg(target_os = "linux")]
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE) {
        Ok(()) => return Ok(()),
        // The file system does not support it.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    write_zeros(&file, there)
}

fn write_zeros(mut file: &File, there: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(there))?;
    io::copy(&mut io::repeat(0).take(RESERVE.saturating_sub(there)), &mut file)?;
    Ok(())
}

/// Returns whether an error or its cause is a full disk or an exceeded quota.
pub(crate) fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = match error.downcast_ref::<io::Error>() {
            Some(io) => Some(io),
            // Errors of the index do not expose their source.
            None => match (error.downcast_ref(), error.downcast_ref(), error.downcast_ref(), error.downcast_ref()) {
                (Some(redb::StorageError::Io(io)), ..)
                | (_, Some(redb::CommitError::Storage(redb::StorageError::Io(io))), ..)
                | (.., Some(redb::TableError::Storage(redb::StorageError::Io(io))), _)
                | (.., Some(redb::TransactionError::Storage(redb::StorageError::Io(io)))) => Some(io),
                _ => None,
            },
        };
        if io.is_some_and(|io| matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The index file. A write that finds no space takes it from the reserve: after a single failed access, the index
/// refuses all others until it is reopened.
#[derive(Debug)]
pub(crate) struct Roomy {
    file: FileBackend,
    room: Arc<Room>,
    /// Whether an access failed.
    failed: Arc<AtomicBool>,
}

impl Roomy {
    pub(crate) fn new(file: File, room: Arc<Room>, failed: Arc<AtomicBool>) -> Result<Self, redb::DatabaseError> {
        Ok(Self { file: FileBackend::new(file)?, room, failed })
    }

    fn access<T>(&self, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::Error::other("an earlier access to the index failed"));
        }
        let mut done = work();
        while done.as_ref().is_err_and(|error| is_full(error)) && self.room.spend() {
            self.room.note_full();
            done = work();
        }
        if done.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        done
    }
}

impl StorageBackend for Roomy {
    fn len(&self) -> io::Result<u64> {
        self.access(|| self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        // Not through `access`: the buffer can only be borrowed for one attempt.
        let done = self.file.read(offset, out);
        if done.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        done
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.access(|| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.access(|| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.access(|| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_told_from_other_errors() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(is_full(&full()) && is_full(&io::Error::from(io::ErrorKind::QuotaExceeded)));
        assert!(is_full(&redb::StorageError::Io(full())));
        assert!(is_full(&redb::CommitError::Storage(redb::StorageError::Io(full()))));
        assert!(is_full(&redb::TransactionError::from(redb::StorageError::Io(full()))));
        assert!(is_full(&redb::TableError::Storage(redb::StorageError::Io(full()))));
        assert!(!is_full(&io::Error::from(io::ErrorKind::PermissionDenied)));
        assert!(!is_full(&redb::StorageError::PreviousIo));
    }

    #[test]
    fn the_reserve_is_made_given_up_and_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(folder.path());
        assert!(!room.spend());
        room.ensure().unwrap();
        assert_eq!(room.path().metadata().unwrap().len(), RESERVE);
        assert!(room.spend());
        assert_eq!(room.path().metadata().unwrap().len(), RESERVE - STEP);
        room.ensure().unwrap();
        assert_eq!(room.path().metadata().unwrap().len(), RESERVE);
        assert_eq!((0..9).filter(|_| room.spend()).count() as u64, RESERVE / STEP);
        assert!(!room.path().exists());
        room.ensure().unwrap();
        assert!(Room::new(folder.path()).ensure().is_ok(), "one of an earlier run counts");
        assert!(room.fits(0) && (!cfg!(unix) || !room.fits(u64::MAX)));
    }
}
