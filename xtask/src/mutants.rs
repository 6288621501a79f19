//! `cargo xtask mutants`: plants small bugs in the library, one at a time, and lists those that no test notices.
//!
//! `.cargo/mutants.toml` excludes known survivors, and says why no test can notice them.

use std::fs;

use crate::output::say;
use crate::report::Report;
use crate::tools::{CARGO_MUTANTS, Tools};
use crate::{clean, root, run as run_command};

/// The command line.
#[derive(Default)]
pub(crate) struct Options {
    files: Vec<String>,
    /// A regular expression; only bugs with a matching description are planted.
    only: Option<String>,
    /// Runs only the unit tests.
    unit: bool,
    /// A part of the work, such as `2/8`.
    shard: Option<String>,
}

impl Options {
    pub(crate) fn parse(typed: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut typed = typed.iter();
        while let Some(word) = typed.next() {
            match *word {
                "--unit" => options.unit = true,
                "--only" => options.only = Some((*typed.next().ok_or("--only takes a regular expression")?).to_owned()),
                "--shard" => {
                    let shard = typed.next().filter(|text| text.contains('/'));
                    options.shard = Some((*shard.ok_or("--shard takes a part such as 0/8")?).to_owned());
                }
                file if !file.starts_with('-') => options.files.push(file.to_owned()),
                other => return Err(format!("`{other}` is not an option of `mutants`")),
            }
        }
        if let Some(missing) = options.files.iter().find(|file| !file.contains('*') && !root().join(file).is_file()) {
            return Err(format!("there is no file `{missing}` (paths start at the root of the repository)"));
        }
        Ok(options)
    }
}

/// Plants bugs in the given files, or in all of the library, and runs the library's tests on each.
pub(crate) fn run(report: &mut Report, tools: &Tools, options: &Options) {
    report.step("mutants: bugs that no test notices", || plant(tools, options));
}

fn plant(tools: &Tools, options: &Options) -> Result<(), String> {
    let program = tools.get(&CARGO_MUTANTS)?;
    let dir = root().join("target/mutants");
    fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let mut mutants = std::process::Command::new(program);
    clean(&mut mutants).current_dir(root());
    // The sources are copied without `target`. A target directory that outlives the copy keeps dependencies built; a
    // cold build takes longer than ten bugs.
    mutants.env("CARGO_TARGET_DIR", dir.join("target")).env("TMPDIR", &dir);
    mutants.args([
        "mutants",
        "--package",
        "modeldepot",
        "--test-package",
        "modeldepot",
        "--no-times",
        "--colors",
        "never",
    ]);
    // Bugs that cause endless loops count as noticed. How long the tests take depends on the machine.
    mutants.args(["--minimum-test-timeout", "120", "--output"]).arg(&dir);
    for file in &options.files {
        mutants.args(["--file", file]);
    }
    if let Some(only) = &options.only {
        mutants.args(["--re", only]);
    }
    if let Some(shard) = &options.shard {
        mutants.args(["--shard", shard]);
    }
    mutants.args(["--cargo-test-arg=--lib"]);
    if !options.unit {
        mutants.args([
            "--cargo-test-arg=--test",
            "--cargo-test-arg=it",
            "--cargo-test-arg=--test",
            "--cargo-test-arg=model",
        ]);
    }
    let ended = run_command(&mut mutants);
    let survivors = fs::read_to_string(dir.join("mutants.out/missed.txt")).unwrap_or_default();
    if survivors.trim().is_empty() {
        return ended;
    }
    let count = survivors.lines().count();
    say(format_args!("\nno test notices these bugs:\n{survivors}"));
    Err(format!("{count} survived: write a test for each, or explain it in .cargo/mutants.toml"))
}
