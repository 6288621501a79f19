//! Uploads whose bytes another program sends: begun and completed here, each part sent by the holder of its URL.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::CompletedPart;
use time::OffsetDateTime;

use crate::error::{Error, Result};
use crate::model::name::BucketName;
use crate::s3::client::S3Client;
use crate::s3::error::{About, code, is_not_understood, status};
use crate::s3::listing::ENDLESS;
use crate::s3::multipart::Begun;
use crate::s3::retry::Retry;
use crate::s3::sdk_values::{bare, moment};

/// A part that the server has.
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) etag: String,
    pub(crate) size: u64,
    pub(crate) modified: Option<OffsetDateTime>,
}

impl S3Client {
    /// Begins an upload in parts of an object with this metadata, and returns the server's name for it.
    pub(crate) async fn begin_parts(
        &self,
        bucket: &BucketName,
        key: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<String> {
        let media_type = mime_guess::from_path(key).first_or_octet_stream();
        let begun = self
            .begin_upload(bucket, key, |create| {
                let metadata = metadata.clone().into_iter().collect();
                let create = create.content_type(media_type.essence_str()).set_metadata(Some(metadata));
                create.set_storage_class(self.storage_class())
            })
            .await;
        begun.map_err(|error| match error {
            Begun::Refused(error) => self.failed(About::object("begin an upload of", bucket, key), *error),
            Begun::Unnamed(error) => error,
        })
    }

    /// Returns a URL that lets its holder store one part of this length. The length is signed, so that nothing longer
    /// can be sent.
    pub(crate) async fn part_url(
        &self,
        bucket: &BucketName,
        key: &str,
        upload_id: &str,
        number: i32,
        len: u64,
        expires: Duration,
    ) -> Result<String> {
        let about = About::object("sign a URL for", bucket, key);
        let config = PresigningConfig::expires_in(expires).map_err(|error| self.failed_locally(about, &error))?;
        let part = self.sdk.signing.upload_part().bucket(bucket.as_str()).key(key).upload_id(upload_id);
        let part = part.part_number(number).set_content_length(len.try_into().ok());
        let signed = part.presigned(config).await.map_err(|error| self.failed(about, error))?;
        Ok(signed.uri().to_owned())
    }

    /// Returns the parts that the server has, in their order. SeaweedFS keeps every part that was sent, so one number may
    /// stand there several times.
    pub(crate) async fn stored_parts(&self, bucket: &BucketName, key: &str, upload_id: &str) -> Result<Vec<Part>> {
        let (mut parts, mut next) = (Vec::new(), None);
        loop {
            let list = || self.sdk.small.list_parts().bucket(bucket.as_str()).key(key).upload_id(upload_id);
            let page = self.asked(|| list().set_part_number_marker(next.clone()).send()).await;
            let page = page.map_err(|error| self.failed(About::object("list the parts of", bucket, key), error))?;
            parts.extend(page.parts().iter().map(|part| Part {
                number: part.part_number().unwrap_or_default(),
                etag: part.e_tag().unwrap_or_default().to_owned(),
                size: part.size().unwrap_or_default().try_into().unwrap_or_default(),
                modified: part.last_modified().and_then(moment),
            }));
            match page.next_part_number_marker() {
                Some(marker) if page.is_truncated() == Some(true) => {
                    if next.as_deref() == Some(marker) {
                        return Err(self.not_understood(About::object("list the parts of", bucket, key), ENDLESS));
                    }
                    next = Some(marker.to_owned());
                }
                _ => return Ok(parts),
            }
        }
    }

    /// Makes an object of parts that are all with the server, and returns its ETag. What is in it the caller must look
    /// at: these bytes were never here.
    ///
    /// `repeated` says that it was tried before, and may have been done.
    ///
    /// # Errors
    /// [`Error::ObjectExists`] when `if_absent` and something is there.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    pub(crate) async fn complete_parts(
        &self,
        bucket: &BucketName,
        key: &str,
        upload_id: &str,
        parts: &[Part],
        if_absent: bool,
        mut repeated: bool,
        mark: &BTreeMap<String, String>,
    ) -> Result<String> {
        let about = About::object("store", bucket, key);
        let size = parts.iter().map(|part| part.size).fold(0, u64::saturating_add);
        let part = |part: &Part| CompletedPart::builder().part_number(part.number).e_tag(&part.etag).build();
        let parts: Vec<_> = parts.iter().map(part).collect();
        let mut retry = Retry::transfer(self.timeouts());
        loop {
            let complete = self.completion(bucket, key, upload_id, parts.clone(), if_absent);
            let error = match complete.send().await {
                Ok(answer) => return Ok(bare(answer.e_tag())),
                Err(error) => error,
            };
            let exists = if_absent && matches!(status(&error), Some(409 | 412));
            // A repeated Complete whose first reply was lost, or one whose reply says nothing: the object tells by its mark
            // whether it is what these parts have become.
            if is_not_understood(&error) || repeated && (exists || code(&error) == Some("NoSuchUpload")) {
                match self.get_object_metadata(bucket, key).await {
                    Ok(found) if found.size == size && has(&found.metadata, mark) => return Ok(found.etag),
                    Ok(_) | Err(Error::ObjectNotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if exists {
                return Err(Error::object_exists(bucket, key));
            }
            let error = if is_not_understood(&error) {
                self.not_understood(about, "it says that it stored the object, and the object is not there")
            } else {
                self.failed(about, error)
            };
            retry.again(error).await?;
            repeated = true;
        }
    }
}

/// Returns true when metadata has all entries of a mark, in whatever case a server gives their names.
fn has(metadata: &BTreeMap<String, String>, mark: &BTreeMap<String, String>) -> bool {
    mark.iter().all(|(name, value)| metadata.iter().any(|(its, text)| its.eq_ignore_ascii_case(name) && text == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_mark_if_it_has_every_entry_of_it() {
        let of = |entries: &[(&str, &str)]| entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mark: BTreeMap<String, String> = of(&[("modeldepot", "id"), ("Other", "x")]);
        assert!(has(&of(&[("Modeldepot", "id"), ("other", "x"), ("more", "y")]), &mark));
        for found in [&[("modeldepot", "id")][..], &[("modeldepot", "x"), ("other", "id")], &[]] {
            assert!(!has(&of(found), &mark), "{found:?}");
        }
    }
}
