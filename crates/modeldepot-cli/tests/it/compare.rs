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
    insta::assert_snapshot!(shown, @r"
    ------- stdout -------
    VERSION    m@1.0                    m@2.0
    published  [DATE] UTC  [DATE] UTC
    size       12 B in 3 files          25 B in 3 files

    METADATA      m@1.0               m@2.0
    architecture  resnet18            resnet18            same
    note          -                   \u{1b}[2Jx          differs
    seed          7                   -                   differs
    val_accuracy  0.9475612887137757  0.9475612887137758  differs

    FILE         m@1.0  m@2.0
    config.json  2 B    2 B    same
    model.bin    7 B    14 B   changed
    new.txt      -      9 B    added
    old.txt      3 B    -      removed

    3 differences in the metadata; files: 1 changed, 1 added, 1 removed, 1 same
    [exit status: 0]
    ");
    let stdout = shown.success();
    assert_eq!(env.run(["compare", "m@1.0", "2.0"]).success(), stdout, "the same model");
    assert_eq!(env.run(["compare", "m@1.0"]).success(), stdout, "with the latest");
    assert_eq!(env.run(["compare", "m@1.0", "latest"]).success(), stdout);
}

#[test]
fn versions_of_several_models_may_be_the_same() {
    let env = with_two_versions();
    insta::assert_snapshot!(env.run(["compare", "m@1.0", "other@1.0"]), @r"
    ------- stdout -------
    VERSION    m@1.0                    other@1.0
    published  [DATE] UTC  [DATE] UTC
    size       12 B in 3 files          12 B in 3 files

    METADATA      m@1.0     other@1.0
    architecture  resnet18  resnet18   same
    seed          7         7          same
    val_accuracy  0.947561  0.947561   same

    FILE         m@1.0  other@1.0
    config.json  2 B    2 B        same
    model.bin    7 B    7 B        same
    old.txt      3 B    3 B        same

    identical: metadata and 3 files
    [exit status: 0]
    ");
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
    insta::assert_snapshot!(env.run(["compare", "m@1.0", "3.0"]), @r"
    ------- stderr -------
    error: version `3.0` of `m` does not exist
    hint: there is `m@2.0`; `modeldepot versions m` lists all
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["compare", "ghost@1.0", "m@1.0"]), @r"
    ------- stderr -------
    error: model `ghost` does not exist
    hint: `modeldepot models` lists the models of this bucket
    [exit status: 3]
    ");
}
