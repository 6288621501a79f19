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
    insta::assert_snapshot!(env.run(["models"]), @"");
    insta::assert_snapshot!(env.run(["versions", "plant_classifier"]), @"");
}

#[test]
fn an_empty_store_says_how_to_begin() {
    insta::assert_snapshot!(TestEnv::new().run(["models"]), @"");
}

#[test]
fn names_that_do_not_exist() {
    let env = with_versions();
    insta::assert_snapshot!(env.run(["pull", "plant_clasifier"]), @"");
    insta::assert_snapshot!(env.run(["versions", "zebra"]), @"");
    insta::assert_snapshot!(env.run(["show", "plant_classifier@1.9.1"]), @"");
    insta::assert_snapshot!(env.run(["verify", "plant_classifier@nightly"]), @"");
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@2", "--yes"]), @"");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--file", "m.bim"]), @"");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--file", "zzz"]), @"");
    assert!(!env.path("plant_classifier").exists(), "a pull of nothing leaves no folder");
}

#[test]
fn pushing_the_same_again_is_success() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1", "--meta", "lr=0.1"]).success();
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1", "--meta", "lr=0.1"]), @"");
}

#[test]
fn pushing_other_content_is_a_conflict_and_changes_nothing() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let before = (env.keys(), env.get("m/v1/m.bin"), env.get("m/v1/manifest.json"));
    env.write("m.bin", "WEIGHTS");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1"]), @"");
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
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@1.9.0"]), @"");
    assert_eq!(env.keys(), before);
    insta::assert_snapshot!(env.run(["rm", "plant_classifier"]), @"");
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@1.9.0", "--yes"]), @"");
    insta::assert_snapshot!(env.run(["rm", "plant_classifier@1.9.0", "--yes"]), @"");
    insta::assert_snapshot!(env.run(["push", "plant_classifier", "m.bin", "--version", "1.9.0"]), @"");
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
    insta::assert_snapshot!(env.run(["url", "plant_classifier@1.9.0", "--file", "m.bin", "--put"]), @"");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--file", "m.bin", "--put"]), @"");
    insta::assert_snapshot!(env.run(["url", "plant_classifier@2", "--put"]), @"");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--expires", "8d"]), @"");
    insta::assert_snapshot!(env.run(["url", "plant_classifier", "--expires", "1w"]), @"");
}
