//! A model: its versions in a table, and a chart of a metric.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use maud::{Markup, html};
use modeldepot::{ModelName, VersionSummary, units};

use super::asked::Asked;
use super::chart::{Chart, Line, X};
use super::condition::Conditions;
use super::page::{Page, Place};
use super::refusal::{Result, name};
use super::shown::{aligned, decimals, number, short};
use super::visitor::Visitor;
use super::when::when;
use super::{href, metric, pager};
use crate::auth::Scope;
use crate::catalog::Facts;
use crate::catalog::listing::{Selected, Sort, select};
use crate::state::App;

/// Versions per page.
const ROWS: usize = 50;

/// The most versions in the chart: the latest.
const CHARTED: usize = 200;

/// The most fields listed when no version matches a filter.
const FIELDS: usize = 20;

/// The most metric columns.
const COLUMNS: usize = 5;

/// A version, as a row of the table.
#[derive(Clone)]
struct Row {
    summary: VersionSummary,
    numbers: BTreeMap<String, f64>,
}

impl Row {
    fn new(summary: &VersionSummary, facts: Option<&Facts>) -> Row {
        Row { summary: summary.clone(), numbers: facts.map(metric::numbers).unwrap_or_default() }
    }
}

pub(super) async fn get(State(app): State<App>, Path(model): Path<String>, visitor: Visitor, asked: Asked) -> Result {
    let model: ModelName = name(&model)?;
    let versions = app.catalog.versions(&model).await?;
    let latest = &versions[versions.len().saturating_sub(CHARTED)..];
    let charted = rows(&app, &model, latest).await?;
    let names = metric::ranked(charted.iter().flat_map(|row| row.numbers.keys()));
    let filter = asked.get("filter").unwrap_or_default();
    let conditions = Conditions::parse(filter)?;
    let sort = Sort::parse(asked.get("sort").unwrap_or("-version"))?;
    let Selected { versions: mut found, known, .. } =
        select(&app.catalog, &model, &versions, &conditions.filters, &sort).await;
    found.retain(|version| conditions.names(&version.version));
    let fields = if found.is_empty() { fields(&app, &model, latest).await? } else { Vec::new() };
    let unread = known.map_or(0, |known| versions.len() - known);
    let pages = pager::Pages::new(found.len(), ROWS, asked.page());
    let shown = rows(&app, &model, pages.slice(&found)).await?;
    let charting = asked.get("metric").filter(|name| names.iter().any(|known| known == name)).map(str::to_owned);
    let charting = charting.or_else(|| metric::key(names.iter())).or_else(|| names.first().cloned());
    let chart = charting.as_ref().map(|metric| chart(&model, metric, &charted));
    let body = html! {
        (head(&model, &versions, &visitor))
        @if let Some(version) = asked.get("deleted") {
            div.notice role="status" {
                p { "Version " code { (short(version, 128)) } " is deleted. Its name can never be used again." }
                (super::delete::left(&asked))
            }
        }
        @if let (Some(chart), Some(metric)) = (&chart, &charting) {
            @if charted.len() > 1 {
                section.sided aria-label="Metric over versions" {
                    (chart.figure())
                    div.card { (choice(metric, &names, &asked)) (standing(&model, metric, &charted, versions.last())) }
                }
            }
        }
        section aria-labelledby="versions" {
            h2 id="versions" { "Versions" }
            (search(&asked, filter))
            @if unread > 0 {
                div.notice.warn role="status" {
                    p { "The manifests of " (unread) " versions are still being read. Reload the page in a moment." }
                }
            }
            @if versions.is_empty() {
                div.empty { h2 { "All versions were deleted" } p { a href="/" { "Show all models" } } }
            } @else if found.is_empty() {
                div.empty {
                    h2 { "No version matches " code { (short(filter, 120)) } }
                    p { "Known fields: "
                        @for (index, field) in fields.iter().enumerate() {
                            @if index > 0 { ", " } code { (short(field, 60)) }
                        } @if fields.len() == FIELDS { ", …" } }
                    p { "Type part of a version's name, conditions on its metadata, or both: "
                        code { "val_accuracy>=0.9 architecture=resnet18" } "." }
                    p { a href=(href::model(&model)) { "Show all versions" } }
                }
            } @else {
                (table(&model, &shown, names.iter().take(COLUMNS).map(String::as_str).collect(), &asked))
                (pages.links(&asked, "versions"))
            }
        }
    };
    Ok(Page::new(Place::Models, model.as_str(), body).below("Models", "/").here(model.as_str()))
}

