//! Probing how a server treats unsigned headers that are added to a presigned URL.
//!
//! S3 refuses a request with an `x-amz-*` header that its signature does not cover. A server that obeys such a header
//! turns a permission to write one object into more: with `x-amz-copy-source`, into one to copy any object that the
//! signer can read.

use aws_sdk_s3::primitives::ByteStream;

use super::by_url::ByUrl;
use super::capability::UnsignedHeaders;
use super::client::{PresignedMethod, S3Client};
use super::error::{About, status};
use super::multipart::Begun;
use super::transfer::upload::copy::escaped;
use crate::error::{Error, Result};
use crate::model::name::BucketName;

/// Lifetime of the probe's URLs.
const LIFE: std::time::Duration = std::time::Duration::from_secs(300);

/// The object that the probe tries to have copied, and the body that it sends. They differ in length.
const SOURCE: &[u8] = b"an object that the URL does not name";
const SENT: &[u8] = b"sent by URL";

/// The result of a request by URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Accepted,
    Refused,
}

impl S3Client {
    /// Finds out how the server treats unsigned headers, with a few small objects under `prefix`.
    pub(super) async fn probe_unsigned_headers(&self, bucket: &BucketName, prefix: &str) -> Result<UnsignedHeaders> {
        let source = format!("{prefix}not-in-the-url");
        self.put_small(bucket, &source, SOURCE.into(), "text/plain").await?;
        let copy = || Some(("x-amz-copy-source", format!("/{}", escaped(bucket, &self.prefix.whole(&source)))));

        // Without this check, a wrong clock would look like a server that refuses the header.
        let plain = format!("{prefix}by-url");
        if self.put_by_url(bucket, &plain, None).await? == Sent::Refused {
            return Ok(UnsignedHeaders::Unknown);
        }
        let copied = format!("{prefix}by-url-copied");
        let copying = self.put_by_url(bucket, &copied, copy()).await?;
        if self.get_small(bucket, &copied, 1024).await?.as_deref() == Some(SOURCE) {
            return Ok(UnsignedHeaders::Copied);
        }
        let part = self.part_by_url(bucket, &format!("{prefix}by-url-part"), copy()).await?;
        if part == Some((Sent::Accepted, true)) {
            return Ok(UnsignedHeaders::Copied);
        }
        let marked = format!("{prefix}by-url-marked");
        let marking = self.put_by_url(bucket, &marked, Some(("x-amz-meta-added", "unsigned".to_owned()))).await?;
        let stored = match self.head_object(bucket, &marked).await {
            Ok(found) => found.metadata.keys().any(|name| name.eq_ignore_ascii_case("added")),
            Err(Error::ObjectNotFound { .. }) => false,
            Err(error) => return Err(error),
        };
        let refused = [Some(copying), part.map(|(sent, _)| sent), Some(marking)];
        Ok(match stored {
            true => UnsignedHeaders::Obeyed,
            false if refused.into_iter().flatten().all(|sent| sent == Sent::Refused) => UnsignedHeaders::Refused,
            false => UnsignedHeaders::Ignored,
        })
    }

    async fn put_by_url(&self, bucket: &BucketName, key: &str, added: Option<(&'static str, String)>) -> Result<Sent> {
        let url = self.presign(bucket, key, PresignedMethod::Put, LIFE).await?;
        let by_url = ByUrl { url, added };
        let put = || self.sdk.small.put_object().bucket(bucket.as_str()).key(key);
        let put = || put().body(ByteStream::from_static(SENT)).customize().interceptor(by_url.clone());
        match self.asked(|| put().send()).await {
            Ok(_) => Ok(Sent::Accepted),
            Err(error) => match status(&error) {
                // A copy is answered with a document that a plain PUT does not have, or with one that is truncated.
                Some(200..300) => Ok(Sent::Accepted),
                Some(_) => Ok(Sent::Refused),
                None => Err(self.failed(About::object("probe with", bucket, key), error)),
            },
        }
    }

    /// Returns the result of sending a part by URL, and whether the part has the source's bytes. `None` on a server
    /// that accepts no parts, or none by URL.
    async fn part_by_url(
        &self,
        bucket: &BucketName,
        key: &str,
        added: Option<(&'static str, String)>,
    ) -> Result<Option<(Sent, bool)>> {
        let id = match self.begin_upload(bucket, key, |create| create).await {
            Ok(id) => id,
            Err(Begun::Refused(error)) if status(&error).is_some() => return Ok(None),
            Err(Begun::Refused(error)) => return Err(self.failed(About::object("probe with", bucket, key), *error)),
            Err(Begun::Unnamed(error)) => return Err(error),
        };
        let sent = self.parts_by_url(bucket, key, &id, added).await;
        self.abort_multipart_upload(bucket, key, &id).await?;
        sent
    }

    async fn parts_by_url(
        &self,
        bucket: &BucketName,
        key: &str,
        id: &str,
        added: Option<(&'static str, String)>,
    ) -> Result<Option<(Sent, bool)>> {
        let mut last = Sent::Refused;
        for (number, added) in [(1, None), (2, added)] {
            let url = self.part_url(bucket, key, id, number, SENT.len() as u64, LIFE).await?;
            let by_url = ByUrl { url, added };
            let put = || self.sdk.small.upload_part().bucket(bucket.as_str()).key(key).upload_id(id);
            let put = || put().part_number(number).body(ByteStream::from_static(SENT));
            last = match self.asked(|| put().customize().interceptor(by_url.clone()).send()).await {
                Ok(_) => Sent::Accepted,
                Err(error) => match status(&error) {
                    Some(200..300) => Sent::Accepted,
                    Some(_) if number == 1 => return Ok(None),
                    Some(_) => Sent::Refused,
                    None => return Err(self.failed(About::object("probe with", bucket, key), error)),
                },
            };
        }
        let parts = self.stored_parts(bucket, key, id).await?;
        let copied = parts.iter().any(|part| part.number == 2 && part.size == SOURCE.len() as u64);
        Ok(Some((last, copied)))
    }
}
