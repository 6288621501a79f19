//! What buckets and accounts demand of requests, in one place, so that no request goes without it.
//!
//! A checksum goes with everything small that is stored: a bucket with a default retention refuses what has none. Parts and
//! files bring theirs ([`super::transfer::checksum`]); the rest gets a `Content-MD5`, which every server knows.

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

/// Adds to requests what is demanded of them, before they are signed.
#[derive(Debug, Clone)]
pub(super) struct RequiredHeaders(pub(super) Arc<Writing>);

/// Adds to URLs that others use what must be signed with them. What must be a header would be theirs to send, so it is left
/// out: a bucket encrypts by its own default.
#[derive(Debug, Clone)]
pub(super) struct RequiredUrlHeaders(pub(super) Arc<Writing>);

/// Says that the caller pays.
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
        // There is nobody yet who could own a bucket that is made.
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
