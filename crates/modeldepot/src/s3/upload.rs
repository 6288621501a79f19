//! From a file to an object: one read, digests from the same buffers that go on the wire.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::answer::{About, code, dislikes_checksums};
use super::client::{S3Client, UploadOptions, bare};
use super::parts::{Limits, part_size, parts};
use crate::digest::{Blake3, Crc64, Md5, Md5Stream, PartDigest, merge};
use crate::error::{Error, Result, SourceError};
use crate::name::BucketName;
use crate::place::blocking;

/// How often a part that arrived damaged is sent.
const DAMAGED_ATTEMPTS: usize = 3;

/// What was stored, as it was read and as the server named it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) md5: Md5,
    pub(crate) blake3: Blake3,
    pub(crate) crc64: Crc64,
}

/// Why an attempt failed: for good, or perhaps because the server does not know our checksum.
enum Failure {
    Final(Error),
    Checksums(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

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
        let job = Job { client: self, path, bucket, key, options };
        match job.attempt(on_bytes).await {
            Ok(sent) => Ok(sent),
            Err(Failure::Final(error)) => Err(error),
            // Once for each client: from here on no request carries the header.
            Err(Failure::Checksums(_)) if self.checksums.swap(false, Ordering::Relaxed) => {
                tracing::warn!(endpoint = self.endpoint(), "the server refuses CRC64NVME checksums; sending without");
                match job.attempt(on_bytes).await {
                    Ok(sent) => Ok(sent),
                    Err(Failure::Final(error) | Failure::Checksums(error)) => {
                        // It was something else.
                        self.checksums.store(true, Ordering::Relaxed);
                        Err(error)
                    }
                }
            }
            Err(Failure::Checksums(error)) => Err(error),
        }
    }
}

/// Computes the digests of a file without sending it anywhere.
pub(crate) async fn digest_file(path: &Path) -> Result<(u64, Md5, Blake3, Crc64)> {
    let path = path.to_owned();
    blocking(move || {
        let mut source = Source::open(&path)?;
        let mut digests = Vec::new();
        while let Some((offset, bytes)) = source.next()? {
            digests.push(PartDigest::of(offset, &bytes));
        }
        let (size, md5) = source.finish()?;
        if digests.is_empty() {
            digests.push(PartDigest::of(0, &[]));
        }
        let (blake3, crc64) = merge(&digests);
        Ok((size, md5, blake3, crc64))
    })
    .await
}

struct Job<'a> {
    client: &'a S3Client,
    path: &'a Path,
    bucket: &'a BucketName,
    key: &'a str,
    options: &'a UploadOptions,
}

