//! Publishing through the service.
//!
//! Files are written to a folder as they arrive, never collected in memory, and published from there, because the
//! manifest needs their digests before anything is stored in the bucket. The folder is removed with the request.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, TryStreamExt as _};
use http_body::Body as _;
use modeldepot::advice::Advice;
use modeldepot::history::History;
use modeldepot::{ArtifactPath, Error, ErrorKind, ModelName, Progress, Published, PublishedBy, Push, Source, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::extract::{Path, Query};
use super::files::OfFile;
use super::problems::Problems;
use super::versions::ForeignObjects;
use crate::auth::Publisher;
use crate::body::broke_off;
use crate::form::{Form, Part, Texts};
use crate::log::Note;
use crate::problem::{Problem, Result};
use crate::staging::Staged;
use crate::state::App;
use crate::tasks::joined;

/// The text fields of the form, with limits above any valid name, path or metadata.
const TEXTS: Texts = &[("version", 1024), ("metadata", 1 << 20), ("main", 4096), ("history", 4096)];

/// The most files in one form.
const MOST_FILES: usize = 10_000;

/// A published version.
#[derive(Serialize, ToSchema)]
pub(crate) struct PublishedDocument {
    #[schema(example = "plant_classifier")]
    model: String,
    #[schema(example = "20251028_181858")]
    version: String,
    /// True if the same content had already been published; nothing was changed.
    already: bool,
    /// The path of the model file in the version.
    #[schema(example = "best_model.pth")]
    model_file: String,
    files: usize,
    /// Total size of the files in bytes.
    bytes: u64,
    /// Other objects under the version's prefix.
    foreign: ForeignObjects,
    /// What the publisher may not have expected: an empty model file, or another version that is still the latest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl PublishedDocument {
    pub(crate) fn of(published: &Published) -> PublishedDocument {
        let manifest = &published.manifest;
        PublishedDocument {
            model: manifest.model_name.to_string(),
            version: manifest.version.to_string(),
            already: published.already,
            model_file: manifest.main().map(|main| main.to_string()).unwrap_or_default(),
            files: manifest.files.as_ref().map_or(0, Vec::len),
            bytes: manifest.size().unwrap_or_default(),
            foreign: (&published.foreign).into(),
            warnings: published.warnings(),
        }
    }

    /// Returns where the version is.
    pub(crate) fn place(&self) -> String {
        format!("/api/v1/models/{}/versions/{}", self.model, self.version)
    }
}

/// A version to publish, as a form.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the form, which is read as it comes")]
pub(crate) struct VersionForm {
    /// The files; each file name is the path in the version. A file named like a training history adds its best epoch
    /// and metrics to the metadata.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1)]
    file: Vec<Vec<u8>>,
    /// The version. Default: the current UTC second.
    #[schema(nullable = false, pattern = "^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
    version: Option<String>,
    /// Metadata of the version: a JSON object.
    #[schema(nullable = false, value_type = Option<Object>)]
    metadata: Option<String>,
    /// The path of the model file. Default: detected by name, else the largest file.
    #[schema(nullable = false)]
    main: Option<String>,
    /// The path of the training history. Default: detected by name.
    #[schema(nullable = false)]
    history: Option<String>,
}

/// Files being received.
struct Files {
    staged: Staged,
    /// The path of each in the version, and where it is stored.
    files: Vec<(ArtifactPath, PathBuf)>,
}

impl Files {
    async fn new(app: &App, by: &Publisher, length: Option<u64>) -> Result<Files> {
        Ok(Files { staged: Staged::new(&app.service.staging, by.0.who.name(), length).await?, files: Vec::new() })
    }

    /// Writes a file as it arrives.
    async fn take(&mut self, path: &ArtifactPath, bytes: impl Stream<Item = Result<bytes::Bytes>>) -> Result<()> {
        // Stored under a number: a path can be too long for a file name, and clients choose it.
        let local = self.staged.path(&self.files.len().to_string());
        self.staged.write(&local, bytes).await?;
        self.files.push((path.clone(), local));
        Ok(())
    }

    /// Publishes the received files. Continues even if the client disconnects.
    async fn publish(self, app: &App, note: Note, ask: Ask) -> Result<Response> {
        let (app, storage, catalog) = (app.clone(), app.storage.clone(), app.catalog.clone());
        let work = tokio::spawn(async move {
            let _turn = app.service.staging.publish().await;
            let model = ask.model.clone();
            let published = async {
                let (folder, push) = joined(tokio::task::spawn_blocking(move || self.push(ask)).await)??;
                let published = storage.push(push, &Progress::none()).await;
                catalog.changed(&model);
                joined(tokio::task::spawn_blocking(move || drop(folder)).await)?;
                Ok::<_, Problem>(PublishedDocument::of(&published.map_err(|error| told(&error))?))
            };
            let published = published.await;
            if let Ok(document) = &published {
                note.version(&document.model, &document.version);
            }
            note.ended(published.as_ref().map(drop));
            published
        });
        let document = joined(work.await)??;
        let status = if document.already { StatusCode::OK } else { StatusCode::CREATED };
        Ok((status, [(header::LOCATION, document.place())], axum::Json(document)).into_response())
    }

    fn push(self, ask: Ask) -> Result<(Staged, Push)> {
        let source = Source::from_files(ask.main.as_ref(), ask.history.as_ref(), self.files);
        let mut source = source.map_err(|error| told(&error))?;
        let history = source.read_history(&mut Vec::new()).map_err(|error| told(&error))?;
        let mut metadata = history.as_ref().map(History::metadata).unwrap_or_default();
        metadata.extend(ask.metadata);
        let tool = concat!("modeldepot-server ", env!("CARGO_PKG_VERSION"));
        let mut push = Push::new(ask.model, source).metadata(metadata).tool(tool);
        (push.version, push.published_by) = (ask.version, ask.by);
        Ok((self.staged, push))
    }
}

/// What to publish, apart from the files.
struct Ask {
    model: ModelName,
    version: Option<Version>,
    metadata: Map<String, Value>,
    main: Option<ArtifactPath>,
    history: Option<ArtifactPath>,
    by: Option<PublishedBy>,
}

/// Describes a failed push. Where the service stores files in the meantime is not part of it.
pub(crate) fn told(error: &Error) -> Problem {
    if let Error::Source(_) = error {
        return Problem::new(ErrorKind::Io, "cannot read the uploaded files back");
    }
    let problem = Problem::from(error);
    match error.advice(None) {
        Some(Advice::OfferFiles) => {
            problem.hint("send at least one `file` field; its file name is the path in the version")
        }
        Some(Advice::RenameOneFile) => problem.status(StatusCode::CONFLICT),
        _ => problem,
    }
}

/// Returns a version to publish. The library would refuse `latest` as well, but only after the files have come.
pub(crate) fn new_version(model: &ModelName, text: &str) -> Result<Version> {
    let version: Version = text.parse()?;
    if version.is_latest() {
        return Err(Error::named_latest(model, &version).into());
    }
    Ok(version)
}

fn metadata(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| {
        Problem::invalid(format!("the metadata is not a JSON object: {}", super::extract::said(&error.to_string())))
            .hint("write it as one object: `{\"architecture\": \"resnet18\", …}`")
    })
}

