//! Two to five versions side by side: overlaid curves, and a table that marks the differences.

use std::sync::Arc;

use axum::extract::{Path, State};
use maud::{Markup, html};
use modeldepot::history::History;
use modeldepot::{Comparison, Description, Selector, StoredFile, units};

use super::asked::Asked;
use super::curves::{Named, charts, one};
use super::page::{Page, Place};
use super::refusal::{Refusal, Result};
use super::shown::{flat, number, short, shown, value};
use super::visitor::Visitor;
use super::when::when;
use super::{Svg, href, metric};
use crate::catalog::comparison::MOST;
use crate::problem::Problem;
use crate::state::App;

/// The most versions of a model offered for comparison.
const OFFERED: usize = 100;

struct Column {
    name: String,
    found: Arc<Description>,
    history: Option<Arc<History>>,
}

pub(super) async fn get(State(app): State<App>, visitor: Visitor, asked: Asked) -> Result {
    let selectors = selectors(&asked, &visitor)?;
    let columns = columns(&app, &selectors).await?;
    let body = html! {
        div.head { div { h1 { "Compare versions" } } }
        (choose(&app, &visitor, &asked, &selectors).await?)
        @if columns.len() < 2 {
            div.empty {
                h2 { (if columns.is_empty() { "Choose what to compare" } else { "Choose what to compare it with" }) }
                p { "Two to five versions, of one model or of several, as " code { "model@version" } "." }
                p { "In the list of a " a href="/" { "model" } "'s versions you can select them with the checkboxes." }
            }
        } @else {
            (overlaid(&columns, &asked))
            (table(&columns, &asked))
        }
    };
    Ok(Page::new(Place::Models, "Compare versions", body).below("Models", "/").here("Compare"))
}

/// A chart as a file.
pub(super) async fn file(
    State(app): State<App>,
    Path(what): Path<String>,
    visitor: Visitor,
    asked: Asked,
) -> Result<Svg> {
    let selectors = selectors(&asked, &visitor)?;
    if selectors.is_empty() {
        let hint = "name the versions: `?v=MODEL@1.0&v=MODEL@1.1`";
        return Err(Refusal::invalid("a chart of a comparison needs the versions to compare", hint));
    }
    let columns = columns(&app, &selectors).await?;
    one(&named(&columns), what.strip_suffix(".svg").unwrap_or(&what), "compared")
}

/// Returns the requested versions without duplicates. One without `@` means the latest.
fn selectors(asked: &Asked, visitor: &Visitor) -> Result<Vec<Selector>> {
    let mut selectors: Vec<Selector> = Vec::new();
    for text in asked.all("v") {
        let selector = text.parse::<Selector>()?;
        if !visitor.sees(&selector.model) {
            let problem = Problem::new(
                modeldepot::ErrorKind::Denied,
                format!("you do not have access to model `{}`", selector.model),
            );
            return Err(Refusal(problem.hint("log in with a token that grants access")));
        }
        if !selectors.contains(&selector) {
            selectors.push(selector);
        }
    }
    if selectors.len() > MOST {
        let detail = format!("{} versions are too many to compare", selectors.len());
        return Err(Refusal::invalid(detail, format!("choose two to {MOST}")));
    }
    Ok(selectors)
}

async fn columns(app: &App, selectors: &[Selector]) -> Result<Vec<Column>> {
    let mut columns = Vec::with_capacity(selectors.len());
    for selector in selectors {
        let model = &selector.model;
        let version = match &selector.version {
            Some(version) => version.clone(),
            None => app.catalog.latest(model).await?,
        };
        let found = app.catalog.version(model, &version).await?;
        // Without curves, the rest can still be compared.
        let history = app.catalog.history(model, &version).await.ok().flatten();
        columns.push(Column { name: format!("{model}@{version}"), found, history });
    }
    // Versions of the same model are labeled with their version only.
    if selectors.iter().all(|it| it.model == selectors[0].model) {
        for column in &mut columns {
            column.name = column.found.manifest.version.to_string();
        }
    }
    Ok(columns)
}

fn named(columns: &[Column]) -> Vec<Named<'_>> {
    // Colors follow the columns, even if an earlier column has no history.
    let named = columns.iter().enumerate().map(|(index, column)| {
        Some(Named { name: column.name.clone(), color: Some(index), history: column.history.as_deref()? })
    });
    named.flatten().collect()
}

