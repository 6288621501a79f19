//! Unfinished multipart uploads, which are invisible but cost storage.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::create_multipart_upload::{CreateMultipartUploadError, CreateMultipartUploadOutput};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, EncodingType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use time::OffsetDateTime;

use super::client::S3Client;
use super::error::{About, code, is_not_understood};
use super::key_encoding::Spelling;
use super::listing::ENDLESS;
use super::sdk_values::{bare, moment};
use super::transfer::checksum::Checksum;
use super::transfer::upload::payload::Payload;
use crate::error::{Error, Result};
use crate::model::digest::PartDigest;
use crate::model::name::BucketName;

/// An upload that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnfinishedUpload {
    /// The key that it would write.
    pub key: String,
    /// The server's id of the upload.
    pub upload_id: String,
    /// When it was begun, by the server's clock.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub begun: Option<OffsetDateTime>,
}

/// An interrupted upload, with the parts that the server has.
pub(super) struct CutOff {
    pub(super) upload_id: String,
    /// The kind of checksum sent with its parts.
    pub(super) checksum: Checksum,
    pub(super) parts: BTreeMap<i32, StoredPart>,
}

/// A part that the server has.
pub(super) struct StoredPart {
    pub(super) etag: String,
    size: u64,
    crc64: Option<String>,
}

impl StoredPart {
    /// Returns true when the part has exactly these bytes, by the server's checksum of it.
    pub(super) fn holds(&self, payload: &Payload, digest: &PartDigest) -> bool {
        self.size == digest.len()
            && match &self.crc64 {
                Some(crc64) => digest.crc64().is_some_and(|ours| ours.to_string() == *crc64),
                None => payload.md5().to_string() == self.etag,
            }
    }
}

/// Why an upload was not begun.
pub(super) enum Begun {
    /// The server refused.
    Refused(Box<SdkError<CreateMultipartUploadError, HttpResponse>>),
    /// The server began it, but its answer has no id.
    Unnamed(Error),
}

/// Returns the server's id of a new upload.
///
/// `rclone serve s3` names the root of its answer `InitiateMultipartUpload`, without the `Result` that the SDK
/// requires. The id is in it all the same.
fn upload_id(
    begun: &Result<CreateMultipartUploadOutput, SdkError<CreateMultipartUploadError, HttpResponse>>,
) -> Option<String> {
    match begun {
        Ok(begun) => begun.upload_id().filter(|id| !id.is_empty()).map(str::to_owned),
        Err(error) => error.raw_response().filter(|answer| answer.status().is_success()).and_then(named_in),
    }
}

fn named_in(answer: &HttpResponse) -> Option<String> {
    let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
    let (_, rest) = text.split_once("<UploadId>")?;
    let (id, _) = rest.split_once("</UploadId>")?;
    // An escaped character would require parsing XML, but all ids seen so far have none.
    (!id.is_empty() && !id.contains(['&', '<'])).then(|| id.to_owned())
}

