//! From an object to its place: ranges in parallel, each frame written where it belongs and hashed as it lands.

mod ends;
pub(in crate::s3) mod open;
pub(in crate::s3) mod part;
pub(in crate::s3) mod range;
pub(in crate::s3) mod reuse;
pub(in crate::s3) mod stream;
pub(in crate::s3) mod writeback;

use std::fs::File;
use std::sync::Arc;
use std::sync::OnceLock;

use tokio::task::JoinSet;

use super::download::range::Range;
use super::download::reuse::ReusableFile;
use super::limits::{part_size, parts};
use crate::error::{Error, Result};
use crate::model::digest::{Blake3, Digests, Md5, Md5Stream, PartDigest, PartExpected, merge};
use crate::model::manifest::Parts;
use crate::model::name::BucketName;
use crate::s3::client::S3Client;
use crate::task::{blocking, joined};

/// An object to read.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bucket: BucketName,
    pub(crate) key: String,
    pub(crate) size: u64,
    /// The ETag that it must have, where one is known.
    pub(crate) etag: Option<String>,
    /// What it must be, where that is known.
    pub(crate) expected: Option<Expected>,
}

/// The digests that an object must have.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) blake3: Blake3,
    pub(crate) parts: Option<Parts>,
}

impl Expected {
    /// Returns the length of the parts of a file of `size` bytes.
    pub(crate) fn cut(&self, size: u64) -> u64 {
        self.parts.as_ref().map_or_else(|| part_size(size), |parts| parts.size)
    }

    /// Returns what the part must be, if that is known of parts.
    fn part(&self, index: usize, size: u64) -> Option<PartExpected> {
        match &self.parts {
            Some(parts) => parts.blake3.get(index).copied().map(PartExpected::Inner),
            None => (size <= part_size(size)).then_some(PartExpected::Whole(self.blake3)),
        }
    }

    /// Returns what each part must be; of a file of several parts that nobody published, nothing.
    pub(crate) fn all_parts(&self, size: u64) -> Vec<PartExpected> {
        let parts = usize::try_from(size.div_ceil(self.cut(size)).max(1)).unwrap_or(usize::MAX);
        (0..parts).map_while(|index| self.part(index, size)).collect()
    }
}

/// Where fetched bytes go.
#[derive(Clone)]
pub(crate) enum Sink {
    /// To their offset in a file.
    File(Arc<Landing>),
    /// Nowhere: they are only hashed.
    Nothing,
}

/// A file that bytes land in.
pub(crate) struct Landing {
    pub(in crate::s3) file: Arc<File>,
    /// Whether the file is to be synced.
    pub(in crate::s3) sync: bool,
    /// Files of this machine that may have parts of the object already.
    pub(in crate::s3) reusable: Vec<ReusableFile>,
}

impl Landing {
    pub(crate) fn new(file: Arc<File>, sync: bool, reusable: Vec<ReusableFile>) -> Arc<Self> {
        Arc::new(Self { file, sync, reusable })
    }

    /// Returns the bytes that did not have to be fetched, because an earlier fetch of the same brought them, and because
    /// another file has them.
    pub(crate) fn spared(&self) -> (u64, u64) {
        let sum = |own: bool| self.reusable.iter().filter(|file| file.is_own() == own).map(ReusableFile::gave).sum();
        (sum(true), sum(false))
    }
}

impl Object {
    /// Returns the place of the ETag that every answer must have: the known one, or that of the first answer.
    fn first_etag(&self) -> Arc<OnceLock<String>> {
        let known = self.etag.clone().filter(|etag| !etag.is_empty());
        Arc::new(known.map_or_else(OnceLock::new, OnceLock::from))
    }

    /// Returns the length of the ranges that it is read in.
    pub(in crate::s3) fn cut(&self) -> u64 {
        self.expected.as_ref().map_or_else(|| part_size(self.size), |expected| expected.cut(self.size))
    }

    /// Returns what the range must be, if that is known of ranges.
    pub(in crate::s3) fn part(&self, index: usize) -> Option<PartExpected> {
        self.expected.as_ref().and_then(|expected| expected.part(index, self.size))
    }
}

