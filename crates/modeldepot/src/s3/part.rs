//! One part of a large file on its way to the server.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;

use super::answer::{About, code, dislikes_checksums};
use super::attempts::Attempts;
use super::client::S3Client;
use super::copy::PartCopy;
use super::multipart::StoredPart;
use super::sums::Sums;
use super::upload::Failure;
use crate::digest::{Md5, PartDigest, Subtree};
use crate::name::BucketName;
use crate::task::joined;

/// How often a part that arrived damaged is sent.
pub(super) const DAMAGED_ATTEMPTS: usize = 3;

/// Returns true when the server says that the bytes are not those that were sent.
pub(super) fn arrived_damaged<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(code(error), Some("BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest"))
}

/// The upload that a part belongs to.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) client: S3Client,
    pub(super) bucket: BucketName,
    pub(super) key: String,
    pub(super) id: String,
    pub(super) sums: Sums,
}

/// A part on its way.
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    /// What the server has under this number, from an upload that was cut off.
    pub(super) there: Option<StoredPart>,
    /// What earlier files have at this place.
    pub(super) earlier: Vec<(usize, Subtree)>,
}

/// What became of a part.
pub(super) struct DonePart {
    pub(super) number: i32,
    pub(super) digest: PartDigest,
    pub(super) outcome: Outcome,
}

/// Where the server has a part from.
pub(super) enum Outcome {
    /// It was sent.
    Sent(CompletedPart),
    /// It was there, from an upload that was cut off.
    Kept(CompletedPart),
    /// Nowhere yet: an earlier version has it, so that it can be copied.
    Copies(PartCopy),
}

impl Part {
    /// Hashes the part off the reactor, then sends it, unless the server has just these bytes.
    pub(super) async fn deliver(self, to: Target) -> Result<DonePart, Failure> {
        let Part { number, offset, bytes, there, earlier } = self;
        let (body, sums) = (bytes.clone(), to.sums);
        let hashed = tokio::task::spawn_blocking(move || {
            let digest = PartDigest::of(offset, &body);
            let kept = there.filter(|there| there.holds(&body, &digest));
            let same = earlier.into_iter().find(|(_, earlier)| digest.subtree() == Some(*earlier));
            let copy = same.filter(|_| kept.is_none()).map(|(source, _)| {
                let md5 = (!sums.is_crc64()).then(|| Md5::of(&body));
                PartCopy { len: digest.len(), source, md5 }
            });
            (digest, kept, copy)
        });
        let (digest, kept, copy) = joined(hashed.await);
        let completed = |etag| {
            let crc64 = to.sums.crc64(&digest);
            CompletedPart::builder().part_number(number).set_e_tag(etag).set_checksum_crc64_nvme(crc64).build()
        };
        let outcome = match (kept, copy) {
            (Some(kept), _) => Outcome::Kept(completed(Some(kept.etag))),
            (None, Some(copy)) => Outcome::Copies(copy),
            (None, None) => Outcome::Sent(completed(to.send(number, &bytes, &digest).await?)),
        };
        Ok(DonePart { number, digest, outcome })
    }
}

impl Target {
    /// Sends a part until it has arrived whole, and returns its ETag.
    async fn send(&self, number: i32, bytes: &Bytes, digest: &PartDigest) -> Result<Option<String>, Failure> {
        let (mut attempts, mut damaged) = (Attempts::default(), 0);
        let md5 = self.sums.md5(bytes).await;
        let turn = self.client.limits.up.turn().await;
        loop {
            let sent = self
                .client
                .once
                .upload_part()
                .bucket(self.bucket.as_str())
                .key(&self.key)
                .upload_id(&self.id)
                .part_number(number)
                .set_checksum_crc64_nvme(self.sums.crc64(digest))
                .set_content_md5(md5.clone())
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .disable_payload_signing()
                .send()
                .await;
            let error = match sent {
                Ok(answer) => {
                    self.client.limits.up.moved(bytes.len() as u64);
                    drop(turn);
                    return Ok(answer.e_tag);
                }
                Err(error) => error,
            };
            damaged += usize::from(arrived_damaged(&error));
            if arrived_damaged(&error) && damaged < DAMAGED_ATTEMPTS {
                continue;
            }
            let maybe_checksums = self.sums.is_crc64() && dislikes_checksums(&error);
            self.client.slow_down_after(&error, &self.client.limits.up);
            let error = self.client.failed(About::object("store", &self.bucket, &self.key), error);
            if maybe_checksums {
                return Err(Failure::Checksums(error));
            }
            attempts.again(error).await?;
        }
    }
}
