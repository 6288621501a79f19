//! Which metric decides about the best epoch, and whether higher or lower is better.
//!
//! The first of these that a history has is used:
//!
//! 1. `val_accuracy`, highest
//! 2. `val_loss`, lowest
//! 3. another validation score (`val_auc`, `val_f1`, `val_score`), highest
//! 4. a score without a data set (YOLO's `metrics/mAP50-95(B)`, Detectron2's `bbox/AP`), highest
//! 5. another validation error (`val_rmse`, `val_logloss`, `val_box_loss`), lowest
//! 6. a test score, highest; then a test error, lowest. Only if it was measured more than once: a single test at the
//!    end of a training cannot choose an epoch.
//! 7. `train_accuracy`, highest; `train_loss`, lowest; another training score, highest
//! 8. an error without a data set, lowest; then another training error, lowest
//!
//! A metric other than `val_accuracy`, `val_loss`, `train_accuracy` and `train_loss` that has the same value everywhere
//! comes after all that vary.
//!
//! Among scores, accuracy comes first, then mean average precision, F1, area under a curve, overlap, and the others;
//! precision and recall, of which one can be high at the expense of the other, come last. Ties go to the shortest name,
//! then to alphabetical order. Names that are known as neither scores nor errors are never used.

use super::bookkeeping::is_bookkeeping;

/// Which of two values is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Scores: accuracy, AUC, mAP.
    Higher,
    /// Losses and errors.
    Lower,
}

impl Better {
    /// Returns true when a value is better than another. Equal values are not.
    pub(super) fn is(self, value: f64, than: f64) -> bool {
        match self {
            Better::Higher => value > than,
            Better::Lower => value < than,
        }
    }
}

/// How significant a metric is, lowest first: its place in the list above, then the kind of score.
pub(super) type Rank = (u8, u8);

/// Words of scores, in order of preference.
const SCORES: [&[&str]; 8] = [
    &["accuracy", "acc"],
    &["map", "ap"],
    &["f1", "fscore", "fbeta", "fmeasure"],
    &["auc", "auroc", "roc", "aucpr", "auprc", "prauc", "gini"],
    &["iou", "miou", "dice", "jaccard", "pq"],
    &[
        "score",
        "r2",
        "mcc",
        "kappa",
        "bleu",
        "sacrebleu",
        "rouge",
        "rougel",
        "rougelsum",
        "meteor",
        "chrf",
        "ndcg",
        "mrr",
        "correlation",
        "corr",
        "pearson",
        "pearsonr",
        "spearman",
        "spearmanr",
        "matthews",
        "psnr",
        "ssim",
        "nds",
        "likelihood",
        "concordance",
        "cindex",
        "reward",
        "return",
        "success",
        "em",
        "match",
        "win",
    ],
    &["acc2", "acc3", "acc5", "acc10", "top", "hit", "hits", "ar", "map50", "ap50", "map75", "ap75"],
    &["precision", "recall", "sensitivity", "specificity", "tpr", "tnr"],
];

const ERRORS: [&str; 42] = [
    "loss",
    "losses",
    "error",
    "errors",
    "err",
    "logloss",
    "mlogloss",
    "rmse",
    "mse",
    "mae",
    "mape",
    "smape",
    "rmsle",
    "msle",
    "mre",
    "merror",
    "deviance",
    "nll",
    "nloglik",
    "entropy",
    "crossentropy",
    "perplexity",
    "ppl",
    "wer",
    "cer",
    "ter",
    "fid",
    "kid",
    "lpips",
    "hinge",
    "kl",
    "divergence",
    "poisson",
    "tweedie",
    "quantile",
    "huber",
    "brier",
    "ece",
    "hamming",
    "epe",
    "cost",
    "regret",
];

/// Words for values about a score that are not scores: its spread, its weight, the best one so far.
const ABOUT: [&str; 17] = [
    "std", "stdv", "stdev", "stddev", "stderr", "var", "variance", "scale", "scaler", "weight", "weights", "best",
    "lowest", "highest", "delta", "patience", "target",
];

/// Returns the rank of a metric by its canonical name, and whether higher or lower is better; `None` if it says nothing
/// about how good an epoch is. `given` is what the file itself says about it.
pub(super) fn judge(name: &str, given: Option<Better>) -> Option<(Rank, Better)> {
    if is_bookkeeping(name) {
        return None;
    }
    let splits = ["train_", "val_", "test_"];
    let (split, metric) =
        splits.iter().find_map(|split| Some((*split, name.strip_prefix(split)?))).unwrap_or(("", name));
    let (kind, known) = kind(metric).map_or((9, None), |(kind, better)| (kind, Some(better)));
    let better = given.or(known)?;
    let score = better == Better::Higher;
    let place = match (split, metric, score) {
        ("val_", "accuracy", true) => 0,
        ("val_", "loss", false) => 1,
        ("val_", _, true) => 2,
        ("", _, true) => 3,
        ("val_", _, false) => 4,
        ("test_", _, true) => 5,
        ("test_", _, false) => 6,
        ("train_", "accuracy", true) => 7,
        ("train_", "loss", false) => 8,
        ("train_", _, true) => 9,
        ("", _, false) => 10,
        _ => 11,
    };
    Some(((place, kind), better))
}

/// The four metrics at the start of a summary.
pub(super) const FOUR: [&str; 4] = ["train_accuracy", "val_accuracy", "train_loss", "val_loss"];

