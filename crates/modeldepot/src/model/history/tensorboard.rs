//! Charts downloaded from TensorBoard: times, steps and values of one metric, which is named only in the file name.
//!
//! `run-validation-tag-epoch_loss.csv` has the columns `Wall time,Step,Value`.
//!
//! As `.json`, the same is `[[1700000000.5, 0, 0.9], …]`.

use std::rc::Rc;

use serde_json::Value;

use super::{Log, Row};

/// The smallest number, in seconds, that is taken for a time: 2001.
const MOMENT: f64 = 1e9;

/// Returns whether a table's header is that of a download.
pub(super) fn is_header(header: &[Rc<str>]) -> bool {
    let names: Vec<String> = header.iter().map(|name| name.to_ascii_lowercase()).collect();
    names == ["wall time", "step", "value"]
}

/// Returns the column names of a download.
pub(super) fn names(file: &str) -> [Rc<str>; 3] {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let (run, tag) = stem.split_once("-tag-").unwrap_or(("", stem));
    let run = run.rsplit(['-', '_', '/', '.']).next().unwrap_or_default();
    // Keras writes one of these for each epoch, and calls the number a step.
    let counter = if tag.starts_with("epoch_") { "epoch" } else { "step" };
    let known = if stem.contains("-tag-") { format!("{run}_{tag}") } else { "value".to_owned() };
    ["wall_time".into(), counter.into(), known.as_str().into()]
}

pub(super) fn list(file: &str, items: &[Value]) -> Option<Log> {
    let [_, counter, name] = names(file);
    let mut log = Log::default();
    for item in items {
        let [moment, step, value] = item.as_array()?.as_slice() else { return None };
        moment.as_f64().filter(|moment| *moment > MOMENT)?;
        let mut row = Row::default();
        let step = step.as_f64()?;
        if &*counter == "epoch" {
            row.epoch = Some(step)
        } else {
            row.values.push((Rc::clone(&counter), step))
        }
        row.values.extend(value.as_f64().map(|value| (Rc::clone(&name), value)));
        log.rows.push(row);
    }
    Some(log)
}
