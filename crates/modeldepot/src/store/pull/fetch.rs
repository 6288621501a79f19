//! Fetching the files of a version into the staging folder.

use std::io;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::local::md5_of;
use super::owned::OwnFile;
use super::plan::{Plan, Step};
use super::{ModelStorage, Pull};
use crate::error::{Error, Mismatch, Result};
use crate::fs::{Folder, Staged, Staging, make_executable};
use crate::model::digest::Blake3;
use crate::model::manifest::Manifest;
use crate::progress::{Event, Progress};
use crate::s3::{Landing, ReusableFile, Sink, files_at_once};
use crate::store::lookup::{Description, StoredFile};
use crate::store::verify::same;
use crate::task::blocking;
use crate::units;

/// A fetched file, ready to be put in place.
pub(super) struct Ready {
    pub(super) file: OwnFile,
    pub(super) staged: Staged,
    pub(super) kept: u64,
    pub(super) reused: u64,
}

impl ModelStorage {
    /// Fetches the files that are not in place. Space is reserved only for sizes that a listing has confirmed.
    pub(super) async fn fetch_files(
        &self,
        found: &Description,
        folder: &Arc<Folder>,
        staging: &Arc<Staging>,
        plan: &Plan,
        pull: &Pull,
        progress: &Progress,
    ) -> Result<Vec<Ready>> {
        let to_fetch = |file: &&StoredFile| plan.steps.get(&file.path) != Some(&Step::Keep);
        let files: Vec<&StoredFile> = found.files.iter().filter(to_fetch).collect();
        let needed = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size));
        let (here, there) = (Arc::clone(folder), Arc::clone(staging));
        blocking(move || {
            enough_space(here.free(), needed.saturating_sub(there.reserved()))
                .map_err(Error::io("put the version into", here.root()))
        })
        .await?;
        // By index: a stream over a borrowing closure would make the whole future `!Send`.
        let fetch =
            stream::iter(0..files.len()).map(|n| self.fetch_file(found, files[n], folder, staging, pull, progress));
        fetch.buffer_unordered(files_at_once()).try_collect().await
    }

    async fn fetch_file(
        &self,
        found: &Description,
        file: &StoredFile,
        folder: &Arc<Folder>,
        staging: &Arc<Staging>,
        pull: &Pull,
        progress: &Progress,
    ) -> Result<Ready> {
        progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
        // Named by path and content: two files may have the same content, and two versions the same path. Files of a
        // single part are not resumed.
        let name = file.blake3.filter(|_| file.parts.is_some()).map(|digest| {
            let name = blake3::hash(format!("{digest} {}", file.path).as_bytes());
            name.to_hex()[..32].to_owned()
        });
        let (here, there, of, resume) = (Arc::clone(folder), Arc::clone(staging), file.clone(), pull.resume);
        let confirmed = found.listed;
        let (mut staged, reusable) = blocking(move || {
            let staged = there.stage(&of.path, of.size, name, confirmed)?;
            let mut reusable = Vec::new();
            if staged.was_begun() {
                reusable.push(ReusableFile::own());
            }
            if resume && of.parts.is_some() {
                reusable.extend(here.open(of.path.as_str()).ok().map(|file| ReusableFile::other(Arc::new(file))));
            }
            Ok((staged, reusable))
        })
        .await?;
        let landing = Landing::new(staged.file(), pull.sync, reusable);
        match self.fetch_verified(&found.manifest, file, &staged, &landing, progress).await {
            Ok(blake3) => {
                let (kept, reused) = landing.spared();
                drop(landing);
                if file.executable {
                    let (landed, path) = (staged.file(), file.path.clone());
                    blocking(move || make_executable(&landed).map_err(Error::io("make executable", path.as_str())))
                        .await?;
                }
                staged.close();
                progress.send(Event::Finished { path: file.path.clone() });
                let own = OwnFile { path: file.path.clone(), size: Some(file.size), blake3, md5: None };
                Ok(Ready { file: own, staged, kept, reused })
            }
            Err(error) => {
                // Only a transient failure is worth resuming from, and what may be one after all.
                if !error.may_pass() && !matches!(error, Error::Damaged { mismatch: Mismatch::EndsAt { .. }, .. }) {
                    staging.keep_nothing();
                }
                Err(error)
            }
        }
    }

    /// Fetches a file and compares it with its digest. Returns the BLAKE3 of the fetched bytes.
    async fn fetch_verified(
        &self,
        manifest: &Manifest,
        file: &StoredFile,
        staged: &Staged,
        landing: &Arc<Landing>,
        progress: &Progress,
    ) -> Result<Option<Blake3>> {
        let sink = Sink::File(Arc::clone(landing));
        let moved = |bytes| {
            staged.landed();
            progress.send(Event::Moved { path: file.path.clone(), bytes });
        };
        match self.fetch_once(manifest, file, staged, &sink, &moved).await {
            // Fetching once more repairs damage in transit, but not in the bucket.
            Err(Error::Damaged { mismatch: Mismatch::Digest { .. }, .. }) => {
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
    ) -> Result<Option<Blake3>> {
        let came = self.read_file(manifest, file, sink, on_bytes).await?;
        if let (None, Some(expected)) = (file.blake3, file.md5) {
            // MD5 is serial, so a file fetched to disk is hashed there once it is complete.
            let (landed, size, path) = (staged.file(), file.size, file.path.clone());
            let unreadable = || io::Error::other("what was just written cannot be read");
            let found =
                blocking(move || md5_of(&landed, size).ok_or_else(|| Error::io("read", path.as_str())(unreadable())))
                    .await?;
            same("MD5", &file.path, expected, found)?;
        }
        Ok(came)
    }
}

/// Fails early when the disk is too small.
fn enough_space(free: Option<u64>, needed: u64) -> io::Result<()> {
    match free {
        Some(free) if needed > free => {
            let what = format!("it needs {}, and {} are free", units::size(needed), units::size(free));
            Err(io::Error::new(io::ErrorKind::StorageFull, what))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_said_with_numbers() {
        assert!(enough_space(Some(10), 10).is_ok() && enough_space(None, u64::MAX).is_ok());
        let error = enough_space(Some(1_000_000), 3 << 30).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(error.to_string(), "it needs 3.2 GB, and 1.0 MB are free");
    }
}
