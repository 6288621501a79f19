//! One request at a time, with everything that came back: for diagnosing connection and permission problems.

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

/// How long the one request of a diagnosis may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server answered, whether it is one of S3 or not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The head of the answer.
    pub head: Head,
    /// The HTTP status.
    pub status: u16,
    /// What the answer means when it is a refusal, or not one of S3 at all.
    pub refusal: Option<Error>,
    /// The region that the bucket turned out to be in, when that is not the one of the settings. Requests have been signed
    /// for it since.
    pub region: Option<String>,
}

impl S3Client {
    /// Asks for the first object of a bucket, once, waiting 5 seconds for the answer, and returns what came back.
    ///
    /// Listing is what every key can do that can do anything, and its refusals have a body that says why.
    ///
    /// # Errors
    /// [`Error::NotS3`], [`Error::Tls`], [`Error::Unreachable`], [`Error::NoAnswer`] or [`Error::Unavailable`] when nothing
    /// came back that is S3's.
    pub async fn ask(&self, bucket: &BucketName) -> Result<Answer> {
        let read = ReadHead::default();
        // Beyond that, what answers instead of S3 may be looked into.
        let timeouts = TimeoutConfig::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE);
        let timeouts = timeouts.operation_timeout(PATIENCE * 3).build();
        let briefly = aws_sdk_s3::config::Builder::new().timeout_config(timeouts);
        let ask = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).max_keys(1).customize();
        let ask = || ask().interceptor(read.clone()).config_override(briefly.clone()).send();
        let sent = match ask().await {
            // The one that says where the bucket is is no answer yet.
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
                    // An answer, and none of S3.
                    Some(_) if matches!(refusal, Error::NotS3 { .. }) => Err(refusal),
                    Some(status) => Ok(Answer { head: read.get(), status, refusal: Some(refusal), region }),
                    None => Err(refusal),
                }
            }
        }
    }

    /// Begins an upload in parts and returns its id. Nobody sees it until it is completed.
    pub async fn begin_multipart_upload(&self, bucket: &BucketName, key: &str) -> Result<String> {
        creatable(key)?;
        self.begin_upload(bucket, key, |create| create).await.map_err(|error| match error {
            Begun::Refused(error) => self.failed(About::object("begin an upload of", bucket, key), *error),
            Begun::Unnamed(error) => error,
        })
    }
}
