//! One list for each metric: Keras' `history.history`, and the dict filled by a hand-written PyTorch loop.
//!
//! - A scalar beside the lists (`best_epoch`, `num_epochs`, `best_val_acc`) is left out, since it follows from the
//!   lists.
//! - An empty list is a metric that was never measured.
//! - Lists of training and validation values must have one length. A list of any other length (class weights, a
//!   learning rate for each step, a single test result) is something else, and is left out.
//! - With Keras' `validation_freq`, validation lists have a value only for every second, third, … epoch. Such lists are
//!   spread over the epochs if only one frequency fits their length, and only if they have Keras' names: other writers
//!   start counting elsewhere.
//! - `{"train": {"loss": […]}}` and `{"loss": {"train": […]}}` are `train_loss`, as is each metric of each data set
//!   that gradient boosting reports; `{"loss": {"0": …, "1": …}}`, as pandas writes a frame, is a list.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::bookkeeping::is_bookkeeping;
use super::names::{self, Names};
use super::{HistoryError, Log, Row, frame};

struct Column {
    name: Rc<str>,
    values: Vec<Option<f64>>,
}

/// What is found in place of a list.
enum Found {
    Numbers(Vec<Option<f64>>, Vec<Option<f64>>),
    /// A list of only `null` and non-finite values.
    Void,
}

pub(super) fn read(file: &str, object: &Map<String, Value>) -> Result<Log, HistoryError> {
    let mut columns = Vec::new();
    let mut void = BTreeSet::new();
    let mut index = Vec::new();
    let mut take = |name: Rc<str>, value: &Value| match list(value) {
        Some(Found::Numbers(values, keys)) => {
            if index.is_empty() {
                index = keys;
            }
            columns.push(Column { name, values });
        }
        Some(Found::Void) => drop(void.insert(name.to_string())),
        None => {}
    };
    for (name, value) in object {
        if list(value).is_some() {
            take(name.as_str().into(), value);
        } else if let Value::Object(inner) = value {
            for (word, value) in inner {
                if let Some(name) = names::nested(name, word) {
                    take(name.into(), value);
                }
            }
        }
    }
    let mut log = Log { void, ..Log::default() };
    if columns.is_empty() {
        if !log.void.is_empty() {
            // Assembling it reports what is missing.
            return Ok(log);
        }
        let found = if object.is_empty() { "an empty object" } else { "an object without lists of numbers" };
        return Err(HistoryError::shape(file, found));
    }

    log.notes.extend(spread(&mut columns));
    let names = Names::of(columns.iter().map(|column| &*column.name));
    let has_split = names.has_split();
    let decides = |column: &&Column| names::is_epoch(&column.name) || names.is_measured(&column.name) || !has_split;
    let mut deciding = columns.iter().filter(decides);
    let Some(first) = deciding.next() else { return Ok(log) };
    let length = first.values.len();
    if let Some(second) = deciding.find(|column| column.values.len() != length) {
        return Err(HistoryError::Lengths {
            file: file.to_owned(),
            first: (first.name.to_string(), length),
            second: (second.name.to_string(), second.values.len()),
        });
    }

    log.rows.resize_with(length, Row::default);
    for column in columns.iter().filter(|column| column.values.len() == length) {
        let is_epoch = names::is_epoch(&column.name);
        for (row, value) in log.rows.iter_mut().zip(&column.values) {
            match value {
                Some(number) if is_epoch => row.epoch = Some(*number),
                Some(number) => row.values.push((column.name.clone(), *number)),
                None => {}
            }
        }
    }
    if index.len() == length {
        frame::number_by(&mut log.rows, &index);
    }
    Ok(log)
}

/// Spreads the lists of Keras' `validation_freq` over the epochs, and returns a note about it.
fn spread(columns: &mut [Column]) -> Option<String> {
    let (mut trained, mut validated): (BTreeSet<usize>, BTreeSet<usize>) = Default::default();
    for column in &*columns {
        let lower = column.name.to_ascii_lowercase();
        if lower.starts_with("val_") {
            validated.insert(column.values.len());
        } else if names::first_split(&lower).is_some() {
            return None;
        } else if !is_bookkeeping(&lower) {
            trained.insert(column.values.len());
        }
    }
    let (Some(&all), Some(&some), true) = (trained.first(), validated.first(), trained.len() == 1) else { return None };
    if validated.len() != 1 || some >= all {
        return None;
    }
    let mut frequencies = (2..=all).filter(|frequency| all / frequency == some);
    let (Some(frequency), None) = (frequencies.next(), frequencies.next()) else { return None };
    for column in columns.iter_mut().filter(|column| column.name.to_ascii_lowercase().starts_with("val_")) {
        let mut laid = vec![None; all];
        for (place, value) in column.values.iter().enumerate() {
            laid[(place + 1) * frequency - 1] = *value;
        }
        column.values = laid;
    }
    Some(format!(
        "validation has {some} values for {all} epochs: taken as every {frequency} epochs (`validation_freq={frequency}`)"
    ))
}

/// Returns the numbers of a list, with `None` for missing ones, and the numbers of a frame's index. Returns `None` when
/// it is not a list of numbers.
fn list(value: &Value) -> Option<Found> {
    let (values, keys): (Vec<&Value>, Vec<Option<f64>>) = match value {
        Value::Array(list) => (list.iter().collect(), Vec::new()),
        Value::Object(frame) => {
            let keys: Option<Vec<u32>> = frame.keys().map(|key| key.parse().ok()).collect();
            (frame.values().collect(), keys?.into_iter().map(|key| Some(f64::from(key))).collect())
        }
        _ => return None,
    };
    let numbers: Vec<Option<f64>> = values.iter().map(|value| value.as_f64()).collect();
    if numbers.iter().any(Option::is_some) {
        return Some(Found::Numbers(numbers, keys));
    }
    let void = !values.is_empty() && values.iter().all(|value| value.is_null());
    void.then_some(Found::Void)
}
