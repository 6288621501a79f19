//! Requests by presigned URL, as other clients send them.

use std::time::Duration;

use aws_sdk_s3::config::Intercept;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::client::{PresignedMethod, S3Client};
use super::error::About;
use crate::error::Result;
use crate::model::name::BucketName;

/// Lifetime of a URL that is used at once.
const LIFE: Duration = Duration::from_secs(60);

/// Sends a request to a presigned URL instead, as a client without credentials would.
#[derive(Debug, Clone)]
pub(super) struct ByUrl {
    pub(super) url: String,
    /// A header that the URL does not cover.
    pub(super) added: Option<(&'static str, String)>,
}

impl Intercept for ByUrl {
    fn name(&self) -> &'static str {
        "ByUrl"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.set_uri(self.url.clone())?;
        let headers = request.headers_mut();
        let signers = |name: &str| name == "authorization" || name.starts_with("x-amz-") || name.starts_with("amz-");
        let signed: Vec<String> =
            headers.iter().map(|(name, _)| name.to_owned()).filter(|name| signers(name)).collect();
        for name in signed {
            headers.remove(name);
        }
        if let Some((name, value)) = &self.added {
            headers.try_insert(*name, value.clone())?;
        }
        Ok(())
    }
}

impl S3Client {
    /// Fetches the first byte of an object by a presigned URL, and returns the HTTP status: 206, or 200 if the server
    /// ignores the range. Nothing more of the object is read. The object must not be empty.
    ///
    /// # Errors
    /// The refusal, if the URL does not work. Redirects are not followed.
    pub async fn try_presigned_url(&self, bucket: &BucketName, key: &str) -> Result<u16> {
        let url = self.presign(bucket, key, PresignedMethod::Get, LIFE).await?;
        let by_url = ByUrl { url, added: None };
        let get = || self.sdk.small.get_object().bucket(bucket.as_str()).key(key).range("bytes=0-0").customize();
        let got = self.asked(|| get().interceptor(by_url.clone()).send()).await;
        let got = got.map_err(|error| self.failed(About::object("fetch by presigned URL", bucket, key), error))?;
        Ok(if got.content_range().is_some() { 206 } else { 200 })
    }
}
