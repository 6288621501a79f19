//! The contract suite on other servers, and the cluster: `cargo test`, with the servers that it needs.

use super::{KINDS, Kind, Server, cluster, results, table};
use crate::cargo;
use crate::command::tallied;
use crate::report::{Outcome, Report, Tally};
use crate::tools::Tools;

/// They wait for servers more than they work: on two cores six at once take half the time of two.
pub const THREADS: &str = "6";

/// Runs the suite on one server after the other, each as a step, so that the summary says how long it took.
pub fn run(report: &mut Report, servers: &[Option<Server>]) -> Tally {
    let mut tally = Tally::default();
    for (kind, server) in KINDS.iter().zip(servers) {
        let Some(server) = server else { continue };
        report.step(&format!("contract suite on {}", kind.title), || {
            let mut command = checks(&format!("contract::{}::", kind.name));
            command.args(["--ignored", "--test-threads", THREADS]).env(kind.variable, &server.endpoint);
            tallied(&mut command, &mut tally)
        });
    }
    tally
}

/// Runs the tests in which parts of a cluster die.
pub fn on_a_cluster(report: &mut Report, tools: &Tools) -> Tally {
    let mut tally = Tally::default();
    let started = report.step_with("Ceph, three OSDs", || cluster(tools).map_err(Outcome::Skipped));
    let Some((server, folder)) = started else { return tally };
    report.step("cargo test, on the cluster", || {
        let mut command = checks("cluster::");
        command.args(["--ignored", "--nocapture", "--test-threads", "1"]);
        command.env("MODELDEPOT_TEST_CLUSTER", &server.endpoint).env("MODELDEPOT_TEST_CLUSTER_DAEMONS", folder);
        tallied(&mut command, &mut tally)
    });
    tally
}

/// The verb `servers-table`: measures all servers, or those with these names, and writes `docs/servers.md`.
pub fn write_table(report: &mut Report, tools: &Tools, names: &[&str]) {
    results::forget();
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    let mut tally = Tally::default();
    if wanted("embedded") {
        let step = "contract suite on the embedded server";
        report.step(step, || tallied(&mut checks("contract::embedded::"), &mut tally));
    }
    let mut start = |kind: &Kind| if wanted(kind.name) { start(report, tools, kind) } else { None };
    let servers: Vec<_> = KINDS.iter().map(&mut start).collect();
    let found = run(report, &servers);
    report.count(tally.passed + found.passed, tally.failed + found.failed, 0);
    report.step("docs/servers.md", || table::write(tools));
}

pub fn start(report: &mut Report, tools: &Tools, kind: &Kind) -> Option<Server> {
    report.step_with(kind.title, || (kind.start)(tools, None).map_err(Outcome::Skipped))
}

/// Returns true for a name that `servers-table` knows.
pub fn has(name: &str) -> bool {
    name == "embedded" || KINDS.iter().any(|kind| kind.name == name)
}

/// Returns the command that runs the library's tests with a name; what follows goes to the test binary.
fn checks(name: &str) -> std::process::Command {
    // --workspace: to build the library's tests alone would compile half of the tree once more, with other features.
    let mut command = cargo(["test", "--workspace", "--locked", "--no-fail-fast", "--test", "it", name, "--"]);
    command.env(results::VARIABLE, results::folder());
    command
}
