//! One list for each metric: Keras' `history.history`, and the dict that a hand-written PyTorch loop fills.
//!
//! - A scalar beside the lists (`best_epoch`, `num_epochs`, `best_val_acc`) is left out: what it says follows from the
//!   lists.
//! - An empty list is a metric that was never measured.
//! - Lists of training and validation values must be of one length. Any other list of another length (class weights, a
//!   learning rate for each step, a single test result) is something else, and is left out.
//! - `{"train": {"loss": […]}}` and `{"loss": {"train": […]}}` are `train_loss`; `{"loss": {"0": …, "1": …}}`, as
//!   pandas writes a frame, is a list.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::names::{self, Names};
use super::{HistoryError, Row};

struct Column {
    name: Rc<str>,
    values: Vec<Option<f64>>,
}

pub(super) fn read(file: &str, object: &Map<String, Value>) -> Result<Vec<Row>, HistoryError> {
    let mut columns = Vec::new();
    for (name, value) in object {
        if let Some(values) = numbers(value) {
            columns.push(Column { name: name.as_str().into(), values });
        } else if let Value::Object(inner) = value {
            columns.extend(inner.iter().filter_map(|(word, value)| {
                Some(Column { name: names::nested(name, word)?.into(), values: numbers(value)? })
            }));
        }
    }
    if columns.is_empty() {
        let found = if object.is_empty() { "an empty object" } else { "an object without lists of numbers" };
        return Err(HistoryError::shape(file, found));
    }

    let names = Names::of(columns.iter().map(|column| &*column.name));
    let has_split = names.has_split();
    let decides = |column: &&Column| names::is_epoch(&column.name) || names.is_measured(&column.name) || !has_split;
    let mut deciding = columns.iter().filter(decides);
    let Some(first) = deciding.next() else { return Ok(Vec::new()) };
    let length = first.values.len();
    if let Some(second) = deciding.find(|column| column.values.len() != length) {
        return Err(HistoryError::Lengths {
            file: file.to_owned(),
            first: (first.name.to_string(), length),
            second: (second.name.to_string(), second.values.len()),
        });
    }

    let mut rows: Vec<Row> = Vec::new();
    rows.resize_with(length, Row::default);
    for column in columns.iter().filter(|column| column.values.len() == length) {
        let is_epoch = names::is_epoch(&column.name);
        for (row, value) in rows.iter_mut().zip(&column.values) {
            match value {
                Some(number) if is_epoch => row.epoch = Some(*number),
                Some(number) => row.values.push((column.name.clone(), *number)),
                None => {}
            }
        }
    }
    Ok(rows)
}

/// Returns the numbers of a list, with `None` where one is missing, or nothing when it is not a list of numbers.
fn numbers(value: &Value) -> Option<Vec<Option<f64>>> {
    let numbers: Vec<Option<f64>> = match value {
        Value::Array(list) => list.iter().map(Value::as_f64).collect(),
        Value::Object(frame) => {
            let is_index = frame.keys().enumerate().all(|(index, key)| key.parse() == Ok(index));
            is_index.then(|| frame.values().map(Value::as_f64).collect())?
        }
        _ => return None,
    };
    numbers.iter().any(Option::is_some).then_some(numbers)
}
