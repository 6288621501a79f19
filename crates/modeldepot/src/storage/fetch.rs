//! Fetching a version into a folder, proven before it is in place.

use std::path::{Path, PathBuf};

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
}

impl ModelStorage {
    /// Fetches a version into `folder`: the model file, the additional files and the manifest, at their relative
    /// paths.
    ///
    /// Every file is proven before any appears under its name. A file whose digest is wrong is fetched once more;
    /// is it wrong again, nothing of the version is put in place.
    ///
    /// # Errors
    /// As [`ModelStorage::verify`], and [`Error::Io`] when the folder cannot be written.
    pub async fn download_model(&self, selector: &Selector, folder: &Path, progress: &Progress) -> Result<Fetched> {
        let found = self.describe(selector).await?;
        let main = found.main()?;
        let target = Folder::open(folder).await?;
        match self.fetch_files(&found, &target, progress).await {
            Ok(files) => target.persist(files, found.record.clone()).await?,
            Err(error) => {
                target.abandon().await;
                return Err(error);
            }
        }
        Ok(Fetched {
            folder: folder.to_owned(),
            model_path: folder.join(main.as_str()),
            files: found.files.len(),
            bytes: found.size(),
            manifest: found.manifest,
        })
    }

    async fn fetch_files(
        &self,
        found: &Description,
        target: &Folder,
        progress: &Progress,
    ) -> Result<Vec<(ArtifactPath, Staged)>> {
        progress.send(Event::Planned { files: found.files.len(), bytes: found.size() });
        // Collected first: a stream over a borrowing closure would make the whole future one that stays on its thread.
        let fetch: Vec<_> =
            found.files.iter().map(|file| self.fetch_staged(&found.manifest, file, target, progress)).collect();
        stream::iter(fetch).buffer_unordered(FILES_AT_ONCE).try_collect().await
    }

    async fn fetch_staged(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        target: &Folder,
        progress: &Progress,
    ) -> Result<(ArtifactPath, Staged)> {
        let staged = target.stage(&file.path, file.size).await?;
        match self.fetch_file(manifest, file, &staged, progress).await {
            // What was damaged on its way is whole the second time; what is damaged in the bucket is not.
            Err(Error::WrongDigest { .. }) => {
                tracing::warn!(path = %file.path, "wrong digest; fetching once more");
                self.fetch_file(manifest, file, &staged, &Progress::none()).await?;
            }
            result => result?,
        }
        Ok((file.path.clone(), staged))
    }

    async fn fetch_file(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        staged: &Staged,
        progress: &Progress,
    ) -> Result<()> {
        self.read_checked(manifest, file, &Sink::File(staged.file()), progress).await?;
        if let (None, Some(expected)) = (file.blake3, file.md5) {
            let (_, found, ..) = digest_file(staged.path()).await?;
            same("MD5", &file.path, expected, found)?;
        }
        Ok(())
    }
}
