//! The REST service held to its own description, by an outside program.

use std::process::Command;

use crate::command::built_command;
use crate::report::{Outcome, Report};
use crate::servers;
use crate::tools::{SCHEMATHESIS, Tools};
use crate::{root, run as run_command};

/// Requests that are made up for each operation in each phase.
const EXAMPLES: &str = "8";

/// The same requests in each run. Which ones are left out is luck either way.
const SEED: &str = "7";

/// Runs every check of schemathesis on the running service.
pub(crate) fn run(report: &mut Report, tools: &Tools) {
    let Some(schemathesis) = report.step_with("schemathesis", || tools.get(&SCHEMATHESIS).map_err(Outcome::Skipped))
    else {
        return;
    };
    report.step("the REST service and its description", || {
        let program = built_command();
        let (s3, service) = servers::modeldepot(&program)?;
        // Something to be found: the names are those of the description's examples.
        let model = root().join("README.md");
        let push =
            ["push", "plant_classifier", "--version", "20251028_181858", "--meta", "val_accuracy=0.95", "--quiet"];
        run_command(Command::new(&program).args(push).arg(model).env("S3_ENDPOINT", &s3.endpoint))?;
        let mut command = Command::new(schemathesis);
        command
            .arg("--config-file")
            .arg(root().join("tests/rest/schemathesis.toml"))
            .args(["run", "--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--no-color"])
            .arg(format!("{service}/api/v1/openapi.json"))
            // It leaves a folder of its own where it runs.
            .current_dir(root().join("target"));
        run_command(&mut command)
    });
}
