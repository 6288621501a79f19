//! One part of a large file on its way to the server.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::upload_part::UploadPartError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;

use super::answer::code;
use super::client::S3Client;
use super::multipart::StoredPart;
use crate::digest::PartDigest;
use crate::name::BucketName;
use crate::task::joined;

/// How often a part that arrived damaged is sent.
pub(super) const DAMAGED_ATTEMPTS: usize = 3;

/// Returns true when the server says that the bytes are not those that were sent.
pub(super) fn arrived_damaged<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(code(error), Some("BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest"))
}

/// A part on its way.
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    pub(super) sums: bool,
    /// What the server has under this number, from an upload that was cut off.
    pub(super) there: Option<StoredPart>,
}

/// A part that the server has.
pub(super) struct DonePart {
    pub(super) completed: CompletedPart,
    pub(super) digest: PartDigest,
    pub(super) len: u64,
    pub(super) kept: bool,
}

pub(super) type PartResult = Result<DonePart, SdkError<UploadPartError, HttpResponse>>;

impl Part {
    /// Hashes the part off the reactor, then sends it, unless the server has just these bytes.
    pub(super) fn call(
        self,
        client: &S3Client,
        bucket: &BucketName,
        key: &str,
        id: &str,
    ) -> impl Future<Output = PartResult> + Send + use<> {
        let (sdk, bucket, key, id) = (client.sdk.clone(), bucket.to_string(), key.to_owned(), id.to_owned());
        async move {
            let (offset, bytes, there) = (self.offset, self.bytes.clone(), self.there);
            let hashed = tokio::task::spawn_blocking(move || {
                let digest = PartDigest::of(offset, &bytes);
                let kept = there.filter(|there| there.holds(&bytes, &digest));
                (digest, kept)
            });
            let hashed = hashed.await;
            let (digest, kept) = joined(hashed);
            let crc64 = self.sums.then(|| digest.crc64().to_string());
            let len = self.bytes.len() as u64;
            let completed = |etag| {
                let part = CompletedPart::builder().part_number(self.number);
                part.set_e_tag(etag).set_checksum_crc64_nvme(crc64.clone()).build()
            };
            if let Some(kept) = kept {
                return Ok(DonePart { completed: completed(Some(kept.etag)), digest, len, kept: true });
            }
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
            Ok(DonePart { completed: completed(answer.e_tag), digest, len, kept: false })
        }
    }
}
