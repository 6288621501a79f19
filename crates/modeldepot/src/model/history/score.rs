//! Which metric says which epoch is the best, and whether more of it is better.
//!
//! The first of these that a history has decides:
//!
//! 1. `val_accuracy`, highest
//! 2. `val_loss`, lowest
//! 3. another score of validation (`val_auc`, `val_f1`, `val_score`), highest
//! 4. a score that names no data (YOLO's `metrics/mAP50-95(B)`, Detectron2's `bbox/AP`), highest
//! 5. another error of validation (`val_rmse`, `val_logloss`, `val_box_loss`), lowest
//! 6. a score of the test data, highest; then an error, lowest. Only where it was measured more than once: a test at the
//!    end of a training chooses no epoch.
//! 7. `train_accuracy`, highest; `train_loss`, lowest; another score of training, highest
//! 8. an error that names no data, lowest; then another error of training, lowest
//!
//! A metric other than `val_accuracy`, `val_loss`, `train_accuracy` and `train_loss` that has the same value everywhere
//! comes after all that vary.
//!
//! Of several scores of one kind, accuracy comes first, then mean average precision, F1, area under a curve, overlap, and
//! the others; precision and recall, which are high without the other, come last. Then the shortest name, then the
//! alphabet. Names that are known for neither direction never decide.

use super::bookkeeping::is_bookkeeping;

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Scores: accuracy, AUC, mAP.
    Higher,
    /// Losses and errors.
    Lower,
}

impl Better {
    /// Returns true when a value is better than another. Equals are not.
    pub(super) fn is(self, value: f64, than: f64) -> bool {
        match self {
            Better::Higher => value > than,
            Better::Lower => value < than,
        }
    }
}

/// How telling a metric is, the most telling least: the place in the list above, then the kind of score.
pub(super) type Rank = (u8, u8);

/// Words of scores, each kind before those that it is preferred to.
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

/// Words of values that are about a score and are none: its spread, its weight, the best one so far.
const ABOUT: [&str; 17] = [
    "std", "stdv", "stdev", "stddev", "stderr", "var", "variance", "scale", "scaler", "weight", "weights", "best",
    "lowest", "highest", "delta", "patience", "target",
];

/// Returns how telling a metric is under its canonical name, and which of its values are better; none for one that says
/// nothing of how good an epoch is. `given` is what the file itself says of it.
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

/// The four that a summary begins with.
pub(super) const FOUR: [&str; 4] = ["train_accuracy", "val_accuracy", "train_loss", "val_loss"];

/// Returns true for the metrics of which nobody needs to be told that they chose the best epoch.
pub(super) fn is_documented(name: &str) -> bool {
    FOUR.contains(&name)
}

/// Returns true for metrics of test data, which are often measured once, after the training.
pub(super) fn is_of_test(rank: Rank) -> bool {
    matches!(rank.0, 5 | 6)
}

/// Returns true when a name is known as one of a score or an error.
pub(super) fn is_known(metric: &str) -> bool {
    kind(metric).is_some()
}

fn kind(metric: &str) -> Option<(u8, Better)> {
    let words: Vec<&str> = metric.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    if lower.iter().any(|word| ABOUT.contains(&word.as_str())) {
        return None;
    }
    // scikit-learn's scorers negate errors, so that more is better.
    let negated = lower.first().is_some_and(|word| matches!(word.as_str(), "neg" | "negative"));
    let found = if lower.iter().any(|word| is_error(word)) {
        // Of errors, the whole before its parts.
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

/// What a mean average precision was measured at.
enum Thresholds {
    /// From 0.5 to 0.95: `mAP50-95`, `mAP_0.5:0.95`.
    All,
    /// One of them: `mAP_0.5`, `AP_75`.
    One,
}

/// Returns the thresholds that a name says, where they are words of their own.
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

/// Returns whether a word is one of some, also with a number behind it: `rouge2`, `top5`.
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
