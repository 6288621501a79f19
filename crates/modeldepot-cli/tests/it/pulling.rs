//! What a pull does to a folder, and what it reports.
#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use crate::environment::{TestEnv, tree};

#[test]
fn fewer_shards_take_the_place_of_more() {
    let env = TestEnv::new();
    for (version, shards) in [("1", 3), ("2", 2)] {
        for shard in 1..=shards {
            env.write(&format!("v{version}/model-{shard}-of-{shards}.bin"), format!("{version} {shard}"));
        }
        env.run(["push", "m", &format!("v{version}"), "--version", version]).success();
    }
    env.run(["pull", "m@1", "out"]).success();
    env.write("out/notes.txt", "mine");
    env.write("out/model-3-of-3.bin", "mine by now");
    insta::assert_snapshot!(env.run(["pull", "m@2", "out"]), @r"
    ------- stdout -------
    out/model-1-of-2.bin
    ------- stderr -------
    fetched and verified m@2: 2 files, 6 B in [TIME]
    deleted 2 files of an earlier version
    kept `model-3-of-3.bin`: modified since an earlier pull
    [exit status: 0]
    ");
    assert_eq!(
        tree(&env.path("out")),
        ["manifest.json", "model-1-of-2.bin", "model-2-of-2.bin", "model-3-of-3.bin", "notes.txt"]
    );
    let json = env.run(["pull", "m@1", "other", "--json"]).json();
    assert_eq!((&json["removed_files"], &json["verified"]), (&0.into(), &true.into()));
    let json = env.run(["pull", "m@2", "other", "--json"]).json();
    assert_eq!((&json["removed_files"], &json["left_files"]), (&3.into(), &serde_json::json!([])));
}

#[test]
fn files_of_the_user_are_not_replaced() {
    let env = TestEnv::new();
    env.write("m/model.bin", "weights");
    env.write("m/train.py", "theirs");
    env.write("m/pipe", "bytes");
    env.run(["push", "m", "m", "--version", "1"]).success();
    env.write("out/train.py", "mine");
    assert!(Command::new("mkfifo").arg(env.path("out/pipe")).status().unwrap().success());
    insta::assert_snapshot!(env.run(["pull", "m", "out"]), @r"
    ------- stderr -------
    error: cannot pull into `out`: `pipe` is not a regular file; `train.py` is not from an earlier pull, or was changed since
    hint: pull into another folder, or pass --force to overwrite these files
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["pull", "m", "out", "--json"]), @r#"
    ------- stderr -------
    {"error":{"kind":"conflict","message":"cannot pull into `out`: `pipe` is not a regular file; `train.py` is not from an earlier pull, or was changed since","causes":[],"hint":"pull into another folder, or pass --force to overwrite these files","exit":4}}
    [exit status: 4]
    "#);
    assert_eq!(env.read("out/train.py"), b"mine");
    assert_eq!(tree(&env.path("out")), ["pipe", "train.py"]);
    insta::assert_snapshot!(env.run(["pull", "m", "out", "--force"]), @r"
    ------- stdout -------
    out/model.bin
    ------- stderr -------
    fetched and verified m@1: 3 files, 18 B in [TIME]
    [exit status: 0]
    ");
    assert_eq!(env.read("out/train.py"), b"theirs");
    // Something that no flag overwrites.
    env.write("folder/model.bin/x", "mine");
    insta::assert_snapshot!(env.run(["pull", "m", "folder"]), @r"
    ------- stderr -------
    error: cannot pull into `folder`: `model.bin` is a folder, and a file in the version
    hint: pull into another folder, or move these files away
    [exit status: 4]
    ");
    // Only the first few are named.
    for n in 0..9 {
        env.write(&format!("many/{n}.bin"), [n]);
        env.write(&format!("here/{n}.bin"), [n + 1]);
    }
    env.run(["push", "many", "many", "--version", "1"]).success();
    insta::assert_snapshot!(env.run(["pull", "many", "here"]), @r"
    ------- stderr -------
    error: cannot pull into `here`: `0.bin`, `1.bin`, `2.bin`, `3.bin`, `4.bin` and 4 more are not from an earlier pull, or were changed since
    hint: pull into another folder, or pass --force to overwrite these files
    [exit status: 4]
    ");
}

#[test]
fn a_folder_holds_one_model() {
    let env = TestEnv::new();
    env.write("best_model.pth", "weights");
    for model in ["cats", "dogs"] {
        env.run(["push", model, "best_model.pth", "--version", "1"]).success();
    }
    env.run(["pull", "cats", "out"]).success();
    insta::assert_snapshot!(env.run(["pull", "dogs", "out"]), @r"
    ------- stderr -------
    error: `out` holds the model `cats`, not `dogs`
    hint: pull into another folder, or pass --force to overwrite these files
    [exit status: 4]
    ");
    env.write("other/manifest.json", "{}");
    insta::assert_snapshot!(env.run(["pull", "dogs", "other"]), @r"
    ------- stderr -------
    error: cannot pull into `other`: `manifest.json` was not written by modeldepot
    hint: pull into another folder, or pass --force to overwrite these files
    [exit status: 4]
    ");
}

/// Three lines of JSON can create such a version.
#[test]
fn what_has_no_digest_is_not_called_verified() {
    let env = TestEnv::new();
    env.put("m/v1/model.onnx", "weights");
    env.put("m/v1/labels.txt", "cat");
    env.put("m/v1/manifest.json", r#"{"model_name": "m", "version": "1", "model_file": "m/v1/model.onnx"}"#);
    insta::assert_snapshot!(env.run(["verify", "m"]), @r"
    ------- stdout -------
    not verified m@1: 0 of 2 files verified, 10 B in [TIME]
    ------- stderr -------
    error: `m@1` has files without a published digest: `labels.txt`, `model.onnx`
    hint: publish the model again to have a digest of every file
    [exit status: 9]
    ");
    insta::assert_snapshot!(env.run(["pull", "m", "--require-digests"]), @r"
    ------- stderr -------
    error: `m@1` has files without a published digest: `labels.txt`, `model.onnx`
    hint: publish the model again to have a digest of every file
    [exit status: 9]
    ");
    assert!(!env.path("m").exists());
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stdout -------
    m/model.onnx
    ------- stderr -------
    fetched m@1: 2 files, 10 B in [TIME]; 2 files not verified
    without a published digest: `labels.txt`, `model.onnx`
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["check", "m"]), @r"
    ------- stdout -------
    ✓ list versions   1 version [TIME]
    ✓ latest version  1 [TIME]
    ✓ download        2 files, 10 B at [RATE], 2 files not verified: no published digest [TIME]
    ✓ files           complete with the right sizes, model file model.onnx [TIME]
    ✓ manifest        valid, no MD5, 0 metadata fields [TIME]
    ✓ S3 methods      bucket and object exist, metadata, presigned URL answered 206 [TIME]
    ✓ list objects    3 objects, including every file and the manifest [TIME]
    [exit status: 0]
    ");
    let json = env.run(["pull", "m", "--json"]).json();
    assert_eq!(json["verified"], false);
    assert_eq!(json["unverified_files"], serde_json::json!(["labels.txt", "model.onnx"]));
    insta::assert_snapshot!(env.run(["fsck", "--deep"]), @r"
    ------- stdout -------
    ✓ complete: 1 version, 2 files, 10 B read in [TIME]
    ! 2 files without a published digest: not verified
    [exit status: 0]
    ");
    let checksum = r#"{"model_name": "m", "version": "1", "model_file": "m/v1/model.onnx", "checksum": "63f4f1e9b725370f459720575cd5f953"}"#;
    env.put("m/v1/manifest.json", checksum);
    let run = env.run(["verify", "m", "--json"]);
    assert_eq!(run.code, Some(9), "{run}");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&json["intact"], &json["unverified"], &json["files"]), (&false.into(), &1.into(), &2.into()));
    env.delete("m/v1/labels.txt");
    assert_eq!(env.run(["verify", "m", "--json"]).json()["intact"], true);
}

/// Any number of files, with few descriptors.
#[test]
fn descriptors_are_bounded() {
    let env = TestEnv::new();
    for n in 0..70u8 {
        let mut content = vec![n; (8 << 20) + 1];
        content[..8].copy_from_slice(&u64::from(n).to_le_bytes());
        env.write(&format!("m/{n:02}.bin"), content);
    }
    env.run(["push", "m", "m", "--version", "1"]).success();
    let with_few = |args: &[&str]| {
        let plain = env.command([""; 0]);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(args);
        command.current_dir(env.folder());
        for name in ["S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        env.output(command)
    };
    with_few(&["pull", "m", "out"]).success();
    with_few(&["verify", "m"]).success();
    assert_eq!(tree(&env.path("out")).len(), 71);
    // With a file of an older version next to each.
    for n in 0..70u8 {
        env.write(&format!("m/{n:02}.bin"), vec![n; (8 << 20) + 2]);
    }
    with_few(&["push", "m", "m", "--version", "2"]).success();
    with_few(&["pull", "m@2", "out"]).success();
    assert!(env.read("out/69.bin") == vec![69; (8 << 20) + 2]);
}

#[test]
fn a_read_only_folder_that_is_complete_is_success() {
    let isolation = ["-m", "-rm"].into_iter().find(|flags| {
        let mount = "mount -t tmpfs -o size=1m none /tmp";
        Command::new("unshare").args([flags, "sh", "-c", mount]).output().is_ok_and(|run| run.status.success())
    });
    let Some(isolation) = isolation else {
        assert!(std::env::var_os("CI").is_none(), "nobody here may mount a file system");
        eprintln!("not run: nobody here may mount a file system");
        return;
    };
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.run(["pull", "m", "mount"]).success();
    let read_only = |args: &str| {
        let script = format!("mount --bind mount mount && mount -o remount,ro,bind mount && exec \"$0\" pull {args}");
        let plain = env.command([""; 0]);
        let mut command = Command::new("unshare");
        command.args([isolation, "sh", "-c", &script]).arg(plain.get_program()).current_dir(env.folder());
        command.env_remove("S3_ACCESS_KEY").env_remove("AWS_ACCESS_KEY_ID").env_remove("NO_COLOR");
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        env.output(command)
    };
    insta::assert_snapshot!(read_only("m mount"), @r"
    ------- stdout -------
    mount/m.bin
    ------- stderr -------
    fetched and verified m@1: 1 file, 7 B in [TIME]
    nothing was transferred: 7 B reused from the folder
    [exit status: 0]
    ");
    env.write("m.bin", "other weights");
    env.run(["push", "m", "m.bin", "--version", "2"]).success();
    insta::assert_snapshot!(read_only("m mount"), @r"
    ------- stderr -------
    error: cannot write a file in `mount`
    caused by: Read-only file system (os error 30)
    hint: use a folder that can be written to
    [exit status: 8]
    ");
}

#[test]
fn an_object_is_not_put_in_place_of_a_device() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    assert!(Command::new("mkfifo").arg(env.path("pipe")).status().unwrap().success());
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://models/m/v1/m.bin", "pipe"]), @r"
    ------- stderr -------
    error: cannot write `pipe`
    caused by: it is not a regular file
    [exit status: 8]
    ");
}

/// Switches between versions with many files, killed at random moments.
#[test]
fn a_switch_that_is_killed_is_completed_by_the_next_pull() {
    let env = TestEnv::new();
    for (version, files) in [("1", 300), ("2", 200)] {
        for n in 0..files {
            env.write(&format!("v{version}/{}/{n}-of-{files}", n % 10), format!("{version} {n}"));
            env.write(&format!("v{version}/same/{n}"), format!("{n}"));
        }
        env.run(["push", "m", &format!("v{version}"), "--version", version]).success();
    }
    let content = |folder: &str| -> Vec<(String, Vec<u8>)> {
        let names = tree(&env.path(folder))
            .into_iter()
            .filter(|name| name != "manifest.json" && !name.starts_with(".modeldepot-staging"));
        let mut all: Vec<_> = names.map(|name| (name.clone(), env.read(&format!("{folder}/{name}")))).collect();
        all.sort();
        all
    };
    env.run(["pull", "m@1", "out", "--no-sync"]).success();
    env.write("out/notes.txt", "mine");
    let manifest = env.path("out/manifest.json");
    let (mut holds, mut mixed) = (1, 0);
    for n in 0..8 {
        let version = 3 - holds;
        let mut pull = env.start(["pull", &format!("m@{version}"), "out", "--no-sync"]);
        // There is no manifest while files are put in place.
        while manifest.exists() && pull.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        std::thread::sleep(Duration::from_micros(700 * n));
        pull.kill().unwrap();
        pull.wait().unwrap();
        mixed += u32::from(!manifest.exists());
        // The same version again, or back to the other.
        holds = if n % 3 == 0 { holds } else { version };
        env.run(["pull", &format!("m@{holds}"), "out", "--no-sync"]).success();
        let mut expected = content(&format!("v{holds}"));
        expected.push(("notes.txt".to_owned(), b"mine".to_vec()));
        expected.sort();
        let now = content("out");
        let only = |a: &[(String, Vec<u8>)], b: &[(String, Vec<u8>)]| -> Vec<String> {
            a.iter().filter(|one| !b.contains(one)).map(|(name, _)| name.clone()).collect()
        };
        assert_eq!((only(&now, &expected), only(&expected, &now)), (vec![], vec![]), "kill {n}, version {holds}");
    }
    assert!(mixed > 0, "none was killed while files were put in place");
}
