//! The service itself: liveness, readiness, metrics and version.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::problems::Problems;
use crate::auth::{About, Reader, Scope};
use crate::problem::Result;
use crate::readiness::for_strangers;
use crate::state::App;

/// State of the service.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`
    status: &'static str,
}

/// Liveness probe
///
/// Succeeds while the service is running.
#[utoipa::path(
    operation_id = "get_health",get, path = "/healthz", tag = "service", security(()), responses((status = 200, body = Health), Problems))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Readiness probe
///
/// Succeeds while the models bucket is reachable.
#[utoipa::path(
    operation_id = "get_readiness",get, path = "/readyz", tag = "service", security(()), responses((status = 200, body = Health), Problems))]
pub(crate) async fn ready(headers: HeaderMap, State(app): State<App>) -> Result<Json<Health>> {
    match app.service.readiness.of(&app.storage).await {
        Ok(()) => Ok(Json(Health { status: "ok" })),
        // The cause is only for callers who may read: it names the endpoint, which may be internal.
        Err(problem) => {
            let gate = &app.service.gate;
            let caller = gate.caller(&headers).and_then(|caller| gate.allow(caller, Scope::Read, &About::Several));
            let told = if caller.is_ok() { problem } else { for_strangers() };
            Err(told.status(StatusCode::SERVICE_UNAVAILABLE))
        }
    }
}

/// The service and its configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceVersion {
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// The version of this API.
    api: &'static str,
    /// Version of the manifest format that it writes.
    format: u32,
    /// Whether publishing and deleting are disabled.
    read_only: bool,
}

/// Show the version of the service
#[utoipa::path(
    operation_id = "get_service_version",get, path = "/api/v1/version", tag = "service", responses((status = 200, body = ServiceVersion), Problems))]
pub(crate) async fn version(_: Reader, State(app): State<App>) -> Json<ServiceVersion> {
    Json(ServiceVersion {
        name: "modeldepot-server",
        version: env!("CARGO_PKG_VERSION"),
        api: "v1",
        format: modeldepot::FORMAT_VERSION,
        read_only: app.service.gate.read_only,
    })
}

/// Prometheus metrics
#[utoipa::path(
    operation_id = "get_metrics",
    get, path = "/metrics", tag = "service",
    responses((status = 200, content_type = "application/openmetrics-text", body = String), Problems),
)]
pub(crate) async fn metrics(_: Reader, State(app): State<App>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.service.metrics.text()).into_response()
}
