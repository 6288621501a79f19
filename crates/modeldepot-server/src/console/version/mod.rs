//! A version: its curves, files, checksums and manifest, and how to fetch, share, verify and delete it.

mod share;
mod snippets;

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use maud::{Markup, html};
use modeldepot::history::History;
use modeldepot::{Description, ModelName, Version, units};

use self::share::Shared;
use super::asked::Asked;
use super::curves::{Named, charts, curve_href};
use super::page::{Page, Place};
use super::refusal::{Result, name};
use super::shown::{flat, number, short, shown, value};
use super::visitor::Visitor;
use super::when::when;
use super::{href, metric};
use crate::auth::Scope;
use crate::state::App;

pub(super) use self::share::post as share;

pub(super) async fn get(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
    visitor: Visitor,
    headers: HeaderMap,
    asked: Asked,
) -> Result {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    let shown = Shown { notice: notice(&asked), shared: None };
    page(&app, &model, &version, &visitor, &headers, shown).await
}

fn notice(asked: &Asked) -> Markup {
    html! {
        @match asked.get("published") {
            Some("now") => div.notice role="status" { p { "Published: every file was stored as it was sent." } },
            Some("already") => div.notice role="status" { p { "The same content was published under this version before." } },
            _ => {},
        }
    }
}

/// What the page shows besides the version itself.
struct Shown {
    notice: Markup,
    shared: Option<Shared>,
}

async fn page(
    app: &App,
    model: &ModelName,
    version: &Version,
    visitor: &Visitor,
    headers: &HeaderMap,
    shown: Shown,
) -> Result {
    let found = app.catalog.version(model, version).await?;
    let history = app.catalog.history(model, version).await;
    let latest = app.catalog.versions(model).await?.last().is_some_and(|latest| latest.version == *version);
    let body = html! {
        (head(&found, latest))
        (shown.notice)
        (damage(&found))
        (curves(model, version, history.as_ref().map(|it| it.as_deref())))
        div.sided {
            div.stack {
                (files(&found)?)
                (metadata(&found))
                (record(&found, model, version))
            }
            div.stack {
                (verify(model, version, visitor))
                (snippets::section(&found, headers)?)
                (share::section(&found, visitor, shown.shared.as_ref()))
                @if visitor.may(Scope::Delete, Some(model)) { (delete(model, version, visitor)) }
            }
        }
    };
    let page = Page::new(Place::Models, format!("{model}@{version}"), body).below("Models", "/");
    Ok(page.below(model.as_str(), href::model(model)).here(version.as_str()))
}

/// Lists missing files, before anyone fetches the version.
fn damage(found: &Description) -> Markup {
    /// The most files listed.
    const NAMED: usize = 20;
    html! {
        @if !found.damaged.is_empty() {
            div.notice.bad role="alert" {
                p { b { "This version is damaged: " } "do not use it, and publish it again under a new version." }
                ul {
                    @for file in found.damaged.iter().take(NAMED) {
                        li {
                            code { (file.path) } " "
                            @match file.found {
                                None => "is missing from the bucket",
                                Some(size) => { "has " (size) " bytes instead of " (file.expected) },
                            }
                        }
                    }
                    @if found.damaged.len() > NAMED { li { "and " (found.damaged.len() - NAMED) " more" } }
                }
            }
        }
    }
}

fn head(found: &Description, latest: bool) -> Markup {
    let manifest = &found.manifest;
    let numbers: BTreeMap<String, f64> = flat(&manifest.metadata)
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_f64().filter(|number| number.is_finite())?)))
        .collect();
    let best: Vec<String> =
        metric::ranked(numbers.keys()).into_iter().filter(|name| metric::is_measured(name)).take(4).collect();
    html! {
        div.head {
            div {
                h1 {
                    (manifest.model_name) span.muted { "@" } (manifest.version)
                    @if latest { " " span.tag.key { "latest" } }
                    @if manifest.files.is_none() {
                        " " span.tag title="Published by the Python pipeline, which records a digest of the model file only" { "Python pipeline" }
                    }
                }
                ul.facts {
                    @for name in &best { li { (short(name, 40)) " " b { (number(numbers[name])) } } }
                    li { b { (units::size(found.size())) } " in " (units::plural(found.files.len(), "file")) }
                    li { "published " (when(manifest.created_at)) }
                    @if let Some(by) = &manifest.published_by { li { "by " bdi { (short(by.as_str(), 100)) } } }
                    @if let Some(tool) = &manifest.tool { li { "with " (short(tool, 60)) } }
                }
            }
            a.button href=(href::query("/compare", &[("v", &format!("{}@{}", manifest.model_name, manifest.version))])) {
                "Compare with…"
            }
        }
    }
}

type Curves<'a> = std::result::Result<Option<&'a History>, &'a modeldepot::Error>;

