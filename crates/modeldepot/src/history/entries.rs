//! One object for each epoch or each log line.
//!
//! `{"epoch": 1, "train": {"loss": …}}` is `train_loss`; other nested objects and lists are ignored.

use serde_json::{Map, Value};

use super::names::{is_epoch, nested};
use super::{HistoryError, Row};

pub(super) fn read(file: &str, list: &[Value]) -> Result<Vec<Row>, HistoryError> {
    if list.is_empty() {
        return Err(HistoryError::shape(file, "an empty list"));
    }
    let objects: Option<Vec<&Map<String, Value>>> = list.iter().map(Value::as_object).collect();
    let Some(objects) = objects else {
        return Err(HistoryError::shape(file, "a list whose items are not all objects"));
    };
    Ok(objects.into_iter().map(row).collect())
}

fn row(entry: &Map<String, Value>) -> Row {
    let mut row = Row::default();
    for (name, value) in entry {
        match value {
            Value::Number(_) if is_epoch(name) => row.epoch = value.as_f64(),
            Value::Number(_) => row.values.extend(value.as_f64().map(|number| (name.as_str().into(), number))),
            Value::Object(inner) => row
                .values
                .extend(inner.iter().filter_map(|(word, value)| Some((nested(name, word)?.into(), value.as_f64()?)))),
            _ => {}
        }
    }
    row
}
