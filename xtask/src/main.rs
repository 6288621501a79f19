//! The project's own chores: `cargo xtask VERB`.
//!
//! | verb       | does                                                                     |
//! |------------|--------------------------------------------------------------------------|
//! | `test`     | sets up servers and outside clients under `target/`, runs every test     |
//! | `ci`       | everything that a change must pass, `test` included                      |
//! | `instructions` | counts the instructions of the hot loops, against limits                 |
//! | `fuzz`     | gives the parsers inputs that nobody meant, for as long as one likes     |
//! | `mutants`  | plants bugs in the library, lists those that no test notices              |
//! | `clients`  | runs outside S3 clients on the embedded server                           |
//! | `python`   | builds the wheel of the Python package, runs its tests in clean environments |
//! | `generate` | rewrites the committed files that are derived from code                  |
//! | `servers`  | runs MinIO, SeaweedFS, Ceph, versitygw, moto and `rclone serve s3` for work by hand |
//! | `servers-table` | measures these servers, rewrites `docs/servers.md`                       |
//! | `bench`    | compares the command with its peers, writes `docs/benchmarks.md`         |
//!
//! It depends on nothing but the standard library, so that the first `cargo xtask` of a fresh checkout
//! starts in seconds. It needs a Unix (`sh`, process groups), and installs nothing outside `target/`, but for a Chromium
//! where it is root on a Debian without one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a terminal")]

mod bench;
mod ci;
mod clients;
mod contract;
mod fuzz;
mod generate;
mod instructions;
mod mutants;
mod oidc;
mod promises;
mod python;
mod report;
mod servers;
mod test;
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use report::Report;
use servers::suite;
use tools::Tools;

const HELP: &str = "\
The project's own chores

usage: cargo xtask VERB

  test [FILTER]   run all tests, also those that need a server or an outside client
                  (with FILTER: those of Rust whose name contains it)
  clients [NAME]  run boto3, aws, rclone and ten other S3 clients on the embedded server; `test` does so too
                  (with NAME: those whose name contains it)
  python [FILTER] build the Python package's wheel and run its tests in clean environments,
                  on the oldest and the newest Python here; `test` does so too
                  (with FILTER: on the newest alone, those that pytest's -k selects)
  fuzz [TARGET] [--seconds N]
                  give the parsers inputs that nobody meant, N seconds for each [20]
  mutants [FILE...] [--unit] [--only REGEX] [--shard K/N]
                  plant bugs in these files of the library and list those that no test notices; takes
                  a minute or more for each bug (with --unit: run only the unit tests, which is faster)
  ci              everything that a change must pass; `test` is its last step
  instructions    count the instructions of the hot loops (needs valgrind)
  generate        rewrite the committed files that are derived from code
  servers [--minio-port PORT] [--seaweedfs-port PORT] [--ceph-port PORT]
          [--versitygw-port PORT] [--moto-port PORT] [--rclone-port PORT]
                  run these servers until Ctrl-C
  servers --cluster
                  run Ceph with three OSDs until Ctrl-C
  servers-table [NAME...]
                  run the contract suite on each server and write docs/servers.md
                  (with names, such as minio or embedded: on those, and the others' rows stay)
  bench [OPTIONS] compare the command with its peers on MinIO and write docs/benchmarks.md;
                  it takes the machine for itself
    --rounds N          count N rounds, after a warm-up [7; 3 with --quick]
    --only NAME[,NAME]  run these contests; the page goes to target/bench/ then
    --quick             run push, pull and start alone; the page goes there as well
    --huge              measure memory with 10 GiB too (needs 36 GiB of disk)
    --network           transfer over a long and lossy wire too (needs root and `ip`)
    --binary PATH       take this built command instead of building one

With CI=true in the environment, a skipped step or test is a failure.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["test"] => reported(|report| test::run(report, &Tools::new(), None, &[])),
        ["test", filter] if !filter.starts_with('-') => {
            reported(|report| test::run(report, &Tools::new(), Some(filter), &[]))
        }
        ["clients"] => reported(|report| test::clients(report, &Tools::new(), None)),
        ["clients", name] if !name.starts_with('-') => {
            reported(|report| test::clients(report, &Tools::new(), Some(name)))
        }
        ["python"] => reported(|report| test::python(report, &Tools::new(), None)),
        ["python", filter] if !filter.starts_with('-') => {
            reported(|report| test::python(report, &Tools::new(), Some(filter)))
        }
        ["fuzz", ref options @ ..] if !options.contains(&"--help") => match fuzz::Options::parse(options) {
            Ok(options) => reported(|report| fuzz::run(report, &options)),
            Err(why) => {
                eprintln!("error: {why}\n\n{HELP}");
                ExitCode::from(2)
            }
        },
        ["mutants", ref options @ ..] if !options.contains(&"--help") => match mutants::Options::parse(options) {
            Ok(options) => reported(|report| mutants::run(report, &Tools::new(), &options)),
            Err(why) => {
                eprintln!("error: {why}\n\n{HELP}");
                ExitCode::from(2)
            }
        },
        ["ci"] => reported(|report| ci::run(report, &Tools::new())),
        ["generate"] => reported(generate::run),
        ["instructions"] => reported(instructions::run),
        ["servers-table", ref names @ ..] if names.iter().all(|name| suite::has(name)) => {
            reported(|report| suite::write_table(report, &Tools::new(), names))
        }
        ["servers", ref options @ ..] => match servers::run(&Tools::new(), options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::FAILURE
            }
        },
        ["bench", ref options @ ..] if !options.contains(&"--help") => match bench::Options::parse(options) {
            Ok(options) => reported(|report| bench::run(report, &Tools::new(), &options)),
            Err(why) => {
                eprintln!("error: {why}\n\n{HELP}");
                ExitCode::from(2)
            }
        },
        [] | ["help" | "--help" | "-h", ..] | [_, "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("error: `{}` is no chore of this project\n\n{HELP}", args.join(" "));
            ExitCode::from(2)
        }
    }
}

fn reported(run: impl FnOnce(&mut Report)) -> ExitCode {
    let mut report = Report::new();
    run(&mut report);
    if report.print() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns a `cargo` command at the root, as if it were typed in a shell.
fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut cargo = Command::new("cargo");
    clean(&mut cargo).args(args).current_dir(root());
    cargo
}

/// Takes from a command's environment what `cargo xtask` has put into it.
fn clean(command: &mut Command) -> &mut Command {
    // What `cargo run` adds to our environment would reach build scripts: one that watches CARGO_MANIFEST_DIR
    // (ring's does) would be rebuilt at each change between `cargo xtask test` and a plain `cargo test`.
    for (name, _) in std::env::vars_os() {
        let added =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if added {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with its output on ours, after saying which.
fn run(command: &mut Command) -> Result<(), String> {
    announce(command);
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", spelled(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", spelled(command))) }
}

/// Runs a command in silence and returns what it printed; a failure carries its last line on stderr.
fn quietly(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", spelled(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{} ended with {}: {}", spelled(command), output.status, last.trim()))
}

fn announce(command: &Command) {
    eprintln!("\n$ {}", spelled(command));
}

fn spelled(command: &Command) -> String {
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
