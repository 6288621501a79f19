//! The output of the demo: each step with its time and throughput.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::Error;
use crate::ui::{BOLD, Bar, DIM, GOOD, Ui, duration, styled, throughput};

pub(super) struct Steps<'a> {
    ui: &'a Ui,
    begun: Instant,
    step: (&'static str, Instant),
    told: Vec<Value>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Steps { ui, begun: Instant::now(), step: ("", Instant::now()), told: Vec::new() }
    }

    pub(super) fn title(&self, text: &str) -> Result<(), Error> {
        self.line(styled(BOLD, text))
    }

    pub(super) fn remark(&self, text: &str) -> Result<(), Error> {
        self.line(styled(DIM, text))?;
        self.line("")
    }

    /// Begins a step and its time.
    pub(super) fn begin(&mut self, name: &'static str) {
        self.step = (name, Instant::now());
    }

    /// Begins a step with a progress bar.
    pub(super) fn begin_transfer(&mut self, name: &'static str) -> Bar {
        self.begin(name);
        self.ui.bar(name)
    }

    /// Reports a step as done. With the number of bytes moved, also reports the throughput.
    pub(super) fn done(&mut self, what: &str, bytes: Option<u64>) -> Result<(), Error> {
        let (name, begun) = self.step;
        let took = begun.elapsed();
        let pace = bytes.map_or_else(String::new, |bytes| format!(", {}", throughput(bytes, took)));
        let pace = styled(DIM, format_args!("({}{pace})", duration(took)));
        self.told.push(json!({"step": name, "what": what, "seconds": seconds(took), "bytes": bytes}));
        self.line(format_args!("{} {} {what} {pace}", styled(GOOD, "✓"), styled(BOLD, format_args!("{name:<8}"))))
    }

    /// Shows the output of a command, indented.
    pub(super) fn quote(&self, lines: &[String]) -> Result<(), Error> {
        lines.iter().try_for_each(
            |line| {
                if line.is_empty() { self.line("") } else { self.line(format_args!("    {line}")) }
            },
        )
    }

    /// Prints the total time, and what to try next.
    pub(super) fn end(&self) -> Result<(), Error> {
        let took = self.begun.elapsed();
        if self.ui.json {
            return self.ui.answer_json(&json!({"steps": self.told, "seconds": seconds(took)}));
        }
        self.line("")?;
        self.line(format_args!("Finished in {}; all files were deleted.", duration(took)))?;
        self.line("")?;
        self.line(styled(BOLD, "Try it yourself:"))?;
        for (command, what) in [
            ("modeldepot up", "start the S3 server and leave it running"),
            ("modeldepot push my_model PATH", "publish a file or folder, in another terminal"),
            ("modeldepot pull my_model", "fetch the latest version and verify it"),
            ("modeldepot --help", "everything else"),
        ] {
            self.line(format_args!("  {command:<32} {}", styled(DIM, what)))?;
        }
        Ok(())
    }

    fn line(&self, line: impl std::fmt::Display) -> Result<(), Error> {
        if self.ui.json { Ok(()) } else { self.ui.answer(line) }
    }
}

fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}
