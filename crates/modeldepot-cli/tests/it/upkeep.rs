//! `gc` and `fsck`: orphans and damage.

use crate::environment::TestEnv;

fn with_orphans() -> TestEnv {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("part.bin", "half of the weights");
    env.run(["push", "m", "m.bin", "--version", "2"]).success();
    env.run(["push", "m", "m.bin", "--version", "3"]).success();
    env.run(["rm", "m@3", "--yes"]).success();
    // Orphans of a dead push, an interrupted delete, and another tool's file.
    env.put_own("m/v1/part.bin", "half of the weights");
    env.put_own("m/v1/m.bin", "weights");
    env.run(["s3", "cp", "m.bin", "s3://models/m/v3/m.bin"]).success();
    env.run(["s3", "cp", "m.bin", "s3://models/notes/todo.txt"]).success();
    env
}

#[test]
fn gc_says_what_it_would_do_then_does_it() {
    let env = with_orphans();
    let before = env.all_keys();
    insta::assert_snapshot!(env.run(["gc"]), @r"
    ------- stdout -------
    remaining objects of deleted versions (1)
      m@3  1 file, 7 B, last modified just now
    not created by modeldepot: not deleted (1)
      notes/todo.txt
    kept for now; may be deleted (2)
      m/v1/m.bin  at [DATE] UTC: younger than the grace period
      m/v1/part.bin  at [DATE] UTC: younger than the grace period
    ------- stderr -------
    dry run: nothing was deleted; pass --delete to delete these objects
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["gc", "m", "--grace", "0s"]), @r"
    ------- stdout -------
    orphans of failed pushes (1)
      m@1  2 files, 26 B, last modified just now
    remaining objects of deleted versions (1)
      m@3  1 file, 7 B, last modified just now
    ------- stderr -------
    dry run: nothing was deleted; pass --delete to delete these objects
    [exit status: 0]
    ");
    assert_eq!(env.all_keys(), before, "a dry run changes nothing");
    let plan = env.run(["gc", "--grace", "0s", "--json"]).json();
    assert_eq!((&plan["dry_run"], &plan["removed"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!((&plan["abandoned"][0]["version"], &plan["abandoned"][0]["files"]), (&"1".into(), &2.into()));
    assert_eq!(plan["unknown"][0], "notes/todo.txt");

    insta::assert_snapshot!(env.run(["gc", "--grace", "0s", "--delete"]), @r"
    ------- stdout -------
    orphans of failed pushes (1)
      m@1  2 files, 26 B, last modified just now
    remaining objects of deleted versions (1)
      m@3  1 file, 7 B, last modified just now
    not created by modeldepot: not deleted (1)
      notes/todo.txt
    deleted 3 objects, 33 B; 0 uploads aborted
    names that cannot be used again: m@1
    [exit status: 0]
    ");
    assert_eq!(env.keys(), ["m/v2/m.bin", "m/v2/manifest.json", "notes/todo.txt"]);
    insta::assert_snapshot!(env.run(["gc", "--grace", "0s", "--delete"]), @r"
    ------- stdout -------
    not created by modeldepot: not deleted (1)
      notes/todo.txt
    kept for now; may be deleted (1)
      .depot/uploads/m/1/0192f0c1-0000-7000-8000-000000000000.json  at [DATE] UTC: the program that wrote this record may still be running
    nothing to delete
    [exit status: 0]
    ");
    env.run(["verify", "m@2"]).success();
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1"]), @r"
    ------- stderr -------
    error: version `1` of `m` was deleted, and the name of a deleted version cannot be used again
    hint: choose another --version, or leave it out
    [exit status: 4]
    ");
}

#[test]
fn gc_in_json_says_what_was_removed() {
    let env = with_orphans();
    let done = env.run(["gc", "--grace", "0s", "--delete", "--json"]).json();
    assert_eq!(done["removed"], serde_json::json!({"objects": 3, "bytes": 33, "uploads": 0, "spared": 0}));
    assert_eq!(done["dry_run"], false);
}

#[test]
fn gc_shows_no_more_than_a_screenful_of_what_is_not_ours() {
    let env = TestEnv::new();
    for n in 0..23 {
        env.put(&format!("photo-{n:02}.jpg"), "leaf");
    }
    let shown = env.run(["gc"]).success();
    assert!(shown.contains("photo-19.jpg") && !shown.contains("photo-20.jpg"), "{shown}");
    assert!(shown.contains("… and 3 keys more; --json lists all"), "{shown}");
    insta::assert_snapshot!(env.run(["gc", "--grace", "soon"]), @r"
    ------- stderr -------
    error: invalid value `soon` for `--grace`: use a whole number and a unit: `90s`, `15m`, `1h`, `7d`
    [exit status: 2]
    ");
}

#[test]
fn gc_finds_what_a_doctor_that_died_left() {
    let env = TestEnv::new();
    env.put(".depot/doctor/0192f0c1-0000-7000-8000-000000000000", "x");
    let plan = env.run(["gc", "--grace", "0s", "--json"]).json();
    assert_eq!(plan["unknown"].as_array().unwrap().len(), 0, "{plan}");
    let kept = &plan["kept"][0];
    assert_eq!(
        (&kept["key"], &kept["why"]),
        (&".depot/doctor/0192f0c1-0000-7000-8000-000000000000".into(), &"record".into())
    );
    assert!(kept["until"].as_str().unwrap().ends_with('Z'), "{plan}");
}

fn published() -> TestEnv {
    let env = TestEnv::new();
    env.write("m.bin", "the weights, as they were published");
    env.write("config.json", "{}");
    for version in ["1", "2", "3", "4"] {
        env.run(["push", "m", "m.bin", "--with", "config.json", "--version", version]).success();
    }
    env.run(["push", "other", "m.bin", "--version", "1"]).success();
    env
}

#[test]
fn fsck_finds_every_damage() {
    let env = published();
    insta::assert_snapshot!(env.run(["fsck"]), @r"
    ------- stdout -------
    ✓ complete: 5 versions, 9 files; sizes only, --deep reads the files
    [exit status: 0]
    ");
    env.delete("m/v1/config.json");
    env.put("m/v2/m.bin", "the weights");
    env.put("m/v3/manifest.json", "{\"model_name\": ");
    env.damage("m/v4/m.bin");
    insta::assert_snapshot!(env.run(["fsck", "m"]), @r"
    ------- stdout -------
    ✗ m@1: `config.json` of `m@1` is missing from the bucket
    ✗ m@2: `m.bin` of `m@2` is damaged: the bucket holds 11 bytes where 35 were published
    ✗ m@3: the manifest `m/v3/manifest.json` cannot be used
        caused by: it is not a manifest
        caused by: EOF while parsing a value at line 1 column 15
    3 of 4 versions damaged; 6 files; sizes only, --deep reads the files
    ------- stderr -------
    error: 3 faults found
    hint: do not use damaged versions; publish them again under a new version and delete the old one with `modeldepot rm`
    [exit status: 7]
    ");
    insta::assert_snapshot!(env.run(["fsck", "--deep"]), @r"
    ------- stdout -------
    ✗ m@1: `config.json` of `m@1` is missing from the bucket
    ✗ m@2: `m.bin` of `m@2` is damaged: the bucket holds 11 bytes where 35 were published
    ✗ m@3: the manifest `m/v3/manifest.json` cannot be used
        caused by: it is not a manifest
        caused by: EOF while parsing a value at line 1 column 15
    ✗ m@4: `m.bin` of `m@4` is damaged: its BLAKE3 is 4843438ad84d4967c85729b35b130456951f26225cceabb90a67887fc40b9bdd where d5e554664a052cc7652ad6890ae56a4135f9c703af34559fe5e24a971ef7d890 was published
    4 of 5 versions damaged; 7 files, 72 B read in [TIME]
    ------- stderr -------
    error: 4 faults found
    hint: do not use damaged versions; publish them again under a new version and delete the old one with `modeldepot rm`
    [exit status: 7]
    ");
    let report = env.run(["fsck", "--deep", "--json"]);
    assert_eq!(report.code, Some(7), "{report}");
    let told: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!((&told["versions"], &told["damaged_versions"]), (&5.into(), &4.into()));
    assert_eq!(told["faults"][0]["kind"], "corrupt");
    insta::assert_snapshot!(env.run(["fsck", "other", "--deep"]), @r"
    ------- stdout -------
    ✓ intact: 1 version, 1 file, 35 B read in [TIME]
    [exit status: 0]
    ");
}

#[test]
fn a_version_that_lost_its_manifest_is_kept_and_named() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["fsck"]), @r"
    ------- stdout -------
    no versions
    [exit status: 0]
    ");
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.delete("m/v1/manifest.json");
    insta::assert_snapshot!(env.run(["fsck"]), @r"
    ------- stdout -------
    ✗ m@1: the manifest of `m@1` is missing from the bucket; files of it are there
    1 of 1 version damaged; 1 file; sizes only, --deep reads the files
    ------- stderr -------
    error: 1 fault found
    hint: to restore a missing manifest, push the same files under the same version again
    [exit status: 7]
    ");
    insta::assert_snapshot!(env.run(["gc", "--grace", "0s", "--delete"]), @r"
    ------- stdout -------
    published, but the manifest is missing: not deleted (1)
      m@1  1 file, 7 B, last modified just now
    nothing to delete
    [exit status: 0]
    ");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.run(["verify", "m@1"]).success();
}

#[test]
fn fsck_knows_a_newer_layout_from_damage() {
    let env = published();
    let text = String::from_utf8(env.get("m/v1/manifest.json")).unwrap();
    env.put("m/v1/manifest.json", text.replace("\"format_version\": 1", "\"format_version\": 9"));
    insta::assert_snapshot!(env.run(["fsck"]), @r"
    ------- stdout -------
    ✗ m@1: the manifest `m/v1/manifest.json` cannot be used
        caused by: it is written in format 9, newer than the 1 that this program supports
    1 of 5 versions damaged; 7 files; sizes only, --deep reads the files
    ------- stderr -------
    error: 1 fault found
    [exit status: 2]
    ");
}
