//! What this server really does with conditions, checksums and copies.
//!
//! Servers answer 200 to headers that they ignore, so nothing is taken from a name or a version: writers race, wrong
//! checksums are sent, and the outcome is looked at.

use std::sync::atomic::Ordering;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::retry::RetryConfig;
use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::{About, status};
use super::client::{Created, S3Client};
use super::multipart::upload_id;
use crate::digest::{PartDigest, merge};
use crate::error::{Error, Result};
use crate::name::BucketName;

/// Writers that race for one key.
const RACERS: usize = 16;

/// Races. A server that checks and then acts loses one of these, not every one.
const RACES: usize = 4;

/// What a server was found to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// `If-None-Match: *` on a write is decided by the server, also when writers race.
    pub create_if_absent: bool,
    /// `If-Match` on a write is decided by the server.
    pub compare_and_swap: bool,
    /// What becomes of a CRC64NVME that comes with the bytes.
    pub crc64nvme: ChecksumSupport,
    /// Bytes may go without being covered by the signature.
    pub unsigned_payload: bool,
    /// A part can be copied from an object within the server.
    pub part_copy: bool,
}

/// What a server does with a checksum that comes with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumSupport {
    /// It refuses bytes that do not match.
    Verified,
    /// It takes the header and does not look at it.
    Ignored,
    /// It refuses requests that carry one.
    Refused,
}

impl S3Client {
    /// Finds out what the server does, with a few small objects under `prefix`, which are removed again.
    pub(crate) async fn probe(&self, bucket: &BucketName, prefix: &str) -> Result<Capabilities> {
        let run = Probe { client: self, bucket, prefix: format!("{prefix}{}/", Uuid::new_v4()) };
        let found = run.all().await;
        let cleaned = run.clean().await;
        let found = found?;
        cleaned?;
        if found.crc64nvme == ChecksumSupport::Refused {
            self.checksums.store(false, Ordering::Relaxed);
        }
        Ok(found)
    }
}

struct Probe<'a> {
    client: &'a S3Client,
    bucket: &'a BucketName,
    prefix: String,
}

/// How a write that was to be refused, or not, came out.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Stored,
    Refused,
}

