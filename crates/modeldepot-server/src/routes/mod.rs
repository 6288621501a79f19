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
use axum::{Router, middleware};
use modeldepot::ErrorKind;
use tokio::task::JoinError;

use crate::console;
use crate::guard::guard;
use crate::log::record;
use crate::problem::Problem;
use crate::remote::remote;
use crate::state::App;
use crate::table::{DELETE, OPEN, PUBLISH, READ, Table, Takes};

/// Returns the routes of the API.
pub(crate) fn table() -> Table {
    Table::default()
        .get("/api/v1/models", READ, models::list)
        .get("/api/v1/models/{model}/versions", READ, versions::list)
        .post("/api/v1/models/{model}/versions", PUBLISH, Takes::Files, publish::form)
        .get("/api/v1/models/{model}/versions/{version}", READ, versions::one)
        .delete("/api/v1/models/{model}/versions/{version}", DELETE, versions::delete)
        .get("/api/v1/models/{model}/versions/{version}/history", READ, versions::history)
        .get("/api/v1/models/{model}/versions/{version}/link", READ, files::link)
        .post("/api/v1/models/{model}/versions/{version}/verify", READ, Takes::Nothing, jobs::begin)
        .get("/api/v1/models/{model}/versions/{version}/files/{*path}", READ, files::get)
        .put("/api/v1/models/{model}/versions/{version}/files/{*path}", PUBLISH, Takes::File, publish::put)
        .get("/api/v1/models/{model}/compare", READ, compare::compare)
        .post("/api/v1/models/{model}/uploads", PUBLISH, Takes::Json, uploads::begin)
        .delete("/api/v1/uploads/{id}", PUBLISH, uploads::abort)
        .post("/api/v1/uploads/{id}/parts", PUBLISH, Takes::Json, uploads::parts)
        .post("/api/v1/uploads/{id}/complete", PUBLISH, Takes::Nothing, uploads::complete)
        .get("/api/v1/jobs/{id}", READ, jobs::one)
        .get("/api/v1/jobs/{id}/events", READ, jobs::events)
        .get("/api/v1/version", READ, service::version)
        .get("/api/v1/openapi.json", OPEN, docs::openapi)
        .get("/docs", OPEN, docs::page)
        .get("/docs/style.css", OPEN, docs::style)
        .get("/healthz", OPEN, service::health)
        .get("/readyz", OPEN, service::ready)
        .get("/metrics", READ, service::metrics)
}

/// Returns the router of everything.
pub(crate) fn router(app: App) -> Router {
    let api = table().router(&app);
    api.merge(console::router(&app))
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_page)
        .layer(DefaultBodyLimit::max(0))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .layer(middleware::from_fn_with_state(app.clone(), record))
        .layer(middleware::from_fn_with_state(app.clone(), remote))
        .with_state(app)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::invalid(format!("`{}` does not support {method}", uri.path().escape_debug()))
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .hint("`GET /docs` lists all routes")
}

async fn no_such_page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    // A browser says that it would like a page; a program is answered as everywhere.
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") && !uri.path().starts_with("/api/") {
        return console::nowhere(&app, &headers);
    }
    Problem::new(ErrorKind::NotFound, format!("no such path: `{}`", uri.path().escape_debug()))
        .hint("`GET /docs` lists all routes")
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
    Problem::new(ErrorKind::Internal, "the service failed while processing this request")
        .hint("please report it, with the panic in the log of the service")
}
