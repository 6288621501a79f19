//! A contest: several commands, each measured once per round, in an order that rotates.

use std::any::Any;
use std::process::Command;

use crate::measure::Sample;
use crate::numbers::{median, time};
use crate::site::Site;
use xtask::quietly;

/// How long one run may take, in seconds.
pub(crate) const LIMIT: f64 = 600.0;

/// Prepares a round, untimed, and returns the command to measure.
type Prepare = Box<dyn Fn(usize) -> Result<Command, String>>;
/// Checks the result of a round, untimed, and removes it.
type Finish = Box<dyn Fn(usize) -> Result<(), String>>;

pub(crate) struct Competitor {
    pub(crate) name: String,
    /// What it does, and what that verifies.
    pub(crate) does: String,
    pub(crate) prepare: Prepare,
    pub(crate) finish: Finish,
    /// Whether its requests are counted, in a separate run. Only modeldepot's can be.
    pub(crate) counted: bool,
}

pub(crate) struct Contest {
    pub(crate) title: &'static str,
    /// What was done, and what readers should know about it.
    pub(crate) about: String,
    pub(crate) site: Site,
    pub(crate) rounds: usize,
    /// Whether there is a first round that does not count.
    pub(crate) warm_up: bool,
    /// Whether the first competitor is compared with the others.
    pub(crate) compared: bool,
    pub(crate) competitors: Vec<Competitor>,
    /// Absent competitors, with the reasons.
    pub(crate) absent: Vec<String>,
    /// Buckets to empty at the end, each on its site.
    pub(crate) buckets: Vec<(Site, &'static str)>,
    /// Servers and other values that are dropped with the contest, in this order.
    pub(crate) kept: Vec<Box<dyn Any>>,
}

/// The result of one competitor.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) does: String,
    pub(crate) samples: Vec<Sample>,
    pub(crate) requests: Option<usize>,
}

/// The result of a contest.
pub(crate) struct Table {
    pub(crate) contest: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: String,
    pub(crate) compared: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) absent: Vec<String>,
}

impl Row {
    pub(crate) fn wall(&self) -> Option<f64> {
        median(self.samples.iter().map(|sample| sample.wall))
    }

    pub(crate) fn cpu(&self) -> Option<f64> {
        median(self.samples.iter().map(|sample| sample.cpu))
    }

    pub(crate) fn memory(&self) -> Option<f64> {
        median(self.samples.iter().map(|sample| sample.memory))
    }

    /// Returns whether a run was killed because of its time limit.
    pub(crate) fn cut(&self) -> bool {
        self.samples.iter().any(|sample| sample.cut)
    }
}

/// Returns the order of a round: it starts with another competitor each time, and every second round is reversed, so
/// that none always runs after the same one.
fn order(round: usize, competitors: usize) -> Vec<usize> {
    let rotated = (0..competitors).map(|place| (place + round) % competitors);
    if round.is_multiple_of(2) { rotated.collect() } else { rotated.rev().collect() }
}

impl Contest {
    pub(crate) fn run(self, name: &'static str) -> Result<Table, String> {
        let mut rows: Vec<Row> = self.competitors.iter().map(Row::new).collect();
        let warm_up = usize::from(self.warm_up);
        for round in 0..self.rounds + warm_up {
            for place in order(round, rows.len()) {
                let (competitor, row) = (&self.competitors[place], &mut rows[place]);
                // It would take as long again.
                if row.cut() {
                    continue;
                }
                let sample = self.run_one(competitor, round)?;
                let counts = if round < warm_up { ", warm-up" } else { "" };
                eprintln!("  {name}, round {round}: {} {}{counts}", competitor.name, time(sample.wall));
                if round >= warm_up || sample.cut {
                    row.samples.push(sample);
                }
            }
        }
        for (competitor, row) in self.competitors.iter().zip(&mut rows).filter(|(competitor, _)| competitor.counted) {
            let mut command = (competitor.prepare)(0)?;
            let said = self.site.talk(command.arg("-vv"))?;
            let count = said.matches("beginning attempt #").count();
            // None at all means that the log no longer has these lines.
            row.requests = (count > 0).then_some(count);
        }
        for (site, bucket) in &self.buckets {
            site.sweep(bucket, "")?;
        }
        let Self { title, about, compared, absent, .. } = self;
        Ok(Table { contest: name, title, about, compared, rows, absent })
    }

    fn run_one(&self, competitor: &Competitor, round: usize) -> Result<Sample, String> {
        let failed = |why| format!("{}: {why}", competitor.name);
        let command = (competitor.prepare)(round).map_err(failed)?;
        // Flush the writes of the previous run, so that this one does not wait for them.
        quietly(&mut Command::new("sync"))?;
        let sample = self.site.measure(&command, LIMIT).map_err(failed)?;
        if !sample.cut {
            (competitor.finish)(round).map_err(failed)?;
        }
        Ok(sample)
    }
}

impl Row {
    fn new(competitor: &Competitor) -> Self {
        let (name, does) = (competitor.name.clone(), competitor.does.clone());
        Self { name, does, samples: Vec::new(), requests: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_rotates() {
        assert_eq!(order(0, 3), [0, 1, 2]);
        assert_eq!(order(1, 3), [0, 2, 1]);
        assert_eq!(order(2, 3), [2, 0, 1]);
        assert_eq!(order(3, 3), [2, 1, 0]);
        assert_eq!(order(5, 1), [0]);
        assert_eq!(order(5, 0), [0; 0]);
    }

    #[test]
    fn everybody_runs_once_per_round() {
        for round in 0..20 {
            let mut order = order(round, 7);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4, 5, 6]);
        }
    }
}
