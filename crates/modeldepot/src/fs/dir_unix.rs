//! A folder by its handle, on Unix. Names are resolved in the folder that was opened, one segment at a time, and no link
//! is followed: what others rename meanwhile leads nowhere else.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::access::Access;
use super::{Entry, Kind};

/// An open folder.
#[derive(Debug)]
pub(super) struct Dir(File);

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Returns the stamp of a file that was looked at or opened.
    pub(crate) fn of_metadata(found: &Metadata) -> Stamp {
        Stamp {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }

    #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
    fn of(stat: &Stat) -> Stamp {
        Stamp {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        }
    }
}

impl Dir {
    /// Opens a folder that the user named. Links in its path are the user's own.
    pub(super) fn open(path: &Path) -> io::Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Dir(File::from(rustix::fs::open(path, flags, Mode::empty())?)))
    }

    #[cfg(test)]
    pub(super) fn handle(&self) -> OwnedFd {
        self.0.try_clone().expect("a handle can be had twice").into()
    }

    fn open_at(&self, name: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(rustix::fs::openat(&self.0, &*spelled(&self.0, name), flags, mode)?)
    }

    /// Opens a folder in this one.
    pub(super) fn enter(&self, name: &str) -> io::Result<Dir> {
        Ok(Dir(File::from(self.open_at(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)))
    }

    /// Makes a folder in this one. With `private`, nobody else may look into it.
    pub(super) fn make(&self, name: &str, private: bool) -> io::Result<()> {
        change()?;
        let mode = if private { 0o700 } else { 0o777 };
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode))?)
    }

    /// Creates a file that was not there. An ordinary one: the process's umask decides who may read it.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        change()?;
        Ok(File::from(self.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(0o666))?))
    }

    /// Opens a file that is there, if it is a regular one. Anything else is not opened: that alone may hang.
    pub(super) fn open_file(&self, name: &str, write: bool) -> io::Result<File> {
        let is_regular = |kind: Kind| match kind {
            Kind::File => Ok(()),
            _ => Err(io::Error::other("it is not a regular file")),
        };
        is_regular(self.look(name)?.ok_or(io::ErrorKind::NotFound)?.kind)?;
        let flags = if write { OFlags::RDWR } else { OFlags::RDONLY };
        let file = File::from(self.open_at(name, flags, Mode::empty())?);
        // Somebody may have put another thing there in between, which opened without waiting.
        is_regular(if file.metadata()?.is_file() { Kind::File } else { Kind::Special })?;
        Ok(file)
    }

    /// Returns what is under a name.
    pub(super) fn look(&self, name: &str) -> io::Result<Option<Entry>> {
        let stat = match rustix::fs::statat(&self.0, &*spelled(&self.0, name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        };
        let stamp = Stamp::of(&stat);
        Ok(Some(Entry { kind, size: stamp.size, stamp }))
    }

    /// Gives a file another name, here or in another folder. Without `replace`, only if nothing has it.
    pub(super) fn rename(&self, name: &str, to: &Dir, new: &str, replace: bool) -> io::Result<()> {
        change()?;
        let new = &*spelled(&to.0, new);
        #[cfg(test)]
        super::fuse::renamed(new);
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        if !replace {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.0, name, &to.0, new, RenameFlags::NOREPLACE) {
                // Not every file system knows how.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
                result => return Ok(result?),
            }
        }
        if !replace && to.look(new)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(rustix::fs::renameat(&self.0, name, &to.0, new)?)
    }

    pub(super) fn remove_file(&self, name: &str) -> io::Result<()> {
        change()?;
        Ok(rustix::fs::unlinkat(&self.0, &*spelled(&self.0, name), AtFlags::empty())?)
    }

    /// Removes a folder, which must be empty.
    pub(super) fn remove_folder(&self, name: &str) -> io::Result<()> {
        change()?;
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Returns the names in this folder that are UTF-8.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let entries = rustix::fs::Dir::read_from(&self.0)?.filter_map(|entry| {
            entry.ok()?.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")).map(str::to_owned)
        });
        Ok(entries.collect())
    }

    /// Returns all names in this folder; none when one is not UTF-8.
    pub(super) fn all_names(&self) -> io::Result<Option<Vec<String>>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            match entry?.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) => names.push(name.to_owned()),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(names))
    }

    /// Makes renames in this folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        super::sync(&self.0)
    }

    /// Makes all that was written to the folder's file system durable: for many files one long wait and not many.
    pub(super) fn sync_all_files(&self) -> io::Result<bool> {
        #[cfg(all(test, target_os = "linux"))]
        super::fuse::synced_all();
        #[cfg(target_os = "linux")]
        return Ok(rustix::fs::syncfs(&self.0).map(|()| true)?);
        #[cfg(not(target_os = "linux"))]
        Ok(false)
    }

    /// Returns true when no other process has this folder locked, which this one then has until the folder is closed.
    pub(super) fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns true when this is the folder that `parent` has under a name now.
    pub(super) fn is_at(&self, parent: &Dir, name: &str) -> bool {
        let here = rustix::fs::fstat(&self.0).map(|stat| Stamp::of(&stat));
        match (here, parent.look(name)) {
            (Ok(here), Ok(Some(there))) => (here.device, here.inode) == (there.stamp.device, there.stamp.inode),
            _ => false,
        }
    }

    /// Returns true when nobody but this process's user may put anything into the folder.
    pub(super) fn is_ours(&self) -> bool {
        self.0.metadata().is_ok_and(|found| Access::of(&found).is_of(us()))
    }

    /// Returns true when a file in this folder is this process's user's alone: its own, under no other name, and written
    /// to by nobody else.
    pub(super) fn owns(&self, file: &File) -> bool {
        let (Ok(folder), Ok(found)) = (self.0.metadata(), file.metadata()) else { return false };
        Access::of(&folder).owns(Access::of(&found), us())
    }

    /// Returns true when only those can have put a file into this folder, and written to it, who have the say in it.
    pub(super) fn trusts(&self, file: &File) -> bool {
        let (Ok(folder), Ok(found)) = (self.0.metadata(), file.metadata()) else { return false };
        Access::of(&folder).trusts(Access::of(&found), us())
    }

    /// Returns the bytes that are free for this process's user, where the file system tells.
    pub(super) fn free(&self) -> Option<u64> {
        let found = rustix::fs::fstatvfs(&self.0).ok().filter(|found| found.f_blocks != 0)?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// Reads exactly `bytes` from `offset`, wherever others write at the same time.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes `bytes` at `offset`, wherever others write at the same time.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Takes the space now: a full disk should be known before the first byte is fetched, not after the last.
pub(super) fn reserve(file: &File, size: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        if size == 0 {
            return Ok(());
        }
        match fallocate(file, FallocateFlags::empty(), 0, size) {
            // Not every file system can reserve.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(size),
            result => Ok(result?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    file.set_len(size)
}

/// Returns the name that a folder has for a name: the same, but in tests of file systems that fold case.
fn spelled<'a>(dir: &File, name: &'a str) -> Cow<'a, str> {
    #[cfg(test)]
    if super::fuse::folds()
        && let Ok(mut entries) = rustix::fs::Dir::read_from(dir)
        && let Some(found) = entries.find_map(|entry| {
            let found = entry.ok()?.file_name().to_str().ok()?.to_owned();
            found.eq_ignore_ascii_case(name).then_some(found)
        })
    {
        return Cow::Owned(found);
    }
    let _ = dir;
    Cow::Borrowed(name)
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Comes before each change of the disk.
fn change() -> io::Result<()> {
    #[cfg(test)]
    super::fuse::change()?;
    Ok(())
}