/// Returns the form: the compared versions, and others that can be added.
async fn choose(app: &App, visitor: &Visitor, asked: &Asked, selectors: &[Selector]) -> Result<Markup> {
    let mut offered = Vec::new();
    if let Some(selector) = selectors.last() {
        for version in app.catalog.versions(&selector.model).await?.iter().rev().take(OFFERED) {
            offered.push(format!("{}@{}", selector.model, version.version));
        }
    } else {
        let models = app.catalog.models().await?;
        let seen = models.iter().filter(|it| visitor.sees(&it.model)).take(OFFERED);
        offered.extend(seen.map(|it| format!("{}@{}", it.model, it.latest)));
    }
    let chosen: Vec<&str> = asked.all("v").collect();
    Ok(html! {
        form.bar method="get" action="/compare" {
            @for name in &chosen { input type="hidden" name="v" value=(name); }
            @if chosen.len() < MOST {
                div.grow {
                    label for="add" { "Add a version" }
                    input id="add" type="text" name="v" list="offered" placeholder="model@version" autocomplete="off"
                        autocapitalize="off" spellcheck="false";
                    datalist id="offered" {
                        @for name in offered.iter().filter(|name| !chosen.contains(&name.as_str())) { option value=(name) {} }
                    }
                }
                button { "Add" }
            }
        }
    })
}

fn overlaid(columns: &[Column], asked: &Asked) -> Markup {
    let named = named(columns);
    // The chart's file is requested for the same versions.
    let query = asked.with(&[]);
    let address = |what: &str| {
        format!(
            "/compare/{}.svg{query}",
            percent_encoding::utf8_percent_encode(what, percent_encoding::NON_ALPHANUMERIC)
        )
    };
    let without: Vec<&str> =
        columns.iter().filter(|column| column.history.is_none()).map(|column| column.name.as_str()).collect();
    html! {
        section aria-labelledby="curves" {
            h2 id="curves" { "Training curves" }
            @if named.is_empty() {
                p.muted { "None of these versions has a training history." }
            } @else {
                div.columns { @for chart in charts(&named, address) { (chart.figure()) } }
                @if !without.is_empty() { p.muted { "Without a training history: " (without.join(", ")) } }
            }
        }
    }
}

/// A row of the table: one field or file of each version.
struct Line {
    name: String,
    cells: Vec<Option<String>>,
    differs: bool,
    /// Which value is best, if that is known.
    best: Option<usize>,
}

fn table(columns: &[Column], asked: &Asked) -> Markup {
    let metadata = metadata(columns);
    let files = files(columns);
    let differing = |lines: &[Line]| lines.iter().filter(|line| line.differs).count();
    html! {
        section aria-labelledby="side" {
            h2 id="side" { "Side by side" }
            p.hint {
                (units::plural(differing(&metadata), "difference")) " in the metadata, "
                (units::plural(differing(&files), "file")) " that differ; marked with " b.warn { "≠" } "."
            }
            div.scroll tabindex="0" role="region" aria-label="Table of differences" {
                table.compared {
                    thead { tr {
                        th scope="col" { span.sr { "Property" } }
                        @for (index, column) in columns.iter().enumerate() {
                            @let manifest = &column.found.manifest;
                            th scope="col" {
                                span class={ "swatch c" (index) } aria-hidden="true" { "●" } " "
                                a.mono href=(href::version(&manifest.model_name, &manifest.version)) { (column.name) }
                                @if columns.len() > 2 {
                                    br; a href=(without(asked, index)) { "Remove" span.sr { " " (column.name) } }
                                }
                            }
                        }
                    } }
                    tbody {
                        tr { th scope="row" { "Published" } @for column in columns { td { (when(column.found.manifest.created_at)) } } }
                        tr { th scope="row" { "Size" } @for column in columns { td { (units::size(column.found.size())) } } }
                    }
                    (group("Metadata", &metadata, columns.len()))
                    (group("Files", &files, columns.len()))
                }
            }
        }
    }
}

