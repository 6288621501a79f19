//! Many versions: lists, conflicts, deleting, and names that do not exist.

use crate::environment::TestEnv;

fn with_versions() -> TestEnv {
    let env = TestEnv::new();
    for (version, bytes) in [("1.9.0", "nine"), ("1.10.0", "ten!!"), ("1.10.0-rc.1", "candidate")] {
        env.write("m.bin", bytes);
        env.run(["push", "plant_classifier", "m.bin", "--version", version]).success();
    }
    env
}

#[test]
fn lists() {
    let env = with_versions();
    env.run(["push", "iris", "m.bin", "--version", "1"]).success();
    insta::assert_snapshot!(env.run(["models"]), @r"
    ------- stdout -------
    MODEL             LATEST  VERSIONS  SIZE  PUBLISHED
    iris              1              1   9 B  [DATE] UTC
    plant_classifier  1.10.0         3  18 B  [DATE] UTC
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["versions", "plant_classifier"]), @r"
    ------- stdout -------
    VERSION      FILES  SIZE  PUBLISHED
    1.9.0            1   4 B  [DATE] UTC
    1.10.0-rc.1      1   9 B  [DATE] UTC
    1.10.0           1   5 B  [DATE] UTC  latest
    [exit status: 0]
    ");
}

#[test]
fn an_empty_store_says_how_to_begin() {
    insta::assert_snapshot!(TestEnv::new().run(["models"]), @r"
    ------- stderr -------
    no models in bucket `models`: `modeldepot push MODEL PATH` publishes one
    [exit status: 0]
    ");
}

#[test]
fn names_that_do_not_exist() {
    let env = with_versions();
    insta::assert_snapshot!(env.run(["pull", "plant_clasifier"]), @r"
    ------- stderr -------
    error: model `plant_clasifier` does not exist
    hint: did you mean `plant_classifier`?
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["versions", "zebra"]), @r"
    ------- stderr -------
    error: model `zebra` does not exist
    hint: `modeldepot models` lists the models of this bucket
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["show", "plant_classifier@1.9.1"]), @r"
    ------- stderr -------
    error: version `1.9.1` of `plant_classifier` does not exist
    hint: did you mean `plant_classifier@1.9.0`? `modeldepot versions plant_classifier` lists all
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["verify", "plant_classifier@nightly"]), @r"
    ------- stderr -------
    error: version `nightly` of `plant_classifier` does not exist
    hint: there is `plant_classifier@1.10.0`; `modeldepot versions plant_classifier` lists all
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@2", "--yes"]), @r"
    ------- stderr -------
    error: version `2` of `plant_classifier` does not exist
    hint: there is `plant_classifier@1.10.0`; `modeldepot versions plant_classifier` lists all
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--file", "m.bim"]), @r"
    ------- stderr -------
    error: `plant_classifier@1.10.0` has no file `m.bim`
    hint: did you mean `m.bin`?
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--file", "zzz"]), @r"
    ------- stderr -------
    error: `plant_classifier@1.10.0` has no file `zzz`
    hint: its files are `m.bin`
    [exit status: 3]
    ");
    assert!(!env.path("plant_classifier").exists(), "a pull of nothing leaves no folder");
}

#[test]
fn pushing_the_same_again_is_success() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1", "--meta", "lr=0.1"]).success();
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1", "--meta", "lr=0.1"]), @r"
    ------- stdout -------
    m@1
    ------- stderr -------
    already published with this content: 1 file, 7 B; nothing changed
    [exit status: 0]
    ");
}

#[test]
fn pushing_other_content_is_a_conflict_and_changes_nothing() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let before = (env.keys(), env.get("m/v1/m.bin"), env.get("m/v1/manifest.json"));
    env.write("m.bin", "WEIGHTS");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1"]), @r"
    ------- stderr -------
    error: version `1` of `m` already exists with other content
    hint: a published version never changes: choose another --version, or leave it out
    [exit status: 4]
    ");
    assert_eq!((env.keys(), env.get("m/v1/m.bin"), env.get("m/v1/manifest.json")), before);
    env.write("m.bin", "weights");
    let other_metadata = env.run(["push", "m", "m.bin", "--version", "1", "--meta", "a=1"]);
    assert_eq!(other_metadata.code, Some(4), "{other_metadata}");
    let another_file = env.write("extra.json", "{}");
    let another_file = env.run(["push", "m", "m.bin", "--version", "1", "--with", another_file.to_str().unwrap()]);
    assert_eq!(another_file.code, Some(4), "{another_file}");
    assert_eq!((env.keys(), env.get("m/v1/m.bin"), env.get("m/v1/manifest.json")), before);
}

