//! Makes the server behave like others, so that tests of clients meet what they will meet elsewhere.
//!
//! Without the feature `testing` nothing can be set, and every request is answered normally.

#[cfg(feature = "testing")]
pub(crate) mod fault;
#[cfg(feature = "testing")]
pub(crate) mod rules;

#[cfg(feature = "testing")]
use std::sync::Arc;

use hyper::{Request, Response};
use modeldepot_listen::RequestBody;
use s3s::dto::{SSEKMSKeyId, ServerSideEncryption};
use s3s::{Body, S3Result};

#[cfg(feature = "testing")]
pub(crate) use self::fault::Dropped;
#[cfg(feature = "testing")]
use self::fault::{FaultHit, Faults, Injector};
#[cfg(feature = "testing")]
use self::rules::AwsRules;

/// Cannot happen without the feature `testing`.
#[cfg(not(feature = "testing"))]
pub(crate) type Dropped = std::convert::Infallible;

/// How the server deviates from its normal behavior.
#[derive(Clone, Debug, Default)]
pub(crate) struct Double {
    #[cfg(feature = "testing")]
    ignore_conditions: bool,
    #[cfg(feature = "testing")]
    faults: Option<Arc<Injector>>,
    #[cfg(feature = "testing")]
    rules: Option<Arc<AwsRules>>,
}

#[cfg(not(feature = "testing"))]
impl Double {
    pub(crate) fn ignores_conditions(&self) -> bool {
        false
    }

    pub(crate) fn copies_ranges_of(&self, _: bool, _: u64) -> S3Result<()> {
        Ok(())
    }

    pub(crate) fn encrypt(&self, _: &mut Option<ServerSideEncryption>, _: &mut Option<SSEKMSKeyId>) {}

    pub(crate) async fn answer<A>(
        &self,
        request: Request<RequestBody>,
        answer: impl FnOnce(Request<RequestBody>) -> A,
    ) -> Result<Response<Body>, Dropped>
    where
        A: Future<Output = Response<Body>>,
    {
        Ok(answer(request).await)
    }
}

#[cfg(feature = "testing")]
impl Double {
    pub(crate) fn new(ignore_conditions: bool, faults: Option<Faults>, rules: Option<AwsRules>) -> Self {
        Self { ignore_conditions, faults: faults.map(|plan| Arc::new(Injector::new(plan))), rules: rules.map(Arc::new) }
    }

    pub(crate) fn ignores_conditions(&self) -> bool {
        self.ignore_conditions
    }

    /// Decides whether a part may be copied from an object of this size.
    pub(crate) fn copies_ranges_of(&self, a_range: bool, size: u64) -> S3Result<()> {
        if self.rules.is_some() && a_range { rules::check_source(size) } else { Ok(()) }
    }

    /// Accepts a request for encryption, which the server otherwise refuses as unsupported.
    pub(crate) fn encrypt(&self, kind: &mut Option<ServerSideEncryption>, key: &mut Option<SSEKMSKeyId>) {
        if self.rules.is_some() {
            (*kind, *key) = (None, None);
        }
    }

    pub(crate) async fn answer<A>(
        &self,
        request: Request<RequestBody>,
        answer: impl FnOnce(Request<RequestBody>) -> A,
    ) -> Result<Response<Body>, Dropped>
    where
        A: Future<Output = Response<Body>>,
    {
        let ruled = async |request| match &self.rules {
            Some(rules) => rules.answer(request, answer).await,
            None => answer(request).await,
        };
        match &self.faults {
            Some(faults) => faults.answer(request, ruled).await,
            None => Ok(ruled(request).await),
        }
    }

    pub(crate) fn heal(&self) {
        if let Some(faults) = &self.faults {
            faults.heal();
        }
    }

    pub(crate) fn faults_hit(&self) -> Vec<FaultHit> {
        self.faults.as_ref().map(|faults| faults.hits()).unwrap_or_default()
    }
}
