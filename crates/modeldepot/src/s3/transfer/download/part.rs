//! One part of an object, into memory.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Object;
use super::range::Range;
use crate::error::{Error, Mismatch, Result};
use crate::model::digest::{Md5, PartDigest, PartExpected, PartHasher};
use crate::s3::client::S3Client;
use crate::s3::retry::Retry;
use crate::task::blocking;

/// An object that is read part by part, in any order.
#[derive(Debug, Clone)]
pub(crate) struct Pieces {
    client: S3Client,
    object: Arc<Object>,
    /// The known ETag, or that of the first answer: every answer must be of the same object.
    etag: Arc<OnceLock<String>>,
}

impl Pieces {
    pub(crate) fn new(client: &S3Client, object: Object) -> Pieces {
        Pieces { client: client.clone(), etag: object.first_etag(), object: Arc::new(object) }
    }

    /// Returns the length of every part but the last.
    pub(crate) fn part_size(&self) -> u64 {
        self.object.cut()
    }

    /// Fetches a part. One that is not what it must be is fetched once more. Nothing lies beyond the object's end.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is damaged in the bucket; [`Error::Other`] of kind [`crate::ErrorKind::Unavailable`]
    /// when the object is another than before.
    pub(crate) async fn part(&self, index: u64) -> Result<Bytes> {
        let size = self.object.size;
        let offset = index.saturating_mul(self.part_size()).min(size);
        let len = self.part_size().min(size - offset);
        if len == 0 {
            return Ok(Bytes::new());
        }
        let expected = self.expected(index);
        let range = self.range(offset, len);
        let _permit = self.client.limits.down.permit().await;
        let mut again = true;
        loop {
            let (body, digest) = digested(offset, range.bytes().await?).await?;
            match expected {
                Some(expected) if !digest.is(&expected) => {
                    if !again {
                        return Err(self.wrong(offset, len, &expected, &digest));
                    }
                    tracing::warn!(key = self.object.key, offset, len, "damaged; fetching once more");
                    again = false;
                }
                _ => return Ok(body),
            }
        }
    }

    pub(in crate::s3) fn retry(&self) -> Retry {
        Retry::transfer(self.client.timeouts())
    }

    pub(in crate::s3) fn size(&self) -> u64 {
        self.object.size
    }

    /// Returns what the part must be, if that is known of parts.
    pub(in crate::s3) fn expected(&self, index: u64) -> Option<PartExpected> {
        usize::try_from(index).ok().and_then(|index| self.object.part(index))
    }

    /// Returns a range, to be asked for.
    pub(in crate::s3) fn range(&self, offset: u64, len: u64) -> Range {
        Range {
            client: self.client.clone(),
            object: Arc::clone(&self.object),
            etag: Arc::clone(&self.etag),
            offset,
            len,
            expected: None,
            with_crc64: false,
        }
    }

    pub(in crate::s3) fn wrong(&self, offset: u64, len: u64, expected: &PartExpected, found: &PartDigest) -> Error {
        let path = self.object.key.clone();
        let found_part = found.subtree().map(|found| found.to_string()).unwrap_or_default();
        let mismatch = match expected {
            PartExpected::Inner(expected) => Mismatch::Part {
                first: offset,
                last: offset + len - 1,
                expected: expected.to_string(),
                found: found_part,
            },
            PartExpected::Whole(expected) => Mismatch::Digest {
                algorithm: "BLAKE3",
                expected: expected.to_string(),
                found: found.root().map(|found| found.to_string()).unwrap_or_default(),
            },
        };
        Error::Damaged { path, mismatch }
    }

    pub(in crate::s3) fn wrong_md5(&self, expected: Md5, found: Md5) -> Error {
        Error::wrong_digest(&self.object.key, "MD5", expected.to_string(), found.to_string())
    }
}

/// Hashes bytes where that may block.
async fn digested(offset: u64, body: Bytes) -> Result<(Bytes, PartDigest)> {
    blocking(move || {
        let mut hasher = PartHasher::blake3(offset);
        hasher.update(&body);
        Ok((body, hasher.finish()))
    })
    .await
}
