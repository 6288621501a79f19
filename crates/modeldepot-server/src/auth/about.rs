//! What a request is about, as far as authorization is concerned. The route determines this, not the handler: a new
//! route for a model or a bucket is protected by its path.

use axum::RequestPartsExt as _;
use axum::extract::RawPathParams;
use axum::http::request::Parts;
use modeldepot::ModelName;

use super::{Caller, Scope};

/// Pages and routes that show more than models: callers with grants for certain models only do not see them.
const WHOLE: [&str; 4] = ["/buckets", "/health", "/health/probe", "/metrics"];

/// Returns true if the route needs a grant without a pattern.
pub(crate) fn is_of_the_whole(route: &str) -> bool {
    WHOLE.contains(&route) || route.contains("{bucket}")
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// One model.
    Model(ModelName),
    /// Buckets and their objects, or the service itself.
    Whole,
    /// Neither: the handler shows each caller what they may see.
    Several,
}

impl About {
    /// Returns what the path of a request refers to.
    pub(crate) async fn of(parts: &mut Parts, route: &str) -> About {
        let params = parts.extract::<RawPathParams>().await.ok();
        let param = |name: &str| params.as_ref()?.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        if let Some(model) = param("model") {
            // Invalid names are rejected by the handler.
            return model.parse().map_or(About::Several, About::Model);
        }
        match is_of_the_whole(route) {
            true => About::Whole,
            false => About::Several,
        }
    }

    /// Returns true if the caller has a grant for it.
    pub(crate) fn allows(&self, caller: &Caller, scope: Scope) -> bool {
        match self {
            About::Model(model) => caller.grants.allows(scope, Some(model)),
            About::Whole => caller.grants.allows(scope, None),
            About::Several => caller.grants.allows_some(scope),
        }
    }
}
