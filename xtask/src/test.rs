//! `cargo xtask test`: every test, those that need a server or an outside client included.
//!
//! Such a test is `#[ignore]`d, so that a plain `cargo test` needs nothing. It has the name of a server or `outside_CLIENT`
//! in its own, and reads where to find it from the environment set here. The console is tested in a Chromium by
//! `tests/console`; its screenshots lie under `target/console`. Logins by OpenID Connect are tested in a build of their own,
//! by `oidc`.

use std::process::Command;

use crate::command::{built_command, tallied};
use crate::python;
use crate::report::{Outcome, Report, Tally};
use crate::servers::{KINDS, results, suite, table};
use crate::tools::{AXE, BOTO3, MC, PLAYWRIGHT, RCLONE, S5CMD, Tools, chromium};
use crate::{cargo, clients, contract, oidc, root, run as run_command};

/// Runs the tests whose names have `filter` in them, with variables of the environment that say how much is tried.
pub(crate) fn run(report: &mut Report, tools: &Tools, filter: Option<&str>, more: &[(&str, &str)]) {
    let mut skips = Vec::new();
    for (client, tool) in [("boto3", BOTO3), ("rclone", RCLONE), ("s5cmd", S5CMD), ("mc", MC)] {
        if report.step_with(client, || tools.get(&tool).map_err(Outcome::Skipped)).is_none() {
            skips.push(format!("outside_{client}"));
        }
    }

    results::forget();
    let (results, folder) = (results::VARIABLE, results::folder());
    let mut plain = Tally::default();
    // Without --no-fail-fast, one failing test would hide those of all crates after it.
    let mut command = cargo(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.args(filter).envs(more.iter().copied()).env(results, &folder);
    report.step("cargo test", || tallied(&mut command, &mut plain));

    // A filter with the name of a server needs no other.
    let named =
        filter.is_some_and(|filter| filter.contains("cluster") || KINDS.iter().any(|kind| filter.contains(kind.name)));
    let mut servers = Vec::new();
    for kind in &KINDS {
        let needed = !named || filter.is_some_and(|filter| filter.contains(kind.name));
        servers.push(if needed { suite::start(report, tools, kind) } else { None });
    }
    let missing = KINDS.iter().zip(&servers).filter(|(_, server)| server.is_none());
    skips.extend(missing.map(|(kind, _)| kind.name.to_owned()));

    let mut ignored = Tally::default();
    // --tests: the same binaries once more, without the documentation's examples.
    let mut command = cargo(["test", "--workspace", "--locked", "--no-fail-fast", "--tests"]);
    command.args(filter).args(["--", "--ignored", "--test-threads", suite::THREADS, "--skip", "cluster::"]);
    if filter.is_none() {
        // It has steps of its own.
        command.args(["--skip", "contract::"]);
    }
    for skip in &skips {
        command.args(["--skip", skip]);
    }
    command.env("MODELDEPOT_TOOLS", tools.dir()).env(results, &folder);
    for (kind, server) in KINDS.iter().zip(&servers) {
        match server {
            Some(server) => command.env(kind.variable, &server.endpoint),
            None => command.env_remove(kind.variable),
        };
    }
    report.step("cargo test, with servers and clients", || tallied(&mut command, &mut ignored));
    if filter.is_none() {
        ignored.add(suite::run(report, &servers));
        report.step("docs/servers.md", || table::check(tools));
    }
    if filter.is_none_or(|filter| filter.contains("cluster")) {
        ignored.add(suite::on_a_cluster(report, tools));
    }

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
        let found = python::run(report, tools, None, &servers[..2].iter().collect::<Vec<_>>());
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
