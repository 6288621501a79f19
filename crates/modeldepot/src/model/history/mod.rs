//! Training histories: files that a training script leaves beside the model, parsed into epochs and a summary.
//!
//! These files follow no standard, only conventions. The supported ones:
//!
//! | shape | who writes it | read by |
//! |---|---|---|
//! | `{"loss": […], "val_accuracy": […]}`, also under `history`; `{"validation_0": {"auc": […]}}` | Keras, hand-written loops, scikit-learn's curves, XGBoost, LightGBM, CatBoost | `columns` |
//! | `[{"epoch": 1, "train_loss": …}, …]`, also under `epochs` or `history`, and as JSON Lines | hand-written loops, pandas, DETR, Detectron2, MMEngine, Weights & Biases | `entries` |
//! | `{"log_history": […]}` or that list alone | Hugging Face `trainer_state.json` | `log_history` |
//! | `{"columns": […], "data": […]}`, `{"0": {…}}` | pandas' `to_json` | `frame` |
//! | `{"meta": …, "iterations": […]}` | CatBoost's `catboost_training.json` | `catboost` |
//! | `[[moment, step, value], …]`, `Wall time,Step,Value` | TensorBoard's downloads | `tensorboard` |
//! | CSV with a header, by commas, semicolons, tabs or blanks | Lightning, Keras, fastai, YOLO, timm, CatBoost, pandas, spreadsheets | `table` |
//!
//! All of them become rows of named numbers, to which one set of rules applies:
//!
//! - **Names** become `train_…`, `val_…` or `test_…`: see `names`.
//! - **Epoch numbers** are the file's own if it has any, whatever they start from: the CSV files of Keras and Lightning
//!   count from 0, and stay that way. A file that numbers iterations but not epochs is a history of iterations. A file
//!   without numbers is counted from 1. If the file numbers its epochs, rows without a number are left out.
//! - **Rows with the same number** are one epoch; a later value replaces an earlier one.
//! - **Restarts**: where numbers go back to an epoch and measure it again, earlier values from that epoch on are
//!   dropped.
//! - **Values** are kept as written: an accuracy in percent stays in percent.
//! - **Missing** values (`null`, an empty cell, `NaN`, `Infinity`) are absent; text and booleans are ignored.
//! - **The best epoch** is the one with the best value of the most significant metric: see `score`.

mod assemble;
mod bookkeeping;
mod catboost;
mod columns;
mod document;
mod entries;
mod error;
mod frame;
mod json;
mod log_history;
mod names;
mod score;
mod table;
mod tensorboard;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::units;

use self::assemble::assemble;
use self::bookkeeping::is_bookkeeping;
pub use self::error::HistoryError;
pub use self::score::Better;
pub use super::history_file::history_file;

/// The largest file that is read as a history, in bytes. Real ones are a few kilobytes.
pub const MAX_BYTES: usize = 64 << 20;

/// The maximum number of values in a history. Real ones have thousands; each takes far more memory than its text.
pub const MAX_VALUES: usize = 500_000;

/// The largest plausible epoch number; anything larger is something else, such as a timestamp.
const MAX_EPOCH: f64 = 1e9;

/// One epoch's measured values.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Epoch {
    /// The epoch's number: the file's own, or else counted from 1. Fractional for log entries within an epoch.
    pub epoch: f64,
    /// The finite values by canonical name: `train_loss`, `val_accuracy`, … and all other numbers of the file.
    pub values: BTreeMap<String, f64>,
}

/// A training history: its epochs in ascending order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    epochs: Vec<Epoch>,
    #[serde(rename = "total_epochs")]
    total: u64,
    #[serde(skip)]
    unit: Unit,
    /// What the file itself says about its metrics.
    #[serde(skip)]
    better: BTreeMap<String, Better>,
    /// Columns without any finite value, as the file spells them.
    #[serde(skip)]
    void: Vec<String>,
    #[serde(skip)]
    notes: Vec<String>,
}

/// What the numbers of a history count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Passes over the training data.
    Epoch,
    /// Steps of the optimizer, or rounds of boosting.
    Iteration,
}