/// Returns the fields that versions can be filtered by: the columns of the table, and metadata of the latest versions.
async fn fields(app: &App, model: &ModelName, latest: &[VersionSummary]) -> Result<Vec<String>> {
    let facts = app.catalog.facts(model, latest).await?;
    let metadata: BTreeSet<&str> = facts.iter().flat_map(|facts| facts.iter()).map(|(name, _)| name).collect();
    let columns = ["version", "published", "size", "files"].into_iter();
    Ok(columns.chain(metadata).take(FIELDS).map(str::to_owned).collect())
}

/// Serves the chart as a file.
pub(super) async fn chart_file(State(app): State<App>, Path(model): Path<String>, asked: Asked) -> Result<super::Svg> {
    let model: ModelName = name(&model)?;
    let versions = app.catalog.versions(&model).await?;
    let charted = rows(&app, &model, &versions[versions.len().saturating_sub(CHARTED)..]).await?;
    let metric = asked.get("metric").unwrap_or_default();
    let chart = chart(&model, metric, &charted);
    Ok(super::Svg { name: format!("{model}-over-versions"), text: chart.file() })
}

async fn rows(app: &App, model: &ModelName, versions: &[VersionSummary]) -> Result<Vec<Row>> {
    let facts = app.catalog.facts(model, versions).await?;
    let row = |(summary, facts): (&VersionSummary, &Arc<Facts>)| {
        // The manifests were read for the metadata, so comparing them with the listing costs nothing.
        let mut known = summary.clone();
        known.damaged = app.storage.is_known_damaged(model, summary);
        Row::new(&known, Some(facts))
    };
    Ok(versions.iter().zip(&facts).map(row).collect())
}

fn chart(model: &ModelName, metric: &str, rows: &[Row]) -> Chart {
    let points: Vec<(f64, f64)> =
        rows.iter().enumerate().filter_map(|(index, row)| Some((index as f64, *row.numbers.get(metric)?))).collect();
    let best = metric::best(metric, points.iter().copied()).map(|best| best.0);
    Chart {
        id: "over-versions",
        title: format!("{} over versions", short(metric, 60)),
        x: X::Names("version", rows.iter().map(|row| row.summary.version.to_string()).collect()),
        y_name: short(metric, 60),
        lines: vec![Line { name: metric.to_owned(), color: 0, dashed: false, points, best }],
        href: href::query(&format!("{}/chart.svg", href::model(model)), &[("metric", metric)]),
    }
}

fn head(model: &ModelName, versions: &[VersionSummary], visitor: &Visitor) -> Markup {
    let latest = versions.last();
    html! {
        div.head {
            div {
                h1 { (model) }
                ul.facts {
                    li { b { (versions.len()) } " " (if versions.len() == 1 { "version" } else { "versions" }) }
                    li { b { (units::size(versions.iter().map(|it| it.size).fold(0, u64::saturating_add))) } }
                    @if let Some(latest) = latest {
                        li { "latest " a.mono href=(href::version(model, &latest.version)) { (latest.version) }
                            @if latest.damaged { " " span.tag.bad title="Files of this version are missing from the bucket" { "damaged" } }
                        }
                        li { (when(latest.published)) }
                    }
                }
            }
            @if visitor.may(Scope::Publish, Some(model)) {
                a.button href=(href::query("/publish", &[("model", model.as_str())])) { "Publish a version" }
            }
        }
    }
}

fn choice(metric: &str, names: &[String], asked: &Asked) -> Markup {
    html! {
        form.bar method="get" {
            @for name in ["filter", "sort"] {
                @if let Some(value) = asked.get(name) { input type="hidden" name=(name) value=(value); }
            }
            div.grow {
                label for="metric" { "Metric" }
                select.wide id="metric" name="metric" data-submit {
                    @for name in names.iter().take(100) {
                        option value=(name) selected[name == metric] { (short(name, 60)) }
                    }
                }
            }
            button data-submits { "Show" }
        }
    }
}

