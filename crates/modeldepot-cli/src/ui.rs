//! The terminal: the only place that writes to stdout and stderr.

mod bar;
mod fit;
mod table;

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use modeldepot::{ArtifactPath, Settings};
use serde::Serialize;

pub(crate) use self::bar::{Bar, Kept};
pub(crate) use self::fit::Fitted;
pub(crate) use self::fit::{clean, clean_message};
use self::fit::{fit, json};
pub(crate) use self::table::Table;
pub(crate) use modeldepot::units::{ago, date, duration, number, plural, size, throughput};

use crate::args::{ColorArg, Globals};
use crate::error::Error;
use crate::hint;

/// For the most important part of a line.
pub(crate) const BOLD: Style = Style::new().bold();
/// For the least important part of a line.
pub(crate) const DIM: Style = Style::new().dimmed();
/// For good results. Never the only indication.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// For errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For hints.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();

/// Output to the user.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    pub(crate) json: bool,
    quiet: bool,
    verbose: bool,
    /// Whether the endpoint was given as a flag.
    endpoint: bool,
    kept: Kept,
    /// What was noted in JSON mode, for the report of an error.
    notes: Arc<Mutex<Vec<String>>>,
}

/// Applies a style to text.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Formats a metadata value for people: text without quotes, numbers with at most six significant digits.
pub(crate) fn measured(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        // Integers stay as they are, however large.
        serde_json::Value::Number(it) if it.is_f64() => it.as_f64().map_or_else(|| it.to_string(), number),
        other => other.to_string(),
    }
}

/// The most files named in a JSON result.
const SOME: usize = 100;

/// Returns the first of many paths, for a JSON result.
pub(crate) fn some(paths: &[ArtifactPath]) -> &[ArtifactPath] {
    &paths[..paths.len().min(SOME)]
}

/// Names the first few of many files, for a message.
pub(crate) fn named(paths: &[ArtifactPath]) -> String {
    const FEW: usize = 5;
    let mut names: Vec<String> = paths.iter().take(FEW).map(|path| format!("`{path}`")).collect();
    if paths.len() > FEW {
        names.push(format!("and {} more", paths.len() - FEW));
    }
    names.join(", ")
}

impl Ui {
    /// Applies the output options, and decides for the whole process whether to use colors.
    pub(crate) fn new(globals: &Globals) -> Ui {
        match globals.color {
            ColorArg::Auto => {}
            ColorArg::Always => anstream::ColorChoice::Always.write_global(),
            ColorArg::Never => anstream::ColorChoice::Never.write_global(),
        }
        Ui {
            json: globals.json,
            quiet: globals.quiet,
            verbose: globals.verbose > 0,
            endpoint: globals.endpoint.is_some(),
            kept: Kept::default(),
            notes: Arc::default(),
        }
    }

    /// Prints a line of the result.
    pub(crate) fn answer(&self, line: impl Display) -> Result<(), Error> {
        // Flushed immediately, so that the reader of a pipe sees each line in time.
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{}", fit(&line.to_string()))?;
        Ok(stdout.flush()?)
    }

    /// Prints the result as JSON.
    pub(crate) fn answer_json(&self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.answer(json(&text))
    }

    /// Prints bytes of the result unchanged.
    pub(crate) fn answer_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    /// Prints a message. In JSON mode stderr only has errors, which then include the notes.
    pub(crate) fn note(&self, line: impl Display) {
        if self.json {
            let line = anstream::adapter::strip_str(&line.to_string()).to_string();
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        } else if !self.quiet {
            to_stderr(line);
        }
    }

    /// Warns about settings that have no effect, also in JSON mode: another server may be used than intended.
    pub(crate) fn warning(&self, line: impl Display) {
        if !self.quiet {
            to_stderr(line);
        }
    }

    /// Returns how much of the running transfer is kept if it is interrupted.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Starts a progress bar for a transfer: drawn on a terminal, silent elsewhere.
    pub(crate) fn bar(&self, verb: &'static str) -> Bar {
        Bar::new(verb, !self.json && !self.quiet && !self.verbose && io::stderr().is_terminal(), self.kept.clone())
    }

    /// Asks a yes-or-no question; `None` without a terminal.
    pub(crate) async fn confirm(&self, question: String) -> Option<bool> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let ui = self.clone();
        // Not a thread of the runtime, which would wait for it when Ctrl-C ends the command.
        let thread = std::thread::Builder::new().spawn(move || {
            // The receiver is gone if the command ends first.
            let _ = answer.send(ui.ask(&question));
        });
        match thread {
            Ok(_) => answered.await.unwrap_or(Some(false)),
            Err(_) => None,
        }
    }

    fn ask(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{} [y/N] ", fit(question));
        let _ = stderr.flush();
        drop(stderr);
        let mut answer = String::new();
        let _ = io::stdin().lock().read_line(&mut answer);
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Prints why the command failed, and a hint.
    pub(crate) fn failure(&self, error: &Error, settings: Option<&Settings>) {
        if error.is_silent() {
            return;
        }
        let hint = hint::hint(error, settings).map(|hint| if self.endpoint { by_flag(&hint) } else { hint });
        if self.json {
            let mut report = error.to_json(hint.as_deref());
            let notes = std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
            if !notes.is_empty() {
                report["error"]["notes"] = notes.into();
            }
            return to_stderr(json(&report.to_string()));
        }
        match error {
            Error::Signal { signal, .. } => to_stderr(signal.word()),
            // An answer, not a failure.
            Error::Declined => to_stderr(error),
            _ => to_stderr(format_args!("{} {}", styled(BAD, "error:"), clean_message(&error.message()))),
        }
        for cause in error.causes() {
            to_stderr(format_args!("{} {}", styled(BOLD, "caused by:"), clean_message(&cause)));
        }
        if let Some(hint) = hint {
            to_stderr(format_args!("{} {}", styled(HINT, "hint:"), clean_message(&hint)));
        }
    }
}

/// Names the flag in a hint about the endpoint, where the variable has no effect.
fn by_flag(hint: &str) -> String {
    hint.replace("S3_ENDPOINT or --endpoint", "--endpoint")
        .replace("set S3_ENDPOINT=", "pass --endpoint ")
        .replace("set S3_ENDPOINT to", "pass as --endpoint")
        .replace("S3_ENDPOINT", "--endpoint")
}

fn to_stderr(line: impl Display) {
    // A closed stderr cannot be reported anywhere.
    let _ = writeln!(anstream::stderr().lock(), "{}", fit(&line.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_flag_that_was_given() {
        assert_eq!(by_flag("set S3_ENDPOINT=http://a:1"), "pass --endpoint http://a:1");
        assert_eq!(by_flag("is S3_ENDPOINT or --endpoint right?"), "is --endpoint right?");
        assert_eq!(
            by_flag("set S3_ENDPOINT to the S3 server that it uses"),
            "pass as --endpoint the S3 server that it uses"
        );
    }

    #[test]
    fn metadata_is_rounded_for_people() {
        for (value, wanted) in [
            (serde_json::json!(0.947_561_288_713_775_7), "0.947561"),
            (serde_json::json!(12_345_678_901_234_567_u64), "12345678901234567"),
            (serde_json::json!("0.9475612887137757"), "0.9475612887137757"),
            (serde_json::json!([0.1]), "[0.1]"),
        ] {
            assert_eq!(measured(&value), wanted);
        }
    }
}