impl Unit {
    /// Returns the singular noun.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Epoch => "epoch",
            Unit::Iteration => "iteration",
        }
    }
}

/// The best epoch of a history, and why it was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Best<'h> {
    /// The epoch.
    pub epoch: &'h Epoch,
    /// The metric by which it was chosen.
    pub metric: &'h str,
    /// Which values of the metric are better.
    pub better: Better,
    /// The metric's value.
    pub value: f64,
    /// How many later epochs have the same value.
    pub ties: usize,
}

/// One row, the common form of all shapes. Names are as the file spells them.
#[derive(Default)]
struct Row {
    epoch: Option<f64>,
    values: Vec<(Rc<str>, f64)>,
}

/// The meaning of a file's epoch numbers, which decides how many epochs the last one stands for.
#[derive(Clone, Copy, Default, PartialEq)]
enum Numbering {
    /// They name epochs: if the first is 0, the last is one less than the total.
    #[default]
    Ordinal,
    /// They count completed epochs, as in a Hugging Face log, where 0 is "before training".
    Progress,
}

/// The common form of all shapes.
#[derive(Default)]
struct Log {
    rows: Vec<Row>,
    numbering: Numbering,
    /// What the file says about its metrics, under its own names.
    better: BTreeMap<String, Better>,
    /// Names that have no finite value.
    void: BTreeSet<String>,
    /// Notes for the user.
    notes: Vec<String>,
}

impl Log {
    /// Removes names from `void` that have a value in some row.
    fn settle_void(&mut self) {
        for (name, _) in self.rows.iter().flat_map(|row| &row.values) {
            self.void.remove(&**name);
        }
    }
}

impl History {
    /// Parses a history. JSON and tables are told apart by content; `file_name` is used in errors, and for TensorBoard
    /// downloads, which have their metric only there.
    pub fn parse(file_name: &str, bytes: &[u8]) -> Result<History, HistoryError> {
        if bytes.len() > MAX_BYTES {
            return Err(HistoryError::TooLarge { file: file_name.to_owned(), bytes: bytes.len() });
        }
        let text = text::decode(file_name, bytes)?;
        let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let begins_as_json = text.trim_ascii_start().first().is_some_and(|byte| matches!(byte, b'{' | b'['));
        if begins_as_json || matches!(extension.as_deref(), Some("json" | "jsonl" | "ndjson")) {
            let (documents, notes) = json::read(file_name, &text)?;
            return document::read(file_name, documents, notes);
        }
        assemble(file_name, table::read(file_name, &text)?)
    }

    /// Returns the epochs, in ascending order of their numbers. There is at least one.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Returns how many epochs the training ran for, by the number of the last one.
    ///
    /// That is not always the number of [`epochs`](Self::epochs): a log may hold several evaluations of one epoch, or
    /// only every fifth epoch. A planned number that was not reached does not count.
    pub fn total_epochs(&self) -> u64 {
        self.total
    }

    /// Returns what the numbers count.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Returns the best epoch: the one with the highest `val_accuracy`; without that metric the lowest `val_loss`;
    /// without that the best value of the next known metric. Among equals, the first.
    ///
    /// Returns `None` when the history has no known metric.
    pub fn best(&self) -> Option<&Epoch> {
        self.best_by().map(|best| best.epoch)
    }

