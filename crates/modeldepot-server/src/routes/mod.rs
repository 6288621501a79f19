//! The REST API, version 1: one file a resource.

pub(crate) mod compare;
mod docs;
mod extract;
pub(crate) mod files;
mod jobs;
pub(crate) mod listing;
mod models;
mod problems;
mod publish;
mod service;
mod uploads;
mod versions;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Router, middleware};
use modeldepot::ErrorKind;
use tokio::task::JoinError;

use crate::console;
use crate::guard::guard;
use crate::problem::Problem;
use crate::remote::remote;
use crate::state::App;

/// The longest body of a request that is no upload, in bytes.
const LONGEST_BODY: usize = 1 << 20;

/// Returns every route.
pub(crate) fn router(app: App) -> Router {
    let unlimited = DefaultBodyLimit::disable;
    let api = Router::new()
        .route("/api/v1/models", get(models::list))
        .route("/api/v1/models/{model}/versions", get(versions::list).post(publish::form).layer(unlimited()))
        .route("/api/v1/models/{model}/versions/{version}", get(versions::one).delete(versions::delete))
        .route("/api/v1/models/{model}/versions/{version}/history", get(versions::history))
        .route("/api/v1/models/{model}/versions/{version}/link", get(files::link))
        .route("/api/v1/models/{model}/versions/{version}/verify", post(jobs::begin))
        .route(
            "/api/v1/models/{model}/versions/{version}/files/{*path}",
            get(files::get).put(publish::put).layer(unlimited()),
        )
        .route("/api/v1/models/{model}/compare", get(compare::compare))
        .route("/api/v1/models/{model}/uploads", post(uploads::begin))
        .route("/api/v1/uploads/{id}", delete(uploads::abort))
        .route("/api/v1/uploads/{id}/parts", post(uploads::parts))
        .route("/api/v1/uploads/{id}/complete", post(uploads::complete))
        .route("/api/v1/jobs/{id}", get(jobs::one))
        .route("/api/v1/jobs/{id}/events", get(jobs::events))
        .route("/api/v1/version", get(service::version))
        .route("/api/v1/openapi.json", get(docs::openapi))
        .route("/docs", get(docs::page))
        .route("/docs/style.css", get(docs::style))
        .route("/healthz", get(service::health))
        .route("/readyz", get(service::ready))
        .route("/metrics", get(service::metrics));
    api.merge(console::router(&app))
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_page)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .layer(middleware::from_fn_with_state(app.clone(), remote))
        .with_state(app)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::invalid(format!("`{}` has no {method}", uri.path().escape_debug()))
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .hint("/docs says what there is")
}

async fn no_such_page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    // A browser says that it would like a page; a program is answered as everywhere.
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") && !uri.path().starts_with("/api/") {
        return console::nowhere(&app, &headers);
    }
    Problem::new(ErrorKind::NotFound, format!("there is nothing at `{}`", uri.path().escape_debug()))
        .hint("/docs says what there is")
        .into_response()
}

/// Returns what a task returned. One that panicked is a failure of this request alone, which is answered like any other.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> Result<T, Problem> {
    result.map_err(|error| match error.is_panic() {
        true => broken(),
        false => Problem::new(ErrorKind::Unavailable, "the service is stopping"),
    })
}

/// The problem of work that panicked.
pub(crate) fn broken() -> Problem {
    Problem::new(ErrorKind::Internal, "the service failed while it did this").hint("its log has the panic; report it")
}
