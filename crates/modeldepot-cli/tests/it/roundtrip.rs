//! Push and pull: what comes back is what was sent.

use std::fs;

use crate::environment::{TestEnv, tree};

const HISTORY: &str = r#"{
  "train_loss": [0.61, 0.35, 0.1324], "val_loss": [0.65, 0.51, 0.4722],
  "train_acc": [0.7, 0.85, 0.9571], "val_acc": [0.72, 0.9, 0.95]
}"#;

#[test]
fn a_model_with_its_history() {
    let env = TestEnv::new();
    let weights: Vec<u8> = (0..20_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    env.write("best_model.pth", &weights);
    env.write("training_history.json", HISTORY);
    env.write("meta.json", r#"{"architecture": "resnet18", "num_classes": 2, "best_epoch": 33}"#);
    insta::assert_snapshot!(env.run([
        "push", "plant_classifier", "best_model.pth", "--history", "training_history.json", "--version", "20251028_181858",
        "--meta-file", "meta.json", "--meta", "num_classes=3", "--meta", "optimizer=AdamW",
    ]), @"");
    insta::assert_snapshot!(env.run(["show", "plant_classifier"]), @"");
    insta::assert_snapshot!(env.run(["pull", "plant_classifier"]), @"");
    assert!(env.read("plant_classifier/best_model.pth") == weights);
    assert_eq!(env.read("plant_classifier/training_history.json"), HISTORY.as_bytes());
    assert_eq!(tree(&env.path("plant_classifier")), ["best_model.pth", "manifest.json", "training_history.json"]);
    insta::assert_snapshot!(env.run(["verify", "plant_classifier@20251028_181858"]), @"");
}

#[test]
fn an_automatic_version_and_a_folder_of_choice() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin"]), @"");
    insta::assert_snapshot!(env.run(["pull", "m", "deep/er"]), @"");
    insta::assert_snapshot!(env.run(["-q", "pull", "m@latest", "deep/er"]), @"");
}

#[test]
fn a_folder_as_hugging_face_lays_it_out() {
    let env = TestEnv::new();
    let files = [
        ("config.json", r#"{"architectures": ["BertModel"]}"#),
        ("tokenizer.json", "{}"),
        ("tokenizer_config.json", "{}"),
        ("model.safetensors", "the largest of all these files, by far, is the one with the weights"),
        ("onnx/model.onnx", "another form"),
        ("1_Pooling/config.json", "{}"),
        (".gitattributes", "*.safetensors filter=lfs"),
        ("README.md", "---\nlicense: mit\n---\n"),
    ];
    for (name, text) in files {
        env.write(&format!("bert/{name}"), text);
    }
    env.write("bert/runs/events.out", "a log that nobody wants");
    env.run(["push", "bert-base", "bert", "--version", "1.0.0", "--exclude", "runs/**", "--exclude", "*.md"]).success();
    env.run(["pull", "bert-base@v1.0.0", "out"]).success();
    for (name, text) in files.iter().filter(|(name, _)| *name != "README.md") {
        assert_eq!(env.read(&format!("out/{name}")), text.as_bytes(), "{name}");
    }
    assert_eq!(
        tree(&env.path("out")),
        [
            ".gitattributes",
            "1_Pooling/config.json",
            "config.json",
            "manifest.json",
            "model.safetensors",
            "onnx/model.onnx",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
    );
    insta::assert_snapshot!(env.run(["show", "bert-base"]), @"");
}

#[test]
fn empty_files_and_names_in_any_script() {
    let env = TestEnv::new();
    let names = ["vide.bin", "modèle ü.pth", "植物/分类器.onnx", "a b/c d.json", "100%+&=?#.txt", "emoji 🌱.md"];
    for name in names {
        env.write(&format!("in/{name}"), if name == "vide.bin" { "" } else { name });
    }
    env.run(["push", "unicode", "in"]).success();
    env.run(["pull", "unicode", "out"]).success();
    for name in names {
        assert_eq!(env.read(&format!("out/{name}")), env.read(&format!("in/{name}")), "{name}");
    }
    env.run(["verify", "unicode"]).success();

    env.write("empty.bin", "");
    env.run(["push", "empty", "empty.bin"]).success();
    assert_eq!(env.run(["pull", "empty", "nothing"]).success().trim(), "nothing/empty.bin");
    assert_eq!(env.read("nothing/empty.bin"), b"");
}

#[test]
fn a_pull_replaces_what_an_earlier_one_left() {
    let env = TestEnv::new();
    env.write("m.bin", "first");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.write("m.bin", "second");
    env.run(["push", "m", "m.bin", "--version", "2"]).success();
    env.run(["pull", "m@1", "out"]).success();
    env.run(["pull", "m", "out"]).success();
    assert_eq!(env.read("out/m.bin"), b"second");
    assert!(fs::read_to_string(env.path("out/manifest.json")).unwrap().contains("\"version\": \"2\""));
}
