//! Training curves from the history stored with a model: training and validation, with the best epoch marked.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use modeldepot::history::History;
use modeldepot::{ModelName, Version};

use super::chart::{Chart, Line, X};
use super::refusal::{Result, name};
use super::shown::short;
use super::{Svg, href, metric};
use crate::problem::Problem;
use crate::state::App;

/// The most charts of one history.
const CHARTS: usize = 8;

/// The ids of the charts in a page.
const IDS: [&str; CHARTS] = ["curve-0", "curve-1", "curve-2", "curve-3", "curve-4", "curve-5", "curve-6", "curve-7"];

/// A history with the name of its version.
pub(super) struct Named<'a> {
    pub(super) name: String,
    /// The color of its lines when versions are compared. `None` for a single version, where training and validation
    /// have their own colors.
    pub(super) color: Option<usize>,
    pub(super) history: &'a History,
}

/// Returns the charts of one history, or of several overlaid: loss first, then accuracy, then other measured
/// values.
pub(super) fn charts(histories: &[Named<'_>], href: impl Fn(&str) -> String) -> Vec<Chart> {
    let measured: Vec<String> = measured(histories);
    let charts = measured.iter().take(CHARTS).zip(IDS).map(|(what, id)| Chart {
        id,
        title: title(what),
        x: X::Numbers(unit(histories)),
        y_name: what.replace('_', " "),
        lines: lines(what, histories),
        href: href(what),
    });
    charts.filter(|chart| !chart.is_empty()).collect()
}

/// Returns the measured quantities, without prefixes for the data set.
fn measured(histories: &[Named<'_>]) -> Vec<String> {
    let epochs = histories.iter().flat_map(|named| named.history.epochs());
    let names: BTreeSet<&str> = epochs.flat_map(|epoch| epoch.values.keys()).map(String::as_str).collect();
    let of_an_epoch = |name: &&str| name.starts_with("train_") || name.starts_with("val_") || metric::is_measured(name);
    let unique: BTreeSet<String> = names.into_iter().filter(of_an_epoch).map(|name| bare(name).to_owned()).collect();
    let mut measured: Vec<String> = unique.into_iter().collect();
    let place = |what: &String| match what.as_str() {
        "loss" => 0,
        "accuracy" => 1,
        what if metric::is_measured(what) => 2,
        _ => 3,
    };
    measured.sort_by_key(place);
    measured
}

/// Returns the unit of the horizontal axis, if all histories have the same.
fn unit(histories: &[Named<'_>]) -> &'static str {
    let mut units = histories.iter().map(|named| named.history.unit().word());
    match units.next() {
        Some(first) if units.all(|other| other == first) => first,
        _ => "epoch",
    }
}

fn bare(name: &str) -> &str {
    ["train_", "val_"].iter().find_map(|split| name.strip_prefix(split)).unwrap_or(name)
}

fn title(what: &str) -> String {
    let mut letters = what.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let title: String = first.chain(letters.map(|letter| if letter == '_' { ' ' } else { letter })).collect();
    format!("{} per epoch", short(&title, 60))
}

/// Returns the lines of a quantity. Training is dashed, validation solid.
fn lines(what: &str, histories: &[Named<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    for named in histories {
        for (split, word, color) in [("train_", "train", 0), ("val_", "validation", 1), ("", "", 0)] {
            let key = format!("{split}{what}");
            let epochs = named.history.epochs().iter();
            let points: Vec<(f64, f64)> =
                epochs.filter_map(|epoch| Some((epoch.epoch, *epoch.values.get(&key)?))).collect();
            if points.is_empty() {
                continue;
            }
            let name = match (named.color, word) {
                (None, "") => what.to_owned(),
                (None, word) => word.to_owned(),
                (Some(_), word) => format!("{} {word}", named.name).trim().to_owned(),
            };
            let best = named.history.best().map(|best| best.epoch);
            let best =
                best.filter(|_| split == "val_" || (split == "train_" && !has(named.history, &format!("val_{what}"))));
            let color = named.color.unwrap_or(color);
            lines.push(Line { name, color, dashed: split == "train_", points, best });
        }
    }
    lines
}

fn has(history: &History, name: &str) -> bool {
    history.epochs().iter().any(|epoch| epoch.values.contains_key(name))
}

/// A chart of a version as a file.
pub(super) async fn file(
    State(app): State<App>,
    Path((model, version, what)): Path<(String, String, String)>,
) -> Result<Svg> {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    let history = app.catalog.history(&model, &version).await?;
    let history = history.ok_or_else(|| missing(&format!("`{model}@{version}` has no training history")))?;
    let named = [Named { name: format!("{model}@{version}"), color: None, history: &history }];
    let what = what.strip_suffix(".svg").unwrap_or(&what).to_owned();
    one(&named, &what, &format!("{model}@{version}"))
}

/// Returns the chart of a quantity as a file.
pub(super) fn one(named: &[Named<'_>], what: &str, of: &str) -> Result<Svg> {
    let lines = lines(what, named);
    if lines.is_empty() {
        return Err(missing("no such metric in the training history"));
    }
    let (x, y_name, id) = (X::Numbers(unit(named)), what.replace('_', " "), IDS[0]);
    let title = format!("{} · {of}", title(what));
    let chart = Chart { id, title, x, y_name, lines, href: String::new() };
    Ok(Svg { name: format!("{of}-{what}"), text: chart.file() })
}

fn missing(detail: &str) -> super::refusal::Refusal {
    super::refusal::Refusal(Problem::new(modeldepot::ErrorKind::NotFound, detail))
}

/// Returns the URL of a version's chart as a file.
pub(super) fn curve_href(model: &ModelName, version: &Version, what: &str) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    format!("{}/curves/{}.svg", href::version(model, version), utf8_percent_encode(what, NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let json = r#"{"train_loss": [0.9, 0.5, 0.3], "val_loss": [0.8, 0.6, 0.7], "train_acc": [0.5, 0.7, 0.9],
            "val_acc": [0.5, 0.8, 0.7], "lr": [0.1, 0.1, 0.01]}"#;
        History::parse("training_history.json", json.as_bytes()).unwrap()
    }

    #[test]
    fn loss_and_accuracy_are_drawn_and_the_best_epoch_marked() {
        let history = history();
        let charts = charts(&[Named { name: "m@1".into(), color: None, history: &history }], |what| what.to_owned());
        let titles: Vec<_> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["Loss per epoch", "Accuracy per epoch"]);
        let lines: Vec<_> = charts[0].lines.iter().map(|line| (line.name.as_str(), line.dashed, line.best)).collect();
        assert_eq!(lines, [("train", true, None), ("validation", false, Some(2.0))]);
        assert_eq!(charts[1].lines[1].points, [(1.0, 0.5), (2.0, 0.8), (3.0, 0.7)]);
    }

    #[test]
    fn several_histories_lie_over_each_other() {
        let (a, b) = (history(), history());
        let named = [
            Named { name: "m@1".into(), color: Some(0), history: &a },
            Named { name: "m@2".into(), color: Some(2), history: &b },
        ];
        let charts = charts(&named, |what| what.to_owned());
        let lines: Vec<_> = charts[1].lines.iter().map(|line| (line.name.as_str(), line.color)).collect();
        assert_eq!(lines, [("m@1 train", 0), ("m@1 validation", 0), ("m@2 train", 2), ("m@2 validation", 2)]);
    }
}
