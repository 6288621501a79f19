//! Fetching a version into a folder, proven before it is in place.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::ModelStorage;
use super::catalog::{Description, StoredFile};
use super::verify::same;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::name::{ArtifactPath, Selector};
use crate::place::{Folder, Staged};
use crate::progress::{Event, Progress};
use crate::s3::{FILES_AT_ONCE, Landing, Seed, Sink, digest_file, holds};
use crate::task::blocking;

/// A version to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// The version.
    pub selector: Selector,
    /// The folder to put it into. It is made if it is missing.
    pub folder: PathBuf,
    /// Whether to use what is there: of a fetch of the same that was cut off, and of an older version in the folder.
    /// And whether to let the next fetch do so.
    pub resume: bool,
    /// Whether the files are to be durable before they appear. Without, a host that loses its power may find files under
    /// their names with other bytes than were fetched.
    pub sync: bool,
}

impl Pull {
    /// A fetch as it should be: going on where one was cut off, and durable.
    pub fn new(selector: Selector, folder: impl Into<PathBuf>) -> Self {
        Self { selector, folder: folder.into(), resume: true, sync: true }
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The version's manifest, which now lies in the folder as well.
    pub manifest: Manifest,
    /// The folder.
    pub folder: PathBuf,
    /// Where the model file lies.
    pub model_path: PathBuf,
    /// Files of the version, the manifest not counted.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of them that were there already, from a fetch that was cut off.
    pub kept: u64,
    /// Bytes of them that were there already, in the folder's files of the same names.
    pub reused: u64,
}

/// A file of the version that is where it should be, or about to be.
struct Placed {
    path: ArtifactPath,
    /// None when it was in its place already.
    staged: Option<Staged>,
    kept: u64,
    reused: u64,
}

impl ModelStorage {
    /// Fetches a version into a folder: the model file, the additional files and the manifest, at their relative
    /// paths.
    ///
    /// Every file is proven before any appears under its name. What is damaged is fetched once more; is it damaged
    /// again, nothing of the version is put in place. What a fetch that was cut off brought is kept beside its place
    /// under hidden names, and the next one goes on from there. A file that is in the folder already is not fetched, and
    /// of one that differs only the parts that do.
    ///
    /// # Errors
    /// As [`ModelStorage::verify`], and [`Error::Io`] when the folder cannot be written.
    pub async fn download_model(&self, pull: &Pull, progress: &Progress) -> Result<Fetched> {
        let found = self.describe(&pull.selector).await?;
        let main = found.main()?;
        let target = Folder::open(&pull.folder).await?;
        let placed = match self.fetch_files(&found, &target, pull, progress).await {
            Ok(placed) => placed,
            Err(error) => {
                target.abandon().await;
                return Err(error);
            }
        };
        let (kept, reused) = placed.iter().fold((0, 0), |(kept, reused), p| (kept + p.kept, reused + p.reused));
        let staged = placed.into_iter().filter_map(|placed| Some((placed.path, placed.staged?))).collect();
        target.persist(staged, found.record.clone(), pull.sync).await?;
        Ok(Fetched {
            folder: pull.folder.clone(),
            model_path: pull.folder.join(main.as_str()),
            files: found.files.len(),
            bytes: found.size(),
            kept,
            reused,
            manifest: found.manifest,
        })
    }

    async fn fetch_files(
        &self,
        found: &Description,
        target: &Folder,
        pull: &Pull,
        progress: &Progress,
    ) -> Result<Vec<Placed>> {
        progress.send(Event::Planned { files: found.files.len(), bytes: found.size() });
        // Collected first: a stream over a borrowing closure would make the whole future one that stays on its thread.
        let place: Vec<_> =
            found.files.iter().map(|file| self.place(&found.manifest, file, target, pull, progress)).collect();
        stream::iter(place).buffer_unordered(FILES_AT_ONCE).try_collect().await
    }

    async fn place(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        target: &Folder,
        pull: &Pull,
        progress: &Progress,
    ) -> Result<Placed> {
        let resume = pull.resume;
        progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
        let mut seeds = Vec::new();
        if let (true, Some(expected), Some(existing)) = (resume, file.expected(), target.existing(&file.path)) {
            let existing = Arc::new(existing);
            let (opened, size, several) = (Arc::clone(&existing), file.size, expected.parts.is_some());
            if blocking(move || Ok(holds(&opened, size, &expected))).await? {
                if file.executable {
                    target.make_executable(&file.path).await?;
                }
                progress.send(Event::Moved { path: file.path.clone(), bytes: size });
                progress.send(Event::Finished { path: file.path.clone() });
                return Ok(Placed { path: file.path.clone(), staged: None, kept: 0, reused: size });
            }
            if several {
                seeds.push(Seed::other(existing));
            }
        }
        // Named by path and content: two files may have the same content, and two versions the same path. What is one
        // part is fetched anew.
        let name = file.blake3.filter(|_| resume && file.parts.is_some()).map(|digest| {
            let name = blake3::hash(format!("{digest} {}", file.path).as_bytes());
            name.to_hex()[..32].to_owned()
        });
        let mut staged = target.stage(&file.path, file.size, name).await?;
        if staged.was_begun() {
            seeds.insert(0, Seed::own());
        }
        let landing = Landing::new(staged.file(), pull.sync, seeds);
        match self.fetch_file(manifest, file, &staged, &landing, progress).await {
            Ok(()) => {
                let (kept, reused) = landing.spared();
                if file.executable {
                    staged.make_executable().await?;
                }
                staged.close();
                progress.send(Event::Finished { path: file.path.clone() });
                Ok(Placed { path: file.path.clone(), staged: Some(staged), kept, reused })
            }
            Err(error) => {
                // Only what may pass is worth going on from.
                if !matches!(error, Error::Unavailable { .. } | Error::Unreachable { .. }) {
                    target.keep_nothing();
                }
                Err(error)
            }
        }
    }

    async fn fetch_file(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        staged: &Staged,
        landing: &Arc<Landing>,
        progress: &Progress,
    ) -> Result<()> {
        let sink = Sink::File(Arc::clone(landing));
        let moved = |bytes| {
            staged.landed();
            progress.send(Event::Moved { path: file.path.clone(), bytes });
        };
        match self.fetch_once(manifest, file, staged, &sink, &moved).await {
            // What was damaged on its way is whole the second time; what is damaged in the bucket is not.
            Err(Error::WrongDigest { .. }) => {
                tracing::warn!(path = %file.path, "wrong digest; fetching once more");
                self.fetch_once(manifest, file, staged, &sink, &|_| {}).await
            }
            result => result,
        }
    }

    async fn fetch_once(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        staged: &Staged,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<()> {
        self.read_file(manifest, file, sink, on_bytes).await?;
        match (file.blake3, file.md5) {
            // MD5 is serial. A file that is fetched for keeps is hashed where it lies, once it is there.
            (None, Some(expected)) => {
                let found = digest_file(staged.path(), true).await?.md5;
                found.map_or(Ok(()), |found| same("MD5", &file.path, expected, found))
            }
            _ => Ok(()),
        }
    }
}
