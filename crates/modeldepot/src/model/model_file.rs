//! Choosing the model file of a version when none is named.
//!
//! Known names of weights come first, then known extensions, then the largest file. Training state (optimizer,
//! scheduler, …) is never the model file, however large it is.

use std::cmp::Reverse;

use crate::model::name::ArtifactPath;

/// The best checkpoint, as many training loops name it.
const BEST: &str = "best_model.*";

/// Names of weights, most specific first. `*` matches any text.
const NAMES: &[&str] = &[
    "model.safetensors",
    // The index represents its shards: it is the file that loaders open.
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    // Only with an extension of the tables below: `best_model.json` may just as well hold the scores.
    BEST,
    "adapter_model.safetensors",
    "adapter_model.bin",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
    "consolidated.safetensors",
    "tf_model.h5",
    "flax_model.msgpack",
];

/// Extensions of weights, most specific first.
const ENDINGS: &[&str] = &[
    "*.safetensors",
    "*.safetensors.index.json",
    "*.gguf",
    "*.onnx",
    "*.keras",
    "*.h5",
    "*.hdf5",
    // DeepSpeed: the file of the first rank, which has its optimizers beside it.
    "mp_rank_00_model_states.pt",
    "zero_pp_rank_0_mp_rank_00_model_states.pt",
    "*.pth",
    "*.pt",
    "*.pt2",
    "*.pth.tar",
    "*.nemo",
    "*.ckpt",
    "saved_model.pb",
    "*.tflite",
    "*.mlmodel",
    "*.engine",
    "*.ubj",
    "*.cbm",
];

/// Extensions that are used for models as often as for other objects.
const OBJECTS: &[&str] = &["*.skops", "*.joblib", "*.pkl", "*.pickle", "*.bin", "*.msgpack", "*.npz", "*.distcp", BEST];

/// Folders of components beside the model: the parts of a diffusers pipeline other than the diffusion model.
const ASIDE: &[&str] = &[
    "safety_checker",
    "text_encoder",
    "text_encoder_2",
    "text_encoder_3",
    "image_encoder",
    "vae",
    "vae_decoder",
    "vae_encoder",
    "vqvae",
];

/// Training state, which is never the model file: whole words of a name, with or without a number.
const NEVER: &[&str] = &[
    "optimizer",
    "optim",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "rng_state",
    "random_states",
    "dl_state_dict",
    "trainer_state",
    "training_args",
];

/// How well a file represents its version; the lowest is best.
type Rank = (bool, usize, usize, Stage, usize);

/// Which moment of the training a file name indicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Best,
    Unsaid,
    Last,
}

/// Returns the model file among some files, each given with its size; `None` when none of them can be it.
///
/// Files with well-known names come first, then those with an extension of weights, then serialized objects. Among
/// those, the order is: nearest to the root, best checkpoint before the last, order of the table, largest, first by
/// name. Files that only accompany a model come after all of these. Otherwise the largest file is chosen. In a version
/// of a single file, that file is chosen.
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
    let text = path.as_str().to_ascii_lowercase();
    let (folders, name) = text.rsplit_once('/').unwrap_or(("", &text));
    let numbered = |folder: &str, never: &str| {
        let rest = folder.strip_prefix(never);
        rest.is_some_and(|rest| rest.chars().all(|c| matches!(c, '_' | '-') || c.is_ascii_digit()))
    };
    let state = |never: &&str| has(name, never) || folders.split('/').any(|folder| numbered(folder, never));
    !NEVER.iter().any(state) && !path.segments().any(|segment| segment.starts_with('.'))
}

/// Returns true when a name contains a word, with or without a number: `optimizer` in `last-optimizer_0.pt`.
fn has(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(place, _)| {
        let (before, after) = (&name[..place], &name[place + word.len()..]);
        !before.ends_with(|c: char| c.is_ascii_alphanumeric()) && !after.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

fn rank(path: &ArtifactPath) -> Option<Rank> {
    let text = path.as_str().to_ascii_lowercase();
    let (folders, name) = text.rsplit_once('/').unwrap_or(("", &text));
    if shard(name).is_some_and(|number| number != 1) {
        // The first shard represents all.
        return None;
    }
    let depth = path.segments().count();
    let weights = ENDINGS.iter().chain(OBJECTS).any(|pattern| *pattern != BEST && fits(pattern, name));
    // The projector of a multimodal language model is a separate file.
    let aside = folders.split('/').any(|folder| ASIDE.contains(&folder)) || has(name, "mmproj");
    let stage = match name {
        name if has(name, "best") => Stage::Best,
        name if has(name, "last") || has(name, "latest") => Stage::Last,
        _ => Stage::Unsaid,
    };
    let kinds = [NAMES, ENDINGS, OBJECTS];
    kinds.iter().enumerate().find_map(|(kind, table)| {
        let counts = |pattern: &&str| fits(pattern, name) && (kind > 0 || *pattern != BEST || weights);
        let place = table.iter().position(counts)?;
        // A well-known name needs no further evidence.
        Some((aside, kind, depth, if kind > 0 { stage } else { Stage::Unsaid }, place))
    })
}

/// Returns true when a name matches a pattern with at most one `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => name == pattern,
    }
}

