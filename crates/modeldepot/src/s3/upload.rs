//! From a file to an object: one read, digests from the same buffers that go on the wire.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::answer::{About, code, dislikes_checksums, status};
use super::client::{S3Client, UploadOptions, bare};
use super::download::Sink;
use super::multipart::{StoredPart, upload_id};
use super::part::{DAMAGED_ATTEMPTS, Part, arrived_damaged};
use super::parts::part_size;
use super::reading::{Source, read_parts};
use crate::digest::{Blake3, Crc64, Md5, PartDigest, merge};
use crate::error::{Error, Result};
use crate::name::BucketName;
use crate::task::{blocking, joined};

/// What was stored, as it was read and as the server named it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) size: u64,
    /// Bytes that the server had already, from an upload that was cut off.
    pub(crate) kept: u64,
    pub(crate) etag: String,
    pub(crate) md5: Md5,
    pub(crate) blake3: Blake3,
    pub(crate) crc64: Crc64,
}

/// A file on its way: the parts of a large one are with the server, but nobody sees an object yet. A small one goes
/// in one request, so nothing of it is sent before [`S3Client::finish_file`].
pub(crate) struct Pending {
    path: PathBuf,
    bucket: BucketName,
    key: String,
    options: UploadOptions,
    parts: Option<SentParts>,
}

/// The parts of a large file, all of them sent.
struct SentParts {
    id: String,
    sums: bool,
    parts: Vec<CompletedPart>,
    size: u64,
    kept: u64,
    md5: Md5,
    blake3: Blake3,
    crc64: Crc64,
}

/// Why an attempt failed.
enum Failure {
    /// For good.
    Final(Error),
    /// Perhaps because the server does not know our checksum.
    Checksums(Error),
    /// Because somebody wrote at the same moment: the upload must begin anew.
    Again(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// How often an upload begins anew that met another writer.
const CONFLICTS: usize = 4;

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
        let pending = self.begin_file(path, bucket, key, options, on_bytes).await?;
        self.finish_file(pending, on_bytes).await
    }

