//! A model's versions, and one of them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use modeldepot::history::History;
use modeldepot::{Damaged, Description, Foreign, ModelName, StoredFile, VersionSummary};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::extract::{OfVersion, Path, Query};
use super::listing::{Selected, Sort, filters, select};
use super::problems::Problems;
use crate::auth::{Deleter, Reader};
use crate::catalog::Facts;
use crate::log::Note;
use crate::problem::{Problem, Result};
use crate::state::App;

/// Versions on one page, unless asked otherwise.
const PAGE: usize = 50;

/// The most that can be asked for.
const LARGEST_PAGE: usize = 500;

/// A page of a model's versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Versions {
    #[schema(example = "plant_classifier")]
    model: String,
    versions: Vec<VersionRow>,
    /// The page, counted from 1.
    page: usize,
    /// Versions on a page.
    per_page: usize,
    /// Versions that fulfil the filters.
    total: usize,
    /// Versions of the model.
    of: usize,
    /// Versions whose metadata is known, where it was asked for. While that is less than `of`, manifests are still being
    /// read: versions that nothing is known of fulfil no filter, and come last.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<usize>,
}

/// A version, as the listing of the bucket shows it, with its metadata.
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
    #[schema(value_type = Option<String>, format = DateTime)]
    published: Option<OffsetDateTime>,
    /// True when files are missing from the bucket, as far as a listing shows it.
    damaged: bool,
    /// What its publisher says about it: numbers, texts and booleans. Lists and objects are in the version itself.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    metadata: Arc<Facts>,
}

/// Which versions, and in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read as it comes")]
struct VersionsQuery {
    /// The page, counted from 1.
    #[param(minimum = 1, maximum = 1000000, default = 1)]
    page: Option<usize>,
    /// Versions on a page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    per_page: Option<usize>,
    /// `version`, `size`, `files`, `published` or an entry of the metadata; with a `-` before it, the highest first.
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
/// The latest first, unless asked otherwise.
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
    let Selected { versions, known } = select(&app.catalog, &model, &found, &filters, &sort).await;
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
    Ok(axum::Json(Versions { model: model.to_string(), versions, page, per_page, total, of, known }).into_response())
}

/// A version in full.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionDocument {
    #[schema(example = "plant_classifier")]
    model: String,
    #[schema(example = "20251028_181858")]
    version: String,
    /// The path of the model file.
    #[schema(example = "best_model.pth")]
    main: String,
    /// Bytes of its files.
    size: u64,
    files: Vec<File>,
    /// Files that are missing from the bucket, or have another size there.
    damaged: Vec<DamagedFile>,
    /// How many of them have no published digest, so that nothing says whether their bytes are right.
    unverified: usize,
    /// The path of the training history, where one of the files is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<String>,
    /// The manifest, as it stands in the bucket.
    #[schema(value_type = Object)]
    manifest: Map<String, Value>,
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

/// A file that is not in the bucket as it was published.
#[derive(Serialize, ToSchema)]
pub(crate) struct DamagedFile {
    /// Its path in the version.
    path: String,
    /// The published size in bytes.
    size: u64,
    /// The size in the bucket. None when the file is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<u64>,
}

impl From<&Damaged> for DamagedFile {
    fn from(file: &Damaged) -> DamagedFile {
        DamagedFile { path: file.path.to_string(), size: file.expected, found: file.found }
    }
}

/// Objects under a version's prefix that are not part of it, and that modeldepot did not create.
#[derive(Serialize, ToSchema)]
pub(crate) struct ForeignObjects {
    /// How many there are.
    objects: usize,
    /// Their bytes.
    bytes: u64,
    /// Their paths below the version's prefix: the first hundred.
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
            // It was parsed before, as more than this.
            manifest: serde_json::from_slice(found.record()).unwrap_or_default(),
        })
    }
}

/// Show a version, with its manifest
#[utoipa::path(
    operation_id = "get_version",
    get, path = "/api/v1/models/{model}/versions/{version}", tag = "versions",
    params(("model" = String, Path), ("version" = String, Path, description = "The version, or `latest`")),
    responses((status = 200, body = VersionDocument), (status = 304, description = "It is what `If-None-Match` names"), Problems),
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
            let etag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..32]);
            document.answer.get_or_init(|| (body, etag)).clone()
        }
    };
    if headers.get(header::IF_NONE_MATCH).is_some_and(|given| super::files::names(given, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let cache = "private, no-cache".to_owned();
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, etag), (header::CACHE_CONTROL, cache)];
    Ok((headers, body).into_response())
}

/// The training history of a version.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryDocument {
    /// The epochs, in ascending order.
    #[schema(value_type = Vec<EpochDocument>)]
    epochs: Vec<modeldepot::history::Epoch>,
    /// How many epochs the training ran for.
    total_epochs: u64,
    /// The best epoch: of the highest `val_accuracy`, else the lowest `val_loss`, else by the training's own.
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
/// Read from `training_history.json` or its like, whatever shape the training script gave it.
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
            .hint("a version has one when its publisher named it, or a file such as `training_history.json` is among its files")
    })?;
    let document = HistoryDocument {
        epochs: history.epochs().to_vec(),
        total_epochs: history.total_epochs(),
        best_epoch: history.best().map(|epoch| epoch.epoch),
    };
    Ok(axum::Json(document).into_response())
}

/// What a delete removed.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedDocument {
    model: String,
    version: String,
    /// Files, the manifest not counted. None when the version was deleted before.
    files: usize,
    /// Their bytes.
    bytes: u64,
    /// What was left under the version's prefix.
    foreign: ForeignObjects,
}

/// Delete a version
///
/// Its name is never used again.
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
    if of.version() == "latest" {
        return Err(Problem::invalid("name the version to delete")
            .hint("`latest` is not accepted, because it may change meanwhile"));
    }
    let version = of.version().parse()?;
    // What was begun is finished, whether or not its caller waits for it.
    let (storage, catalog) = (app.storage.clone(), app.catalog.clone());
    let deleted = tokio::spawn(async move {
        let deleted = storage.delete_model_version(&model, &version).await;
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
    Ok(axum::Json(super::joined(deleted.await)??).into_response())
}
