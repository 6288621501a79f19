//! From rows to epochs: canonical names, numbers and restarts.

use std::collections::BTreeMap;

use super::bookkeeping::is_bookkeeping;
use super::names::{self, Names};
use super::{Epoch, History, HistoryError, Log, MAX_EPOCH, Numbering, Row, Unit, score};

/// Gives rows their canonical names and epoch numbers, and merges those of one epoch.
pub(super) fn assemble(file: &str, log: Log) -> Result<History, HistoryError> {
    let Log { mut rows, numbering, better, mut void, mut notes } = log;
    void.retain(|name| name.len() <= names::MAX_NAME);
    let names = Names::of(rows.iter().flat_map(|row| &row.values).map(|(name, _)| &**name));
    let nothing = |found: &str| {
        // Distinguishes a diverged training from a file that is not a history.
        let missing: Vec<String> = void.iter().take(4).map(|name| format!("`{name}`")).collect();
        let more = if void.len() > missing.len() { " and others" } else { "" };
        if missing.is_empty() {
            return HistoryError::shape(file, found);
        }
        let missing = missing.join(", ");
        HistoryError::shape(file, format!("nothing but NaN, infinity and gaps in {missing}{more}"))
    };
    if names.is_empty() {
        return Err(nothing("no measured values"));
    }
    let mut unit = Unit::Epoch;
    if rows.iter().all(|row| row.epoch.is_none()) && count_by_iteration(&mut rows) {
        unit = Unit::Iteration;
    }
    let numbered = rows.iter().any(|row| row.epoch.is_some());
    let known = || names.all().any(|name| score::judge(name, None).is_some());
    if !numbered && !names.has_split() && !known() {
        return Err(nothing("neither epoch numbers nor training or validation values"));
    }

    // The bit patterns of non-negative numbers are ordered like the numbers.
    let mut epochs: BTreeMap<u64, Epoch> = BTreeMap::new();
    let mut before = 0.0;
    let mut restart = None;
    for (index, row) in rows.into_iter().enumerate() {
        let Some(number) = (if numbered { row.epoch } else { Some((index + 1) as f64) }) else { continue };
        if !(0.0..=MAX_EPOCH).contains(&number) {
            return Err(HistoryError::EpochNumber { file: file.to_owned(), number });
        }
        // `abs` turns the -0 that some writers produce into 0.
        let number = number.abs();
        let named = |name: &str| names.get(name).filter(|name| !is_bookkeeping(name));
        if number < before
            && let Some(known) = epochs.get(&number.to_bits())
            && row.values.iter().any(|(name, _)| named(name).is_some_and(|name| known.values.contains_key(name)))
        {
            // The model of these earlier values was discarded by the restart.
            epochs.split_off(&number.to_bits());
            restart = Some(number);
        }
        before = number;
        let epoch = epochs.entry(number.to_bits()).or_insert(Epoch { epoch: number, values: BTreeMap::new() });
        let named = row.values.into_iter().filter_map(|(name, value)| Some((names.get(&name)?.to_owned(), value)));
        epoch.values.extend(named);
    }
    if let Some(number) = restart {
        let word = unit.word();
        notes.push(format!(
            "a restart repeats {word}s from {number} on; what was logged for them before does not count"
        ));
    }
    let epochs: Vec<Epoch> = epochs.into_values().collect();
    let total = total(&epochs, numbering);
    let better = better.into_iter().filter_map(|(name, better)| Some((names.get(&name)?.to_owned(), better))).collect();
    let void = void.into_iter().collect();
    Ok(History { epochs, total, unit, better, void, notes })
}

/// Numbers rows by the counter that most of them have, and returns whether there is one.
fn count_by_iteration(rows: &mut [Row]) -> bool {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in rows.iter().flat_map(|row| &row.values).filter(|(name, _)| names::is_counter(name)) {
        *found.entry(name).or_default() += 1;
    }
    let most = found.into_iter().max_by_key(|(name, count)| (*count, std::cmp::Reverse(*name)));
    let Some(counter) = most.map(|(name, _)| name.to_owned()) else { return false };
    for row in rows {
        let number = row.values.iter().find(|(name, _)| **name == counter).map(|(_, number)| *number);
        row.epoch = number;
    }
    true
}

fn total(epochs: &[Epoch], numbering: Numbering) -> u64 {
    let first = epochs.first().map_or(0.0, |epoch| epoch.epoch);
    let last = epochs.last().map_or(0.0, |epoch| epoch.epoch);
    let from_zero = numbering == Numbering::Ordinal && first == 0.0 && epochs.iter().all(|e| e.epoch.fract() == 0.0);
    last.ceil() as u64 + u64::from(from_zero)
}
