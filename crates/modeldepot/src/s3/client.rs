//! [`S3Client`]: the document's nine verbs, and what publishing needs beside them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{BucketLocationConstraint, ChecksumMode, CreateBucketConfiguration, StorageClass};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::clock::Clock;
use super::connect::{self, Clients};
use super::error::{About, code, is_undecided, status};
use super::http::connector::Silent;
use super::http::timeouts;
use super::region::is_moved;
use super::retry::Retry;
use super::transfer::checksum::Checksum;
use super::transfer::concurrency::Concurrency;
use super::transfer::download::range::ranged;
use super::transfer::download::{Landing, Sink};
use super::transfer::limits::Limits;
use crate::error::{Error, Result};
use crate::fs;
use crate::model::digest::Crc64;
use crate::model::key::creatable;
use crate::model::name::BucketName;
use crate::model::prefix::KeyPrefix;
use crate::settings::{Addressing, Settings, Timeouts};
use crate::settings::{Proxies, Proxy};

/// What is wrong with a success that names no object.
const NO_ETAG: &str = "it answers that the object is stored, and gives no ETag, as S3 does";

/// What a small object must bring a second to be waited for longer than a small request.
const SLOWEST: u64 = 32 * 1024;

/// An S3 service, at one endpoint with one login. Cheap to clone.
#[derive(Clone)]
pub struct S3Client {
    pub(super) sdk: Arc<Clients>,
    pub(super) limits: Limits,
    /// False once the server refused or ignored CRC64NVME; then an MD5 goes with the bytes.
    crc64: Arc<AtomicBool>,
    place: Arc<Place>,
    pub(super) clock: Clock,
    /// Where keys begin; see [`super::prefixed`].
    pub(super) prefix: KeyPrefix,
}

/// Where the service is, for messages and URLs.
struct Place {
    endpoint: String,
    /// The endpoint has a path, which may be the name of a bucket.
    has_path: bool,
    /// What is written is to be encrypted.
    encrypts: bool,
    region: String,
    virtual_host: bool,
    timeouts: Timeouts,
    proxies: Proxies,
    storage_class: Option<StorageClass>,
}

impl std::fmt::Debug for S3Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Client({})", self.endpoint())
    }
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The ETag, with its quotes taken off. Empty where the server sends none.
    pub etag: String,
    /// When it was last written, by the server's clock.
    pub modified: Option<OffsetDateTime>,
}

/// What the server keeps about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// The size in bytes.
    pub size: u64,
    /// The ETag, with its quotes taken off.
    pub etag: String,
    /// When it was last written, by the server's clock.
    pub modified: Option<OffsetDateTime>,
    /// The media type.
    pub content_type: Option<String>,
    /// The user's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The CRC64NVME of the whole object in base64, where the server keeps one.
    pub crc64nvme: Option<String>,
}

/// How to store a file.
#[derive(Debug, Clone, Default)]
pub struct UploadOptions {
    /// The media type; none guesses it from the key's ending.
    pub content_type: Option<String>,
    /// The user's metadata: printable ASCII.
    pub metadata: BTreeMap<String, String>,
    /// Store it only if nothing is there. The same bytes being there already is success.
    pub if_absent: bool,
    /// Go on with an upload of the same key that was cut off. A part is not sent again when the server's checksum
    /// of it is that of the bytes that would be sent.
    pub resume: bool,
    /// Leave the parts with the server after a failure that may pass, so that a later upload can resume.
    pub keep_parts: bool,
    /// Compute no MD5 of the file: for hosts that send faster than the 0.7 GB/s that it reaches.
    pub without_md5: bool,
}

/// Why a small object is not in memory.
enum Gathered {
    TooLarge(Error),
    BrokeOff(Box<dyn std::error::Error + Send + Sync>),
}

/// What became of a create-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is there, and it is ours.
    Now,
    /// The server said that an object is there. Read it back to know which.
    Refused,
}

/// What a presigned URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresignedMethod {
    /// Fetch the object.
    Get,
    /// Store the object.
    Put,
}

