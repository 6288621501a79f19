//! Fetching a version into a folder, proven before it is in place.

use std::path::PathBuf;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::ModelStorage;
use super::catalog::{Description, StoredFile};
use super::verify::same;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::name::{ArtifactPath, Selector};
use crate::place::{Folder, Staged};
use crate::progress::{Event, Progress};
use crate::s3::{FILES_AT_ONCE, Sink, digest_file};

/// A version to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// The version.
    pub selector: Selector,
    /// The folder to put it into. It is made if it is missing.
    pub folder: PathBuf,
    /// Whether to go on with a fetch of the same that was cut off, and to let the next one do so.
    pub resume: bool,
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
    /// Files fetched, the manifest not counted.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of them that were there already, from a fetch that was cut off.
    pub kept: u64,
}

impl ModelStorage {
    /// Fetches a version into a folder: the model file, the additional files and the manifest, at their relative
    /// paths.
    ///
    /// Every file is proven before any appears under its name. A file whose digest is wrong is fetched once more;
    /// is it wrong again, nothing of the version is put in place. What a fetch that was cut off brought is kept
    /// beside its place under hidden names, and the next one goes on from there.
    ///
    /// # Errors
    /// As [`ModelStorage::verify`], and [`Error::Io`] when the folder cannot be written.
    pub async fn download_model(&self, pull: &Pull, progress: &Progress) -> Result<Fetched> {
        let found = self.describe(&pull.selector).await?;
        let main = found.main()?;
        let target = Folder::open(&pull.folder).await?;
        let kept = match self.fetch_files(&found, &target, pull.resume, progress).await {
            Ok(files) => {
                let kept = files.iter().filter_map(|(_, staged)| staged.ranges()).map(|ranges| ranges.kept()).sum();
                target.persist(files, found.record.clone()).await?;
                kept
            }
            Err(error) => {
                target.abandon().await;
                return Err(error);
            }
        };
        Ok(Fetched {
            folder: pull.folder.clone(),
            model_path: pull.folder.join(main.as_str()),
            files: found.files.len(),
            bytes: found.size(),
            kept,
            manifest: found.manifest,
        })
    }

    async fn fetch_files(
        &self,
        found: &Description,
        target: &Folder,
        resume: bool,
        progress: &Progress,
    ) -> Result<Vec<(ArtifactPath, Staged)>> {
        progress.send(Event::Planned { files: found.files.len(), bytes: found.size() });
        // Collected first: a stream over a borrowing closure would make the whole future one that stays on its thread.
        let fetch: Vec<_> =
            found.files.iter().map(|file| self.fetch_staged(&found.manifest, file, target, resume, progress)).collect();
        stream::iter(fetch).buffer_unordered(FILES_AT_ONCE).try_collect().await
    }

    async fn fetch_staged(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        target: &Folder,
        resume: bool,
        progress: &Progress,
    ) -> Result<(ArtifactPath, Staged)> {
        // Named by path and content: two files may have the same content, and two versions the same path.
        let name = file.blake3.filter(|_| resume && file.size > 0).map(|digest| {
            let name = blake3::hash(format!("{digest} {}", file.path).as_bytes());
            name.to_hex()[..32].to_owned()
        });
        let mut staged = target.stage(&file.path, file.size, name).await?;
        let fetched = match self.fetch_file(manifest, file, &staged, progress).await {
            // What was damaged on its way is whole the second time; what is damaged in the bucket is not.
            Err(Error::WrongDigest { .. }) => {
                tracing::warn!(path = %file.path, "wrong digest; fetching once more");
                staged.forget_ranges();
                self.fetch_file(manifest, file, &staged, &Progress::none()).await
            }
            result => result,
        };
        match fetched {
            Ok(()) => Ok((file.path.clone(), staged)),
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
        progress: &Progress,
    ) -> Result<()> {
        self.read_checked(manifest, file, &Sink::File(staged.file(), staged.ranges()), progress).await?;
        if let (None, Some(expected)) = (file.blake3, file.md5) {
            let (_, found, ..) = digest_file(staged.path()).await?;
            same("MD5", &file.path, expected, found)?;
        }
        Ok(())
    }
}
