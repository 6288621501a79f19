//! What a request is about, as far as it decides whether its caller may send it. The route says so, not the handler: a new
//! route of a model, or of a bucket, is guarded by its path.

use axum::RequestPartsExt as _;
use axum::extract::RawPathParams;
use axum::http::request::Parts;
use modeldepot::ModelName;

use super::{Caller, Scope};

/// Pages and routes that show more than models: a caller whose grants are for models alone does not see them.
const WHOLE: [&str; 4] = ["/buckets", "/health", "/health/probe", "/metrics"];

/// Returns true for a route that needs a grant without a pattern.
pub(crate) fn is_of_the_whole(route: &str) -> bool {
    WHOLE.contains(&route) || route.contains("{bucket}")
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// One model.
    Model(ModelName),
    /// Raw buckets, or the service itself.
    Whole,
    /// Neither: the handler shows each caller what they may see.
    Several,
}

impl About {
    /// Returns what the path of a request says.
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

    /// Returns true when the caller has a grant for it.
    pub(crate) fn allows(&self, caller: &Caller, scope: Scope) -> bool {
        match self {
            About::Model(model) => caller.grants.allows(scope, Some(model)),
            About::Whole => caller.grants.allows(scope, None),
            About::Several => caller.grants.allows_some(scope),
        }
    }
}
