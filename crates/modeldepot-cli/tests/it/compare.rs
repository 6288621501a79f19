//! `compare`: two versions side by side.

use crate::environment::TestEnv;

fn with_two_versions() -> TestEnv {
    let env = TestEnv::new();
    env.write("one/model.bin", "weights");
    env.write("one/config.json", "{}");
    env.write("one/old.txt", "old");
    env.write("two/model.bin", "better weights");
    env.write("two/config.json", "{}");
    env.write("two/new.txt", "brand new");
    let one = ["--meta", "architecture=resnet18", "--meta", "val_accuracy=0.9475612887137757", "--meta", "seed=7"];
    let two =
        ["--meta", "architecture=resnet18", "--meta", "val_accuracy=0.9475612887137758", "--meta", "note=\u{1b}[2Jx"];
    env.run([["push", "m", "one", "--version", "1.0"].as_slice(), &one].concat()).success();
    env.run([["push", "m", "two", "--version", "2.0"].as_slice(), &two].concat()).success();
    env.run([["push", "other", "one", "--version", "1.0"].as_slice(), &one].concat()).success();
    env
}

#[test]
fn what_differs_is_marked() {
    let env = with_two_versions();
    let shown = env.run(["compare", "m@1.0", "m@2.0"]);
    insta::assert_snapshot!(shown, @"");
    let stdout = shown.success();
    assert_eq!(env.run(["compare", "m@1.0", "2.0"]).success(), stdout, "the same model");
    assert_eq!(env.run(["compare", "m@1.0"]).success(), stdout, "with the latest");
    assert_eq!(env.run(["compare", "m@1.0", "latest"]).success(), stdout);
}

#[test]
fn versions_of_several_models_may_be_the_same() {
    let env = with_two_versions();
    insta::assert_snapshot!(env.run(["compare", "m@1.0", "other@1.0"]), @"");
}

#[test]
fn in_json() {
    let env = with_two_versions();
    let told = env.run(["compare", "m@1.0", "2.0", "--json"]).json();
    assert_eq!(told["versions"], serde_json::json!(["m@1.0", "m@2.0"]));
    assert_eq!(told["sizes"], serde_json::json!([12, 25]));
    assert_eq!(
        told["metadata"]["val_accuracy"],
        serde_json::json!({"values": [0.9475612887137757, 0.9475612887137758], "differs": true})
    );
    assert_eq!(told["metadata"]["seed"], serde_json::json!({"values": [7, null], "differs": true}));
    assert_eq!(told["metadata"]["architecture"]["differs"], false);
    let states = ["config.json", "model.bin", "new.txt", "old.txt"].map(|path| told["files"][path]["state"].clone());
    assert_eq!(states, ["same", "changed", "added", "removed"]);
    assert_eq!(told["files"]["new.txt"]["files"][0], serde_json::Value::Null);
}

#[test]
fn versions_that_do_not_exist() {
    let env = with_two_versions();
    insta::assert_snapshot!(env.run(["compare", "m@1.0", "3.0"]), @"");
    insta::assert_snapshot!(env.run(["compare", "ghost@1.0", "m@1.0"]), @"");
}
