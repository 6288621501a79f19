//! Failures of this machine's file system.

use std::io;

use super::{Note, note};

/// Returns what to do about a failure of the file system.
pub fn disk(error: &io::Error) -> Option<Note> {
    Some(match error.kind() {
        io::ErrorKind::StorageFull => note!("free some space, or use another disk"),
        io::ErrorKind::QuotaExceeded => note!("free some of your quota, or use another disk"),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            note!("something else is in the way: move it, or use another folder")
        }
        io::ErrorKind::ReadOnlyFilesystem => note!("use a folder that can be written to"),
        io::ErrorKind::PermissionDenied => {
            note!("use a folder that you may write to, or change its permissions")
        }
        _ => return None,
    })
}
