//! Tests the REST service against its own OpenAPI document, with another program.

use std::process::Command;

use crate::command::built_command;
use crate::report::{Outcome, Report};
use crate::servers;
use crate::tools::{SCHEMATHESIS, Tools};
use crate::{root, run as run_command};

/// Requests generated per operation and phase.
const EXAMPLES: &str = "8";

/// A fixed seed, for the same requests in each run.
const SEED: &str = "7";

/// Runs all checks of schemathesis on a running service.
pub(crate) fn run(report: &mut Report, tools: &Tools) {
    let Some(schemathesis) = report.step_with("schemathesis", || tools.get(&SCHEMATHESIS).map_err(Outcome::Skipped))
    else {
        return;
    };
    report.step("the REST service and its description", || {
        let program = built_command();
        let (s3, service) = servers::modeldepot(&program)?;
        // Data to find, with the names in the document's examples.
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
            // It creates a folder in its working directory.
            .current_dir(root().join("target"));
        run_command(&mut command)
    });
}
