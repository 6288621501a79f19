//! The REST API, version 1: one file a resource.

mod files;
mod models;
mod versions;

use axum::Router;
use axum::routing::get;

use crate::console;
use crate::state::App;

/// Returns every route.
pub(crate) fn router(app: App) -> Router {
    let api = Router::new()
        .route("/api/v1/models", get(models::list))
        .route("/api/v1/models/{model}/versions", get(versions::list))
        .route("/api/v1/models/{model}/versions/{version}", get(versions::one))
        .route("/api/v1/models/{model}/versions/{version}/files/{*path}", get(files::get));
    api.merge(console::router(&app)).with_state(app)
}
