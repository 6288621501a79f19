//! Presigned URLs.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;

use super::client::{PresignedMethod, S3Client};
use super::disposition::disposition;
use super::error::About;
use crate::error::{Error, Result};
use crate::model::key::creatable;
use crate::model::name::BucketName;

/// The longest lifetime of a presigned URL: AWS's limit for signature version 4.
const LONGEST_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

impl S3Client {
    /// Returns a URL that lets its holder fetch or store one object, for 1 second to 7 days, in whole seconds. Sends
    /// nothing and does not check that the object exists.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Invalid`] for any other lifetime, and for a key to store that
    /// listings cannot show.
    pub async fn presign(
        &self,
        bucket: &BucketName,
        key: &str,
        method: PresignedMethod,
        expires: Duration,
    ) -> Result<String> {
        if method == PresignedMethod::Put {
            creatable(key)?;
        }
        let about = About::object("sign a URL for", bucket, key);
        let config = self.presigning(about, expires)?;
        let url = match method {
            PresignedMethod::Get => {
                let sent = self.sdk.signing.get_object().bucket(bucket.as_str()).key(key).presigned(config).await;
                sent.map_err(|error| self.failed(about, error))?.uri().to_owned()
            }
            PresignedMethod::Put => {
                let sent = self.sdk.signing.put_object().bucket(bucket.as_str()).key(key).presigned(config).await;
                sent.map_err(|error| self.failed(about, error))?.uri().to_owned()
            }
        };
        Ok(url)
    }

    /// Returns a URL that lets its holder save one object, for 1 second to 7 days. Browsers download the object instead
    /// of showing it: HTML and SVG would run in the origin of the S3 endpoint.
    ///
    /// # Errors
    /// As [`S3Client::presign`].
    pub(crate) async fn download_url(
        &self,
        bucket: &BucketName,
        key: &str,
        name: &str,
        expires: Duration,
    ) -> Result<String> {
        let about = About::object("sign a URL for", bucket, key);
        let config = self.presigning(about, expires)?;
        let get = self.sdk.signing.get_object().bucket(bucket.as_str()).key(key);
        let get = get
            .response_content_disposition(disposition("attachment", name))
            .response_content_type("application/octet-stream");
        let sent = get.presigned(config).await;
        Ok(sent.map_err(|error| self.failed(about, error))?.uri().to_owned())
    }

    fn presigning(&self, about: About<'_>, expires: Duration) -> Result<PresigningConfig> {
        let seconds = expires.as_secs();
        if seconds == 0 || expires > LONGEST_EXPIRY {
            return Err(Error::expiry(seconds));
        }
        let config = PresigningConfig::expires_in(Duration::from_secs(seconds));
        config.map_err(|error| self.failed_locally(about, &error))
    }
}
