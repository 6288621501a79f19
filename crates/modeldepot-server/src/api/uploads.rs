//! Publishing in three steps: start, upload parts to the S3 endpoint by presigned URLs, complete.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use modeldepot::advice::Advice;
use modeldepot::{ArtifactPath, Blake3, Error, ErrorKind, Offer, OfferedFile};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Json, Path};
use super::problems::Problems;
use super::publish::PublishedDocument;
use crate::auth::{Publisher, Scope};
use crate::log::Note;
use crate::problem::{Problem, Result};
use crate::state::App;
use crate::tasks::{broken, joined};
use crate::uploads::{IDLE, Slot};

/// How long the URL of a part is valid.
const PART_LIFE: Duration = Duration::from_secs(3600);

/// The most parts in one request.
const MOST_PARTS: usize = 1000;

/// The most files in one version.
const MOST_FILES: usize = 1000;

/// The largest file that S3 accepts, in bytes.
const LARGEST: u64 = 5 << 40;

/// A version to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadRequest {
    /// The version. Default: the current UTC second.
    #[schema(example = "1.0", pattern = "^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
    version: Option<String>,
    /// Metadata of the version.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// The path of the model file. Default: detected by name, else the largest file.
    #[schema(example = "best_model.pth", min_length = 1, max_length = 512)]
    main: Option<String>,
    /// The path of the training history, used for charts.
    #[schema(example = "training_history.json", min_length = 1, max_length = 512)]
    history: Option<String>,
    #[schema(min_items = 1, max_items = 1000)]
    files: Vec<FileRequest>,
}

/// A file to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRequest {
    /// Path in the version.
    #[schema(example = "best_model.pth", min_length = 1, max_length = 512)]
    path: String,
    /// Size in bytes.
    #[schema(value_type = u64, maximum = 5497558138880u64)]
    size: Whole,
    /// BLAKE3 digest, if known. The version is only published if the uploaded file matches.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    blake3: Option<String>,
}

/// A whole number as in JSON, where `7.0` is one too.
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = |float: f64| (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64);
        let found = number.as_u64().or_else(|| whole(number.as_f64()?));
        found.map(Whole).ok_or_else(|| serde::de::Error::custom("expected a whole number"))
    }
}

/// An upload in progress.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadDocument {
    id: Uuid,
    model: String,
    version: String,
    /// When it expires unless completed. Requesting part URLs extends it, up to one day in total.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires: OffsetDateTime,
    files: Vec<FileDocument>,
}

/// How a file is split into parts.
#[derive(Serialize, ToSchema)]
struct FileDocument {
    path: String,
    size: u64,
    /// The length of every part but the last, in bytes.
    part_size: u64,
    /// Number of parts, numbered from 1. An empty file has none.
    parts: u64,
}

/// Start an upload in parts
///
/// Takes the lease on the version. Nothing is visible until the upload is completed.
#[utoipa::path(
    operation_id = "begin_upload",
    post, path = "/api/v1/models/{model}/uploads", tag = "publish",
    params(("model" = String, Path)),
    request_body = UploadRequest,
    responses(
        (status = 201, body = UploadDocument, headers(("location" = String, description = "The upload")), links(
            ("parts" = (operation_id = "get_part_urls", parameters(("id" = "$response.body#/id")))),
            ("complete" = (operation_id = "complete_upload", parameters(("id" = "$response.body#/id")))),
            ("abort" = (operation_id = "abort_upload", parameters(("id" = "$response.body#/id")))),
        )),
        Problems,
    ),
)]
pub(crate) async fn begin(
    by: Publisher,
    State(app): State<App>,
    note: Note,
    Path(model): Path<String>,
    Json(asked): Json<UploadRequest>,
) -> Result<Response> {
    if asked.files.len() > MOST_FILES {
        return Err(Problem::invalid(format!("there are more than {MOST_FILES} files")));
    }
    let begun = OffsetDateTime::now_utc();
    let (model, version) = (model.parse()?, asked.version.map(|version| version.parse()).transpose()?);
    let files = asked.files.iter().map(offered).collect::<Result<Vec<_>>>()?;
    let tool = concat!("modeldepot-server ", env!("CARGO_PKG_VERSION"));
    let mut offer = Offer::new(model, files).metadata(asked.metadata).tool(tool);
    (offer.version, offer.published_by) = (version, by.0.who.publisher());
    offer.main = asked.main.map(|main| main.parse()).transpose()?;
    offer.history = asked.history.map(|history| history.parse()).transpose()?;
    let room = app.service.uploads.room(by.0.who.name())?;
    let (storage, uploads) = (app.storage.clone(), std::sync::Arc::clone(&app.service.uploads));
    let (tell, told) = tokio::sync::oneshot::channel();
    let begin = async move {
        refuse_unsafe_urls(&app).await?;
        let upload = storage.begin_upload(offer).await.map_err(|error| super::publish::told(&error))?;
        let files = upload.files().map(|file| FileDocument {
            path: file.path.to_string(),
            size: file.size,
            part_size: file.part_size(),
            parts: file.parts(),
        });
        let document = UploadDocument {
            files: files.collect(),
            model: upload.model().to_string(),
            version: upload.version().to_string(),
            expires: begun + IDLE,
            id: app.service.uploads.add(upload, room),
        };
        Ok::<_, Problem>(document)
    };
    tokio::spawn(async move {
        // If the client has disconnected, the lease must not be left behind.
        if let Err(Ok(document)) = tell.send(begin.await) {
            uploads.give_up(document.id).await;
        }
    });
    let document = told.await.map_err(|_| broken())??;
    note.version(&document.model, &document.version);
    let place = format!("/api/v1/uploads/{}", document.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], axum::Json(document)).into_response())
}

