//! A death at any step, for tests: after so many changes of the disk every further one fails, also those that would clean
//! up, as if the process had been killed. And a file system that takes names in any case.

use std::cell::Cell;
use std::io;

thread_local! {
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static FOLDS: Cell<bool> = const { Cell::new(false) };
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

/// Sets whether names that differ only in case refer to the same file.
#[cfg(unix)]
pub(crate) fn fold(folds: bool) {
    FOLDS.set(folds);
}

#[cfg(unix)]
pub(super) fn folds() -> bool {
    FOLDS.get()
}
