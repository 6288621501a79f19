//! A folder by its path, on Windows, where the standard library opens nothing relative to a handle. A link in the way is
//! refused by looking first.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Entry, Kind};

/// A folder.
#[derive(Debug)]
pub(super) struct Dir {
    path: PathBuf,
    lock: std::sync::Mutex<Option<File>>,
}

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Returns the stamp of a file that was looked at or opened. Stable Rust shows no number of the file here, so that
    /// another file of the same size and time is not told apart.
    pub(crate) fn of_metadata(found: &std::fs::Metadata) -> Stamp {
        Stamp { size: found.len(), modified: found.modified().ok() }
    }
}

/// Locks a folder in which only modeldepot works.
const LOCK: &str = "lock";

impl Dir {
    fn at(path: PathBuf) -> Dir {
        Dir { path, lock: std::sync::Mutex::new(None) }
    }

    pub(super) fn open(path: &Path) -> io::Result<Dir> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(Dir::at(path.to_owned())),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn enter(&self, name: &str) -> io::Result<Dir> {
        match self.look(name)?.ok_or(io::ErrorKind::NotFound)?.kind {
            Kind::Folder => Ok(Dir::at(self.path.join(name))),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn make(&self, name: &str, _private: bool) -> io::Result<()> {
        fs::create_dir(self.path.join(name))
    }

    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        fs::OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))
    }

    pub(super) fn open_file(&self, name: &str, write: bool) -> io::Result<File> {
        match self.look(name)?.ok_or(io::ErrorKind::NotFound)?.kind {
            Kind::File => fs::OpenOptions::new().read(true).write(write).open(self.path.join(name)),
            _ => Err(io::Error::other("it is not a regular file")),
        }
    }

    pub(super) fn look(&self, name: &str) -> io::Result<Option<Entry>> {
        let found = match fs::symlink_metadata(self.path.join(name)) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = match found.file_type() {
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Special,
        };
        let stamp = Stamp::of_metadata(&found);
        Ok(Some(Entry { kind, size: stamp.size, stamp }))
    }

    pub(super) fn rename(&self, name: &str, to: &Dir, new: &str, replace: bool) -> io::Result<()> {
        if !replace && to.look(new)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(self.path.join(name), to.path.join(new))
    }

    pub(super) fn remove_file(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    pub(super) fn remove_folder(&self, name: &str) -> io::Result<()> {
        if self.lock.lock().is_ok_and(|mut lock| lock.take().is_some()) {
            fs::remove_file(self.path.join(name).join(LOCK))?;
        }
        fs::remove_dir(self.path.join(name))
    }

    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| name != LOCK).collect())
    }

    /// Returns all names in this folder; none when one is not Unicode.
    pub(super) fn all_names(&self) -> io::Result<Option<Vec<String>>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            match entry?.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(names))
    }

    /// Windows has no such call, and needs none.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn sync_all_files(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// A folder cannot be locked here. One of our own is by a file in it, any other is not.
    pub(super) fn try_lock(&self) -> io::Result<bool> {
        if !self.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(super::OWN)) {
            return Ok(true);
        }
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(self.path.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {
                if let Ok(mut lock) = self.lock.lock() {
                    *lock = Some(file);
                }
                Ok(true)
            }
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn is_at(&self, _parent: &Dir, _name: &str) -> bool {
        self.path.is_dir()
    }

    /// Who may write is for the folder's access list to say, which files in it inherit.
    pub(super) fn is_ours(&self) -> bool {
        true
    }

    pub(super) fn owns(&self, _file: &File) -> bool {
        true
    }

    pub(super) fn trusts(&self, _file: &File) -> bool {
        true
    }

    pub(super) fn free(&self) -> Option<u64> {
        None
    }
}

/// Reads exactly `bytes` from `offset`, wherever others write at the same time.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let (mut bytes, mut offset) = (bytes, offset);
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (bytes, offset) = (&mut bytes[n..], offset + n as u64),
        }
    }
    Ok(())
}

/// Writes `bytes` at `offset`, wherever others write at the same time.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let (mut bytes, mut offset) = (bytes, offset);
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        (bytes, offset) = (&bytes[n..], offset + n as u64);
    }
    Ok(())
}

/// Takes the space now: a full disk should be known before the first byte is fetched, not after the last.
pub(super) fn reserve(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)
}