/// Returns the number of a shard, such as `2` for `model-00002-of-00003.safetensors`.
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
            // A checkpoint of a Hugging Face Trainer: the optimizer is twice as large as the model.
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
            // Sharded, without an index.
            (&[("x-00002-of-00002.gguf", 99), ("x-00001-of-00002.gguf", 9)], "x-00001-of-00002.gguf"),
            (&[("pytorch_model.bin", 9), ("scheduler.bin", 99), ("optimizer_0.bin", 99)], "pytorch_model.bin"),
            (&[("best_model.pth", 9), ("last_model.pth", 99), ("data.csv", 999)], "best_model.pth"),
            (&[("adapter_model.safetensors", 9), ("tokenizer.json", 99)], "adapter_model.safetensors"),
            // Nearest to the root first, whatever the order of the table.
            (&[("best_model.pth", 1), ("checkpoint-500/model.safetensors", 99)], "best_model.pth"),
            (&[("model.safetensors", 9), ("onnx/model.onnx", 99)], "model.safetensors"),
            (&[("vectorizer.joblib", 99), ("weights/model.safetensors", 9)], "weights/model.safetensors"),
            (&[("saved_model.pb", 1), ("variables/variables.data-00000-of-00001", 99)], "saved_model.pb"),
            (&[("model.onnx", 9), ("model.onnx_data", 99)], "model.onnx"),
            (&[("scaler.joblib", 99), ("classifier.pkl", 9)], "classifier.pkl"),
            (&[("rng_state_0.pth", 99), ("scaler.pt", 99), ("notes.txt", 1)], "notes.txt"),
            // A name that only starts the same does not match.
            (&[("scalernet.pt", 9), ("notes.txt", 99)], "scalernet.pt"),
            // Nothing is recognized: the largest, and among equals the first.
            (&[("b.dat", 9), ("a.dat", 9), ("c.dat", 1)], "a.dat"),
            (&[(".env", 99), ("a.dat", 1)], "a.dat"),
            (&[("MODEL.SAFETENSORS", 1), ("x.dat", 9)], "MODEL.SAFETENSORS"),
            // A single file is always the model file.
            (&[("optimizer.pt", 9)], "optimizer.pt"),
            (&[("optimizer.pt", 9), ("scheduler.pt", 1)], ""),
            (&[], ""),
        ] {
            assert_eq!(chosen(files), expected, "{files:?}");
        }
    }

    /// Folders as tools write them, with files that once were or could be mistaken for the model.
    #[test]
    fn folders_as_tools_write_them() {
        for (tool, files, expected) in [
            (
                "transformers",
                &[
                    "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors",
                    "model.safetensors.index.json",
                ][..],
                "model.safetensors.index.json",
            ),
            (
                "a Trainer",
                &["checkpoint-5/model.safetensors", "checkpoint-5/optimizer.pt", "model.safetensors"],
                "model.safetensors",
            ),
            (
                "diffusers",
                &[
                    "model_index.json",
                    "safety_checker/model.safetensors",
                    "text_encoder/model.safetensors",
                    "text_encoder_2/model.safetensors.index.json",
                    "unet/diffusion_pytorch_model.safetensors",
                    "vae/diffusion_pytorch_model.safetensors",
                    "scheduler/scheduler_config.json",
                ],
                "unet/diffusion_pytorch_model.safetensors",
            ),
            (
                "diffusers, half precision",
                &["safety_checker/model.fp16.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"],
                "unet/diffusion_pytorch_model.fp16.safetensors",
            ),
            (
                "diffusers, sharded",
                &[
                    "text_encoder/model.safetensors",
                    "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
                    "transformer/diffusion_pytorch_model.safetensors.index.json",
                    "vae/diffusion_pytorch_model.safetensors",
                ],
                "transformer/diffusion_pytorch_model.safetensors.index.json",
            ),
            (
                "diffusers, ONNX",
                &["text_encoder/model.onnx", "unet/model.onnx", "vae_decoder/model.onnx"],
                "unet/model.onnx",
            ),
            (
                "a text encoder alone",
                &["text_encoder/config.json", "text_encoder/model.safetensors"],
                "text_encoder/model.safetensors",
            ),
            (
                "DeepSpeed",
                &[
                    "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt",
                    "mp_rank_01_model_states.pt",
                    "mp_rank_00_model_states.pt",
                    "zero_to_fp32.py",
                ],
                "mp_rank_00_model_states.pt",
            ),
            (
                "DeepSpeed, stage 3",
                &[
                    "global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt",
                    "global_step5/zero_pp_rank_1_mp_rank_00_model_states.pt",
                    "global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt",
                    "latest",
                ],
                "global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt",
            ),
            (
                "DeepSpeed in a Trainer",
                &["global_step5/mp_rank_00_model_states.pt", "model.safetensors", "rng_state_0.pth", "scheduler.pt"],
                "model.safetensors",
            ),
            (
                "accelerate",
                &["optimizer_1.bin", "pytorch_model.bin", "random_states_0.pkl", "dl_state_dict.bin"],
                "pytorch_model.bin",
            ),
            ("FSDP", &["optimizer.bin", "pytorch_model_fsdp.bin"], "pytorch_model_fsdp.bin"),
            (
                "FSDP, sharded",
                &["optimizer_0/__0_0.distcp", "pytorch_model_fsdp_0/__0_0.distcp", "trainer_state.json"],
                "pytorch_model_fsdp_0/__0_0.distcp",
            ),
            (
                "Lightning",
                &["checkpoints/last.ckpt", "checkpoints/epoch=3-step=100.ckpt", "hparams.yaml"],
                "checkpoints/epoch=3-step=100.ckpt",
            ),
            (
                "sentence-transformers",
                &["0_Transformer/model.safetensors", "1_Pooling/config.json", "modules.json"],
                "0_Transformer/model.safetensors",
            ),
            (
                "sentence-transformers, with a layer",
                &["2_Dense/model.safetensors", "pytorch_model.bin"],
                "pytorch_model.bin",
            ),
            ("ultralytics", &["results.csv", "weights/last.pt", "weights/best.pt"], "weights/best.pt"),
            (
                "mmdetection",
                &["latest.pth", "best_bbox_mAP_epoch_12.pth", "epoch_12.pth"],
                "best_bbox_mAP_epoch_12.pth",
            ),
            ("fairseq", &["checkpoint_last.pt", "checkpoint1.pt", "checkpoint_best.pt"], "checkpoint_best.pt"),
            ("PyTorch's examples", &["checkpoint.pth.tar", "model_best.pth.tar"], "model_best.pth.tar"),
            ("Keras", &["history.json", "model.keras", "model.weights.h5"], "model.keras"),
            (
                "LoRA",
                &["adapter_config.json", "adapter_model.safetensors", "optimizer.pt"],
                "adapter_model.safetensors",
            ),
            (
                "llama.cpp",
                &["m-00002-of-00003.gguf", "m-00003-of-00003.gguf", "mmproj-m.gguf", "m-00001-of-00003.gguf"],
                "m-00001-of-00003.gguf",
            ),
            ("scores beside", &["best_model.json", "final.pt"], "final.pt"),
            ("XGBoost", &["best_model.json", "data.csv"], "best_model.json"),
            ("scikit-learn", &["min_max_scaler.joblib", "forest.joblib"], "forest.joblib"),
        ] {
            // The model is the smallest file, so that it is not chosen for its size.
            let sized: Vec<(&str, u64)> =
                files.iter().map(|file| (*file, if *file == expected { 1 } else { 99 })).collect();
            assert_eq!(chosen(&sized), expected, "{tool}");
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

    /// Every entry of the tables is recognized, and no training state.
    #[test]
    fn every_entry_of_the_tables_counts() {
        for pattern in NAMES.iter().chain(ENDINGS).chain(OBJECTS) {
            let name = pattern.replace('*', "x");
            assert_eq!(chosen(&[(&name, 1), ("larger.dat", 99)]), name, "{pattern}");
        }
        for never in NEVER {
            for ending in [".pt", ".bin", "_1.pth", "-0.safetensors"] {
                for before in ["", "rank_0_", "last-", "x/", "x/epoch1."] {
                    let state = format!("{before}{never}{ending}");
                    assert_eq!(chosen(&[(&state, 99), ("a.dat", 1)]), "a.dat", "{state}");
                }
            }
            for folder in [format!("{never}/w.pt"), format!("x/{never}_0/__0_0.distcp")] {
                assert_eq!(chosen(&[(&folder, 99), ("a.dat", 1)]), "a.dat", "{folder}");
            }
        }
    }
}
