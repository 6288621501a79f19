//! Things that cannot be pushed: each refusal names the thing and what to do, and nothing is published.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::environment::TestEnv;

/// Nothing refused leaves anything in the bucket.
fn nothing_is_stored(env: &TestEnv) {
    assert_eq!(env.keys(), [""; 0]);
}

#[test]
fn paths_that_are_not_there_or_not_files() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    fs::create_dir(env.path("empty")).unwrap();
    env.write("best_model.pth", "weights");
    insta::assert_snapshot!(env.run(["push", "m", "best_modle.pth"]), @r"
    ------- stderr -------
    error: `best_modle.pth` does not exist
    hint: did you mean `best_model.pth`?
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "elsewhere/x.bin"]), @r"
    ------- stderr -------
    error: `elsewhere/x.bin` does not exist
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "empty"]), @r"
    ------- stderr -------
    error: `empty` contains no files to publish
    hint: the folder is empty: name one with a model file
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "empty"]), @r"
    ------- stderr -------
    error: `empty` is a folder where a file is needed
    hint: to push a whole folder, name it after the model: `modeldepot push MODEL FOLDER`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "nope.json"]), @r"
    ------- stderr -------
    error: `nope.json` does not exist
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--main", "other.bin"]), @r"
    ------- stderr -------
    error: `other.bin` is not among the files to publish
    hint: --main takes a path inside the folder, such as `weights/model.bin`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", ".", "--exclude", "*"]), @r"
    ------- stderr -------
    error: `.` contains no files to publish
    hint: --dry-run lists the excluded files; check --exclude, or pass --include-hidden
    [exit status: 2]
    ");
    nothing_is_stored(&env);
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_cannot_be_read() {
    let env = TestEnv::new();
    fs::create_dir(env.path("loop")).unwrap();
    std::os::unix::fs::symlink(".", env.path("loop/again")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "loop"]), @r"
    ------- stderr -------
    error: `loop/again` is a symbolic link to `.`, which leads back to it
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
    // Tests may run as root, which can read every file; nobody can read the first byte of its own memory.
    insta::assert_snapshot!(env.run(["push", "m", "/proc/self/mem"]), @r"
    ------- stderr -------
    error: cannot read `/proc/self/mem`
    caused by: Input/output error (os error 5)
    [exit status: 8]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "/dev/null"]), @r"
    ------- stderr -------
    error: `/dev/null` is not a regular file
    hint: write it to a file first
    [exit status: 2]
    ");
    nothing_is_stored(&env);
}

#[cfg(unix)]
#[test]
fn links_that_leave_the_folder() {
    let env = TestEnv::new();
    env.write("secret.txt", "not for publication");
    env.write("run/m.bin", "weights");
    std::os::unix::fs::symlink("../secret.txt", env.path("run/config.json")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run"]), @r"
    ------- stderr -------
    error: `run/config.json` is a symbolic link that leaves the folder
    hint: pass --follow-links to publish its target, or exclude the link with --exclude
    [exit status: 2]
    ");
    std::os::unix::fs::symlink("gone", env.path("run/dangling")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run", "--exclude", "config.json"]), @r"
    ------- stderr -------
    error: `run/dangling` is a symbolic link to `gone`, which does not exist
    hint: repair the link, or exclude it
    [exit status: 2]
    ");
    nothing_is_stored(&env);
}

#[test]
fn names_that_cannot_be() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("manifest.json", "{}");
    env.write("a/config.json", "1");
    env.write("b/config.json", "2");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "a/config.json", "--with", "b/config.json"]), @r"
    ------- stderr -------
    error: two files would be `config.json`: `a/config.json` and `b/config.json`
    hint: rename one of them, or leave it out
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "manifest.json"]), @r"
    ------- stderr -------
    error: `manifest.json` cannot be published under its name
    caused by: `manifest.json` is not a valid artifact path: `manifest.json` is the version's own record; rename the file
    hint: rename the file; in a folder, --exclude leaves it out
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "manifest.json"]), @r"
    ------- stderr -------
    error: `manifest.json` cannot be published under its name
    caused by: `manifest.json` is not a valid artifact path: `manifest.json` is the version's own record; rename the file
    hint: rename the file; in a folder, --exclude leaves it out
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "plant classifier", "m.bin"]), @r"
    ------- stderr -------
    error: `plant classifier` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: did you mean `plant_classifier`?
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "../m", "m.bin"]), @r"
    ------- stderr -------
    error: `../m` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1/2"]), @r"
    ------- stderr -------
    error: `1/2` is not a valid version: use 1 to 128 letters, digits, `.`, `_`, `+` and `-`, the first one a letter or digit
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["pull", "m@"]), @r"
    ------- stderr -------
    error: `` is not a valid version: use 1 to 128 letters, digits, `.`, `_`, `+` and `-`, the first one a letter or digit
    [exit status: 2]
    ");
    nothing_is_stored(&env);
}

