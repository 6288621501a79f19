//! Operations on single objects.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

use super::client::{Created, ObjectMetadata, S3Client, UploadOptions};
use super::error::{About, is_undecided, status};
use super::http::connector::Silent;
use super::http::timeouts;
use super::region::is_moved;
use super::retry::Retry;
use super::sdk_values::{bare, moment};
use super::transfer::download::range::ranged;
use super::transfer::download::{Landing, Sink};
use crate::error::{Error, Result};
use crate::fs;
use crate::model::digest::Crc64;
use crate::model::key::creatable;
use crate::model::name::BucketName;

/// What is wrong with a success without an ETag.
const NO_ETAG: &str = "it answers that the object is stored, and gives no ETag, as S3 does";

/// Bytes per second that a small object must transfer to be given more time than a small request.
const SLOWEST: u64 = 32 * 1024;

/// Why a small object could not be read into memory.
enum Gathered {
    TooLarge(Error),
    BrokeOff(Box<dyn std::error::Error + Send + Sync>),
}

impl S3Client {
    /// Stores a file under a key, in parts if it is large, each with its checksum.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Invalid`] for a key that listings cannot show, [`Error::Source`]
    /// when the file cannot be read or changes during the upload, otherwise the server's error.
    pub async fn upload_file(
        &self,
        path: &Path,
        bucket: &BucketName,
        key: &str,
        options: &UploadOptions,
        on_bytes: impl Fn(u64) + Send + Sync,
    ) -> Result<ObjectMetadata> {
        creatable(key)?;
        let sent = self.send_file(path, bucket, key, options, &on_bytes).await?;
        let mut stored = self.head_object(bucket, key).await?;
        if let (None, Some(crc64)) = (&stored.crc64nvme, sent.digests.crc64) {
            stored.crc64nvme = Some(crc64.to_string());
        }
        Ok(stored)
    }

    /// Downloads an object into a file, which appears under its name only when it is complete. If the server has a
    /// checksum of the whole object, the bytes are compared with it. Returns their number.
    pub async fn download_file(
        &self,
        bucket: &BucketName,
        key: &str,
        path: &Path,
        on_bytes: impl Fn(u64) + Send + Sync,
    ) -> Result<u64> {
        let stored = self.get_object_metadata(bucket, key).await?;
        let staged = fs::stage_file(path, stored.size).await?;
        let sink = Sink::File(Landing::new(staged.file(), true, Vec::new()));
        let found = self.fetch(bucket, key, stored.size, Some(&stored.etag), &sink, &on_bytes).await?;
        if let (Some(expected), Some(found)) = (stored.crc64nvme, found.crc64.map(|found| found.to_string()))
            && expected != found
        {
            return Err(Error::wrong_digest(key, "CRC64NVME", expected, found));
        }
        staged.persist().await?;
        Ok(stored.size)
    }

    /// Deletes an object. As in S3, one that does not exist counts as deleted.
    pub async fn delete_object(&self, bucket: &BucketName, key: &str) -> Result<()> {
        let sent = self.asked(|| self.sdk.small.delete_object().bucket(bucket.as_str()).key(key).send()).await;
        sent.map(drop).map_err(|error| self.failed(About::object("delete", bucket, key), error))
    }

    /// Returns what the server stores about an object.
    ///
    /// # Errors
    /// [`Error::ObjectNotFound`] when there is no such object, [`Error::BucketNotFound`] when there is no such bucket.
    pub async fn get_object_metadata(&self, bucket: &BucketName, key: &str) -> Result<ObjectMetadata> {
        match self.head_object(bucket, key).await {
            // A HEAD does not tell them apart.
            Err(Error::ObjectNotFound { .. }) if matches!(self.bucket_exists(bucket).await, Ok(false)) => {
                Err(Error::bucket_not_found(bucket.clone(), self.endpoint()))
            }
            found => found,
        }
    }

