//! Files on this machine: the one way to write one, resolved inside its folder.
//!
//! A file appears under its name only when it is complete. What is staged and not put in place goes with its value.

#[cfg(unix)]
mod access;
mod atomic_file;
#[cfg(unix)]
#[path = "dir_unix.rs"]
mod dir;
#[cfg(windows)]
#[path = "dir_windows.rs"]
mod dir;
mod folder;
#[cfg(test)]
pub(crate) mod fuse;
mod staging;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use crate::error::SourceError;
pub(crate) use crate::model::name::OWN;

pub(crate) use atomic_file::stage_file;
use dir::reserve;
pub(crate) use dir::{read_at, write_at};
pub(crate) use folder::{Folder, Seen, Stamp};
pub(crate) use staging::{Staged, Staging, sweep_complete};

/// What lies under a name. Links are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) stamp: Stamp,
}

/// What kind of thing lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe, a socket or a device. Opening one may hang, or do something.
    Special,
}

/// Opens a file to read. What another program put under its name since it was looked at may be a pipe, and opening
/// that never waits: the caller checks what was opened.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
    }
    #[cfg(not(unix))]
    File::open(path)
}

/// Opens a regular file to read it. If it was found before, it must still be that one: in a folder that others may
/// write to, its name may have become a link to something else.
pub(crate) fn open_found(path: &Path, stamp: Option<Stamp>) -> Result<(File, Metadata), SourceError> {
    let owned = || path.to_owned();
    let file = open_to_read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: owned() },
        _ => SourceError::Unreadable { path: owned(), source },
    })?;
    let found = file.metadata().map_err(|source| SourceError::Unreadable { path: owned(), source })?;
    match stamp {
        _ if found.is_dir() => Err(SourceError::Folder { path: owned() }),
        _ if !found.is_file() => Err(SourceError::NotAFile { path: owned() }),
        Some(stamp) if stamp != Stamp::of_metadata(&found) => Err(SourceError::Changed { path: owned() }),
        _ => Ok((file, found)),
    }
}

/// Lets everybody run the file who may read it, as the process's umask has it. The one place that sets a mode.
pub(crate) fn make_executable(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata()?.permissions().mode();
        let wanted = mode | ((mode & 0o444) >> 2);
        if wanted != mode {
            file.set_permissions(std::fs::Permissions::from_mode(wanted))?;
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Makes the bytes of a file durable.
fn sync(file: &File) -> io::Result<()> {
    #[cfg(all(test, unix))]
    fuse::synced(file);
    file.sync_all()
}

/// Returns a hidden name that nothing else has.
fn fresh_name() -> String {
    format!("{OWN}-{}.part", uuid::Uuid::new_v4().simple())
}
