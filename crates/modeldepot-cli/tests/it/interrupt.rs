//! Ctrl-C ends quickly and quietly, and nothing half done is ever visible.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use modeldepot_embedded::{Fault, Faults};

use crate::environment::{Output, TestEnv, tree};

fn send(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn bytes_under(folder: &Path) -> u64 {
    tree(folder).iter().map(|file| fs::metadata(folder.join(file)).map_or(0, |found| found.len())).sum()
}

fn large_file(env: &TestEnv, bytes: u64) {
    fs::File::create(env.path("large.bin")).unwrap().set_len(bytes).unwrap();
}

/// Pushes a large file as version 1, and sends the signal when some of it is stored: more than the five parts that may
/// be in transit.
fn cut_off(env: &TestEnv, signal: &str) -> Output {
    large_file(env, 256 << 20);
    let before = bytes_under(&env.data());
    let push = env.start(["push", "m", "large.bin", "--version", "1"]);
    wait_until("the transfer", || bytes_under(&env.data()) > before + (72 << 20));
    send(&push, signal);
    let ended = env.finish(push);
    assert_eq!(env.keys(), [""; 0], "nothing is visible");
    assert_eq!(env.run(["models"]).success(), "");
    ended
}

/// Replaces how much was kept, which differs from run to run.
fn how_much(ended: &Output) -> String {
    let text = ended.to_string();
    let Some((before, after)) = text.split_once(" of 268.4 MB") else { return text };
    let (start, _) = before.split_once("hint: ").unwrap();
    format!("{start}hint: [KEPT] of 268.4 MB{after}")
}

#[test]
fn a_repeated_push_resumes() {
    let env = TestEnv::new();
    insta::assert_snapshot!(how_much(&cut_off(&env, "INT")), @r"
    ------- stderr -------
    interrupted
    hint: [KEPT] of 268.4 MB are kept: repeat the command to resume
    [exit status: 130]
    ");
    let again = env.run(["push", "m", "large.bin", "--version", "1", "--json"]).json();
    assert!(again["kept_bytes"].as_u64().unwrap() > 0, "{again}");
    env.run(["verify", "m@1"]).success();
}

#[test]
fn a_version_that_was_not_published_is_free() {
    let env = TestEnv::new();
    insta::assert_snapshot!(how_much(&cut_off(&env, "TERM")), @r"
    ------- stderr -------
    terminated
    hint: [KEPT] of 268.4 MB are kept: repeat the command to resume
    [exit status: 143]
    ");
    env.write("small.bin", "weights");
    env.run(["push", "m", "small.bin", "--version", "1"]).success();
    assert_eq!(env.keys(), ["m/v1/manifest.json", "m/v1/small.bin"]);
}

#[test]
fn a_push_that_is_interrupted_while_it_takes_its_lease_withdraws_it() {
    // It has created its lease, and waits for the list of all leases.
    let slow = Faults::new(1).with(Fault::Delay, 1.0).only("prefix=.depot%2Fleases");
    let env = TestEnv::failing(slow.longest_delay(Duration::from_secs(600)));
    env.write("m.bin", "weights");
    let leases = || env.all_keys().into_iter().filter(|key| key.starts_with(".depot/leases/")).count();
    let push = env.start(["push", "m", "m.bin", "--version", "1"]);
    wait_until("the lease", || leases() == 1);
    send(&push, "INT");
    assert_eq!(env.finish(push).code, Some(130));
    assert_eq!(leases(), 0);
}

#[test]
fn a_pull() {
    let env = TestEnv::new();
    large_file(&env, 192 << 20);
    env.run(["push", "m", "large.bin"]).success();
    let pull = env.start(["pull", "m"]);
    let folder = env.path("m");
    wait_until("the transfer", || tree(&folder).iter().any(|file| file.ends_with(".part")));
    send(&pull, "INT");
    let ended = env.finish(pull);
    insta::assert_snapshot!(ended, @r"
    ------- stderr -------
    interrupted
    hint: no part was complete yet: the command starts over when it is repeated
    [exit status: 130]
    ");
    assert_eq!(tree(&folder), [""; 0]);
}

#[test]
fn the_demo() {
    let env = TestEnv::without_server("");
    let mut demo = env.start(["demo"]);
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("up ")), "the server did not start");
    send(&demo, "INT");
    let ended = env.finish(demo);
    assert_eq!(ended.code, Some(130), "{ended}");
    assert_eq!(ended.stderr, "interrupted\n");
    assert_eq!(fs::read_dir(env.tmp()).unwrap().count(), 0, "{:?}", tree(&env.tmp()));
}