    /// Like [`get_object_metadata`](Self::get_object_metadata), but reports a missing bucket as a missing object. It takes a
    /// single request.
    pub(crate) async fn head_object(&self, bucket: &BucketName, key: &str) -> Result<ObjectMetadata> {
        let about = About::object("look at", bucket, key);
        let head = || self.sdk.small.head_object().bucket(bucket.as_str()).key(key);
        let sent = self.asked(|| head().checksum_mode(ChecksumMode::Enabled).send()).await;
        let head = sent.map_err(|error| self.failed(about, error))?;
        let size = match head.content_length().and_then(|size| u64::try_from(size).ok()) {
            Some(size) => size,
            // A proxy may remove it from an answer without a body. Unknown is not the same as empty.
            None => Box::pin(self.size_of(bucket, key, head.e_tag())).await?,
        };
        Ok(ObjectMetadata {
            size,
            etag: bare(head.e_tag()),
            modified: head.last_modified().and_then(moment),
            content_type: head.content_type().map(str::to_owned),
            metadata: head.metadata().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            // A composite checksum (`…-3`) is of the parts' checksums and says nothing about the whole object. Nor does
            // one of another length, as moto makes from parts.
            crc64nvme: head.checksum_crc64_nvme().filter(|crc| crc.parse::<Crc64>().is_ok()).map(str::to_owned),
        })
    }

    /// Returns the size of an object whose HEAD does not have it: the answer to a range request does.
    async fn size_of(&self, bucket: &BucketName, key: &str, etag: Option<&str>) -> Result<u64> {
        let about = About::object("look at", bucket, key);
        let get = || self.sdk.reading.get_object().bucket(bucket.as_str()).key(key).range("bytes=0-0");
        match self.asked(|| get().set_if_match(etag.map(str::to_owned)).send()).await {
            Ok(answer) => match answer.content_range() {
                Some(range) => ranged(range).and_then(|(_, whole)| whole),
                // The whole object.
                None => answer.content_length().and_then(|size| u64::try_from(size).ok()),
            }
            .ok_or_else(|| self.not_understood(about, "it does not say how large the object is, as S3 does")),
            // An empty object has no first byte.
            Err(error) if status(&error) == Some(416) => Ok(0),
            Err(error) => Err(self.failed(about, error)),
        }
    }