/// Publish a version
///
/// Send a form (`multipart/form-data`). The service stores the files in the bucket, and the version appears once all of
/// them are stored, or not at all.
#[utoipa::path(
    operation_id = "publish_version",
    post, path = "/api/v1/models/{model}/versions", tag = "publish",
    params(("model" = String, Path)),
    request_body(content = VersionForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, body = PublishedDocument, headers(("location" = String, description = "The version")), links(("version" = (operation_id = "get_version", parameters(("model" = "$response.body#/model"), ("version" = "$response.body#/version")))))),
        (status = 200, body = PublishedDocument, description = "The same content was already published"),
        Problems,
    ),
)]
pub(crate) async fn form(
    by: Publisher,
    State(app): State<App>,
    note: Note,
    Path(model): Path<String>,
    request: Request,
) -> Result<Response> {
    let mut ask = Ask {
        model: model.parse()?,
        version: None,
        metadata: Map::new(),
        main: None,
        history: None,
        by: by.0.who.publisher(),
    };
    let length = request.body().size_hint().exact();
    let mut form = Form::of(request, TEXTS).await?;
    let mut staged = Files::new(&app, &by, length).await?;
    while let Some(part) = form.next().await? {
        match part {
            Part::File(file) => {
                let path = file.name().parse::<ArtifactPath>().map_err(|error| {
                    Problem::from(error).hint("set a file name on each `file` field: it is the path in the version")
                })?;
                if staged.files.len() == MOST_FILES {
                    return Err(Problem::invalid(format!("there are more than {MOST_FILES} files")));
                }
                staged.take(&path, file).await?;
            }
            // Browsers send empty fields.
            Part::Text(_, text) if text.is_empty() => {}
            Part::Text("version", text) => ask.version = Some(new_version(&ask.model, &text)?),
            Part::Text("metadata", text) => ask.metadata = metadata(&text)?,
            Part::Text("main", text) => ask.main = Some(text.parse()?),
            Part::Text(_, text) => ask.history = Some(text.parse()?),
        }
    }
    staged.publish(&app, note, ask).await
}

/// Publish a version of one file
///
/// The body is the file. To publish several files, or metadata, send a form.
#[utoipa::path(
    operation_id = "publish_file",
    put, path = "/api/v1/models/{model}/versions/{version}/files/{path}", tag = "publish",
    params(
        ("model" = String, Path),
        ("version" = String, Path, description = "The version, exactly"),
        ("path" = String, Path, description = "The path of the file in the version; may contain `/`"),
    ),
    request_body(content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 201, body = PublishedDocument, headers(("location" = String, description = "The version")), links(("version" = (operation_id = "get_version", parameters(("model" = "$response.body#/model"), ("version" = "$response.body#/version")))))),
        (status = 200, body = PublishedDocument, description = "The same content was already published"),
        Problems,
    ),
)]
pub(crate) async fn put(
    by: Publisher,
    State(app): State<App>,
    note: Note,
    Path(of): Path<OfFile>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let (model, version, path) = of.parse()?;
    // The path has a version, so it cannot be left out.
    let version = new_version(&model, version).map_err(|problem| match version.eq_ignore_ascii_case("latest") {
        true => problem.hint("write the name of the new version in place of `latest`"),
        false => problem,
    })?;
    if headers.contains_key(HeaderName::from_static("content-range")) {
        return Err(
            Problem::invalid("partial uploads are not supported here").hint("upload in parts with `POST …/uploads`")
        );
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != HeaderValue::from_static("identity")) {
        return Err(Problem::invalid("compressed uploads are not supported").status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    query.only(&[])?;
    let length = body.size_hint().exact();
    let ask = Ask {
        model,
        version: Some(version),
        metadata: Map::new(),
        main: None,
        history: None,
        by: by.0.who.publisher(),
    };
    let mut staged = Files::new(&app, &by, length).await?;
    staged.take(&path, body.into_data_stream().map_err(|_| broke_off())).await?;
    staged.publish(&app, note, ask).await
}
