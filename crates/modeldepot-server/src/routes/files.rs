//! The files of a version.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use modeldepot::ArtifactPath;

use crate::problem::Result;
use crate::state::App;

/// Fetch a file
pub(crate) async fn get(
    State(app): State<App>,
    Path((model, version, path)): Path<(String, String, String)>,
) -> Result<Response> {
    let (model, version, path) = (model.parse()?, version.parse()?, path.parse::<ArtifactPath>()?);
    let found = app.catalog.version(&model, &version).await?;
    let file = app.storage.open_described(&found, &path)?;
    let size = file.file().size;
    let headers = [(header::CONTENT_LENGTH, size.to_string())];
    Ok((headers, Body::from_stream(file.stream(0..size))).into_response())
}
