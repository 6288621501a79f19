//! Which file of a version is its model file, when nobody says so.
//!
//! Known names of weights come first, then known endings, then the largest file. The state of a training (optimizer,
//! scheduler, …) is never the model file, however large it is.

use std::cmp::Reverse;

use crate::name::ArtifactPath;

/// Names of weights, the most telling first. `*` stands for any text.
const NAMES: &[&str] = &[
    "model.safetensors",
    // The index stands for its shards: it is the file that loaders open.
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "best_model.*",
    "adapter_model.safetensors",
    "adapter_model.bin",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
    "consolidated.safetensors",
    "tf_model.h5",
    "flax_model.msgpack",
];

/// Endings of weights, the most telling first.
const ENDINGS: &[&str] = &[
    "*.safetensors",
    "*.safetensors.index.json",
    "*.gguf",
    "*.onnx",
    "*.keras",
    "*.h5",
    "*.hdf5",
    "*.pth",
    "*.pt",
    "*.pt2",
    "*.ckpt",
    "saved_model.pb",
    "*.tflite",
    "*.mlmodel",
    "*.engine",
    "*.ubj",
    "*.cbm",
];

/// Endings that hold models as often as other objects.
const OBJECTS: &[&str] = &["*.skops", "*.joblib", "*.pkl", "*.pickle", "*.bin", "*.msgpack", "*.npz"];

/// The state of a training, which no version is about: the name alone, or followed by anything but a letter.
const NEVER: &[&str] = &[
    "optimizer",
    "optim",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "rng_state",
    "random_states",
    "trainer_state",
    "training_args",
];

/// How telling a file is of its version, the most telling least.
type Rank = (usize, usize, usize);

/// Returns the model file among some files, each with its size; none when there is none that could be.
///
/// Files with well-known names come first, then those with an ending of weights, then serialized objects; among them
/// the ones nearest to the root, then in the order of the table, then the largest, then the first by name. Otherwise it is
/// the largest file. A version of a single file has that one.
pub fn model_file<'f>(files: impl IntoIterator<Item = (&'f ArtifactPath, u64)>) -> Option<&'f ArtifactPath> {
    let files: Vec<(&ArtifactPath, u64)> = files.into_iter().collect();
    if let [(only, _)] = files[..] {
        return Some(only);
    }
    let candidates = || files.iter().filter(|(path, _)| could_be(path));
    let known = candidates().filter_map(|(path, size)| Some((rank(path)?, Reverse(*size), *path)));
    match known.min() {
        Some((_, _, path)) => Some(path),
        None => candidates().min_by_key(|(path, size)| (Reverse(*size), *path)).map(|(path, _)| *path),
    }
}

fn could_be(path: &ArtifactPath) -> bool {
    let name = path.file_name().to_ascii_lowercase();
    let state = |never: &&str| {
        let rest = name.strip_prefix(*never);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    !NEVER.iter().any(state) && !path.segments().any(|segment| segment.starts_with('.'))
}

fn rank(path: &ArtifactPath) -> Option<Rank> {
    let name = path.file_name().to_ascii_lowercase();
    if shard(&name).is_some_and(|number| number != 1) {
        // The first one stands for all.
        return None;
    }
    let depth = path.segments().count();
    let kinds = [NAMES, ENDINGS, OBJECTS];
    kinds.iter().enumerate().find_map(|(kind, table)| {
        let place = table.iter().position(|pattern| fits(pattern, &name))?;
        Some((kind, depth, place))
    })
}

/// Returns true when a name fits a pattern with at most one `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => name == pattern,
    }
}