/// Refuses to issue upload URLs if their holder could copy any object that this service can read.
async fn refuse_unsafe_urls(app: &App) -> Result<()> {
    if app.service.unsafe_upload_urls {
        return Ok(());
    }
    app.storage.check_upload_urls().await.map_err(|error| match error {
        error if error.advice(None) == Some(Advice::AvoidUploadUrls) => Problem::from(error).hint(
            "publish with a form, or with the `modeldepot` command if it is too large for one; or start the service with `--allow-unsafe-upload-urls`, if everyone who may publish \
             may also read every object that the service can read",
        ),
        error => error.into(),
    })
}

fn offered(file: &FileRequest) -> Result<OfferedFile> {
    let blake3 = |text: &String| {
        let refused = || {
            Problem::invalid(format!("`{}` is not a BLAKE3 digest: it has 64 hexadecimal digits", text.escape_debug()))
        };
        text.parse::<Blake3>().map_err(|_| refused())
    };
    if file.size.0 > LARGEST {
        return Err(Problem::invalid(format!("a file may have at most {LARGEST} bytes")));
    }
    let mut offered = OfferedFile::new(file.path.parse()?, file.size.0);
    offered.blake3 = file.blake3.as_ref().map(blake3).transpose()?;
    Ok(offered)
}

/// Parts to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartsRequest {
    /// The path of the file.
    #[schema(min_length = 1, max_length = 512)]
    path: String,
    /// Part numbers, starting at 1.
    #[schema(min_items = 1, max_items = 1000, value_type = Vec<u32>)]
    parts: Vec<Whole>,
}

/// URLs of parts.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartsDocument {
    parts: Vec<PartDocument>,
    /// When the URLs expire. Request new ones after that.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires: OffsetDateTime,
}

/// URL of a part.
#[derive(Serialize, ToSchema)]
struct PartDocument {
    part: u64,
    /// Its length in bytes.
    size: u64,
    /// `PUT` the part here.
    url: String,
}

/// Finds an upload of a model that the caller may publish. For anyone else it does not exist.
async fn find(app: &App, by: &Publisher, note: &Note, id: &str) -> Result<(Uuid, Slot)> {
    let found = Uuid::try_parse(id).ok().and_then(|id| Some((id, app.service.uploads.find(id)?)));
    let (found, slot) = found.ok_or_else(|| unknown(id))?;
    let of = slot.lock().await.as_ref().map(|upload| (upload.model().clone(), upload.version().clone()));
    let (model, version) = of.filter(|(model, _)| by.0.may(Scope::Publish, model)).ok_or_else(|| unknown(id))?;
    note.version(model, version);
    Ok((found, slot))
}

fn unknown(id: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, format!("upload `{}` does not exist", id.escape_debug())).hint(
        "uploads expire after two hours without a request, after a day in any case, and when the service restarts",
    )
}

