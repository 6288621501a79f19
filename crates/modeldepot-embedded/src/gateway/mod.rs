//! The S3 operations. This file lists them; the files below it implement them.

mod acl;
mod attributes;
mod buckets;
mod copies;
pub(crate) mod cors;
pub(crate) mod forms;
pub(crate) mod gate;
pub(crate) mod lifecycle;
mod lists;
mod objects;
mod reads;
pub(crate) mod tagging;
mod unset;
mod uploads;
mod versions;

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use crate::double::Double;
use crate::index::conditions::{Tags, WriteConditions};
use crate::index::record::Description;
use crate::refusal::{internal, is_no_room};
use crate::store::Store;

/// Serves S3 from a [`Store`].
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    store: Arc<Store>,
    double: Double,
}

impl Gateway {
    pub(crate) fn new(store: Arc<Store>, double: Double) -> Self {
        Self { store, double }
    }

    /// Runs work that may wait for the disk on a blocking thread.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Store) -> S3Result<T> + Send + 'static) -> S3Result<T> {
        let store = Arc::clone(&self.store);
        // Log messages from that thread belong to the request, too.
        let span = tracing::Span::current();
        let work = move || span.in_scope(|| work(&store));
        let done = tokio::task::spawn_blocking(work).await.map_err(internal)?;
        if done.as_ref().is_err_and(is_no_room) {
            self.store.disk.room.note_full();
        }
        done
    }

    fn write_conditions(&self, if_match: Option<Tags>, if_none_match: Option<Tags>) -> S3Result<WriteConditions> {
        if self.double.ignores_conditions() {
            return Ok(WriteConditions::default());
        }
        WriteConditions::of_write(if_match, if_none_match)
    }
}

/// Refuses features that would otherwise be silently ignored.
fn refuse_unsupported<const N: usize>(features: [(bool, &str); N]) -> S3Result<()> {
    match features.iter().find(|(asked, _)| *asked) {
        Some((_, feature)) => Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented: {}",
            feature
        )),
        None => Ok(()),
    }
}

/// Unsupported fields that put, copy and create-multipart-upload have in common.
macro_rules! refuse_write_features {
    ($input:expr) => {
        $crate::gateway::acl::check_acl!($input).and($crate::gateway::refuse_unsupported([
            ($input.sse_customer_algorithm.is_some() || $input.sse_customer_key.is_some(), "encryption with your key"),
            ($input.server_side_encryption.is_some() || $input.ssekms_key_id.is_some(), "server-side encryption"),
            ($input.object_lock_mode.is_some() || $input.object_lock_legal_hold_status.is_some(), "object lock"),
        ]))
    };
}
use refuse_write_features;

/// Takes the descriptive headers from an input.
macro_rules! describe {
    ($input:expr) => {
        $crate::gateway::checked($crate::index::record::Description {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::gateway::without_framing($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.as_ref().map($crate::index::conditions::seconds),
            website_redirect_location: $input.website_redirect_location.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            tags: $crate::gateway::tagging::tags_of_header($input.tagging.as_deref())?,
        })
    };
}
use describe;

/// The most user metadata that S3 accepts, names and values together.
const MAX_METADATA: usize = 2 << 10;

fn checked(description: Description) -> S3Result<Description> {
    let size: usize = description.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA {
        return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"));
    }
    Ok(description)
}

/// Removes `aws-chunked`, which describes the transfer and not the object.
fn without_framing(encoding: Option<String>) -> Option<String> {
    let left: Vec<_> = encoding?
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("aws-chunked"))
        .map(str::to_owned)
        .collect();
    (!left.is_empty()).then(|| left.join(","))
}

fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

fn timestamp(seconds: i64) -> Timestamp {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH).into()
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The only owner.
fn owner() -> Owner {
    Owner { display_name: Some("owner".into()), id: Some("owner".into()) }
}

