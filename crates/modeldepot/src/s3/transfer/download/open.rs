//! Any object, read as a stream.

use std::ops;

use bytes::Bytes;
use futures_util::stream::Stream;

use super::Object;
use super::part::Pieces;
use crate::error::Result;
use crate::model::name::BucketName;
use crate::s3::client::{ObjectMetadata, S3Client};

/// An object that was looked at, to be read in ranges. Its bytes are as the server has them: nobody published a digest.
#[derive(Debug, Clone)]
pub struct OpenObject {
    metadata: ObjectMetadata,
    pieces: Pieces,
}

impl S3Client {
    /// Opens an object. Its bytes are asked for when they are read.
    ///
    /// # Errors
    /// As [`S3Client::get_object_metadata`].
    pub async fn open_object(&self, bucket: &BucketName, key: &str) -> Result<OpenObject> {
        let metadata = self.get_object_metadata(bucket, key).await?;
        let etag = Some(metadata.etag.clone()).filter(|etag| !etag.is_empty());
        let (bucket, key) = (bucket.clone(), key.to_owned());
        let object = Object { bucket, key, size: metadata.size, etag, expected: None };
        Ok(OpenObject { metadata, pieces: Pieces::new(self, object) })
    }
}

impl OpenObject {
    /// Returns what the server keeps about it.
    pub fn metadata(&self) -> &ObjectMetadata {
        &self.metadata
    }

    /// Returns the bytes of a range as they come, in constant memory.
    ///
    /// # Errors
    /// [`crate::Error::Other`] of kind [`crate::ErrorKind::Unavailable`], in the stream, when it is replaced meanwhile.
    pub fn stream(&self, range: ops::Range<u64>) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
        self.pieces.passing(range, None)
    }
}
