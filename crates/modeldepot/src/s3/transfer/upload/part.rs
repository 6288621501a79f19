//! One part of a large file on its way to the server.

use std::sync::Arc;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::CompletedPart;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::Failure;
use super::payload::{Origin, Payload};
use crate::model::digest::{Md5, PartDigest, Subtree};
use crate::model::name::BucketName;
use crate::s3::client::S3Client;
use crate::s3::error::{About, code, dislikes_checksums};
use crate::s3::multipart::StoredPart;
use crate::s3::retry::Retry;
use crate::s3::transfer::checksum::Checksum;
use crate::task::joined;

/// How often a part that arrived damaged is sent.
pub(in crate::s3) const DAMAGED_ATTEMPTS: usize = 3;

/// Returns true when the server says that the bytes are not those that were sent.
pub(in crate::s3) fn arrived_damaged<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(code(error), Some("BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest"))
}

/// The upload that a part belongs to.
#[derive(Clone)]
pub(in crate::s3) struct Target {
    pub(in crate::s3) client: S3Client,
    pub(in crate::s3) bucket: BucketName,
    pub(in crate::s3) key: String,
    pub(in crate::s3) id: String,
    pub(in crate::s3) checksum: Checksum,
    /// The file that is uploaded.
    pub(in crate::s3) origin: Arc<Origin>,
}

/// A part to be copied.
#[derive(Debug, Clone, Copy)]
pub(in crate::s3) struct PartCopy {
    pub(in crate::s3) len: u64,
    /// Which of the earlier files has it.
    pub(in crate::s3) source: usize,
    /// The MD5 that the server must find, where that is what proves a copy.
    pub(in crate::s3) md5: Option<Md5>,
}

/// A part on its way.
pub(in crate::s3) struct Part {
    pub(in crate::s3) number: i32,
    pub(in crate::s3) offset: u64,
    pub(in crate::s3) payload: Payload,
    /// What the server has under this number, from an upload that was cut off.
    pub(in crate::s3) there: Option<StoredPart>,
    /// What earlier files have at this place.
    pub(in crate::s3) earlier: Vec<(usize, Subtree)>,
}

/// What became of a part.
pub(in crate::s3) struct DonePart {
    pub(in crate::s3) number: i32,
    pub(in crate::s3) digest: PartDigest,
    pub(in crate::s3) outcome: Outcome,
}

/// Where the server has a part from.
pub(in crate::s3) enum Outcome {
    /// It was sent.
    Sent(CompletedPart),
    /// It was there, from an upload that was cut off.
    Kept(CompletedPart),
    /// Nowhere yet: an earlier version has it, so that it can be copied.
    Copies(PartCopy),
}

impl Part {
    /// Hashes the part off the reactor, then sends it, unless the server has just these bytes.
    pub(in crate::s3) async fn deliver(self, to: Target) -> Result<DonePart, Failure> {
        let Part { number, offset, payload, there, earlier } = self;
        let checksum = to.checksum;
        let hashed = tokio::task::spawn_blocking(move || {
            let digest = payload.digest(offset);
            if let Some(kept) = there.filter(|there| there.holds(&payload, &digest)) {
                return (digest, Known::Kept(kept.etag));
            }
            let same = earlier.into_iter().find(|(_, earlier)| digest.subtree() == Some(*earlier));
            if let Some((source, _)) = same {
                let md5 = (!checksum.is_crc64()).then(|| payload.md5());
                let copy = PartCopy { len: digest.len(), source, md5 };
                return (digest, Known::Copies(copy));
            }
            let md5 = checksum.md5(&payload);
            (digest, Known::New(payload, md5))
        });
        let (digest, known) = joined(hashed.await);
        let completed = |etag| {
            let crc64 = to.checksum.crc64(&digest);
            CompletedPart::builder().part_number(number).set_e_tag(etag).set_checksum_crc64_nvme(crc64).build()
        };
        let outcome = match known {
            Known::Kept(etag) => Outcome::Kept(completed(Some(etag))),
            Known::Copies(copy) => Outcome::Copies(copy),
            Known::New(payload, md5) => {
                let sent = Sending { number, offset, digest: &digest, md5 };
                Outcome::Sent(completed(to.send(sent, payload).await?))
            }
        };
        Ok(DonePart { number, digest, outcome })
    }
}

/// What is known of a part once it was hashed.
enum Known {
    Kept(String),
    Copies(PartCopy),
    New(Payload, Option<String>),
}

/// A part that is being sent.
struct Sending<'a> {
    number: i32,
    offset: u64,
    digest: &'a PartDigest,
    md5: Option<String>,
}

impl Target {
    /// Sends a part until it has arrived whole, and returns its ETag.
    ///
    /// What has gone to the connection is out of memory. If it must be sent again it is read again, after the permit was
    /// given back: a task that holds a permit and waits for memory could wait for one that holds memory and waits for a permit.
    async fn send(&self, part: Sending<'_>, payload: Payload) -> Result<Option<String>, Failure> {
        let (mut retry, mut damaged) = (Retry::transfer(self.client.timeouts()), 0);
        let mut payload = Some(payload);
        loop {
            let body = match payload.take() {
                Some(payload) => payload,
                None => self.origin.again(&self.client.limits.pool, part.offset, part.digest).await?,
            };
            let permit = self.client.limits.up.permit().await;
            let sent = self
                .client
                .sdk
                .writing
                .upload_part()
                .bucket(self.bucket.as_str())
                .key(&self.key)
                .upload_id(&self.id)
                .part_number(part.number)
                .set_checksum_crc64_nvme(self.checksum.crc64(part.digest))
                .set_content_md5(part.md5.clone())
                .body(body.into_body(&self.client.limits.up))
                .customize()
                .disable_payload_signing()
                .send()
                .await;
            drop(permit);
            let error = match sent {
                Ok(answer) => return Ok(answer.e_tag),
                Err(error) => error,
            };
            damaged += usize::from(arrived_damaged(&error));
            if arrived_damaged(&error) && damaged < DAMAGED_ATTEMPTS {
                continue;
            }
            let maybe_checksums = self.checksum.is_crc64() && dislikes_checksums(&error);
            self.client.slow_down_after(&error, &self.client.limits.up);
            let error = self.client.failed(About::object("store", &self.bucket, &self.key), error);
            if maybe_checksums {
                return Err(Failure::Checksums(error));
            }
            retry.again(error).await?;
        }
    }
}
