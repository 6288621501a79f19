//! [`S3Client`] and the types of its operations, which are in the other files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::types::StorageClass;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;

use super::clock::Clock;
use super::connect::{self, Clients};
use super::transfer::checksum::Checksum;
use super::transfer::limits::Limits;
use crate::error::Result;
use crate::model::name::BucketName;
use crate::model::prefix::KeyPrefix;
use crate::setters::setters;
use crate::settings::{Addressing, Settings, Timeouts};

/// An S3 service at one endpoint, with one login. Cheap to clone.
#[derive(Clone)]
pub struct S3Client {
    pub(super) sdk: Arc<Clients>,
    pub(super) limits: Limits,
    /// False once the server has refused or ignored CRC64NVME; then an MD5 is sent with the bytes.
    crc64: Arc<AtomicBool>,
    place: Arc<Place>,
    pub(super) clock: Clock,
    /// The prefix of all keys; see [`super::prefixed`].
    pub(super) prefix: KeyPrefix,
}

/// The address of the service, for messages and URLs.
struct Place {
    endpoint: String,
    /// Whether the endpoint has a path, which may be the name of a bucket.
    has_path: bool,
    /// Whether encryption is requested for stored objects.
    encrypts: bool,
    region: String,
    virtual_host: bool,
    timeouts: Timeouts,
    storage_class: Option<StorageClass>,
}

impl std::fmt::Debug for S3Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Client({})", self.endpoint())
    }
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The ETag without quotes. Empty if the server sends none.
    pub etag: String,
    /// When it was last written, by the server's clock.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub modified: Option<OffsetDateTime>,
}

/// What the server stores about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ObjectMetadata {
    /// The size in bytes.
    pub size: u64,
    /// The ETag without quotes.
    pub etag: String,
    /// When it was last written, by the server's clock.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub modified: Option<OffsetDateTime>,
    /// The media type.
    pub content_type: Option<String>,
    /// The user's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The CRC64NVME of the whole object in base64, if the server has one.
    pub crc64nvme: Option<String>,
}

/// How to store a file.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UploadOptions {
    /// The media type; by default guessed from the key's extension.
    pub content_type: Option<String>,
    /// The user's metadata: printable ASCII.
    pub metadata: BTreeMap<String, String>,
    /// Store it only if there is no such object. If one with the same bytes exists, that is success.
    pub if_absent: bool,
    /// Resume an interrupted upload of the same key. A part is not sent again if the server's checksum of it matches
    /// the local bytes.
    pub resume: bool,
    /// Keep the parts on the server after a transient failure, so that a later upload can resume.
    pub keep_parts: bool,
    /// Do not compute an MD5 of the file: for hosts that send faster than its 0.7 GB/s.
    pub without_md5: bool,
}

setters!(UploadOptions {
    some_into content_type: String,
    value metadata: BTreeMap<String, String>,
    value if_absent: bool,
    value resume: bool,
    value keep_parts: bool,
    value without_md5: bool,
});

/// The result of a create-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object was stored.
    Now,
    /// The server reported an existing object. Read it back to see which.
    Refused,
}

/// What a presigned URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresignedMethod {
    /// Fetch the object.
    Get,
    /// Store the object.
    Put,
}

impl S3Client {
    /// Creates a client for the settings' endpoint. Sends nothing.
    ///
    /// # Errors
    /// [`crate::Error::Other`] of kind [`crate::ErrorKind::Invalid`] when the file of certificate authorities cannot be
    /// used.
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
            storage_class: settings.writing.storage_class.as_deref().map(StorageClass::from),
        };
        let clock = Clock::default();
        Ok(S3Client {
            sdk: Arc::new(connect::connect(settings, &clock).await?),
            limits: Limits::new(settings.limit_rate),
            crc64: Arc::new(AtomicBool::new(true)),
            place: Arc::new(place),
            clock,
            prefix: KeyPrefix::default(),
        })
    }

    /// Like [`S3Client::connect`], for the models' own keys: those below the settings' prefix.
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

    /// Returns the storage class of files, if one is set. Records and manifests have none, since they are small and
    /// read often.
    pub(super) fn storage_class(&self) -> Option<StorageClass> {
        self.place.storage_class.clone()
    }

    /// Returns true when the endpoint has a path.
    pub(super) fn has_path(&self) -> bool {
        self.place.has_path
    }

    /// Returns true when encryption is requested for stored objects.
    pub(super) fn encrypts(&self) -> bool {
        self.place.encrypts
    }

    pub(super) fn region(&self) -> &str {
        &self.place.region
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.place.timeouts
    }

    /// Returns the unsigned URL of an object.
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
            // The endpoint's own path comes first.
            path.pop_if_empty().extend(segments);
        }
        url.to_string()
    }

    /// Returns the kind of checksum sent with bytes to this server.
    pub(super) fn checksum(&self) -> Checksum {
        if self.crc64.load(Ordering::Relaxed) { Checksum::Crc64 } else { Checksum::Md5 }
    }

    /// Stops sending CRC64NVME. Returns true when it was sent until now.
    pub(crate) fn use_md5(&self) -> bool {
        self.crc64.swap(false, Ordering::Relaxed)
    }
}
