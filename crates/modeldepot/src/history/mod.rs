//! Training histories: what a training script left beside the model, read into epochs and a summary.
//!
//! There is no standard for these files, only habits. The ones read here:
//!
//! | shape | who writes it | read by |
//! |---|---|---|
//! | `{"loss": […], "val_accuracy": […]}`, also under `history` | Keras, hand-written PyTorch loops | `columns` |
//! | `[{"epoch": 1, "train_loss": …}, …]`, also under `epochs` or `history` | hand-written loops, pandas | `entries` |
//! | `{"log_history": […]}` or that list alone | Hugging Face `trainer_state.json` | `log_history` |
//! | CSV with a header | Lightning's and Keras' `CSVLogger` | `table` |
//!
//! All of them become rows of named numbers, and from there one set of rules applies:
//!
//! - **Names** become `train_…`, `val_…` or `test_…`: see `names`.
//! - **Epoch numbers** are the file's own when it has any, whatever it counts from: Keras' and Lightning's CSV files
//!   count from 0, and stay so. A file without numbers is counted from 1. Where the file numbers its epochs, a row
//!   without a number is left out.
//! - **Rows with the same number** are one epoch; a later value replaces an earlier one.
//! - **Values** are kept as written: an accuracy in percent stays in percent.
//! - **Missing** values (`null`, an empty cell, `NaN`, `Infinity`) are absent; text and booleans are ignored.

mod columns;
mod entries;
mod error;
mod file;
mod json;
mod log_history;
mod names;
mod table;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value};

pub use self::error::HistoryError;
pub use self::file::history_file;
use self::names::Names;

/// The largest file that is read as a history, in bytes. Real ones are a few kilobytes.
pub const MAX_BYTES: usize = 64 << 20;

/// The most values that are read from a history. Real ones have thousands; each takes far more memory than its text.
pub const MAX_VALUES: usize = 500_000;

/// No training numbers its epochs beyond this; a larger number is something else, such as a timestamp.
const MAX_EPOCH: f64 = 1e9;

/// One epoch's measured values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// The epoch's number: the file's own, else counted from 1. Fractional where a log was written within an epoch.
    pub epoch: f64,
    /// The finite values by canonical name: `train_loss`, `val_accuracy`, … and whatever else the file had as numbers.
    pub values: BTreeMap<String, f64>,
}

/// A training history: its epochs in ascending order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    epochs: Vec<Epoch>,
    #[serde(rename = "total_epochs")]
    total: u64,
}

/// What every shape is first read into. Names are as the file spells them.
#[derive(Default)]
struct Row {
    epoch: Option<f64>,
    values: Vec<(Rc<str>, f64)>,
}

/// What the epoch numbers of a file mean, which decides how many epochs the last one makes.
#[derive(Clone, Copy, PartialEq)]
enum Numbering {
    /// They name epochs: when the first is 0, the last is one less than the total.
    Ordinal,
    /// They say how many epochs had been trained, as in a Hugging Face log, where 0 is "before training".
    Progress,
}

impl History {
    /// Reads a history. `file_name` tells CSV (`.csv`) from JSON (everything else), and names the file in errors.
    pub fn parse(file_name: &str, bytes: &[u8]) -> Result<History, HistoryError> {
        if bytes.len() > MAX_BYTES {
            return Err(HistoryError::TooLarge { file: file_name.to_owned(), bytes: bytes.len() });
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let extension = file_name.rsplit_once('.').map(|(_, extension)| extension);
        if extension.is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            return assemble(file_name, table::read(file_name, bytes)?, Numbering::Ordinal);
        }
        from_document(file_name, &json::read(file_name, bytes)?)
    }

    /// Returns the epochs, in ascending order of their numbers. There is at least one.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Returns how many epochs the training ran for, by the number of the last one.
    ///
    /// That is not always the number of [`epochs`](Self::epochs): a log may hold several evaluations of one epoch, or
    /// every fifth epoch only. A planned number that was not reached does not count.
    pub fn total_epochs(&self) -> u64 {
        self.total
    }

    /// Returns the best epoch: the highest `val_accuracy`; in a history without it the lowest `val_loss`; without that
    /// the highest `train_accuracy`; without that the lowest `train_loss`. Of equals, the first.
    ///
    /// Returns `None` when the history has none of the four.
    pub fn best(&self) -> Option<&Epoch> {
        const HIGHER: Ordering = Ordering::Greater;
        const LOWER: Ordering = Ordering::Less;
        let criteria =
            [("val_accuracy", HIGHER), ("val_loss", LOWER), ("train_accuracy", HIGHER), ("train_loss", LOWER)];
        criteria.into_iter().find_map(|(name, better)| {
            let measured = self.epochs.iter().filter_map(|epoch| Some((epoch, *epoch.values.get(name)?)));
            let best = measured.reduce(|best, next| if next.1.total_cmp(&best.1) == better { next } else { best });
            best.map(|(epoch, _)| epoch)
        })
    }

