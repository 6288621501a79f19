//! Headers required by buckets and accounts, added in one place so that no request lacks them.
//!
//! Every small object is stored with a checksum: a bucket with default retention refuses objects without one. Parts and
//! files bring their own ([`super::transfer::checksum`]); the rest gets a `Content-MD5`, which every server supports.

use std::sync::Arc;

use aws_sdk_s3::config::Intercept;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::transfer::checksum::header;
use crate::model::digest::Md5;
use crate::settings::Writing;

/// Adds required headers to requests before they are signed.
#[derive(Debug, Clone)]
pub(super) struct RequiredHeaders(pub(super) Arc<Writing>);

/// Adds to presigned URLs what must be signed with them. Required headers are left out, since the URL's user would have
/// to send them: a bucket then encrypts by its default.
#[derive(Debug, Clone)]
pub(super) struct RequiredUrlHeaders(pub(super) Arc<Writing>);

/// States that the caller pays.
const PAYER: &str = "x-amz-request-payer";

impl Intercept for RequiredHeaders {
    fn name(&self) -> &'static str {
        "RequiredHeaders"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map(|metadata| metadata.name().to_owned()).unwrap_or_default();
        let request = context.request_mut();
        let mut add = |name: &'static str, value: &str| request.headers_mut().try_insert(name, value.to_owned());
        if self.0.request_payer {
            add(PAYER, "requester")?;
        }
        // A bucket that is being created has no owner yet.
        if let Some(owner) = self.0.expected_owner.as_deref().filter(|_| operation != "CreateBucket") {
            add("x-amz-expected-bucket-owner", owner)?;
            if matches!(operation.as_str(), "CopyObject" | "UploadPartCopy") {
                add("x-amz-source-expected-bucket-owner", owner)?;
            }
        }
        if let Some(encryption) = &self.0.encryption
            && matches!(operation.as_str(), "PutObject" | "CreateMultipartUpload" | "CopyObject")
        {
            add("x-amz-server-side-encryption", encryption.mode.as_str())?;
            if let Some(key) = &encryption.key {
                add("x-amz-server-side-encryption-aws-kms-key-id", key)?;
            }
        }
        if matches!(operation.as_str(), "PutObject" | "UploadPart" | "DeleteObjects")
            && !has_checksum(request)
            && let Some(body) = request.body().bytes()
        {
            let md5 = header(Md5::of(body));
            request.headers_mut().try_insert("content-md5", md5)?;
        }
        Ok(())
    }
}

impl Intercept for RequiredUrlHeaders {
    fn name(&self) -> &'static str {
        "RequiredUrlHeaders"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.request_payer {
            let request = context.request_mut();
            let separator = if request.uri().contains('?') { '&' } else { '?' };
            let uri = format!("{}{separator}{PAYER}=requester", request.uri());
            request.set_uri(uri)?;
        }
        Ok(())
    }
}

fn has_checksum(request: &HttpRequest) -> bool {
    let named = |name: &str| name == "content-md5" || name == "x-amz-trailer" || name.starts_with("x-amz-checksum-");
    request.headers().iter().any(|(name, _)| named(name))
}
