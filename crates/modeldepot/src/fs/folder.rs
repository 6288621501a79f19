//! A folder that a version is put into. Nothing outside it is ever read or written, whatever a manifest or a symbolic
//! link inside it says.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::dir::Dir;
pub(crate) use super::dir::Stamp;
use super::{Kind, fresh_name};
use crate::error::{Error, Result};
use crate::model::name::ArtifactPath;

/// An open folder.
pub(crate) struct Folder {
    root: PathBuf,
    pub(super) dir: Dir,
    created: bool,
}

/// What lies at a path in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// Tells whether it is still the same.
        stamp: Stamp,
    },
    /// Something else.
    Other(Kind),
    /// What should be a folder on the way there is something else.
    Behind {
        /// The path of what is in the way.
        at: &'a str,
        /// What it is.
        kind: Kind,
    },
}

/// Removes the lock of a folder when it is dropped.
pub(crate) struct FolderLock(#[expect(dead_code, reason = "holds the lock")] Dir);

/// How often to look for the lock of another process that puts its files in place, which takes a few renames: about a
/// minute long.
const LOOKS: usize = 3000;

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(20);

impl Folder {
    /// Opens the folder, if it is there.
    pub(crate) fn find(root: &Path) -> Result<Option<Folder>> {
        match Dir::open(root) {
            Ok(dir) => Ok(Some(Folder { root: root.to_owned(), dir, created: false })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(Error::io("create the folder", root)(error))
            }
            Err(error) => Err(Error::io("open the folder", root)(error)),
        }
    }

    /// Opens the folder, or makes it.
    pub(crate) fn make(root: &Path) -> Result<Folder> {
        if let Some(folder) = Folder::find(root)? {
            return Ok(folder);
        }
        std::fs::create_dir_all(root).map_err(Error::io("create the folder", root))?;
        let dir = Dir::open(root).map_err(Error::io("open the folder", root))?;
        Ok(Folder { root: root.to_owned(), dir, created: true })
    }

    /// Takes the folder away again, if it was made for this pull and nothing is in it.
    pub(crate) fn abandon(&self) {
        if self.created {
            let _ = std::fs::remove_dir(&self.root);
        }
    }

    /// Returns the path of a file in the folder, to be shown.
    pub(crate) fn shown(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Returns the path of the folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the bytes that are free in the folder, where the file system tells.
    pub(crate) fn free(&self) -> Option<u64> {
        self.dir.free()
    }

    /// Waits until no other process puts files in place in this folder, and keeps others from it.
    pub(crate) fn lock(&self) -> Result<Option<FolderLock>> {
        self.lock_within(LOOKS)
    }

    fn lock_within(&self, looks: usize) -> Result<Option<FolderLock>> {
        let dir = Dir::open(&self.root).map_err(Error::io("open the folder", &self.root))?;
        for _ in 0..looks {
            match dir.try_lock() {
                Ok(true) => {
                    #[cfg(test)]
                    super::fuse::locked();
                    return Ok(Some(FolderLock(dir)));
                }
                Ok(false) => sleep(PAUSE),
                // Not every file system knows locks: then nobody has one.
                Err(_) => return Ok(None),
            }
        }
        Err(Error::folder_busy(&self.root))
    }

    /// Opens the folder of a file; the error says what is in the way.
    fn parent<'a>(&self, path: &'a str) -> io::Result<std::result::Result<(Option<Dir>, &'a str), Seen<'a>>> {
        let (mut dir, mut start) = (None::<Dir>, 0);
        while let Some(len) = path[start..].find('/') {
            let (name, end) = (&path[start..start + len], start + len);
            let here = dir.as_ref().unwrap_or(&self.dir);
            match here.look(name)?.map(|found| found.kind) {
                None => return Ok(Err(Seen::Absent)),
                Some(Kind::Folder) => dir = Some(here.enter(name)?),
                Some(kind) => return Ok(Err(Seen::Behind { at: &path[..end], kind })),
            }
            start = end + 1;
        }
        Ok(Ok((dir, &path[start..])))
    }

    /// Returns what lies at a path. Opens nothing but folders, and follows no link.
    pub(crate) fn look<'a>(&self, path: &'a str) -> Result<Seen<'a>> {
        let look = || -> io::Result<Seen<'a>> {
            let (dir, name) = match self.parent(path)? {
                Ok(found) => found,
                Err(seen) => return Ok(seen),
            };
            Ok(match dir.as_ref().unwrap_or(&self.dir).look(name)? {
                None => Seen::Absent,
                Some(found) if found.kind == Kind::File => Seen::File { size: found.size, stamp: found.stamp },
                Some(found) => Seen::Other(found.kind),
            })
        };
        look().map_err(Error::io("look at", self.shown(path)))
    }

    /// Returns true when two paths that differ in case or the like lead to one file, since the file system takes one
    /// spelling for the other.
    pub(crate) fn takes_for_one(&self, one: &str, other: &str) -> Result<bool> {
        for path in [one, other] {
            if !matches!(self.look(path)?, Seen::File { .. }) {
                return Ok(false);
            }
        }
        // Both lead to a file. There are two if both are spelled so.
        let spelled = |path: &str| -> io::Result<bool> {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for end in ends {
                let Ok((dir, name)) = self.parent(&path[..end])? else { return Ok(false) };
                if !dir.as_ref().unwrap_or(&self.dir).names()?.iter().any(|found| found == name) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let both = || Ok(spelled(one)? && spelled(other)?);
        both().map(|both| !both).map_err(Error::io("look at", self.shown(other)))
    }

    /// Opens the regular file at a path, to be read.
    pub(crate) fn open(&self, path: &str) -> io::Result<File> {
        match self.parent(path)? {
            Ok((dir, name)) => dir.as_ref().unwrap_or(&self.dir).open_file(name, false),
            Err(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Reads a small regular file in the folder itself, and returns whether only those can have written it who have the say
    /// in the folder; none when it is another thing, cannot be read, or is longer than `most`.
    pub(crate) fn read(&self, name: &str, most: u64) -> Option<(Vec<u8>, bool)> {
        let file = self.dir.open_file(name, false).ok()?;
        let (mut bytes, trusted) = (Vec::new(), self.dir.trusts(&file));
        file.take(most + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= most).then_some((bytes, trusted))
    }

    /// Gives a staged file its name. Without `replace`, only if nothing has it. Returns the folders to sync.
    pub(super) fn place(
        &self,
        from: &Dir,
        staged: &str,
        path: &ArtifactPath,
        replace: bool,
    ) -> Result<BTreeSet<String>> {
        let (dir, name, folders) = self.make_parents(path)?;
        let to = dir.as_ref().unwrap_or(&self.dir);
        from.rename(staged, to, name, replace).map_err(Error::io("write", self.shown(path.as_str())))?;
        Ok(folders)
    }

    /// Makes the folders on the way to a file, one by one, and follows no link.
    fn make_parents<'a>(&self, path: &'a ArtifactPath) -> Result<(Option<Dir>, &'a str, BTreeSet<String>)> {
        let (text, mut dir, mut start) = (path.as_str(), None::<Dir>, 0);
        let mut folders = BTreeSet::from([String::new()]);
        while let Some(len) = text[start..].find('/') {
            let (name, at) = (&text[start..start + len], &text[..start + len]);
            let here = dir.as_ref().unwrap_or(&self.dir);
            match here.make(name, false) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("create the folder", self.shown(at))(error));
                }
                _ => {}
            }
            dir = Some(here.enter(name).map_err(|error| {
                let other = io::Error::new(io::ErrorKind::NotADirectory, "it is a link or a file, not a folder");
                let error = if error.kind() == io::ErrorKind::PermissionDenied { error } else { other };
                Error::io("use the folder", self.shown(at))(error)
            })?);
            folders.insert(at.to_owned());
            start += len + 1;
        }
        Ok((dir, &text[start..], folders))
    }

    /// Writes a small file into the folder itself, in place of what has its name. It is staged in `staging`, where a later
    /// pull clears it away if this process dies.
    pub(super) fn write_by(&self, staging: &Dir, name: &str, bytes: &[u8], sync: bool) -> Result<()> {
        let failed = Error::io("write", self.shown(name));
        let temp = fresh_name();
        let write = || -> io::Result<()> {
            let mut file = staging.create(&temp)?;
            file.write_all(bytes)?;
            if sync {
                super::sync(&file)?;
            }
            staging.rename(&temp, &self.dir, name, true)
        };
        write().map_err(|error| {
            let _ = staging.remove_file(&temp);
            failed(error)
        })
    }

    /// Removes a file. One that is not there is fine.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        let remove = || match self.parent(path)? {
            Ok((dir, name)) => dir.as_ref().unwrap_or(&self.dir).remove_file(name),
            Err(_) => Ok(()),
        };
        match remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", self.shown(path))(error)),
            _ => Ok(()),
        }
    }

    /// Returns what lies below a folder: its regular files, and its folders with itself, the innermost first. None when
    /// there is anything else, a name that is not UTF-8, or very much.
    pub(crate) fn below(&self, path: &str) -> io::Result<Option<(Vec<String>, Vec<String>)>> {
        const MOST: usize = 10_000;
        let (mut files, mut folders, mut next) = (Vec::new(), Vec::new(), vec![path.to_owned()]);
        while let Some(folder) = next.pop() {
            let dir = match self.parent(&folder)? {
                Ok((dir, name)) => dir.as_ref().unwrap_or(&self.dir).enter(name)?,
                Err(_) => return Ok(None),
            };
            let Some(names) = dir.all_names()? else { return Ok(None) };
            for name in names {
                let at = format!("{folder}/{name}");
                match dir.look(&name)?.map(|found| found.kind) {
                    Some(Kind::File) => files.push(at),
                    Some(Kind::Folder) => next.push(at),
                    _ => return Ok(None),
                }
            }
            folders.push(folder);
            if files.len() + folders.len() + next.len() > MOST {
                return Ok(None);
            }
        }
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        Ok(Some((files, folders)))
    }

    /// Removes a folder if it is empty.
    pub(crate) fn remove_folder(&self, path: &str) -> Result<()> {
        let remove = || match self.parent(path)? {
            Ok((dir, name)) => dir.as_ref().unwrap_or(&self.dir).remove_folder(name),
            Err(_) => Ok(()),
        };
        match remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", self.shown(path))(error)),
            _ => Ok(()),
        }
    }

    /// Removes the folders on the way to a path that are empty now, the innermost first.
    pub(crate) fn prune(&self, path: &str) {
        for (at, _) in path.rmatch_indices('/') {
            if let Ok(Ok((dir, name))) = self.parent(&path[..at]) {
                // One that is not empty stays, and with it those around it.
                let _ = dir.as_ref().unwrap_or(&self.dir).remove_folder(name);
            }
        }
    }

    /// Makes renames in folders durable; the empty path is this folder itself.
    pub(crate) fn sync(&self, folders: &BTreeSet<String>) -> Result<()> {
        for path in folders {
            let sync = || -> io::Result<()> {
                if path.is_empty() {
                    return self.dir.sync();
                }
                match self.parent(path)? {
                    Ok((dir, name)) => dir.as_ref().unwrap_or(&self.dir).enter(name)?.sync(),
                    Err(_) => Ok(()),
                }
            };
            sync().map_err(Error::io("sync", self.shown(path)))?;
        }
        Ok(())
    }
}
