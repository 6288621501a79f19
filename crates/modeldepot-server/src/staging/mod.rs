//! Uploaded files, streamed to a staging folder and never buffered in memory.
//!
//! The folder belongs to the service alone (see `folder`): no other user can read it. A quota limits the total size of
//! the files, and the limit of open files determines how many are received and published at once.

mod descriptors;
mod folder;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use modeldepot::{Error, ErrorKind, units};
use tempfile::TempDir;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::folder::Folder;
use crate::metrics::Received;
use crate::problem::{Problem, Result};
use crate::shares::{Place, Shares};
use crate::tasks::joined;

pub(crate) use self::descriptors::raise;

/// Stores files until they are published.
pub(crate) struct Staging {
    folder: Folder,
    /// The most bytes of all files together.
    quota: u64,
    used: AtomicU64,
    /// Limits the requests that receive files.
    coming: Arc<Shares>,
    /// Counts received bytes.
    received: Received,
    /// Limits the versions that are published at once.
    publishing: Semaphore,
}

impl Staging {
    /// Creates the service's folder under this one, or in the system's temporary folder.
    ///
    /// # Errors
    /// The system's error, or why the folder is not safe.
    pub(crate) fn open(
        under: Option<PathBuf>,
        quota: Option<u64>,
        received: Received,
    ) -> Result<Staging, (PathBuf, io::Error)> {
        let under = under.unwrap_or_else(std::env::temp_dir);
        let folder = Folder::open(&under).map_err(|error| (under, error))?;
        // Other programs need space as well.
        let quota = quota.or_else(|| Some(folder.free()? / 2)).unwrap_or(u64::MAX);
        let (coming, publishing) = descriptors::shares();
        Ok(Staging {
            folder,
            quota,
            used: AtomicU64::new(0),
            coming: Shares::new(coming),
            received,
            publishing: Semaphore::new(publishing),
        })
    }

    /// Waits until one more version may be published.
    pub(crate) async fn publish(&self) -> SemaphorePermit<'_> {
        // The semaphore is never closed.
        self.publishing.acquire().await.expect("open")
    }

    /// Reserves space for more bytes.
    fn reserve(&self, bytes: u64) -> Result<()> {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.quota);
        let reserved = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        reserved.map(drop).map_err(|_| self.full())
    }

    fn full(&self) -> Problem {
        let quota = units::size(self.quota);
        Problem::new(ErrorKind::Unavailable, format!("uploads in progress have used up their quota of {quota}"))
            .status(StatusCode::INSUFFICIENT_STORAGE)
            .hint("try again when other uploads have finished, or ask the operator for a larger staging quota")
    }

    fn disk(&self, source: io::Error) -> Problem {
        let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let problem = Problem::from(Error::io("write to the folder for uploads", self.folder.path())(source));
        if full { problem.status(StatusCode::INSUFFICIENT_STORAGE) } else { problem }
    }
}

/// The files of a request, removed when dropped.
pub(crate) struct Staged {
    // Declared first: the folder is removed before its bytes are released.
    folder: TempDir,
    bytes: Reserved,
    _place: Place,
}

/// Bytes of the quota, released when dropped.
struct Reserved(Arc<Staging>, u64);

impl Drop for Reserved {
    fn drop(&mut self) {
        self.0.used.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Staged {
    /// Creates a folder for the files of a request, once there is a place for it.
    ///
    /// # Errors
    /// A problem if the declared length exceeds the free space, or the folder cannot be created.
    pub(crate) async fn new(staging: &Arc<Staging>, by: Option<&str>, length: Option<u64>) -> Result<Staged> {
        if length.is_some_and(|length| length > staging.quota) {
            let quota = units::size(staging.quota);
            return Err(Problem::invalid(format!("the request is larger than the quota for uploads: {quota}"))
                .status(StatusCode::PAYLOAD_TOO_LARGE)
                .hint(
                    "publish it with the `modeldepot` command, or send the files directly to the S3 endpoint with \
                     `POST …/uploads`, if the service allows that",
                ));
        }
        if length.is_some_and(|length| staging.used.load(Ordering::Relaxed).saturating_add(length) > staging.quota) {
            return Err(staging.full());
        }
        let place = staging.coming.enter(by).await;
        let under = staging.folder.path().to_owned();
        let made = tokio::task::spawn_blocking(move || {
            let mut builder = tempfile::Builder::new();
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
            builder.prefix("upload-").tempdir_in(under)
        });
        let folder = joined(made.await)?.map_err(|error| staging.disk(error))?;
        Ok(Staged { folder, bytes: Reserved(Arc::clone(staging), 0), _place: place })
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a new file as it arrives, and returns its size in bytes.
    ///
    /// # Errors
    /// The sender's failure, or a problem with the disk or the quota.
    pub(crate) async fn write(&mut self, local: &Path, bytes: impl Stream<Item = Result<Bytes>>) -> Result<u64> {
        let staging = Arc::clone(&self.bytes.0);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(local).await.map_err(|error| staging.disk(error))?;
        let mut size = 0;
        let mut bytes = std::pin::pin!(bytes);
        while let Some(came) = bytes.next().await {
            let came = came?;
            staging.received.inc_by(came.len() as u64);
            staging.reserve(came.len() as u64)?;
            self.bytes.1 += came.len() as u64;
            size += came.len() as u64;
            file.write_all(&came).await.map_err(|error| staging.disk(error))?;
        }
        file.flush().await.map_err(|error| staging.disk(error))?;
        Ok(size)
    }
}
