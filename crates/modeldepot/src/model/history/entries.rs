//! One object for each epoch or each log line.
//!
//! - `{"epoch": 1, "train": {"loss": …}}` is `train_loss`; other nested objects are ignored.
//! - `{"mode": "val", "loss": …}` is `val_loss`, as MMDetection and tidy tables write it.
//! - Lists are ignored, except the summary of COCO's evaluation, which DETR writes as `test_coco_eval_bbox`. Its first
//!   three numbers are the average precision, that at an overlap of 0.5, and that at 0.75.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::names::{is_counter, is_epoch, is_index, is_split_column, joined, nested};
use super::{HistoryError, Row};

pub(super) fn read(file: &str, list: &[Value]) -> Result<(Vec<Row>, BTreeSet<String>), HistoryError> {
    if list.is_empty() {
        return Err(HistoryError::shape(file, "an empty list"));
    }
    let objects: Option<Vec<&Map<String, Value>>> = list.iter().map(Value::as_object).collect();
    let Some(objects) = objects else {
        return Err(HistoryError::shape(file, "a list whose items are not all objects"));
    };
    let mut log = super::Log::default();
    log.rows = objects.into_iter().map(|entry| row(entry, &mut log.void)).collect();
    log.settle_void();
    Ok((log.rows, log.void))
}

/// Returns whether an object has a number of its own, as a log line does.
pub(super) fn is_numbered(object: &Map<String, Value>) -> bool {
    object.iter().any(|(name, value)| value.is_number() && (is_epoch(name) || is_counter(name)))
}

/// Reads one object, and adds names without a finite value to `void`.
pub(super) fn row(entry: &Map<String, Value>, void: &mut BTreeSet<String>) -> Row {
    let said = |(name, value): (&String, &Value)| value.as_str().filter(|_| is_split_column(name)).map(str::to_owned);
    let split = entry.iter().find_map(said).unwrap_or_default();
    let mut row = Row::default();
    for (name, value) in entry {
        match value {
            Value::Number(_) if is_epoch(name) => row.epoch = value.as_f64(),
            Value::Number(_) if is_index(name) => {}
            Value::Number(_) => {
                let number = value.as_f64().filter(|number| number.is_finite());
                row.values.extend(number.map(|number| (joined(&split, name).into(), number)));
            }
            Value::Null if !is_epoch(name) && void.len() < 1000 => drop(void.insert(name.clone())),
            Value::Object(inner) => row
                .values
                .extend(inner.iter().filter_map(|(word, value)| Some((nested(name, word)?.into(), value.as_f64()?)))),
            Value::Array(summary) if name.contains("coco_eval") => {
                let named = ["ap", "ap50", "ap75"].iter().zip(summary);
                row.values
                    .extend(named.filter_map(|(word, value)| Some((format!("{name}_{word}").into(), value.as_f64()?))));
            }
            _ => {}
        }
    }
    row
}
