//! Checks the tables of guarantees in the docs: the tests that they name must exist. So must the files that
//! CONTRIBUTING refers to.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use crate::root;

/// Documents with such a table. Its last column names the tests in backticks.
const DOCUMENTS: &[&str] = &["docs/format.md", "docs/security.md"];

/// Documents that refer contributors to files.
const GUIDES: &[&str] = &["CONTRIBUTING.md"];

/// The start of the heading above the table.
const HEADING: &str = "## Where each ";

pub(crate) fn check() -> Result<(), String> {
    let mut known = BTreeSet::new();
    for folder in ["crates", "bindings/python", "tests", "xtask"] {
        collect(&root().join(folder), &mut known).map_err(|error| format!("cannot read {folder}: {error}"))?;
    }
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).map_err(|error| format!("{document}: {error}"))?;
        let named = named(&text);
        if named.is_empty() {
            missing.push(format!("{document} has no table below `{HEADING}…`"));
        }
        missing.extend(named.iter().filter(|name| !exists(name, &known)).map(|name| format!("{document}: `{name}`")));
    }
    for guide in GUIDES {
        let text = fs::read_to_string(root().join(guide)).map_err(|error| format!("{guide}: {error}"))?;
        missing
            .extend(paths(&text).filter(|path| !root().join(path).exists()).map(|path| format!("{guide}: `{path}`")));
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("no such test or file: {}", missing.join(", "))) }
}

/// Returns the paths in this repository that a document has in backticks. Paths below `target` are not committed, and
/// shortened ones (`…/download/`) are skipped.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const FOLDERS: &[&str] =
        &["crates/", "bindings/", "xtask/", "benchsuite/", "docs/", "tests/", "examples/", ".github/"];
    let lines = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    lines.filter(|quoted| FOLDERS.iter().any(|folder| quoted.starts_with(folder)) && !quoted.contains([' ', '*']))
}

/// Returns the tests that a document names.
fn named(text: &str) -> Vec<&str> {
    let below = text.lines().skip_while(|line| !line.starts_with(HEADING));
    let rows = below.filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    // In a cell, every other piece is in backticks. Text with spaces, dots, slashes or dashes is not the name of a
    // test.
    let cells = rows.filter_map(|row| row.trim_end().trim_end_matches('|').rsplit(" | ").next());
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    quoted.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "_:*".contains(c))).collect()
}

/// Looks up a test by the last part of its name; `*` matches any suffix, and `module::*` and `module` match a module.
fn exists(name: &str, known: &BTreeSet<String>) -> bool {
    let Some(last) = name.split("::").filter(|part| *part != "*").last() else { return false };
    match last.strip_suffix('*') {
        Some(start) => known.range(start.to_owned()..).next().is_some_and(|found| found.starts_with(start)),
        None => known.contains(last),
    }
}

/// Collects the names of all functions and modules.
fn collect(folder: &Path, known: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if path.is_dir() && !stem.starts_with('.') && !matches!(stem, "target" | "node_modules") {
            known.insert(stem.to_owned());
            collect(&path, known)?;
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "py" || kind == "mjs") {
            known.insert(stem.to_owned());
            let text = fs::read_to_string(&path)?;
            for word in ["fn ", "def ", "mod "] {
                let names = text
                    .split(word)
                    .skip(1)
                    .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>());
                known.extend(names.filter(|name| !name.is_empty()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_does_not_exist_is_noticed() {
        let text = "| x | `not_here` |\n## Where each promise is tested\n\n| promise | test |\n|---|---|\n| it is, `so` | `a::b_c`, `d::*`, in `x.rs` |\n";
        assert_eq!(named(text), ["a::b_c", "d::*"]);
        let known: BTreeSet<String> = ["b_c", "d"].map(str::to_owned).into();
        assert!(exists("a::b_c", &known) && exists("d::*", &known) && exists("b_*", &known));
        assert!(!exists("a::c", &known) && !exists("e::*", &known) && !exists("c*", &known));
    }

    #[test]
    fn a_file_that_does_not_exist_is_noticed() {
        let text =
            "| a rule | `crates/a/src/b.rs` and `c/` | `crates/a/tests/it` (`cargo test`) |\nin `docs/x y`, `xtask/*`";
        assert_eq!(paths(text).collect::<Vec<_>>(), ["crates/a/src/b.rs", "crates/a/tests/it"]);
    }
}
