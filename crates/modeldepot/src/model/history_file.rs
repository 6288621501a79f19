//! Choosing the training history of a version when none is named.

use crate::model::name::ArtifactPath;

/// The largest file that is recognized by its name, in bytes.
const LARGEST: u64 = 8 << 20;

/// Returns the training history among some files, each given with its size, by the names that training scripts use.
#[cfg_attr(not(feature = "history"), allow(unreachable_pub, reason = "it is exported with that module"))]
pub fn history_file<'f>(files: impl IntoIterator<Item = (&'f ArtifactPath, u64)>) -> Option<&'f ArtifactPath> {
    let rank = |name: &str| match name.to_ascii_lowercase().as_str() {
        "training_history.json" => Some(0),
        "history.json" | "training_history.csv" | "history.csv" => Some(1),
        "trainer_state.json" => Some(2),
        "metrics.csv" | "training_log.csv" | "log.csv" => Some(3),
        "catboost_training.json" | "evals_result.json" | "scalars.json" | "training_log.jsonl" => Some(4),
        name if name.contains("history") && [".json", ".jsonl", ".csv"].iter().any(|end| name.ends_with(end)) => {
            Some(5)
        }
        _ => None,
    };
    let files = files.into_iter().filter(|(_, size)| *size <= LARGEST);
    let ranked = files.filter_map(|(path, _)| Some((rank(path.file_name())?, path)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, path)| path)
}