/// Returns the query without one of its versions.
fn without(asked: &Asked, index: usize) -> String {
    let others: Vec<&str> = asked.all("v").enumerate().filter(|(at, _)| *at != index).map(|(_, name)| name).collect();
    let pairs: Vec<(&str, &str)> = others.into_iter().map(|name| ("v", name)).collect();
    href::query("/compare", &pairs)
}

fn group(title: &str, lines: &[Line], columns: usize) -> Markup {
    html! {
        tbody {
            tr.group { th colspan=(columns + 1) scope="rowgroup" { (title) } }
            @if lines.is_empty() { tr { td.muted colspan=(columns + 1) { "None." } } }
            @for line in lines {
                tr.differs[line.differs] {
                    th scope="row" {
                        bdi { (short(&line.name, 120)) }
                        @if line.differs { span.sr { " differs" } }
                    }
                    @for (index, cell) in line.cells.iter().enumerate() {
                        td.best[line.best == Some(index)] {
                            @match cell {
                                Some(text) => bdi { (text) },
                                None => span.muted { "–" },
                            }
                            @if line.best == Some(index) { span.sr { " (best)" } }
                        }
                    }
                }
            }
        }
    }
}

fn metadata(columns: &[Column]) -> Vec<Line> {
    let flat: Vec<Vec<_>> = columns.iter().map(|column| flat(&column.found.manifest.metadata)).collect();
    let mut names: Vec<String> = Vec::new();
    for (name, _) in flat.iter().flatten() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let lines = names.into_iter().map(|name| {
        let found: Vec<_> =
            flat.iter().map(|values| values.iter().find(|(known, _)| *known == name).map(|it| it.1)).collect();
        let cells: Vec<Option<String>> = found.iter().map(|found| found.map(value)).collect();
        let numbers: Vec<Option<f64>> = found.iter().map(|found| found.and_then(serde_json::Value::as_f64)).collect();
        let best = best(&name, &numbers);
        // Metrics are rounded to significant digits, but in full if they only differ further on.
        let rounded: Vec<Option<String>> =
            numbers.iter().zip(&cells).map(|(it, cell)| it.map(number).or_else(|| cell.clone())).collect();
        let tells = |cells: &[Option<String>]| cells.windows(2).any(|pair| pair[0] != pair[1]);
        let differs = found.windows(2).any(|pair| pair[0] != pair[1]);
        let cells = if tells(&rounded) == differs { rounded } else { cells };
        Line { name, cells, differs, best }
    });
    lines.collect()
}

/// Returns the best value of a metric, if every version has one and one stands out.
fn best(name: &str, numbers: &[Option<f64>]) -> Option<usize> {
    let numbers: Vec<f64> = numbers.iter().copied().collect::<Option<_>>()?;
    let (best, value) = metric::best(name, numbers.iter().copied().enumerate())?;
    let stands_out = |(index, other): (usize, &f64)| index == best || metric::is_better(name, value, *other);
    numbers.iter().enumerate().all(stands_out).then_some(best)
}

fn files(columns: &[Column]) -> Vec<Line> {
    let cell = |file: &StoredFile| {
        let digest = match (&file.blake3, &file.md5) {
            (Some(blake3), _) => format!("BLAKE3 {}…", &blake3.to_string()[..12]),
            (None, Some(md5)) => format!("MD5 {}…", &md5.to_string()[..12]),
            (None, None) => "no checksum".to_owned(),
        };
        format!("{} · {digest}", units::size(file.size))
    };
    let versions: Vec<&Description> = columns.iter().map(|column| &*column.found).collect();
    let lines = Comparison::of(&versions).files.into_iter().take(500).map(|file| Line {
        name: shown(file.path.as_str()),
        differs: file.differs(),
        cells: file.files.into_iter().map(|file| file.map(cell)).collect(),
        best: None,
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_metric_stands_out() {
        assert_eq!(best("val_accuracy", &[Some(0.9), Some(0.95), Some(0.1)]), Some(1));
        assert_eq!(best("val_loss", &[Some(0.9), Some(0.95), Some(0.1)]), Some(2));
        assert_eq!(best("val_loss", &[Some(0.1), Some(0.1)]), None);
        assert_eq!(best("val_loss", &[Some(0.1), None]), None);
        assert_eq!(best("batch_size", &[Some(32.0), Some(64.0)]), None);
    }
}
