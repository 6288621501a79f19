//! `cargo xtask test`: runs all tests, including those that need a server or another S3 client.
//!
//! These are `#[ignore]`d, so that a plain `cargo test` needs nothing. Their names contain the name of a server or
//! `outside_CLIENT`, and they read its address or path from the environment set here. `tests/console` tests the console
//! in Chromium; its screenshots are in `target/console`.
//!
//! Everything is built first. Then the servers start, and the tests run side by side.

use std::process::Command;
use std::sync::Mutex;
use std::thread::available_parallelism;

use crate::built::{self, Binary};
use crate::command::{built_command, tallied};
use crate::memory_folder::MemoryFolder;
use crate::python;
use crate::report::{Lane, Outcome, Report, Tally};
use crate::servers::{KINDS, Kind, Server, results, suite, table};
use crate::tools::{AXE, BOTO3, MC, OIDC_PROVIDER, PLAYWRIGHT, RCLONE, S5CMD, Tools, chromium};
use crate::{cargo, clients, contract, root, run as run_command};

/// Runs the tests whose names contain `filter`, with variables that control how much is tested.
pub(crate) fn run(report: &mut Report, tools: &Tools, filter: Option<&str>, more: &[(&str, &str)]) {
    results::forget();
    let Some(binaries) = report.step_with("build", || built::build().map_err(Outcome::Failed)) else { return };
    let python = if filter.is_none() { python::prepare(report, tools) } else { None };
    let mut skips = missing_programs(report, tools);
    let servers = start(report, tools, filter);
    let running: Vec<(&Kind, &Server)> =
        KINDS.iter().zip(&servers).filter_map(|(kind, server)| Some((kind, server.as_ref()?))).collect();
    let missing = KINDS.iter().filter(|kind| running.iter().all(|(there, _)| there.name != kind.name));
    skips.extend(missing.map(|kind| kind.name.to_owned()));
    skips.push("cluster::".to_owned());
    if filter.is_none() {
        // These have lanes of their own.
        skips.push("contract::".to_owned());
    }

    let (plain, ignored) = (Mutex::new(Tally::default()), Mutex::new(Tally::default()));
    let (tests, units): (Vec<&Binary>, Vec<&Binary>) = binaries.iter().partition(|binary| binary.target.is_some());
    let library = tests.iter().copied().find(|binary| binary.is_of_the_library("it"));
    let memory = MemoryFolder::new();
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    // The longest come first, so that no core is idle while the last one finishes.
    for binary in by_length(&tests) {
        lanes.push(Box::new(|report| {
            let mut command = binary.command();
            command.args(filter).envs(more.iter().copied()).env(results::VARIABLE, results::folder());
            if let Some(memory) = memory.as_ref().filter(|_| LONGEST.contains(&&*binary.name())) {
                command.env("TMPDIR", memory.path());
            }
            add(&plain, counted(report, &binary.name(), command));
        }));
    }
    if let Some(library) = library.filter(|_| filter.is_none_or(|filter| filter.contains("cluster"))) {
        lanes.insert(1, Box::new(|report| add(&ignored, suite::on_a_cluster(report, library.command(), tools))));
    }
    if let Some(python) = &python {
        let two: Vec<&Server> = running.iter().take(2).map(|(_, server)| *server).collect();
        lanes.extend(python::lanes(python, two));
    }
    if let Some(library) = library.filter(|_| filter.is_none()) {
        for &(kind, server) in &running {
            let ignored = &ignored;
            lanes.push(Box::new(move |report| add(ignored, suite::run(report, library.command(), kind, server))));
        }
    }
    for &binary in &tests {
        lanes.push(Box::new(|report| {
            let mut command = binary.command();
            command.args(filter).args(["--ignored", "--test-threads", suite::THREADS]);
            command.args(skips.iter().flat_map(|skip| ["--skip", skip]));
            command.env("MODELDEPOT_TOOLS", tools.dir()).env(results::VARIABLE, results::folder());
            for kind in &KINDS {
                command.env_remove(kind.variable);
            }
            command.envs(running.iter().map(|(kind, server)| (kind.variable, &server.endpoint)));
            add(&ignored, counted(report, &format!("{}, with servers and clients", binary.name()), command));
        }));
    }
    if filter.is_none() {
        lanes.extend(clients::lanes(report, tools, None));
        // Not selected by a filter, which is for names of tests.
        lanes.push(Box::new(|report| contract::run(report, tools)));
    }
    if filter.is_none_or(|filter| "console".contains(filter)) {
        lanes.push(Box::new(|report| report.step("console, in Chromium", || console(tools))));
    }
    lanes.push(Box::new(|report| {
        for binary in &units {
            let mut command = binary.command();
            command.args(filter).envs(more.iter().copied());
            add(&plain, counted(report, &binary.name(), command));
        }
        let mut examples = cargo(["test", "--workspace", "--locked", "--no-fail-fast", "--doc"]);
        examples.args(filter);
        add(&plain, counted(report, "examples in the documentation", examples));
    }));
    report.side_by_side("tests", at_once(), lanes);

    if filter.is_none() {
        report.step("docs/servers.md", || table::check(tools));
    }
    let (mut plain, ignored) = (plain.into_inner().unwrap_or_default(), ignored.into_inner().unwrap_or_default());
    plain.ignored = plain.ignored.saturating_sub(ignored.passed + ignored.failed);
    report.count(plain);
    report.count(Tally { ignored: 0, ..ignored });
}

