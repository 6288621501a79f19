//! Unfinished multipart uploads: bytes that nobody sees and everybody pays for.

use time::OffsetDateTime;

use super::answer::{About, code};
use super::client::{S3Client, moment};
use crate::error::Result;
use crate::name::BucketName;

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// The key that it would write.
    pub key: String,
    /// The server's name for it.
    pub upload_id: String,
    /// When it was begun, by the server's clock.
    pub begun: Option<OffsetDateTime>,
}

impl S3Client {
    /// Returns the unfinished uploads under a prefix, all pages.
    pub async fn list_multipart_uploads(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<UnfinishedUpload>> {
        let mut uploads = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let page = self
                .sdk
                .list_multipart_uploads()
                .bucket(bucket.as_str())
                .prefix(prefix)
                .set_key_marker(key.take())
                .set_upload_id_marker(id.take())
                .send()
                .await
                .map_err(|error| self.failed(About::bucket("list unfinished uploads in", bucket), error))?;
            for upload in page.uploads() {
                uploads.push(UnfinishedUpload {
                    key: upload.key().unwrap_or_default().to_owned(),
                    upload_id: upload.upload_id().unwrap_or_default().to_owned(),
                    begun: upload.initiated().and_then(moment),
                });
            }
            let more = page.is_truncated() == Some(true);
            (key, id) = (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
            // A server that says there is more but not where would be asked for ever.
            if !more || key.as_deref().is_none_or(str::is_empty) {
                return Ok(uploads);
            }
        }
    }

    /// Aborts an unfinished upload and frees its parts. One that is gone counts as aborted.
    pub async fn abort_multipart_upload(&self, bucket: &BucketName, key: &str, upload_id: &str) -> Result<()> {
        let sent = self.sdk.abort_multipart_upload().bucket(bucket.as_str()).key(key).upload_id(upload_id).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(self.failed(About::object("abort an upload of", bucket, key), error)),
        }
    }
}