fn curves(model: &ModelName, version: &Version, history: Curves<'_>) -> Markup {
    let drawn = match history {
        Ok(Some(history)) => {
            let named = [Named { name: format!("{model}@{version}"), color: None, history }];
            charts(&named, |what| curve_href(model, version, what))
        }
        Ok(None) => Vec::new(),
        Err(error) => {
            return html! {
                div.notice.warn {
                    p { "Cannot draw the training curves: " (super::refusal::with_code(&error.to_string())) "." }
                }
            };
        }
    };
    html! {
        @if !drawn.is_empty() {
            section aria-labelledby="curves" {
                h2 id="curves" { "Training curves" }
                div.columns { @for chart in &drawn { (chart.figure()) } }
            }
        }
    }
}

fn files(found: &Description) -> Result<Markup> {
    let manifest = &found.manifest;
    let main = found.main()?;
    let address = |path| href::file(&manifest.model_name, &manifest.version, path);
    Ok(html! {
        section aria-labelledby="files" {
            h2 id="files" { "Files" }
            div.scroll tabindex="0" role="region" aria-label="Table of files" {
                table {
                    thead { tr { th scope="col" { "File" } th.number scope="col" { "Size" } th scope="col" { "" span.sr { "Download" } } } }
                    tbody {
                        @for file in found.files.iter().take(1000) {
                            tr {
                                th scope="row" {
                                    bdi.mono { (shown(file.path.as_str())) }
                                    @if file.path == main { " " span.tag.key { "model file" } }
                                    @if let Some(blake3) = &file.blake3 {
                                        div.digest { "BLAKE3 " code { (blake3) } }
                                    }
                                    @if let Some(md5) = &file.md5 { div.digest { "MD5 " code { (md5) } } }
                                    @if file.blake3.is_none() && file.md5.is_none() {
                                        div.digest { "no published digest: cannot be verified" }
                                    }
                                }
                                td.number title={ (file.size) " bytes" } { (units::size(file.size)) }
                                td.number {
                                    a href=(address(&file.path)) download
                                        aria-label={ "Download " (shown(file.path.as_str())) } { "Download" }
                                }
                            }
                        }
                    }
                }
            }
            @if found.files.len() > 1000 { p.muted { "The first 1000 of " (found.files.len()) " files." } }
        }
    })
}

fn metadata(found: &Description) -> Markup {
    let values = flat(&found.manifest.metadata);
    html! {
        section aria-labelledby="metadata" {
            h2 id="metadata" { "Metadata" }
            @if values.is_empty() {
                p.muted { "No metadata." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Table of metadata" {
                    table.facts-table {
                        tbody {
                            @for (name, found) in &values {
                                tr { th scope="row" { bdi { (short(name, 120)) } } td { bdi { (value(found)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn record(found: &Description, model: &ModelName, version: &Version) -> Markup {
    let text = String::from_utf8_lossy(found.record()).into_owned();
    html! {
        section aria-labelledby="manifest" {
            h2 id="manifest" { "Manifest" }
            details {
                summary { "Show " code { (model) "/v" (version) "/manifest.json" } ", as stored in the bucket" }
                pre.record tabindex="0" role="region" aria-label="Text of the manifest" { code { (lines(&text)) } }
            }
        }
    }
}

/// Spells out invisible characters except line ends, in the first 64 kB.
fn lines(text: &str) -> String {
    let end = text.char_indices().nth(64_000).map_or(text.len(), |(at, _)| at);
    let lines: Vec<String> = text[..end].lines().map(|line| short(line, 4000)).collect();
    lines.join("\n") + if end < text.len() { "\n…" } else { "" }
}

fn verify(model: &ModelName, version: &Version, visitor: &Visitor) -> Markup {
    html! {
        section.card aria-labelledby="verify" {
            h2 id="verify" { "Verify" }
            p.hint { "Reads every file from the bucket and compares it with its published digest, if there is one." }
            form method="post" action={ (href::version(model, version)) "/verify" } data-verify={ (href::api(model, version)) "/verify" } {
                (visitor.token())
                button { "Verify now" }
                div.progress hidden { progress max="1" value="0" aria-labelledby="verify" {} p role="status" aria-live="polite" {} }
            }
        }
    }
}

fn delete(model: &ModelName, version: &Version, visitor: &Visitor) -> Markup {
    let whole = format!("{model}@{version}");
    html! {
        section.card aria-labelledby="delete" {
            h2 id="delete" { "Delete" }
            details {
                summary { "Delete this version" }
                form method="post" action={ (href::version(model, version)) "/delete" } {
                    (visitor.token())
                    p { "Deletes its files from the bucket. The version name can never be used again." }
                    div.field {
                        label for="typed" { "Type " code { (whole) } " to confirm" }
                        input.wide id="typed" type="text" name="typed" autocomplete="off" autocapitalize="off" spellcheck="false"
                            required data-must-be=(whole);
                    }
                    button.danger { "Delete the version" }
                }
            }
        }
    }
}