    /// Returns true when the object exists.
    pub async fn object_exists(&self, bucket: &BucketName, key: &str) -> Result<bool> {
        match self.head_object(bucket, key).await {
            Ok(_) => Ok(true),
            Err(Error::ObjectNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores a small object if there is none yet, decided by the server.
    ///
    /// It is repeated only until it is answered: a repeated create cannot distinguish its own first success from
    /// another writer's.
    ///
    /// # Errors
    /// An error does not mean that nothing was stored: the reply may have been lost. Read the object back to find out.
    pub async fn put_if_absent(
        &self,
        bucket: &BucketName,
        key: &str,
        body: Bytes,
        content_type: &str,
    ) -> Result<Created> {
        self.put_if_absent_with(bucket, key, body, content_type, &BTreeMap::new()).await
    }

    /// Like [`S3Client::put_if_absent`], with user metadata.
    pub(crate) async fn put_if_absent_with(
        &self,
        bucket: &BucketName,
        key: &str,
        body: Bytes,
        content_type: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Created> {
        creatable(key)?;
        let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
        let mut retry = Retry::small(self.timeouts());
        loop {
            let put = self.for_body(&body).put_object().bucket(bucket.as_str()).key(key).content_type(content_type);
            let put = put.set_metadata(Some(metadata.clone()));
            let sent = put.if_none_match("*").body(ByteStream::from(body.clone())).send();
            // Its own time limit: it is sent once, where other requests are repeated until their time is over.
            let most = self.most_for(&body);
            let error = match timeout(most, sent).await {
                // Without an ETag this is not an S3 answer, and does not say whether the object was stored.
                Ok(Ok(answer)) if bare(answer.e_tag()).is_empty() => {
                    return Err(self.not_understood(About::object("create", bucket, key), NO_ETAG));
                }
                Ok(Ok(_)) => return Ok(Created::Now),
                Ok(Err(error)) => error,
                Err(_) => SdkError::timeout_error(Silent(most)),
            };
            let undecided = is_undecided(&error) || is_moved(&error);
            if !undecided && matches!(status(&error), Some(409 | 412)) {
                return Ok(Created::Refused);
            }
            // Nothing was stored, and no other writer's object is certain to be: this is not a refusal yet.
            let error = self.failed(About::object("create", bucket, key), error);
            if !undecided {
                return Err(error);
            }
            retry.again(error).await?;
        }
    }

    /// Stores a small object, replacing any existing one.
    pub async fn put_small(&self, bucket: &BucketName, key: &str, body: Bytes, content_type: &str) -> Result<()> {
        self.put_small_with(bucket, key, body, content_type, &BTreeMap::new()).await
    }

    /// Like [`S3Client::put_small`], with user metadata.
    pub(crate) async fn put_small_with(
        &self,
        bucket: &BucketName,
        key: &str,
        body: Bytes,
        content_type: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<()> {
        creatable(key)?;
        let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
        let put = || {
            let put = self.for_body(&body).put_object().bucket(bucket.as_str()).key(key).content_type(content_type);
            put.set_metadata(Some(metadata.clone()))
        };
        let about = About::object("store", bucket, key);
        let most = self.most_for(&body);
        match self.asked_within(most, || put().body(ByteStream::from(body.clone())).send()).await {
            Ok(answer) if bare(answer.e_tag()).is_empty() => Err(self.not_understood(about, NO_ETAG)),
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(about, error)),
        }
    }

    /// Returns the time limit for sending a small object, with all repetitions; longer for larger ones.
    fn most_for(&self, body: &Bytes) -> Duration {
        timeouts::small(self.timeouts()) + Duration::from_secs(body.len() as u64 / SLOWEST)
    }

    /// Returns the client for a body of this size. If it takes more than a second, its progress is watched.
    fn for_body(&self, body: &Bytes) -> &aws_sdk_s3::Client {
        if body.len() as u64 > SLOWEST { &self.sdk.writing } else { &self.sdk.small }
    }

    /// Returns the bytes of a small object, or `None` when it does not exist.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is larger than `limit`, which protects memory against a hostile bucket.
    pub async fn get_small(&self, bucket: &BucketName, key: &str, limit: u64) -> Result<Option<Bytes>> {
        let about = About::object("read", bucket, key);
        let mut retry = Retry::small(self.timeouts());
        let mut over = Instant::now() + timeouts::small(self.timeouts());
        loop {
            let error =
                match timeout_at(over, self.sdk.reading.get_object().bucket(bucket.as_str()).key(key).send()).await {
                    Ok(Ok(answer)) => match self.gather(key, answer, limit, &mut over).await {
                        Ok(body) => return Ok(Some(body)),
                        Err(Gathered::TooLarge(error)) => return Err(error),
                        Err(Gathered::BrokeOff(error)) => self.broke_off(about, &*error),
                    },
                    Ok(Err(SdkError::ServiceError(refusal))) if refusal.err().is_no_such_key() => return Ok(None),
                    Ok(Err(error)) => match self.failed(about, error) {
                        Error::ObjectNotFound { .. } => return Ok(None),
                        error => error,
                    },
                    Err(_) => return Err(self.no_answer(about, timeouts::small(self.timeouts()))),
                };
            if Instant::now() >= over {
                return Err(error);
            }
            retry.again(error).await?;
        }
    }

    /// Reads a body into memory up to `limit` bytes, regardless of its declared length.
    async fn gather(
        &self,
        key: &str,
        answer: GetObjectOutput,
        limit: u64,
        over: &mut Instant,
    ) -> Result<Bytes, Gathered> {
        let too_large = |found| Gathered::TooLarge(Error::wrong_size(key, limit, found));
        if let Some(size) =
            answer.content_length().and_then(|size| u64::try_from(size).ok()).filter(|size| *size > limit)
        {
            return Err(too_large(size));
        }
        let (mut body, mut bytes) = (answer.body, Vec::new());
        loop {
            let came = match timeout_at(*over, body.next()).await {
                Ok(Some(Ok(came))) => came,
                Ok(Some(Err(error))) => return Err(Gathered::BrokeOff(error.into())),
                Ok(None) => return Ok(bytes.into()),
                Err(_) => return Err(Gathered::BrokeOff("the body came too slowly".into())),
            };
            let found = bytes.len() as u64 + came.len() as u64;
            if found > limit {
                return Err(too_large(found));
            }
            *over += Duration::from_secs_f64(came.len() as f64 / SLOWEST as f64);
            bytes.extend_from_slice(&came);
        }
    }
}
