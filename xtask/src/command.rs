//! Starts other programs.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::output;
use crate::report::Tally;

/// Returns the root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns a `cargo` command in the workspace root, with the environment of a shell.
pub fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut cargo = Command::new("cargo");
    clean(&mut cargo).args(args).current_dir(root());
    cargo
}

/// Removes from a command's environment what `cargo xtask` has added.
pub fn clean(command: &mut Command) -> &mut Command {
    // Variables set by `cargo run` would reach build scripts: one that watches CARGO_MANIFEST_DIR (like ring's) would
    // be rerun whenever `cargo xtask test` and `cargo test` alternate.
    for (name, _) in std::env::vars_os() {
        let added =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if added {
            command.env_remove(name);
        }
    }
    command
}

/// The command as built by `cargo test --workspace`. Building its package alone would recompile half of the tree with
/// other features.
pub fn built_command() -> PathBuf {
    root().join("target/debug/modeldepot")
}

/// Prints a command and runs it, with its output on ours.
pub fn run(command: &mut Command) -> Result<(), String> {
    announce(command);
    let status = if output::is_kept() { watch(command, |_| {}) } else { command.status() };
    ended(command, status)
}

/// Runs a command silently and returns its output; the error has its last line on stderr.
pub fn quietly(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", spelled(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{} ended with {}: {}", spelled(command), output.status, last.trim()))
}

pub fn announce(command: &Command) {
    output::say(format_args!("\n$ {}", spelled(command)));
}

pub fn spelled(command: &Command) -> String {
    let root = root();
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| {
            let word = Path::new(word);
            word.strip_prefix(&root).unwrap_or(word).to_string_lossy().into_owned()
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs `cargo test` or pytest, passes on its output line by line, and counts the tests that it reports.
pub fn tallied(command: &mut Command, tally: &mut Tally) -> Result<(), String> {
    announce(command);
    let status = watch(command, |line| tally.add_line(line));
    ended(command, status)
}

/// Runs a command, passes its output on, and calls `each` for every line of stdout, and of stderr if the step's output
/// is captured.
fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> io::Result<ExitStatus> {
    let (reader, writer) = io::pipe()?;
    if output::is_kept() {
        command.stderr(writer.try_clone()?);
    }
    let child = command.stdout(writer).spawn();
    // Drop our write ends of the pipe: reading does not end while one is open.
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = child?;
    // Bytes rather than text: a failing test may print anything.
    for line in BufReader::new(reader).split(b'\n') {
        let mut line = line?;
        each(&String::from_utf8_lossy(&line));
        line.push(b'\n');
        output::pass_on(&line);
    }
    output::cost(output::ended_cpu(child.id()));
    child.wait()
}

fn ended(command: &Command, status: io::Result<ExitStatus>) -> Result<(), String> {
    let status = status.map_err(|error| format!("cannot run {}: {error}", spelled(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", spelled(command))) }
}
