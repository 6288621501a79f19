//! Many processes at once, as on a cluster whose jobs end in the same minute.
//!
//! A test binary of its own, one race after the other: sixty-four processes are load enough for any machine, and tests
//! of time-outs should not run beside them.
#![allow(clippy::print_stdout, reason = "how long a race took, and who lost it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../it/environment.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
mod environment;
#[path = "../it/normalised.rs"]
mod normalised;

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::environment::TestEnv;

/// How many rounds a race is run, where nobody says otherwise.
const ROUNDS: usize = 1;

/// Lets one race run at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TRACK: Mutex<()> = Mutex::new(());
    TRACK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes that each pusher has, and nobody else.
fn content(round: usize, n: usize) -> Vec<u8> {
    let line = format!("round {round} pusher {n} ");
    line.bytes().cycle().take(200_000).collect()
}

fn rounds() -> usize {
    std::env::var("MODELDEPOT_RACE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// How every process of a race ended.
struct Ended {
    codes: Vec<Option<i32>>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    took: Duration,
}

impl Ended {
    /// Prints the first of those that ended in another way.
    fn tell(&self, expected: &[i32]) {
        let odd = (0..self.codes.len()).filter(|n| self.codes[*n].is_none_or(|code| !expected.contains(&code)));
        for n in odd.take(3) {
            println!("pusher {n} ended with {:?}: {}", self.codes[n], self.stderr[n]);
        }
    }

    fn with(&self, code: i32) -> Vec<usize> {
        (0..self.codes.len()).filter(|n| self.codes[*n] == Some(code)).collect()
    }
}

/// Starts pushes of all files at once, half of them as on one machine and half as on machines of their own.
fn push_all(env: &TestEnv, files: &[PathBuf], version: Option<&str>) -> Ended {
    let began = Instant::now();
    let start = |n: usize| -> Child {
        let mut command = env.command(["push", "m"]);
        command.arg(&files[n]).args(version.iter().flat_map(|version| ["--version", version]));
        if n % 2 == 1 {
            command.env("XDG_STATE_HOME", env.path(&format!("state-{n}")));
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..files.len()).map(start).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        codes: outputs.iter().map(|output| output.status.code()).collect(),
        stdout: outputs.iter().map(|output| text(&output.stdout)).collect(),
        stderr: outputs.iter().map(|output| text(&output.stderr)).collect(),
        took: began.elapsed(),
    }
}

/// Has the server probed, so that what races is pushes and not sixty-four probes.
fn know(env: &TestEnv) {
    env.write("first.bin", "first");
    let _ = env.run(["push", "first", "first.bin"]).success();
}

fn write_all(env: &TestEnv, round: usize, processes: usize) -> Vec<PathBuf> {
    // One name for all, so that an overwritten file is detected.
    (0..processes).map(|n| env.write(&format!("{n}/m.bin"), content(round, n))).collect()
}

/// One wins, all others are told that the version is taken, and the winner's bytes are what everybody gets.
fn one_version(env: &TestEnv, server: &str, rounds: usize, processes: usize) {
    know(env);
    for round in 0..rounds {
        let files = write_all(env, round, processes);
        let version = format!("{round}.0.0");
        let ended = push_all(env, &files, Some(&version));
        let (won, refused) = (ended.with(0), ended.with(4));
        // How much of a race it was: those who came too late met a published version.
        let late = ended.stderr.iter().filter(|text| text.contains("already exists with other content")).count();
        println!(
            "{server}, round {round}: {} won, {} refused, {late} of them late, {:.1?}",
            won.len(),
            refused.len(),
            ended.took
        );
        ended.tell(&[0, 4]);
        assert_eq!((won.len(), refused.len()), (1, processes - 1), "{server}, round {round}: winners {won:?}");
        let folder = format!("pulled-{round}");
        env.run(["pull", &format!("m@{version}"), &folder]).success();
        let same = env.read(&format!("{folder}/m.bin")) == content(round, won[0]);
        assert!(same, "{server}, round {round}: not the bytes of pusher {}, who was told of success", won[0]);
    }
    env.run(["fsck", "--deep"]).success();
}

/// Without a version named, everybody gets one.
fn many_versions(env: &TestEnv, server: &str, processes: usize) {
    know(env);
    let files = write_all(env, 0, processes);
    let ended = push_all(env, &files, None);
    println!("{server}: {} of {processes} automatic pushes, {:.1?}", ended.with(0).len(), ended.took);
    ended.tell(&[0]);
    assert_eq!(ended.with(0).len(), processes);
    let listed = env.run(["versions", "m", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), processes);
    let mut names: Vec<&str> = ended.stdout.iter().map(|name| name.trim()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), processes, "each was told a version of its own");
    for n in [0, processes / 2, processes - 1] {
        env.run(["pull", ended.stdout[n].trim(), "pulled"]).success();
        assert!(env.read("pulled/m.bin") == content(0, n), "{} is not what pusher {n} pushed", ended.stdout[n].trim());
    }
    env.run(["fsck", "--deep"]).success();
}

/// A server that `cargo xtask test` started, with a bucket of this test's own.
fn outside(variable: &str) -> TestEnv {
    let endpoint = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no endpoint"));
    TestEnv::without_server(&endpoint).with_own_buckets()
}

#[test]
fn processes_that_push_one_version() {
    let _alone = alone();
    one_version(&TestEnv::new(), "embedded", 1, 24);
}

#[test]
fn processes_that_push_one_version_without_conditions() {
    let _alone = alone();
    one_version(&TestEnv::ignoring_conditions(), "embedded, conditions ignored", 1, 24);
}

#[test]
fn processes_that_push_automatic_versions() {
    let _alone = alone();
    many_versions(&TestEnv::new(), "embedded", 24);
}

#[test]
#[ignore = "takes a minute: run by `cargo xtask test`"]
fn outside_64_processes_embedded() {
    let _alone = alone();
    one_version(&TestEnv::new(), "embedded", rounds(), 64);
}

#[test]
#[ignore = "takes a minute: run by `cargo xtask test`"]
fn outside_64_processes_embedded_without_conditions() {
    let _alone = alone();
    one_version(&TestEnv::ignoring_conditions(), "embedded, conditions ignored", rounds(), 64);
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_64_processes_push_one_version() {
    let _alone = alone();
    one_version(&outside("MODELDEPOT_TEST_MINIO"), "MinIO", rounds(), 64);
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_64_processes_push_automatic_versions() {
    let _alone = alone();
    many_versions(&outside("MODELDEPOT_TEST_MINIO"), "MinIO", 64);
}

#[test]
#[ignore = "needs SeaweedFS: run by `cargo xtask test`"]
fn seaweedfs_64_processes_push_one_version() {
    let _alone = alone();
    one_version(&outside("MODELDEPOT_TEST_SEAWEEDFS"), "SeaweedFS", rounds(), 64);
}

#[test]
#[ignore = "needs Ceph: run by `cargo xtask test`"]
fn ceph_64_processes_push_one_version() {
    let _alone = alone();
    one_version(&outside("MODELDEPOT_TEST_CEPH"), "Ceph RGW", rounds(), 64);
}

#[test]
#[ignore = "needs versitygw: run by `cargo xtask test`"]
fn versitygw_64_processes_push_one_version() {
    let _alone = alone();
    one_version(&outside("MODELDEPOT_TEST_VERSITYGW"), "versitygw", rounds(), 64);
}

#[test]
#[ignore = "needs rclone: run by `cargo xtask test`"]
fn rclone_serve_64_processes_push_one_version() {
    let _alone = alone();
    one_version(&outside("MODELDEPOT_TEST_RCLONE"), "rclone serve s3", rounds(), 64);
}

#[test]
#[ignore = "needs rclone: run by `cargo xtask test`"]
fn rclone_serve_64_processes_push_automatic_versions() {
    let _alone = alone();
    many_versions(&outside("MODELDEPOT_TEST_RCLONE"), "rclone serve s3", 64);
}
