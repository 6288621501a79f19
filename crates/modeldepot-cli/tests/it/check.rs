//! `check` and `demo`.

use std::fs;

use crate::environment::{TestEnv, tree};

#[test]
fn a_sound_store() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["check"]), @"");
    assert_eq!(env.keys(), [""; 0], "the check leaves no trace");
    assert_eq!(fs::read_dir(env.tmp()).unwrap().count(), 0);
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1", "--meta", "a=1"]).success();
    insta::assert_snapshot!(env.run(["check", "m@1"]), @"");
    assert_eq!(env.keys(), ["m/v1/m.bin", "m/v1/manifest.json"]);
}

#[test]
fn a_damaged_store_is_checked_to_the_end() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.damage("m/v1/m.bin");
    insta::assert_snapshot!(env.run(["check", "m"]), @"");
    let list = env.run(["check", "m", "--json"]);
    assert_eq!(list.code, Some(7));
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 7);
    assert_eq!(list[2]["error"]["kind"], "corrupt");
}

#[test]
fn a_model_that_does_not_exist() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["check", "ghost"]), @"");
    let closed = TestEnv::without_server("http://127.0.0.1:1");
    insta::assert_snapshot!(closed.run(["check"]), @"");
}

#[test]
fn the_demo_with_a_file_of_ones_own() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    env.write("mine.onnx", "my own weights");
    insta::assert_snapshot!(env.run(["demo", "mine.onnx"]), @"");
    assert_eq!(fs::read_dir(env.tmp()).unwrap().count(), 0, "{:?}", tree(&env.tmp()));
    assert_eq!(tree(&env.folder()), ["mine.onnx"]);
    assert_eq!(env.read("mine.onnx"), b"my own weights");
    insta::assert_snapshot!(env.run(["demo", "nope.onnx"]), @"");
}

#[test]
fn the_demo() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    let told = env.run(["demo", "--json"]).json();
    let steps: Vec<&str> =
        told["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["make", "up", "push", "versions", "show", "pull", "compare", "check", "damage", "pull"]);
    assert_eq!(fs::read_dir(env.tmp()).unwrap().count(), 0, "{:?}", tree(&env.tmp()));
}