impl S3Client {
    /// Fetches an object and returns the digests of what came. A part that is not what it must be is fetched once more,
    /// alone.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is not what it must be; [`Error::Other`] of kind [`crate::ErrorKind::Unavailable`]
    /// when it is replaced meanwhile.
    pub(crate) async fn fetch_object(
        &self,
        object: &Object,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Digests> {
        let digests = if object.size == 0 {
            self.check_empty(&object.bucket, &object.key).await?;
            vec![PartDigest::of(0, &[])]
        } else {
            self.fetch_ranges(object, sink, on_bytes).await?
        };
        let found = merge(&digests, None);
        match &object.expected {
            Some(expected) if expected.blake3 != found.blake3 => {
                Err(Error::wrong_digest(&object.key, "BLAKE3", expected.blake3.to_string(), found.blake3.to_string()))
            }
            _ => Ok(found),
        }
    }

    async fn fetch_ranges(
        &self,
        object: &Object,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Vec<PartDigest>> {
        let etag = object.first_etag();
        let (cut, whole) = (object.cut(), Arc::new(object.clone()));
        let mut ranges = JoinSet::new();
        let mut digests: Vec<Option<PartDigest>> = Vec::new();
        let keep = |done, digests: &mut Vec<Option<PartDigest>>| -> Result<()> {
            let (index, digest): (usize, Result<PartDigest>) = joined(done);
            let digest = digest?;
            on_bytes(digest.len());
            digests[index] = Some(digest);
            Ok(())
        };
        for (index, offset) in (0..object.size).step_by(usize::try_from(cut).unwrap_or(usize::MAX)).enumerate() {
            digests.push(None);
            let range = Range {
                client: self.clone(),
                object: Arc::clone(&whole),
                etag: Arc::clone(&etag),
                offset,
                len: cut.min(object.size - offset),
                expected: object.part(index),
                // A digest of our own makes the server's checksum of the whole needless.
                with_crc64: object.expected.is_none(),
            };
            // Waiting here keeps the number of tasks small, whatever the object's size.
            let permit = self.limits.down.permit().await;
            let sink = sink.clone();
            ranges.spawn(async move {
                let digest = range.fetch(&sink).await;
                drop(permit);
                (index, digest)
            });
            while let Some(done) = ranges.try_join_next() {
                keep(done, &mut digests)?;
            }
        }
        while let Some(done) = ranges.join_next().await {
            keep(done, &mut digests)?;
        }
        Ok(digests.into_iter().flatten().collect())
    }

    /// Fetches an object of `size` bytes of which nothing is known, and returns the digests of what came.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the object has another size; with an `etag`, [`Error::Other`] of kind
    /// [`crate::ErrorKind::Unavailable`] when it is another object.
    pub(crate) async fn fetch(
        &self,
        bucket: &BucketName,
        key: &str,
        size: u64,
        etag: Option<&str>,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Digests> {
        let (bucket, key, etag) = (bucket.clone(), key.to_owned(), etag.map(str::to_owned));
        self.fetch_object(&Object { bucket, key, size, etag, expected: None }, sink, on_bytes).await
    }

    /// Reads an object of `size` bytes in order and returns its MD5.
    pub(crate) async fn fetch_md5(
        &self,
        bucket: &BucketName,
        key: &str,
        size: u64,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Md5> {
        let object = Arc::new(Object { bucket: bucket.clone(), key: key.to_owned(), size, etag: None, expected: None });
        let etag = Arc::new(OnceLock::new());
        let mut md5 = Md5Stream::default();
        // Range by range, so that a body that breaks off costs one range and not the whole object.
        for (offset, len) in parts(size) {
            let (client, object, etag) = (self.clone(), Arc::clone(&object), Arc::clone(&etag));
            let range = Range { client, object, etag, offset, len, expected: None, with_crc64: false };
            let body = range.bytes().await?;
            md5 = blocking(move || {
                md5.update(&body);
                Ok(md5)
            })
            .await?;
            on_bytes(len);
        }
        if size == 0 {
            self.check_empty(bucket, key).await?;
        }
        Ok(md5.finish())
    }

    /// Makes sure that an object of which there is no byte to ask for is still empty: each range tells the size of the
    /// whole.
    async fn check_empty(&self, bucket: &BucketName, key: &str) -> Result<()> {
        match self.get_object_metadata(bucket, key).await?.size {
            0 => Ok(()),
            found => Err(Error::wrong_size(key, 0, found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Subtree;

    const MIB: u64 = 1024 * 1024;

    fn subtrees(count: u8) -> Vec<Subtree> {
        (1..=count).map(|n| Subtree::from_bytes([n; 32])).collect()
    }

    #[test]
    fn a_part_is_expected_where_it_was_published() {
        let blake3 = Blake3::of(b"");
        let published = Expected { blake3, parts: Some(Parts { size: MIB, blake3: subtrees(3) }) };
        assert_eq!(published.cut(2 * MIB + 5), MIB);
        assert_eq!(
            published.all_parts(2 * MIB + 5),
            subtrees(3).into_iter().map(PartExpected::Inner).collect::<Vec<_>>()
        );
        assert_eq!(published.all_parts(2 * MIB).len(), 2);
        assert_eq!(published.all_parts(9 * MIB).len(), 3, "no more than were published");
    }

    #[test]
    fn without_published_parts_a_file_of_one_part_is_expected_whole() {
        let whole = Expected { blake3: Blake3::of(b""), parts: None };
        assert_eq!(whole.cut(20 * MIB), 8 * MIB);
        for size in [0, 1, 8 * MIB] {
            assert_eq!(whole.all_parts(size), [PartExpected::Whole(whole.blake3)], "{size}");
        }
        assert_eq!(whole.all_parts(8 * MIB + 1), [], "of several parts nothing is known");
    }

    #[test]
    fn only_an_etag_that_says_something_is_required() {
        let first = |etag: Option<&str>| {
            let (bucket, etag) = ("models".parse().unwrap(), etag.map(str::to_owned));
            let object = Object { bucket, key: "k".to_owned(), size: 1, etag, expected: None };
            object.first_etag().get().cloned()
        };
        assert_eq!([Some("e"), Some(""), None].map(first), [Some("e".to_owned()), None, None]);
    }
}