/// Returns which shard a file is, as `2` for `model-00002-of-00003.safetensors`.
fn shard(name: &str) -> Option<u32> {
    let (before, after) = name.rsplit_once("-of-")?;
    let digits = |text: &str| text.len() >= 2 && text.bytes().all(|b| b.is_ascii_digit());
    let number = before.rsplit('-').next()?;
    (digits(number) && digits(after.split('.').next()?)).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[(&str, u64)]) -> String {
        let files: Vec<(ArtifactPath, u64)> = files.iter().map(|(path, size)| (path.parse().unwrap(), *size)).collect();
        model_file(files.iter().map(|(path, size)| (path, *size))).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn layouts_as_they_are_found() {
        for (files, expected) in [
            // A checkpoint of a Trainer: the optimizer is twice as large as the model.
            (
                &[("model.safetensors", 9), ("optimizer.pt", 18), ("config.json", 1), ("training_args.bin", 1)][..],
                "model.safetensors",
            ),
            // Sharded, with its index.
            (
                &[
                    ("model-00001-of-00002.safetensors", 9),
                    ("model-00002-of-00002.safetensors", 99),
                    ("model.safetensors.index.json", 1),
                    ("tokenizer.json", 50),
                ],
                "model.safetensors.index.json",
            ),
            // Sharded, without.
            (&[("x-00002-of-00002.gguf", 99), ("x-00001-of-00002.gguf", 9)], "x-00001-of-00002.gguf"),
            (&[("pytorch_model.bin", 9), ("scheduler.bin", 99), ("optimizer_0.bin", 99)], "pytorch_model.bin"),
            (&[("best_model.pth", 9), ("last_model.pth", 99), ("data.csv", 999)], "best_model.pth"),
            (&[("adapter_model.safetensors", 9), ("tokenizer.json", 99)], "adapter_model.safetensors"),
            // Near the root before deep, whatever the order of the table.
            (&[("best_model.pth", 1), ("checkpoint-500/model.safetensors", 99)], "best_model.pth"),
            (&[("model.safetensors", 9), ("onnx/model.onnx", 99)], "model.safetensors"),
            (&[("vectorizer.joblib", 99), ("weights/model.safetensors", 9)], "weights/model.safetensors"),
            (&[("saved_model.pb", 1), ("variables/variables.data-00000-of-00001", 99)], "saved_model.pb"),
            (&[("model.onnx", 9), ("model.onnx_data", 99)], "model.onnx"),
            (&[("scaler.joblib", 99), ("classifier.pkl", 9)], "classifier.pkl"),
            (&[("rng_state_0.pth", 99), ("scaler.pt", 99), ("notes.txt", 1)], "notes.txt"),
            // A name that only begins alike is none of them.
            (&[("scalernet.pt", 9), ("notes.txt", 99)], "scalernet.pt"),
            // Nothing is known: the largest, and of equal ones the first.
            (&[("b.dat", 9), ("a.dat", 9), ("c.dat", 1)], "a.dat"),
            (&[(".env", 99), ("a.dat", 1)], "a.dat"),
            (&[("MODEL.SAFETENSORS", 1), ("x.dat", 9)], "MODEL.SAFETENSORS"),
            // Alone, it is what was meant.
            (&[("optimizer.pt", 9)], "optimizer.pt"),
            (&[("optimizer.pt", 9), ("scheduler.pt", 1)], ""),
            (&[], ""),
        ] {
            assert_eq!(chosen(files), expected, "{files:?}");
        }
    }

    #[test]
    fn the_order_of_the_files_does_not_matter() {
        let files = [("a.pt", 3), ("b.pt", 3), ("c/model.safetensors", 1), ("best_model.", 9), ("d.onnx", 2)];
        let first = chosen(&files);
        for turn in 0..files.len() {
            let mut files = files;
            files.rotate_left(turn);
            assert_eq!(chosen(&files), first);
            files.reverse();
            assert_eq!(chosen(&files), first);
        }
    }

    /// Every entry of the table is found, and nothing of a training's state.
    #[test]
    fn every_entry_of_the_tables_counts() {
        for pattern in NAMES.iter().chain(ENDINGS).chain(OBJECTS) {
            let name = pattern.replace('*', "x");
            assert_eq!(chosen(&[(&name, 1), ("larger.dat", 99)]), name, "{pattern}");
        }
        for never in NEVER {
            for ending in [".pt", ".bin", "_1.pth", "-0.safetensors"] {
                assert_eq!(chosen(&[(&format!("{never}{ending}"), 99), ("a.dat", 1)]), "a.dat", "{never}{ending}");
            }
        }
    }
}