/// Connects each operation of the protocol to its method.
macro_rules! operations {
    ($($name:literal $operation:ident($input:ident) -> $output:ident;)*) => {
        /// The supported operations, by their S3 names.
        pub(crate) const SERVED: &[&str] = &[$($name),*];

        #[async_trait::async_trait]
        impl S3 for Gateway {
            $(
                async fn $operation(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    Self::$operation(self, req).await
                }
            )*

            // By default the protocol layer turns a form into a put. Forms never get here: see `forms`.
            async fn post_object(&self, _: S3Request<PostObjectInput>) -> S3Result<S3Response<PostObjectOutput>> {
                Err(s3_error!(NotImplemented, "Uploads by form are not implemented"))
            }
        }
    };
}

operations! {
    "ListBuckets" list_buckets(ListBucketsInput) -> ListBucketsOutput;
    "CreateBucket" create_bucket(CreateBucketInput) -> CreateBucketOutput;
    "HeadBucket" head_bucket(HeadBucketInput) -> HeadBucketOutput;
    "DeleteBucket" delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    "GetBucketLocation" get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    "GetBucketVersioning" get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    "PutBucketVersioning" put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    "GetBucketTagging" get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput;
    "PutBucketTagging" put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput;
    "DeleteBucketTagging" delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput;
    "GetBucketCors" get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput;
    "PutBucketCors" put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput;
    "DeleteBucketCors" delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput;
    "GetBucketLifecycleConfiguration" get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput;
    "PutBucketLifecycleConfiguration" put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput)
        -> PutBucketLifecycleConfigurationOutput;
    "DeleteBucketLifecycle" delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput;
    "GetBucketAcl" get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput;
    "PutBucketAcl" put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput;

    "GetBucketPolicy" get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput;
    "GetBucketPolicyStatus" get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput;
    "DeleteBucketPolicy" delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput;
    "GetBucketEncryption" get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput;
    "DeleteBucketEncryption" delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput;
    "GetBucketReplication" get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput;
    "DeleteBucketReplication" delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput;
    "GetBucketWebsite" get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput;
    "DeleteBucketWebsite" delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
    "GetObjectLockConfiguration" get_object_lock_configuration(GetObjectLockConfigurationInput)
        -> GetObjectLockConfigurationOutput;
    "GetObjectRetention" get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput;
    "GetObjectLegalHold" get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput;
    "GetBucketLogging" get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput;
    "GetBucketAccelerateConfiguration" get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput;
    "GetBucketNotificationConfiguration" get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput;
    "GetBucketRequestPayment" get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput;
    "GetBucketOwnershipControls" get_bucket_ownership_controls(GetBucketOwnershipControlsInput)
        -> GetBucketOwnershipControlsOutput;
    "GetPublicAccessBlock" get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput;
    "PutPublicAccessBlock" put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput;

    "ListObjects" list_objects(ListObjectsInput) -> ListObjectsOutput;
    "ListObjectsV2" list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    "ListObjectVersions" list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;

    "HeadObject" head_object(HeadObjectInput) -> HeadObjectOutput;
    "GetObject" get_object(GetObjectInput) -> GetObjectOutput;
    "PutObject" put_object(PutObjectInput) -> PutObjectOutput;
    "CopyObject" copy_object(CopyObjectInput) -> CopyObjectOutput;
    "DeleteObject" delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    "GetObjectAttributes" get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput;
    "GetObjectTagging" get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput;
    "PutObjectTagging" put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput;
    "DeleteObjectTagging" delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput;
    "GetObjectAcl" get_object_acl(GetObjectAclInput) -> GetObjectAclOutput;
    "PutObjectAcl" put_object_acl(PutObjectAclInput) -> PutObjectAclOutput;
    "DeleteObjects" delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;

    "CreateMultipartUpload" create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    "UploadPart" upload_part(UploadPartInput) -> UploadPartOutput;
    "UploadPartCopy" upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    "ListParts" list_parts(ListPartsInput) -> ListPartsOutput;
    "ListMultipartUploads" list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    "AbortMultipartUpload" abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    "CompleteMultipartUpload" complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
}