/// Describes how the latest version ranks among those in the chart.
fn standing(model: &ModelName, metric: &str, rows: &[Row], newest: Option<&VersionSummary>) -> Markup {
    let measured: Vec<(&VersionSummary, f64)> =
        rows.iter().filter_map(|row| Some((&row.summary, *row.numbers.get(metric)?))).collect();
    let best = metric::best(metric, measured.iter().copied());
    let [.., before, latest] = &measured[..] else { return html! {} };
    let change = latest.1 - before.1;
    let cell = |found: &(&VersionSummary, f64)| {
        html! { b { (number(found.1)) } br; a.mono href=(href::version(model, &found.0.version)) { (found.0.version) } }
    };
    html! {
        dl.pairs {
            dt { (if newest.is_some_and(|newest| newest.version == latest.0.version) { "Latest" } else { "Latest that has it" }) }
            dd { (cell(latest)) }
            @if let Some(best) = best { dt { "Best" } dd { (cell(&best)) } }
            dt { "Change" }
            dd { (if change > 0.0 { "+" } else { "" }) (number(change)) }
        }
    }
}

fn search(asked: &Asked, filter: &str) -> Markup {
    html! {
        form.bar method="get" role="search" {
            @for name in ["metric", "sort"] {
                @if let Some(value) = asked.get(name) { input type="hidden" name=(name) value=(value); }
            }
            div.grow {
                label.sr for="filter" { "Filter versions" }
                input id="filter" type="search" name="filter" value=(filter) autocomplete="off" spellcheck="false"
                    placeholder="Filter: val_accuracy>=0.9 architecture=resnet18";
            }
            button { "Filter" }
        }
    }
}

fn table(model: &ModelName, rows: &[Row], columns: Vec<&str>, asked: &Asked) -> Markup {
    let places: Vec<usize> =
        columns.iter().map(|name| decimals(rows.iter().filter_map(|row| row.numbers.get(*name).copied()))).collect();
    html! {
        form method="get" action="/compare" data-compare {
            div.scroll tabindex="0" role="region" aria-label="Table of versions" {
                table.versions {
                    thead { tr {
                        th.tick scope="col" { span.sr { "Compare" } }
                        (column("version", "Version", false, asked))
                        @for name in &columns { (column(&sorting(name), name, true, asked)) }
                        (column("size", "Size", true, asked))
                        (column("files", "Files", true, asked))
                        (column("published", "Published", false, asked))
                    } }
                    tbody {
                        @for row in rows {
                            @let version = &row.summary.version;
                            tr {
                                td.tick {
                                    input type="checkbox" name="v" value={ (model) "@" (version) }
                                        aria-label={ "Compare " (version) };
                                }
                                th scope="row" {
                                    a.mono.nowrap href=(href::version(model, version)) { (version) }
                                    @if row.summary.damaged {
                                        " " span.tag.bad title="Files of this version are missing from the bucket" { "damaged" }
                                    }
                                }
                                @for (name, places) in columns.iter().zip(&places) {
                                    td.number {
                                        @match row.numbers.get(*name) {
                                            Some(value) => (aligned(*value, *places)),
                                            None => span.muted { "–" },
                                        }
                                    }
                                }
                                td.number { (units::size(row.summary.size)) }
                                td.number { (row.summary.files) }
                                td { (when(row.summary.published)) }
                            }
                        }
                    }
                }
            }
            @if rows.len() > 1 {
                p { button data-compares { "Compare" } " " span.hint data-compare-hint { "Select two to five versions." } }
            }
        }
    }
}

/// Returns the name for sorting by a metadata field.
fn sorting(name: &str) -> String {
    match name {
        "version" | "size" | "files" | "published" => format!("metadata.{name}"),
        name if name.starts_with('-') || name.starts_with("metadata.") => format!("metadata.{name}"),
        name => name.to_owned(),
    }
}

/// Returns the header of a column, which sorts by it: numbers in descending order first.
fn column(by: &str, title: &str, is_number: bool, asked: &Asked) -> Markup {
    let sort = asked.get("sort").unwrap_or("-version");
    let (current, down) = sort.strip_prefix('-').map_or((sort, false), |by| (by, true));
    let here = current == by;
    let upwards = if here { down } else { !is_number && by != "published" };
    let next = if upwards { by.to_owned() } else { format!("-{by}") };
    html! {
        th.number[is_number] scope="col"
            aria-sort=[here.then_some(if down { "descending" } else { "ascending" })] {
            a href=(asked.with(&[("sort", Some(&next))])) {
                (short(title, 32))
                @if here { span aria-hidden="true" { (if down { " ↓" } else { " ↑" }) } }
            }
        }
    }
}
