//! Probing a server's support for conditional writes, checksums and copies.
//!
//! Servers answer 200 to headers that they ignore, so names and versions are not trusted: the probe lets writers race
//! and sends wrong checksums, and checks the outcome.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::future::join_all;
use uuid::Uuid;

use super::capability::{Capabilities, ChecksumSupport, CopySupport};
use super::client::{Created, S3Client};
use super::error::{About, status};
use super::multipart::Begun;
use super::sdk_values::bare;
use super::transfer::upload::copy::escaped;
use crate::error::{Error, Result};
use crate::model::digest::{Md5, PartDigest};
use crate::model::name::BucketName;

/// How many writers race for one key.
const RACERS: usize = 16;

/// How many races there are. A server that checks first and then acts loses some of them, but not every one.
const RACES: usize = 4;

/// A range can be copied only from an object larger than this, on AWS and on servers that follow it.
const LEAST_SOURCE: usize = 5 * 1024 * 1024;

/// The start of the copy's source.
const SOURCE: &[u8] = b"a copied part";

impl S3Client {
    /// Finds out what the server supports, except copies, with a few small objects under `prefix`, which are removed
    /// again.
    pub(crate) async fn probe(&self, bucket: &BucketName, prefix: &str) -> Result<Capabilities> {
        let run = Probe::begin(self, bucket, prefix);
        let found = run.all().await;
        run.end(found).await
    }

    /// Finds out whether the server copies parts. This takes an object of 5 MiB, so it is done only when needed.
    pub(crate) async fn probe_part_copy(&self, bucket: &BucketName, prefix: &str) -> Result<CopySupport> {
        let run = Probe::begin(self, bucket, prefix);
        let found = run.part_copy().await;
        run.end(found).await
    }
}

struct Probe<'a> {
    client: &'a S3Client,
    bucket: &'a BucketName,
    prefix: String,
}

/// The outcome of a write.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Stored,
    Refused,
}

impl<'a> Probe<'a> {
    fn begin(client: &'a S3Client, bucket: &'a BucketName, prefix: &str) -> Self {
        Self { client, bucket, prefix: format!("{prefix}{}/", Uuid::new_v4()) }
    }

    /// Removes what the probe wrote, whatever the result.
    async fn end<T>(&self, found: Result<T>) -> Result<T> {
        let cleaned = self.clean().await;
        let found = found?;
        cleaned?;
        Ok(found)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn about<'k>(&'k self, key: &'k str) -> About<'k> {
        About::object("probe with", self.bucket, key)
    }

    async fn all(&self) -> Result<Capabilities> {
        // A login without write permission should get that error, not a report that the server lacks something.
        let plain = self.key("plain");
        let put = self.client.put_small(self.bucket, &plain, Bytes::from_static(b"plain"), "text/plain").await;
        put.map_err(|error| error.first_write(self.bucket))?;
        Ok(Capabilities {
            create_if_absent: self.create_if_absent().await?,
            crc64nvme: self.crc64nvme().await?,
            part_copy: CopySupport::Unknown,
            unsigned_headers: self.client.probe_unsigned_headers(self.bucket, &self.prefix).await?,
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
                    // The server does not support the header, or answers a race with a failure.
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

    /// Distinguishes a refusal from a failure that says nothing about the server.
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
        if self.put_with_checksum(&key, &crc64_of(b"damaged")).await? == Outcome::Stored {
            return Ok(ChecksumSupport::Ignored);
        }
        Ok(match self.put_with_checksum(&key, &crc64_of(b"checked")).await? {
            Outcome::Stored => ChecksumSupport::Verified,
            Outcome::Refused => ChecksumSupport::Refused,
        })
    }

    async fn put_with_checksum(&self, key: &str, crc64: &str) -> Result<Outcome> {
        let put = || self.client.sdk.small.put_object().bucket(self.bucket.as_str()).key(key);
        let put = || put().checksum_crc64_nvme(crc64).body(ByteStream::from_static(b"checked"));
        let sent = self.client.asked(|| put().send()).await;
        self.outcome(key, sent.map(drop))
    }

    /// Copies a range of an object as the only part of an upload, and checks whether the bytes were copied and what
    /// proves it.
    async fn part_copy(&self) -> Result<CopySupport> {
        let source = self.key("source");
        let mut bytes = SOURCE.to_vec();
        bytes.resize(LEAST_SOURCE + SOURCE.len(), 0);
        self.client.put_small(self.bucket, &source, bytes.into(), "application/octet-stream").await?;
        let plain = self.key("copy");
        let (Outcome::Stored, etag) = self.copy(&source, &plain, None).await? else {
            return Ok(CopySupport::None);
        };
        if self.client.get_small(self.bucket, &plain, 64).await?.as_deref() != Some(b"copied".as_slice()) {
            return Ok(CopySupport::None);
        }
        let (right, _) = self.copy(&source, &self.key("copy-right"), Some(crc64_of(b"copied"))).await?;
        let (wrong, _) = self.copy(&source, &self.key("copy-wrong"), Some(crc64_of(b"others"))).await?;
        Ok(match (right, wrong) {
            (Outcome::Stored, Outcome::Refused) => CopySupport::Checked,
            _ if etag == Md5::of(b"copied").to_string() => CopySupport::Hashed,
            _ => CopySupport::Unchecked,
        })
    }

    /// Returns the outcome, and the ETag of the copied part.
    async fn copy(&self, source: &str, key: &str, crc64: Option<String>) -> Result<(Outcome, String)> {
        let (sdk, bucket) = (&self.client.sdk.small, self.bucket.as_str());
        let algorithm = crc64.is_some().then_some(ChecksumAlgorithm::Crc64Nvme);
        let whole = crc64.is_some().then_some(ChecksumType::FullObject);
        let begun = self.client.begin_upload(self.bucket, key, |create| {
            create.set_checksum_algorithm(algorithm.clone()).set_checksum_type(whole.clone())
        });
        let id = match begun.await {
            Ok(id) => id,
            // A server without multipart uploads still accepts small files.
            Err(Begun::Refused(error)) if status(&error).is_some() => return Ok((Outcome::Refused, String::new())),
            Err(Begun::Refused(error)) => return Err(self.client.failed(self.about(key), *error)),
            Err(Begun::Unnamed(error)) => return Err(error),
        };
        let copy = || sdk.upload_part_copy().bucket(bucket).key(key).upload_id(&id).part_number(1);
        let copy = || {
            copy().copy_source(escaped(self.bucket, &self.client.prefix.whole(source))).copy_source_range("bytes=2-7")
        };
        let copied = self.client.asked(|| copy().send()).await;
        let Some(part) = copied.ok().and_then(|answer| answer.copy_part_result) else {
            self.client.abort_multipart_upload(self.bucket, key, &id).await?;
            return Ok((Outcome::Refused, String::new()));
        };
        let etag = bare(part.e_tag());
        let part = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag)
            .set_checksum_crc64_nvme(part.checksum_crc64_nvme)
            .build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let complete = || sdk.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
        let complete = || complete().multipart_upload(parts.clone()).set_checksum_crc64_nvme(crc64.clone());
        let sent = self.client.asked(|| complete().set_checksum_type(whole.clone()).send()).await;
        let outcome = self.outcome(key, sent.map(drop))?;
        if outcome == Outcome::Refused {
            self.client.abort_multipart_upload(self.bucket, key, &id).await?;
        }
        Ok((outcome, etag))
    }
}

fn crc64_of(bytes: &[u8]) -> String {
    PartDigest::of(0, bytes).crc64().map(|crc64| crc64.to_string()).unwrap_or_default()
}
