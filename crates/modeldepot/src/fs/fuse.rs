//! A death at any step, for tests: after so many changes of the disk every further one fails, also those that would clean
//! up, as if the process had been killed.

use std::cell::Cell;
use std::io;

thread_local! {
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
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
