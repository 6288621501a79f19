//! The data folder and its index together.

pub(crate) mod cors;
pub(crate) mod lifecycle;
pub(crate) mod saving;
pub(crate) mod sweep;

use std::path::Path;
use std::sync::Arc;

use s3s::{S3Error, S3Result};

use crate::disk::{BlobId, Disk, Pin, Staged};
use crate::error::Error;
use crate::index::Index;
use crate::index::record::{Object, Segment};
use crate::index::stamp::Which;
use crate::refusal::is_no_room;

/// An open data folder.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) disk: Arc<Disk>,
    pub(crate) index: Index,
    /// The CORS rules in the index, cached for checking requests from web pages.
    pub(crate) cors: Arc<cors::Rules>,
}

impl Store {
    /// Opens and locks a data folder, and removes leftovers of a crash.
    pub(crate) fn open(folder: &Path, buckets: &[String], compress: bool) -> Result<Self, Error> {
        let mut disk = Disk::open(folder)?;
        let path = disk.index();
        // Without the index, every file in the folder would look unreferenced.
        let fresh = path.metadata().map_or(true, |found| found.len() == 0);
        if fresh && disk.has_blobs()? {
            return Err(Error::IndexMissing { path });
        }
        if compress {
            disk.raise_format()?;
            disk.compress = true;
        }
        let index = Index::open(&path, buckets, Arc::clone(&disk.room))?;
        if fresh {
            disk.sync_folder()?;
        }
        let cors =
            cors::Rules::of(&index).map_err(|error| Error::Index { path: path.clone(), source: error.into() })?;
        let known = index.blobs().map_err(|error| Error::Index { path, source: error.into() })?;
        let swept = disk.sweep(&known)?;
        if swept.removed > 0 {
            tracing::info!(files = swept.removed, "removed leftovers of unfinished writes");
        }
        if swept.present < known.len() {
            tracing::error!(files = known.len() - swept.present, "files that objects need are missing");
        }
        Ok(Self { disk: Arc::new(disk), index, cors: Arc::new(cors) })
    }

    /// Finds an object or another version, and pins its files until the pin is dropped.
    pub(crate) fn hold(&self, bucket: &str, key: &str, which: Option<&Which>) -> S3Result<(Object, Vec<Segment>, Pin)> {
        let ((object, segments), pin) = self.disk.pinned(|| {
            let (object, segments) = self.index.version(bucket, key, which, true)?;
            let blobs = segments.iter().map(|segment| segment.blob).collect();
            Ok::<_, S3Error>(((object, segments), blobs))
        })?;
        Ok((object, segments, pin))
    }

    /// Keeps or removes a new file, depending on its transaction, and removes files that are no longer needed.
    pub(crate) fn settle<T>(&self, staged: Option<Staged>, result: S3Result<(T, Vec<BlobId>)>) -> S3Result<T> {
        match result {
            Ok((value, freed)) => {
                if let Some(staged) = staged {
                    staged.keep();
                }
                self.disk.room.note_room();
                self.disk.remove(&freed);
                Ok(value)
            }
            Err(error) => {
                // A failed commit may still have reached the disk. The index knows; if it cannot be asked, the next
                // start cleans up.
                if let Some(staged) = staged
                    && (*error.code() == s3s::S3ErrorCode::InternalError || is_no_room(&error))
                    && !matches!(self.index.refers(staged.id()), Ok(false))
                {
                    staged.keep();
                }
                Err(error)
            }
        }
    }
}
