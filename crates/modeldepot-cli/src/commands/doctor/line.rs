//! A check and its report.

use std::time::Duration;

use modeldepot::{ErrorKind, Settings};
use modeldepot_server::{Check, Outcome};
use serde_json::{Value, json};

use crate::error::Error;
use crate::hint;
use crate::ui::{BAD, BOLD, DIM, GOOD, HINT, clean, duration, styled};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    Bad(ErrorKind),
    /// Worth knowing.
    Note,
    /// Not run, because an earlier check failed.
    Skipped,
}

/// What was tested, the result, and what to change.
pub(super) struct Line {
    pub(super) check: &'static str,
    pub(super) state: State,
    tried: String,
    found: String,
    details: Vec<String>,
    change: Option<String>,
    pub(super) took: Duration,
}

impl Line {
    pub(super) fn new(check: &'static str, state: State, tried: impl Into<String>, found: impl Into<String>) -> Line {
        let (tried, found) = (tried.into(), found.into());
        Line { check, state, tried, found, details: Vec::new(), change: None, took: Duration::ZERO }
    }

    pub(super) fn good(check: &'static str, tried: impl Into<String>, found: impl Into<String>) -> Line {
        Line::new(check, State::Good, tried, found)
    }

    pub(super) fn bad(
        check: &'static str,
        kind: ErrorKind,
        tried: impl Into<String>,
        found: impl Into<String>,
    ) -> Line {
        Line::new(check, State::Bad(kind), tried, found)
    }

    pub(super) fn note(check: &'static str, tried: impl Into<String>, found: impl Into<String>) -> Line {
        Line::new(check, State::Note, tried, found)
    }

    /// A skipped check, with the reason.
    pub(super) fn skipped(check: &'static str, because: &str) -> Line {
        Line::new(check, State::Skipped, "", because)
    }

    /// A failed check, with the causes and the hint that any verb would print.
    pub(super) fn failed(check: &'static str, tried: impl Into<String>, error: Error, settings: &Settings) -> Line {
        let found = whole(&error);
        let mut line = Line::bad(check, error.kind(), tried, found);
        line.change = hint::hint(&error, Some(settings));
        line
    }

    /// Adds what to change.
    pub(super) fn change(mut self, change: impl Into<String>) -> Line {
        self.change = Some(change.into());
        self
    }

    pub(super) fn details(mut self, details: Vec<String>) -> Line {
        self.details = details;
        self
    }

    pub(super) fn is_good(&self) -> bool {
        matches!(self.state, State::Good | State::Note)
    }

    /// Returns the lines to print.
    pub(super) fn text(&self) -> Vec<String> {
        let mark = match self.state {
            State::Good => styled(GOOD, "✓"),
            State::Bad(_) => styled(BAD, "✗"),
            State::Note => styled(HINT, "!"),
            State::Skipped => styled(DIM, "–"),
        };
        let took = match self.took.as_millis() {
            0..100 => String::new(),
            _ => format!(" {}", styled(DIM, duration(self.took))),
        };
        let name = styled(BOLD, format_args!("{:<14}", self.check));
        // May contain text from an unknown server.
        let found = clean(&self.found);
        let said = match self.tried.as_str() {
            "" => found.into_owned(),
            tried => format!("{}: {found}", clean(tried)),
        };
        let mut lines = vec![format!("{mark} {name} {said}{took}")];
        lines.extend(self.details.iter().map(|detail| format!("  {:14} {}", "", clean(detail))));
        lines.extend(
            self.change
                .iter()
                .map(|change| format!("  {:14} {} {change}", "", styled(HINT, "→"), change = clean(change))),
        );
        lines
    }

    /// Returns the check for the console.
    pub(super) fn check(&self) -> Check {
        Check {
            name: self.check,
            outcome: match self.state {
                State::Good => Outcome::Good,
                State::Bad(_) => Outcome::Bad,
                State::Note => Outcome::Note,
                State::Skipped => Outcome::Skipped,
            },
            tried: self.tried.clone(),
            found: self.found.clone(),
            details: self.details.clone(),
            change: self.change.clone(),
            took: self.took,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let (state, kind) = match self.state {
            State::Good => ("ok", None),
            State::Bad(kind) => ("failed", Some(kind.word())),
            State::Note => ("worth_knowing", None),
            State::Skipped => ("not_tried", None),
        };
        json!({
            "check": self.check,
            "state": state,
            "kind": kind,
            "tried": self.tried,
            "found": self.found,
            "details": self.details,
            "change": self.change,
            "seconds": (self.took.as_secs_f64() * 1000.0).round() / 1000.0,
        })
    }
}

/// Returns an error with its causes in one line.
pub(super) fn whole(error: &Error) -> String {
    std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}
