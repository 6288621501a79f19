//! `cargo xtask test`: every test, those that need a server or an outside client included.
//!
//! Such a test is `#[ignore]`d, so that a plain `cargo test` needs nothing. It has `minio`, `seaweedfs`,
//! `rclone_serve` or `outside_CLIENT` in its name, and reads where to find it from the environment set here. The console
//! is tested in a Chromium by `tests/console`; its screenshots lie under `target/console`. Logins by OpenID Connect are
//! tested in a build of their own, by `oidc`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::python;
use crate::report::{Outcome, Report, Tally};
use crate::servers::{self, Server};
use crate::tools::{AXE, BOTO3, MC, PLAYWRIGHT, RCLONE, S5CMD, Tools, chromium};
use crate::{announce, cargo, clients, contract, oidc, root, run as run_command, spelled};

/// Runs the tests whose names have `filter` in them, with variables of the environment that say how much is tried.
pub(crate) fn run(report: &mut Report, tools: &Tools, filter: Option<&str>, more: &[(&str, &str)]) {
    let mut skips = Vec::new();
    for (client, tool) in [("boto3", BOTO3), ("rclone", RCLONE), ("s5cmd", S5CMD), ("mc", MC)] {
        if report.step_with(client, || tools.get(&tool).map_err(Outcome::Skipped)).is_none() {
            skips.push(format!("outside_{client}"));
        }
    }

    let mut plain = Tally::default();
    // Without --no-fail-fast, one failing test would hide those of all crates after it.
    let mut command = cargo(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.args(filter).envs(more.iter().copied());
    report.step("cargo test", || tallied(&mut command, &mut plain));

    let minio = start(report, "minio", &mut skips, || servers::minio(tools, None));
    let seaweedfs = start(report, "seaweedfs", &mut skips, || servers::seaweedfs(tools, None));
    let rclone = start(report, "rclone serve s3", &mut skips, || servers::rclone(tools, None));

    let mut ignored = Tally::default();
    // --tests: the same binaries once more, without the documentation's examples.
    let mut command = cargo(["test", "--workspace", "--locked", "--no-fail-fast", "--tests"]);
    // They wait for servers more than they work: on two cores six at once take half the time of two.
    command.args(filter).args(["--", "--ignored", "--test-threads", "6"]);
    for skip in &skips {
        command.args(["--skip", skip]);
    }
    command.env("MODELDEPOT_TOOLS", tools.dir());
    let servers = [
        ("MODELDEPOT_TEST_MINIO", &minio),
        ("MODELDEPOT_TEST_SEAWEEDFS", &seaweedfs),
        ("MODELDEPOT_TEST_RCLONE", &rclone),
    ];
    for (name, server) in servers {
        match server {
            Some(server) => command.env(name, &server.endpoint),
            None => command.env_remove(name),
        };
    }
    report.step("cargo test, with servers and clients", || tallied(&mut command, &mut ignored));

    if filter.is_none_or(|filter| "console".contains(filter)) {
        report.step("console, in Chromium", || console(tools));
    }
    // A filter names tests, and this is none.
    if filter.is_none() {
        contract::run(report, tools);
    }
    let mut outside = Tally::default();
    if filter.is_none() {
        outside = clients::run(report, tools, None);
    }
    let logins = match filter.is_none_or(|filter| filter.contains("oidc")) {
        true => oidc::test(report, tools),
        false => Tally::default(),
    };
    let run = ignored.passed + ignored.failed;
    let (mut passed, mut failed) = (plain.passed + ignored.passed, plain.failed + ignored.failed);
    let mut skipped = plain.ignored.saturating_sub(run);
    for more in [logins, outside] {
        (passed, failed, skipped) = (passed + more.passed, failed + more.failed, skipped + more.ignored);
    }
    if filter.is_none() {
        let found = python::run(report, tools, None, &[&minio, &seaweedfs]);
        passed += found.passed;
        failed += found.failed;
        skipped += found.ignored;
    }
    report.count(passed, failed, skipped);
}

/// The verb `clients`: the part of it that tries outside S3 clients.
pub(crate) fn clients(report: &mut Report, tools: &Tools, name: Option<&str>) {
    let mut build = cargo(["test", "--workspace", "--locked", "--no-run"]);
    report.step("cargo test --no-run", || run_command(&mut build));
    let found = clients::run(report, tools, name);
    report.count(found.passed, found.failed, found.ignored);
}

/// The verb `python`: the Python package's part of it, without other servers.
pub(crate) fn python(report: &mut Report, tools: &Tools, filter: Option<&str>) {
    let found = python::run(report, tools, filter, &[]);
    report.count(found.passed, found.failed, found.ignored);
}

fn console(tools: &Tools) -> Outcome {
    let found = chromium().and_then(|chromium| Ok((chromium, tools.get(&PLAYWRIGHT)?, tools.get(&AXE)?)));
    let (chromium, python, axe) = match found {
        Ok(found) => found,
        Err(why) => return Outcome::Skipped(why),
    };
    let out = root().join("target/console");
    // The screenshots of pages that are no more are not these.
    let _ = std::fs::remove_dir_all(&out);
    let mut tests = Command::new(python);
    tests.arg("tests/console/run.py").arg(built_command()).arg(chromium).arg(axe).arg(out);
    run_command(tests.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root())).into()
}

/// The command, as `cargo test --workspace` has built it. To build its package alone would compile half of the tree once
/// more, with other features.
pub(crate) fn built_command() -> PathBuf {
    root().join("target/debug/modeldepot")
}

fn start(
    report: &mut Report,
    name: &str,
    skips: &mut Vec<String>,
    start: impl FnOnce() -> Result<Server, String>,
) -> Option<Server> {
    let server = report.step_with(name, || start().map_err(Outcome::Skipped));
    if server.is_none() {
        skips.push(name.replace("rclone serve s3", "rclone_serve"));
    }
    server
}

/// Runs a `cargo test` or pytest, its output passed on line by line, and counts what it says.
pub(crate) fn tallied(command: &mut Command, tally: &mut Tally) -> Result<(), String> {
    announce(command);
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot start {}: {error}", spelled(command)))?;
    if let Some(stdout) = child.stdout.take() {
        // Bytes, not text: a failing test may print anything.
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|error| format!("cannot read what it says: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.add_line(&line);
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for {}: {error}", spelled(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", spelled(command))) }
}
