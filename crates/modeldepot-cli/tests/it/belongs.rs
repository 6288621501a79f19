//! What belongs in a version: what a push of a folder publishes, excludes and reports.

use std::fs;

use crate::environment::{TestEnv, tree};

/// A typical training folder with unwanted files.
fn with_junk(env: &TestEnv) {
    for (name, text) in [
        ("model.safetensors", "the weights"),
        ("config.json", "{}"),
        ("optimizer.pt", "twice as large as the weights, and no model"),
        (".gitattributes", "*.safetensors filter=lfs"),
        (".env", "AWS_SECRET_ACCESS_KEY=0123456789, the largest file of all, by far, of this folder"),
        (".git/config", "[remote]"),
        (".cache/x", "x"),
        ("keys/id_ed25519", "-----BEGIN"),
        ("keys/server.pem", "-----BEGIN"),
        ("keys/id_map.json", "{}"),
        ("src/__pycache__/x.pyc", "x"),
        ("src/train.py", "import torch"),
        ("src/.ipynb_checkpoints/x.ipynb", "{}"),
        ("notes.txt~", "x"),
        ("modeldepot-data/index.redb", "x"),
    ] {
        env.write(&format!("run/{name}"), text);
    }
    fs::create_dir(env.path("run/tensorboard")).unwrap();
}