impl Probe<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn about<'k>(&'k self, key: &'k str) -> About<'k> {
        About::object("probe with", self.bucket, key)
    }

    async fn all(&self) -> Result<Capabilities> {
        // Whoever may not write at all should hear that, and not that the server lacks something.
        let plain = self.key("plain");
        self.client.put_small(self.bucket, &plain, Bytes::from_static(b"plain"), "text/plain").await?;
        Ok(Capabilities {
            create_if_absent: self.create_if_absent().await?,
            compare_and_swap: self.compare_and_swap(&plain).await?,
            crc64nvme: self.crc64nvme().await?,
            unsigned_payload: self.unsigned_payload().await?,
            part_copy: self.part_copy(&plain).await?,
        })
    }

    async fn clean(&self) -> Result<()> {
        let left = self.client.list_objects(self.bucket, &self.prefix).await?;
        let keys: Vec<String> = left.into_iter().map(|object| object.key).collect();
        self.client.delete_objects(self.bucket, &keys).await
    }

    async fn create_if_absent(&self) -> Result<bool> {
        for race in 0..RACES {
            let key = self.key(&format!("race-{race}"));
            let writers = (0..RACERS).map(|n| {
                let (client, bucket, key) = (self.client.clone(), self.bucket.clone(), key.clone());
                tokio::spawn(
                    async move { client.put_if_absent(&bucket, &key, n.to_string().into(), "text/plain").await },
                )
            });
            let outcomes = join_all(writers.collect::<Vec<_>>()).await;
            let mut winners = Vec::new();
            for (n, outcome) in outcomes.into_iter().enumerate() {
                match outcome {
                    Ok(Ok(Created::Now)) => winners.push(n),
                    Ok(Ok(Created::Refused)) => {}
                    // A server that knows not the header, or that answers a race with a failure.
                    Ok(Err(error @ (Error::Denied { .. } | Error::BucketNotFound { .. }))) => return Err(error),
                    Ok(Err(_)) | Err(_) => {}
                }
            }
            let [winner] = winners[..] else { return Ok(false) };
            let late = self.client.put_if_absent(self.bucket, &key, Bytes::from_static(b"late"), "text/plain").await;
            let stands = self.client.get_small(self.bucket, &key, 64).await?;
            if !matches!(late, Ok(Created::Refused)) || stands.as_deref() != Some(winner.to_string().as_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn compare_and_swap(&self, key: &str) -> Result<bool> {
        let stored = self.client.get_object_metadata(self.bucket, key).await?;
        let other = "\"00000000000000000000000000000000\"";
        let refused = self.put_if_match(key, other).await? == Outcome::Refused;
        let accepted = self.put_if_match(key, &format!("\"{}\"", stored.etag)).await? == Outcome::Stored;
        Ok(refused && accepted)
    }

    async fn put_if_match(&self, key: &str, etag: &str) -> Result<Outcome> {
        let put = self.client.sdk.put_object().bucket(self.bucket.as_str()).key(key).if_match(etag);
        let sent = put
            .body(ByteStream::from_static(b"swapped"))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        self.outcome(key, sent.map(drop))
    }

    /// Tells a refusal from a failure that says nothing about the server.
    fn outcome<E>(
        &self,
        key: &str,
        sent: Result<(), aws_sdk_s3::error::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>>,
    ) -> Result<Outcome>
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match sent {
            Ok(()) => Ok(Outcome::Stored),
            Err(error) if status(&error).is_some() => Ok(Outcome::Refused),
            Err(error) => Err(self.client.failed(self.about(key), error)),
        }
    }

    async fn crc64nvme(&self) -> Result<ChecksumSupport> {
        let key = self.key("checksum");
        let (_, right) = merge(&[PartDigest::of(0, b"checked")]);
        let (_, wrong) = merge(&[PartDigest::of(0, b"damaged")]);
        if self.put_with_checksum(&key, &wrong.to_string()).await? == Outcome::Stored {
            return Ok(ChecksumSupport::Ignored);
        }
        Ok(match self.put_with_checksum(&key, &right.to_string()).await? {
            Outcome::Stored => ChecksumSupport::Verified,
            Outcome::Refused => ChecksumSupport::Refused,
        })
    }

    async fn put_with_checksum(&self, key: &str, crc64: &str) -> Result<Outcome> {
        let put = self.client.sdk.put_object().bucket(self.bucket.as_str()).key(key).checksum_crc64_nvme(crc64);
        let sent = put.body(ByteStream::from_static(b"checked")).send().await;
        self.outcome(key, sent.map(drop))
    }

    async fn unsigned_payload(&self) -> Result<bool> {
        let key = self.key("unsigned");
        let put = self.client.sdk.put_object().bucket(self.bucket.as_str()).key(&key);
        let sent = put.body(ByteStream::from_static(b"unsigned")).customize().disable_payload_signing().send().await;
        Ok(self.outcome(&key, sent.map(drop))? == Outcome::Stored)
    }

    /// Copies an object as the one part of an upload, and looks whether the bytes came along.
    async fn part_copy(&self, source: &str) -> Result<bool> {
        let key = self.key("copy");
        let (sdk, bucket) = (&self.client.sdk, self.bucket.as_str());
        let id = match upload_id(sdk.create_multipart_upload().bucket(bucket).key(&key).send().await) {
            Ok(id) => id,
            // A server without uploads in parts still takes small files.
            Err(error) if status(&error).is_some() => return Ok(false),
            Err(error) => return Err(self.client.failed(self.about(&key), error)),
        };
        let id = id.as_str();
        let copied = sdk
            .upload_part_copy()
            .bucket(bucket)
            .key(&key)
            .upload_id(id)
            .part_number(1)
            .copy_source(format!("{bucket}/{source}"))
            .send()
            .await;
        let etag = copied.ok().and_then(|answer| answer.copy_part_result?.e_tag);
        let Some(etag) = etag else {
            self.client.abort_multipart_upload(self.bucket, &key, id).await?;
            return Ok(false);
        };
        let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let sent = sdk.complete_multipart_upload().bucket(bucket).key(&key).upload_id(id).multipart_upload(parts);
        if self.outcome(&key, sent.send().await.map(drop))? == Outcome::Refused {
            self.client.abort_multipart_upload(self.bucket, &key, id).await?;
            return Ok(false);
        }
        let (there, here) = tokio::try_join!(
            self.client.get_small(self.bucket, &key, 1024),
            self.client.get_small(self.bucket, source, 1024)
        )?;
        Ok(there.is_some() && there == here)
    }
}
