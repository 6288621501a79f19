//! Bucket versioning.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use super::client::S3Client;
use super::error::{About, status};
use crate::error::Result;
use crate::model::name::BucketName;

impl S3Client {
    /// Returns whether the bucket keeps versions of its objects. If it does, a delete only hides an object behind a
    /// delete marker, and its bytes stay as a noncurrent version. `None` when the server does not say, or not to this
    /// login.
    ///
    /// A bucket with suspended versioning counts too: the versions it has stay.
    pub async fn keeps_versions(&self, bucket: &BucketName) -> Result<Option<bool>> {
        match self.asked(|| self.sdk.small.get_bucket_versioning().bucket(bucket.as_str()).send()).await {
            Ok(answer) => Ok(Some(answer.status().is_some())),
            // This is called after the work is done, which should not fail because of it.
            Err(error) if status(&error).is_some() => Ok(None),
            Err(error) => Err(self.failed(About::bucket("look at", bucket), error)),
        }
    }

    /// Enables or suspends versioning of a bucket. Existing versions stay.
    pub async fn set_versioning(&self, bucket: &BucketName, on: bool) -> Result<()> {
        let state = if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
        let wanted = VersioningConfiguration::builder().status(state).build();
        let put = || self.sdk.small.put_bucket_versioning().bucket(bucket.as_str());
        let done = self.asked(|| put().versioning_configuration(wanted.clone()).send()).await;
        done.map(|_| ()).map_err(|error| self.failed(About::bucket("change the versioning of", bucket), error))
    }
}