impl Job<'_> {
    async fn attempt(&self, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent, Failure> {
        let path = self.path.to_owned();
        let source = blocking(move || Source::open(&path)).await?;
        if source.size <= part_size(source.size) {
            self.send_whole(source, on_bytes).await
        } else {
            self.send_parts(source, on_bytes).await
        }
    }

    fn content_type(&self) -> String {
        match &self.options.content_type {
            Some(given) => given.clone(),
            None => mime_guess::from_path(self.key).first_or_octet_stream().to_string(),
        }
    }

    fn refused<E>(&self, sums: bool, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let maybe_checksums = sums && dislikes_checksums(&error);
        let error = self.client.failed(About::object("store", self.bucket, self.key), error);
        if maybe_checksums { Failure::Checksums(error) } else { Failure::Final(error) }
    }

    async fn send_whole(&self, mut source: Source, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent, Failure> {
        let _memory = self.client.limits.memory(source.size).await;
        let (bytes, size, md5, part) = blocking(move || {
            let bytes = source.next()?.map_or_else(Bytes::new, |(_, bytes)| bytes);
            let (size, md5) = source.finish()?;
            Ok((bytes.clone(), size, md5, PartDigest::of(0, &bytes)))
        })
        .await?;
        let sums = self.client.sends_checksums();
        let mut attempt = 1;
        let answer = loop {
            let sent = self
                .client
                .sdk
                .put_object()
                .bucket(self.bucket.as_str())
                .key(self.key)
                .content_type(self.content_type())
                .set_metadata(Some(self.options.metadata.clone().into_iter().collect()))
                .set_checksum_crc64_nvme(sums.then(|| part.crc64().to_string()))
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .disable_payload_signing()
                .send()
                .await;
            match sent {
                Ok(answer) => break answer,
                Err(error) if arrived_damaged(&error) && attempt < DAMAGED_ATTEMPTS => attempt += 1,
                Err(error) => return Err(self.refused(sums, error)),
            }
        };
        on_bytes(size);
        let (blake3, crc64) = merge(&[part]);
        Ok(Sent { size, etag: bare(answer.e_tag()), md5, blake3, crc64 })
    }

    async fn send_parts(&self, source: Source, on_bytes: &(impl Fn(u64) + Sync)) -> Result<Sent, Failure> {
        let sums = self.client.sends_checksums();
        let created = self
            .client
            .sdk
            .create_multipart_upload()
            .bucket(self.bucket.as_str())
            .key(self.key)
            .content_type(self.content_type())
            .set_metadata(Some(self.options.metadata.clone().into_iter().collect()))
            .set_checksum_algorithm(sums.then_some(ChecksumAlgorithm::Crc64Nvme))
            .set_checksum_type(sums.then_some(ChecksumType::FullObject))
            .send()
            .await
            .map_err(|error| self.refused(sums, error))?;
        let id = created.upload_id().unwrap_or_default();
        let sent = self.send_all(id, sums, source, on_bytes).await;
        if sent.is_err() {
            // The parts would be paid for and seen by nobody. If this fails too, the first failure says more.
            let _ = self.client.abort_multipart_upload(self.bucket, self.key, id).await;
        }
        sent
    }

    async fn send_all(
        &self,
        id: &str,
        sums: bool,
        source: Source,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Sent, Failure> {
        let (queue, mut read) = mpsc::channel(1);
        let (limits, runtime) = (self.client.limits.clone(), Handle::current());
        let reader = tokio::spawn(blocking(move || read_parts(source, &limits, &runtime, &queue)));
        let mut sending = JoinSet::new();
        let mut done: Vec<(PartDigest, CompletedPart)> = Vec::new();
        loop {
            tokio::select! {
                Some(next) = read.recv() => {
                    let part = Part { number: next.number, offset: next.offset, bytes: next.bytes, sums };
                    let call = part.call(self.client, self.bucket, self.key, id);
                    sending.spawn(async move { let sent = call.await; drop(next.memory); sent });
                }
                Some(sent) = sending.join_next() => {
                    let sent = sent.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
                    let (part, digest, len) = sent.map_err(|error| self.refused(sums, error))?;
                    on_bytes(len);
                    done.push((digest, part));
                }
                else => break,
            }
        }
        let read = reader.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
        let (size, md5) = read?;
        done.sort_by_key(|(_, part)| part.part_number());
        let (digests, parts): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        let (blake3, crc64) = merge(&digests);
        let etag = self.complete(id, parts, size, sums.then_some(crc64)).await?;
        Ok(Sent { size, etag, md5, blake3, crc64 })
    }

    async fn complete(
        &self,
        id: &str,
        parts: Vec<CompletedPart>,
        size: u64,
        crc64: Option<Crc64>,
    ) -> Result<String, Failure> {
        let sent = self
            .client
            .sdk
            .complete_multipart_upload()
            .bucket(self.bucket.as_str())
            .key(self.key)
            .upload_id(id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_checksum_crc64_nvme(crc64.map(|crc| crc.to_string()))
            .set_checksum_type(crc64.map(|_| ChecksumType::FullObject))
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(bare(answer.e_tag())),
            // A repeated Complete whose first reply was lost. The object is ours if it is what we sent.
            Err(error) if code(&error) == Some("NoSuchUpload") && crc64.is_some() => {
                match self.client.get_object_metadata(self.bucket, self.key).await {
                    Ok(found) if found.size == size && found.crc64nvme == crc64.map(|crc| crc.to_string()) => {
                        Ok(found.etag)
                    }
                    _ => Err(self.refused(false, error)),
                }
            }
            Err(error) => Err(self.refused(crc64.is_some(), error)),
        }
    }
}

/// Returns true when the server says that the bytes are not those that were sent.
fn arrived_damaged<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(code(error), Some("BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest"))
}

/// A part on its way.
struct Part {
    number: i32,
    offset: u64,
    bytes: Bytes,
    sums: bool,
}

type PartResult = Result<
    (CompletedPart, PartDigest, u64),
    SdkError<aws_sdk_s3::operation::upload_part::UploadPartError, HttpResponse>,
>;

impl Part {
    /// Hashes the part off the reactor, then sends it.
    fn call(
        self,
        client: &S3Client,
        bucket: &BucketName,
        key: &str,
        id: &str,
    ) -> impl Future<Output = PartResult> + Send + use<> {
        let (sdk, bucket, key, id) = (client.sdk.clone(), bucket.to_string(), key.to_owned(), id.to_owned());
        async move {
            let (offset, bytes) = (self.offset, self.bytes.clone());
            let hashed = tokio::task::spawn_blocking(move || PartDigest::of(offset, &bytes)).await;
            let digest = hashed.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
            let crc64 = self.sums.then(|| digest.crc64().to_string());
            let mut attempt = 1;
            let answer = loop {
                let sent = sdk
                    .upload_part()
                    .bucket(&bucket)
                    .key(&key)
                    .upload_id(&id)
                    .part_number(self.number)
                    .set_checksum_crc64_nvme(crc64.clone())
                    .body(ByteStream::from(self.bytes.clone()))
                    .customize()
                    .disable_payload_signing()
                    .send()
                    .await;
                match sent {
                    Ok(answer) => break answer,
                    Err(error) if arrived_damaged(&error) && attempt < DAMAGED_ATTEMPTS => attempt += 1,
                    Err(error) => return Err(error),
                }
            };
            let part = CompletedPart::builder()
                .part_number(self.number)
                .set_e_tag(answer.e_tag)
                .set_checksum_crc64_nvme(crc64)
                .build();
            Ok((part, digest, self.bytes.len() as u64))
        }
    }
}

/// A part as it was read, with the right to hold it in memory.
struct ReadPart {
    number: i32,
    offset: u64,
    bytes: Bytes,
    memory: OwnedSemaphorePermit,
}

/// Reads a file part by part as memory allows. Ends early, without an error, when nobody takes the parts any more.
fn read_parts(
    mut source: Source,
    limits: &Limits,
    runtime: &Handle,
    queue: &mpsc::Sender<ReadPart>,
) -> Result<(u64, Md5)> {
    let mut number = 0;
    loop {
        let memory = runtime.block_on(limits.memory(part_size(source.size)));
        let Some((offset, bytes)) = source.next()? else { return source.finish() };
        number += 1;
        if queue.blocking_send(ReadPart { number, offset, bytes, memory }).is_err() {
            return source.finish();
        }
    }
}

/// A file being read in order, once.
struct Source {
    path: PathBuf,
    file: File,
    at_start: Metadata,
    size: u64,
    parts: Box<dyn Iterator<Item = (u64, u64)> + Send>,
    md5: Md5Stream,
}

impl Source {
    fn open(path: &Path) -> Result<Source> {
        let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SourceError::Missing { path: path.to_owned() }.into());
            }
            Err(error) => return Err(unreadable(error).into()),
        };
        let at_start = file.metadata().map_err(unreadable)?;
        if at_start.is_dir() {
            return Err(SourceError::Folder { path: path.to_owned() }.into());
        }
        if !at_start.is_file() {
            return Err(SourceError::NotAFile { path: path.to_owned() }.into());
        }
        let size = at_start.len();
        let (path, parts, md5) = (path.to_owned(), Box::new(parts(size)), Md5Stream::default());
        Ok(Source { path, file, at_start, size, parts, md5 })
    }

    fn changed(&self) -> Error {
        SourceError::Changed { path: self.path.clone() }.into()
    }

    /// Returns the next part and its offset.
    fn next(&mut self) -> Result<Option<(u64, Bytes)>> {
        let Some((offset, len)) = self.parts.next() else { return Ok(None) };
        let mut bytes = vec![0; len as usize];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.changed()),
            Err(source) => return Err(SourceError::Unreadable { path: self.path.clone(), source }.into()),
        }
        self.md5.update(&bytes);
        Ok(Some((offset, Bytes::from(bytes))))
    }

    /// Returns the file's size and MD5, after making sure that nobody wrote to it meanwhile.
    fn finish(mut self) -> Result<(u64, Md5)> {
        let unreadable = |source| SourceError::Unreadable { path: self.path.clone(), source };
        let now = self.file.metadata().map_err(unreadable)?;
        let more = self.file.read(&mut [0]).map_err(unreadable)? > 0;
        let rewritten = now.modified().ok() != self.at_start.modified().ok();
        if more || rewritten || now.len() != self.size {
            return Err(self.changed());
        }
        Ok((self.size, self.md5.finish()))
    }
}
