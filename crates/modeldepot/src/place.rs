//! The one way to put a file on disk: staged beside its place, synced, renamed.
//!
//! A file appears under its name only when it is complete. What is staged and not persisted goes with its value.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};

use crate::error::{Error, Result};
use crate::name::ArtifactPath;
use crate::task::blocking;

/// A file with its full length reserved, not yet under its name.
pub(crate) struct Staged {
    /// None once it was closed.
    file: Option<Arc<File>>,
    /// None once it has its name.
    temp: Option<TempPath>,
    target: PathBuf,
    /// Where a fetch may be gone on with, what says whether it is worth it.
    again: Option<Again>,
}

/// A staged file that a later fetch of the same finds again.
struct Again {
    /// Whether an earlier fetch left something in it.
    found: bool,
    /// Whether anything has landed in it.
    landed: AtomicBool,
    /// Whether to keep it, if it is not finished.
    keep: Arc<AtomicBool>,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let (Some(again), Some(temp)) = (&self.again, &mut self.temp) else { return };
        if again.keep.load(Ordering::Relaxed) && (again.found || again.landed.load(Ordering::Relaxed)) {
            temp.disable_cleanup(true);
        }
    }
}

/// Reserves `size` bytes for the file `path`, whose folder must exist.
pub(crate) async fn stage_file(path: &Path, size: u64) -> Result<Staged> {
    let target = path.to_owned();
    blocking(move || {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if target.is_dir() {
            let found = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Error::io("write", &target)(found));
        }
        stage(&folder, target, size)
    })
    .await
}

fn stage(folder: &Path, target: PathBuf, size: u64) -> Result<Staged> {
    let temp = new_temp(folder).map_err(Error::io("write a file in", folder))?;
    reserve(temp.as_file(), size).map_err(Error::io("reserve the space for", &target))?;
    let (file, temp) = temp.into_parts();
    Ok(Staged { file: Some(Arc::new(file)), temp: Some(temp), target, again: None })
}

/// Stages a file under a name that a repeated fetch finds again; none while another process does the same.
fn stage_again(folder: &Path, target: &Path, size: u64, name: &str, keep: &Arc<AtomicBool>) -> Result<Option<Staged>> {
    let part = folder.join(format!(".modeldepot-{name}.part"));
    let file = open_own(&part).map_err(Error::io("write", &part))?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let temp = TempPath::try_from_path(&part).map_err(Error::io("write", &part))?;
    let found = file.metadata().is_ok_and(|found| found.len() > 0);
    let again = Some(Again { found, landed: AtomicBool::new(false), keep: Arc::clone(keep) });
    let file = Arc::new(file);
    let staged = Staged { file: Some(Arc::clone(&file)), temp: Some(temp), target: target.to_owned(), again };
    if let Err(error) = reserve(&file, size) {
        // It would be in the way on a disk that is full.
        keep.store(false, Ordering::Relaxed);
        return Err(Error::io("reserve the space for", target)(error));
    }
    Ok(Some(staged))
}

/// Opens a file of our own in a folder of somebody else's, where a link of that name may lie in wait.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Reads exactly `bytes` from `offset`, wherever others write at the same time.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => (bytes, offset) = (&mut bytes[n..], offset + n as u64),
            }
        }
        Ok(())
    }
}

fn new_temp(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".modeldepot-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A pulled file is an ordinary file: the process's umask decides, not the privacy of a temporary one.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Takes the space now: a full disk should be known before the first byte is fetched, not after the last.
#[cfg(target_os = "linux")]
fn reserve(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

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
fn reserve(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)
}

/// Writes `bytes` at `offset`, wherever others write at the same time.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
            (bytes, offset) = (&bytes[n..], offset + n as u64);
        }
        Ok(())
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

    /// Returns where the bytes are while the file is staged.
    pub(crate) fn path(&self) -> &Path {
        self.temp.as_deref().unwrap_or(&self.target)
    }

    /// Closes a file that no later fetch goes on with. A version may have more files than a process may hold open.
    pub(crate) fn close(&mut self) {
        if self.again.is_none() {
            self.file = None;
        }
    }

    /// Makes the bytes durable.
    fn sync(&self) -> Result<()> {
        let synced = match &self.file {
            Some(file) => file.sync_all(),
            None => fs::OpenOptions::new().write(true).open(self.path()).and_then(|file| file.sync_all()),
        };
        synced.map_err(Error::io("sync", &self.target))
    }

    /// Lets everybody run the file who may read it, as the process's umask has it.
    pub(crate) async fn make_executable(&self) -> Result<()> {
        let path = self.path().to_owned();
        blocking(move || make_executable(&path).map_err(Error::io("make executable", &path))).await
    }

    /// Returns true when an earlier fetch of the same may have left something in it.
    pub(crate) fn was_begun(&self) -> bool {
        self.again.as_ref().is_some_and(|again| again.found)
    }

    /// Notes that something has landed, so that it is worth going on from here.
    pub(crate) fn landed(&self) {
        if let Some(again) = &self.again {
            again.landed.store(true, Ordering::Relaxed);
        }
    }

    fn rename(&mut self) -> Result<()> {
        if let Some(temp) = self.temp.take() {
            temp.persist(&self.target).map_err(|refused| Error::io("write", &self.target)(refused.error))?;
        }
        Ok(())
    }

    /// Makes the bytes durable, gives them their name, and makes that durable too.
    pub(crate) async fn persist(mut self) -> Result<()> {
        blocking(move || {
            self.sync()?;
            self.rename()?;
            sync_folder(self.target.parent())
        })
        .await
    }
}