#[test]
fn what_does_not_belong_is_left_out_and_said() {
    let env = TestEnv::new();
    with_junk(&env);
    insta::assert_snapshot!(env.run(["push", "m", "run", "--version", "1"]), @r"
    ------- stdout -------
    m@1
    ------- stderr -------
    model file: model.safetensors
    excluded 4 files and 5 folders: 1 hidden, 3 possible secrets, 1 version control, 3 caches and temporary files, 1 modeldepot file; --dry-run lists them
    1 empty folder not published: versions contain only files
    published 6 files, 94 B in [TIME]
    [exit status: 0]
    ");
    assert_eq!(
        env.keys(),
        [
            "m/v1/.gitattributes",
            "m/v1/config.json",
            "m/v1/keys/id_map.json",
            "m/v1/manifest.json",
            "m/v1/model.safetensors",
            "m/v1/optimizer.pt",
            "m/v1/src/train.py",
        ]
    );
    let pushed = env.run(["push", "m", "run", "--version", "2", "--json"]).json();
    assert_eq!(pushed["model_file"], "model.safetensors");
    assert_eq!(pushed["left_out"].as_array().unwrap().len(), 9, "{pushed}");
    assert_eq!(pushed["empty_folders"], serde_json::json!(["tensorboard"]));
}

#[test]
fn a_dry_run_lists_it_and_sends_nothing() {
    // No server is needed.
    let env = TestEnv::without_server("http://127.0.0.1:1");
    with_junk(&env);
    env.write("run/.modeldepotignore", "# not for others\n/src/\n");
    insta::assert_snapshot!(env.run(["push", "m", "run", "--dry-run", "--exclude", "*.ckpt"]), @r"
    ------- stdout -------
    would publish m with a version named after the current time: 5 files, 82 B
      24 B  .gitattributes
       2 B  config.json
       2 B  keys/id_map.json
      11 B  model.safetensors  (model file)
      43 B  optimizer.pt
    excluded:
      .cache/  (hidden)
      .env  (possible secret)
      .git/  (version control)
      .modeldepotignore  (modeldepot file)
      keys/id_ed25519  (possible secret)
      keys/server.pem  (possible secret)
      modeldepot-data/  (modeldepot file)
      notes.txt~  (cache or temporary file)
      src/  (excluded)
      tensorboard/  (empty)
    ------- stderr -------
    warning: the pattern `*.ckpt` matches nothing
    [exit status: 0]
    ");
    let planned = env.run(["push", "m", "run", "--dry-run", "--version", "1.0", "--json", "--meta", "lr=0.1"]).json();
    assert_eq!(planned["dry_run"], true);
    assert_eq!((&planned["model_file"], &planned["version"]), (&"model.safetensors".into(), &"1.0".into()));
    assert_eq!(planned["metadata"]["lr"], 0.1);
    let env_file = serde_json::json!({"path": ".env", "folder": false, "reason": "secret"});
    assert!(planned["left_out"].as_array().unwrap().contains(&env_file), "{planned}");
    // Files that cannot be published are refused here as well.
    env.write("run/manifest.json", "{\"mine\": true}");
    insta::assert_snapshot!(env.run(["push", "m", "run", "--dry-run"]), @r"
    ------- stderr -------
    error: `run/manifest.json` cannot be published under its name
    caused by: `manifest.json` is not a valid artifact path: `manifest.json` is the version's own record; rename the file
    hint: rename the file; in a folder, --exclude leaves it out
    [exit status: 2]
    ");
}

#[test]
fn patterns_are_those_of_gitignore() {
    let env = TestEnv::new();
    for name in ["m.bin", "a.log", "keep.log", "logs/x", "logs/y", "deep/logs/z", "deep/b.log", "deep/c.tmp", "w.pem"] {
        env.write(&format!("run/{name}"), name);
    }
    env.write("run/.modeldepotignore", "*.log\n!keep.log\n/logs/\n");
    env.write("run/deep/.modeldepotignore", "!b.log\n");
    // Git's own ignore files are not used.
    env.write("run/.gitignore", "*\n");
    env.write("run/.ignore", "*\n");
    let published = |args: &[&str]| -> Vec<String> {
        let planned = env.run([&["push", "m", "run", "--dry-run", "--json"], args].concat()).json();
        planned["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(published(&[]), ["deep/b.log", "deep/c.tmp", "deep/logs/z", "keep.log", "m.bin"]);
    // Patterns given with the push take precedence, the last of them first.
    assert_eq!(published(&["--exclude", "*.log", "--exclude", "*.tmp"]), ["deep/logs/z", "m.bin"]);
    assert_eq!(
        published(&["--exclude", "logs/", "--exclude", "!keep.log"]),
        ["deep/b.log", "deep/c.tmp", "keep.log", "m.bin"]
    );
    assert!(
        published(&["--exclude", "!*.pem"]).contains(&"w.pem".to_owned()),
        "a pattern that names it brings it back"
    );
    assert!(!published(&["--exclude", "!*"]).contains(&"w.pem".to_owned()), "one that does not, does not");
    assert_eq!(published(&["--exclude", "*", "--exclude", "!*/", "--exclude", "!*.bin"]), ["m.bin"]);
    let with_hidden = published(&["--include-hidden"]);
    assert!(with_hidden.contains(&".gitignore".to_owned()), "{with_hidden:?}");
    assert!(!with_hidden.iter().any(|path| path.contains("modeldepot") || path == "w.pem"), "{with_hidden:?}");
    insta::assert_snapshot!(env.run(["push", "m", "run", "--exclude", ".git/", "--exclude", "*.ckpt", "--exclude", "!x"]), @r"
    ------- stdout -------
    m@[VERSION]
    ------- stderr -------
    warning: the pattern `.git/` matches nothing
    warning: the pattern `*.ckpt` matches nothing
    warning: the pattern `!x` matches nothing
    model file: m.bin
    excluded 6 files and 1 folder: 2 excluded, 2 hidden, 1 possible secret, 2 modeldepot files; --dry-run lists them
    published 5 files, 44 B in [TIME]
    [exit status: 0]
    ");
    // What Git does not accept as a pattern is not accepted here.
    env.write("run/.modeldepotignore", "ok\n[\n");
    env.write("run/{a,b}.log", "x");
    let excluded =
        ["push", "m", "run", "--version", "9", "--exclude", "{a,b}.log", "--exclude", "x[", "--exclude", "no"];
    insta::assert_snapshot!(env.run(excluded), @r"
    ------- stdout -------
    m@9
    ------- stderr -------
    warning: invalid pattern `x[`: unclosed character class; missing ']'; it is ignored
    warning: line 2 of `.modeldepotignore`: invalid pattern `[`: unclosed character class; missing ']'; it is ignored
    warning: the pattern `no` matches nothing
    model file: m.bin
    excluded 6 files: 1 excluded, 2 hidden, 1 possible secret, 2 modeldepot files; --dry-run lists them
    published 8 files, 61 B in [TIME]
    warning: `m@latest` is still `[VERSION]`, which sorts after `9`
    [exit status: 0]
    ");
    assert!(!env.keys().iter().any(|key| key.starts_with("m/v9/{")), "{:?}", env.keys());
    env.write("run/.modeldepotignore", b"\xff\xfe*");
    insta::assert_snapshot!(env.run(["push", "m", "run"]), @r"
    ------- stderr -------
    error: cannot use `run/.modeldepotignore`: it is not UTF-8
    hint: it is a small text file, with patterns as in `.gitignore`
    [exit status: 2]
    ");
}

#[test]
fn what_is_named_is_published() {
    let env = TestEnv::new();
    with_junk(&env);
    env.run(["push", "a", "run/.env", "--version", "1"]).success();
    env.run(["push", "b", "run", "--with", "run/.env", "--with", "run/keys/server.pem", "--version", "1"]).success();
    assert_eq!(env.keys().iter().filter(|key| key.ends_with(".env")).count(), 2);
    assert!(env.keys().contains(&"b/v1/keys/server.pem".to_owned()), "at its place in the folder");
    let planned = env.run(["push", "b", "run", "--with", "run/.env", "--dry-run", "--json"]).json();
    assert!(!planned["left_out"].to_string().contains(".env"), "{planned}");
    assert_eq!(planned["model_file"], "model.safetensors");
    env.write("state/optimizer.pt", "x");
    env.write("state/scheduler.pt", "x");
    insta::assert_snapshot!(env.run(["push", "c", "state"]), @r"
    ------- stderr -------
    error: none of the files can be the model file: they are training state, such as that of an optimizer
    hint: choose the model file with --main, or add one
    [exit status: 2]
    ");
    env.run(["push", "c", "state", "--main", "optimizer.pt"]).success();
    let planned = env.run(["push", "c", "run", "--main", ".cache/x", "--dry-run", "--json"]).json();
    assert_eq!(planned["model_file"], ".cache/x");
    env.write("beside.bin", "x");
    assert_eq!(env.run(["push", "c", "run", "--main", "../beside.bin", "--dry-run"]).code, Some(2));
    env.write("hidden/.x", "x");
    insta::assert_snapshot!(env.run(["push", "d", "hidden"]), @r"
    ------- stderr -------
    error: `hidden` contains no files to publish
    hint: --dry-run lists the excluded files; check --exclude, or pass --include-hidden
    [exit status: 2]
    ");
}

#[test]
fn a_pulled_folder_pushes_again() {
    let env = TestEnv::new();
    env.write("run/model.bin", "weights");
    env.write("run/sub/config.json", "{}");
    env.run(["push", "m", "run", "--version", "1"]).success();
    env.run(["pull", "m", "out"]).success();
    env.write("out/model.bin", "better weights");
    insta::assert_snapshot!(env.run(["push", "m", "out", "--version", "2"]), @r"
    ------- stdout -------
    m@2
    ------- stderr -------
    model file: model.bin
    excluded 1 file: 1 modeldepot file; --dry-run lists it
    published 2 files, 16 B in [TIME]
    [exit status: 0]
    ");
    env.run(["pull", "m@2", "out"]).success();
    env.run(["verify", "m@2"]).success();
    assert_eq!(env.read("out/model.bin"), b"better weights");
    // Only at the root, and only modeldepot's own.
    env.write("nested/model.bin", "weights");
    fs::create_dir_all(env.path("nested/sub")).unwrap();
    fs::copy(env.path("out/manifest.json"), env.path("nested/sub/manifest.json")).unwrap();
    env.run(["push", "m", "nested", "--version", "3"]).success();
    assert!(env.keys().contains(&"m/v3/sub/manifest.json".to_owned()));
}

#[cfg(unix)]
#[test]
fn a_snapshot_of_the_hugging_face_cache_pushes_as_it_is() {
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    let repository = "hub/models--org--bert";
    let snapshot = format!("{repository}/snapshots/0a1b2c");
    env.write(&format!("{repository}/blobs/aaaa"), "weights");
    env.write(&format!("{repository}/blobs/bbbb"), "{}");
    env.write(&format!("{repository}/refs/main"), "0a1b2c");
    fs::create_dir_all(env.path(&format!("{snapshot}/onnx"))).unwrap();
    symlink("../../blobs/aaaa", env.path(&format!("{snapshot}/model.safetensors"))).unwrap();
    symlink("../../../blobs/bbbb", env.path(&format!("{snapshot}/onnx/config.json"))).unwrap();
    env.run(["push", "bert", &snapshot, "--version", "1"]).success();
    env.run(["pull", "bert", "out"]).success();
    assert_eq!(tree(&env.path("out")), ["manifest.json", "model.safetensors", "onnx/config.json"]);
    assert_eq!(env.read("out/model.safetensors"), b"weights");
    // A folder of the snapshot works too, but nothing else of the cache.
    env.run(["push", "onnx", &format!("{snapshot}/onnx"), "--version", "1"]).success();
    symlink("../../refs/main", env.path(&format!("{snapshot}/ref"))).unwrap();
    insta::assert_snapshot!(env.run(["push", "bert", &snapshot, "--version", "2"]), @r"
    ------- stderr -------
    error: `hub/models--org--bert/snapshots/0a1b2c/ref` is a symbolic link that leaves the folder
    hint: pass --follow-links to publish its target, or exclude the link with --exclude
    [exit status: 2]
    ");
    fs::remove_file(env.path(&format!("{snapshot}/ref"))).unwrap();
    // Another folder with that name is not the cache's.
    env.write("backup/blobs/secret", "x");
    fs::create_dir_all(env.path("backup/snapshots/1")).unwrap();
    symlink("../../blobs/secret", env.path("backup/snapshots/1/model.bin")).unwrap();
    assert_eq!(env.run(["push", "m", "backup/snapshots/1"]).code, Some(2));
    // Files missing from the cache are reported.
    fs::remove_file(env.path(&format!("{repository}/blobs/bbbb"))).unwrap();
    insta::assert_snapshot!(env.run(["push", "bert", &snapshot, "--version", "2"]), @r"
    ------- stderr -------
    error: `hub/models--org--bert/snapshots/0a1b2c/onnx/config.json` is a symbolic link to `../../../blobs/bbbb`, which does not exist
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
}

#[cfg(unix)]
#[test]
fn links_are_followed_as_far_as_they_may() {
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    env.write("elsewhere/weights.bin", "weights");
    env.write("elsewhere/.env", "SECRET=1");
    env.write("run/config.json", "{}");
    env.write("run/.env", "SECRET=1");
    symlink("../elsewhere", env.path("run/data")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run"]), @r"
    ------- stderr -------
    error: `run/data` is a symbolic link that leaves the folder
    hint: pass --follow-links to publish its target, or exclude the link with --exclude
    [exit status: 2]
    ");
    // A link with another name does not publish it.
    symlink(".env", env.path("run/settings.txt")).unwrap();
    env.run(["push", "m", "run", "--follow-links", "--version", "1"]).success();
    assert_eq!(env.keys(), ["m/v1/config.json", "m/v1/data/weights.bin", "m/v1/manifest.json"]);
    // Circles by one link, by two, and to itself.
    fs::remove_file(env.path("run/data")).unwrap();
    fs::create_dir_all(env.path("run/a")).unwrap();
    fs::create_dir_all(env.path("run/b")).unwrap();
    symlink("../b", env.path("run/a/to-b")).unwrap();
    symlink("../a", env.path("run/b/to-a")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run"]), @r"
    ------- stderr -------
    error: `run/a/to-b/to-a` is a symbolic link to `../a`, which leads back to it
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
    fs::remove_dir_all(env.path("run/b")).unwrap();
    fs::remove_dir_all(env.path("run/a")).unwrap();
    symlink("self", env.path("run/self")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run"]), @r"
    ------- stderr -------
    error: `run/self` is a symbolic link to `self`, which leads back to it
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "run/config.json", "--with", "run/self"]), @r"
    ------- stderr -------
    error: `run/self` is a symbolic link to `self`, which leads back to it
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
    fs::remove_file(env.path("run/self")).unwrap();
    symlink("/nowhere/at/all", env.path("run/gone")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run/gone"]), @r"
    ------- stderr -------
    error: `run/gone` is a symbolic link to `/nowhere/at/all`, which does not exist
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
}

/// A plain name does not publish what a name in the path of its target excludes.
#[cfg(unix)]
#[test]
fn links_to_secrets_are_left_out() {
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    for name in [".aws/credentials", ".git/config", ".git/annex/objects/a/b/KEY", ".cache/w.bin", "modeldepot-data/x"] {
        env.write(&format!("run/{name}"), name);
    }
    env.write("home/.ssh/config", "Host");
    env.write("run/config.json", "{}");
    for (link, target) in [
        ("creds", ".aws/credentials"),
        ("aws", ".aws"),
        ("gitlink", ".git"),
        ("settings", ".git/config"),
        ("own", "modeldepot-data"),
        ("outside", "../home/.ssh/config"),
        ("model.bin", ".git/annex/objects/a/b/KEY"),
        ("w.bin", ".cache/w.bin"),
    ] {
        symlink(target, env.path(&format!("run/{link}"))).unwrap();
    }
    let planned = env.run(["push", "m", "run", "--follow-links", "--dry-run", "--json"]).json();
    let list = |field: &str, what: &str| -> Vec<String> {
        planned[field].as_array().unwrap().iter().map(|one| one[what].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("files", "path"), ["config.json", "model.bin", "w.bin"]);
    let left: Vec<_> = list("left_out", "path").into_iter().zip(list("left_out", "reason")).collect();
    for (path, reason) in [
        ("creds", "secret"),
        ("aws", "secret"),
        ("gitlink", "repository"),
        ("settings", "repository"),
        ("own", "modeldepot"),
        ("outside", "secret"),
    ] {
        assert!(left.contains(&(path.to_owned(), reason.to_owned())), "{path}: {left:?}");
    }
}

/// A pattern that only undoes another one re-includes no secrets.
#[test]
fn idioms_bring_back_no_secrets() {
    let env = TestEnv::new();
    for name in ["m.bin", "server.pem", "tls.key", ".env", ".env-prod", ".git/config", "src/x.py", "src/id_rsa"] {
        env.write(&format!("run/{name}"), name);
    }
    let published = |args: &[&str]| -> Vec<String> {
        let planned = env.run([&["push", "m", "run", "--dry-run", "--json"], args].concat()).json();
        planned["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    for idiom in [&["*", "!*/", "!*.*"][..], &["*", "!*/", "![!_]*"], &["!.*"], &["*", "!*/", "!.*", "!*.*", "!?*"]] {
        let args: Vec<&str> = idiom.iter().flat_map(|pattern| ["--exclude", pattern]).collect();
        assert_eq!(published(&args), ["m.bin", "src/x.py"], "{idiom:?}");
    }
    assert_eq!(published(&["--include-hidden"]), ["m.bin", "src/x.py"]);
    assert_eq!(
        published(&["--exclude", "!tls.key", "--exclude", "!.env*"]),
        [".env", ".env-prod", "m.bin", "src/x.py", "tls.key"]
    );
}

#[cfg(unix)]
#[test]
fn the_right_to_run_a_file_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::new();
    env.write("run/model.bin", vec![7; 20_000_000]);
    env.write("run/serve.sh", "#!/bin/sh\n");
    let run = |name: &str| fs::set_permissions(env.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    let mode = |name: &str| fs::metadata(env.path(name)).unwrap().permissions().mode() & 0o777;
    run("run/serve.sh");
    env.run(["push", "m", "run", "--version", "1"]).success();
    let manifest = String::from_utf8(env.get("m/v1/manifest.json")).unwrap();
    assert_eq!(manifest.matches("\"executable\": true").count(), 1, "{manifest}");
    assert!(!manifest.contains("\"executable\": false"), "{manifest}");
    for umask in ["022", "077"] {
        let pull = env.command(["pull", "m", umask]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(pull.get_program()).args(pull.get_args());
        shell.env_clear().envs(pull.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(pull.get_current_dir().unwrap());
        env.output(shell).success();
    }
    assert_eq!((mode("022/serve.sh"), mode("022/model.bin")), (0o755, 0o644));
    assert_eq!((mode("077/serve.sh"), mode("077/model.bin")), (0o700, 0o600));
    // An existing file gets the bit too.
    fs::set_permissions(env.path("022/serve.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    env.run(["pull", "m", "022"]).success();
    assert_eq!(mode("022/serve.sh"), 0o755);
    // The bit is content and not dropped silently.
    run("run/model.bin");
    assert_eq!(env.run(["push", "m", "run", "--version", "1"]).code, Some(4));
}

#[test]
fn the_history_is_the_one_that_was_named() {
    let env = TestEnv::new();
    env.write("run/model.bin", "weights");
    env.write("run/training_history.json", r#"{"loss": [9, 8]}"#);
    env.write("run/logs/metrics.json", r#"{"train_loss": [3, 2, 1]}"#);
    env.run(["push", "m", "run", "--history", "run/logs/metrics.json", "--version", "1"]).success();
    assert_eq!(
        env.keys(),
        ["m/v1/logs/metrics.json", "m/v1/manifest.json", "m/v1/model.bin", "m/v1/training_history.json"],
        "a file of the folder is not published twice"
    );
    let shown = env.run(["show", "m", "--json"]).json();
    assert_eq!(shown["manifest"]["history"], "logs/metrics.json");
    let shown = env.run(["show", "m"]).success();
    assert!(shown.contains("logs/metrics.json  (training history)"), "{shown}");
    env.run(["push", "n", "run", "--version", "1"]).success();
    let shown = env.run(["show", "n"]).success();
    assert!(shown.contains("  training_history.json  (training history)"), "{shown}");
}

/// Each of these was once published, could never be read, and lost its name.
#[test]
fn what_nobody_could_read_is_not_sent() {
    let env = TestEnv::new();
    env.write("m/logs/x", "x");
    env.write("m/m.bin", "weights");
    env.write("logs", "a file");
    let nested = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    env.write("deep.json", nested);
    env.write("wide.json", format!("{{\"a\": [{}1]}}", "1,".repeat(100_000)));
    env.write("large.json", format!("{{\"a\": \"{}\"}}", "x".repeat(70 << 20)));
    insta::assert_snapshot!(env.run(["push", "m", "m", "--with", "logs"]), @r"
    ------- stderr -------
    error: `logs` would be both a file and a folder
    hint: rename one of them, or leave it out
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m/m.bin", "--meta-file", "deep.json"]), @r"
    ------- stderr -------
    error: the metadata is nested more than 64 levels deep
    hint: put the data into a file beside the model; nothing was sent
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m/m.bin", "--meta-file", "wide.json"]), @r"
    ------- stderr -------
    error: the metadata has more than 100000 values
    hint: put the data into a file beside the model; nothing was sent
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m/m.bin", "--meta-file", "large.json"]), @r"
    ------- stderr -------
    error: the manifest of this version would be unreadable
    caused by: it has 73401059 bytes, and a manifest has at most 67108864
    hint: pack small files into archives, or publish several versions; nothing was sent
    [exit status: 2]
    ");
    assert_eq!(env.all_keys(), [""; 0], "nothing was sent, not even a lease");
    env.run(["push", "m", "m/m.bin", "--version", "1"]).success();
}
