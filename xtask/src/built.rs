//! The test binaries of the workspace: built once and run directly, so that several can run at the same time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{announce, cargo, clean, root, spelled};

/// A test binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binary {
    /// The folder of its package, in which cargo would run it.
    folder: PathBuf,
    /// For example `it`; `None` for the unit tests.
    pub(crate) target: Option<String>,
    path: PathBuf,
}

impl Binary {
    /// Returns a name such as `modeldepot-cli it`.
    pub(crate) fn name(&self) -> String {
        let package = self.folder.file_name().unwrap_or_default().to_string_lossy();
        format!("{package} {}", self.target.as_deref().unwrap_or("unit"))
    }

    /// Returns true if it belongs to the library.
    pub(crate) fn is_of_the_library(&self, target: &str) -> bool {
        self.folder == root().join("crates/modeldepot") && self.target.as_deref() == Some(target)
    }

    /// Returns the command that runs it, as `cargo test` would.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        clean(&mut command).current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }
}

/// Builds all test binaries, the command and the examples.
pub(crate) fn build() -> Result<Vec<Binary>, String> {
    let mut command = cargo(["test", "--workspace", "--locked", "--no-run"]);
    command.args(["--message-format", "json-render-diagnostics"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    announce(&command);
    let output = command.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", spelled(&command), output.status));
    }
    let found: Vec<Binary> = String::from_utf8_lossy(&output.stdout).lines().filter_map(binary).collect();
    if found.is_empty() { Err("cargo has built no test binary".to_owned()) } else { Ok(found) }
}

/// Parses one of cargo's messages.
fn binary(message: &str) -> Option<Binary> {
    let path = text(message, "executable")?;
    // Skip the command itself and the examples.
    let profile = message.split_once("\"profile\":{")?.1;
    if !profile.split_once('}')?.0.contains("\"test\":true") {
        return None;
    }
    let manifest = PathBuf::from(text(message, "manifest_path")?);
    let target = message.split_once("\"target\":{")?.1;
    let is_test = target.split_once(']')?.0.contains("\"test\"");
    Some(Binary {
        folder: manifest.parent().map(Path::to_path_buf)?,
        target: is_test.then(|| text(target, "name").map(str::to_owned)).flatten(),
        path: path.into(),
    })
}

/// Returns the first string with this name. Does not handle escaped quotes or backslashes.
fn text<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split_once(&format!("\"{name}\":\""))?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, name: &str, is_test: bool) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/crates/a#0.1.0","manifest_path":"/w/crates/a/Cargo.toml","target":{{"kind":["{kind}"],"crate_types":["bin"],"name":"{name}","src_path":"/w/crates/a/tests/it/main.rs","edition":"2024","doc":false,"doctest":false,"test":true}},"profile":{{"opt_level":"0","debuginfo":1,"test":{is_test}}},"features":[],"filenames":["/w/t/{name}-1"],"executable":"/w/t/{name}-1","fresh":true}}"#
        )
    }

    #[test]
    fn test_binaries_are_told_from_programs() {
        let found = binary(&message("test", "it", true)).unwrap();
        assert_eq!((found.name(), found.path), ("a it".to_owned(), PathBuf::from("/w/t/it-1")));
        assert_eq!(binary(&message("lib", "a", true)).unwrap().name(), "a unit");
        assert_eq!(binary(&message("bin", "a", false)), None);
        let library = message("lib", "a", true).replace("\"executable\":\"/w/t/a-1\"", "\"executable\":null");
        assert_eq!(binary(&library), None);
    }
}
