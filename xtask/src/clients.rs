//! Tests other S3 clients on the embedded server: `tests/clients`, one file per client.
//!
//! ```text
//! target/clients/venv/   a Python environment with pytest and all clients written in Python
//! target/clients/made    what it was made from, so that it is only rebuilt after a change
//! ```
//!
//! The other clients are in `target/tools/bin`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{built_command, tallied};
use crate::output::say;
use crate::report::{Lane, Outcome, Report, Tally};
use crate::tools::{MC, RCLONE, S5CMD, Tool, Tools};
use crate::{quietly, root};

const REQUIREMENTS: &str = "tests/clients/requirements.txt";

/// Each client has a file `tests/clients/test_NAME.py`; those that are not Python packages need a program.
static CLIENTS: [(&str, Option<Tool>); 13] = [
    ("boto3", None),
    ("aws", None),
    ("s3fs", None),
    ("pyarrow", None),
    ("obstore", None),
    ("dvc", None),
    ("mlflow", None),
    ("minio", None),
    ("smart_open", None),
    ("cloudpathlib", None),
    ("s5cmd", Some(S5CMD)),
    ("rclone", Some(RCLONE)),
    ("mc", Some(MC)),
];

/// Returns the tests of every client, or of those whose name contains `filter`. Clients that cannot be installed are
/// reported as skipped.
pub(crate) fn lanes<'a>(report: &mut Report, tools: &'a Tools, filter: Option<&str>) -> Vec<Lane<'a>> {
    let python = report.step_with("clients: environment", || environment().map_err(Outcome::Skipped));
    let wanted = CLIENTS.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter)));
    let lane = |(client, tool): &'static (&str, Option<Tool>)| -> Lane<'a> {
        let python = python.clone();
        Box::new(move |report| {
            let mut tally = Tally::default();
            report.step(&format!("clients: {client}"), || {
                let Some(python) = &python else { return Outcome::Skipped("needs the environment".into()) };
                if let Some(Err(why)) = tool.as_ref().map(|tool| tools.get(tool)) {
                    return Outcome::Skipped(why);
                }
                tallied(&mut pytest(python, client, tools), &mut tally).into()
            });
            report.count(tally);
        })
    };
    wanted.map(lane).collect()
}

fn pytest(python: &Path, client: &str, tools: &Tools) -> Command {
    let mut pytest = Command::new(python);
    pytest.args(["-B", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-W", "ignore"]);
    pytest.arg(format!("tests/clients/test_{client}.py")).current_dir(root());
    pytest.env("MODELDEPOT_TOOLS", tools.dir()).env("MODELDEPOT_TEST_COMMAND", built_command());
    pytest
}

/// Returns the Python that has the clients, installing them if necessary; the error says what the machine lacks.
fn environment() -> Result<PathBuf, String> {
    let folder = root().join("target/clients");
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    let requirements =
        fs::read_to_string(root().join(REQUIREMENTS)).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    // Programs in a Python environment contain its absolute path, so a moved checkout needs a new one.
    let wanted = format!("{}\n{requirements}", venv.display());
    let stamp = folder.join("made");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    say(format_args!("making a Python environment in target/clients/venv"));
    quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
        .map_err(|why| format!("needs python3 with `venv`: {why}"))?;
    say(format_args!("installing {REQUIREMENTS}"));
    // The file pins all dependencies, so pip resolves nothing.
    let install = ["-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--requirement", REQUIREMENTS];
    quietly(Command::new(&python).args(install).current_dir(root()))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}
