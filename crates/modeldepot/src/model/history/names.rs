//! One spelling for each metric: `acc`, `train/acc`, `trainAcc` and `accuracy_train` all become `train_accuracy`.
//!
//! - `train`, `training` → `train_`; `val`, `valid`, `validation`, `eval`, `dev` → `val_`; `test`, `testing` → `test_`,
//!   at either end of a name and with any separator.
//! - `acc`, plurals and Keras' `binary_accuracy` and the like → `accuracy`; `losses` → `loss`; `lr` → `learning_rate`.
//! - A name without a prefix is a training value, as in Keras, if it is `loss` or `accuracy`, or if the file has the
//!   same metric for validation; but not if the file uses `train_` anywhere, since then it would do so here too.
//! - Lightning's `train_loss_epoch` is `train_loss`, and takes precedence over its `train_loss_step`.
//! - Gradient boosting numbers its data sets: the last `validation_N` or `valid_N` of a file is its validation, as in
//!   XGBoost's early stopping, and the others keep their names. `learn` is training, as in CatBoost.
//! - `top1`, `acc1` and `accuracy_top1` are `accuracy`; `loss_curve_` is `loss`; `epoch_loss` is `loss`.
//! - Weights & Biases puts a run before the metric (`run-1 - val_loss`), and spreads after it (`val_loss__MIN`), which
//!   are left out.
//! - When two names of one file map to the same, the plainer one gets it and the other keeps its own.

use super::bookkeeping::is_bookkeeping;
use std::collections::{BTreeMap, BTreeSet};

/// A longer name, in bytes, is not a metric's; names are repeated for every epoch.
pub(super) const MAX_NAME: usize = 200;

/// The canonical names for the names of one file.
pub(super) struct Names(BTreeMap<String, String>);

/// One name, split into its components.
struct Name<'a> {
    raw: &'a str,
    split: Option<&'static str>,
    metric: String,
    /// Which of several validation data sets it was measured on: `1` of `validation_1-auc`.
    set: Option<u32>,
    /// A value of Lightning's `on_step`, logged at one step and not for the epoch.
    is_step: bool,
}

impl Names {
    pub(super) fn of<'a>(raw: impl Iterator<Item = &'a str>) -> Names {
        let mut seen = BTreeSet::new();
        let mut names: Vec<Name<'a>> =
            raw.filter(|raw| raw.len() <= MAX_NAME && seen.insert(*raw)).filter_map(Name::of).collect();

        let last = names.iter().filter_map(|name| name.set).max();
        for name in names.iter_mut().filter(|name| name.set.is_some_and(|set| Some(set) != last)) {
            name.split = None;
            name.metric = words(name.raw).join("_");
        }
        // scikit-learn's gradient boosting uses this name for the loss, and for a score only if there is also a
        // validation score.
        let scored = names.iter().any(|name| name.raw == "validation_score_");
        for name in names.iter_mut().filter(|name| matches!(name.raw, "train_score_" | "oob_scores_") && !scored) {
            name.metric = "loss".to_owned();
        }

        let says_train = names.iter().any(|name| name.split == Some("train") && !is_bookkeeping(&name.metric));
        if !says_train {
            let validated: BTreeSet<String> =
                names.iter().filter(|name| name.split == Some("val")).map(|name| name.alias().to_owned()).collect();
            for name in names.iter_mut().filter(|name| name.split.is_none()) {
                if matches!(name.alias(), "loss" | "accuracy") || validated.contains(name.alias()) {
                    name.split = Some("train");
                }
            }
        }

        names.sort_by_key(|name| (name.is_step, name.alias() != name.metric));
        let mut taken = BTreeSet::new();
        let mut canonical = BTreeMap::new();
        for name in names {
            let preferred = join(name.split, name.alias());
            let own = if name.is_step { preferred.clone() } else { join(name.split, &name.metric) };
            if let Some(free) = [preferred, own].into_iter().find(|candidate| !taken.contains(candidate)) {
                taken.insert(free.clone());
                canonical.insert(name.raw.to_owned(), free);
            }
        }
        Names(canonical)
    }

    /// Returns the canonical name, or `None` for a value that another one overrides.
    pub(super) fn get(&self, raw: &str) -> Option<&str> {
        self.0.get(raw).map(String::as_str)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether any value is labelled as training or validation.
    pub(super) fn has_split(&self) -> bool {
        self.0.values().any(|name| is_of_an_epoch(name))
    }

    /// Returns whether the name is labelled as training or validation, which are measured once an epoch.
    pub(super) fn is_measured(&self, raw: &str) -> bool {
        self.get(raw).is_some_and(is_of_an_epoch)
    }
}

