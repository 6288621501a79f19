//! The library's features: it and its unit tests compile without any, and with each one alone.

use std::fs;

use crate::report::Report;
use crate::{cargo, root, run as run_command};

const MANIFEST: &str = "crates/modeldepot/Cargo.toml";

/// Not features to choose: the union of the others, and what only our own benchmarks use.
const OTHERS: [&str; 2] = ["default", "internals"];

pub(crate) fn run(report: &mut Report) {
    report.step("features of the library, each alone", || -> Result<(), String> {
        let manifest = fs::read_to_string(root().join(MANIFEST)).map_err(|error| format!("{MANIFEST}: {error}"))?;
        for feature in std::iter::once("").chain(names(&manifest)) {
            // With `test` alone, code that only tests use would not be reported as unused.
            for profile in ["dev", "test"] {
                let mut clippy =
                    cargo(["clippy", "--locked", "--package", "modeldepot", "--lib", "--profile", profile]);
                clippy.args(["--no-default-features", "--features", feature, "--", "-D", "warnings"]);
                run_command(&mut clippy)?;
            }
        }
        Ok(())
    });
}

/// Returns the features that users choose from.
fn names(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let table = lines.take_while(|line| !line.starts_with('['));
    let names = table.filter_map(|line| Some(line.split_once(" = ")?.0)).filter(|name| !name.starts_with('#'));
    names.filter(|name| !OTHERS.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_of_the_manifest() {
        let manifest = "[package]\nname = \"m\"\n\n[features]\n# a = \"b\"\ndefault = [\"x\"]\nx = []\ninternals = []\n\n\
                        [dependencies]\ny = \"1\"\n";
        assert_eq!(names(manifest).collect::<Vec<_>>(), ["x"]);
        let ours = fs::read_to_string(root().join(MANIFEST)).unwrap();
        assert_eq!(names(&ours).collect::<Vec<_>>(), ["globs", "history", "sso"]);
    }
}
