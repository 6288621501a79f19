//! One spelling for each metric: `acc`, `train/acc`, `trainAcc` and `accuracy_train` are all `train_accuracy`.
//!
//! - `train`, `training` → `train_`; `val`, `valid`, `validation`, `eval`, `dev` → `val_`; `test`, `testing` → `test_`,
//!   wherever the file puts them: first or last, with any separator.
//! - `acc`, plurals and Keras' `binary_accuracy` and the like → `accuracy`; `losses` → `loss`; `lr` → `learning_rate`.
//! - A bare name is a training value, as in Keras, when it is `loss` or `accuracy` or when the file has the same metric
//!   for validation; unless the file says `train_` of anything, since then it would have said so here.
//! - Lightning's `train_loss_epoch` is `train_loss`; its `train_loss_step` gives way to that.
//! - When two names of one file come to the same, the plainer one has it and the other keeps its own.

use std::collections::{BTreeMap, BTreeSet};

/// A name longer than this, in bytes, is no metric's; it is repeated for every epoch.
const MAX_NAME: usize = 200;

/// The canonical names for the names of one file.
pub(super) struct Names(BTreeMap<String, String>);

/// One name, taken apart.
struct Name<'a> {
    raw: &'a str,
    split: Option<&'static str>,
    metric: String,
    /// A value of Lightning's `on_step`, logged at one step and not for the epoch.
    is_step: bool,
}

impl Names {
    pub(super) fn of<'a>(raw: impl Iterator<Item = &'a str>) -> Names {
        let mut seen = BTreeSet::new();
        let mut names: Vec<Name<'a>> =
            raw.filter(|raw| raw.len() <= MAX_NAME && seen.insert(*raw)).filter_map(Name::of).collect();

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

    /// Returns the canonical name, or `None` for a value that gives way to another.
    pub(super) fn get(&self, raw: &str) -> Option<&str> {
        self.0.get(raw).map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether anything is said to be of training or validation.
    pub(super) fn has_split(&self) -> bool {
        self.0.values().any(|name| is_of_an_epoch(name))
    }

    /// Returns whether the name is one of training or validation, which are measured once an epoch.
    pub(super) fn is_measured(&self, raw: &str) -> bool {
        self.get(raw).is_some_and(is_of_an_epoch)
    }
}

impl<'a> Name<'a> {
    fn of(raw: &'a str) -> Option<Name<'a>> {
        let mut words: Vec<String> = Vec::new();
        for word in raw.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            match word.find(char::is_uppercase) {
                // `trainLoss`, but not `mAP`: only a split is worth cutting off.
                Some(hump) if split(&word[..hump]).is_some() => {
                    words.extend([word[..hump].to_lowercase(), word[hump..].to_lowercase()]);
                }
                _ => words.push(word.to_lowercase()),
            }
        }
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
        let mut is_step = false;
        if words.len() > 1 && matches!(words[words.len() - 1].as_str(), "epoch" | "step") {
            let rest = words[..words.len() - 1].join("_");
            if found.is_some() || matches!(alias(&rest), "loss" | "accuracy") {
                is_step = words.pop().is_some_and(|word| word == "step");
            }
        }
        let metric = words.join("_");
        (!metric.is_empty()).then_some(Name { raw, split: found, metric, is_step })
    }

    fn alias(&self) -> &str {
        alias(&self.metric)
    }
}

/// Returns whether the file's name for a value is the one for the epoch's number.
pub(super) fn is_epoch(raw: &str) -> bool {
    let raw = raw.trim();
    raw.eq_ignore_ascii_case("epoch") || raw.eq_ignore_ascii_case("epochs")
}

/// Returns the name of a value in a nested object, when one of the two says which data it was measured on.
pub(super) fn nested(outer: &str, inner: &str) -> Option<String> {
    let is_metric = outer.len() + inner.len() < MAX_NAME && (split(outer).is_some() || split(inner).is_some());
    is_metric.then(|| format!("{outer}_{inner}"))
}

/// Returns whether the value says something of the run rather than of the model.
pub(super) fn is_bookkeeping(name: &str) -> bool {
    const NAMES: [&str; 7] =
        ["step", "global_step", "learning_rate", "grad_norm", "samples", "num_tokens", "num_input_tokens_seen"];
    const ENDS: [&str; 5] = ["time", "seconds", "duration", "per_second", "per_sec"];
    let metric = ["train_", "val_", "test_"].iter().find_map(|split| name.strip_prefix(split)).unwrap_or(name);
    NAMES.contains(&metric) || metric.starts_with("lr_") || ENDS.iter().any(|end| metric.ends_with(end))
}

fn is_of_an_epoch(canonical: &str) -> bool {
    canonical.starts_with("train_") || canonical.starts_with("val_")
}

fn split(word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 9] = [
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
        "losses" => "loss",
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
