//! Objects that modeldepot did not create are kept and listed; files removed by others are noticed.

use crate::environment::TestEnv;

fn published(version: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write("w.bin", "weights");
    env.write("h.json", "{}");
    env.put(&format!("resnet/v{version}/notes.onnx"), "somebody's");
    env
}

#[test]
fn gc_lists_what_it_did_not_make_and_leaves_it() {
    let env = TestEnv::new();
    env.put("resnet/v1/model.onnx", "made by hand");
    insta::assert_snapshot!(env.run(["gc", "--grace", "0s", "--delete"]), @r"
    ------- stdout -------
    under a version, but not created by modeldepot: not deleted (1)
      resnet@1  1 file, 12 B, last modified just now
    nothing to delete
    [exit status: 0]
    ");
    assert_eq!(env.all_keys(), ["resnet/v1/model.onnx"]);
    let plan = env.run(["gc", "--grace", "0s", "--json"]).json();
    assert_eq!(plan["foreign"][0]["keys"][0], "resnet/v1/model.onnx");
}

#[test]
fn a_version_has_its_own_files_whatever_lies_beside_them() {
    let env = published("1");
    insta::assert_snapshot!(env.run(["push", "resnet", "w.bin", "--version", "1"]), @r"
    ------- stdout -------
    resnet@1
    ------- stderr -------
    published 1 file, 7 B in [TIME]
    warning: 1 object under `resnet/v1/` that modeldepot did not create, not part of the version: `notes.onnx`
    [exit status: 0]
    ");
    let again = env.run(["push", "resnet", "w.bin", "--version", "1", "--json"]).json();
    assert_eq!(again["foreign"], serde_json::json!({"objects": 1, "bytes": 10, "paths": ["notes.onnx"]}));
    insta::assert_snapshot!(env.run(["versions", "resnet"]), @r"
    ------- stdout -------
    VERSION  FILES  SIZE  PUBLISHED
    1            1   7 B  [DATE] UTC  latest
    [exit status: 0]
    ");
    assert_eq!(env.run(["show", "resnet", "--json"]).json()["files"].as_array().unwrap().len(), 1);
    assert_eq!(env.run(["models", "--json"]).json()[0]["size"], 7);
    env.run(["pull", "resnet", "out"]).success();
    insta::assert_snapshot!(env.run(["rm", "resnet@1", "--yes"]), @r"
    ------- stdout -------
    deleted resnet@1: 1 file, 7 B
    ------- stderr -------
    kept 1 object under `resnet/v1/` that modeldepot did not create: `notes.onnx`
    [exit status: 0]
    ");
    let again = env.run(["rm", "resnet@1", "--yes", "--json"]).json();
    assert_eq!((&again["files"], &again["foreign"]["paths"][0]), (&0.into(), &"notes.onnx".into()));
    assert_eq!(env.keys(), ["resnet/v1/notes.onnx"]);
    insta::assert_snapshot!(env.run(["versions", "resnet"]), @r"
    ------- stderr -------
    all versions of `resnet` were deleted
    [exit status: 0]
    ");
    assert_eq!(env.run(["versions", "resnet", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn another_tools_object_is_never_replaced() {
    let env = published("1");
    env.put("resnet/v1/w.bin", "of another tool");
    insta::assert_snapshot!(env.run(["push", "resnet", "w.bin", "--version", "1"]), @r"
    ------- stderr -------
    error: `w.bin` of `resnet@1` is another tool's object, and not the file that this push would store there
    hint: move that object away, or choose another --version
    [exit status: 4]
    ");
}

#[test]
fn plain_verbs_leave_published_versions_alone() {
    let env = published("1");
    env.run(["push", "resnet", "w.bin", "--version", "1"]).success();
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://models/resnet/v1/w.bin"]), @r"
    ------- stderr -------
    error: `resnet/v1/w.bin` belongs to `resnet@1`, and a published version never changes
    hint: `modeldepot rm resnet@1` deletes the whole version; or pass --force to change this object anyway
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "h.json", "s3://models/resnet/v1/w.bin"]), @r"
    ------- stderr -------
    error: `resnet/v1/w.bin` belongs to `resnet@1`, and a published version never changes
    hint: `modeldepot rm resnet@1` deletes the whole version; or pass --force to change this object anyway
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://models/.depot/tombstones/resnet/1.json"]), @r"
    ------- stderr -------
    error: `.depot/tombstones/resnet/1.json` is a record that modeldepot keeps
    hint: leave it where it is; `modeldepot gc` removes records that are no longer needed; or pass --force to change this object anyway
    [exit status: 4]
    ");
    for refused in [
        ["s3", "cp", "h.json", "s3://models/resnet/v1/"],
        ["s3", "rm", "s3://models/resnet/v1/manifest.json", "--json"],
        ["s3", "url", "s3://models/resnet/v1/w.bin", "--put"],
    ] {
        assert_eq!(env.run(refused).code, Some(4), "{refused:?}");
    }
    env.run(["verify", "resnet"]).success();
    // Objects that are not part of the version can be deleted.
    env.run(["s3", "rm", "s3://models/resnet/v1/notes.onnx"]).success();
    env.run(["s3", "cp", "h.json", "s3://models/resnet/v1/w.bin", "--force"]).success();
    env.run(["s3", "url", "s3://models/resnet/v1/w.bin", "--put", "--force"]).success();
    env.run(["s3", "rm", "s3://models/resnet/v1/w.bin", "--force"]).success();
}

#[test]
fn a_manifest_that_modeldepot_did_not_write_is_left() {
    let env = TestEnv::new();
    env.put("webapp/v1/manifest.json", r#"{"name": "My PWA"}"#);
    env.put("webapp/v1/icon.png", "icon");
    insta::assert_snapshot!(env.run(["rm", "webapp@1", "--yes"]), @r"
    ------- stderr -------
    error: `webapp@1` was not published by modeldepot: its `manifest.json` belongs to another tool
    hint: nothing was deleted; `modeldepot s3 rm` deletes objects under `webapp/v1/` one by one
    [exit status: 4]
    ");
    assert_eq!(env.all_keys(), ["webapp/v1/icon.png", "webapp/v1/manifest.json"]);
    env.run(["s3", "rm", "s3://models/webapp/v1/manifest.json"]).success();
}

#[test]
fn unknown_models_are_not_in_order() {
    let env = published("1");
    env.run(["push", "resnet", "w.bin", "--version", "1"]).success();
    insta::assert_snapshot!(env.run(["fsck", "resnett"]), @r"
    ------- stderr -------
    error: model `resnett` does not exist
    hint: did you mean `resnet`?
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["gc", "nope"]), @r"
    ------- stderr -------
    error: model `nope` does not exist
    hint: `modeldepot models` lists the models of this bucket
    [exit status: 3]
    ");
}

#[test]
fn missing_files_are_noticed() {
    let env = TestEnv::new();
    env.write("w.bin", "weights");
    env.write("h.json", "{}");
    for version in ["1", "2", "3"] {
        env.run(["push", "resnet", "w.bin", "--with", "h.json", "--version", version]).success();
    }
    for key in ["resnet/v1/w.bin", "resnet/v1/h.json", "resnet/v3/h.json"] {
        env.delete(key);
    }
    insta::assert_snapshot!(env.run(["versions", "resnet"]), @r"
    ------- stdout -------
    VERSION  FILES  SIZE  PUBLISHED
    1            0   0 B  [DATE] UTC  damaged
    2            2   9 B  [DATE] UTC
    3            2   9 B  [DATE] UTC  latest, damaged
    ------- stderr -------
    warning: 2 versions damaged; `modeldepot fsck resnet` shows the damage
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["models"]), @r"
    ------- stdout -------
    MODEL   LATEST  VERSIONS  SIZE  PUBLISHED
    resnet  3              3  18 B  [DATE] UTC  latest and 1 more damaged
    ------- stderr -------
    warning: 2 versions damaged; `modeldepot fsck` shows the damage
    [exit status: 0]
    ");
    let versions = env.run(["versions", "resnet", "--json"]).json();
    assert_eq!((&versions[1]["damaged"], &versions[2]["damaged"]), (&false.into(), &true.into()));
    insta::assert_snapshot!(env.run(["pull", "resnet", "out"]), @r"
    ------- stderr -------
    error: `h.json` of `resnet@3` is missing from the bucket
    hint: use another version (`modeldepot versions resnet` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(env.run(["pull", "resnet@1", "out"]), @r"
    ------- stderr -------
    error: `h.json`, `w.bin` of `resnet@1` are missing from the bucket
    hint: use another version (`modeldepot versions resnet` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    let shown = env.run(["show", "resnet"]);
    assert!(shown.stderr.contains("warning: `h.json` of `resnet@3` is missing from the bucket"), "{shown}");
    assert_eq!(env.run(["show", "resnet", "--json"]).json()["damaged"][0]["path"], "h.json");
}

#[test]
fn a_delete_in_a_bucket_that_keeps_versions_says_that_the_bytes_stay() {
    let env = published("1");
    env.keep_versions();
    env.run(["push", "resnet", "w.bin", "--version", "1"]).success();
    env.run(["push", "resnet", "w.bin", "--version", "2"]).success();
    insta::assert_snapshot!(env.run(["rm", "resnet@2", "--yes"]), @r"
    ------- stdout -------
    deleted resnet@2: 1 file, 7 B
    ------- stderr -------
    bucket `models` keeps versions: the bytes stay on the server as noncurrent versions until a lifecycle rule or an administrator deletes them
    [exit status: 0]
    ");
    let removed = env.run(["rm", "resnet@1", "--yes", "--json"]).json();
    assert_eq!(removed["kept_as_versions"], true);
    env.put_own("resnet/v3/w.bin", "of a push that died");
    let collected = env.run(["gc", "--grace", "0s", "--delete", "--json"]).json();
    assert_eq!((&collected["removed"]["bytes"], &collected["kept_as_versions"]), (&19.into(), &true.into()));
    let nothing = env.run(["gc", "--grace", "0s", "--delete", "--json"]).json();
    assert_eq!(nothing["kept_as_versions"], false, "nothing was deleted");
}