impl<'a> Name<'a> {
    fn of(raw: &'a str) -> Option<Name<'a>> {
        if raw.ends_with("__MIN") || raw.ends_with("__MAX") {
            return None;
        }
        let mut words = words(raw);
        let mut found = None;
        if words.len() > 1 {
            if let Some(first) = split(&words[0]) {
                found = Some(first);
                words.remove(0);
            } else if let Some(last) = words.last().and_then(|word| split(word)) {
                found = Some(last);
                words.pop();
            }
        }
        let mut set = None;
        if found == Some("val") && words.len() > 1 && words[0].len() < 4 {
            set = words[0].parse().ok();
            if set.is_some() {
                words.remove(0);
            }
        }
        // `loss_curve_`, `val_loss_history`.
        if words.len() > 1
            && matches!(words[words.len() - 1].as_str(), "curve" | "history" | "hist" | "list" | "values")
        {
            words.pop();
        }
        // Keras' `epoch_loss` for TensorBoard.
        if words.len() > 1
            && words[0] == "epoch"
            && (found.is_some() || matches!(alias(&words[1..].join("_")), "loss" | "accuracy"))
        {
            words.remove(0);
        }
        let mut is_step = false;
        if words.len() > 1 && matches!(words[words.len() - 1].as_str(), "epoch" | "step") {
            let rest = words[..words.len() - 1].join("_");
            if found.is_some() || matches!(alias(&rest), "loss" | "accuracy") {
                is_step = words.pop().is_some_and(|word| word == "step");
            }
        }
        let metric = words.join("_");
        (!metric.is_empty()).then_some(Name { raw, split: found, metric, set, is_step })
    }

    fn alias(&self) -> &str {
        alias(&self.metric)
    }
}

/// Returns the words of a name in lower case, without a preceding run name.
fn words(raw: &str) -> Vec<String> {
    let metric = raw.rsplit_once(" - ").map_or(raw, |(_, metric)| metric);
    let mut words: Vec<String> = Vec::new();
    for word in metric.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        match word.find(char::is_uppercase) {
            // `trainLoss`, but not `mAP`: only a data set's name is split off.
            Some(hump) if split(&word[..hump]).is_some() => {
                words.extend([word[..hump].to_lowercase(), word[hump..].to_lowercase()]);
            }
            _ => words.push(word.to_lowercase()),
        }
    }
    words
}

/// Returns the data set that a name starts with.
pub(super) fn first_split(name: &str) -> Option<&'static str> {
    split(name.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty())?)
}

/// Returns whether a column says which data set the others of its row were measured on.
pub(super) fn is_split_column(name: &str) -> bool {
    ["split", "phase", "mode", "stage", "subset", "dataset"].iter().any(|known| name.trim().eq_ignore_ascii_case(known))
}

/// Prefixes a name with the data set of its row, if that is known and the name has none of its own.
pub(super) fn joined(data: &str, name: &str) -> String {
    let says =
        data.len() < MAX_NAME && split(data.trim()).is_some() && first_split(name).is_none() && !is_bookkeeping(name);
    if says { format!("{}_{name}", data.trim()) } else { name.to_owned() }
}

/// Returns whether a column is the index of a table: pandas leaves its name empty, and reads that back as `Unnamed: 0`.
pub(super) fn is_index(name: &str) -> bool {
    name.is_empty() || name.eq_ignore_ascii_case("index") || name.starts_with("Unnamed: ")
}

/// Returns whether the file uses this name for iteration numbers.
pub(super) fn is_counter(raw: &str) -> bool {
    const NAMES: [&str; 10] = [
        "iteration",
        "iterations",
        "iter",
        "iters",
        "step",
        "steps",
        "global_step",
        "round",
        "boosting_round",
        "num_iteration",
    ];
    if raw.len() > MAX_NAME {
        return false;
    }
    let raw = raw.trim().trim_matches('_').to_ascii_lowercase();
    NAMES.contains(&raw.replace([' ', '-'], "_").as_str())
}

