//! Performance targets of modeldepot, and whether they were met. For people to read: no check fails because of them.

use crate::contest::{Row, Table};
use crate::numbers;

/// The measured quantity, as the median of the runs.
#[derive(Clone, Copy)]
enum Of {
    Wall,
    Cpu,
    Memory,
}
use Of::{Cpu, Memory, Wall};

struct Target {
    contest: &'static str,
    row: &'static str,
    of: Of,
    /// Relative to this row; otherwise the value itself, in seconds or MiB.
    to: Option<&'static str>,
    at_most: f64,
}

const fn ratio(contest: &'static str, of: Of, to: &'static str, at_most: f64) -> Target {
    Target { contest, row: "modeldepot", of, to: Some(to), at_most }
}

/// Against peers that do not sync files to disk, a pull that does not either.
const fn unsynced(contest: &'static str, to: &'static str, at_most: f64) -> Target {
    Target { contest, row: "modeldepot --no-sync", of: Wall, to: Some(to), at_most }
}

const fn value(contest: &'static str, row: &'static str, of: Of, at_most: f64) -> Target {
    Target { contest, row, of, to: None, at_most }
}

/// A ratio of 1 means "not slower".
const TARGETS: [Target; 31] = [
    ratio("push", Wall, "boto3", 0.35),
    ratio("push", Wall, "s5cmd", 0.90),
    ratio("push", Wall, "mc", 0.90),
    ratio("push", Cpu, "boto3", 0.40 / 1.65),
    ratio("pull", Wall, "boto3", 0.28),
    ratio("pull", Wall, "s5cmd", 0.95),
    ratio("pull", Wall, "mc", 0.80),
    unsynced("pull", "s5cmd", 0.95),
    unsynced("pull", "mc", 0.80),
    ratio("pull", Cpu, "boto3", 0.35 / 1.49),
    ratio("large-push", Wall, "s5cmd", 1.0),
    ratio("large-push", Wall, "rclone", 1.0),
    ratio("large-pull", Wall, "s5cmd", 1.0),
    ratio("large-pull", Wall, "rclone", 1.0),
    unsynced("large-pull", "s5cmd", 1.0),
    ratio("many-push", Wall, "s5cmd", 1.0),
    ratio("many-push", Wall, "rclone", 1.0),
    ratio("many-pull", Wall, "s5cmd", 1.0),
    ratio("many-pull", Wall, "rclone", 1.0),
    unsynced("many-pull", "s5cmd", 1.0),
    value("memory", "push, 132 MiB", Memory, 64.0),
    value("memory", "pull, 132 MiB", Memory, 64.0),
    value("memory", "push, 10 GiB", Memory, 64.0),
    value("memory", "pull, 10 GiB", Memory, 64.0),
    value("catalog", "`modeldepot versions`", Wall, 1.0),
    value("catalog", "`modeldepot models`", Wall, 1.0),
    value("start", "modeldepot", Wall, 0.010),
    Target { contest: "embedded-push", row: "embedded", of: Wall, to: Some("MinIO"), at_most: 1.0 },
    Target { contest: "embedded-pull", row: "embedded", of: Wall, to: Some("MinIO"), at_most: 1.0 },
    ratio("network-push", Wall, "s5cmd", 1.0),
    ratio("network-pull", Wall, "s5cmd", 1.0),
];

fn median(row: &Row, of: Of) -> Option<f64> {
    match of {
        Wall => row.wall(),
        Cpu => row.cpu(),
        Memory => row.memory(),
    }
}

impl Target {
    fn measured(&self, tables: &[Table]) -> Option<f64> {
        let table = tables.iter().find(|table| table.contest == self.contest)?;
        let find = |name: &str| table.rows.iter().find(|row| row.name == name);
        let ours = median(find(self.row)?, self.of)?;
        match self.to {
            Some(to) => Some(ours / median(find(to)?, self.of)?),
            None => Some(ours),
        }
    }

    fn what(&self) -> String {
        let of = match self.of {
            Wall => "wall time",
            Cpu => "CPU time",
            Memory => "peak memory",
        };
        match self.to {
            Some(to) => format!("{}: {of} of {} / of {to}", self.contest, self.row),
            None => format!("{}: {of} of {}", self.contest, self.row),
        }
    }

    fn write(&self, value: f64) -> String {
        match (self.to, self.of) {
            (Some(_), _) => numbers::ratio(value),
            (None, Wall | Cpu) => numbers::time(value),
            (None, Memory) => numbers::memory(value, 0.0),
        }
    }

    fn bound(&self) -> f64 {
        match (self.to, self.of) {
            (None, Memory) => self.at_most * 1024.0 * 1024.0,
            _ => self.at_most,
        }
    }
}

/// Formats the table of all targets as Markdown.
pub(crate) fn markdown(tables: &[Table]) -> String {
    let mut page = "| target | at most | measured | |\n|---|--:|--:|---|\n".to_owned();
    for target in &TARGETS {
        let (measured, verdict) = match target.measured(tables) {
            Some(value) if value <= target.bound() => (target.write(value), "met"),
            Some(value) => (target.write(value), "**missed**"),
            None => ("–".to_owned(), "not measured"),
        };
        page += &format!("| {} | {} | {measured} | {verdict} |\n", target.what(), target.write(target.bound()));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    fn row(name: &str, wall: f64) -> Row {
        let samples = vec![Sample { wall, cpu: 1.0, memory: 50.0 * 1024.0 * 1024.0, cut: false }];
        Row { name: name.to_owned(), does: String::new(), samples, requests: None }
    }

    fn table(contest: &'static str, rows: Vec<Row>) -> Table {
        Table { contest, title: "", about: String::new(), compared: true, rows, absent: Vec::new() }
    }

    #[test]
    fn targets_are_met_or_missed_or_not_measured() {
        let tables = [
            table("push", vec![row("modeldepot", 0.5), row("s5cmd", 0.5), row("mc", 1.0)]),
            table("memory", vec![row("push, 10 GiB", 9.0)]),
        ];
        let page = markdown(&tables);
        assert!(page.contains("| push: wall time of modeldepot / of s5cmd | 0.90 | 1.00 | **missed** |"), "{page}");
        assert!(page.contains("| push: wall time of modeldepot / of mc | 0.90 | 0.50 | met |"), "{page}");
        assert!(page.contains("| push: wall time of modeldepot / of boto3 | 0.35 | – | not measured |"), "{page}");
        assert!(page.contains("| memory: peak memory of push, 10 GiB | 64 MiB | 50 MiB | met |"), "{page}");
    }
}
