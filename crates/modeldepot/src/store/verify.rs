//! Verifying a version in the bucket against its manifest, without writing a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::ModelStorage;
use super::lookup::{Description, StoredFile};
use crate::error::{Error, Mark, Mismatch, Result};
use crate::model::digest::Blake3;
use crate::model::key::ObjectKey;
use crate::model::manifest::Manifest;
use crate::model::name::{ArtifactPath, Selector};
use crate::progress::{Event, Progress};
use crate::s3::{Object, Sink, files_at_once};

/// What was verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verified {
    /// The version's manifest.
    pub manifest: Manifest,
    /// Files read.
    pub files: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Files published without a digest, whose bytes cannot be verified. Only versions written by the Python pipeline
    /// have them.
    pub unverified: Vec<ArtifactPath>,
}

impl Verified {
    /// Returns true when every file was compared with its digest.
    pub fn is_intact(&self) -> bool {
        self.unverified.is_empty()
    }
}

impl ModelStorage {
    /// Reads every file of a version from the bucket and compares it with its published digest. A file without one is
    /// read and reported in [`Verified::unverified`].
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Corrupt`] when files are missing; [`Error::Damaged`] for the first
    /// file that differs from what was published; [`Error::Manifest`] when the manifest cannot be used.
    pub async fn verify(&self, selector: &Selector, progress: &Progress) -> Result<Verified> {
        let found = Box::pin(self.describe(selector)).await?;
        found.whole()?;
        progress.send(Event::Planned { files: found.files.len(), bytes: found.size() });
        // By index: a stream over a borrowing closure would make the whole future `!Send`.
        let read =
            stream::iter(0..found.files.len()).map(|n| self.read_twice(&found.manifest, &found.files[n], progress));
        read.buffer_unordered(files_at_once()).try_collect::<()>().await?;
        let unverified = found.unverified();
        Ok(Verified { files: found.files.len(), bytes: found.size(), unverified, manifest: found.manifest })
    }

    /// Reads every file of a version. Returns the bytes that were read, and why files could not be.
    ///
    /// # Errors
    /// When the server cannot be reached: that says nothing about the files.
    pub(super) async fn verify_each(&self, found: &Description) -> Result<(u64, Vec<Error>)> {
        let read = stream::iter(0..found.files.len()).map(|n| {
            let file = &found.files[n];
            async move {
                let moved = Arc::new(AtomicU64::new(0));
                let counter = Arc::clone(&moved);
                let progress = Progress::new(move |event| {
                    if let Event::Moved { bytes, .. } = event {
                        counter.fetch_add(bytes, Ordering::Relaxed);
                    }
                });
                let result = self.read_twice(&found.manifest, file, &progress).await;
                (file, moved.load(Ordering::Relaxed).min(file.size), result)
            }
        });
        let mut read = std::pin::pin!(read.buffered(files_at_once()));
        let (mut bytes, mut errors) = (0, Vec::new());
        while let Some((file, moved, result)) = read.next().await {
            // Of a damaged file, what arrived before the damage.
            bytes += if result.is_ok() { file.size } else { moved };
            match result {
                Ok(()) => {}
                Err(error) if matches!(error.mark(), Mark::Unreached | Mark::BeyondProxy) => return Err(error),
                Err(error @ Error::Tls { .. }) => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        Ok((bytes, errors))
    }

    /// Reads a file, and once more if its digest is wrong: that repairs damage in transit, but not in the bucket.
    async fn read_twice(&self, manifest: &Manifest, file: &StoredFile, progress: &Progress) -> Result<()> {
        progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
        let moved = |bytes| progress.send(Event::Moved { path: file.path.clone(), bytes });
        match self.read_file(manifest, file, &Sink::Nothing, &moved).await {
            Err(Error::Damaged { mismatch: Mismatch::Digest { .. }, .. }) => {
                tracing::warn!(path = %file.path, "wrong digest; reading once more");
                self.read_file(manifest, file, &Sink::Nothing, &|_| {}).await?;
            }
            result => {
                result?;
            }
        }
        progress.send(Event::Finished { path: file.path.clone() });
        Ok(())
    }

    /// Reads a file of a version into `sink`, and compares it with its published digests as far as that is possible
    /// while streaming. Returns the BLAKE3 of the bytes, if it was computed.
    pub(super) async fn read_file(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Option<Blake3>> {
        let (model, version) = (&manifest.model_name, &manifest.version);
        let key = ObjectKey::Artifact(model.clone(), version.clone(), file.path.clone()).to_string();
        let result = async {
            match (file.blake3, file.md5) {
                (None, Some(expected)) if matches!(sink, Sink::Nothing) => {
                    let found = self.depot.fetch_md5(&self.bucket, &key, file.size, on_bytes).await?;
                    same("MD5", &file.path, expected, found).map(|()| None)
                }
                _ => {
                    let bucket = self.bucket.clone();
                    let object = Object { bucket, key, size: file.size, etag: None, expected: file.expected() };
                    self.depot.fetch_object(&object, sink, on_bytes).await.map(|found| Some(found.blake3))
                }
            }
        };
        result.await.map_err(|error| of_version(error, manifest, &file.path))
    }
}

/// Rewords an error about an object for a file of a version: callers know files by their paths, not by keys.
pub(super) fn of_version(error: Error, manifest: &Manifest, file: &ArtifactPath) -> Error {
    match error {
        Error::ObjectNotFound { .. } => Error::file_missing(&manifest.model_name, &manifest.version, file),
        Error::Damaged { mismatch, .. } => Error::file_damaged(&manifest.model_name, &manifest.version, file, mismatch),
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
    Err(Error::wrong_digest(path.as_str(), algorithm, expected.to_string(), found.to_string()))
}
