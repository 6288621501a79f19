//! The start page: the models.

use axum::extract::State;
use futures_util::{StreamExt as _, stream};
use maud::{Markup, html};
use modeldepot::{ModelName, ModelSummary, units};

use super::asked::Asked;
use super::chart::sparkline;
use super::page::{Page, Place};
use super::refusal::Result;
use super::shown::number;
use super::visitor::Visitor;
use super::when::when;
use super::{href, metric, pager};
use crate::catalog::Catalog;
use crate::state::App;

/// Models per page.
const ROWS: usize = 50;

/// The most versions in a sparkline.
const SPARK: usize = 12;

/// The most models whose versions are read at once.
const AT_ONCE: usize = 8;

/// A model, as a row of the page.
pub(super) struct Row {
    summary: ModelSummary,
    key: Option<Key>,
}

/// The most important metric of a model.
struct Key {
    metric: String,
    /// The latest version's value, if it has one.
    latest: Option<f64>,
    /// The values of the last versions, in ascending order of version.
    values: Vec<f64>,
}

pub(super) async fn get(State(app): State<App>, visitor: Visitor, asked: Asked) -> Result {
    let models: Vec<ModelSummary> =
        app.catalog.models().await?.iter().filter(|model| visitor.sees(&model.model)).cloned().collect();
    let wanted = asked.get("q").unwrap_or_default().to_lowercase();
    let found: Vec<&ModelSummary> =
        models.iter().filter(|model| model.model.as_str().to_lowercase().contains(&wanted)).collect();
    let page = pager::Pages::new(found.len(), ROWS, asked.page());
    let shown: Vec<ModelSummary> = page.slice(&found).iter().map(|model| (*model).clone()).collect();
    let rows = shown.into_iter().map(|summary| row(&app.catalog, summary)).collect::<Vec<_>>();
    let rows: Vec<Row> = stream::iter(rows).buffered(AT_ONCE).collect().await;
    let body = html! {
        div.head {
            div {
                h1 { "Models" }
                @if !models.is_empty() {
                    ul.facts {
                        li { b { (models.len()) } " " (if models.len() == 1 { "model" } else { "models" }) }
                        li { b { (models.iter().map(|model| model.versions).sum::<usize>()) } " versions" }
                        li { b { (units::size(models.iter().map(|model| model.size).fold(0, u64::saturating_add))) } }
                    }
                }
            }
            @if visitor.may_publish_some() { a.button.primary href="/publish" { "Publish a model" } }
        }
        @if asked.get("deleted").is_some() {
            div.notice role="status" {
                p { "The version is deleted. Its name can never be used again." }
                (super::delete::left(&asked))
            }
        }
        @if models.is_empty() { (empty(&visitor)) } @else { (list(&rows, &asked, &page)) }
    };
    Ok(Page::new(Place::Models, "Models", body))
}

async fn row(catalog: &Catalog, summary: ModelSummary) -> Row {
    let key = key_of(catalog, &summary.model).await;
    Row { summary, key }
}

async fn key_of(catalog: &Catalog, model: &ModelName) -> Option<Key> {
    // A model that was just deleted has no versions, and is gone when the page is reloaded.
    let versions = catalog.versions(model).await.ok()?;
    let facts = catalog.facts(model, &versions[versions.len().saturating_sub(SPARK)..]).await.ok()?;
    let numbers: Vec<_> = facts.iter().map(|facts| metric::numbers(facts)).collect();
    // The latest version with any metric decides.
    let metric = numbers.iter().rev().find_map(|numbers| metric::key(numbers.keys()))?;
    let latest = numbers.last().and_then(|numbers| numbers.get(&metric).copied());
    let values = numbers.iter().filter_map(|numbers| numbers.get(&metric).copied()).collect();
    Some(Key { metric, latest, values })
}

fn list(rows: &[Row], asked: &Asked, page: &pager::Pages) -> Markup {
    html! {
        form.bar method="get" action="/" role="search" {
            div.grow {
                label.sr for="q" { "Filter models by name" }
                input id="q" type="search" name="q" value=[asked.get("q")] placeholder="Filter by name" autocomplete="off";
            }
            button { "Filter" }
        }
        @if rows.is_empty() {
            div.empty {
                h2 { "No model matches this name" }
                p { a href="/" { "Show all models" } }
            }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Table of models" {
                table.models {
                    thead { tr {
                        th scope="col" { "Model" }
                        th scope="col" { "Latest version" }
                        th.number scope="col" { "Key metric" }
                        th.optional scope="col" { "Trend" }
                        th.number.optional scope="col" { "Versions" }
                        th.number.optional scope="col" { "Total size" }
                        th.optional scope="col" { "Last published" }
                    } }
                    tbody { @for row in rows { (line(row)) } }
                }
            }
            (page.links(asked, "models"))
        }
    }
}

fn line(row: &Row) -> Markup {
    let Row { summary, key } = row;
    html! {
        tr {
            th scope="row" { a href=(href::model(&summary.model)) { (summary.model) } }
            td {
                a.mono href=(href::version(&summary.model, &summary.latest)) { (summary.latest) }
                @if summary.latest_damaged { " " span.tag.bad title="Files of this version are missing from the bucket" { "damaged" } }
            }
            td.number {
                @match key {
                    Some(Key { metric, latest: Some(value), .. }) => { b { (number(*value)) } br; small.muted { (metric) } },
                    _ => span.muted { "–" },
                }
            }
            td.optional { @if let Some(key) = key { (sparkline(&key.metric, &key.values)) } }
            td.number.optional {
                (summary.versions)
                @if summary.damaged > 0 { br; small.muted { (summary.damaged) " damaged" } }
            }
            td.number.optional { (units::size(summary.size)) }
            td.optional { (when(summary.published)) }
        }
    }
}

fn empty(visitor: &Visitor) -> Markup {
    html! {
        div.empty {
            h2 { "No models yet" }
            p { "Publish the first one from a terminal:" }
            pre { code { "modeldepot push plant_classifier best_model.pth --history training_history.json" } }
            @if visitor.may_publish_some() { p { "or " a href="/publish" { "drop its files here" } "." } }
        }
    }
}
