//! CatBoost's `catboost_training.json`: a list of iterations, and a description of the metrics and data sets.
//!
//! `meta` names the metrics in the order of the values, and says for each whether higher is better. CatBoost chooses
//! its best iteration by the first test set, which others call validation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names::MAX_NAME;
use super::score::Better;
use super::{Log, Row};

/// The maximum number of data sets, and of metrics for each. Each name is repeated for every iteration.
const MOST: usize = 64;

pub(super) fn read(object: &Map<String, Value>) -> Option<Log> {
    let iterations = object.get("iterations")?.as_array()?;
    let meta = object.get("meta")?.as_object()?;
    let names = |list: &str| -> Vec<&str> {
        meta.get(list).and_then(Value::as_array).into_iter().flatten().take(MOST).filter_map(Value::as_str).collect()
    };
    let mut parts: Vec<(&str, String, Vec<Metric<'_>>)> = Vec::new();
    for set in names("learn_sets") {
        parts.push((set, "train".to_owned(), metrics(meta, "learn_metrics")));
    }
    for (place, set) in names("test_sets").into_iter().enumerate() {
        let split = if place == 0 {
            "val".to_owned()
        } else {
            format!("other_{}", if set.len() < MAX_NAME / 2 { set } else { "" })
        };
        parts.push((set, split, metrics(meta, "test_metrics")));
    }
    let mut log = Log::default();
    let mut better = BTreeMap::new();
    for (_, split, metrics) in &parts {
        better.extend(metrics.iter().filter_map(|metric| Some((format!("{split}_{}", metric.name), metric.better?))));
    }
    for iteration in iterations {
        let mut row = Row { epoch: None, values: Vec::new() };
        row.values.push(("iteration".into(), iteration.get("iteration")?.as_f64()?));
        for (set, split, metrics) in &parts {
            let values = iteration.get(set).and_then(Value::as_array).into_iter().flatten();
            row.values.extend(
                metrics
                    .iter()
                    .zip(values)
                    .filter_map(|(m, v)| Some((format!("{split}_{}", m.name).into(), v.as_f64()?))),
            );
        }
        log.rows.push(row);
    }
    log.better = better;
    (!log.rows.is_empty()).then_some(log)
}

struct Metric<'m> {
    name: &'m str,
    better: Option<Better>,
}

fn metrics<'m>(meta: &'m Map<String, Value>, list: &str) -> Vec<Metric<'m>> {
    let metrics = meta.get(list).and_then(Value::as_array).into_iter().flatten().take(MOST);
    let metric = |metric: &'m Value| {
        let better = match metric.get("best_value").and_then(Value::as_str) {
            Some("Min") => Some(Better::Lower),
            Some("Max") => Some(Better::Higher),
            _ => None,
        };
        let name = metric.get("name")?.as_str()?;
        Some(Metric { name: if name.len() < MAX_NAME / 2 { name } else { "" }, better })
    };
    metrics.filter_map(metric).collect()
}
