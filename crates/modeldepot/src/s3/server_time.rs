//! The server's time, requested or taken from its last answer.

use time::OffsetDateTime;

use super::client::S3Client;
use super::clock::{Head, ReadHead};
use super::error::{About, status};
use crate::error::{Error, Result};
use crate::model::name::BucketName;

impl S3Client {
    /// Returns the server's time, to the second.
    pub(crate) async fn server_time(&self, bucket: &BucketName) -> Result<OffsetDateTime> {
        let head = self.head(bucket).await?;
        let silent = || Error::unavailable("say what time it is", self.endpoint(), "the answer has no `Date`");
        head.date.ok_or_else(silent)
    }

    /// Returns the server's time, to the second: derived from its last answer if that is recent, otherwise requested.
    pub(crate) async fn now(&self, bucket: &BucketName) -> Result<OffsetDateTime> {
        match self.clock.now() {
            Some(now) => Ok(now),
            None => self.server_time(bucket).await,
        }
    }

    /// Returns what the server reports about itself, and its time.
    pub(crate) async fn head(&self, bucket: &BucketName) -> Result<Head> {
        let read = ReadHead::default();
        if !self.prefix.is_empty() {
            // A policy for one folder allows listing that folder, but no HEAD of the bucket.
            let list = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).max_keys(1);
            return match self.asked(|| list().customize().interceptor(read.clone()).send()).await {
                Err(error) if status(&error).is_none() || self.is_beside(&error) => {
                    Err(self.failed(About::bucket("look at", bucket), error))
                }
                _ => Ok(read.get()),
            };
        }
        let head = || self.sdk.small.head_bucket().bucket(bucket.as_str()).customize().interceptor(read.clone());
        match self.asked(|| head().send()).await {
            Err(error) if status(&error).is_none() => Err(self.failed(About::bucket("look at", bucket), error)),
            // A refusal has headers too.
            _ => Box::pin(self.confirm(bucket)).await.map(|()| read.get()),
        }
    }
}