/// A folder that a version is put into. Nothing outside it is ever written, whatever a manifest or a symbolic link
/// inside it says.
pub(crate) struct Folder {
    root: PathBuf,
    created: bool,
    keep: Arc<AtomicBool>,
}

impl Folder {
    /// Opens the folder, or makes it.
    pub(crate) async fn open(root: &Path) -> Result<Folder> {
        let root = root.to_owned();
        blocking(move || {
            let created = !root.exists();
            fs::create_dir_all(&root).map_err(Error::io("make the folder", &root))?;
            Ok(Folder { root, created, keep: Arc::new(AtomicBool::new(true)) })
        })
        .await
    }

    /// Reserves `size` bytes for the file at `path`. With a `name` for its content, what an earlier fetch of the
    /// same brought is found again.
    pub(crate) async fn stage(&self, path: &ArtifactPath, size: u64, name: Option<String>) -> Result<Staged> {
        let (root, target, keep) = (self.root.clone(), self.root.join(path.as_str()), Arc::clone(&self.keep));
        blocking(move || {
            let again = match name {
                Some(name) => stage_again(&root, &target, size, &name, &keep)?,
                None => None,
            };
            let staged = again.map_or_else(|| stage(&root, target, size), Ok);
            drop(keep);
            staged
        })
        .await
    }

    /// Opens the file that is at `path` now, if it is a regular file and no link leads there.
    pub(crate) fn existing(&self, path: &ArtifactPath) -> Option<File> {
        let mut place = self.root.clone();
        for segment in path.segments() {
            place.push(segment);
            if fs::symlink_metadata(&place).ok()?.is_symlink() {
                return None;
            }
        }
        let file = File::open(&place).ok()?;
        file.metadata().ok()?.is_file().then_some(file)
    }

    /// Makes a file executable that is in its place already; what cannot be changed is left as it is.
    pub(crate) async fn make_executable(&self, path: &ArtifactPath) -> Result<()> {
        let place = self.root.join(path.as_str());
        blocking(move || {
            if let Err(error) = make_executable(&place) {
                tracing::warn!(%error, path = %place.display(), "cannot make it executable");
            }
            Ok(())
        })
        .await
    }

    /// Lets nothing stay of files that are not finished: what they were to be is damaged.
    pub(crate) fn keep_nothing(&self) {
        self.keep.store(false, Ordering::Relaxed);
    }

    /// Gives all files their names, then writes the manifest.
    ///
    /// Each file is synced first, so the time in which old and new files stand side by side is that of a few
    /// renames; and in it there is no manifest. With `sync` false the system decides when bytes reach the disk.
    pub(crate) async fn persist(self, files: Vec<(ArtifactPath, Staged)>, manifest: Bytes, sync: bool) -> Result<()> {
        blocking(move || {
            if sync {
                sync_files(&self.root, &files)?;
            }
            let record = self.root.join("manifest.json");
            let mut temp = new_temp(&self.root).map_err(Error::io("write a file in", &self.root))?;
            io::Write::write_all(&mut temp, &manifest).map_err(Error::io("write", &record))?;
            if sync {
                temp.as_file().sync_all().map_err(Error::io("sync", &record))?;
            }
            match fs::remove_file(&record) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("replace", &record)(error));
                }
                _ => {}
            }
            let mut folders = BTreeSet::from([self.root.clone()]);
            for (path, mut staged) in files {
                folders.extend(make_parents(&self.root, &path)?);
                staged.rename()?;
            }
            if sync {
                // Before the manifest says that they are there.
                folders.iter().try_for_each(|folder| sync_folder(Some(folder)))?;
            }
            temp.persist(&record).map_err(|refused| Error::io("write", &record)(refused.error))?;
            if sync { sync_folder(Some(&self.root)) } else { Ok(()) }
        })
        .await
    }

    /// Takes the folder away again, if it was made for this pull and nothing is in it.
    pub(crate) async fn abandon(self) {
        // Whoever was about to put a file there when all was given up may still be at it, and takes it away again.
        for _ in 0..200 {
            if Arc::strong_count(&self.keep) == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        if self.created {
            let _ = blocking(move || Ok(fs::remove_dir(&self.root))).await;
        }
    }
}

