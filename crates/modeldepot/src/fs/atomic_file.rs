//! A single file: staged beside its place, synced, renamed.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dir::Dir;
use super::{Kind, fresh_name, reserve, sync};
use crate::error::{Error, Result};
use crate::task::blocking;

/// A file with its full length reserved, not yet under its name.
pub(crate) struct AtomicFile {
    dir: Dir,
    /// None once it has its name.
    temp: Option<String>,
    file: Arc<File>,
    name: String,
    path: PathBuf,
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(temp) = self.temp.take() {
            let _ = self.dir.remove_file(&temp);
        }
    }
}

/// Reserves `size` bytes for the file `path`, whose folder must exist.
pub(crate) async fn stage_file(path: &Path, size: u64) -> Result<AtomicFile> {
    let path = path.to_owned();
    blocking(move || {
        let write = |error| Error::io("write", &path)(error);
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| write(io::Error::other("its name is not UTF-8")))?;
        let folder = folder_of(&path);
        let dir = Dir::open(folder).map_err(Error::io("write a file in", folder))?;
        // A device would not be written to but replaced, `/dev/null` for one.
        match dir.look(&name).map_err(write)?.map(|found| found.kind) {
            Some(Kind::Folder) => return Err(write(io::ErrorKind::IsADirectory.into())),
            Some(Kind::Special) => return Err(write(io::Error::other("it is not a regular file"))),
            Some(Kind::Link) if path.is_dir() => return Err(write(io::ErrorKind::IsADirectory.into())),
            Some(Kind::File | Kind::Link) | None => {}
        }
        let temp = fresh_name();
        let file = Arc::new(dir.create(&temp).map_err(Error::io("write a file in", folder))?);
        let staged = AtomicFile { dir, temp: Some(temp), file, name, path };
        reserve(&staged.file, size).map_err(Error::io("reserve the space for", &staged.path))?;
        Ok(staged)
    })
    .await
}

/// Returns the folder of a file, also for a name alone.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl AtomicFile {
    /// Returns the open file, to write at offsets.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Makes the bytes durable, gives them their name, and makes that durable too.
    pub(crate) async fn persist(mut self) -> Result<()> {
        blocking(move || {
            sync(&self.file).map_err(Error::io("sync", &self.path))?;
            if let Some(temp) = &self.temp {
                self.dir.rename(temp, &self.dir, &self.name, true).map_err(Error::io("write", &self.path))?;
                self.temp = None;
            }
            self.dir.sync().map_err(Error::io("sync", &self.path))
        })
        .await
    }
}