    /// Returns the best epoch, with the metric by which it was chosen.
    pub fn best_by(&self) -> Option<Best<'_>> {
        // How often each metric was measured, its first value and whether the values vary.
        let mut measured: BTreeMap<&str, (usize, f64, bool)> = BTreeMap::new();
        for (name, value) in self.epochs.iter().flat_map(|epoch| &epoch.values) {
            let (count, first, varies) = measured.entry(name).or_insert((0, *value, false));
            *count += 1;
            *varies |= first != value;
        }
        let judged = measured.into_iter().filter_map(|(name, (count, _, varies))| {
            let (rank, better) = score::judge(name, self.better.get(name).copied())?;
            let once = score::is_of_test(rank) && count == 1 && self.epochs.len() > 1;
            let tells = varies || score::is_documented(name);
            (!once).then_some(((!tells, rank, name.len(), name), better))
        });
        let ((_, _, _, metric), better) = judged.min_by_key(|(rank, _)| *rank)?;
        let mut values = self.epochs.iter().filter_map(|epoch| Some((epoch, *epoch.values.get(metric)?)));
        let (mut epoch, mut value) = values.next()?;
        let mut ties = 0;
        for (next, found) in values {
            if better.is(found, value) {
                (epoch, value, ties) = (next, found, 0);
            } else if found == value {
                ties += 1;
            }
        }
        Some(Best { epoch, metric, better, value, ties })
    }

    /// Returns the summary for a manifest's metadata: `best_epoch`; at that epoch `train_accuracy`, `val_accuracy`,
    /// `train_loss` and `val_loss`; `total_epochs`; then the epoch's other metrics by name. If the best epoch was
    /// chosen by a metric other than these four, `best_metric` follows it. A history of iterations has `best_iteration`
    /// and `total_iterations`.
    ///
    /// Values that the history lacks are absent. Values that describe the run rather than the model (learning rate,
    /// steps, durations) are in [`epochs`](Self::epochs) but not here.
    pub fn metadata(&self) -> Map<String, Value> {
        let mut metadata = Map::new();
        let best = self.best_by();
        if let Some(best) = best {
            metadata.insert(format!("best_{}", self.unit.word()), number(best.epoch.epoch));
            if !score::is_documented(best.metric) {
                metadata.insert("best_metric".to_owned(), Value::from(best.metric));
            }
            for name in score::FOUR {
                if let Some(value) = best.epoch.values.get(name) {
                    metadata.insert(name.to_owned(), Value::from(*value));
                }
            }
        }
        metadata.insert(format!("total_{}s", self.unit.word()), Value::from(self.total));
        for (name, value) in best.iter().flat_map(|best| &best.epoch.values) {
            if !is_bookkeeping(name) && !metadata.contains_key(name) {
                metadata.insert(name.clone(), Value::from(*value));
            }
        }
        metadata
    }

    /// Returns notes for the publisher, as sentences: which epoch is the best and by which metric, or why there is
    /// none, and what was left out.
    pub fn notes(&self) -> Vec<String> {
        let word = self.unit.word();
        let first = match self.best_by() {
            Some(Best { epoch, metric, better, value, ties }) => {
                let most = match better {
                    Better::Higher => "highest",
                    Better::Lower => "lowest",
                };
                let ties = if ties > 0 { format!(", the first of {}", ties + 1) } else { String::new() };
                format!("best {word} {} by {metric} {} ({most}{ties})", epoch.epoch, units::number(value))
            }
            None => {
                let known: BTreeSet<&str> =
                    self.epochs.iter().flat_map(|epoch| epoch.values.keys().map(String::as_str)).collect();
                let mut found: Vec<String> = known.iter().take(6).map(|name| format!("`{name}`")).collect();
                if known.len() > found.len() {
                    found.push("others".to_owned());
                }
                let found = if found.is_empty() { "no values".to_owned() } else { found.join(", ") };
                format!(
                    "only `total_{word}s` goes into the metadata: nothing says which {word} is the best; found {found}, \
                     expected an accuracy, a score or a loss such as `val_accuracy` or `val_loss`"
                )
            }
        };
        let mut notes = vec![first];
        if !self.void.is_empty() {
            let names: Vec<String> = self.void.iter().take(6).map(|name| format!("`{name}`")).collect();
            let more = if self.void.len() > names.len() { " and others" } else { "" };
            notes.push(format!("{}{more} without any finite value", names.join(", ")));
        }
        notes.extend(self.notes.iter().cloned());
        notes
    }
}

/// Returns the number as JSON, as an integer if it has no fraction.
fn number(epoch: f64) -> Value {
    if epoch.fract() == 0.0 { Value::from(epoch as u64) } else { Value::from(epoch) }
}
