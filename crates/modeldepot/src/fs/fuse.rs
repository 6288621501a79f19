//! A death at any step, for tests: after so many changes of the disk every further one fails, also those that would clean
//! up, as if the process had been killed. And a file system that takes names in any case, and notes of what was made
//! durable before what.

use std::cell::{Cell, RefCell};
#[cfg(unix)]
use std::fs::File;
use std::io;

thread_local! {
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static FOLDS: Cell<bool> = const { Cell::new(false) };
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    #[cfg(unix)]
    static NOTES: RefCell<Option<Vec<Note>>> = const { RefCell::new(None) };
}

/// A step that matters when the power fails.
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// The file or folder of this number was synced.
    Synced(u64),
    /// All files were.
    SyncedAll,
    /// Something got this name.
    Renamed(String),
}

/// Notes what this thread does from here on.
#[cfg(unix)]
pub(crate) fn note() {
    NOTES.set(Some(Vec::new()));
}

/// Returns what was noted.
#[cfg(unix)]
pub(crate) fn noted() -> Vec<Note> {
    NOTES.take().unwrap_or_default()
}

#[cfg(unix)]
fn done(what: impl FnOnce() -> Note) {
    NOTES.with_borrow_mut(|notes| {
        if let Some(notes) = notes {
            notes.push(what());
        }
    });
}

#[cfg(unix)]
pub(super) fn synced(file: &File) {
    done(|| Note::Synced(file.metadata().map_or(0, |found| std::os::unix::fs::MetadataExt::ino(&found))));
}

#[cfg(target_os = "linux")]
pub(super) fn synced_all() {
    done(|| Note::SyncedAll);
}

#[cfg(unix)]
pub(super) fn renamed(name: &str) {
    done(|| Note::Renamed(name.to_owned()));
}

/// Lets so many changes of this thread pass, and no more; none is no limit.
pub(crate) fn set(changes: Option<usize>) {
    LEFT.set(changes);
}

pub(super) fn change() -> io::Result<()> {
    match LEFT.get() {
        Some(0) => Err(io::Error::other("the process was killed")),
        left => {
            LEFT.set(left.map(|left| left - 1));
            Ok(())
        }
    }
}

/// What others do while this thread waits for the lock of a folder the next time.
pub(crate) fn meanwhile(what: impl FnOnce() + 'static) {
    MEANWHILE.set(Some(Box::new(what)));
}

pub(super) fn locked() {
    if let Some(what) = MEANWHILE.take() {
        what();
    }
}

/// Sets whether names that differ only in case refer to the same file.
#[cfg(unix)]
pub(crate) fn fold(folds: bool) {
    FOLDS.set(folds);
}

#[cfg(unix)]
pub(super) fn folds() -> bool {
    FOLDS.get()
}
