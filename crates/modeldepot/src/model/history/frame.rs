//! Tables as JSON, as pandas writes them.
//!
//! | `orient` | looks like |
//! |---|---|
//! | `columns` | `{"loss": {"0": 0.9}}`: read by `columns` |
//! | `records`, also with `lines=True` | `[{"loss": 0.9}]`: read by `entries` |
//! | `split` | `{"columns": ["loss"], "index": [0], "data": [[0.9]]}` |
//! | `index` | `{"0": {"loss": 0.9}}`, and dicts by epoch of other writers |
//! | `table` | `{"schema": {…}, "data": [{"loss": 0.9}]}`: its `data` is read by `entries` |
//! | `values` | `[[0.9]]`: refused, since nothing says what the values are |
//!
//! An index that counts 0, 1, 2, … is pandas' default and numbers no epochs; any other does, such as one made by
//! `set_index("epoch")`.

use serde_json::{Map, Value};

use super::names::{MAX_NAME, is_epoch};
use super::{Log, Row, entries};

/// Reads lists of values under a list of names.
pub(super) fn split(object: &Map<String, Value>) -> Option<Log> {
    let (Value::Array(columns), Value::Array(data)) = (object.get("columns")?, object.get("data")?) else {
        return None;
    };
    let names: Vec<&str> = columns.iter().map(Value::as_str).collect::<Option<_>>()?;
    let mut log = table(&names, data)?;
    if let Some(Value::Array(index)) = object.get("index") {
        let numbers: Vec<Option<f64>> = index.iter().map(Value::as_f64).collect();
        number_by(&mut log.rows, &numbers);
    }
    Some(log)
}

/// Reads lists of which the first holds the names.
pub(super) fn rows_of_lists(items: &[Value]) -> Option<Log> {
    let (Value::Array(names), data) = items.split_first()? else { return None };
    let names: Vec<&str> = names.iter().map(Value::as_str).collect::<Option<_>>()?;
    table(&names, data).filter(|log| !log.rows.is_empty())
}

fn table(names: &[&str], data: &[Value]) -> Option<Log> {
    let mut log = Log::default();
    for values in data {
        let values = values.as_array()?;
        // A name this long is not a metric's, and would be copied for every row.
        let named = names.iter().zip(values).filter(|(name, _)| name.len() <= MAX_NAME);
        let object: Map<String, Value> = named.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        log.rows.push(entries::row(&object, &mut log.void));
    }
    log.settle_void();
    Some(log)
}

/// Reads one object for each epoch, under its number: `{"1": {"loss": 0.9}}`, `{"epoch_1": {…}}`.
pub(super) fn by_index(object: &Map<String, Value>) -> Option<Log> {
    let mut log = Log::default();
    let mut numbers = Vec::new();
    for (key, value) in object {
        let Value::Object(entry) = value else { return None };
        numbers.push(Some(number(key)?));
        // `{"loss": {"0": …}}` is a table of columns instead.
        if entry.is_empty() || entry.keys().all(|key| number(key).is_some()) {
            return None;
        }
        log.rows.push(entries::row(entry, &mut log.void));
    }
    log.settle_void();
    number_by(&mut log.rows, &numbers);
    (!log.rows.is_empty()).then_some(log)
}

/// Numbers rows without numbers of their own by an index, unless it is pandas' default.
pub(super) fn number_by(rows: &mut [Row], index: &[Option<f64>]) {
    let own = rows.iter().any(|row| row.epoch.is_some());
    let counts = index.iter().enumerate().all(|(place, number)| *number == Some(place as f64));
    if !own && !counts {
        for (row, number) in rows.iter_mut().zip(index) {
            row.epoch = *number;
        }
    }
}

/// Returns the number of a key, alone or after the word for epochs.
fn number(key: &str) -> Option<f64> {
    let digits = key.trim_start_matches(|c: char| !c.is_ascii_digit());
    let word = key[..key.len() - digits.len()].trim_end_matches(['_', ' ', '-']);
    let number: u32 = digits.parse().ok()?;
    (word.is_empty() || is_epoch(word)).then_some(f64::from(number))
}
