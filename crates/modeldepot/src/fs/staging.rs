//! Where a pull keeps what it fetches until all of it is there: a hidden folder in the target folder, which nobody else
//! may write to.
//!
//! One that a pull left when it was cut off is found by the next. One that another process uses, or that another user
//! could have put something into, is left alone, and a new one of a name of its own is taken.

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dir::Dir;
use super::folder::Folder;
use super::{OWN, fresh_name, reserve, sync};
use crate::error::{Error, Result};
use crate::model::name::ArtifactPath;

/// The folder that a later pull finds again.
const SHARED: &str = "staging";

/// More files than this are synced with all else that their file system has to write.
const MANY: usize = 16;

/// An open staging folder.
pub(crate) struct Staging {
    folder: Arc<Folder>,
    dir: Dir,
    name: String,
    /// Whether what is not finished is of use to a later pull.
    keep: AtomicBool,
    resumes: bool,
}

/// A file in a staging folder, with its full length reserved.
pub(crate) struct Staged {
    staging: Arc<Staging>,
    name: String,
    /// None once it was closed.
    file: Option<Arc<File>>,
    /// What it is called in messages.
    shown: PathBuf,
    resumes: bool,
    begun: bool,
    landed: AtomicBool,
    placed: bool,
}

impl Staging {
    /// Opens the staging folder that an earlier pull left, or makes one.
    pub(crate) fn open(folder: Arc<Folder>, resume: bool) -> Result<Arc<Staging>> {
        let failed = Error::io("write a file in", folder.root());
        let shared = if resume { Self::shared(&folder.dir) } else { None };
        let found = shared.map_or_else(|| Self::fresh(&folder.dir), Ok);
        let (name, dir, resumes) = found.map_err(failed)?;
        Ok(Arc::new(Staging { folder, dir, name, keep: AtomicBool::new(resumes), resumes }))
    }

    fn shared(root: &Dir) -> Option<(String, Dir, bool)> {
        let name = format!("{OWN}-{SHARED}");
        // An earlier pull may have left it.
        let _ = root.make(&name, true);
        let dir = root.enter(&name).ok()?;
        // Its last user may have removed it between the two.
        let ours = dir.is_ours() && dir.try_lock().unwrap_or(false) && dir.is_at(root, &name);
        ours.then_some((name, dir, true))
    }

    fn fresh(root: &Dir) -> io::Result<(String, Dir, bool)> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let name = format!("{OWN}-{SHARED}-{}", uuid::Uuid::new_v4().simple());
            root.make(&name, true)?;
            // A pull that is done may have found it before it was locked, and swept it away.
            match root.enter(&name) {
                Ok(dir) => match dir.try_lock() {
                    Ok(false) => {}
                    // Where nobody can lock a folder, nobody sweeps.
                    Ok(true) | Err(_) if dir.is_at(root, &name) => return Ok((name, dir, false)),
                    Ok(true) | Err(_) => {}
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("other pulls remove each folder that is made for this one"))
    }

    /// Makes room for a file of `size` bytes. With a `name` for its content, what an earlier pull of the same brought is
    /// found again. With `reserve`, the space is taken at once.
    pub(crate) fn stage(
        self: &Arc<Self>,
        path: &ArtifactPath,
        size: u64,
        name: Option<String>,
        whole: bool,
    ) -> Result<Staged> {
        let shown = self.folder.shown(path.as_str());
        let failed = |error| Error::io("write a file in", self.folder.root())(error);
        let again = name.filter(|_| self.resumes).map(|name| format!("{name}.part"));
        let found = again.clone().and_then(|name| Some((self.dir.open_file(&name, true).ok()?, name)));
        let (file, name, resumes) = match (found.filter(|(file, _)| self.dir.owns(file)), again) {
            (Some((file, name)), _) => (file, name, true),
            (None, Some(name)) => match self.dir.create(&name) {
                Ok(file) => (file, name, true),
                // What has the name is not a file of our own.
                Err(_) => self.anonymous().map_err(failed)?,
            },
            (None, None) => self.anonymous().map_err(failed)?,
        };
        let begun = resumes && file.metadata().is_ok_and(|found| found.len() > 0);
        let file = Some(Arc::new(file));
        let landed = AtomicBool::new(false);
        let staging = Arc::clone(self);
        let staged = Staged { staging, name, file, shown, resumes, begun, landed, placed: false };
        let taken = if whole { reserve(&staged.file(), size) } else { staged.file().set_len(size) };
        taken.map_err(|error| {
            // It would be in the way on a disk that is full.
            self.keep_nothing();
            Error::io("reserve the space for", &staged.shown)(error)
        })?;
        Ok(staged)
    }

