//! Checks files for other programs: GitHub's workflows and forms, `docker-compose.yml`, the `Dockerfile`. Each is read
//! by a program that knows its format, so that mistakes show before the first pull request or release.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::{Outcome, Report};
use crate::tools::{ACTIONLINT, CHECK_JSONSCHEMA, HADOLINT, Tool, Tools};
use crate::{root, run as run_command};

/// A schema bundled with `check-jsonschema`, and the files it applies to.
struct Schema {
    step: &'static str,
    name: &'static str,
    folder: &'static str,
    has: fn(&str) -> bool,
}

const SCHEMAS: [Schema; 4] = [
    Schema {
        step: "workflows, against their schema",
        name: "vendor.github-workflows",
        folder: ".github/workflows",
        has: |name| name.ends_with(".yml") || name.ends_with(".yaml"),
    },
    Schema {
        step: "issue forms, against their schema",
        name: "vendor.github-issue-forms",
        folder: ".github/ISSUE_TEMPLATE",
        has: |name| name.ends_with(".yml") && name != "config.yml",
    },
    Schema {
        step: "choice of issue forms, against its schema",
        name: "vendor.github-issue-config",
        folder: ".github/ISSUE_TEMPLATE",
        has: |name| name == "config.yml",
    },
    Schema {
        step: "docker-compose.yml, against its schema",
        name: "vendor.compose-spec",
        folder: "",
        has: |name| name == "docker-compose.yml",
    },
];

pub(crate) fn run(report: &mut Report, tools: &Tools) {
    for schema in &SCHEMAS {
        let args = ["--builtin-schema", schema.name].map(PathBuf::from);
        lint(report, tools, schema.step, &CHECK_JSONSCHEMA, || Ok([args.to_vec(), schema.files(&root())?].concat()));
    }
    // The schema does not cover expressions, inputs of actions and shell code.
    let no_shell = ["-shellcheck=", "-pyflakes="].map(PathBuf::from);
    lint(report, tools, "workflows, by actionlint", &ACTIONLINT, || {
        Ok([no_shell.to_vec(), SCHEMAS[0].files(&root())?].concat())
    });
    lint(report, tools, "Dockerfile, by hadolint", &HADOLINT, || Ok(vec![root().join("Dockerfile")]));
}

fn lint(
    report: &mut Report,
    tools: &Tools,
    step: &str,
    tool: &Tool,
    args: impl FnOnce() -> Result<Vec<PathBuf>, String>,
) {
    report.step(step, || match tools.get(tool) {
        Ok(program) => args().and_then(|args| run_command(Command::new(program).args(args).current_dir(root()))).into(),
        Err(why) => Outcome::Skipped(why),
    });
}

impl Schema {
    /// Returns the files, sorted. Having none is an error, so that a renamed folder does not pass unchecked.
    fn files(&self, root: &Path) -> Result<Vec<PathBuf>, String> {
        let folder = root.join(self.folder);
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            paths.filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(self.has)).collect();
        files.sort();
        if files.is_empty() { Err(format!("{} has no such file", folder.display())) } else { Ok(files) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_has_its_files() {
        for schema in &SCHEMAS {
            let files = schema.files(&root()).unwrap();
            assert!(files.iter().all(|file| file.is_file()), "{}: {files:?}", schema.step);
        }
        let forms = SCHEMAS[1].files(&root()).unwrap();
        assert!(!forms.iter().any(|file| file.ends_with("config.yml")), "{forms:?}");
    }

    #[test]
    fn a_folder_without_such_files_is_a_failure() {
        let elsewhere = root().join("xtask");
        assert!(Schema { folder: "src", ..SCHEMAS[0] }.files(&elsewhere).is_err());
        assert!(SCHEMAS[0].files(&elsewhere).is_err());
    }
}
