//! Verifying a version without JavaScript: a page that reloads until the end.

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use modeldepot::{ModelName, Version, units};
use uuid::Uuid;

use super::asked::Asked;
use super::href;
use super::page::{Page, Place};
use super::refusal::{Refusal, Result, name, notice};
use super::shown::shown;
use crate::auth::Reader;
use crate::jobs::{End, State as Job};
use crate::log::Note;
use crate::problem::Problem;
use crate::state::App;

/// Starts a verification.
pub(super) async fn post(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
    _: Reader,
    note: Note,
) -> Result<Redirect> {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    app.catalog.version(&model, &version).await?;
    let job = app.service.jobs.verify(&app.storage, &model, &version, note)?;
    Ok(Redirect::to(&href::query(
        &format!("{}/verify", href::version(&model, &version)),
        &[("job", &job.id.to_string())],
    )))
}

/// Shows its progress.
pub(super) async fn get(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
    asked: Asked,
) -> Result {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    let id = asked.get("job").and_then(|id| Uuid::try_parse(id).ok());
    let job = id.and_then(|id| app.service.jobs.find(id)).filter(|job| job.model == model && job.version == version);
    let job = job.ok_or_else(|| {
        let problem = Problem::new(modeldepot::ErrorKind::NotFound, "no such verification");
        Refusal(problem.hint("start a new one on the version's page"))
    })?;
    let state = job.state.borrow().clone();
    let body = html! {
        div.head { div { h1 { "Verify " (model) "@" (version) } } }
        (told(&state))
        p { a.button href=(href::version(&model, &version)) { "To the version" } }
    };
    let refresh = state.end.is_none().then_some(1);
    let page = Page { refresh, ..Page::new(Place::Models, format!("Verify {model}@{version}"), body) };
    let page = page.below("Models", "/").below(model.as_str(), href::model(&model));
    Ok(page.below(version.as_str(), href::version(&model, &version)).here("Verify"))
}

fn told(state: &Job) -> Markup {
    html! {
        @match &state.end {
            None => div.card {
                progress max=(state.bytes.max(1)) value=(state.bytes_done) aria-label="Verified" {}
                p role="status" {
                    (units::size(state.bytes_done)) " of " (units::size(state.bytes))
                    @if let Some(file) = &state.file { ", " bdi { (shown(file.as_str())) } }
                }
            },
            Some(End::Done { unverified }) if unverified.is_empty() => div.notice role="status" {
                p.good { "Verified: " (units::plural(state.files, "file")) ", " (units::size(state.bytes)) ", every digest matches." }
            },
            Some(End::Done { unverified }) => div.notice.warn role="status" {
                p { "Not verified: " (unverified.len()) " of " (units::plural(state.files, "file")) " have no published digest and cannot be verified." }
                ul { @for file in unverified.iter().take(20) { li { bdi.mono { (shown(file.as_str())) } } } }
                @if unverified.len() > 20 { p { "And " (unverified.len() - 20) " more." } }
            },
            Some(End::Failed(problem)) => (notice(problem)),
        }
    }
}
