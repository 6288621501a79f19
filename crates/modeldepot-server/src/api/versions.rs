//! The versions of a model.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use headers::HeaderMapExt as _;
use modeldepot::history::History;
use modeldepot::{Damaged, Description, Foreign, ModelName, StoredFile, VersionSummary};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::extract::{OfVersion, Path, Query};
use super::problems::Problems;
use crate::auth::{Deleter, Reader};
use crate::catalog::Facts;
use crate::catalog::listing::{Selected, Sort, filters, select};
use crate::conditions::{etag, is_known};
use crate::log::Note;
use crate::problem::{Problem, Result};
use crate::state::App;
use crate::tasks::joined;

/// The default page size.
const PAGE: usize = 50;

/// The largest page size.
const LARGEST_PAGE: usize = 500;

/// A page of a model's versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Versions {
    #[schema(example = "plant_classifier")]
    model: String,
    versions: Vec<VersionRow>,
    /// Page number, starting at 1.
    page: usize,
    /// Versions per page.
    per_page: usize,
    /// Versions that match the filters.
    total: usize,
    /// Versions of the model.
    of: usize,
    /// Versions whose metadata has been read, if it is needed. While this is less than `of`, manifests are still being
    /// read: versions with unread metadata match no filter and come last.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<usize>,
    /// Fields in `sort` or `filter` that no version of the model has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_fields: Vec<String>,
}

/// A version as listed, with its metadata.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionRow {
    #[schema(example = "20251028_181858")]
    version: String,
    /// Number of files, without the manifest.
    files: usize,
    /// Total size of its files in bytes.
    size: u64,
    /// When it was published, by the clock of the S3 server.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    published: Option<OffsetDateTime>,
    /// True if files are missing from the bucket, as far as the listing shows.
    damaged: bool,
    /// Metadata: numbers, strings and booleans. Lists and objects are only in the version itself.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    metadata: Arc<Facts>,
}

/// Which versions to list, and in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read as it comes")]
struct VersionsQuery {
    /// Page number, starting at 1.
    #[param(minimum = 1, maximum = 1000000, default = 1)]
    page: Option<usize>,
    /// Versions per page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    per_page: Option<usize>,
    /// `version`, `size`, `files`, `published` or a metadata field; prefix with `-` for descending order.
    #[param(min_length = 1, pattern = r"^([^-]|-[\s\S])", default = "-version", example = "-version")]
    sort: Option<String>,
    /// A condition on any of those: `val_accuracy>=0.9`, `architecture=resnet18`, `val_loss<0.2`, `optimizer!=SGD`.
    /// Several must all hold.
    #[param(max_items = 16, style = Form, explode, example = json!(["val_accuracy>=0.9"]))]
    #[param(schema_with = filter_schema)]
    filter: Option<Vec<String>>,
}

fn filter_schema() -> utoipa::openapi::schema::Array {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
    let one = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[^<>=!]+(<|>|=|!=)[\s\S]*$"));
    ArrayBuilder::new().items(one).max_items(Some(16)).build()
}

/// List a model's versions
///
/// The highest version first by default: numbers in a name compare as numbers, and letters sort after digits, whatever the time of
/// publication. `sort=-published` lists the newest first.
#[utoipa::path(
    operation_id = "list_versions",
    get, path = "/api/v1/models/{model}/versions", tag = "versions",
    params(("model" = String, Path), VersionsQuery),
    responses((status = 200, body = Versions), Problems),
)]
pub(crate) async fn list(
    _: Reader,
    State(app): State<App>,
    Path(model): Path<String>,
    query: Query,
) -> Result<Response> {
    let model: ModelName = model.parse()?;
    let query = query.only(&["page", "per_page", "sort", "filter"])?;
    let page = query.number("page", 1, 1..=1_000_000)?;
    let per_page = query.number("per_page", PAGE, 1..=LARGEST_PAGE)?;
    let sort = Sort::parse(query.one("sort")?.unwrap_or("-version"))?;
    let filters = filters(query.all("filter"))?;
    let found = app.catalog.versions(&model).await?;
    let Selected { versions, known, unknown } = select(&app.catalog, &model, &found, &filters, &sort).await;
    let total = versions.len();
    let shown: Vec<VersionSummary> =
        versions.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let facts = app.catalog.facts(&model, &shown).await?;
    let versions = shown.into_iter().zip(facts).map(|(version, metadata)| VersionRow {
        version: version.version.to_string(),
        files: version.files,
        size: version.size,
        published: version.published,
        damaged: app.storage.is_known_damaged(&model, &version),
        metadata,
    });
    let versions = versions.collect();
    let of = found.len();
    let (model, unknown_fields) = (model.to_string(), unknown);
    let answer = Versions { model, versions, page, per_page, total, of, known, unknown_fields };
    Ok(axum::Json(answer).into_response())
}

