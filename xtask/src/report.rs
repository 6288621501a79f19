//! The report at the end of every chore: steps, results and times.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::output;

/// The result of a step.
pub enum Outcome {
    Ok,
    Failed(String),
    /// The machine lacks something. Listed at the end, and a failure in CI.
    Skipped(String),
    /// Like `Skipped`, but never a failure: unavailable behind a closed network.
    OutOfReach(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Outcome::Failed, |()| Outcome::Ok)
    }
}

/// The numbers of tests that `cargo test` or pytest reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub ignored: usize,
}

impl Tally {
    /// Adds the numbers of another run.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Parses a summary line of libtest or pytest; other lines are ignored.
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

/// Returns true for text such as `65.60s`.
fn is_seconds(text: &str) -> bool {
    text.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok())
}

impl From<Result<(), Outcome>> for Outcome {
    fn from(result: Result<(), Outcome>) -> Self {
        result.map_or_else(|outcome| outcome, |()| Outcome::Ok)
    }
}

struct Step {
    name: String,
    outcome: Outcome,
    took: Duration,
    /// The CPU time of its commands, without servers that it uses.
    cpu: Duration,
}

/// Steps that depend on each other, run side by side with other lanes.
pub type Lane<'a> = Box<dyn FnOnce(&mut Report) + Send + 'a>;

/// The steps so far, and the tests they counted.
pub struct Report {
    steps: Vec<Step>,
    tests: Option<Tally>,
    /// Whether other lanes run at the same time: the output of a step is then printed when it ends.
    is_lane: bool,
}

/// Held while the output of a step is printed.
static PRINTING: Mutex<()> = Mutex::new(());

impl Report {
    pub fn new() -> Self {
        Self { steps: Vec::new(), tests: None, is_lane: false }
    }

    /// Runs a step and records its result; later steps run even after a failure.
    pub fn step<O: Into<Outcome>>(&mut self, name: &str, run: impl FnOnce() -> O) {
        let (start, before) = (Instant::now(), output::children_cpu());
        if self.is_lane {
            eprintln!("running: {name}");
        }
        let (outcome, cpu, kept) = if self.is_lane {
            let (outcome, kept) = output::kept(run);
            (outcome.into(), kept.cpu, Some(kept.output))
        } else {
            let outcome = run().into();
            (outcome, output::children_cpu().saturating_sub(before), None)
        };
        let took = start.elapsed();
        let _whole = PRINTING.lock();
        if let Some(kept) = kept {
            println!("\n--- {name}, {:.1} s", took.as_secs_f64());
            output::pass_on(&kept);
        }
        match &outcome {
            Outcome::Ok => {}
            Outcome::Failed(why) => eprintln!("{name} failed: {why}"),
            Outcome::Skipped(why) | Outcome::OutOfReach(why) => eprintln!("{name} skipped: {why}"),
        }
        self.steps.push(Step { name: name.to_owned(), outcome, took, cpu });
    }

    /// Like [`Report::step`], for a step with a value; `None` if it was skipped or failed.
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

    /// Runs lanes side by side, `at_once` at a time, starting with the first. The summary keeps their order.
    pub fn side_by_side(&mut self, name: &str, at_once: usize, lanes: Vec<Lane<'_>>) {
        let (start, before) = (Instant::now(), output::children_cpu());
        let done: Mutex<Vec<Option<Report>>> = Mutex::new(lanes.iter().map(|_| None).collect());
        let open = Mutex::new(lanes.into_iter().enumerate());
        let next = || open.lock().ok()?.next();
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some((place, lane)) = next() {
                        let mut report = Report { is_lane: true, ..Report::new() };
                        lane(&mut report);
                        if let Ok(mut done) = done.lock() {
                            done[place] = Some(report);
                        }
                    }
                });
            }
        });
        for lane in done.into_inner().into_iter().flatten().flatten() {
            self.steps.extend(lane.steps);
            self.tests = sum(self.tests, lane.tests);
        }
        let cpu = output::children_cpu().saturating_sub(before);
        let name = format!("{name}: the above, {at_once} at a time");
        self.steps.push(Step { name, outcome: Outcome::Ok, took: start.elapsed(), cpu });
    }

    /// Adds the tests counted by a step. The last line of the summary has the total.
    pub fn count(&mut self, tests: Tally) {
        self.tests = sum(self.tests, Some(tests));
    }

    /// Prints the summary; returns whether all steps succeeded.
    pub fn print(&self) -> bool {
        let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
        let mut good = true;
        println!("\nsummary: how long each step took, and the CPU time of its commands");
        for Step { name, outcome, took, cpu } in &self.steps {
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
            println!("  {word:<8}{:>8.1} s{:>8.1} s  {name}{why}", took.as_secs_f64(), cpu.as_secs_f64());
        }
        if let Some(Tally { passed, failed, ignored }) = self.tests {
            good &= failed == 0 && (ignored == 0 || !strict);
            if ignored > 0 && strict {
                println!("a skipped test is a failure when CI=true");
            }
            println!("{passed} passed, {failed} failed, {ignored} skipped");
        }
        good
    }
}

fn sum(one: Option<Tally>, other: Option<Tally>) -> Option<Tally> {
    let mut sum = one.or(other)?;
    if let (Some(_), Some(other)) = (one, other) {
        sum.add(other);
    }
    Some(sum)
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

    #[test]
    fn lanes_run_side_by_side_and_keep_their_order() {
        let (mut report, meet) = (Report::new(), std::sync::Barrier::new(2));
        let lane = |name: &'static str, outcome: fn() -> Outcome, tests: usize| -> Lane<'_> {
            let meet = &meet;
            Box::new(move |report| {
                report.step(name, || {
                    // Waits forever unless both run at once.
                    meet.wait();
                    outcome()
                });
                report.count(Tally { passed: tests, ..Tally::default() });
            })
        };
        let failing = || Outcome::Failed("it is broken".into());
        report.side_by_side("both", 2, vec![lane("a", failing, 1), lane("b", || Outcome::Ok, 2)]);
        let names: Vec<&str> = report.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "both: the above, 2 at a time"]);
        assert_eq!(report.tests, Some(Tally { passed: 3, failed: 0, ignored: 0 }));
        assert!(!report.print(), "a failing step fails the run");
    }

    #[test]
    fn the_output_and_the_cpu_time_of_a_command_are_kept() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "echo to stdout; echo to stderr >&2; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"]);
        let (done, kept) = output::kept(|| crate::run(&mut command));
        assert_eq!(done, Ok(()));
        let text = String::from_utf8_lossy(&kept.output);
        assert!(text.starts_with("\n$ sh -c") && text.ends_with("to stdout\nto stderr\n"), "{text}");
        assert!(!cfg!(target_os = "linux") || !kept.cpu.is_zero(), "no CPU time");
    }
}