#[test]
fn metadata_that_cannot_be() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("list.json", "[1]");
    env.write("broken.json", "{\"a\": ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta", "lr"]), @r"
    ------- stderr -------
    error: invalid value `lr` for `--meta`: write it as KEY=VALUE
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta", "=1"]), @r"
    ------- stderr -------
    error: invalid value `=1` for `--meta`: there is no key before `=`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta-file", "list.json"]), @r#"
    ------- stderr -------
    error: the metadata file `list.json` is not a JSON object
    hint: use one JSON object: `{"architecture": "resnet18", …}`
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta-file", "broken.json"]), @r#"
    ------- stderr -------
    error: the metadata file `broken.json` is not a JSON object
    caused by: EOF while parsing a value at line 1 column 6
    hint: use one JSON object: `{"architecture": "resnet18", …}`
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta-file", "nope.json"]), @r"
    ------- stderr -------
    error: cannot read the metadata file `nope.json`
    caused by: No such file or directory (os error 2)
    [exit status: 2]
    ");
    nothing_is_stored(&env);
}

#[test]
fn histories_of_no_known_shape() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("words.json", r#"{"notes": "it went well"}"#);
    env.write("text.json", "epoch 1: fine");
    env.write("uneven.json", r#"{"train_loss": [1, 2, 3], "val_loss": [1]}"#);
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "words.json"]), @r#"
    ------- stderr -------
    error: cannot read the training history `words.json`
    caused by: `words.json` is not a training history: found an object without lists of numbers, expected one of `{"loss": […], "val_loss": […]}` (one list for each metric), `[{"epoch": 1, "train_loss": …}, …]` (one object for each epoch), `{"log_history": […]}` (a trainer state), or CSV with a header (`epoch,train_loss,val_loss`)
    hint: --with takes any file; --history only a training history
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "text.json"]), @r"
    ------- stderr -------
    error: cannot read the training history `text.json`
    caused by: `text.json` is not JSON
    caused by: expected value at line 1 column 1
    hint: --with takes any file; --history only a training history
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "uneven.json"]), @r"
    ------- stderr -------
    error: cannot read the training history `uneven.json`
    caused by: `uneven.json` has lists of different lengths: 3 in `train_loss`, 1 in `val_loss`; expected one value for each epoch, and `null` where nothing was measured
    hint: --with takes any file; --history only a training history
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "nope.json"]), @r"
    ------- stderr -------
    error: `nope.json` does not exist
    [exit status: 2]
    ");
    nothing_is_stored(&env);
}

#[test]
fn a_file_that_is_written_to_while_it_is_read() {
    let env = TestEnv::new();
    let path = env.write("growing.bin", vec![7; 48 << 20]);
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, done) = (path.clone(), Arc::clone(&done));
        move || {
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"one more step").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    });
    let refused = env.run(["push", "m", "growing.bin", "--version", "1"]);
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    insta::assert_snapshot!(refused, @r"
    ------- stderr -------
    error: `growing.bin` changed while it was read
    hint: let its writer finish, then push again; nothing was published
    [exit status: 2]
    ");
    assert_eq!(env.run(["models"]).success(), "");
    assert!(!env.keys().iter().any(|key| key.ends_with("manifest.json")));
}
