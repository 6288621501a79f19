//! `cargo xtask fuzz`: fuzzes the parsers.

use crate::report::{Outcome, Report};
use crate::{built, run as run_command};

/// The default number of seconds per target.
const SECONDS: &str = "20";

/// The command line.
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

/// Fuzzes all targets or one, each for this many seconds.
pub(crate) fn run(report: &mut Report, options: &Options) {
    let Some(binaries) = report.step_with("build", || built::build().map_err(Outcome::Failed)) else { return };
    let filter = format!("fuzz::{}", options.target);
    report.step(&format!("fuzz: {} s for each target", options.seconds), || {
        binaries.iter().filter(|binary| binary.target.as_deref().is_none_or(|target| target == "it")).try_for_each(
            |binary| {
                let mut test = binary.command();
                test.args(["--nocapture", &filter]).env("MODELDEPOT_FUZZ_SECONDS", &options.seconds);
                run_command(&mut test)
            },
        )
    });
}
