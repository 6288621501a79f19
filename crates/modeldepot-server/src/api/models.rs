//! The models of the bucket.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::extract::Query;
use super::problems::Problems;
use crate::auth::{Reader, Scope};
use crate::problem::Result;
use crate::state::App;

/// Models with at least one version, sorted by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct Models {
    models: Vec<Model>,
}

/// A model.
#[derive(Serialize, ToSchema)]
pub(crate) struct Model {
    #[schema(example = "plant_classifier")]
    name: String,
    /// Its latest version.
    #[schema(example = "20251028_181858")]
    latest: String,
    /// Number of versions.
    versions: usize,
    /// Total size of all versions in bytes.
    size: u64,
    /// When a version was last published, by the clock of the S3 server.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    published: Option<OffsetDateTime>,
    /// Number of versions with missing files, as far as the listing shows.
    damaged: usize,
    /// Whether the latest version is one of them.
    latest_damaged: bool,
}

/// List the models
#[utoipa::path(operation_id = "list_models", get, path = "/api/v1/models", tag = "models", responses((status = 200, body = Models), Problems))]
pub(crate) async fn list(by: Reader, State(app): State<App>, query: Query) -> Result<Json<Models>> {
    query.only(&[])?;
    let found = app.catalog.models().await?;
    let seen = found.iter().filter(|model| by.0.may(Scope::Read, &model.model));
    let models = seen.map(|model| Model {
        name: model.model.to_string(),
        latest: model.latest.to_string(),
        versions: model.versions,
        size: model.size,
        published: model.published,
        damaged: model.damaged,
        latest_damaged: model.latest_damaged,
    });
    Ok(Json(Models { models: models.collect() }))
}
