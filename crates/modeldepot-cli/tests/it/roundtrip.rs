//! Push and pull: the pulled files equal the pushed ones.

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
    ]), @r"
    ------- stdout -------
    plant_classifier@[VERSION]
    ------- stderr -------
    history: best epoch 3 by val_accuracy 0.95 (highest)
    published 2 files, 20.0 MB in [TIME] ([RATE])
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["show", "plant_classifier"]), @r"
    ------- stdout -------
    plant_classifier@[VERSION]
    published  [DATE] UTC (just now)
    tool       modeldepot 0.1.0
    size       20.0 MB in 2 files
    url        $ENDPOINT/models/plant_classifier/v[VERSION]/best_model.pth
    checksum   466748a53d6e30b9322f1270acc17e1e (MD5 of the model file)

    files
      20.0 MB  best_model.pth  (model file)
               blake3 403417fc1c30d05370eeb85049c6bf538723dec6adfe44e83b0575f6f1804167
               md5    466748a53d6e30b9322f1270acc17e1e
        140 B  training_history.json  (training history)
               blake3 548afaae76dbc1e449b56da5d4eff296d86d6698e08daecadafaf5c536626c80
               md5    5cf3e098336ecc26590efda2fd5791df

    metadata
      best_epoch     33
      train_accuracy 0.9571
      val_accuracy   0.95
      train_loss     0.1324
      val_loss       0.4722
      total_epochs   3
      architecture   resnet18
      num_classes    3
      optimizer      AdamW
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "plant_classifier"]), @r"
    ------- stdout -------
    plant_classifier/best_model.pth
    ------- stderr -------
    fetched and verified plant_classifier@[VERSION]: 2 files, 20.0 MB in [TIME] ([RATE])
    [exit status: 0]
    ");
    assert!(env.read("plant_classifier/best_model.pth") == weights);
    assert_eq!(env.read("plant_classifier/training_history.json"), HISTORY.as_bytes());
    assert_eq!(tree(&env.path("plant_classifier")), ["best_model.pth", "manifest.json", "training_history.json"]);
    insta::assert_snapshot!(env.run(["verify", "plant_classifier@20251028_181858"]), @r"
    ------- stdout -------
    intact plant_classifier@[VERSION]: 2 files, 20.0 MB in [TIME] ([RATE])
    [exit status: 0]
    ");
}