    fn anonymous(&self) -> io::Result<(File, String, bool)> {
        let name = fresh_name();
        Ok((self.dir.create(&name)?, name, false))
    }

    /// Lets nothing stay of files that are not finished: what they were to be is damaged.
    pub(crate) fn keep_nothing(&self) {
        self.keep.store(false, Ordering::Relaxed);
    }

    /// Returns the bytes that an earlier pull has reserved here.
    pub(crate) fn reserved(&self) -> u64 {
        let names = self.dir.names().unwrap_or_default();
        names.iter().filter_map(|name| Some(self.dir.look(name).ok()??.size)).sum()
    }

    /// Makes the bytes of files durable.
    pub(crate) fn sync<'a>(&self, files: impl ExactSizeIterator<Item = &'a Staged>) -> Result<()> {
        if files.len() > MANY && self.dir.sync_all_files().map_err(Error::io("sync", self.folder.root()))? {
            return Ok(());
        }
        for staged in files {
            let synced = match &staged.file {
                Some(file) => sync(file),
                None => self.dir.open_file(&staged.name, true).and_then(|file| sync(&file)),
            };
            synced.map_err(Error::io("sync", &staged.shown))?;
        }
        Ok(())
    }

    /// Writes a small file into the target folder itself, in place of what has its name.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], sync: bool) -> Result<()> {
        self.folder.write_by(&self.dir, name, bytes, sync)
    }

    /// Removes what earlier pulls left here, once a pull is done: it is of no more use. And the staging folders of their own
    /// that pulls side by side had and left when they were killed.
    pub(crate) fn sweep(&self) {
        clear(&self.dir);
        sweep(&self.folder.dir, &self.name);
    }
}

/// Removes what pulls that were killed left in a folder that is complete: it is of no more use. Writes nothing when there is
/// nothing.
pub(crate) fn sweep_complete(folder: &Folder) {
    sweep(&folder.dir, "");
}

/// Removes the staging folders that nobody uses, but for one.
fn sweep(root: &Dir, but: &str) {
    let shared = format!("{OWN}-{SHARED}");
    let is_staging =
        |name: &str| name.strip_prefix(&shared).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    for name in root.names().unwrap_or_default().iter().filter(|name| is_staging(name) && *name != but) {
        if let Ok(dir) = root.enter(name)
            && dir.is_ours()
            && dir.try_lock().unwrap_or(false)
            && dir.is_at(root, name)
        {
            clear(&dir);
            let _ = root.remove_folder(name);
        }
    }
}

fn clear(dir: &Dir) {
    for name in dir.names().unwrap_or_default() {
        let _ = dir.remove_file(&name);
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // It stays if anything is in it.
        let _ = self.folder.dir.remove_folder(&self.name);
        self.folder.abandon();
    }
}

impl Staged {
    /// Returns the open file, to write at offsets.
    ///
    /// # Panics
    /// When it was closed.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(self.file.as_ref().expect("it is open"))
    }

    /// Closes the file. A version may have more files than a process may hold open.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// Returns true when an earlier pull of the same may have left something in it.
    pub(crate) fn was_begun(&self) -> bool {
        self.begun
    }

    /// Notes that something has landed, so that it is worth resuming from here.
    pub(crate) fn landed(&self) {
        self.landed.store(true, Ordering::Relaxed);
    }

    /// Gives the file its name. Without `replace`, only if nothing has it. Returns the folders to sync.
    pub(crate) fn place(&mut self, path: &ArtifactPath, replace: bool) -> Result<std::collections::BTreeSet<String>> {
        let folders = self.staging.folder.place(&self.staging.dir, &self.name, path, replace)?;
        self.placed = true;
        Ok(folders)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let keep = self.resumes && self.staging.keep.load(Ordering::Relaxed);
        if !self.placed && !(keep && (self.begun || self.landed.load(Ordering::Relaxed))) {
            let _ = self.staging.dir.remove_file(&self.name);
        }
    }
}
