//! A client whose keys are relative to a folder of the bucket.
//!
//! The prefix is added to the keys of all requests in one place, which refuses request types that it does not know: no
//! request can escape the folder by omission. It is removed from answers where listings are read.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadInput;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadInput;
use aws_sdk_s3::operation::create_bucket::CreateBucketInput;
use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadInput;
use aws_sdk_s3::operation::delete_object::DeleteObjectInput;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsInput;
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningInput;
use aws_sdk_s3::operation::get_object::GetObjectInput;
use aws_sdk_s3::operation::head_bucket::HeadBucketInput;
use aws_sdk_s3::operation::head_object::HeadObjectInput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsInput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Input;
use aws_sdk_s3::operation::list_parts::ListPartsInput;
use aws_sdk_s3::operation::put_bucket_versioning::PutBucketVersioningInput;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_sdk_s3::operation::upload_part::UploadPartInput;
use aws_sdk_s3::operation::upload_part_copy::UploadPartCopyInput;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeSerializationInterceptorContextMut, Input};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::client::S3Client;
use super::connect::Clients;
use crate::model::prefix::KeyPrefix;

impl S3Client {
    /// Returns a client of the same service whose keys are relative to a folder of the bucket.
    pub(crate) fn below(&self, prefix: &KeyPrefix) -> S3Client {
        if prefix.is_empty() {
            return self.clone();
        }
        let below = |client: &Client| {
            Client::from_conf(client.config().to_builder().interceptor(Below(prefix.clone())).build())
        };
        let Clients { small, reading, writing, signing, regions, peer } = &*self.sdk;
        let sdk = Clients {
            small: below(small),
            reading: below(reading),
            writing: below(writing),
            signing: below(signing),
            regions: regions.clone(),
            peer: Arc::clone(peer),
        };
        let mut depot = self.clone();
        (depot.sdk, depot.prefix) = (Arc::new(sdk), prefix.clone());
        depot
    }
}

#[derive(Debug)]
struct Below(KeyPrefix);

impl Intercept for Below {
    fn name(&self) -> &'static str {
        "Below"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        put_below(&self.0, context.input_mut()).map_err(Into::into)
    }
}

fn put_below(prefix: &KeyPrefix, input: &mut Input) -> Result<(), &'static str> {
    let below = |key: &mut Option<String>| *key = Some(prefix.whole(key.as_deref().unwrap_or_default()).into_owned());
    macro_rules! with_key {
        ($($operation:ty),* $(,)?) => {
            $(if let Some(input) = input.downcast_mut::<$operation>() {
                below(&mut input.key);
                return Ok(());
            })*
        };
    }
    with_key![
        AbortMultipartUploadInput,
        CompleteMultipartUploadInput,
        CreateMultipartUploadInput,
        DeleteObjectInput,
        GetObjectInput,
        HeadObjectInput,
        ListPartsInput,
        PutObjectInput,
        UploadPartInput,
        // The source of a copy gets its prefix, and its escaping, where the copy is requested.
        UploadPartCopyInput,
    ];
    if let Some(input) = input.downcast_mut::<ListObjectsV2Input>() {
        // The start of a page came from the server, and is already a key of the bucket.
        below(&mut input.prefix);
        return Ok(());
    }
    if let Some(input) = input.downcast_mut::<DeleteObjectsInput>() {
        for object in input.delete.iter_mut().flat_map(|delete| &mut delete.objects) {
            object.key = prefix.whole(&object.key).into_owned();
        }
        return Ok(());
    }
    // Lists the whole bucket, since MinIO lists the uploads of one key or of all; the answer is filtered.
    let of_the_bucket = input.downcast_ref::<ListMultipartUploadsInput>().is_some()
        || input.downcast_ref::<HeadBucketInput>().is_some()
        || input.downcast_ref::<CreateBucketInput>().is_some()
        || input.downcast_ref::<GetBucketVersioningInput>().is_some()
        || input.downcast_ref::<PutBucketVersioningInput>().is_some();
    if of_the_bucket { Ok(()) } else { Err("this request is not known to stay below the key prefix") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::operation::delete_bucket::DeleteBucketInput;

    #[test]
    fn a_request_that_is_not_known_is_refused() {
        let prefix = "team/ml".parse().unwrap();
        let get = GetObjectInput::builder().bucket("b").key("m/v1/f").build().unwrap();
        let mut input = Input::erase(get);
        put_below(&prefix, &mut input).unwrap();
        assert_eq!(input.downcast_ref::<GetObjectInput>().unwrap().key(), Some("team/ml/m/v1/f"));
        let unknown = DeleteBucketInput::builder().bucket("b").build().unwrap();
        assert!(put_below(&prefix, &mut Input::erase(unknown)).is_err());
    }
}
