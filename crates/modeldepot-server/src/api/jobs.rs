//! Verifying a version as a background job with progress events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use modeldepot::ErrorKind;
use serde::Serialize;
use tokio::time::sleep;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{OfVersion, Path};
use super::problems::Problems;
use crate::auth::{Reader, Scope};
use crate::jobs::{End, Job, State as JobState};
use crate::log::Note;
use crate::problem::{Document, Problem, Result};
use crate::state::App;

/// The minimum time between two events.
const PACE: Duration = Duration::from_millis(100);

/// The most files listed by name.
const SHOWN: usize = 100;

/// An event.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the events, which are written as they go")]
pub(crate) struct JobEvent {
    /// `progress` or `end`.
    #[schema(pattern = "^(progress|end)$")]
    event: String,
    /// The job, as JSON.
    data: String,
}

/// A verification.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobDocument {
    #[schema(value_type = Uuid)]
    id: String,
    model: String,
    version: String,
    /// `running`, `verified` (every file matches its published digest), `unverified` (no damage found,
    /// but `unverified_files` have no published digest) or `failed` (see `problem`).
    #[schema(pattern = "^(running|verified|unverified|failed)$")]
    state: &'static str,
    /// Number of files in the version.
    files: usize,
    /// Number of files verified so far.
    files_done: usize,
    /// Total size of its files in bytes.
    bytes: u64,
    bytes_done: u64,
    /// The file being verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Number of files without a published digest; they cannot be verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    unverified: Option<usize>,
    /// Their paths (the first 100).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unverified_files: Vec<String>,
    /// The error, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Document>,
}

impl JobDocument {
    fn of(job: &Job, state: &JobState) -> JobDocument {
        let (word, unverified, problem) = match &state.end {
            None => ("running", None, None),
            Some(End::Done { unverified }) if unverified.is_empty() => ("verified", Some(unverified), None),
            Some(End::Done { unverified }) => ("unverified", Some(unverified), None),
            Some(End::Failed(problem)) => ("failed", None, Some(problem.document())),
        };
        JobDocument {
            id: job.id.to_string(),
            model: job.model.to_string(),
            version: job.version.to_string(),
            state: word,
            files: state.files,
            files_done: state.files_done,
            bytes: state.bytes,
            bytes_done: state.bytes_done,
            file: state.file.as_ref().map(ToString::to_string),
            unverified: unverified.map(Vec::len),
            unverified_files: unverified.into_iter().flatten().take(SHOWN).map(ToString::to_string).collect(),
            problem,
        }
    }
}

/// Verify a version
///
/// Reads every file from the bucket and compares it with its published digest, in the background. Repeated requests
/// return the same job while it runs.
#[utoipa::path(
    operation_id = "verify_version",
    post, path = "/api/v1/models/{model}/versions/{version}/verify", tag = "verify",
    params(("model" = String, Path), ("version" = String, Path, description = "The version, or `latest`")),
    responses(
        (status = 202, body = JobDocument, headers(("location" = String, description = "The job")), links(
            ("job" = (operation_id = "get_job", parameters(("id" = "$response.body#/id")))),
            ("events" = (operation_id = "watch_job", parameters(("id" = "$response.body#/id")))),
        )),
        Problems,
    ),
)]
pub(crate) async fn begin(
    _: Reader,
    State(app): State<App>,
    note: Note,
    Path(of): Path<OfVersion>,
) -> Result<Response> {
    let model = of.model()?;
    let version = app.catalog.resolve(&model, of.version()).await?;
    // Report a missing version at once.
    app.catalog.version(&model, &version).await?;
    let job = app.service.jobs.verify(&app.storage, &model, &version, note)?;
    let state = job.state.borrow().clone();
    let headers = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, headers, axum::Json(JobDocument::of(&job, &state))).into_response())
}

fn find(app: &App, by: &Reader, id: &str) -> Result<std::sync::Arc<Job>> {
    let found = Uuid::try_parse(id).ok().and_then(|id| app.service.jobs.find(id));
    // For a caller who may not see the model, the job does not exist.
    found.filter(|job| by.0.may(Scope::Read, &job.model)).ok_or_else(|| {
        Problem::new(ErrorKind::NotFound, format!("job `{}` does not exist", id.escape_debug()))
            .hint("jobs are kept for an hour after they finish, by the service that ran them")
    })
}

/// Get a verification's progress
#[utoipa::path(
    operation_id = "get_job",
    get, path = "/api/v1/jobs/{id}", tag = "verify",
    params(("id" = String, Path)),
    responses((status = 200, body = JobDocument), Problems),
)]
pub(crate) async fn one(by: Reader, State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let job = find(&app, &by, &id)?;
    let state = job.state.borrow().clone();
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(JobDocument::of(&job, &state))).into_response())
}

/// Watch a verification
///
/// Server-sent events: `progress` while it runs, at most ten per second, then one `end`. The data of each is the job,
/// as returned by `GET /api/v1/jobs/{id}`.
#[utoipa::path(
    operation_id = "watch_job",
    get, path = "/api/v1/jobs/{id}/events", tag = "verify",
    params(("id" = String, Path)),
    responses((status = 200, content_type = "text/event-stream", description = "The events", body = JobEvent), Problems),
)]
pub(crate) async fn events(by: Reader, State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let job = find(&app, &by, &id)?;
    let state = job.state.clone();
    // The first event is the current state; the stream ends after the final one.
    let events = stream::unfold(Some((job, state, true)), |watching| async move {
        let (job, mut state, first) = watching?;
        if !first && state.borrow().end.is_none() {
            // The worker only ends after it has reported its result.
            let _ = state.changed().await;
            sleep(PACE).await;
        }
        let now = state.borrow_and_update().clone();
        let name = if now.end.is_some() { "end" } else { "progress" };
        let data = serde_json::to_string(&JobDocument::of(&job, &now)).unwrap_or_default();
        let event = Event::default().event(name).data(data);
        let next = now.end.is_none().then_some((job, state, false));
        Some((Ok::<_, Infallible>(event), next))
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    // Keeps proxies from buffering events.
    Ok(([("x-accel-buffering", "no")], events).into_response())
}
