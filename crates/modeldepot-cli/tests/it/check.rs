//! `check` and `demo`.

use std::fs;

use modeldepot_embedded::{Fault, Faults};

use crate::environment::{TestEnv, tree};

#[test]
fn a_sound_store() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["check"]), @r"
    ------- stdout -------
    ✓ list versions   1 version [TIME]
    ✓ latest version  [VERSION] [TIME]
    ✓ download        2 files, 262.2 kB at [RATE] [TIME]
    ✓ files           complete with the right sizes, model file model.bin [TIME]
    ✓ manifest        valid, MD5 027289358fe63d31d65b662e5276e344, 1 metadata field [TIME]
    ✓ S3 methods      bucket and object exist, metadata, presigned URL answered 206 [TIME]
    ✓ list objects    3 objects, including every file and the manifest [TIME]
    [exit status: 0]
    ");
    let records = env.all_keys().into_iter().filter(|key| key != ".depot/probe.json").collect::<Vec<_>>();
    assert_eq!(records, [""; 0], "all that stays is what was found out about the server");
    assert_eq!(fs::read_dir(env.tmp()).unwrap().count(), 0);
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1", "--meta", "a=1"]).success();
    insta::assert_snapshot!(env.run(["check", "m@1"]), @r"
    ------- stdout -------
    ✓ list versions   1 version [TIME]
    ✓ latest version  1 [TIME]
    ✓ download        1 file, 7 B at [RATE] [TIME]
    ✓ files           complete with the right sizes, model file m.bin [TIME]
    ✓ manifest        valid, MD5 63f4f1e9b725370f459720575cd5f953, 1 metadata field [TIME]
    ✓ S3 methods      bucket and object exist, metadata, presigned URL answered 206 [TIME]
    ✓ list objects    2 objects, including every file and the manifest [TIME]
    [exit status: 0]
    ");
    assert_eq!(env.keys(), ["m/v1/m.bin", "m/v1/manifest.json"]);
}

#[test]
fn a_damaged_store_is_checked_to_the_end() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.damage("m/v1/m.bin");
    insta::assert_snapshot!(env.run(["check", "m"]), @r"
    ------- stdout -------
    ✓ list versions   1 version [TIME]
    ✓ latest version  1 [TIME]
    ✗ download        `m.bin` of `m@1` is damaged: its BLAKE3 is adb3c45f4a5d5fb6c2f89e8266624c6e8b9032d566f5f6109ab92506efc464da where 3edc5c4a5df8c79ef4f8dbdc373cd21ca041ccf39fe5693250d004092094dc4a was published [TIME]
                      hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    - files           skipped: an earlier check failed
    ✓ manifest        valid, MD5 63f4f1e9b725370f459720575cd5f953, 0 metadata fields [TIME]
    ✓ S3 methods      bucket and object exist, metadata, presigned URL answered 206 [TIME]
    ✓ list objects    2 objects, including every file and the manifest [TIME]
    ------- stderr -------
    error: 1 of 7 checks failed
    [exit status: 7]
    ");
    let list = env.run(["check", "m", "--json"]);
    assert_eq!(list.code, Some(7));
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 7);
    assert_eq!(list[2]["error"]["kind"], "corrupt");
}

