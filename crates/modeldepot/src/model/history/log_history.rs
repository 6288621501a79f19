//! The log of a Hugging Face trainer: `log_history` of `trainer_state.json`.
//!
//! Training and evaluation write separate entries, each at its own interval and with fractional epochs:
//! `{"epoch": 0.8, "loss": …}`, `{"epoch": 1.0, "loss": …}`, `{"epoch": 1.0, "eval_loss": …}`. An evaluation closes an
//! epoch, which includes what training logged since the previous evaluation and has the number of the evaluation.
//! Entries after the last evaluation form an epoch that is still open. Without evaluations, each whole epoch is one.

use super::{HistoryError, Row};

/// Returns whether rows look like a trainer's log that is not labelled as one.
pub(super) fn is_log(rows: &[Row]) -> bool {
    rows.iter().any(|row| has(row, "step")) && rows.iter().any(|row| is_evaluation(row) || is_summary(row))
}

pub(super) fn fold(file: &str, rows: Vec<Row>) -> Result<Vec<Row>, HistoryError> {
    let evaluated = rows.iter().any(is_evaluation);
    let mut epochs: Vec<Row> = Vec::new();
    // Whether the last of `epochs` still includes entries with other numbers than its own.
    let mut open = false;
    for row in rows {
        if is_summary(&row) {
            continue;
        }
        let Some(number) = row.epoch else { continue };
        let closes = evaluated && is_evaluation(&row);
        match epochs.last_mut() {
            Some(last) if last.epoch == Some(number) || open && (evaluated || same_epoch(last, number)) => {
                last.epoch = Some(number);
                last.values.extend(row.values);
                open &= !closes;
            }
            _ => {
                epochs.push(row);
                open = !closes;
            }
        }
    }
    if epochs.is_empty() {
        return Err(HistoryError::shape(file, "a log without entries that have an `epoch`"));
    }
    Ok(epochs)
}

/// The last entry summarizes the whole run: its `train_loss` belongs to no epoch.
fn is_summary(row: &Row) -> bool {
    has(row, "train_runtime")
}

fn is_evaluation(row: &Row) -> bool {
    row.values.iter().any(|(name, _)| name.starts_with("eval_"))
}

fn has(row: &Row, name: &str) -> bool {
    row.values.iter().any(|(known, _)| &**known == name)
}

fn same_epoch(row: &Row, number: f64) -> bool {
    row.epoch.is_some_and(|epoch| epoch.ceil() == number.ceil())
}
