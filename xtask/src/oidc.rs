//! Logins by OpenID Connect: the feature that a first build leaves out, tested as it is released, on npm's
//! `oidc-provider` too.

use crate::command::tallied;
use crate::report::{Outcome, Report, Tally};
use crate::tools::{OIDC_PROVIDER, Tools};
use crate::{cargo, run as run_command};

/// The packages that the feature is of. Others would be built once more for nothing.
const BUILD: [&str; 7] = [
    "--locked",
    "--package",
    "modeldepot-server",
    "--package",
    "modeldepot-cli",
    "--features",
    "modeldepot-server/oidc,modeldepot-cli/oidc",
];

/// Looks over the code that no other build has.
pub(crate) fn lint(report: &mut Report) {
    report.step("clippy, with the feature oidc", || {
        let mut command = cargo(["clippy"]);
        run_command(command.args(BUILD).args(["--all-targets", "--", "-D", "warnings"]))
    });
}

/// Runs the tests of logins, and counts them.
pub(crate) fn test(report: &mut Report, tools: &Tools) -> Tally {
    let provider = report.step_with("oidc-provider", || tools.get(&OIDC_PROVIDER).map_err(Outcome::Skipped));
    let mut command = cargo(["test"]);
    command.args(BUILD).args(["--lib", "--tests", "--no-fail-fast", "--", "oidc", "--include-ignored"]);
    if provider.is_none() {
        command.args(["--skip", "oidc::real"]);
    }
    command.env("MODELDEPOT_TOOLS", tools.dir());
    let mut tally = Tally::default();
    report.step("cargo test, logins by OpenID Connect", || tallied(&mut command, &mut tally));
    tally
}