#[test]
fn a_presigned_url_that_does_not_work() {
    // Nothing else asks for a single byte.
    let env = TestEnv::failing(Faults::new(1).with(Fault::Unavailable, 1.0).only("bytes=0-0"));
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let ended = env.run(["check", "m", "--timeout", "2s"]);
    assert!(!ended.to_string().contains("X-Amz-"), "the URL is a permission: {ended}");
    insta::assert_snapshot!(ended, @r"
    ------- stdout -------
    ✓ list versions   1 version [TIME]
    ✓ latest version  1 [TIME]
    ✓ download        1 file, 7 B at [RATE] [TIME]
    ✓ files           complete with the right sizes, model file m.bin [TIME]
    ✓ manifest        valid, MD5 63f4f1e9b725370f459720575cd5f953, 0 metadata fields [TIME]
    ✗ S3 methods      `$ENDPOINT` failed to fetch by presigned URL `m/v1/m.bin` in bucket `models` [TIME]
                      caused by: ServiceUnavailable: Please try again.
                      hint: try again; a push or pull can be repeated safely
    ✓ list objects    2 objects, including every file and the manifest [TIME]
    ------- stderr -------
    error: 1 of 7 checks failed
    [exit status: 6]
    ");
}

#[test]
fn an_empty_file_has_no_first_byte() {
    let env = TestEnv::new();
    env.write("m.bin", "");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let told = env.run(["check", "m"]).success();
    assert!(told.contains("presigned URL not tested: the file is empty"), "{told}");
}

#[test]
fn a_model_that_does_not_exist() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["check", "ghost"]), @r"
    ------- stdout -------
    ✗ list versions   model `ghost` does not exist [TIME]
                      hint: `modeldepot models` lists the models of this bucket
    ✗ latest version  model `ghost` does not exist [TIME]
                      hint: `modeldepot models` lists the models of this bucket
    - download        skipped: an earlier check failed
    - files           skipped: an earlier check failed
    - manifest        skipped: an earlier check failed
    - S3 methods      skipped: an earlier check failed
    - list objects    skipped: an earlier check failed
    ------- stderr -------
    error: 2 of 7 checks failed
    [exit status: 3]
    ");
    let closed = TestEnv::without_server("http://127.0.0.1:1");
    insta::assert_snapshot!(closed.run(["check"]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: Connection refused (os error 111)
    hint: nothing is listening on port 1: check the port, or start a server with `modeldepot up`
    [exit status: 6]
    ");
}

#[test]
fn the_demo_with_a_file_of_ones_own() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    env.write("mine.onnx", "my own weights");
    // The demo ignores the user's settings, even broken ones.
    env.write(".env", "not a variable");
    insta::assert_snapshot!(env.run(["demo", "mine.onnx"]), @r"
    ------- stdout -------
    modeldepot demo: mine.onnx on an embedded S3 server
    Your file is only read; copies are made in a temporary folder.

    ✓ up       S3 server on http://127.0.0.1:[PORT], three buckets ([TIME])
    ✓ push     plant_classifier@[VERSION]: 1 file, 14 B ([TIME], [RATE])
    ✓ versions 1 version: [VERSION] ([TIME])
    ✓ show     the manifest: ([TIME])
        plant_classifier@[VERSION]
        published  [DATE] UTC (just now)
        tool       modeldepot 0.1.0
        size       14 B in 1 file
        url        http://127.0.0.1:[PORT]/models/plant_classifier/v[VERSION]/mine.onnx
        checksum   15512197846d0c12099ce942c08785ce (MD5 of the model file)

        files
          14 B  mine.onnx  (model file)
                blake3 063b689d200c16270d8f2d97c7eba23310710dd0e9e4108b5e41a9bd6a67510f
                md5    15512197846d0c12099ce942c08785ce
    ✓ pull     1 file, 14 B, every BLAKE3 matches ([TIME], [RATE])
    ✓ compare  identical to the pushed files ([TIME], [RATE])
    ✓ check    7 of 7: list versions, latest version, download, files, manifest, S3 methods, list objects ([TIME])
    ✓ damage   one byte of mine.onnx on the server's disk: 0x77 is now 0x76 ([TIME])
    ✓ pull     refused with exit status 7, no file written: mine.onnx is damaged ([TIME])
        BLAKE3 published  063b689d200c16270d8f2d97c7eba23310710dd0e9e4108b5e41a9bd6a67510f
        BLAKE3 found      3c590431dfc306587c62927a2bcdcbe8fadba2972727d2e6dcd0f8cc2bd78bf9

    Finished in [TIME]; all files were deleted.

    Try it yourself:
      modeldepot up                    start the S3 server and leave it running
      modeldepot push my_model PATH    publish a file or folder, in another terminal
      modeldepot pull my_model         fetch the latest version and verify it
      modeldepot --help                everything else
    [exit status: 0]
    ");
    assert_eq!(fs::read_dir(env.tmp()).unwrap().count(), 0, "{:?}", tree(&env.tmp()));
    assert_eq!(tree(&env.folder()), [".env", "mine.onnx"]);
    assert_eq!(env.read("mine.onnx"), b"my own weights");
    insta::assert_snapshot!(env.run(["demo", "mime.onnx"]), @r"
    ------- stderr -------
    error: `mime.onnx` does not exist
    hint: did you mean `mine.onnx`?
    [exit status: 2]
    ");
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