    /// Returns the summary that goes into a manifest's metadata: `best_epoch`; at that epoch `train_accuracy`,
    /// `val_accuracy`, `train_loss` and `val_loss`; `total_epochs`; then the epoch's other metrics by name.
    ///
    /// What the history does not have is absent. Values that measure the run rather than the model (learning rate,
    /// steps, durations) are in [`epochs`](Self::epochs) but not here.
    pub fn metadata(&self) -> Map<String, Value> {
        const FIRST: [&str; 4] = ["train_accuracy", "val_accuracy", "train_loss", "val_loss"];
        let mut metadata = Map::new();
        let best = self.best();
        if let Some(best) = best {
            metadata.insert("best_epoch".to_owned(), number(best.epoch));
            for name in FIRST {
                if let Some(value) = best.values.get(name) {
                    metadata.insert(name.to_owned(), Value::from(*value));
                }
            }
        }
        metadata.insert("total_epochs".to_owned(), Value::from(self.total));
        for (name, value) in best.iter().flat_map(|best| &best.values) {
            if !names::is_bookkeeping(name) && !metadata.contains_key(name) {
                metadata.insert(name.clone(), Value::from(*value));
            }
        }
        metadata
    }
}

/// Returns the number as JSON, without a fraction where it has none.
fn number(epoch: f64) -> Value {
    if epoch.fract() == 0.0 { Value::from(epoch as u64) } else { Value::from(epoch) }
}

/// Finds out which of the JSON shapes the document has. A wrapped history (`{"history": …}`) is unwrapped once.
fn from_document(file: &str, document: &Value) -> Result<History, HistoryError> {
    const WRAPPERS: [&str; 3] = ["history", "training_history", "epochs"];
    match document {
        Value::Object(object) => {
            if let Some(Value::Array(log)) = object.get("log_history") {
                return from_list(file, log, true);
            }
            for wrapper in WRAPPERS {
                match object.get(wrapper) {
                    Some(Value::Object(inner)) => {
                        return assemble(file, columns::read(file, inner)?, Numbering::Ordinal);
                    }
                    // A list of numbers under `epochs` is a column like the others.
                    Some(Value::Array(list)) if list.iter().any(Value::is_object) => {
                        return from_list(file, list, false);
                    }
                    _ => {}
                }
            }
            assemble(file, columns::read(file, object)?, Numbering::Ordinal)
        }
        Value::Array(list) => from_list(file, list, false),
        Value::String(_) => Err(HistoryError::shape(file, "a string")),
        Value::Number(_) => Err(HistoryError::shape(file, "a number")),
        Value::Bool(_) => Err(HistoryError::shape(file, "a boolean")),
        Value::Null => Err(HistoryError::shape(file, "`null`")),
    }
}

fn from_list(file: &str, list: &[Value], is_log: bool) -> Result<History, HistoryError> {
    let rows = entries::read(file, list)?;
    if is_log || log_history::is_log(&rows) {
        assemble(file, log_history::fold(file, rows)?, Numbering::Progress)
    } else {
        assemble(file, rows, Numbering::Ordinal)
    }
}

/// Gives rows their canonical names and epoch numbers, and merges those of one epoch.
fn assemble(file: &str, rows: Vec<Row>, numbering: Numbering) -> Result<History, HistoryError> {
    let names = Names::of(rows.iter().flat_map(|row| &row.values).map(|(name, _)| &**name));
    if names.is_empty() {
        return Err(HistoryError::shape(file, "no measured values"));
    }
    let numbered = rows.iter().any(|row| row.epoch.is_some());
    if !numbered && !names.has_split() {
        return Err(HistoryError::shape(file, "neither epoch numbers nor training or validation values"));
    }
    // Numbers that are not negative have the order of their bits.
    let mut epochs: BTreeMap<u64, Epoch> = BTreeMap::new();
    for (index, row) in rows.into_iter().enumerate() {
        let Some(number) = (if numbered { row.epoch } else { Some((index + 1) as f64) }) else { continue };
        if !(0.0..=MAX_EPOCH).contains(&number) {
            return Err(HistoryError::EpochNumber { file: file.to_owned(), number });
        }
        // Taking the absolute turns the -0 that some writers produce into 0.
        let number = number.abs();
        let epoch = epochs.entry(number.to_bits()).or_insert(Epoch { epoch: number, values: BTreeMap::new() });
        let named = row.values.into_iter().filter_map(|(name, value)| Some((names.get(&name)?.to_owned(), value)));
        epoch.values.extend(named);
    }
    let epochs: Vec<Epoch> = epochs.into_values().collect();
    let total = total(&epochs, numbering);
    Ok(History { epochs, total })
}

fn total(epochs: &[Epoch], numbering: Numbering) -> u64 {
    let first = epochs.first().map_or(0.0, |epoch| epoch.epoch);
    let last = epochs.last().map_or(0.0, |epoch| epoch.epoch);
    let from_zero = numbering == Numbering::Ordinal && first == 0.0 && epochs.iter().all(|e| e.epoch.fract() == 0.0);
    last.ceil() as u64 + u64::from(from_zero)
}
