//! The contract suite on other servers, and the tests on a cluster.

use std::process::Command;

use super::{KINDS, Kind, Server, cluster, results, table};
use crate::command::tallied;
use crate::report::{Outcome, Report, Tally};
use crate::tools::Tools;

/// The tests mostly wait for servers: on two cores, six at once take half the time of two.
pub const THREADS: &str = "6";

/// Runs the suite on a server. `tests` is the test binary of the library.
pub fn run(report: &mut Report, tests: Command, kind: &Kind, server: &Server) -> Tally {
    let mut tally = Tally::default();
    report.step(&format!("contract suite on {}", kind.title), || {
        let mut command = tests;
        command.arg(format!("contract::{}::", kind.name)).args(["--ignored", "--test-threads", THREADS]);
        command.env(results::VARIABLE, results::folder()).env(kind.variable, &server.endpoint);
        tallied(&mut command, &mut tally)
    });
    tally
}

/// Runs the tests that kill parts of a cluster.
pub fn on_a_cluster(report: &mut Report, tests: Command, tools: &Tools) -> Tally {
    let mut tally = Tally::default();
    let started = report.step_with("Ceph, three OSDs", || cluster(tools).map_err(Outcome::Skipped));
    let Some((server, folder)) = started else { return tally };
    report.step("tests on a cluster", || {
        let mut command = tests;
        command.args(["cluster::", "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env("MODELDEPOT_TEST_CLUSTER", &server.endpoint).env("MODELDEPOT_TEST_CLUSTER_DAEMONS", folder);
        tallied(&mut command, &mut tally)
    });
    tally
}

/// The verb `servers-table`: measures all servers, or those with these names, and writes `docs/servers.md`. `tests`
/// returns the command of the library's test binary.
pub fn write_table(report: &mut Report, tests: &dyn Fn() -> Command, tools: &Tools, names: &[&str]) {
    results::forget();
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    if wanted("embedded") {
        let mut tally = Tally::default();
        report.step("contract suite on the embedded server", || {
            let mut command = tests();
            tallied(command.arg("contract::embedded::").env(results::VARIABLE, results::folder()), &mut tally)
        });
        report.count(tally);
    }
    for kind in KINDS.iter().filter(|kind| wanted(kind.name)) {
        if let Some(server) = start(report, tools, kind) {
            let tally = run(report, tests(), kind, &server);
            report.count(tally);
        }
    }
    report.step("docs/servers.md", || table::write(tools));
}

pub fn start(report: &mut Report, tools: &Tools, kind: &Kind) -> Option<Server> {
    report.step_with(kind.title, || (kind.start)(tools, None).map_err(Outcome::Skipped))
}

/// Returns true for a name that `servers-table` accepts.
pub fn has(name: &str) -> bool {
    name == "embedded" || KINDS.iter().any(|kind| kind.name == name)
}