impl S3Client {
    /// Returns the request that makes an object of the parts of an upload, with `if_absent` only if there is none.
    pub(super) fn completion(
        &self,
        bucket: &BucketName,
        key: &str,
        upload_id: &str,
        parts: Vec<CompletedPart>,
        if_absent: bool,
    ) -> CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.sdk.writing.complete_multipart_upload().bucket(bucket.as_str()).key(key);
        complete.upload_id(upload_id).multipart_upload(parts).set_if_none_match(if_absent.then(|| "*".to_owned()))
    }

    /// Begins a multipart upload, configured by `with`, and returns the server's id.
    pub(super) async fn begin_upload(
        &self,
        bucket: &BucketName,
        key: &str,
        with: impl Fn(CreateMultipartUploadFluentBuilder) -> CreateMultipartUploadFluentBuilder,
    ) -> Result<String, Begun> {
        let create = || with(self.sdk.small.create_multipart_upload().bucket(bucket.as_str()).key(key));
        let begun = self.asked(|| create().send()).await;
        match (upload_id(&begun), begun) {
            (Some(id), _) => Ok(id),
            (None, Err(error)) if !is_not_understood(&error) => Err(Begun::Refused(Box::new(error))),
            (None, _) => {
                let about = About::object("begin an upload of", bucket, key);
                Err(Begun::Unnamed(self.not_understood(about, "the answer does not name the upload that was begun")))
            }
        }
    }

    /// Returns the newest unfinished upload of a key, and aborts all others, since nothing will finish them. With
    /// `known`, only those uploads count, and others are left alone.
    pub(super) async fn cut_off(
        &self,
        bucket: &BucketName,
        key: &str,
        known: Option<&BTreeSet<String>>,
    ) -> Result<Option<CutOff>> {
        let mut uploads = self.list_multipart_uploads(bucket, key).await?;
        uploads.retain(|upload| upload.key == key && known.is_none_or(|known| known.contains(&upload.upload_id)));
        uploads.sort_by_key(|upload| upload.begun);
        let Some(newest) = uploads.pop() else { return Ok(None) };
        for older in uploads {
            self.abort_multipart_upload(bucket, key, &older.upload_id).await?;
        }
        let mut found = CutOff { upload_id: newest.upload_id, checksum: Checksum::Md5, parts: BTreeMap::new() };
        let mut next = None;
        loop {
            let list = || self.sdk.small.list_parts().bucket(bucket.as_str()).key(key).upload_id(&found.upload_id);
            let page = match self.asked(|| list().set_part_number_marker(next.clone()).send()).await {
                Ok(page) => page,
                Err(error) if code(&error) == Some("NoSuchUpload") => return Ok(None),
                // moto names the root of its answer differently from S3. Everything is sent again.
                Err(error) if is_not_understood(&error) => {
                    self.abort_multipart_upload(bucket, key, &found.upload_id).await?;
                    return Ok(None);
                }
                Err(error) => return Err(self.failed(About::object("list the parts of", bucket, key), error)),
            };
            if page.checksum_algorithm() == Some(&ChecksumAlgorithm::Crc64Nvme) {
                found.checksum = Checksum::Crc64;
            }
            for part in page.parts() {
                let stored = StoredPart {
                    etag: bare(part.e_tag()),
                    size: part.size().unwrap_or_default().try_into().unwrap_or_default(),
                    crc64: part.checksum_crc64_nvme().map(str::to_owned),
                };
                found.parts.insert(part.part_number().unwrap_or_default(), stored);
            }
            match page.next_part_number_marker() {
                Some(marker) if page.is_truncated() == Some(true) => {
                    if next.as_deref() == Some(marker) {
                        return Err(self.not_understood(About::object("list the parts of", bucket, key), ENDLESS));
                    }
                    next = Some(marker.to_owned());
                }
                _ => return Ok(Some(found)),
            }
        }
    }

    /// Returns the unfinished uploads under a prefix, all pages.
    pub async fn list_multipart_uploads(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<UnfinishedUpload>> {
        let mut uploads = Vec::new();
        let (mut key, mut id) = (None, None);
        // Plain at first: SeaweedFS claims to URL-encode these keys, and does not.
        let mut encoding = None;
        // One key, or all: MinIO supports no other prefix.
        let whole = if prefix.is_empty() { String::new() } else { self.prefix.whole(prefix).into_owned() };
        loop {
            let list = || self.sdk.small.list_multipart_uploads().bucket(bucket.as_str()).prefix(whole.as_str());
            let list = || list().set_encoding_type(encoding.clone());
            let page = self.asked(|| list().set_key_marker(key.clone()).set_upload_id_marker(id.clone()).send()).await;
            let page = match page {
                Ok(page) => page,
                // `rclone serve s3` returns this for a bucket in which no upload was ever begun.
                Err(error) if code(&error) == Some("NoSuchUpload") => return Ok(uploads),
                // One key that XML cannot represent makes the whole page unreadable.
                Err(error) if encoding.is_none() && is_not_understood(&error) => {
                    encoding = Some(EncodingType::Url);
                    continue;
                }
                Err(error) => return Err(self.failed(About::bucket("list unfinished uploads in", bucket), error)),
            };
            let keys = page.uploads().iter().filter_map(|upload| upload.key()).chain(page.next_key_marker());
            let spelling = if encoding.is_some() { Spelling::of_unreadable(keys) } else { Spelling::Plain };
            for upload in page.uploads() {
                let key = upload.key().map(|key| spelling.read(key)).unwrap_or_default();
                let Some(key) = self.within(key).filter(|key| self.prefix.is_empty() || key.starts_with(prefix)) else {
                    continue;
                };
                uploads.push(UnfinishedUpload {
                    key,
                    upload_id: upload.upload_id().unwrap_or_default().to_owned(),
                    begun: upload.initiated().and_then(moment),
                });
            }
            let more = page.is_truncated() == Some(true);
            let marker = page.next_key_marker().map(|key| spelling.read(key));
            let from = (marker, page.next_upload_id_marker().map(str::to_owned));
            // A server that reports more without saying where would be asked forever.
            if !more || from.0.as_deref().is_none_or(str::is_empty) {
                return Ok(uploads);
            }
            if from == (key, id) {
                return Err(self.not_understood(About::bucket("list unfinished uploads in", bucket), ENDLESS));
            }
            (key, id) = from;
        }
    }

    /// Aborts an unfinished upload and frees its parts. A missing one counts as aborted.
    pub async fn abort_multipart_upload(&self, bucket: &BucketName, key: &str, upload_id: &str) -> Result<()> {
        let abort = || self.sdk.small.abort_multipart_upload().bucket(bucket.as_str()).key(key).upload_id(upload_id);
        match self.asked(|| abort().send()).await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(self.failed(About::object("abort an upload of", bucket, key), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_part_is_kept_only_if_its_size_and_checksum_are_those_of_the_bytes() {
        let (digest, payload) = (PartDigest::of(0, b"123456789"), Payload::new(vec![Bytes::from_static(b"123456789")]));
        let kept = |etag: &str, size, crc64: Option<&str>| {
            StoredPart { etag: etag.to_owned(), size, crc64: crc64.map(str::to_owned) }.holds(&payload, &digest)
        };
        let (md5, crc64) = ("25f9e794323b453885f5181f1b624d0b", "rosUhgp5mIg=");
        assert!(kept("e", 9, Some(crc64)) && kept(md5, 9, None));
        assert!(!kept("e", 8, Some(crc64)) && !kept(md5, 8, None), "another size");
        assert!(!kept(md5, 9, Some("AAAAAAAAAAA=")), "the checksum is the server's word");
        assert!(!kept("e", 9, None));
    }

    #[test]
    fn an_upload_is_named_even_in_an_answer_of_another_shape() {
        let named = |body: &'static str| {
            let answer = HttpResponse::new(StatusCode::try_from(200).unwrap(), body.into());
            named_in(&answer)
        };
        assert_eq!(named("<Initiate><UploadId>u-1</UploadId></Initiate>"), Some("u-1".to_owned()));
        for none in ["", "<UploadId></UploadId>", "<UploadId>a&amp;b</UploadId>", "<UploadId>a", "<html>log in</html>"]
        {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
