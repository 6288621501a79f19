//! The one way to put a file on disk: staged beside its place, synced, renamed.
//!
//! A file appears under its name only when it is complete. What is staged and not persisted goes with its value.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};

use crate::error::{Error, Result};
use crate::name::ArtifactPath;
use crate::s3::Ranges;
use crate::task::blocking;

/// A file with its full length reserved, not yet under its name.
pub(crate) struct Staged {
    file: Arc<File>,
    /// None once it has its name.
    temp: Option<TempPath>,
    target: PathBuf,
    /// What has landed, where a fetch may be gone on with; and whether it is worth keeping if it is not finished.
    ranges: Option<(Arc<Ranges>, Arc<AtomicBool>)>,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let (Some((ranges, keep)), Some(temp)) = (&self.ranges, &mut self.temp) else { return };
        if ranges.any() && keep.load(Ordering::Relaxed) {
            temp.disable_cleanup(true);
        } else {
            ranges.remove();
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
    Ok(Staged { file: Arc::new(file), temp: Some(temp), target, ranges: None })
}

/// Stages a file under a name that a repeated fetch finds again; none while another process does the same.
fn stage_again(folder: &Path, target: &Path, size: u64, name: &str, keep: &Arc<AtomicBool>) -> Result<Option<Staged>> {
    let place = |ending: &str| folder.join(format!(".modeldepot-{name}.{ending}"));
    let (list, part) = (place("ranges"), place("part"));
    let opened = Ranges::open(&list).map_err(Error::io("write", &list))?;
    let Some(ranges) = opened else { return Ok(None) };
    let file = open_own(&part).map_err(Error::io("write", &part))?;
    let temp = TempPath::try_from_path(&part).map_err(Error::io("write", &part))?;
    let ranges = Some((Arc::new(ranges), Arc::clone(keep)));
    // Whole before the space is reserved, so that both files go again if there is none.
    let staged = Staged { file: Arc::new(file), temp: Some(temp), target: target.to_owned(), ranges };
    reserve(&staged.file, size).map_err(Error::io("reserve the space for", target))?;
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
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Returns where the bytes are while the file is staged.
    pub(crate) fn path(&self) -> &Path {
        self.temp.as_deref().unwrap_or(&self.target)
    }

    /// Returns the list of what has landed, where the fetch may be gone on with.
    pub(crate) fn ranges(&self) -> Option<Arc<Ranges>> {
        self.ranges.as_ref().map(|(ranges, _)| Arc::clone(ranges))
    }

    /// Stops believing in what has landed.
    pub(crate) fn forget_ranges(&mut self) {
        if let Some((ranges, _)) = self.ranges.take() {
            ranges.remove();
        }
    }

    fn rename(&mut self) -> Result<()> {
        if let Some(temp) = self.temp.take() {
            temp.persist(&self.target).map_err(|refused| Error::io("write", &self.target)(refused.error))?;
        }
        if let Some((ranges, _)) = self.ranges.take() {
            ranges.remove();
        }
        Ok(())
    }

    /// Makes the bytes durable, gives them their name, and makes that durable too.
    pub(crate) async fn persist(mut self) -> Result<()> {
        blocking(move || {
            self.file.sync_all().map_err(Error::io("sync", &self.target))?;
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
            again.map_or_else(|| stage(&root, target, size), Ok)
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
    /// renames; and in it there is no manifest.
    pub(crate) async fn persist(self, files: Vec<(ArtifactPath, Staged)>, manifest: Bytes) -> Result<()> {
        blocking(move || {
            for (_, staged) in &files {
                staged.file.sync_all().map_err(Error::io("sync", &staged.target))?;
            }
            let record = self.root.join("manifest.json");
            let mut temp = new_temp(&self.root).map_err(Error::io("write a file in", &self.root))?;
            io::Write::write_all(&mut temp, &manifest).map_err(Error::io("write", &record))?;
            temp.as_file().sync_all().map_err(Error::io("sync", &record))?;
            match fs::remove_file(&record) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("replace", &record)(error));
                }
                _ => {}
            }
            for (path, mut staged) in files {
                let folder = make_parents(&self.root, &path)?;
                staged.rename()?;
                sync_folder(Some(&folder))?;
            }
            temp.persist(&record).map_err(|refused| Error::io("write", &record)(refused.error))?;
            sync_folder(Some(&self.root))
        })
        .await
    }

    /// Takes the folder away again, if it was made for this pull and nothing is in it.
    pub(crate) async fn abandon(self) {
        if self.created {
            let _ = blocking(move || Ok(fs::remove_dir(&self.root))).await;
        }
    }
}

/// Makes the folders between `root` and the file at `path`, one by one, and follows no symbolic link on the way.
fn make_parents(root: &Path, path: &ArtifactPath) -> Result<PathBuf> {
    let mut folder = root.to_owned();
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
    }
    Ok(folder)
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
        folder.persist(vec![file], Bytes::from_static(b"{}")).await.unwrap();
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
        assert!(folder.persist(vec![file], Bytes::from_static(b"{}")).await.is_err());
        let folder = Folder::open(&inside).await.unwrap();
        let file = staged(&folder, &over, b"x").await;
        folder.persist(vec![file], Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing was written outside");
        assert!(fs::symlink_metadata(inside.join("g")).unwrap().is_file(), "the link was replaced, not followed");
    }
}
