//! The private staging folder of one service.
//!
//! Several services may have theirs side by side. Each holds a lock while it runs; a folder whose lock is free was left
//! by a killed service and is removed when the next one starts. Nothing else is touched.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The prefix of the folders' names and of their lock files, which end with [`LOCK`].
const SERVICE: &str = "modeldepot-service-";
const LOCK: &str = ".lock";

/// The folder of a running service, removed when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: PathBuf,
    /// Held while the service runs.
    _held: File,
}

impl Folder {
    /// Creates a folder under this one, and removes those left by killed services.
    pub(super) fn open(under: &Path) -> io::Result<Folder> {
        make_private(under, true)?;
        let folder = loop {
            let name = format!("{SERVICE}{}", Uuid::new_v4().simple());
            let (path, lock) = (under.join(&name), under.join(name + LOCK));
            let held = File::options().write(true).create_new(true).open(&lock)?;
            // Another service that starts at the same time may remove it before it is locked.
            if held.try_lock().is_ok() && lock.try_exists()? {
                break Folder { path, lock, _held: held };
            }
        };
        refuse_unsafe(&fs::metadata(under)?, &fs::metadata(&folder.lock)?)?;
        make_private(&folder.path, false)?;
        folder.sweep(under);
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the free bytes of its disk, if known.
    pub(super) fn free(&self) -> Option<u64> {
        #[cfg(unix)]
        {
            let disk = rustix::fs::statvfs(&self.path).ok()?;
            Some(disk.f_bavail.saturating_mul(disk.f_frsize))
        }
        #[cfg(not(unix))]
        None
    }

    /// Removes the folders whose locks are free. Logs those that cannot be removed.
    fn sweep(&self, under: &Path) {
        let entries = fs::read_dir(under).into_iter().flatten().flatten();
        for lock in entries.map(|entry| entry.path()).filter(|path| *path != self.lock) {
            let name = lock.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(LOCK));
            let Some(name) = name.filter(|name| is_ours(name)) else { continue };
            match self.remove_left(&lock, &under.join(name)) {
                Ok(true) => tracing::info!(folder = name, "removed staged uploads of a service that was killed"),
                Ok(false) => {}
                Err(error) => tracing::warn!(folder = name, %error, "cannot remove leftover staged uploads"),
            }
        }
    }

    /// Removes a folder and its lock, unless its service is running.
    fn remove_left(&self, lock: &Path, folder: &Path) -> io::Result<bool> {
        let found = fs::symlink_metadata(lock)?;
        if !found.is_file() || !same_owner(&found, &fs::metadata(&self.lock)?) {
            return Ok(false);
        }
        let held = File::options().write(true).open(lock)?;
        if held.try_lock().is_err() {
            return Ok(false);
        }
        match fs::symlink_metadata(folder) {
            Ok(found) if found.is_dir() && same_owner(&found, &fs::metadata(&self.lock)?) => {
                fs::remove_dir_all(folder)?
            }
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::remove_file(lock)?;
        Ok(true)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // If this fails, the next service removes the rest.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(&self.lock);
    }
}

/// Returns true for the name of a service's folder.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(SERVICE).is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Creates a folder that only its owner can use. With `parents`, missing parents are created as well, and it may exist.
fn make_private(path: &Path, parents: bool) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(parents);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Refuses a parent folder in which other users could replace ours.
#[cfg(unix)]
fn refuse_unsafe(under: &Metadata, own: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (others_write, sticky) = (under.mode() & 0o002 != 0, under.mode() & 0o1000 != 0);
    if ![own.uid(), 0].contains(&under.uid()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    if others_write && !sticky {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "every user may rename what is in it"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_unsafe(_: &Metadata, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn same_owner(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    a.uid() == b.uid()
}

#[cfg(not(unix))]
fn same_owner(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(under: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(under).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Creates the folder and lock of a killed service.
    fn left(under: &Path, id: char) -> String {
        let name = format!("{SERVICE}{}", id.to_string().repeat(32));
        fs::create_dir_all(under.join(&name).join("upload-x")).unwrap();
        fs::write(under.join(&name).join("upload-x/0"), "weights").unwrap();
        fs::write(under.join(name.clone() + LOCK), "").unwrap();
        name
    }

    #[test]
    fn what_a_killed_service_left_is_removed_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let under = temp.path().join("staging");
        let live = Folder::open(&under).unwrap();
        fs::write(live.path().join("upload"), "x").unwrap();
        left(&under, 'a');
        let elsewhere = temp.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("precious"), "x").unwrap();
        // None of these was left by a service.
        fs::create_dir(under.join(format!("{SERVICE}{}", "b".repeat(32)))).unwrap();
        fs::write(under.join(format!("{SERVICE}notes{LOCK}")), "x").unwrap();
        fs::create_dir(under.join("notes")).unwrap();
        #[cfg(unix)]
        {
            let name = format!("{SERVICE}{}", "c".repeat(32));
            std::os::unix::fs::symlink(&elsewhere, under.join(&name)).unwrap();
            fs::write(under.join(name + LOCK), "").unwrap();
        }
        let before = names(&under);
        let next = Folder::open(&under).unwrap();
        assert!(live.path().join("upload").exists(), "its service runs");
        assert!(elsewhere.join("precious").exists(), "no link is followed");
        let gone: Vec<_> = before.iter().filter(|name| !names(&under).contains(name)).cloned().collect();
        let name = format!("{SERVICE}{}", "a".repeat(32));
        assert_eq!(gone, [name.clone(), name + LOCK]);
        drop((live, next));
        assert!(names(&under).iter().all(|name| before.contains(name)), "each removes its own");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_look_into_it_or_put_another_in_its_place() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let under = temp.path().join("a/staging");
        let folder = Folder::open(&under).unwrap();
        assert_eq!((mode(&under), mode(folder.path())), (0o700, 0o700));
        for (bits, safe) in [(0o755, true), (0o1777, true), (0o777, false)] {
            fs::set_permissions(&under, fs::Permissions::from_mode(bits)).unwrap();
            let opened = Folder::open(&under);
            assert_eq!(opened.is_ok(), safe, "{bits:o}: {opened:?}");
            if let Ok(opened) = opened {
                assert_eq!(mode(opened.path()), 0o700);
            }
        }
    }
}