/// Returns true for the metrics whose choice of the best epoch is documented and needs no note.
pub(super) fn is_documented(name: &str) -> bool {
    FOUR.contains(&name)
}

/// Returns true for metrics of test data, which are often measured only once, after the training.
pub(super) fn is_of_test(rank: Rank) -> bool {
    matches!(rank.0, 5 | 6)
}

/// Returns true when a name is known as that of a score or an error.
pub(super) fn is_known(metric: &str) -> bool {
    kind(metric).is_some()
}

fn kind(metric: &str) -> Option<(u8, Better)> {
    let words: Vec<&str> = metric.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    if lower.iter().any(|word| ABOUT.contains(&word.as_str())) {
        return None;
    }
    // scikit-learn's scorers negate errors, so that higher is better.
    let negated = lower.first().is_some_and(|word| matches!(word.as_str(), "neg" | "negative"));
    let found = if lower.iter().any(|word| is_error(word)) {
        // Among errors, the total comes before its parts.
        let whole = matches!(lower.join("_").as_str(), "loss" | "total_loss");
        (u8::from(!whole), Better::Lower)
    } else {
        let place = match thresholds(&lower) {
            Some(Thresholds::All) => Some(1),
            Some(Thresholds::One) => Some(6),
            None => SCORES.iter().rposition(|words| lower.iter().any(|w| is_one_of(w, words))),
        };
        (u8::try_from(place?).unwrap_or(u8::MAX), Better::Higher)
    };
    Some(match found {
        (kind, Better::Lower) if negated => (kind, Better::Higher),
        (kind, Better::Higher) if negated => (kind, Better::Lower),
        found => found,
    })
}

/// The overlap thresholds of a mean average precision.
enum Thresholds {
    /// From 0.5 to 0.95: `mAP50-95`, `mAP_0.5:0.95`.
    All,
    /// A single one: `mAP_0.5`, `AP_75`.
    One,
}

/// Returns the thresholds in a name, if they are separate words.
fn thresholds(words: &[String]) -> Option<Thresholds> {
    let at = words.iter().position(|word| matches!(word.as_str(), "map" | "ap" | "map50" | "ap50"))?;
    let numbers = words[at + 1..].iter().map(String::as_str).filter(|word| *word != "0");
    let numbers: Vec<&str> = numbers.take_while(|word| word.bytes().all(|byte| byte.is_ascii_digit())).collect();
    match (words[at].ends_with("50"), &*numbers) {
        (true, ["95"]) | (false, ["5" | "50", "95"]) => Some(Thresholds::All),
        (false, ["5" | "50" | "75"]) => Some(Thresholds::One),
        _ => None,
    }
}

fn is_error(word: &str) -> bool {
    ERRORS.contains(&word) || word.len() > 6 && (word.ends_with("loss") || word.ends_with("error"))
}

/// Returns whether a word is one of `words`, with or without a number after it: `rouge2`, `top5`.
fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.contains(&word)
        || words.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit())) && !word.contains("95")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions() {
        for higher in [
            "val_accuracy",
            "val_auc",
            "metrics_map50_95_b",
            "bbox_ap",
            "val_f1",
            "f1_score",
            "val_score",
            "val_miou",
            "r2",
            "val_ndcg_10",
            "coco_bbox_map",
            "eval_rouge2",
            "val_exact_match",
            "val_neg_log_loss",
            "val_binaryaccuracy_auc",
            "neg_mean_squared_error",
            "top5",
            "test_average_precision",
            "log_likelihood",
        ] {
            assert_eq!(judge(higher, None).map(|found| found.1), Some(Better::Higher), "{higher}");
        }
        for lower in [
            "val_loss",
            "val_binary_logloss",
            "rmse",
            "val_box_loss",
            "valid_mlogloss",
            "test_class_error",
            "total_loss",
            "val_wer",
            "perplexity",
            "negative_log_likelihood",
            "loss_box_reg",
            "val_mean_absolute_error",
            "val_cross_entropy",
            "score_loss",
        ] {
            assert_eq!(judge(lower, None).map(|found| found.1), Some(Better::Lower), "{lower}");
        }
        for neither in [
            "foo",
            "lr_pg0",
            "val_auc_std",
            "val_binary_logloss_stdv",
            "loss_scale",
            "best_val_loss",
            "epoch_time",
            "step",
            "learning_rate",
            "n_parameters",
            "val_runtime",
            "grad_norm",
            "",
        ] {
            assert_eq!(judge(neither, None), None, "{neither}");
        }
        assert_eq!(judge("val_foo", Some(Better::Lower)).map(|found| found.1), Some(Better::Lower));
    }

    #[test]
    fn the_most_telling_first() {
        let order = [
            "val_accuracy",
            "val_loss",
            "val_map",
            "val_f1",
            "val_auc",
            "val_recall",
            "metrics_map50_95_b",
            "metrics_map_0_5_0_95",
            "metrics_map50_b",
            "metrics_map_0_5",
            "metrics_recall_b",
            "val_total_loss",
            "val_rmse",
            "test_accuracy",
            "test_acc5",
            "test_loss",
            "train_accuracy",
            "train_loss",
            "train_auc",
            "total_loss",
            "rmse",
            "train_rmse",
        ];
        let ranks: Vec<Rank> = order.iter().map(|name| judge(name, None).unwrap().0).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }
}
