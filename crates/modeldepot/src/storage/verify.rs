//! Re-reading a version in the bucket against its manifest, without writing a file.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::ModelStorage;
use super::catalog::StoredFile;
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::manifest::Manifest;
use crate::name::{ArtifactPath, Selector};
use crate::progress::{Event, Progress};
use crate::s3::{FILES_AT_ONCE, Object, Sink};

/// What was proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The version's manifest.
    pub manifest: Manifest,
    /// Files read.
    pub files: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Files that no digest was published for, so that only their presence could be shown. None but in versions
    /// that the Python original wrote.
    pub unproven: usize,
}

impl ModelStorage {
    /// Reads every file of a version from the bucket and holds it against the manifest.
    ///
    /// # Errors
    /// [`Error::FileMissing`], [`Error::FilesMissing`], [`Error::WrongSize`], [`Error::WrongDigest`] for the first file that is not what was
    /// published; [`Error::Manifest`] when the manifest cannot be used.
    pub async fn verify(&self, selector: &Selector, progress: &Progress) -> Result<Verified> {
        let found = self.describe(selector).await?;
        found.whole()?;
        progress.send(Event::Planned { files: found.files.len(), bytes: found.size() });
        // Collected first: a stream over a borrowing closure would make the whole future one that stays on its thread.
        let read: Vec<_> = found.files.iter().map(|file| self.prove(&found.manifest, file, progress)).collect();
        stream::iter(read).buffer_unordered(FILES_AT_ONCE).try_collect::<()>().await?;
        let unproven = found.files.iter().filter(|file| file.blake3.is_none() && file.md5.is_none()).count();
        Ok(Verified { files: found.files.len(), bytes: found.size(), unproven, manifest: found.manifest })
    }

    /// Reads a file, and once more when its digest is wrong: what was damaged on its way is whole the second time,
    /// what is damaged in the bucket is not.
    async fn prove(&self, manifest: &Manifest, file: &StoredFile, progress: &Progress) -> Result<()> {
        progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
        let moved = |bytes| progress.send(Event::Moved { path: file.path.clone(), bytes });
        match self.read_file(manifest, file, &Sink::Nothing, &moved).await {
            Err(Error::WrongDigest { .. }) => {
                tracing::warn!(path = %file.path, "wrong digest; reading once more");
                self.read_file(manifest, file, &Sink::Nothing, &|_| {}).await?;
            }
            result => result?,
        }
        progress.send(Event::Finished { path: file.path.clone() });
        Ok(())
    }

    /// Reads a file of a version to `sink`, and holds it against what was published as far as that can be done while it
    /// goes by.
    pub(super) async fn read_file(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<()> {
        let (model, version) = (&manifest.model_name, &manifest.version);
        let key = ObjectKey::Artifact(model.clone(), version.clone(), file.path.clone()).to_string();
        let result = async {
            match (file.blake3, file.md5) {
                (None, Some(expected)) if matches!(sink, Sink::Nothing) => {
                    let found = self.client.fetch_md5(&self.bucket, &key, file.size, on_bytes).await?;
                    same("MD5", &file.path, expected, found)
                }
                _ => {
                    let bucket = self.bucket.clone();
                    let object = Object { bucket, key, size: file.size, etag: None, expected: file.expected() };
                    self.client.fetch_object(&object, sink, on_bytes).await.map(drop)
                }
            }
        };
        result.await.map_err(|error| of_version(error, manifest, &file.path))
    }
}

/// Says of a version's file what is wrong with an object: whoever asked for a version knows its files by their paths, and
/// not by keys.
pub(super) fn of_version(error: Error, manifest: &Manifest, file: &ArtifactPath) -> Error {
    let path = file.to_string();
    match error {
        Error::ObjectNotFound { .. } => {
            let (model, version) = (manifest.model_name.clone(), manifest.version.clone());
            Error::FileMissing { model, version, path: file.clone() }
        }
        Error::WrongSize { expected, found, .. } => Error::WrongSize { path, expected, found },
        Error::WrongDigest { algorithm, expected, found, .. } => {
            Error::WrongDigest { path, algorithm, expected, found }
        }
        Error::WrongPart { first, last, expected, found, .. } => {
            Error::WrongPart { path, first, last, expected, found }
        }
        error => error,
    }
}

/// Compares a digest with the published one.
pub(super) fn same<D: PartialEq + std::fmt::Display>(
    algorithm: &'static str,
    path: &ArtifactPath,
    expected: D,
    found: D,
) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.to_string(), found.to_string());
    Err(Error::WrongDigest { path: path.to_string(), algorithm, expected, found })
}