/// Adds the right to run a file where there is the right to read it. The one place that sets a mode.
fn make_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)?.permissions().mode();
        fs::set_permissions(path, fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// More files than this are synced with all else that their file system has to write: one long wait and not many.
const MANY: usize = 16;

/// Makes the bytes of files durable.
fn sync_files(root: &Path, files: &[(ArtifactPath, Staged)]) -> Result<()> {
    #[cfg(target_os = "linux")]
    if files.len() > MANY {
        let folder = File::open(root).map_err(Error::io("sync", root))?;
        return rustix::fs::syncfs(folder).map_err(|error| Error::io("sync", root)(error.into()));
    }
    files.iter().try_for_each(|(_, staged)| staged.sync())
}

/// Makes the folders between `root` and the file at `path`, one by one, and follows no symbolic link on the way. Returns
/// them.
fn make_parents(root: &Path, path: &ArtifactPath) -> Result<Vec<PathBuf>> {
    let (mut folder, mut folders) = (root.to_owned(), Vec::new());
    let segments: Vec<&str> = path.segments().collect();
    for segment in &segments[..segments.len() - 1] {
        folder.push(segment);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let found = io::Error::new(io::ErrorKind::NotADirectory, "it is a link or a file, not a folder");
                return Err(Error::io("use the folder", &folder)(found));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
            }
            Err(error) => return Err(Error::io("look at", &folder)(error)),
        }
        folders.push(folder.clone());
    }
    Ok(folders)
}

/// Makes renames in a folder durable. Windows has no such call, and needs none.
fn sync_folder(folder: Option<&Path>) -> Result<()> {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder).and_then(|opened| opened.sync_all()).map_err(Error::io("sync", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ArtifactPath {
        text.parse().unwrap()
    }

    async fn staged(folder: &Folder, at: &ArtifactPath, bytes: &[u8]) -> (ArtifactPath, Staged) {
        let staged = folder.stage(at, bytes.len() as u64, None).await.unwrap();
        write_at(&staged.file(), bytes, 0).unwrap();
        (at.clone(), staged)
    }

    #[tokio::test]
    async fn files_appear_when_persisted_and_vanish_when_dropped() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("new");
        let folder = Folder::open(&root).await.unwrap();
        let (a, dropped) = (path("sub/a"), path("b"));
        let file = staged(&folder, &a, b"abc").await;
        drop(staged(&folder, &dropped, b"x").await);
        assert!(!root.join("sub/a").exists());
        folder.persist(vec![file], Bytes::from_static(b"{}"), true).await.unwrap();
        assert_eq!(fs::read(root.join("sub/a")).unwrap(), b"abc");
        let mut names: Vec<_> = fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["manifest.json", "sub"]);
    }

    #[tokio::test]
    async fn an_abandoned_folder_goes_only_if_it_was_made() {
        let temp = tempfile::tempdir().unwrap();
        let made = temp.path().join("made");
        Folder::open(&made).await.unwrap().abandon().await;
        assert!(!made.exists());
        Folder::open(temp.path()).await.unwrap().abandon().await;
        assert!(temp.path().exists());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_inside_the_folder_lead_nowhere() {
        let temp = tempfile::tempdir().unwrap();
        let (outside, inside) = (temp.path().join("outside"), temp.path().join("inside"));
        fs::create_dir(&outside).unwrap();
        fs::create_dir(&inside).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("sub")).unwrap();
        std::os::unix::fs::symlink(outside.join("f"), inside.join("g")).unwrap();
        let folder = Folder::open(&inside).await.unwrap();
        let (through, over) = (path("sub/f"), path("g"));
        let file = staged(&folder, &through, b"x").await;
        assert!(folder.persist(vec![file], Bytes::from_static(b"{}"), true).await.is_err());
        let folder = Folder::open(&inside).await.unwrap();
        let file = staged(&folder, &over, b"x").await;
        folder.persist(vec![file], Bytes::from_static(b"{}"), true).await.unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing was written outside");
        assert!(fs::symlink_metadata(inside.join("g")).unwrap().is_file(), "the link was replaced, not followed");
    }
}
