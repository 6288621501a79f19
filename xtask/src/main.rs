//! The project's own chores: `cargo xtask VERB`.
//!
//! | verb       | does                                                                     |
//! |------------|--------------------------------------------------------------------------|
//! | `test`     | sets up servers and outside clients under `target/`, runs every test     |
//! | `ci`       | everything that a change must pass, `test` included                      |
//! | `instructions` | counts the instructions of the hot loops, against limits                 |
//! | `fuzz`     | fuzzes the parsers                                                       |
//! | `mutants`  | plants bugs in the library, and lists those that no test notices          |
//! | `clients`  | runs other S3 clients on the embedded server                             |
//! | `python`   | builds the wheel of the Python package, runs its tests in clean environments |
//! | `readme`   | runs the code blocks of README.md as written                              |
//! | `config-files` | checks the workflows, the issue forms, `docker-compose.yml`, the `Dockerfile` |
//! | `features` | checks that the library compiles with each of its features alone         |
//! | `package`  | builds the packages for crates.io, and compiles them on their own        |
//! | `public-api` | compares the library's public API with its listing                     |
//! | `generate` | rewrites the committed files that are generated from code                |
//! | `servers`  | runs MinIO, SeaweedFS, Ceph, versitygw, moto and `rclone serve s3` for manual work |
//! | `servers-table` | measures these servers, rewrites `docs/servers.md`                       |
//! | `bench`    | compares the command with its peers, writes `docs/benchmarks.md`         |
//!
//! It only depends on the standard library, so that the first `cargo xtask` in a fresh checkout starts in seconds. It
//! needs Unix (`sh`, process groups), and installs nothing outside `target/`, except Chromium when run as root on a
//! Debian without it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a terminal")]

mod built;
mod ci;
mod circles;
mod clients;
mod config_files;
mod contract;
mod features;
mod fuzz;
mod generate;
mod instructions;
mod memory_folder;
mod mutants;

mod package;
mod promises;
mod public_api;
mod python;
mod readme;
mod test;

use std::process::ExitCode;

use report::{Outcome, Report};
use servers::suite;
use tools::Tools;
use xtask::{announce, cargo, clean, command, output, quietly, report, root, run, servers, spelled, tools};

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
  readme          run the code blocks of README.md as written, in an empty folder; `test` does so too
  fuzz [TARGET] [--seconds N]
                  give the parsers inputs that nobody meant, N seconds for each [20]
  mutants [FILE...] [--unit] [--only REGEX] [--shard K/N]
                  plant bugs in these files of the library and list those that no test notices; takes
                  a minute or more for each bug (with --unit: run only the unit tests, which is faster)
  ci              everything that a change must pass; `test` is its last step
  circles         check that files use each other in one direction only
  instructions    count the instructions of the hot loops (needs valgrind)
  config-files    check the workflows, the issue forms, docker-compose.yml and the Dockerfile
  features        check that the library compiles without its features, and with each alone
  package         pack what crates.io would get, and compile it on its own
  public-api      compare the library's public API with its listing, crates/modeldepot/public-api.txt
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
        ["readme"] => reported(|report| python::readme(report, &Tools::new())),
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
        ["circles"] => reported(|report| report.step("circles of files", circles::check)),
        ["features"] => reported(features::run),
        ["config-files"] => reported(|report| config_files::run(report, &Tools::new())),
        ["public-api"] => reported(public_api::check),
        ["package"] => reported(package::run),
        ["generate"] => reported(|report| {
            generate::run(report);
            public_api::write(report);
        }),
        ["instructions"] => reported(instructions::run),
        ["servers-table", ref names @ ..] if names.iter().all(|name| suite::has(name)) => reported(|report| {
            let built = report.step_with("build", || built::build().map_err(Outcome::Failed));
            let built = built.and_then(|all| all.into_iter().find(|binary| binary.is_of_the_library("it")));
            if let Some(library) = built {
                suite::write_table(report, &|| library.command(), &Tools::new(), names);
            }
        }),
        ["servers", ref options @ ..] => match servers::run(&Tools::new(), options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::FAILURE
            }
        },
        ["bench", ref options @ ..] if !options.contains(&"--help") => {
            let mut bench =
                cargo(["run", "--quiet", "--locked", "--package", "benchsuite", "--bin", "benchsuite", "--"]);
            // Use its exit code: it has printed its own summary.
            let code = bench.args(options).status().ok().and_then(|status| u8::try_from(status.code()?).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
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
