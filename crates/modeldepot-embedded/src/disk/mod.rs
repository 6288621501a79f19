//! The data folder: its format file, its lock, and the files that hold bytes.
//!
//! ```text
//! lock        held while a process serves the folder
//! format      one line, names the layout
//! index.redb  everything but bytes
//! reserve     zeros; freed when the disk is full
//! blobs/3f/3f0c…   bytes, one file per id, 256 folders by the first byte
//! ```
//!
//! A blob is written under its final name and is unreferenced until a transaction refers to it, so nothing needs to be
//! renamed. Unreferenced blobs are removed when the folder is opened.

mod blob;
pub(crate) mod coding;
pub(crate) mod room;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::private;

pub(crate) use self::blob::BlobId;
use self::room::Room;

const FORMAT: &str = "modeldepot-embedded 1";

/// The format of a folder with features that earlier builds do not know: versions, compressed files. Earlier builds
/// refuse to open it.
const LATER: &str = "modeldepot-embedded 2";

/// An open, locked data folder.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    /// Holds the lock until it is dropped.
    _lock: File,
    pins: Mutex<Pins>,
    pub(crate) room: Arc<Room>,
    /// Whether new files are compressed where it pays.
    pub(crate) compress: bool,
}

/// Files being read. If a pinned file is removed, it is deleted when its last reader finishes.
#[derive(Debug, Default)]
struct Pins {
    readers: HashMap<BlobId, usize>,
    doomed: HashSet<BlobId>,
}