/// Get URLs for parts
///
/// `PUT` each part to its URL, in any order and concurrently. Repeat a part that failed.
#[utoipa::path(
    operation_id = "get_part_urls",
    post, path = "/api/v1/uploads/{id}/parts", tag = "publish",
    params(("id" = String, Path)),
    request_body = PartsRequest,
    responses((status = 200, body = PartsDocument), Problems),
)]
pub(crate) async fn parts(
    by: Publisher,
    State(app): State<App>,
    note: Note,
    Path(id): Path<String>,
    Json(asked): Json<PartsRequest>,
) -> Result<Response> {
    let (_, slot) = find(&app, &by, &note, &id).await?;
    // An invalid path is not part of any upload.
    let nowhere = |_| Problem::new(ErrorKind::NotFound, "the upload does not contain this file");
    let path: ArtifactPath = asked.path.parse().map_err(nowhere)?;
    if !(1..=MOST_PARTS).contains(&asked.parts.len()) {
        return Err(Problem::invalid(format!("request 1 to {MOST_PARTS} parts at once")));
    }
    let life = by.0.life(PART_LIFE);
    let expires = OffsetDateTime::now_utc() + life;
    refuse_unsafe_urls(&app).await?;
    let upload = slot.lock().await;
    let upload = upload.as_ref().ok_or_else(|| unknown(&id))?;
    let file = upload.files().find(|file| file.path == path);
    let mut parts = Vec::new();
    for Whole(part) in asked.parts {
        let url = upload.part_url(&path, part, life).await?;
        parts.push(PartDocument { part, url, size: file.and_then(|file| file.part_len(part)).unwrap_or_default() });
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(PartsDocument { parts, expires })).into_response())
}

/// Complete an upload
///
/// Reads every file back from the bucket before publishing the version, and checks its size, and its BLAKE3 if you sent
/// one.
#[utoipa::path(
    operation_id = "complete_upload",
    post, path = "/api/v1/uploads/{id}/complete", tag = "publish",
    params(("id" = String, Path)),
    responses(
        (status = 201, body = PublishedDocument, headers(("location" = String, description = "The version")), links(("version" = (operation_id = "get_version", parameters(("model" = "$response.body#/model"), ("version" = "$response.body#/version")))))),
        Problems,
    ),
)]
pub(crate) async fn complete(
    by: Publisher,
    State(app): State<App>,
    note: Note,
    Path(id): Path<String>,
) -> Result<Response> {
    let (id, slot) = find(&app, &by, &note, &id).await?;
    // Continues even if the client disconnects.
    let work = tokio::spawn(async move {
        let completed = completed(&app, id, &slot).await;
        note.ended(completed.as_ref().map(drop));
        completed
    });
    let document = joined(work.await)??;
    Ok((StatusCode::CREATED, [(header::LOCATION, document.place())], axum::Json(document)).into_response())
}

async fn completed(app: &App, id: Uuid, slot: &Slot) -> Result<PublishedDocument> {
    let gone = || unknown(&id.to_string());
    let model = slot.lock().await.as_ref().map(|upload| upload.model().clone()).ok_or_else(gone)?;
    let turn = app.service.staging.publish().await;
    let published = app.service.uploads.complete(id).await;
    drop(turn);
    app.catalog.changed(&model);
    let published = published.ok_or_else(gone)?;
    // The request itself is valid, but the uploaded parts are not.
    let conflicts = |error: &Error| matches!(error.advice(None), Some(Advice::SendPart | Advice::SendAnnounced));
    Ok(PublishedDocument::of(&published.map_err(|error| match conflicts(&error) {
        true => Problem::from(error).status(StatusCode::CONFLICT),
        false => error.into(),
    })?))
}

/// Cancel an upload
#[utoipa::path(
    operation_id = "abort_upload",
    delete, path = "/api/v1/uploads/{id}", tag = "publish",
    params(("id" = String, Path)),
    responses((status = 204, description = "The upload was canceled"), Problems),
)]
pub(crate) async fn abort(
    by: Publisher,
    State(app): State<App>,
    note: Note,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let (id, _) = find(&app, &by, &note, &id).await?;
    let ended = tokio::spawn(async move { app.service.uploads.give_up(id).await });
    joined(ended.await)?;
    Ok(StatusCode::NO_CONTENT)
}
