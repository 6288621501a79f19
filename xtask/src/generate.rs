//! `cargo xtask generate`: rewrites the committed files that are generated from code.
//!
//! Each has a test with `generated_` in its name, which compares it with the code, and rewrites it if
//! `UPDATE_GENERATED` is set.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::command::tallied;
use crate::output::say;
use crate::report::{Outcome, Report, Tally};
use crate::{cargo, root, run as run_command};

/// The verb `generate`.
pub(crate) fn run(report: &mut Report) {
    report.step("generate", || match changed_by_generating() {
        Ok(changed) => {
            for path in &changed {
                say(format_args!("rewritten: {path}"));
            }
            if changed.is_empty() {
                say(format_args!("nothing to rewrite"));
            }
            Outcome::Ok
        }
        Err(outcome) => outcome,
    });
}

/// Checks that no committed file would change.
pub(crate) fn check() -> Outcome {
    match changed_by_generating() {
        Ok(changed) if changed.is_empty() => Outcome::Ok,
        Ok(changed) => Outcome::Failed(format!("{} changed by `cargo xtask generate`: commit it", changed.join(", "))),
        Err(outcome) => outcome,
    }
}

/// Generates all files, and returns the paths of those that changed.
fn changed_by_generating() -> Result<Vec<String>, Outcome> {
    // Built before the snapshot, so that edits made during a long build do not count.
    run_command(&mut cargo(["test", "--workspace", "--locked", "--tests", "--no-run"])).map_err(Outcome::Failed)?;
    let before = snapshot().map_err(Outcome::Failed)?;
    let mut tally = Tally::default();
    let mut command = cargo(["test", "--quiet", "--workspace", "--locked", "--tests", "generated_"]);
    tallied(command.env("UPDATE_GENERATED", "1"), &mut tally).map_err(Outcome::Failed)?;
    if tally.passed == 0 {
        return Err(Outcome::Skipped("no test has `generated_` in its name".to_owned()));
    }
    let after = snapshot().map_err(Outcome::Failed)?;
    let changed = after.iter().filter(|(path, bytes)| before.get(*path) != Some(*bytes));
    Ok(changed.map(|(path, _)| path.clone()).collect())
}

/// Reads every file in the work tree that Git does not ignore. This needs no list of generated files, and works in a
/// tree with uncommitted changes.
fn snapshot() -> Result<BTreeMap<String, Vec<u8>>, String> {
    let root: PathBuf = root();
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("needs git ({error})"))?;
    if !listed.status.success() {
        return Err("`git ls-files` failed: is this a checkout?".to_owned());
    }
    let paths = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(paths.split('\0').filter_map(|path| Some((path.to_owned(), std::fs::read(root.join(path)).ok()?))).collect())
}
