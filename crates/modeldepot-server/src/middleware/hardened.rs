//! Default headers of every response, and the response to a panic.

use std::any::Any;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::state::App;
use crate::tasks::broken;

/// Only our own scripts, styles and pictures, nothing inline, and no framing.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds the headers.
pub(crate) fn with_headers(router: Router<App>) -> Router<App> {
    let unless_set = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    router.layer(
        ServiceBuilder::new()
            .layer(unless_set(header::CONTENT_SECURITY_POLICY, CSP))
            .layer(unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(unless_set(header::X_FRAME_OPTIONS, "DENY"))
            .layer(unless_set(header::REFERRER_POLICY, "no-referrer"))
            .layer(unless_set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
            .layer(unless_set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin")),
    )
}

type Panicked = fn(Box<dyn Any + Send>) -> Response;

/// Returns the layer that answers if a handler panics.
pub(crate) fn panics() -> CatchPanicLayer<Panicked> {
    CatchPanicLayer::custom(|_: Box<dyn Any + Send>| broken().into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a router of its own, to panic in")]
    async fn a_panic_of_a_handler_is_a_problem() {
        let panics_always = || async {
            if true {
                panic!("planted")
            }
        };
        let router: Router = Router::new().route("/", get(panics_always)).layer(panics());
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