#[test]
fn deleting_asks_nobody_who_is_not_there() {
    let env = with_versions();
    let before = env.keys();
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@1.9.0"]), @r"
    ------- stderr -------
    error: cannot ask for confirmation to delete `plant_classifier@1.9.0`: stdin is not a terminal
    hint: pass --yes to delete without confirmation
    [exit status: 2]
    ");
    assert_eq!(env.keys(), before);
    insta::assert_snapshot!(env.run(["rm", "plant_classifier"]), @r"
    ------- stderr -------
    error: invalid value `plant_classifier` for `MODEL@VERSION`: name the version to delete: `plant_classifier@VERSION`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@1.9.0", "--yes"]), @r"
    ------- stdout -------
    deleted plant_classifier@1.9.0: 1 file, 4 B
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@1.9.0", "--yes"]), @r"
    ------- stdout -------
    plant_classifier@1.9.0 was already deleted
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["push", "plant_classifier", "m.bin", "--version", "1.9.0"]), @r"
    ------- stderr -------
    error: version `1.9.0` of `plant_classifier` was deleted, and the name of a deleted version cannot be used again
    hint: choose another --version, or leave it out
    [exit status: 4]
    ");
    assert!(!env.run(["versions", "plant_classifier"]).success().contains("1.9.0"));
}

#[test]
fn presigned_urls() {
    let env = with_versions();
    let url = env.run(["url", "plant_classifier", "--expires", "15m"]).success();
    assert!(url.starts_with(&format!("{}/models/plant_classifier/v1.10.0/m.bin?", env.endpoint)), "{url}");
    assert!(url.contains("X-Amz-Expires=900"), "{url}");
    assert_eq!(url.lines().count(), 1);
    let put = env.run(["url", "plant_classifier@2", "--file", "m.bin", "--put"]).success();
    assert!(put.contains("/models/plant_classifier/v2/m.bin?"), "{put}");
    insta::assert_snapshot!(env.run(["url", "plant_classifier@1.9.0", "--file", "m.bin", "--put"]), @r"
    ------- stderr -------
    error: version `1.9.0` of `plant_classifier` already exists with other content
    hint: a published version never changes: choose another --version, or leave it out
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--file", "m.bin", "--put"]), @r"
    ------- stderr -------
    error: a presigned PUT needs a version and a file
    hint: write it as `modeldepot url MODEL@VERSION --file PATH --put`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["url", "plant_classifier@2", "--put"]), @r"
    ------- stderr -------
    error: `--file PATH` is missing
    hint: `modeldepot url --help` shows its arguments and options, with examples
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--expires", "8d"]), @r"
    ------- stderr -------
    error: a presigned URL cannot be valid for 8d
    hint: --expires takes 1s to 7d
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--expires", "1w"]), @r"
    ------- stderr -------
    error: invalid value `1w` for `--expires`: use a whole number and a unit: `90s`, `15m`, `1h`, `7d`
    [exit status: 2]
    ");
}

/// Runs the command, and expects all of these texts in what it prints.
fn says(env: &TestEnv, args: &[&str], texts: &[&str]) {
    let said = env.run(args).to_string();
    for text in texts {
        assert!(said.contains(text), "{args:?}: {said}");
    }
}

#[test]
fn latest_is_no_name_of_a_new_version() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let refused = ["is not a version name: `m@latest` already means the latest version", "hint: leave --version out"];
    for name in ["latest", "Latest"] {
        says(&env, &["push", "m", "m.bin", "--version", name], &refused);
        says(&env, &["push", "m", "m.bin", "--version", name, "--dry-run"], &refused);
    }
    says(&env, &["rm", "m@latest", "--yes"], &["name the version to delete", "[exit status: 2]"]);
    // One that another program published can be deleted.
    let manifest = r#"{"model_name": "m", "version": "latest", "model_file": "m/vlatest/m.bin", "model_url": ""}"#;
    env.put("m/vlatest/m.bin", "weights");
    env.put("m/vlatest/manifest.json", manifest);
    says(&env, &["rm", "m@latest", "--yes"], &["deleted m@latest", "[exit status: 0]"]);
}

#[test]
fn a_deleted_version_is_called_deleted() {
    let env = with_versions();
    env.run(["rm", "plant_classifier@1.9.0", "--yes"]).success();
    for verb in ["pull", "show", "verify"] {
        let said = ["version `1.9.0` of `plant_classifier` was deleted", "[exit status: 3]"];
        says(&env, &[verb, "plant_classifier@1.9.0"], &said);
    }
}

#[test]
fn a_push_says_what_may_not_be_expected_of_it() {
    let env = with_versions();
    env.write("zero.pth", "");
    let still = "`plant_classifier@latest` is still `1.10.0`, which sorts after `1.1.0`";
    let said = ["warning: the model file `zero.pth` is empty", still, "[exit status: 0]"];
    says(&env, &["push", "plant_classifier", "zero.pth", "--version", "1.1.0"], &said);
    says(&env, &["s3", "rm", "s3://models/nope"], &["nothing to delete: s3://models/nope does not exist"]);
}

#[test]
fn a_history_in_a_folder_is_read_like_one_that_is_named() {
    let env = TestEnv::new();
    env.write("run/m.bin", "weights");
    env.write("run/training_history.json", r#"{"val_accuracy": [0.7, 0.9, 0.8]}"#);
    says(&env, &["push", "m", "run", "--version", "1"], &["history: best epoch 2", "[exit status: 0]"]);
    says(&env, &["show", "m@1", "--json"], &["\"best_epoch\": 2"]);
    env.write("run/training_history.json", "it went well");
    let said = ["history: cannot read the training history `training_history.json`", "[exit status: 0]"];
    says(&env, &["push", "m", "run", "--version", "2"], &said);
}
