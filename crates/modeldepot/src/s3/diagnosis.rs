//! Single requests with everything that came back, for diagnosing connection and permission problems.

use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;

use super::client::S3Client;
use super::clock::{Head, ReadHead};
use super::error::{About, status};
use super::multipart::Begun;
use super::region::is_moved;
use crate::error::{Error, Result};
use crate::model::key::creatable;
use crate::model::name::BucketName;

/// How long the only request of a diagnosis may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server's answer, whether it is an S3 server or not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The head of the answer.
    pub head: Head,
    /// The HTTP status.
    pub status: u16,
    /// The error, if the answer is a refusal or not an S3 answer.
    pub refusal: Option<Error>,
    /// The bucket's actual region, if it is not the configured one. Later requests are signed for it.
    pub region: Option<String>,
}

impl S3Client {
    /// Lists the first object of a bucket, once, with a time-out of 5 seconds, and returns the response.
    ///
    /// Every key that allows anything usually allows listing, and the body of a refused listing says why.
    ///
    /// # Errors
    /// [`Error::NotS3`], [`Error::Tls`], or [`Error::Other`] of kind [`crate::ErrorKind::Unavailable`] when no S3
    /// answer came back.
    pub async fn ask(&self, bucket: &BucketName) -> Result<Answer> {
        let read = ReadHead::default();
        // The rest of the time is for examining what answers instead of S3.
        let timeouts = TimeoutConfig::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE);
        let timeouts = timeouts.operation_timeout(PATIENCE * 3).build();
        let briefly = aws_sdk_s3::config::Builder::new().timeout_config(timeouts);
        let ask = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).max_keys(1).customize();
        let ask = || ask().interceptor(read.clone()).config_override(briefly.clone()).send();
        let sent = match ask().await {
            // A refusal that only reveals the bucket's region is not the answer yet.
            Err(error) if is_moved(&error) => ask().await,
            sent => sent,
        };
        let region = self.sdk.regions.of(bucket.as_str());
        match sent {
            Ok(_) => Ok(Answer { head: read.get(), status: 200, refusal: None, region }),
            Err(error) => {
                let status = status(&error);
                let refusal = self.failed(About::bucket("list", bucket), error);
                match status {
                    // An answer, but not from S3.
                    Some(_) if matches!(refusal, Error::NotS3 { .. }) => Err(refusal),
                    Some(status) => Ok(Answer { head: read.get(), status, refusal: Some(refusal), region }),
                    None => Err(refusal),
                }
            }
        }
    }

    /// Begins a multipart upload and returns its id. It is invisible until it is completed.
    pub async fn begin_multipart_upload(&self, bucket: &BucketName, key: &str) -> Result<String> {
        creatable(key)?;
        self.begin_upload(bucket, key, |create| create).await.map_err(|error| match error {
            Begun::Refused(error) => self.failed(About::object("begin an upload of", bucket, key), *error),
            Begun::Unnamed(error) => error,
        })
    }
}
