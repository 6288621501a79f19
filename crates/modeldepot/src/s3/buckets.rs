//! The verbs on buckets.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::client::S3Client;
use super::error::{About, code, status};
use crate::error::{Error, Mark, Result};
use crate::model::name::BucketName;

impl S3Client {
    /// Makes a bucket. Returns false when it was there already and is the caller's own.
    pub async fn create_bucket(&self, bucket: &BucketName) -> Result<bool> {
        let about = About::bucket("create", bucket);
        // AWS answers 200 for one's own bucket in us-east-1, other servers a conflict: ask first, to tell the same.
        match self.bucket_exists(bucket).await {
            Ok(true) => return Ok(false),
            // Somebody else's, or one that the login may make and not look at: the server says which.
            Ok(false) | Err(Error::Denied { .. }) => Box::pin(self.confirm(bucket)).await?,
            Err(error) => return Err(error),
        }
        // us-east-1 is the one region that must not be named.
        let place = (self.region() != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region()))
                .build()
        });
        let create = || self.sdk.small.create_bucket().bucket(bucket.as_str());
        match self.asked(|| create().set_create_bucket_configuration(place.clone()).send()).await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == Some("BucketAlreadyOwnedByYou") => Ok(false),
            // Some servers say this of one's own bucket as well.
            Err(error) if code(&error) == Some("BucketAlreadyExists") => match self.bucket_exists(bucket).await {
                Ok(true) => Ok(false),
                _ => Err(self.failed(about, error)),
            },
            Err(error) => Err(self.failed(about, error)),
        }
    }

    /// Returns true when the bucket exists and the caller may see it.
    pub async fn bucket_exists(&self, bucket: &BucketName) -> Result<bool> {
        if !self.prefix.is_empty() {
            // A policy for one folder allows to list that folder, and no HEAD of the bucket.
            return match Box::pin(self.any_object(bucket, "")).await {
                Ok(_) => Ok(true),
                Err(Error::BucketNotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            };
        }
        match self.asked(|| self.sdk.small.head_bucket().bucket(bucket.as_str()).send()).await {
            Ok(_) => Box::pin(self.confirm(bucket)).await.map(|()| true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(self.failed(About::bucket("look at", bucket), error)),
        }
    }

    /// Asks for what only a bucket of S3 answers, where the answer to a HEAD may be that of anything: of a server that says
    /// yes to everything, or of an object, where the endpoint's path is the name of a bucket.
    pub(super) async fn confirm(&self, bucket: &BucketName) -> Result<()> {
        if self.sdk.peer.is_s3() && !self.has_path() {
            return Ok(());
        }
        match Box::pin(self.any_object(bucket, "")).await {
            Err(error) if matches!(error, Error::NotS3 { .. }) || *error.mark() == Mark::Settings => Err(error),
            // A login may look at a bucket and not list it.
            _ => Ok(()),
        }
    }
}
