//! Presigned links to files.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use maud::{Markup, html};
use modeldepot::{ArtifactPath, Description, ModelName, Version, units};
use time::OffsetDateTime;

use super::snippets::snippet;
use super::{Shown, page};
use crate::auth::{Reader, Scope};
use crate::console::asked::Asked;
use crate::console::href;
use crate::console::refusal::{Refusal, Result, name};
use crate::console::shown::short;
use crate::console::visitor::Visitor;
use crate::links;
use crate::state::App;

/// The lifetimes offered for a link.
const LIVES: [(u64, &str); 5] =
    [(900, "15 minutes"), (3600, "1 hour"), (86_400, "1 day"), (259_200, "3 days"), (604_800, "7 days")];

/// A new link.
pub(super) struct Shared {
    url: String,
    file: ArtifactPath,
    until: OffsetDateTime,
}

/// Creates a link, and shows the version with it.
pub(in crate::console) async fn post(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
    visitor: Visitor,
    headers: HeaderMap,
    by: Reader,
    body: axum::body::Bytes,
) -> Result {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    let form = Asked::parse(&body);
    let file: ArtifactPath = name(form.get("file").unwrap_or_default())?;
    let seconds = form.get("expires").and_then(|text| text.parse().ok());
    let Some((seconds, _)) = LIVES.iter().find(|(known, _)| Some(*known) == seconds) else {
        return Err(Refusal::invalid("invalid link lifetime", "choose one from the list"));
    };
    let life = links::life(&by.0, &model, Some(Duration::from_secs(*seconds)))?;
    let found = app.catalog.version(&model, &version).await?;
    let url = app.storage.link(&found, Some(&file), life).await?;
    let until = OffsetDateTime::now_utc() + life;
    let shown = Shown { notice: html! {}, shared: Some(Shared { url, file, until }) };
    page(&app, &model, &version, &visitor, &headers, shown).await
}

pub(super) fn section(found: &Description, visitor: &Visitor, shared: Option<&Shared>) -> Markup {
    let (model, version) = (&found.manifest.model_name, &found.manifest.version);
    let main = found.main().ok();
    let may_share = visitor.may(Scope::Share, Some(model));
    let lives = LIVES.iter().filter(|(seconds, _)| may_share || *seconds <= links::READER_LIFE.as_secs());
    let chosen = shared.map(|shared| &shared.file).or(main.as_ref());
    html! {
        section.card id="share" aria-labelledby="share-title" {
            h2 id="share-title" { "Share" }
            p.hint { "Anyone with the link can download the file from the S3 endpoint until it expires." }
            @if !may_share { p.hint { "Longer-lived links need the scope " code { "share" } "." } }
            @if let Some(shared) = shared {
                div role="status" {
                    (snippet("shared-link", &format!("Link to {}", short(shared.file.as_str(), 60)), &shared.url))
                    p { "Valid until " b { (units::date(Some(shared.until))) } "." }
                }
            }
            form method="post" action={ (href::version(model, version)) "/share#share" } {
                (visitor.token())
                div.bar {
                    @if found.files.len() > 1 {
                        div.grow {
                            label for="share-file" { "File" }
                            select.wide id="share-file" name="file" {
                                @for file in found.files.iter().take(200) {
                                    option value=(file.path) selected[Some(&file.path) == chosen] { (short(file.path.as_str(), 60)) }
                                }
                            }
                        }
                    } @else if let Some(main) = &main { input type="hidden" name="file" value=(main); }
                    div {
                        label for="expires" { "Expires after" }
                        select id="expires" name="expires" {
                            @for (seconds, name) in lives { option value=(seconds) selected[*seconds == 86_400] { (name) } }
                        }
                    }
                    button { "Create link" }
                }
            }
        }
    }
}