/// Returns whether the file uses this name for epoch numbers.
pub(super) fn is_epoch(raw: &str) -> bool {
    let raw = raw.trim();
    raw.eq_ignore_ascii_case("epoch") || raw.eq_ignore_ascii_case("epochs")
}

/// Returns the name of a value in a nested object, if one of the two names the data set or the inner one is a known
/// metric.
pub(super) fn nested(outer: &str, inner: &str) -> Option<String> {
    let says = || split(inner).is_some() || first_split(outer).is_some() || super::score::is_known(inner);
    let is_metric = outer.len() + inner.len() < MAX_NAME && says();
    is_metric.then(|| format!("{outer}_{inner}"))
}

fn is_of_an_epoch(canonical: &str) -> bool {
    canonical.starts_with("train_") || canonical.starts_with("val_")
}

fn split(word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 15] = [
        ("learn", "train"),
        ("dtrain", "train"),
        ("dval", "val"),
        ("dvalid", "val"),
        ("deval", "val"),
        ("dtest", "test"),
        ("train", "train"),
        ("training", "train"),
        ("val", "val"),
        ("valid", "val"),
        ("validation", "val"),
        ("eval", "val"),
        ("dev", "val"),
        ("test", "test"),
        ("testing", "test"),
    ];
    WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, split)| *split)
}

fn alias(metric: &str) -> &str {
    match metric {
        "acc" | "accs" | "accuracies" => "accuracy",
        "binary_accuracy" | "categorical_accuracy" | "sparse_categorical_accuracy" => "accuracy",
        "top1" | "top_1" | "acc1" | "acc_1" | "accuracy_top1" | "top1_accuracy" | "top_1_accuracy" => "accuracy",
        "losses" | "total_loss" => "loss",
        "scores" => "score",
        "lr" | "lrs" | "learning_rates" => "learning_rate",
        other => other,
    }
}

fn join(split: Option<&str>, metric: &str) -> String {
    split.map_or_else(|| metric.to_owned(), |split| format!("{split}_{metric}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(raw: &[&str]) -> Vec<String> {
        let names = Names::of(raw.iter().copied());
        raw.iter().map(|raw| names.get(raw).unwrap_or("-").to_owned()).collect()
    }

    #[test]
    fn splits_are_found_in_any_spelling() {
        for raw in ["train_acc", "train/acc", "Train Accuracy", "trainAcc", "acc_train", "training-accuracies"] {
            assert_eq!(canonical(&[raw]), ["train_accuracy"], "{raw}");
        }
        for raw in ["val_loss", "eval_loss", "validation_losses", "valid.loss", "devLoss", "loss (val)"] {
            assert_eq!(canonical(&[raw]), ["val_loss"], "{raw}");
        }
        assert_eq!(
            canonical(&["metrics/mAP50(B)", "valuation", "train", ""]),
            ["metrics_map50_b", "valuation", "train", "-"]
        );
    }

    #[test]
    fn bare_names_are_of_training_unless_the_file_says_train() {
        assert_eq!(
            canonical(&["loss", "acc", "auc", "val_auc", "lr", "f1"]),
            ["train_loss", "train_accuracy", "train_auc", "val_auc", "learning_rate", "f1"]
        );
        assert_eq!(canonical(&["train_loss", "accuracy"]), ["train_loss", "accuracy"]);
        assert_eq!(canonical(&["train_time", "loss"]), ["train_time", "train_loss"]);
    }

    #[test]
    fn the_plainer_of_two_names_has_the_canonical_one() {
        assert_eq!(
            canonical(&["val_binary_accuracy", "val_accuracy", "val_acc"]),
            ["val_binary_accuracy", "val_accuracy", "val_acc"]
        );
        assert_eq!(canonical(&["train_loss_step", "train_loss_epoch"]), ["-", "train_loss"]);
        assert_eq!(canonical(&["train_loss_step", "secs_per_epoch"]), ["train_loss", "secs_per_epoch"]);
    }
}
