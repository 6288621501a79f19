//! Bucket settings that can never be set here: clients that check them first get AWS's answer for a bucket without
//! them. Setting one is refused as not implemented.

use hyper::StatusCode;
use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::Gateway;
use crate::refusal::custom;

fn missing(code: &'static str, message: &str) -> S3Error {
    custom(code, StatusCode::NOT_FOUND, message.to_owned())
}

fn no_policy() -> S3Error {
    missing("NoSuchBucketPolicy", "The bucket policy does not exist")
}

/// Operations with the same answer for every existing bucket.
macro_rules! same_for_every_bucket {
    ($($operation:ident($input:ident) -> $output:ident: $answer:expr;)*) => {
        impl Gateway {
            $(
                pub(super) async fn $operation(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.run(move |store| store.index.bucket(&req.input.bucket)).await?;
                    let answer: S3Result<$output> = $answer;
                    answer.map(S3Response::new)
                }
            )*
        }
    };
}

same_for_every_bucket! {
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput: Err(no_policy());
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput: Err(no_policy());
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput: Ok(Default::default());
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput:
        Err(missing(
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        ));
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput: Ok(Default::default());
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput:
        Err(missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found"));
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput: Ok(Default::default());
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput:
        Err(missing("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"));
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput: Ok(Default::default());
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput:
        Err(missing(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ));
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput: Err(no_object_lock());
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput: Err(no_object_lock());
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput: Ok(Default::default());
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput: Ok(Default::default());
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput: Ok(Default::default());
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput:
        Ok(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) });
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput:
        Ok(GetBucketOwnershipControlsOutput { ownership_controls: Some(owner_decides()) });
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput:
        Ok(GetPublicAccessBlockOutput { public_access_block_configuration: Some(all_blocked()) });
}

fn no_object_lock() -> S3Error {
    s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration")
}

fn owner_decides() -> OwnershipControls {
    let object_ownership = ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED);
    OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] }
}

/// Nothing is ever public.
fn all_blocked() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    }
}

impl Gateway {
    /// Accepts settings that hold anyway.
    pub(super) async fn put_public_access_block(
        &self,
        req: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        let input = req.input;
        if input.public_access_block_configuration != all_blocked() {
            return Err(s3_error!(NotImplemented, "Public access is always blocked and cannot be allowed"));
        }
        self.run(move |store| store.index.bucket(&input.bucket)).await?;
        Ok(S3Response::new(PutPublicAccessBlockOutput::default()))
    }
}
