//! `cargo xtask fuzz`: the parsers, on inputs that nobody meant, for as long as one likes.

use crate::report::Report;
use crate::{cargo, run as run_command};

/// Seconds for each target where nothing else is said.
const SECONDS: &str = "20";

/// What was typed.
pub(crate) struct Options {
    target: String,
    seconds: String,
}

impl Default for Options {
    fn default() -> Options {
        Options { target: String::new(), seconds: SECONDS.to_owned() }
    }
}

impl Options {
    pub(crate) fn parse(typed: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut typed = typed.iter();
        while let Some(word) = typed.next() {
            match *word {
                "--seconds" => {
                    let seconds = typed.next().filter(|text| text.parse::<u32>().is_ok());
                    options.seconds = seconds.ok_or("--seconds takes a number")?.to_string();
                }
                target if options.target.is_empty() && !target.starts_with('-') => options.target = target.to_owned(),
                other => return Err(format!("`{other}` is not known here")),
            }
        }
        Ok(options)
    }
}

/// Fuzzes every target, or one, each for so many seconds.
pub(crate) fn run(report: &mut Report, options: &Options) {
    report.step(&format!("fuzz: {} s for each target", options.seconds), || {
        let filter = format!("fuzz::{}", options.target);
        let mut test =
            cargo(["test", "--workspace", "--locked", "--lib", "--test", "it", "--", "--nocapture", &filter]);
        run_command(test.env("MODELDEPOT_FUZZ_SECONDS", &options.seconds))
    });
}