#[test]
fn an_automatic_version_and_a_folder_of_choice() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin"]), @r"
    ------- stdout -------
    m@[VERSION]
    ------- stderr -------
    published 1 file, 7 B in [TIME]
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "m", "deep/er"]), @r"
    ------- stdout -------
    deep/er/m.bin
    ------- stderr -------
    fetched and verified m@[VERSION]: 1 file, 7 B in [TIME]
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["-q", "pull", "m@latest", "deep/er"]), @r"
    ------- stdout -------
    deep/er/m.bin
    [exit status: 0]
    ");
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
    insta::assert_snapshot!(env.run(["show", "bert-base"]), @r"
    ------- stdout -------
    bert-base@1.0.0
    published  [DATE] UTC (just now)
    tool       modeldepot 0.1.0
    size       141 B in 7 files
    url        $ENDPOINT/models/bert-base/v1.0.0/model.safetensors
    checksum   94b1ce8b63c96bf2fcf6f02c986da0f8 (MD5 of the model file)

    files
      24 B  .gitattributes
            blake3 f84d5b86de2f5fc5bed76ba525ad2b64767bac709f385dcd84fed04909832843
            md5    50532e9bfbe8ed401bc6ceeab4c1ba7d
       2 B  1_Pooling/config.json
            blake3 6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279
            md5    99914b932bd37a50b983c5e7c90ae93b
      32 B  config.json
            blake3 11d1d97cb83b63d51902f4b636db11a4643171830673778663205e57b790b9a0
            md5    408a742df2b7fcefbe03263dc16776cb
      67 B  model.safetensors  (model file)
            blake3 a202899bec4c39e1f0ee91102b093d7ebbccfc8ced34f52ca1482c0904245af0
            md5    94b1ce8b63c96bf2fcf6f02c986da0f8
      12 B  onnx/model.onnx
            blake3 e4b0a543ca220a4a4456e5393b05e52b33b6a562a623c8ab0b080da44bcff325
            md5    e892b0992a588f1b03bd0d7c11340ded
       2 B  tokenizer.json
            blake3 6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279
            md5    99914b932bd37a50b983c5e7c90ae93b
       2 B  tokenizer_config.json
            blake3 6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279
            md5    99914b932bd37a50b983c5e7c90ae93b
    [exit status: 0]
    ");
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

/// Most systems limit a process to 1,024 open files; a version may have more.
#[cfg(unix)]
#[test]
fn a_folder_of_more_files_than_may_be_open() {
    let env = TestEnv::new();
    for n in 0..1000 {
        env.write(&format!("shards/{n:04}.bin"), format!("shard {n}"));
    }
    let limited = |args: &[&str]| {
        let command = env.command(args);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
        shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PATH", std::env::var_os("PATH").unwrap());
        shell.current_dir(command.get_current_dir().unwrap());
        env.output(shell).success()
    };
    limited(&["push", "m", "shards", "--version", "1"]);
    limited(&["pull", "m", "out"]);
    limited(&["verify", "m"]);
    assert_eq!(tree(&env.path("out")).len(), 1001);
    assert_eq!(env.read("out/0999.bin"), b"shard 999");
}

#[test]
fn existing_data_is_not_transferred_again() {
    let env = TestEnv::new();
    let mut weights: Vec<u8> = (0..20_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    env.write("m.bin", &weights);
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.run(["pull", "m"]).success();
    // The last of three parts differs.
    weights[19_999_999] ^= 1;
    env.write("m.bin", &weights);
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "2"]), @r"
    ------- stdout -------
    m@2
    ------- stderr -------
    published 1 file, 20.0 MB in [TIME] ([RATE])
    3.2 MB sent, 16.8 MB copied from earlier versions within the server
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stdout -------
    m/m.bin
    ------- stderr -------
    fetched and verified m@2: 1 file, 20.0 MB in [TIME] ([RATE])
    3.2 MB transferred, 16.8 MB reused from the folder
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stdout -------
    m/m.bin
    ------- stderr -------
    fetched and verified m@2: 1 file, 20.0 MB in [TIME] ([RATE])
    nothing was transferred: 20.0 MB reused from the folder
    [exit status: 0]
    ");
    let pushed = env.run(["push", "m", "m.bin", "--version", "3", "--json"]).json();
    assert_eq!((&pushed["sent_bytes"], &pushed["copied_bytes"]), (&0.into(), &20_000_000.into()));
    let pushed = env.run(["push", "m", "m.bin", "--version", "4", "--no-copy", "--no-md5", "--json"]).json();
    assert_eq!(
        (&pushed["sent_bytes"], &pushed["manifest"]["checksum"]),
        (&20_000_000.into(), &serde_json::Value::Null)
    );
    let pulled = env.run(["pull", "m", "--no-resume", "--no-sync", "--json"]).json();
    assert_eq!((&pulled["fetched_bytes"], &pulled["reused_bytes"]), (&20_000_000.into(), &0.into()));
    assert!(env.read("m/m.bin") == weights);
}

#[test]
fn a_version_says_who_published_it() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    let push = |version: &str, variables: &[(&str, &str)]| {
        let mut command = env.command(["push", "m", "m.bin", "--json", "--version", version]);
        command.env_remove("MODELDEPOT_PUBLISHED_BY").envs(variables.iter().copied());
        env.output(command)
    };
    let by =
        |version: &str, variables: &[(&str, &str)]| push(version, variables).json()["manifest"]["published_by"].clone();
    assert_eq!(by("1", &[("MODELDEPOT_PUBLISHED_BY", "the plant team")]), "the plant team");
    assert_eq!(by("2", &[("MODELDEPOT_PUBLISHED_BY", ""), ("USER", "ana")]), serde_json::Value::Null);
    let person = by("3", &[("USER", "ana")]);
    assert!(person.as_str().unwrap().starts_with("ana@"), "{person}");
    assert_eq!(by("4", &[("USER", "ana"), ("CI_JOB_URL", "https://x:y@ci.example/7?token=z")]), "https://ci.example/7");
    insta::assert_snapshot!(push("5", &[("MODELDEPOT_PUBLISHED_BY", "a\u{1b}[31m")]), @r#"
    ------- stderr -------
    {"error":{"kind":"invalid","message":"`a\\u{1b}[31m` is not a valid publisher: control characters and characters that cannot be seen are not allowed","causes":[],"hint":"set MODELDEPOT_PUBLISHED_BY to a name, or to nothing to publish without one","exit":2}}
    [exit status: 2]
    "#);
    let shown = env.run(["show", "m@1"]).success();
    assert!(shown.contains("by         the plant team\n"), "{shown}");
    // From someone else it is the same version.
    assert_eq!(push("1", &[("USER", "bo")]).json()["already"], true);
}
