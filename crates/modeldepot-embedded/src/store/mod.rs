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
    /// The CORS rules of the index, which requests of web pages are compared with.
    pub(crate) cors: Arc<cors::Rules>,
}

impl Store {
    /// Opens and locks a data folder, and removes what an earlier crash left.
    pub(crate) fn open(folder: &Path, buckets: &[String], compress: bool) -> Result<Self, Error> {
        let mut disk = Disk::open(folder)?;
        let path = disk.index();
        // Without its index, every file in the folder would look like a leftover.
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

    /// Finds an object, or another version of it, and keeps its files from being removed until the pin is dropped.
    pub(crate) fn hold(&self, bucket: &str, key: &str, which: Option<&Which>) -> S3Result<(Object, Vec<Segment>, Pin)> {
        let ((object, segments), pin) = self.disk.pinned(|| {
            let (object, segments) = self.index.version(bucket, key, which, true)?;
            let blobs = segments.iter().map(|segment| segment.blob).collect();
            Ok::<_, S3Error>(((object, segments), blobs))
        })?;
        Ok((object, segments, pin))
    }

    /// Ends the life of a new file as its transaction ended, and removes the files that nothing needs any more.
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
                // A commit that failed may have reached the disk. The index knows, or else the next start, which sweeps.
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
