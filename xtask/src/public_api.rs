//! The public API of the library is listed in `crates/modeldepot/public-api.txt`, so that breaking changes are visible
//! in reviews.

use std::fs;
use std::path::PathBuf;

use crate::output::say;
use crate::report::{Outcome, Report};
use crate::{cargo, quietly, root, run as run_command};

const LISTING: &str = "crates/modeldepot/public-api.txt";

/// Compares the listing with the code, or rewrites it if `UPDATE_GENERATED` is set, like the tests of generated files.
pub(crate) fn check(report: &mut Report) {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return write(report);
    }
    report.step("public API of the library", || -> Result<(), Outcome> {
        let now = list()?;
        let committed = fs::read_to_string(path()).unwrap_or_default();
        match first_difference(&committed, &now) {
            None => Ok(()),
            Some(line) => Err(Outcome::Failed(format!(
                "{LISTING} differs from the code, first by `{line}`: if that is meant, run `cargo xtask generate` and \
                 commit it"
            ))),
        }
    });
}

/// Rewrites the listing.
pub(crate) fn write(report: &mut Report) {
    report.step("public API of the library", || -> Result<(), Outcome> {
        let now = list()?;
        if fs::read_to_string(path()).is_ok_and(|committed| committed == now) {
            return Ok(());
        }
        say(format_args!("rewritten: {LISTING}"));
        fs::write(path(), now).map_err(|error| Outcome::Failed(format!("cannot write {LISTING}: {error}")))
    });
}

fn path() -> PathBuf {
    root().join(LISTING)
}

/// Runs rustdoc on the library, and lists its public items.
fn list() -> Result<String, Outcome> {
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let found = quietly(&mut cargo(["--version"])).map_err(Outcome::Failed)?;
    if !is_of(&found, wanted) {
        // rustdoc's format, and with it the listing, changes with many releases of Rust.
        return Err(Outcome::OutOfReach(format!("the listing is made with Rust {wanted}; this is {}", found.trim())));
    }
    let mut rustdoc = cargo(["rustdoc", "--quiet", "--locked", "--package", "modeldepot", "--lib", "--"]);
    rustdoc.args(["-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    // As docs.rs builds its pages, so that what the flag enables must exist.
    rustdoc.args(["--cfg", "docsrs"]);
    // The JSON output is unstable. It is enabled for this crate only, and does not affect builds.
    run_command(rustdoc.env("RUSTC_BOOTSTRAP", "modeldepot")).map_err(Outcome::Failed)?;
    let mut lister = cargo(["run", "--quiet", "--locked", "--manifest-path", "xtask/public-api/Cargo.toml"]);
    lister.arg("--target-dir").arg(root().join("target/tools/public-api")).arg("--");
    quietly(lister.arg(root().join("target/doc/modeldepot.json"))).map_err(Outcome::Failed)
}

/// Returns whether `cargo 1.95.0 (…)` has version 1.95.
fn is_of(cargo: &str, version: &str) -> bool {
    let rest = cargo.trim().strip_prefix("cargo ").and_then(|rest| rest.strip_prefix(version));
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Returns the first line that is only in one of two listings.
fn first_difference<'a>(committed: &'a str, now: &'a str) -> Option<&'a str> {
    let lacks = |text: &str, line: &str| !text.lines().any(|other| other == line);
    let removed = committed.lines().find(|line| lacks(now, line));
    removed.or_else(|| now.lines().find(|line| lacks(committed, line))).or((committed != now).then_some("the order"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_wholes() {
        assert!(is_of("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", "1.95"));
        assert!(!is_of("cargo 1.950.0", "1.95"));
        assert!(!is_of("cargo 1.96.0-nightly", "1.95"));
    }

    #[test]
    fn what_is_gone_is_named_first() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some("b"));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some("c"));
        assert_eq!(first_difference("a\nb\n", "b\na\n"), Some("the order"));
    }
}
