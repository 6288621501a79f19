//! Buckets in another region than the configured one.
//!
//! A server that refuses a request for its region says which one is right. That is trusted once per bucket: the request
//! is sent again, signed for that region and, on AWS, to it. Nothing else in an answer redirects requests: no
//! `Location` is followed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::config::endpoint::{DefaultResolver, EndpointFuture, Params, ResolveEndpoint};
use aws_sdk_s3::error::SdkError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

/// How many buckets' regions are remembered.
const MOST: usize = 1000;

/// The longest accepted region name.
const LONGEST: usize = 64;

/// The learned regions of buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct Regions {
    learned: Arc<Mutex<BTreeMap<String, String>>>,
    resolver: Arc<DefaultResolver>,
}

/// Marks a refusal from which a region was learned.
#[derive(Debug, Clone)]
struct Learned;

/// Returns true for a refusal that revealed the bucket's region: the same request will be sent there.
pub(super) fn is_moved<E>(error: &SdkError<E, HttpResponse>) -> bool {
    error.raw_response().is_some_and(|answer| answer.extension::<Learned>().is_some())
}

/// Returns the region named in a refusal.
pub(super) fn named(answer: &HttpResponse) -> Option<String> {
    let in_body = || {
        let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
        let (_, rest) = text.split_once("<Region>")?;
        Some(rest.split_once("</Region>")?.0)
    };
    let region = answer.headers().get("x-amz-bucket-region").or_else(in_body)?.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!region.is_empty() && region.len() <= LONGEST && region.chars().all(fits)).then(|| region.to_owned())
}

/// The region that a request was signed for; the request itself is gone by the time its answer arrives.
#[derive(Debug)]
struct SignedFor(String);

impl Storable for SignedFor {
    type Storer = StoreReplace<Self>;
}

/// Returns the region that a request was signed for.
fn signed_for(request: &HttpRequest) -> Option<String> {
    let scope = request.headers().get("authorization")?.split("Credential=").nth(1)?;
    Some(scope.split('/').nth(2)?.to_owned())
}

impl Regions {
    /// Returns the bucket's actual region, if it is not the configured one.
    pub(super) fn of(&self, bucket: &str) -> Option<String> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
    }

    /// Remembers the region of a bucket. Returns true when a request that was signed for another region should be sent
    /// again.
    fn learn(&self, bucket: &str, signed: Option<&str>, region: String) -> bool {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.is_none_or(|signed| signed == region) {
            return false;
        }
        match learned.get(bucket) {
            // Concurrent requests each get this refusal. A server that changes its answer is not followed.
            Some(known) => *known == region,
            None if learned.len() >= MOST => false,
            None => {
                tracing::info!(bucket, region, "the bucket is in another region than is set");
                learned.insert(bucket.to_owned(), region);
                true
            }
        }
    }
}

impl ResolveEndpoint for Regions {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        let Some(region) = params.bucket().and_then(|bucket| self.of(bucket)) else {
            return self.resolver.resolve_endpoint(params);
        };
        let moved = Params::builder()
            .region(region)
            .set_bucket(params.bucket().map(str::to_owned))
            .set_endpoint(params.endpoint().map(str::to_owned))
            .set_key(params.key().map(str::to_owned))
            .set_prefix(params.prefix().map(str::to_owned))
            .set_copy_source(params.copy_source().map(str::to_owned))
            .set_force_path_style(params.force_path_style())
            .build();
        let resolver = Arc::clone(&self.resolver);
        EndpointFuture::new(async move { resolver.resolve_endpoint(&moved?).await })
    }
}

impl Intercept for Regions {
    fn name(&self) -> &'static str {
        "Regions"
    }

    fn read_after_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(region) = signed_for(context.request()) {
            config.interceptor_state().store_put(SignedFor(region));
        }
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // New buckets are created where the settings say.
        if config.load::<Metadata>().is_some_and(|metadata| metadata.name() == "CreateBucket") {
            return Ok(());
        }
        let params = config.load::<EndpointResolverParams>().and_then(|params| params.get::<Params>());
        let Some(bucket) = params.and_then(Params::bucket) else { return Ok(()) };
        let signed = config.load::<SignedFor>().map(|signed| signed.0.as_str());
        if let Some(answer) = context.response_mut()
            && matches!(answer.status().as_u16(), 301 | 307 | 308 | 400)
            && let Some(region) = named(answer)
            && self.learn(bucket, signed, region)
        {
            answer.add_extension(Learned);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    #[test]
    fn a_region_is_read_from_head_or_body_and_must_look_like_one() {
        let answer = |header: Option<&'static str>, body: &'static str| {
            let mut answer = HttpResponse::new(301.try_into().unwrap(), SdkBody::from(body));
            if let Some(header) = header {
                answer.headers_mut().insert("x-amz-bucket-region", header);
            }
            named(&answer)
        };
        assert_eq!(answer(Some("eu-central-1"), ""), Some("eu-central-1".to_owned()));
        assert_eq!(answer(None, "<Error><Region>eu-north-1</Region></Error>"), Some("eu-north-1".to_owned()));
        for wrong in ["<Region></Region>", "<Region>evil.example/x</Region>", "<Region>a b</Region>", "<Region>eu"] {
            assert_eq!(answer(None, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bucket_moves_once() {
        let regions = Regions::default();
        assert!(!regions.learn("b", Some("eu"), "eu".to_owned()), "it was signed for that one");
        assert!(regions.learn("b", Some("us"), "eu".to_owned()));
        assert!(regions.learn("b", Some("us"), "eu".to_owned()), "a request that went out at the same time");
        assert!(!regions.learn("b", Some("eu"), "us".to_owned()), "a server that changes its mind is not followed");
    }
}
