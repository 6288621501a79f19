//! `cargo xtask bench`: modeldepot and its peers in the same run, and a page with the results.
//!
//! | file        | holds                                                                |
//! |-------------|----------------------------------------------------------------------|
//! | `contests`  | the contests, by name                                                |
//! | `single`, `many`, `memory`, `catalog`, `start` | their competitors                 |
//! | `contest`   | rounds, their order, and results                                     |
//! | `peer`, `transfer` | the peers, and the commands with which they push and pull     |
//! | `site`      | a server and its clients                                             |
//! | `measure`   | one process, from its start to its end (`measure.py`)                |
//! | `network`   | a long and lossy wire (`wire.py`)                                    |
//! | `table`, `targets`, `chart`, `page`, `results` | what is written                   |
//!
//! The program `hot` beside it runs one of the library's hot loops, for `cargo xtask instructions`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a terminal")]

mod catalog;
mod chart;
mod contest;
mod contests;
mod files;
mod machine;
mod many;
mod measure;
mod memory;
mod network;
mod numbers;
mod page;
mod peer;
mod results;
mod single;
mod site;
mod start;
mod table;
mod targets;
mod transfer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use std::process::ExitCode;

use contest::Table;
use site::{Kit, Site};
use xtask::report::{Outcome, Report};
use xtask::servers::{self, Server};
use xtask::tools::Tools;
use xtask::{cargo, root, run as run_command};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let options = match Options::parse(&words) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}\nhint: `cargo xtask help` lists the options of bench");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new();
    run(&mut report, &Tools::new(), &options);
    if report.print() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    binary: Option<PathBuf>,
    rounds: usize,
    only: Vec<String>,
    quick: bool,
    huge: bool,
    network: bool,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { binary: None, rounds: 0, only: Vec::new(), quick: false, huge: false, network: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match *word {
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                "--rounds" => {
                    let rounds = value()?;
                    options.rounds = rounds.parse().map_err(|error| format!("--rounds `{rounds}`: {error}"))?;
                    if options.rounds == 0 {
                        return Err("--rounds: at least 1".to_owned());
                    }
                }
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--quick" => options.quick = true,
                "--huge" => options.huge = true,
                "--network" => options.network = true,
                other => return Err(format!("`bench` has no option `{other}`")),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 3 } else { 7 };
        }
        if let Some(unknown) = options.only.iter().find(|only| !contests::NAMES.iter().any(|name| is(name, only))) {
            return Err(format!("no contest is called `{unknown}`; there are {}", contests::NAMES.join(", ")));
        }
        Ok(options)
    }

    fn contests(&self) -> Vec<&'static str> {
        let wanted = |name: &&str| match (&self.only[..], self.quick) {
            ([], false) => true,
            ([], true) => contests::QUICK.contains(name),
            (only, _) => only.iter().any(|only| is(name, only)),
        };
        contests::NAMES.into_iter().filter(wanted).collect()
    }

    /// Returns whether the results are complete enough to be committed.
    fn whole(&self) -> bool {
        self.only.is_empty() && !self.quick
    }
}

/// Returns whether a word selects a contest: `many` selects `many-push` and `many-pull`.
fn is(name: &str, word: &str) -> bool {
    name == word || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'))
}

fn run(report: &mut Report, tools: &Tools, options: &Options) {
    let ready = report.step_with("set up", || set_up(tools, options).map_err(Outcome::Failed));
    let Some((site, floor, minio)) = ready else { return };
    let facts = machine::facts(&site.kit.work);
    let versions = machine::versions(&site.kit);
    let (mut tables, mut missing, mut good): (Vec<Table>, Vec<String>, bool) = (Vec::new(), Vec::new(), true);
    for name in options.contests() {
        report.step(name, || {
            eprintln!("\n{name}");
            match contests::build(name, tools, options, &site) {
                Ok(contest) => match contest.run(name) {
                    Ok(table) => {
                        println!("\n{}", table::markdown(&table, floor));
                        tables.push(table);
                        Outcome::Ok
                    }
                    Err(why) => {
                        good = false;
                        Outcome::Failed(why)
                    }
                },
                Err(outcome) => {
                    match &outcome {
                        Outcome::Skipped(why) | Outcome::OutOfReach(why) => missing.push(format!("{name}: {why}")),
                        Outcome::Ok | Outcome::Failed(_) => good = false,
                    }
                    outcome
                }
            }
        });
    }
    drop(minio);
    let _ = fs::remove_dir_all(&site.kit.work);
    let facts = [facts, vec![("load after", machine::load())]].concat();
    println!("{}", targets::markdown(&tables));
    let frame = page::Frame { facts: &facts, versions: &versions, missing: &missing, floor };
    report.step("write", || write(&tables, &frame, options.whole() && good));
}

/// Builds the command, installs the peers and starts MinIO. Also returns the floor of the memory measurement.
fn set_up(tools: &Tools, options: &Options) -> Result<(Site, f64, Server), String> {
    let modeldepot = match &options.binary {
        Some(binary) => binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?,
        None => {
            run_command(&mut cargo(["build", "--release", "--locked", "-p", "modeldepot-cli"]))?;
            let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
            root().join(target).join("release/modeldepot")
        }
    };
    let work = root().join("target/bench/work");
    files::empty(&work)?;
    files::empty(&work.join("home"))?;
    let kit = Rc::new(Kit::new(tools, modeldepot, work)?);
    let minio = servers::minio(tools, None)?;
    let site = Site { kit, endpoint: minio.endpoint.clone(), namespace: None };
    let floor = site.measure(Command::new("true").env("PATH", std::env::var_os("PATH").unwrap_or_default()), 9.0)?;
    Ok((site, floor.memory, minio))
}

/// Writes the page, the chart and the raw numbers to `target/bench`, and the first two to `docs` if they are complete.
fn write(tables: &[Table], frame: &page::Frame<'_>, whole: bool) -> Result<(), String> {
    let put = |path: PathBuf, text: &str| {
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        eprintln!("written: {}", path.strip_prefix(root()).unwrap_or(&path).display());
        Ok::<(), String>(())
    };
    let target = root().join("target/bench");
    put(target.join("results.json"), &results::json(frame.facts, frame.versions, tables))?;
    let drawn: Vec<&Table> = tables.iter().filter(|table| ["push", "pull"].contains(&table.contest)).collect();
    let docs = root().join("docs");
    let folders: &[&Path] = if whole { &[&target, &docs] } else { &[&target] };
    for folder in folders {
        put(folder.join("benchmarks.md"), &page::markdown(tables, frame))?;
        put(folder.join("benchmarks.svg"), &chart::svg(&drawn))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read() {
        let quick = Options::parse(&["--quick", "--binary", "b"]).unwrap();
        assert_eq!((quick.rounds, quick.whole()), (3, false));
        assert_eq!(quick.contests(), contests::QUICK);
        assert_eq!(quick.binary, Some("b".into()));
        let some = Options::parse(&["--only", "many,push", "--rounds", "2"]).unwrap();
        assert_eq!(some.contests(), ["push", "many-push", "many-pull"]);
        assert_eq!((some.rounds, some.whole()), (2, false));
        let all = Options::parse(&["--huge"]).unwrap();
        assert_eq!((all.rounds, all.whole(), all.contests().len()), (7, true, contests::NAMES.len()));
        for wrong in [&["--rounds", "0"][..], &["--rounds"], &["--only", "pus"], &["fast"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
