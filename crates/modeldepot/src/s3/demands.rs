//! What buckets and accounts demand of requests, in one place, so that no request goes without it.
//!
//! A checksum goes with everything small that is stored: a bucket with a default retention refuses what has none. Parts and
//! files bring theirs ([`super::sums`]); the rest gets a `Content-MD5`, which every server knows.

use aws_sdk_s3::config::Intercept;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::sums::header;
use crate::digest::Md5;

/// Adds to requests what is demanded of them, before they are signed.
#[derive(Debug, Clone, Default)]
pub(super) struct Demands;

impl Intercept for Demands {
    fn name(&self) -> &'static str {
        "Demands"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map(|metadata| metadata.name().to_owned()).unwrap_or_default();
        let request = context.request_mut();
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

fn has_checksum(request: &HttpRequest) -> bool {
    let named = |name: &str| name == "content-md5" || name == "x-amz-trailer" || name.starts_with("x-amz-checksum-");
    request.headers().iter().any(|(name, _)| named(name))
}
