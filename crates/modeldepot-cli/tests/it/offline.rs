//! What needs neither settings nor a server: help, version, completions, manual, and pipes that close.

use std::process::Stdio;

use crate::environment::TestEnv;

#[test]
fn version_and_help() {
    let env = TestEnv::without_server("not even looked at");
    assert_eq!(env.run(["--version"]).success(), concat!("modeldepot ", env!("CARGO_PKG_VERSION"), "\n"));
    insta::assert_snapshot!(env.run(["-h"]), @"");
    insta::assert_snapshot!(env.run(["pull", "-h"]), @"");
    insta::assert_snapshot!(env.run(["pull", "--help"]), @"");
    let help = env.run(["help", "pull"]).success();
    assert_eq!(help, env.run(["pull", "--help"]).success());
    assert_eq!(env.run([""; 0]).code, Some(2));
}

#[test]
fn completions_and_manual() {
    let env = TestEnv::without_server("not even looked at");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(env.run(["completions", shell]).success().contains("modeldepot"), "{shell}");
    }
    let manual = env.run(["man"]).success();
    for verb in ["modeldepot-push", "modeldepot-s3-cp", "modeldepot-demo"] {
        let roff = verb.replace('-', "\\-");
        assert!(manual.contains(&roff), "{verb}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let env = TestEnv::without_server("");
    let mut child = env.command(["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = env.finish(child);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended}");
}

#[test]
fn colours_only_when_asked_for() {
    let env = TestEnv::without_server("http://127.0.0.1:9000");
    let coloured = env.run(["rm", "m", "--color", "always"]);
    assert_eq!(coloured.code, Some(2));
    let plain = env.run_with(["models", "--bucket", "X"], &[("NO_COLOR", "1")]);
    assert!(!plain.stderr.contains('\u{1b}'), "{plain}");
    let coloured = env.run(["models", "--bucket", "X", "--color", "always"]);
    assert!(coloured.stderr.contains("\u{1b}["), "{coloured}");
    let plain = env.run(["models", "--bucket", "X"]);
    assert!(!plain.stderr.contains('\u{1b}'), "{plain}");
}