/// A version with its files and manifest.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionDocument {
    #[schema(example = "plant_classifier")]
    model: String,
    #[schema(example = "20251028_181858")]
    version: String,
    /// The path of the model file.
    #[schema(example = "best_model.pth")]
    main: String,
    /// Total size of its files in bytes.
    size: u64,
    files: Vec<File>,
    /// Files that are missing from the bucket or have another size.
    damaged: Vec<DamagedFile>,
    /// Number of files without a published digest; they cannot be verified.
    unverified: usize,
    /// The path of the training history, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<String>,
    /// The manifest, as stored in the bucket.
    #[schema(value_type = Object)]
    manifest: Map<String, Value>,
}

/// A file of a version.
#[derive(Serialize, ToSchema)]
pub(crate) struct File {
    /// Path in the version.
    path: String,
    /// Size in bytes.
    size: u64,
    /// MD5 digest, if one was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    /// BLAKE3 digest, if one was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
}

/// A file that is missing from the bucket or has another size.
#[derive(Serialize, ToSchema)]
pub(crate) struct DamagedFile {
    /// Path in the version.
    path: String,
    /// The published size in bytes.
    size: u64,
    /// The size in the bucket. None if the file is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<u64>,
}

impl From<&Damaged> for DamagedFile {
    fn from(file: &Damaged) -> DamagedFile {
        DamagedFile { path: file.path.to_string(), size: file.expected, found: file.found }
    }
}

/// Objects under a version's prefix that do not belong to it and were not created by modeldepot.
#[derive(Serialize, ToSchema)]
pub(crate) struct ForeignObjects {
    /// How many there are.
    objects: usize,
    /// Their total size in bytes.
    bytes: u64,
    /// Their paths below the version's prefix (the first 100).
    paths: Vec<String>,
}

impl From<&Foreign> for ForeignObjects {
    fn from(foreign: &Foreign) -> ForeignObjects {
        ForeignObjects { objects: foreign.objects, bytes: foreign.bytes, paths: foreign.paths.clone() }
    }
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
            damaged: found.damaged.iter().map(DamagedFile::from).collect(),
            history: found.history().map(ToString::to_string),
            unverified: found.unverified().len(),
            // It was parsed before, into a stricter type.
            manifest: serde_json::from_slice(found.record()).unwrap_or_default(),
        })
    }
}

/// Show a version, with its manifest
#[utoipa::path(
    operation_id = "get_version",
    get, path = "/api/v1/models/{model}/versions/{version}", tag = "versions",
    params(("model" = String, Path), ("version" = String, Path, description = "The version, or `latest`")),
    responses((status = 200, body = VersionDocument), (status = 304, description = "Not modified: it matches `If-None-Match`"), Problems),
)]
pub(crate) async fn one(
    _: Reader,
    State(app): State<App>,
    Path(of): Path<OfVersion>,
    headers: HeaderMap,
) -> Result<Response> {
    let model = of.model()?;
    let version = app.catalog.resolve(&model, of.version()).await?;
    let document = app.catalog.document(&model, &version).await?;
    let (body, etag) = match document.answer.get() {
        Some(answer) => answer.clone(),
        None => {
            let body: bytes::Bytes =
                serde_json::to_vec(&VersionDocument::of(&document.found)?).unwrap_or_default().into();
            let etag = etag(&blake3::hash(&body).to_hex()[..32]);
            document.answer.get_or_init(|| (body, etag)).clone()
        }
    };
    let mut response = match is_known(&headers, Some(&etag)) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "private, no-cache")];
            (headers, body).into_response()
        }
    };
    response.headers_mut().typed_insert(etag);
    Ok(response)
}

