//! Detecting the shape of a JSON document.

use serde_json::{Map, Value};

use super::{
    History, HistoryError, Log, Numbering, Row, assemble, catboost, columns, entries, frame, log_history, names,
    tensorboard,
};

/// Keys that a history may be wrapped in, once.
const WRAPPERS: [&str; 3] = ["history", "training_history", "epochs"];

/// Further such keys, tried only where nothing beside them is a history.
const OTHER_WRAPPERS: [&str; 8] =
    ["evals_result", "evals_result_", "eval_results", "results", "metrics", "logs", "log", "data"];

/// Reads the documents of a file: one, or one per line of a log.
pub(super) fn read(file: &str, documents: Vec<Value>, notes: Vec<String>) -> Result<History, HistoryError> {
    match documents.as_slice() {
        // Notes mean that this is one line of a log whose second line was truncated.
        [document] if notes.is_empty() => one(file, document),
        documents => list(file, documents, false, notes),
    }
}

fn one(file: &str, document: &Value) -> Result<History, HistoryError> {
    match document {
        Value::Object(object) => self::object(file, object),
        Value::Array(items) if items.iter().any(Value::is_array) => match frame::rows_of_lists(items) {
            Some(log) => assemble(file, log),
            None => match tensorboard::list(file, items) {
                Some(log) => assemble(file, log),
                None => Err(HistoryError::shape(
                    file,
                    "lists of values without the names of their columns (pandas: use `orient=\"columns\"` instead of `\"values\"`)",
                )),
            },
        },
        Value::Array(items) => list(file, items, false, Vec::new()),
        Value::String(_) => Err(HistoryError::shape(file, "a string")),
        Value::Number(_) => Err(HistoryError::shape(file, "a number")),
        Value::Bool(_) => Err(HistoryError::shape(file, "a boolean")),
        Value::Null => Err(HistoryError::shape(file, "`null`")),
    }
}

fn object(file: &str, object: &Map<String, Value>) -> Result<History, HistoryError> {
    if let Some(Value::Array(log)) = object.get("log_history") {
        return list(file, log, true, Vec::new());
    }
    if let Some(log) = catboost::read(object) {
        return assemble(file, log);
    }
    if let Some(log) = frame::split(object).or_else(|| frame::by_index(object)) {
        return assemble(file, log);
    }
    if let (Some(Value::Object(_)), Some(Value::Array(rows))) = (object.get("schema"), object.get("data")) {
        return list(file, rows, false, Vec::new());
    }
    for wrapper in WRAPPERS {
        match object.get(wrapper) {
            Some(Value::Object(inner)) => return wrapped(file, inner),
            // A list of numbers under `epochs` is a column like the others.
            Some(Value::Array(items)) if items.iter().any(Value::is_object) => {
                return list(file, items, false, Vec::new());
            }
            _ => {}
        }
    }
    match columns::read(file, object) {
        // A log of one line, or a history under another key.
        Err(HistoryError::Shape { .. }) if entries::is_numbered(object) => {
            list(file, &[Value::Object(object.clone())], false, Vec::new())
        }
        Err(refused @ HistoryError::Shape { .. }) => {
            for wrapper in OTHER_WRAPPERS {
                match object.get(wrapper) {
                    Some(Value::Object(inner)) => return wrapped(file, inner),
                    Some(Value::Array(items)) if items.iter().any(Value::is_object) => {
                        return list(file, items, false, Vec::new());
                    }
                    _ => {}
                }
            }
            Err(refused)
        }
        log => assemble(file, log?),
    }
}

fn wrapped(file: &str, inner: &Map<String, Value>) -> Result<History, HistoryError> {
    match frame::split(inner).or_else(|| frame::by_index(inner)) {
        Some(log) => assemble(file, log),
        None => assemble(file, columns::read(file, inner)?),
    }
}

fn list(file: &str, items: &[Value], is_log: bool, notes: Vec<String>) -> Result<History, HistoryError> {
    let (mut rows, void) = entries::read(file, items)?;
    let mut log = Log { void, notes, ..Log::default() };
    if is_log || log_history::is_log(&rows) {
        log.rows = log_history::fold(file, rows)?;
        log.numbering = Numbering::Progress;
    } else {
        follow(&mut rows);
        log.rows = rows;
    }
    assemble(file, log)
}

/// Gives a line of a log that counts steps but no epochs the epoch of the line before: MMEngine writes the results of
/// an epoch this way.
fn follow(rows: &mut [Row]) {
    let mut before = None;
    for row in rows {
        match row.epoch {
            Some(_) => before = row.epoch,
            None if row.values.iter().any(|(name, _)| names::is_counter(name)) => row.epoch = before,
            None => {}
        }
    }
}
