//! Questions, on a terminal.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};

use crate::environment::TestEnv;

/// Runs the command on a terminal of its own, made by `script`, which many systems have; none without it.
fn on_a_terminal(env: &TestEnv, args: &str) -> Option<Child> {
    let line = format!("'{}' {args}; echo \"status $?\"", env!("CARGO_BIN_EXE_modeldepot"));
    let mut command = env.command([""; 0]);
    let mut script = std::process::Command::new("script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]).env_clear();
    script.env("PATH", "/usr/bin:/bin").env("TERM", "dumb");
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        script.env(name, value);
    }
    command.current_dir(env.folder());
    script.current_dir(env.folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    script.spawn().ok()
}

/// Waits for the question, answers it, and returns all that was printed.
fn answered(mut child: Child, answer: &[u8]) -> String {
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("[y/N]") {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "it ended: {}", String::from_utf8_lossy(&shown));
        shown.extend(byte);
    }
    stdin.write_all(answer).unwrap();
    stdin.flush().unwrap();
    stdout.read_to_end(&mut shown).unwrap();
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).replace('\r', "")
}

#[test]
fn no_is_an_answer_and_no_error() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let Some(child) = on_a_terminal(&env, "rm m@1 --color never") else { return };
    let shown = answered(child, b"n\n");
    assert!(shown.contains("\nnothing was deleted\nstatus 1\n"), "{shown}");
    assert!(!shown.contains("error"), "{shown}");
    let Some(child) = on_a_terminal(&env, "rm m@1 --color never") else { return };
    let shown = answered(child, b"\x03");
    assert!(shown.contains("[y/N] ^Cinterrupted\n"), "{shown}");
    let Some(child) = on_a_terminal(&env, "rm m@1 --color never") else { return };
    let shown = answered(child, b"y\n");
    assert!(shown.contains("deleted m@1") && shown.contains("status 0"), "{shown}");
}