impl Disk {
    /// Opens a data folder, or creates one in a missing or empty folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        private::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
        let mut others = false;
        let mut marked = false;
        for entry in fs::read_dir(folder).map_err(Error::io("read folder", folder))? {
            let entry = entry.map_err(Error::io("read folder", folder))?;
            match entry.file_name().to_str() {
                Some("format") => marked = true,
                // Left by a crash while the folder was created, or present in every new file system.
                Some("lock" | "format.new" | "lost+found") => {}
                _ => others = true,
            }
        }
        if others && !marked {
            return Err(Error::NotADataFolder { folder: folder.to_owned() });
        }
        // The folder is a data folder by now, or is about to become one.
        private::tighten(folder).map_err(Error::io("read", folder))?;
        let lock = lock(folder)?;
        let format = folder.join("format");
        if marked {
            let found = fs::read_to_string(&format).map_err(Error::io("read", &format))?;
            if ![FORMAT, LATER].contains(&found.trim_end()) {
                let found = found.lines().next().unwrap_or_default().chars().take(80).collect();
                return Err(Error::Format { folder: folder.to_owned(), found, supported: LATER });
            }
        }
        let disk = Self {
            folder: folder.to_owned(),
            _lock: lock,
            pins: Mutex::default(),
            room: Arc::new(Room::new(folder)),
            compress: false,
        };
        private::create_dir_all(&disk.blobs()).map_err(Error::io("create folder", &disk.blobs()))?;
        for first in 0..=u8::MAX {
            let fan = disk.blobs().join(format!("{first:02x}"));
            private::create_dir_all(&fan).map_err(Error::io("create folder", &fan))?;
        }
        if !marked {
            sync(&disk.blobs())?;
            disk.write_format(FORMAT)?;
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync(parent)?;
            }
        }
        disk.create_index()?;
        // A full disk must not keep the server from starting: existing objects can still be read and deleted.
        if let Err(error) = disk.room.ensure() {
            tracing::warn!(folder = %folder.display(), %error, "no space for the reserve file");
        }
        // Created by earlier builds. The folder is private, and copies of its files should be as well.
        for path in [folder.join("lock"), format, disk.index(), disk.blobs()] {
            private::tighten(&path).map_err(Error::io("read", &path))?;
        }
        Ok(disk)
    }

    /// Raises the format of the folder before it holds anything that earlier builds do not know.
    pub(crate) fn raise_format(&self) -> Result<(), Error> {
        let format = self.folder.join("format");
        let found = fs::read_to_string(&format).map_err(Error::io("read", &format))?;
        if found.trim_end() == LATER { Ok(()) } else { self.write_format(LATER) }
    }

    /// Writes the format file atomically.
    fn write_format(&self, name: &str) -> Result<(), Error> {
        let fresh = self.folder.join("format.new");
        let mut options = private::options();
        let file = options.write(true).create(true).truncate(true).open(&fresh);
        // Synced through the handle that wrote it: Windows cannot sync a read-only handle.
        file.and_then(|mut file| writeln!(file, "{name}").and_then(|()| file.sync_all()))
            .map_err(Error::io("write", &fresh))?;
        fs::rename(&fresh, self.folder.join("format")).map_err(Error::io("rename", &fresh))?;
        self.sync_folder()
    }

    /// Creates an empty index file, readable by its owner only.
    fn create_index(&self) -> Result<(), Error> {
        let path = self.index();
        match private::options().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::io("create", &path)(error)),
            _ => Ok(()),
        }
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.folder.join("index.redb")
    }

    /// Makes the names of the files in the folder durable.
    pub(crate) fn sync_folder(&self) -> Result<(), Error> {
        sync(&self.folder)
    }

    /// Returns whether there are any blobs.
    pub(crate) fn has_blobs(&self) -> Result<bool, Error> {
        for first in 0..=u8::MAX {
            let fan = self.blobs().join(format!("{first:02x}"));
            if fs::read_dir(&fan).map_err(Error::io("read folder", &fan))?.next().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    fn fan(&self, id: BlobId) -> PathBuf {
        self.blobs().join(format!("{:02x}", (id.0 >> 120) as u8))
    }

    pub(crate) fn path(&self, id: BlobId) -> PathBuf {
        self.fan(id).join(id.to_string())
    }

    /// Creates a new file, which is removed again unless it is kept.
    pub(crate) fn create(self: &Arc<Self>) -> io::Result<(Staged, File)> {
        let id = BlobId::random();
        let file = private::options().write(true).create_new(true).open(self.path(id))?;
        Ok((Staged { disk: Arc::clone(self), id, kept: false }, file))
    }

    /// Runs a lookup and pins the files it returns: they are not removed until the pin is dropped.
    ///
    /// [`Disk::remove`] cannot run between the lookup and the pinning, and a file is only removed after the transaction
    /// that dropped it. So a lookup either pins the file or no longer finds it.
    pub(crate) fn pinned<T, E>(
        self: &Arc<Self>,
        lookup: impl FnOnce() -> Result<(T, Vec<BlobId>), E>,
    ) -> Result<(T, Pin), E> {
        let mut pins = self.pins();
        let (found, blobs) = lookup()?;
        for blob in &blobs {
            *pins.readers.entry(*blob).or_default() += 1;
        }
        drop(pins);
        Ok((found, Pin { disk: Arc::clone(self), blobs }))
    }

    /// Removes files that are no longer referenced. Those that cannot be removed are left to the next start.
    pub(crate) fn remove(&self, ids: &[BlobId]) {
        let free: Vec<_> = {
            let mut pins = self.pins();
            let Pins { readers, doomed } = &mut *pins;
            let (read, free): (Vec<BlobId>, Vec<BlobId>) = ids.iter().partition(|id| readers.contains_key(*id));
            doomed.extend(read);
            free
        };
        free.into_iter().for_each(|id| self.unlink(id));
    }

    fn unpin(&self, ids: &[BlobId]) {
        let free: Vec<_> = {
            let mut pins = self.pins();
            let Pins { readers, doomed } = &mut *pins;
            ids.iter()
                .copied()
                .filter(|id| {
                    let Some(count) = readers.get_mut(id) else { return false };
                    *count -= 1;
                    *count == 0 && {
                        readers.remove(id);
                        doomed.remove(id)
                    }
                })
                .collect()
        };
        free.into_iter().for_each(|id| self.unlink(id));
    }

    fn unlink(&self, id: BlobId) {
        if let Err(error) = fs::remove_file(self.path(id)) {
            tracing::warn!(blob = %id, %error, "cannot remove a file that is no longer needed");
        }
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        // Nothing between changes to the two sets can panic, so the data under a poisoned lock is sound.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes every file that the index does not refer to. Returns how many were removed, and which files remain.
    pub(crate) fn sweep(&self, known: &HashSet<BlobId>) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for first in 0..=u8::MAX {
            let fan = self.blobs().join(format!("{first:02x}"));
            for entry in fs::read_dir(&fan).map_err(Error::io("read folder", &fan))? {
                let path = entry.map_err(Error::io("read folder", &fan))?.path();
                let id = path.file_name().and_then(|name| name.to_str()).and_then(BlobId::parse);
                match id {
                    // Not created by this server, so not removed.
                    None => tracing::warn!(path = %path.display(), "unknown file in the data folder"),
                    Some(id) if known.contains(&id) => swept.present += 1,
                    Some(_) => {
                        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
                        swept.removed += 1;
                    }
                }
            }
        }
        Ok(swept)
    }
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) removed: usize,
    pub(crate) present: usize,
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let file =
        private::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

fn sync(folder: &Path) -> Result<(), Error> {
    private::sync_folder(folder).map_err(Error::io("sync", folder))
}

/// A new file that no transaction refers to yet.
#[derive(Debug)]
pub(crate) struct Staged {
    disk: Arc<Disk>,
    id: BlobId,
    kept: bool,
}

impl Staged {
    pub(crate) fn id(&self) -> BlobId {
        self.id
    }

    /// Makes the file's bytes and name durable.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()?;
        private::sync_folder(&self.disk.fan(self.id))
    }

    /// Keeps the file: a transaction refers to it, or may.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            self.disk.unlink(self.id);
        }
    }
}

/// Keeps files from being removed while it exists.
#[derive(Debug)]
pub(crate) struct Pin {
    disk: Arc<Disk>,
    blobs: Vec<BlobId>,
}

impl Pin {
    pub(crate) fn open(&self, id: BlobId) -> io::Result<File> {
        File::open(self.disk.path(id))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.disk.unpin(&self.blobs);
    }
}