/// Returns how many lanes run at the same time: a few more than there are cores, because tests mostly wait.
fn at_once() -> usize {
    available_parallelism().map_or(2, |cores| cores.get() + 2)
}

/// The tests that take longest. They need no disk, and put their files into memory where there is enough.
const LONGEST: [&str; 4] = ["modeldepot it", "modeldepot faults", "modeldepot-cli it", "modeldepot-server it"];

/// Returns the test binaries, longest running first.
fn by_length<'a>(binaries: &[&'a Binary]) -> Vec<&'a Binary> {
    let place = |binary: &Binary| LONGEST.iter().position(|name| *name == binary.name()).unwrap_or(LONGEST.len());
    let mut sorted = binaries.to_vec();
    sorted.sort_by_key(|binary| place(binary));
    sorted
}

fn add(sum: &Mutex<Tally>, tally: Tally) {
    if let Ok(mut sum) = sum.lock() {
        sum.add(tally);
    }
}

/// Runs tests as a step, and counts them.
fn counted(report: &mut Report, name: &str, mut command: Command) -> Tally {
    let mut tally = Tally::default();
    report.step(name, || tallied(&mut command, &mut tally));
    tally
}

/// Installs the programs that tests need, and returns the names of tests that cannot run without one.
fn missing_programs(report: &mut Report, tools: &Tools) -> Vec<String> {
    let mut skips = Vec::new();
    for (name, test, tool) in [
        ("boto3", "outside_boto3", BOTO3),
        ("rclone", "outside_rclone", RCLONE),
        ("s5cmd", "outside_s5cmd", S5CMD),
        ("mc", "outside_mc", MC),
        ("oidc-provider", "oidc::real", OIDC_PROVIDER),
    ] {
        if report.step_with(name, || tools.get(&tool).map_err(Outcome::Skipped)).is_none() {
            skips.push(test.to_owned());
        }
    }
    skips
}

/// Starts the servers in parallel. If the filter names one, only that one.
fn start(report: &mut Report, tools: &Tools, filter: Option<&str>) -> Vec<Option<Server>> {
    let named =
        filter.is_some_and(|filter| filter.contains("cluster") || KINDS.iter().any(|kind| filter.contains(kind.name)));
    let servers: Vec<Mutex<Option<Server>>> = KINDS.iter().map(|_| Mutex::new(None)).collect();
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    for (kind, place) in KINDS.iter().zip(&servers) {
        if !named || filter.is_some_and(|filter| filter.contains(kind.name)) {
            lanes.push(Box::new(move |report| {
                if let (Some(server), Ok(mut place)) = (suite::start(report, tools, kind), place.lock()) {
                    *place = Some(server);
                }
            }));
        }
    }
    if lanes.is_empty() {
        drop(lanes);
    } else {
        report.side_by_side("servers", KINDS.len(), lanes);
    }
    servers.into_iter().map(|server| server.into_inner().unwrap_or_default()).collect()
}

/// The verb `clients`: only the tests of other S3 clients.
pub(crate) fn clients(report: &mut Report, tools: &Tools, name: Option<&str>) {
    if report.step_with("build", || built::build().map_err(Outcome::Failed)).is_some() {
        let lanes = clients::lanes(report, tools, name);
        report.side_by_side("clients", at_once(), lanes);
    }
}

/// The verb `python`: only the Python package, without other servers.
pub(crate) fn python(report: &mut Report, tools: &Tools, filter: Option<&str>) {
    let Some(python) = python::prepare(report, tools) else { return };
    match filter {
        Some(filter) => python::some(report, &python, filter),
        None => report.side_by_side("python", at_once(), python::lanes(&python, Vec::new())),
    }
}

fn console(tools: &Tools) -> Outcome {
    let found = chromium().and_then(|chromium| Ok((chromium, tools.get(&PLAYWRIGHT)?, tools.get(&AXE)?)));
    let (chromium, python, axe) = match found {
        Ok(found) => found,
        Err(why) => return Outcome::Skipped(why),
    };
    let out = root().join("target/console");
    // Remove old screenshots, whose pages may no longer exist.
    let _ = std::fs::remove_dir_all(&out);
    let mut tests = Command::new(python);
    tests.arg("tests/console/run.py").arg(built_command()).arg(chromium).arg(axe).arg(out);
    run_command(tests.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root())).into()
}