impl S3Client {
    /// Prepares a client for the settings' endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Settings`] when the file of certificate authorities cannot be used.
    pub async fn connect(settings: &Settings) -> Result<S3Client> {
        let endpoint = match &settings.endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => format!("https://s3.{}.amazonaws.com", settings.region),
        };
        let virtual_host = match settings.addressing {
            Addressing::Auto => settings.endpoint.is_none(),
            Addressing::Path => false,
            Addressing::VirtualHost => true,
        };
        let place = Place {
            endpoint,
            has_path: settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.url().path() != "/"),
            encrypts: settings.writing.encryption.is_some(),
            region: settings.region.clone(),
            virtual_host,
            timeouts: settings.timeouts,
            proxies: settings.proxies.clone(),
            storage_class: settings.writing.storage_class.as_deref().map(StorageClass::from),
        };
        let clock = Clock::default();
        Ok(S3Client {
            sdk: Arc::new(connect::connect(settings, &clock).await?),
            limits: Limits::new(),
            crc64: Arc::new(AtomicBool::new(true)),
            place: Arc::new(place),
            clock,
            prefix: KeyPrefix::default(),
        })
    }

    /// The same, for the models' own keys: those that begin at the settings' prefix.
    ///
    /// # Errors
    /// As [`S3Client::connect`].
    pub async fn connect_depot(settings: &Settings) -> Result<S3Client> {
        Ok(S3Client::connect(settings).await?.below(&settings.prefix))
    }

    /// Returns the endpoint's address.
    pub fn endpoint(&self) -> &str {
        &self.place.endpoint
    }

    /// Returns the forward proxy that requests to a URL go through, if any.
    pub fn proxy(&self, url: &str) -> Option<&Proxy> {
        self.place.proxies.route(&Url::parse(url).ok()?)
    }

    /// Returns the storage class of files, where one is set. Records and manifests are small and read often: they have none.
    pub(super) fn storage_class(&self) -> Option<StorageClass> {
        self.place.storage_class.clone()
    }

    /// Returns true when the endpoint has a path.
    pub(super) fn has_path(&self) -> bool {
        self.place.has_path
    }

    /// Returns true when what is written is to be encrypted.
    pub(super) fn encrypts(&self) -> bool {
        self.place.encrypts
    }

    pub(super) fn region(&self) -> &str {
        &self.place.region
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.place.timeouts
    }

    /// Returns the address of an object, unsigned.
    pub fn object_url(&self, bucket: &BucketName, key: &str) -> String {
        let Ok(mut url) = Url::parse(&self.place.endpoint) else { return String::new() };
        let key = self.prefix.whole(key);
        let mut segments: Vec<&str> = key.split('/').collect();
        if self.place.virtual_host {
            let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
            if url.set_host(Some(&host)).is_err() {
                return String::new();
            }
        } else {
            segments.insert(0, bucket.as_str());
        }
        if let Ok(mut path) = url.path_segments_mut() {
            // What the endpoint has of a path comes first.
            path.pop_if_empty().extend(segments);
        }
        url.to_string()
    }

    /// Makes a bucket. Returns false when it was there already and is the caller's own.
    pub async fn create_bucket(&self, bucket: &BucketName) -> Result<bool> {
        let about = About::bucket("create", bucket);
        // AWS answers 200 for one's own bucket in us-east-1, other servers a conflict: ask first, to tell the same.
        match self.bucket_exists(bucket).await {
            Ok(true) => return Ok(false),
            // Somebody else's, or one that the login may make and not look at: the server says which.
            Ok(false) | Err(Error::Denied { .. }) => Box::pin(self.confirm(bucket)).await?,
            Err(error) => return Err(error),
        }
        // us-east-1 is the one region that must not be named.
        let place = (self.region() != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region()))
                .build()
        });
        let create = || self.sdk.small.create_bucket().bucket(bucket.as_str());
        match self.asked(|| create().set_create_bucket_configuration(place.clone()).send()).await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == Some("BucketAlreadyOwnedByYou") => Ok(false),
            // Some servers say this of one's own bucket as well.
            Err(error) if code(&error) == Some("BucketAlreadyExists") => match self.bucket_exists(bucket).await {
                Ok(true) => Ok(false),
                _ => Err(self.failed(about, error)),
            },
            Err(error) => Err(self.failed(about, error)),
        }
    }

    /// Returns true when the bucket exists and the caller may see it.
    pub async fn bucket_exists(&self, bucket: &BucketName) -> Result<bool> {
        if !self.prefix.is_empty() {
            // A policy for one folder allows to list that folder, and no HEAD of the bucket.
            return match Box::pin(self.any_object(bucket, "")).await {
                Ok(_) => Ok(true),
                Err(Error::BucketNotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            };
        }
        match self.asked(|| self.sdk.small.head_bucket().bucket(bucket.as_str()).send()).await {
            Ok(_) => Box::pin(self.confirm(bucket)).await.map(|()| true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(self.failed(About::bucket("look at", bucket), error)),
        }
    }

    /// Asks for what only a bucket of S3 answers, where the answer to a HEAD may be that of anything: of a server that says
    /// yes to everything, or of an object, where the endpoint's path is the name of a bucket.
    pub(super) async fn confirm(&self, bucket: &BucketName) -> Result<()> {
        if self.sdk.peer.is_s3() && !self.has_path() {
            return Ok(());
        }
        match Box::pin(self.any_object(bucket, "")).await {
            Err(error @ (Error::NotS3 { .. } | Error::Settings(_))) => Err(error),
            // A login may look at a bucket and not list it.
            _ => Ok(()),
        }
    }

    /// Stores a file under a key, in parts when it is large, each with its checksum.
    ///
    /// # Errors
    /// [`Error::Name`] for a key that listings cannot show, [`Error::Source`] when the file cannot be read or changes
    /// meanwhile, else what the server said.
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
        let mut stored = self.get_object_metadata(bucket, key).await?;
        if let (None, Some(crc64)) = (&stored.crc64nvme, sent.digests.crc64) {
            stored.crc64nvme = Some(crc64.to_string());
        }
        Ok(stored)
    }

    /// Fetches an object into a file, which appears under its name only when it is complete. Where the server keeps
    /// a checksum of the whole object, the bytes are held against it. Returns their number.
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
            return Err(Error::WrongDigest { path: key.to_owned(), algorithm: "CRC64NVME", expected, found });
        }
        staged.persist().await?;
        Ok(stored.size)
    }

    /// Deletes an object. One that does not exist counts as deleted, as S3 has it.
    pub async fn delete_object(&self, bucket: &BucketName, key: &str) -> Result<()> {
        let sent = self.asked(|| self.sdk.small.delete_object().bucket(bucket.as_str()).key(key).send()).await;
        sent.map(drop).map_err(|error| self.failed(About::object("delete", bucket, key), error))
    }

    /// Returns what the server keeps about an object.
    ///
    /// # Errors
    /// [`Error::ObjectNotFound`] when there is none, or no such bucket: a HEAD does not tell the two apart.
    pub async fn get_object_metadata(&self, bucket: &BucketName, key: &str) -> Result<ObjectMetadata> {
        let about = About::object("look at", bucket, key);
        let head = || self.sdk.small.head_object().bucket(bucket.as_str()).key(key);
        let sent = self.asked(|| head().checksum_mode(ChecksumMode::Enabled).send()).await;
        let head = sent.map_err(|error| self.failed(about, error))?;
        let size = match head.content_length().and_then(|size| u64::try_from(size).ok()) {
            Some(size) => size,
            // A proxy may leave it out of what has no body. Unknown is not empty.
            None => Box::pin(self.size_of(bucket, key, head.e_tag())).await?,
        };
        Ok(ObjectMetadata {
            size,
            etag: bare(head.e_tag()),
            modified: head.last_modified().and_then(moment),
            content_type: head.content_type().map(str::to_owned),
            metadata: head.metadata().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            // A composite checksum, `…-3`, is of the parts' checksums and says nothing about the whole. Nor does one of
            // another length, as moto makes of parts.
            crc64nvme: head.checksum_crc64_nvme().filter(|crc| crc.parse::<Crc64>().is_ok()).map(str::to_owned),
        })
    }

    /// Returns the size of an object whose head does not have it: it comes with each range.
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
            // Of nothing there is no first byte.
            Err(error) if status(&error) == Some(416) => Ok(0),
            Err(error) => Err(self.failed(about, error)),
        }
    }

    /// Returns true when the object exists.
    pub async fn object_exists(&self, bucket: &BucketName, key: &str) -> Result<bool> {
        match self.get_object_metadata(bucket, key).await {
            Ok(_) => Ok(true),
            Err(Error::ObjectNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores a small object if none is there, decided by the server.
    ///
    /// Sent until it is answered, and no more: a repeated create cannot tell its own first success from somebody
    /// else's.
    ///
    /// # Errors
    /// An error does not say that nothing was stored: the reply may have been lost. Read back to know.
    pub async fn put_if_absent(
        &self,
        bucket: &BucketName,
        key: &str,
        body: Bytes,
        content_type: &str,
    ) -> Result<Created> {
        self.put_if_absent_with(bucket, key, body, content_type, &BTreeMap::new()).await
    }

    /// The same, with the user's metadata.
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
            // One of its own: it is sent once, where others are sent until their time is over.
            let most = self.most_for(&body);
            let error = match timeout(most, sent).await {
                // Without an ETag it is not S3's answer, and says nothing of what became of the object.
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
            // Nothing was stored, and nothing says that anybody else's will be: this is no refusal yet.
            let error = self.failed(About::object("create", bucket, key), error);
            if !undecided {
                return Err(error);
            }
            retry.again(error).await?;
        }
    }

    /// Stores a small object, whatever is there.
    pub async fn put_small(&self, bucket: &BucketName, key: &str, body: Bytes, content_type: &str) -> Result<()> {
        self.put_small_with(bucket, key, body, content_type, &BTreeMap::new()).await
    }

    /// The same, with the user's metadata.
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

    /// Returns how long a small object may take on its way, with all repetitions: longer where it is not so small.
    fn most_for(&self, body: &Bytes) -> Duration {
        timeouts::small(self.timeouts()) + Duration::from_secs(body.len() as u64 / SLOWEST)
    }

    /// Returns the client for a body of this size: one that is more than a second's worth is watched as it goes.
    fn for_body(&self, body: &Bytes) -> &aws_sdk_s3::Client {
        if body.len() as u64 > SLOWEST { &self.sdk.writing } else { &self.sdk.small }
    }

    /// Returns the bytes of a small object, or none when it does not exist.
    ///
    /// # Errors
    /// [`Error::WrongSize`] when it is larger than `limit`, which guards the memory against a hostile bucket.
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

    /// Reads a body into memory, as long as it is no longer than `limit`, whatever its head says of its length.
    async fn gather(
        &self,
        key: &str,
        answer: GetObjectOutput,
        limit: u64,
        over: &mut Instant,
    ) -> Result<Bytes, Gathered> {
        let too_large = |found| Gathered::TooLarge(Error::WrongSize { path: key.to_owned(), expected: limit, found });
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

    /// Returns the checksum that goes with bytes to this server.
    pub(super) fn checksum(&self) -> Checksum {
        if self.crc64.load(Ordering::Relaxed) { Checksum::Crc64 } else { Checksum::Md5 }
    }

    /// Sends no CRC64NVME any more. Returns true when it was sent until now.
    pub(crate) fn use_md5(&self) -> bool {
        self.crc64.swap(false, Ordering::Relaxed)
    }

    /// Lets fewer requests go at once, if that is what the server asked for.
    pub(super) fn slow_down_after<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E, HttpResponse>,
        concurrency: &Concurrency,
    ) {
        if matches!(status(error), Some(429 | 503)) {
            concurrency.slow_down();
        }
    }

    /// Translates a request that the SDK would not even build.
    pub(super) fn failed_locally(&self, about: About<'_>, error: &(dyn std::error::Error + 'static)) -> Error {
        self.broke_off(about, error)
    }
}

/// Returns an ETag without its quotes.
pub(super) fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

pub(super) fn moment(time: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok()
}
