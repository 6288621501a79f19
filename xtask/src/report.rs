//! What was run, how it went and how long it took: the last lines of every chore.

use std::time::{Duration, Instant};

/// How a step ended.
pub enum Outcome {
    Ok,
    Failed(String),
    /// The machine lacks something: said by name at the end, and a failure in CI.
    Skipped(String),
    /// Like `Skipped`, for what no machine behind a closed network can have: never a failure.
    OutOfReach(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Outcome::Failed, |()| Outcome::Ok)
    }
}

/// What `cargo test` or pytest counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub ignored: usize,
}

impl Tally {
    /// Adds what another run counted.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Adds one of libtest's closing lines, or pytest's; other lines count nothing.
    pub fn add_line(&mut self, line: &str) {
        let libtest = line.split_once("test result: ").map(|(_, counts)| counts);
        // `99 passed, 1 skipped in 65.60s (0:01:05)`
        let pytest = line.rsplit_once(" in ").filter(|(_, time)| time.split(' ').next().is_some_and(is_seconds));
        let Some(counts) = libtest.or(pytest.map(|(counts, _)| counts)) else { return };
        let counts = counts.replace(',', "");
        let words: Vec<&str> = counts.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<usize>() else { continue };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" | "error" | "errors" => self.failed += count,
                "ignored" | "skipped" => self.ignored += count,
                _ => {}
            }
        }
    }
}

/// Returns true for `65.60s`.
fn is_seconds(text: &str) -> bool {
    text.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok())
}

impl From<Result<(), Outcome>> for Outcome {
    fn from(result: Result<(), Outcome>) -> Self {
        result.map_or_else(|outcome| outcome, |()| Outcome::Ok)
    }
}

/// The steps so far, and the tests that they counted.
pub struct Report {
    steps: Vec<(String, Outcome, Duration)>,
    tests: Option<(usize, usize, usize)>,
}

impl Report {
    pub fn new() -> Self {
        Self { steps: Vec::new(), tests: None }
    }

    /// Runs a step and keeps its outcome; a failure does not stop the steps after it.
    pub fn step<O: Into<Outcome>>(&mut self, name: &str, run: impl FnOnce() -> O) {
        let start = Instant::now();
        let outcome = run().into();
        match &outcome {
            Outcome::Ok => {}
            Outcome::Failed(why) => eprintln!("{name} failed: {why}"),
            Outcome::Skipped(why) | Outcome::OutOfReach(why) => eprintln!("{name} skipped: {why}"),
        }
        self.steps.push((name.to_owned(), outcome, start.elapsed()));
    }

    /// Like [`Report::step`], for a step that yields something; `None` when it was skipped or failed.
    pub fn step_with<T>(&mut self, name: &str, run: impl FnOnce() -> Result<T, Outcome>) -> Option<T> {
        let mut value = None;
        self.step(name, || match run() {
            Ok(found) => {
                value = Some(found);
                Outcome::Ok
            }
            Err(outcome) => outcome,
        });
        value
    }

    /// Sets what the closing line says.
    pub fn count(&mut self, passed: usize, failed: usize, skipped: usize) {
        self.tests = Some((passed, failed, skipped));
    }

    /// Prints the summary; returns whether all is well.
    pub fn print(&self) -> bool {
        let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
        let mut good = true;
        println!("\nsummary");
        for (name, outcome, time) in &self.steps {
            let (word, why) = match outcome {
                Outcome::Ok => ("ok", None),
                Outcome::Failed(why) => ("failed", Some(why)),
                Outcome::Skipped(why) | Outcome::OutOfReach(why) => ("skipped", Some(why)),
            };
            good &= match outcome {
                Outcome::Ok | Outcome::OutOfReach(_) => true,
                Outcome::Skipped(_) => !strict,
                Outcome::Failed(_) => false,
            };
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            println!("  {word:<8}{:>8.1} s  {name}{why}", time.as_secs_f64());
        }
        if let Some((passed, failed, skipped)) = self.tests {
            good &= failed == 0 && (skipped == 0 || !strict);
            if skipped > 0 && strict {
                println!("a skipped test is a failure when CI=true");
            }
            println!("{passed} passed, {failed} failed, {skipped} skipped");
        }
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed() {
        let mut tally = Tally::default();
        tally
            .add_line("test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.00s");
        tally.add_line(
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        tally.add_line("test 99 passed; 99 failed");
        assert_eq!(tally, Tally { passed: 13, failed: 2, ignored: 3 });
        tally.add_line("99 passed, 1 skipped, 2 deselected, 3 errors in 65.60s (0:01:05)");
        tally.add_line("1 failed in 0.10s");
        tally.add_line("5 failed in the end");
        assert_eq!(tally, Tally { passed: 112, failed: 6, ignored: 4 });
    }
}
