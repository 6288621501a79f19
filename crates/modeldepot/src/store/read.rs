//! Reading a file of a version without writing it to disk. Each part that has a published digest is verified before it
//! is returned.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::ModelStorage;
use super::lookup::{Description, StoredFile};
use super::verify::{of_version, same};
use crate::error::{Error, Result};
use crate::model::digest::Md5;
use crate::model::key::ObjectKey;
use crate::model::manifest::Manifest;
use crate::model::name::{ArtifactPath, Selector};
use crate::s3::{Object, Pieces};
use crate::task::blocking;

/// How many parts are fetched at once when a whole file is read.
const PARTS_AT_ONCE: usize = 4;

/// A file of a version, readable in any order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FileReader {
    manifest: std::sync::Arc<Manifest>,
    file: StoredFile,
    pieces: Pieces,
}

impl ModelStorage {
    /// Opens a file of a version; without a path, its model file. Reads only the manifest.
    ///
    /// # Errors
    /// As [`ModelStorage::describe`], and [`crate::Error::FileNotFound`] when the version has no such file.
    pub async fn open_file(&self, selector: &Selector, path: Option<&ArtifactPath>) -> Result<FileReader> {
        let found = self.describe(selector).await?;
        let path = match path {
            Some(path) => path.clone(),
            None => found.main()?,
        };
        self.open_described(&found, &path)
    }

    /// Like [`ModelStorage::open_file`], for a version that was already described. Sends nothing.
    ///
    /// # Errors
    /// [`crate::Error::FileNotFound`] when the version has no such file.
    pub fn open_described(&self, found: &Description, path: &ArtifactPath) -> Result<FileReader> {
        let (manifest, file) = (found.manifest.clone(), found.file(path)?.clone());
        let (model, version) = (manifest.model_name.clone(), manifest.version.clone());
        let key = ObjectKey::Artifact(model, version, path.clone()).to_string();
        let expected = file.expected();
        let object = Object { bucket: self.bucket.clone(), key, size: file.size, etag: None, expected };
        Ok(FileReader { manifest: manifest.into(), file, pieces: Pieces::new(&self.depot, object) })
    }
}

impl FileReader {
    /// Returns the manifest of the file's version.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the file.
    pub fn file(&self) -> &StoredFile {
        &self.file
    }

    /// Returns the length of every part but the last.
    pub fn part_size(&self) -> u64 {
        self.pieces.part_size()
    }

    /// Returns the bytes of a part; empty beyond the end. They are verified if a digest was published. For a version
    /// written by the Python pipeline only the whole file has one.
    ///
    /// # Errors
    /// As [`ModelStorage::verify`], and [`crate::Error::Other`] of kind [`crate::ErrorKind::Unavailable`] when the file
    /// is replaced while it is read.
    pub async fn part(&self, index: u64) -> Result<Bytes> {
        let part = self.pieces.part(index).await;
        part.map_err(|error| of_version(error, &self.manifest, &self.file.path))
    }

    /// Returns the bytes of a range as they arrive, in constant memory. Parts that lie wholly in the range are verified
    /// on the way, and the last bytes of a damaged part are never returned. The rest of the range is not verified, nor
    /// is any of a file without a published digest.
    ///
    /// # Errors
    /// As [`FileReader::part`], as the last item of the stream.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let md5 = self.file.md5.filter(|_| self.file.blake3.is_none());
        let (manifest, path) = (std::sync::Arc::clone(&self.manifest), self.file.path.clone());
        let pieces = self.pieces.passing(range, md5);
        pieces.map(move |bytes| bytes.map_err(|error| of_version(error, &manifest, &path)))
    }

    /// Returns the whole file, verified if a digest was published ([`Description::unverified`]).
    ///
    /// # Errors
    /// As [`FileReader::part`].
    pub async fn read(&self, on_bytes: impl Fn(u64) + Send + Sync) -> Result<Vec<u8>> {
        let mut whole = Vec::new();
        let parts = self.file.size.div_ceil(self.part_size());
        let part = |index, reader: FileReader| async move { reader.part(index).await };
        let mut parts = stream::iter((0..parts).map(|index| part(index, self.clone()))).buffered(PARTS_AT_ONCE);
        while let Some(came) = parts.try_next().await? {
            // Reserve only once a part has arrived: a manifest alone can claim any size.
            if whole.is_empty()
                && whole.try_reserve_exact(usize::try_from(self.file.size).unwrap_or(usize::MAX)).is_err()
            {
                return Err(Error::io("read into memory", self.file.path.as_str())(io::ErrorKind::OutOfMemory.into()));
            }
            whole.extend_from_slice(&came);
            on_bytes(came.len() as u64);
        }
        drop(parts);
        if let (None, Some(expected)) = (self.file.blake3, self.file.md5) {
            let (whole, found) = blocking(move || {
                let found = Md5::of(&whole);
                Ok((whole, found))
            })
            .await?;
            same("MD5", &self.file.path, expected, found)?;
            return Ok(whole);
        }
        Ok(whole)
    }
}