/// The training history of a version.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryDocument {
    /// The epochs, in ascending order.
    #[schema(value_type = Vec<EpochDocument>)]
    epochs: Vec<modeldepot::history::Epoch>,
    /// Number of epochs.
    total_epochs: u64,
    /// The best epoch: highest `val_accuracy`, else lowest `val_loss`, else by another metric of the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    best_epoch: Option<f64>,
}

/// One epoch.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes `modeldepot::history::Epoch`")]
pub(crate) struct EpochDocument {
    epoch: f64,
    /// The finite values by name: `train_loss`, `val_accuracy`, …
    values: std::collections::BTreeMap<String, f64>,
}

/// Show the training history of a version
///
/// Read from `training_history.json` or a similar file, in any of the supported formats.
#[utoipa::path(
    operation_id = "get_history",
    get, path = "/api/v1/models/{model}/versions/{version}/history", tag = "versions",
    params(("model" = String, Path), ("version" = String, Path, description = "The version, or `latest`")),
    responses((status = 200, body = HistoryDocument), Problems),
)]
pub(crate) async fn history(_: Reader, State(app): State<App>, Path(of): Path<OfVersion>) -> Result<Response> {
    let model = of.model()?;
    let version = app.catalog.resolve(&model, of.version()).await?;
    let history: Option<Arc<History>> = app.catalog.history(&model, &version).await?;
    let history = history.ok_or_else(|| {
        Problem::new(modeldepot::ErrorKind::NotFound, format!("`{model}@{version}` has no training history"))
            .hint("publish one with the version: name the file as `history`, or call it `training_history.json`")
    })?;
    let document = HistoryDocument {
        epochs: history.epochs().to_vec(),
        total_epochs: history.total_epochs(),
        best_epoch: history.best().map(|epoch| epoch.epoch),
    };
    Ok(axum::Json(document).into_response())
}

/// The result of a delete.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedDocument {
    model: String,
    version: String,
    /// Number of files deleted, without the manifest. None if the version was already deleted.
    files: usize,
    /// Their total size in bytes.
    bytes: u64,
    /// Objects that were left under the version's prefix.
    foreign: ForeignObjects,
}

/// Delete a version
///
/// The version name can never be used again.
#[utoipa::path(
    operation_id = "delete_version",
    delete, path = "/api/v1/models/{model}/versions/{version}", tag = "versions",
    params(("model" = String, Path), ("version" = String, Path, description = "The version, exactly")),
    responses((status = 200, body = DeletedDocument), Problems),
)]
pub(crate) async fn delete(
    _: Deleter,
    State(app): State<App>,
    note: Note,
    Path(of): Path<OfVersion>,
) -> Result<Response> {
    let model = of.model()?;
    let version = of.version().parse()?;
    // Once begun, a delete is finished even if the caller disconnects.
    let (storage, catalog) = (app.storage.clone(), app.catalog.clone());
    let deleted = tokio::spawn(async move {
        let deleted = storage.delete(&model, &version).await;
        catalog.changed(&model);
        let deleted = deleted.map_err(Problem::from);
        note.ended(deleted.as_ref().map(drop));
        deleted.map(|deleted| DeletedDocument {
            model: model.to_string(),
            version: version.to_string(),
            files: deleted.files,
            bytes: deleted.bytes,
            foreign: (&deleted.foreign).into(),
        })
    });
    Ok(axum::Json(joined(deleted.await)??).into_response())
}
