//! The terminal: the only place that writes to stdout and stderr.

mod bar;
mod fit;
mod table;

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use modeldepot::{ArtifactPath, Settings};
use serde::Serialize;

pub(crate) use self::bar::Bar;
pub(crate) use self::fit::Fitted;
pub(crate) use self::fit::{clean, clean_message};
use self::fit::{fit, json};
pub(crate) use self::table::Table;
pub(crate) use modeldepot::units::{ago, date, duration, plural, size, throughput};

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
}

/// Applies a style to text.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
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
        Ui { json: globals.json, quiet: globals.quiet, verbose: globals.verbose > 0 }
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

    /// Prints a message.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.quiet {
            to_stderr(line);
        }
    }

    /// Starts a progress bar for a transfer: drawn on a terminal, silent elsewhere.
    pub(crate) fn bar(&self, verb: &'static str) -> Bar {
        Bar::new(verb, !self.quiet && !self.verbose && io::stderr().is_terminal())
    }

    /// Asks a yes-or-no question; `None` without a terminal.
    pub(crate) fn confirm(&self, question: &str) -> Option<bool> {
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
        let hint = hint::hint(error, settings);
        if self.json {
            return to_stderr(json(&error.to_json(hint.as_deref()).to_string()));
        }
        match error {
            Error::Signal { signal, .. } => to_stderr(signal.word()),
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

/// Prints why the arguments cannot be parsed; they may contain control characters.
pub(crate) fn refused(message: impl Display) {
    to_stderr(message.to_string().trim_end_matches('\n'));
}

fn to_stderr(line: impl Display) {
    // A closed stderr cannot be reported anywhere.
    let _ = writeln!(anstream::stderr().lock(), "{}", fit(&line.to_string()));
}
