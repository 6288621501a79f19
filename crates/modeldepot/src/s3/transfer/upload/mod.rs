//! From a file to an object: one read, digests from the same buffers that go on the wire.

pub(in crate::s3) mod copy;
pub(in crate::s3) mod direct;
pub(in crate::s3) mod part;
pub(in crate::s3) mod payload;
pub(in crate::s3) mod read;
pub(in crate::s3) mod send;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::ChecksumType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use futures_util::future::BoxFuture;

use super::checksum::Checksum;
use super::download::Sink;
use super::limits::part_size;
use super::upload::copy::BaseObject;
use super::upload::part::{DAMAGED_ATTEMPTS, arrived_damaged};
use super::upload::payload::Payload;
use super::upload::read::Source;
use super::upload::send::SentParts;
use crate::error::{Error, Mismatch, Result};
use crate::fs::Stamp;
use crate::model::digest::{Digests, merge};
use crate::model::name::BucketName;
use crate::s3::client::{S3Client, UploadOptions};
use crate::s3::error::{About, code, dislikes_checksums, is_not_understood, status};
use crate::s3::passing::Passing;
use crate::s3::retry::Retry;
use crate::s3::sdk_values::bare;
use crate::task::blocking;

/// What was stored, as it was read and as the server named it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) digests: Digests,
    pub(crate) etag: String,
    /// Bytes that the server had already, from an upload that was cut off.
    pub(crate) kept: u64,
    /// Bytes that were copied within the server.
    pub(crate) copied: u64,
}

/// Which uploads in parts are the caller's own.
#[derive(Clone)]
pub(crate) struct OwnUploads {
    /// The server's names of those that were begun before.
    pub(crate) known: BTreeSet<String>,
    /// Keeps the name of one that was just begun.
    pub(crate) note: Arc<dyn Fn(String) -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

impl std::fmt::Debug for OwnUploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnUploads({:?})", self.known)
    }
}

/// A file to store.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) path: PathBuf,
    /// Its size when it was last looked at.
    pub(crate) size: u64,
    /// What identified it then.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) bucket: BucketName,
    pub(crate) key: String,
    pub(crate) options: UploadOptions,
    /// What parts may be copied from.
    pub(crate) earlier: Vec<Arc<BaseObject>>,
    /// Which uploads may be resumed; none leaves it to the key.
    pub(crate) record: Option<OwnUploads>,
}

/// A file on its way: the parts of a large one are with the server, but nobody sees an object yet. A small one goes
/// in one request, so nothing of it is sent before [`S3Client::finish_file`].
pub(crate) struct Pending {
    pub(in crate::s3) upload: Upload,
    parts: Option<SentParts>,
    /// Bytes that were reported, and bytes of the current attempt: what was reported once is not reported again.
    reported: Mutex<(u64, u64)>,
    troubles: Troubles,
}

