//! A model's versions, and one of them.

use axum::Json;
use axum::extract::{Path, State};
use modeldepot::{Description, StoredFile};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::problem::Result;
use crate::state::App;

/// A model's versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Versions {
    /// The model.
    model: String,
    versions: Vec<VersionRow>,
}

/// A version, as the listing of the bucket shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionRow {
    #[schema(example = "20251028_181858")]
    version: String,
    /// How many files it has; the manifest is none of them.
    files: usize,
    /// Bytes of its files.
    size: u64,
    /// When it was published, by the S3 server's clock.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    published: Option<OffsetDateTime>,
}

/// List a model's versions
pub(crate) async fn list(State(app): State<App>, Path(model): Path<String>) -> Result<Json<Versions>> {
    let model = model.parse()?;
    let found = app.catalog.versions(&model).await?;
    let versions = found.iter().rev().map(|version| VersionRow {
        version: version.version.to_string(),
        files: version.files,
        size: version.size,
        published: version.published,
    });
    Ok(Json(Versions { versions: versions.collect(), model: model.to_string() }))
}

/// A version in full.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionDocument {
    model: String,
    version: String,
    /// The path of the model file.
    main: String,
    /// Bytes of its files.
    size: u64,
    files: Vec<File>,
    /// What its publisher says about it.
    metadata: Map<String, Value>,
    /// The manifest, as it stands in the bucket.
    #[schema(value_type = Object)]
    manifest: Value,
}

/// A file of a version.
#[derive(Serialize, ToSchema)]
pub(crate) struct File {
    /// Its path in the version.
    path: String,
    /// Its size in bytes.
    size: u64,
    /// Its MD5, where one was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    /// Its BLAKE3, where one was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
}

impl From<&StoredFile> for File {
    fn from(file: &StoredFile) -> File {
        File {
            path: file.path.to_string(),
            size: file.size,
            md5: file.md5.map(|md5| md5.to_string()),
            blake3: file.blake3.map(|blake3| blake3.to_string()),
        }
    }
}

impl VersionDocument {
    pub(crate) fn of(found: &Description) -> Result<VersionDocument> {
        let manifest = &found.manifest;
        Ok(VersionDocument {
            model: manifest.model_name.to_string(),
            version: manifest.version.to_string(),
            main: found.main()?.to_string(),
            size: found.size(),
            files: found.files.iter().map(File::from).collect(),
            metadata: manifest.metadata.clone(),
            manifest: serde_json::to_value(manifest).unwrap_or_default(),
        })
    }
}

/// Show a version
pub(crate) async fn one(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Json<VersionDocument>> {
    let (model, version) = (model.parse()?, version.parse()?);
    let found = app.catalog.version(&model, &version).await?;
    Ok(Json(VersionDocument::of(&found)?))
}
