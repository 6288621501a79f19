//! Which metadata fields are metrics, and which metric matters most.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Fact, Facts};

/// The most informative metrics, in descending order.
const KEY: [&str; 14] = [
    "val_accuracy",
    "test_accuracy",
    "val_f1",
    "val_map",
    "val_auc",
    "val_iou",
    "accuracy",
    "f1",
    "auc",
    "val_perplexity",
    "val_loss",
    "test_loss",
    "train_accuracy",
    "loss",
];

/// Words in the names of measured values.
const MEASURED: [&str; 23] = [
    "accuracy",
    "acc",
    "loss",
    "f1",
    "auc",
    "map",
    "map50",
    "iou",
    "dice",
    "precision",
    "recall",
    "error",
    "score",
    "perplexity",
    "bleu",
    "rouge",
    "mae",
    "mse",
    "rmse",
    "wer",
    "cer",
    "r2",
    "psnr",
];

/// Words in the names of values where lower is better.
const LOWER: [&str; 8] = ["loss", "error", "perplexity", "mae", "mse", "rmse", "wer", "cer"];

/// Returns a version's numbers by name: metrics and settings.
pub(super) fn numbers(facts: &Facts) -> BTreeMap<String, f64> {
    let number = |fact: &Fact| fact.number().filter(|number| number.is_finite());
    facts.iter().filter_map(|(name, fact)| Some((name.to_owned(), number(fact)?))).collect()
}

/// Returns true if a lower value is better.
fn lower_is_better(name: &str) -> bool {
    words(name).any(|word| LOWER.contains(&word.as_str()))
}

/// Returns true if `a` is better than `b`.
pub(super) fn is_better(name: &str, a: f64, b: f64) -> bool {
    if lower_is_better(name) { a < b } else { a > b }
}

/// Returns the best value of a metric, the first among equals; `None` if the name is not that of a metric.
pub(super) fn best<T: Copy>(name: &str, values: impl Iterator<Item = (T, f64)>) -> Option<(T, f64)> {
    values.filter(|_| is_measured(name)).reduce(|best, next| if is_better(name, next.1, best.1) { next } else { best })
}

/// Returns true if the name is that of a measured value.
pub(super) fn is_measured(name: &str) -> bool {
    let mut words = words(name).peekable();
    let split = words.peek().is_some_and(|word| matches!(word.as_str(), "val" | "test" | "train"));
    split || words.any(|word| MEASURED.contains(&word.as_str()))
}

/// Returns the names in order of importance: key metrics, other measured values, then the rest by name.
pub(super) fn ranked<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let place = |name: &str| {
        let key = KEY.iter().position(|known| *known == name);
        let split = if name.starts_with("val_") { 0 } else { 1 + usize::from(!name.starts_with("test_")) };
        (key.unwrap_or(KEY.len()), !is_measured(name), split)
    };
    let unique: BTreeSet<&String> = names.collect();
    let mut names: Vec<String> = unique.into_iter().cloned().collect();
    names.sort_by_cached_key(|name| (place(name), name.clone()));
    names
}

/// Returns the most important metric, if any of the names is one.
pub(super) fn key<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    ranked(names).into_iter().next().filter(|name| is_measured(name))
}

fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_metric_is_the_one_that_says_most() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = names(&["num_classes", "best_epoch", "train_loss", "val_loss", "val_accuracy", "batch_size"]);
        assert_eq!(key(found.iter()).as_deref(), Some("val_accuracy"));
        let order = ["val_accuracy", "val_loss", "train_loss", "batch_size", "best_epoch", "num_classes"];
        assert_eq!(ranked(found.iter()), order);
        assert_eq!(key(names(&["num_classes", "seed"]).iter()), None);
        assert_eq!(key(names(&["metrics.map50"]).iter()).as_deref(), Some("metrics.map50"));
    }

    #[test]
    fn losses_are_better_when_they_are_lower() {
        assert!(lower_is_better("val_loss") && lower_is_better("metrics.rmse") && !lower_is_better("val_accuracy"));
    }
}
