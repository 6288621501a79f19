//! What cannot be pushed: each refusal names the thing and what to do, and nothing is published.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::environment::TestEnv;

/// Nothing that was refused leaves anything in the bucket.
fn nothing_is_stored(env: &TestEnv) {
    assert_eq!(env.keys(), [""; 0]);
}

#[test]
fn paths_that_are_not_there_or_not_files() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    fs::create_dir(env.path("empty")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "best_modle.pth"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "empty"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "empty"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "nope.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--main", "other.bin"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", ".", "--exclude", "["]), @"");
    insta::assert_snapshot!(env.run(["push", "m", ".", "--exclude", "*"]), @"");
    nothing_is_stored(&env);
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_cannot_be_read() {
    let env = TestEnv::new();
    fs::create_dir(env.path("loop")).unwrap();
    std::os::unix::fs::symlink(".", env.path("loop/again")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "loop"]), @"");
    // Whoever runs the tests may read every file of theirs, but nobody the first byte of their memory.
    insta::assert_snapshot!(env.run(["push", "m", "/proc/self/mem"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "/dev/null"]), @"");
    nothing_is_stored(&env);
}

#[cfg(unix)]
#[test]
fn links_that_leave_the_folder() {
    let env = TestEnv::new();
    env.write("secret.txt", "not for publication");
    env.write("run/m.bin", "weights");
    std::os::unix::fs::symlink("../secret.txt", env.path("run/config.json")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run"]), @"");
    std::os::unix::fs::symlink("gone", env.path("run/dangling")).unwrap();
    insta::assert_snapshot!(env.run(["push", "m", "run", "--exclude", "config.json"]), @"");
    nothing_is_stored(&env);
}

#[test]
fn names_that_cannot_be() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("manifest.json", "{}");
    env.write("a/config.json", "1");
    env.write("b/config.json", "2");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "a/config.json", "--with", "b/config.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--with", "manifest.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "manifest.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "plant classifier", "m.bin"]), @"");
    insta::assert_snapshot!(env.run(["push", "../m", "m.bin"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--version", "1/2"]), @"");
    insta::assert_snapshot!(env.run(["pull", "m@"]), @"");
    nothing_is_stored(&env);
}

#[test]
fn metadata_that_cannot_be() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("list.json", "[1]");
    env.write("broken.json", "{\"a\": ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta", "lr"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta", "=1"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta-file", "list.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta-file", "broken.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--meta-file", "nope.json"]), @"");
    nothing_is_stored(&env);
}

#[test]
fn histories_of_no_known_shape() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.write("words.json", r#"{"notes": "it went well"}"#);
    env.write("text.json", "epoch 1: fine");
    env.write("uneven.json", r#"{"train_loss": [1, 2, 3], "val_loss": [1]}"#);
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "words.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "text.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "uneven.json"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin", "--history", "nope.json"]), @"");
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
    insta::assert_snapshot!(refused, @"");
    assert_eq!(env.run(["models"]).success(), "");
    assert!(!env.keys().iter().any(|key| key.ends_with("manifest.json")));
}