/// How often an upload began anew, for each reason.
#[derive(Debug, Default)]
struct Troubles {
    checksums: bool,
    obstacles: bool,
    conflicts: Option<Retry>,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(in crate::s3) enum Failure {
    /// For good.
    Final(Error),
    /// Perhaps because the server does not know our checksum.
    Checksums(Error),
    /// Because what was there of an earlier upload stood in the way. It is gone now.
    Obstacle(Error),
    /// Perhaps because parts were copied.
    Copies(Error),
    /// Because somebody wrote at the same moment.
    Conflict(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// The error for a server that reports a success without evidence of it.
const NOT_THERE: &str = "it says that it stored the object, and the object is not there";

impl S3Client {
    /// Stores the file at `path` under `key`.
    pub(crate) async fn send_file(
        &self,
        path: &Path,
        bucket: &BucketName,
        key: &str,
        options: &UploadOptions,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Sent> {
        let (path, at) = (path.to_owned(), path.to_owned());
        let (size, stamp) =
            blocking(move || Source::open(&at, None).map(|source| (source.size, source.stamp()))).await?;
        let (bucket, key, options) = (bucket.clone(), key.to_owned(), options.clone());
        let upload = Upload { path, size, stamp: Some(stamp), bucket, key, options, earlier: Vec::new(), record: None };
        let pending = self.begin_file(upload, on_bytes).await?;
        self.finish_file(pending, on_bytes).await
    }

    /// Sends what can be sent of a file without anybody seeing it.
    pub(crate) async fn begin_file(&self, upload: Upload, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Pending> {
        let mut pending = Pending { upload, parts: None, reported: Mutex::default(), troubles: Troubles::default() };
        pending.begin_until_done(self, on_bytes).await?;
        Ok(pending)
    }

    /// Makes the object of a file that was begun.
    ///
    /// # Errors
    /// [`Error::ObjectExists`] when it was to be stored only if nothing is there, and something else is.
    pub(crate) async fn finish_file(&self, mut pending: Pending, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent> {
        loop {
            match pending.finish(self, on_bytes).await {
                Ok(sent) => return Ok(sent),
                Err(failure) => pending.overcome(self, failure).await?,
            }
            pending.begin_until_done(self, on_bytes).await?;
        }
    }

    /// Returns the ETag of the object under `key` if it is what was to be stored there.
    ///
    /// Sizes and the server's own checksum of the whole decide, where it keeps one; else the bytes are read back.
    pub(crate) async fn same_object(&self, bucket: &BucketName, key: &str, ours: &Digests) -> Result<Option<String>> {
        let found = match self.get_object_metadata(bucket, key).await {
            Ok(found) => found,
            Err(Error::ObjectNotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let same = found.size == ours.size
            && match (&found.crc64nvme, &ours.crc64) {
                (Some(theirs), Some(crc64)) => *theirs == crc64.to_string(),
                // The ETag of an object that was sent in one request is its MD5, but not on every server.
                _ if ours.md5.is_some_and(|md5| found.etag == md5.to_string()) => true,
                _ => match self.fetch(bucket, key, ours.size, Some(&found.etag), &Sink::Nothing, &|_| {}).await {
                    Ok(theirs) => theirs.blake3 == ours.blake3,
                    Err(Error::Damaged { mismatch: Mismatch::Size { .. }, .. } | Error::ObjectNotFound { .. }) => false,
                    Err(error) => return Err(error),
                },
            };
        Ok(same.then_some(found.etag))
    }
}

impl Pending {
    /// Begins, and begins anew as long as that may help.
    async fn begin_until_done(&mut self, client: &S3Client, on_bytes: &(impl Fn(u64) + Sync)) -> Result<()> {
        loop {
            match self.begin(client, on_bytes).await {
                Ok(()) => return Ok(()),
                Err(failure) => self.overcome(client, failure).await?,
            }
        }
    }

    /// Changes what may have been the cause of a failure, or gives the error back.
    async fn overcome(&mut self, client: &S3Client, failure: Failure) -> Result<()> {
        match failure {
            Failure::Checksums(error) => {
                // Every attempt that began before the first of them failed may end here; each tries once without.
                if std::mem::replace(&mut self.troubles.checksums, true) {
                    return Err(error);
                }
                if client.use_md5() {
                    tracing::warn!(endpoint = client.endpoint(), %error, "CRC64NVME is refused; sending MD5");
                }
            }
            Failure::Obstacle(error) => {
                if std::mem::replace(&mut self.troubles.obstacles, true) {
                    return Err(error);
                }
            }
            Failure::Copies(error) => {
                if std::mem::take(&mut self.upload.earlier).is_empty() {
                    return Err(error);
                }
                tracing::debug!(%error, key = self.upload.key, "parts cannot be copied; sending all");
            }
            Failure::Conflict(error) => {
                let conflicts = self.troubles.conflicts.get_or_insert_with(|| Retry::conflict(client.timeouts()));
                let Some(pause) = conflicts.pause(&Passing::default()) else { return Err(error) };
                tokio::time::sleep(pause).await;
            }
            Failure::Final(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends the parts of a large file.
    async fn begin(&mut self, client: &S3Client, on_bytes: &(impl Fn(u64) + Sync)) -> Result<(), Failure> {
        self.parts = None;
        self.reported.get_mut().unwrap_or_else(PoisonError::into_inner).1 = 0;
        if self.upload.size <= part_size(self.upload.size) {
            return Ok(());
        }
        let source = self.upload.open().await?;
        let counted = |bytes| self.report(bytes, on_bytes);
        self.parts = Some(Box::pin(self.upload.send_parts(client, source, &counted)).await?);
        Ok(())
    }

    async fn finish(&mut self, client: &S3Client, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent, Failure> {
        match self.parts.take() {
            Some(parts) => {
                let id = parts.id.clone();
                let done = self.upload.complete(client, parts).await;
                if let Err(failure) = &done {
                    self.upload.give_up(client, &id, failure).await;
                }
                done
            }
            None => {
                let sent = self.upload.send_whole(client).await?;
                self.report(sent.digests.size, on_bytes);
                Ok(sent)
            }
        }
    }

    fn report(&self, bytes: u64, on_bytes: &impl Fn(u64)) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, now) = *reported;
        let reached = now + bytes;
        *reported = (known.max(reached), reached);
        let new = reached.saturating_sub(known.max(now));
        drop(reported);
        on_bytes(new);
    }
}

impl Upload {
    pub(in crate::s3) async fn open(&self) -> Result<Source> {
        let (path, stamp) = (self.path.clone(), self.stamp);
        blocking(move || Source::open(&path, stamp)).await
    }

    pub(in crate::s3) fn content_type(&self) -> String {
        match &self.options.content_type {
            Some(given) => given.clone(),
            None => mime_guess::from_path(&self.key).first_or_octet_stream().to_string(),
        }
    }

    fn condition(&self) -> Option<String> {
        self.options.if_absent.then(|| "*".to_owned())
    }

    fn about(&self) -> About<'_> {
        About::object("store", &self.bucket, &self.key)
    }

    pub(in crate::s3) fn refused<E>(
        &self,
        client: &S3Client,
        checksum: Checksum,
        error: SdkError<E, HttpResponse>,
    ) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let maybe_checksums = checksum.is_crc64() && dislikes_checksums(&error);
        let error = client.failed(self.about(), error);
        if maybe_checksums { Failure::Checksums(error) } else { Failure::Final(error) }
    }

    /// Decides about a write that was to create an object and did not: the existing object may be the same.
    async fn settle(&self, client: &S3Client, digests: &Digests) -> Result<String, Failure> {
        if let Some(etag) = client.same_object(&self.bucket, &self.key, digests).await? {
            return Ok(etag);
        }
        let error = Error::object_exists(&self.bucket, &self.key);
        if client.object_exists(&self.bucket, &self.key).await? {
            Err(Failure::Final(error))
        } else {
            // A conflict with a writer that lost as well, or whose object was deleted since.
            Err(Failure::Conflict(error))
        }
    }

    /// Sends a small file in one request.
    async fn send_whole(&self, client: &S3Client) -> Result<Sent, Failure> {
        let buffers = client.limits.pool.buffers(self.size).await;
        let (path, size, stamp) = (self.path.clone(), self.size, self.stamp);
        let (with_md5, checksum) = (!self.options.without_md5, client.checksum());
        let (payload, digests, content_md5) = blocking(move || {
            let mut source = Source::open(&path, stamp)?;
            if source.size != size {
                return Err(source.changed());
            }
            let mut units = Vec::new();
            for mut buffer in buffers {
                source.read(buffer.room())?;
                units.push(buffer.share());
            }
            source.finish()?;
            let payload = Payload::new(units);
            let digests = merge(&[payload.digest(0)], with_md5.then(|| payload.md5()));
            let content_md5 = match digests.md5 {
                Some(md5) => checksum.of_md5(md5),
                None => checksum.md5(&payload),
            };
            Ok((payload, digests, content_md5))
        })
        .await?;
        let (mut retry, mut damaged) = (Retry::transfer(client.timeouts()), 0);
        let permit = client.limits.whole.permit().await;
        let etag = loop {
            let sent = client
                .sdk
                .writing
                .put_object()
                .bucket(self.bucket.as_str())
                .key(&self.key)
                .content_type(self.content_type())
                .set_storage_class(client.storage_class())
                .set_metadata(Some(self.options.metadata.clone().into_iter().collect()))
                .set_if_none_match(self.condition())
                .set_checksum_crc64_nvme(checksum.of_whole(digests.crc64))
                .set_content_md5(content_md5.clone())
                .body(payload.clone().into_body(&client.limits.whole))
                .customize()
                .disable_payload_signing()
                .send()
                .await;
            let error = match sent {
                Ok(answer) => match answer.e_tag() {
                    Some(etag) => break bare(Some(etag)),
                    // Anything can answer 200, and a server of S3 names what it stored.
                    None => {
                        // It may read the object back, which takes memory and a turn of its own.
                        drop((payload, permit));
                        match client.same_object(&self.bucket, &self.key, &digests).await? {
                            Some(etag) => break etag,
                            None => return Err(Failure::Conflict(client.not_understood(self.about(), NOT_THERE))),
                        }
                    }
                },
                Err(error) => error,
            };
            damaged += usize::from(arrived_damaged(&error));
            if arrived_damaged(&error) && damaged < DAMAGED_ATTEMPTS {
                continue;
            }
            if self.options.if_absent && matches!(status(&error), Some(409 | 412)) {
                // It may read the object back, which takes memory and a turn of its own.
                drop((payload, permit));
                break self.settle(client, &digests).await?;
            }
            client.slow_down_after(&error, &client.limits.whole);
            match self.refused(client, checksum, error) {
                Failure::Final(error) => retry.again(error).await?,
                failure => return Err(failure),
            }
        };
        Ok(Sent { digests, etag, kept: 0, copied: 0 })
    }

    /// Makes an object of parts that are all with the server.
    async fn complete(&self, client: &S3Client, sent: SentParts) -> Result<Sent, Failure> {
        let SentParts { id, checksum, parts, digests, kept, copied } = sent;
        let mut retry = Retry::transfer(client.timeouts());
        let etag = loop {
            let answer = client
                .completion(&self.bucket, &self.key, &id, parts.clone(), self.options.if_absent)
                .set_checksum_crc64_nvme(checksum.of_whole(digests.crc64))
                .set_checksum_type(checksum.is_crc64().then_some(ChecksumType::FullObject))
                .send()
                .await;
            let error = match answer {
                Ok(answer) => break bare(answer.e_tag()),
                Err(error) => error,
            };
            if is_not_understood(&error) {
                if let Some(etag) = client.same_object(&self.bucket, &self.key, &digests).await? {
                    break etag;
                }
                retry.again(client.not_understood(self.about(), NOT_THERE)).await?;
                continue;
            }
            // A repeated Complete whose first reply was lost, or somebody aborted the upload.
            if code(&error) == Some("NoSuchUpload") {
                match client.same_object(&self.bucket, &self.key, &digests).await? {
                    Some(etag) => break etag,
                    None => return Err(self.refused(client, Checksum::Md5, error)),
                }
            }
            if self.options.if_absent && matches!(status(&error), Some(409 | 412)) {
                let etag = self.settle(client, &digests).await?;
                // The same object is there, so these parts are not needed.
                let _ = client.abort_multipart_upload(&self.bucket, &self.key, &id).await;
                break etag;
            }
            let failure = self.refused(client, checksum, error);
            match failure {
                Failure::Final(error) if error.may_pass() => retry.again(error).await?,
                Failure::Final(error) | Failure::Checksums(error) if copied > 0 => return Err(Failure::Copies(error)),
                failure => return Err(failure),
            }
        };
        Ok(Sent { digests, etag, kept, copied })
    }
}