    /// Sends what can be sent of a file without anybody seeing it.
    pub(crate) async fn begin_file(
        &self,
        path: &Path,
        bucket: &BucketName,
        key: &str,
        options: &UploadOptions,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Pending> {
        let mut pending = Pending {
            path: path.to_owned(),
            bucket: bucket.clone(),
            key: key.to_owned(),
            options: options.clone(),
            parts: None,
        };
        match pending.begin(self, on_bytes).await {
            Ok(()) => Ok(pending),
            Err(failure) => {
                self.without_checksums(failure)?;
                pending.begin(self, on_bytes).await.map_err(|failure| self.with_checksums_after_all(failure))?;
                Ok(pending)
            }
        }
    }

    /// Makes the object of a file that was begun.
    ///
    /// # Errors
    /// [`Error::ObjectExists`] when it was to be stored only if nothing is there, and something else is.
    pub(crate) async fn finish_file(&self, mut pending: Pending, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent> {
        let mut conflicts = 0;
        loop {
            match pending.finish(self, on_bytes).await {
                Ok(sent) => return Ok(sent),
                Err(Failure::Again(error)) if conflicts == CONFLICTS => return Err(error),
                Err(Failure::Again(_)) => {
                    conflicts += 1;
                    let pause = fastrand::u64(20..100 << conflicts);
                    tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
                }
                Err(failure) => self.without_checksums(failure)?,
            }
            // Its bytes were counted when they were first acknowledged.
            pending.begin(self, &|_| {}).await.map_err(|failure| self.with_checksums_after_all(failure))?;
        }
    }

    /// Decides whether the same may work without our checksum header. Once for each client: from then on no request
    /// carries it.
    fn without_checksums(&self, failure: Failure) -> Result<()> {
        match failure {
            Failure::Checksums(_) if self.checksums.swap(false, Ordering::Relaxed) => {
                tracing::warn!(endpoint = self.endpoint(), "the server refuses CRC64NVME checksums; sending without");
                Ok(())
            }
            Failure::Final(error) | Failure::Checksums(error) | Failure::Again(error) => Err(error),
        }
    }

    /// It was something else.
    fn with_checksums_after_all(&self, failure: Failure) -> Error {
        self.checksums.store(true, Ordering::Relaxed);
        match failure {
            Failure::Final(error) | Failure::Checksums(error) | Failure::Again(error) => error,
        }
    }

    /// Returns the ETag of the object under `key` if it is what was to be stored there.
    ///
    /// Sizes and the server's own checksum of the whole decide, where it keeps one; else the bytes are read back.
    pub(crate) async fn same_object(
        &self,
        bucket: &BucketName,
        key: &str,
        (size, md5, blake3, crc64): (u64, Md5, Blake3, Crc64),
    ) -> Result<Option<String>> {
        let found = match self.get_object_metadata(bucket, key).await {
            Ok(found) => found,
            Err(Error::ObjectNotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let same = found.size == size
            && match &found.crc64nvme {
                Some(theirs) => *theirs == crc64.to_string(),
                // The ETag of an object that was sent in one request is its MD5, but not on every server.
                None if found.etag == md5.to_string() => true,
                None => match self.fetch(bucket, key, size, Some(&found.etag), &Sink::Nothing, &|_| {}).await {
                    Ok((theirs, _)) => theirs == blake3,
                    Err(Error::WrongSize { .. } | Error::ObjectNotFound { .. }) => false,
                    Err(error) => return Err(error),
                },
            };
        Ok(same.then_some(found.etag))
    }
}

impl Pending {
    /// Sends the parts of a large file.
    async fn begin(&mut self, client: &S3Client, on_bytes: &(impl Fn(u64) + Sync)) -> Result<(), Failure> {
        self.parts = None;
        let source = self.open().await?;
        if source.size <= part_size(source.size) {
            return Ok(());
        }
        let counted = AtomicU64::new(0);
        let counting = |bytes| {
            counted.fetch_add(bytes, Ordering::Relaxed);
            on_bytes(bytes);
        };
        let sent = match self.send_parts(client, source, &counting).await {
            // What was there of an earlier upload stood in the way, and is gone now.
            Err(Failure::Again(_)) => {
                let owed = Mutex::new(counted.into_inner());
                let counting = |bytes: u64| {
                    let mut owed = owed.lock().unwrap_or_else(PoisonError::into_inner);
                    let known = bytes.min(*owed);
                    *owed -= known;
                    on_bytes(bytes - known);
                };
                let source = self.open().await?;
                self.send_parts(client, source, &counting).await?
            }
            sent => sent?,
        };
        self.parts = Some(sent);
        Ok(())
    }

    async fn open(&self) -> Result<Source> {
        let path = self.path.clone();
        blocking(move || Source::open(&path)).await
    }

    async fn finish(&mut self, client: &S3Client, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent, Failure> {
        match self.parts.take() {
            Some(parts) => self.complete(client, parts).await,
            None => self.send_whole(client, on_bytes).await,
        }
    }

    fn content_type(&self) -> String {
        match &self.options.content_type {
            Some(given) => given.clone(),
            None => mime_guess::from_path(&self.key).first_or_octet_stream().to_string(),
        }
    }

    fn condition(&self) -> Option<String> {
        self.options.if_absent.then(|| "*".to_owned())
    }

    fn refused<E>(&self, client: &S3Client, sums: bool, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let maybe_checksums = sums && dislikes_checksums(&error);
        let error = client.failed(About::object("store", &self.bucket, &self.key), error);
        if maybe_checksums { Failure::Checksums(error) } else { Failure::Final(error) }
    }

    /// Decides about a write that was to create an object and did not: what is there may be the same.
    async fn settle(&self, client: &S3Client, digests: (u64, Md5, Blake3, Crc64)) -> Result<String, Failure> {
        if let Some(etag) = client.same_object(&self.bucket, &self.key, digests).await? {
            return Ok(etag);
        }
        let error = Error::ObjectExists { bucket: self.bucket.clone(), key: self.key.clone() };
        if client.object_exists(&self.bucket, &self.key).await? {
            Err(Failure::Final(error))
        } else {
            // A conflict with a writer that lost as well, or whose object was deleted since.
            Err(Failure::Again(error))
        }
    }

    async fn send_whole(&self, client: &S3Client, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent, Failure> {
        let mut source = self.open().await?;
        if source.size > part_size(source.size) {
            return Err(source.changed().into());
        }
        let _memory = client.limits.memory(source.size).await;
        let (bytes, size, md5, part) = blocking(move || {
            let bytes = source.next()?.map_or_else(Bytes::new, |(_, bytes)| bytes);
            let (size, md5) = source.finish()?;
            Ok((bytes.clone(), size, md5, PartDigest::of(0, &bytes)))
        })
        .await?;
        let sums = client.sends_checksums();
        let (blake3, crc64) = merge(&[part]);
        let mut attempt = 1;
        let etag = loop {
            let sent = client
                .sdk
                .put_object()
                .bucket(self.bucket.as_str())
                .key(&self.key)
                .content_type(self.content_type())
                .set_metadata(Some(self.options.metadata.clone().into_iter().collect()))
                .set_if_none_match(self.condition())
                .set_checksum_crc64_nvme(sums.then(|| crc64.to_string()))
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .disable_payload_signing()
                .send()
                .await;
            match sent {
                Ok(answer) => break bare(answer.e_tag()),
                Err(error) if arrived_damaged(&error) && attempt < DAMAGED_ATTEMPTS => attempt += 1,
                Err(error) if self.options.if_absent && matches!(status(&error), Some(409 | 412)) => {
                    break self.settle(client, (size, md5, blake3, crc64)).await?;
                }
                Err(error) => return Err(self.refused(client, sums, error)),
            }
        };
        on_bytes(size);
        Ok(Sent { size, kept: 0, etag, md5, blake3, crc64 })
    }

    async fn send_parts(
        &self,
        client: &S3Client,
        source: Source,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<SentParts, Failure> {
        let found = if self.options.resume { client.cut_off(&self.bucket, &self.key).await? } else { None };
        let resumed = found.is_some();
        let (id, sums, there) = match found {
            Some(found) => (found.upload_id, found.checksums, found.parts),
            None => {
                let sums = client.sends_checksums();
                let created = client
                    .sdk
                    .create_multipart_upload()
                    .bucket(self.bucket.as_str())
                    .key(&self.key)
                    .content_type(self.content_type())
                    .set_metadata(Some(self.options.metadata.clone().into_iter().collect()))
                    .set_checksum_algorithm(sums.then_some(ChecksumAlgorithm::Crc64Nvme))
                    .set_checksum_type(sums.then_some(ChecksumType::FullObject))
                    .send()
                    .await;
                let id = upload_id(created).map_err(|error| self.refused(client, sums, error))?;
                (id, sums, BTreeMap::new())
            }
        };
        let sent = self.send_all(client, &id, sums, there, source, on_bytes).await;
        if let Err(failure) = &sent {
            let may_go_on = matches!(failure, Failure::Final(Error::Unavailable { .. } | Error::Unreachable { .. }));
            if !(self.options.resume && may_go_on) {
                // The parts would be paid for and seen by nobody. If this fails too, the first failure says more.
                let _ = client.abort_multipart_upload(&self.bucket, &self.key, &id).await;
            }
        }
        // A part cannot always be sent again with other bytes: `rclone serve s3` has passed it on already.
        sent.map_err(|failure| match failure {
            Failure::Final(error @ Error::Service { .. }) if resumed => Failure::Again(error),
            failure => failure,
        })
    }

    async fn send_all(
        &self,
        client: &S3Client,
        id: &str,
        sums: bool,
        mut there: BTreeMap<i32, StoredPart>,
        source: Source,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<SentParts, Failure> {
        let (queue, mut read) = mpsc::channel(1);
        let (limits, runtime) = (client.limits.clone(), Handle::current());
        let reader = tokio::spawn(blocking(move || read_parts(source, &limits, &runtime, &queue)));
        let mut sending = JoinSet::new();
        let mut done: Vec<(PartDigest, CompletedPart)> = Vec::new();
        let mut kept = 0;
        loop {
            tokio::select! {
                Some(next) = read.recv() => {
                    let part = Part {
                        number: next.number,
                        offset: next.offset,
                        bytes: next.bytes,
                        sums,
                        there: there.remove(&next.number),
                    };
                    let call = part.call(client, &self.bucket, &self.key, id);
                    sending.spawn(async move { let sent = call.await; drop(next.memory); sent });
                }
                Some(sent) = sending.join_next() => {
                    let sent = joined(sent);
                    let part = sent.map_err(|error| self.refused(client, sums, error))?;
                    on_bytes(part.len);
                    kept += if part.kept { part.len } else { 0 };
                    done.push((part.digest, part.completed));
                }
                else => break,
            }
        }
        let read = joined(reader.await);
        let (size, md5) = read?;
        done.sort_by_key(|(_, part)| part.part_number());
        let (digests, parts): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        let (blake3, crc64) = merge(&digests);
        Ok(SentParts { id: id.to_owned(), sums, parts, size, kept, md5, blake3, crc64 })
    }

    async fn complete(&self, client: &S3Client, sent: SentParts) -> Result<Sent, Failure> {
        let SentParts { id, sums, parts, size, kept, md5, blake3, crc64 } = sent;
        let answer = client
            .sdk
            .complete_multipart_upload()
            .bucket(self.bucket.as_str())
            .key(&self.key)
            .upload_id(&id)
            .set_if_none_match(self.condition())
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_checksum_crc64_nvme(sums.then(|| crc64.to_string()))
            .set_checksum_type(sums.then_some(ChecksumType::FullObject))
            .send()
            .await;
        let digests = (size, md5, blake3, crc64);
        let etag = match answer {
            Ok(answer) => bare(answer.e_tag()),
            // A repeated Complete whose first reply was lost, or somebody aborted the upload.
            Err(error) if code(&error) == Some("NoSuchUpload") => {
                match client.same_object(&self.bucket, &self.key, digests).await? {
                    Some(etag) => etag,
                    None => return Err(self.refused(client, false, error)),
                }
            }
            Err(error) if self.options.if_absent && matches!(status(&error), Some(409 | 412)) => {
                let settled = self.settle(client, digests).await;
                // Whatever is there, these parts are not needed.
                let _ = client.abort_multipart_upload(&self.bucket, &self.key, &id).await;
                settled?
            }
            Err(error) => return Err(self.refused(client, sums, error)),
        };
        Ok(Sent { size, kept, etag, md5, blake3, crc64 })
    }
}
