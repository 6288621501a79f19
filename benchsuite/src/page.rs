//! `docs/benchmarks.md`.

use crate::contest::Table;
use crate::{table, targets};

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`, which runs modeldepot and its peers in turn and measures each process from start to end. The
numbers are of one machine on one day; run it on yours.

![Wall times of push and pull](benchmarks.svg)

";

const HOW: &str = "\
## How it is measured

- Round by round, each competitor once, in an order that rotates. The first round is a warm-up and is not counted, except
  where noted. A value is the median over the rounds.
- Wall time is from before the process is started to after it has ended. CPU time is user and system, of the client
  alone. Peak memory is the kernel's count of resident pages; what is no more than the measuring process has itself
  cannot be told. A ratio is that of the first row to this one: below 1 the first takes less.
- Before each run, untimed: its name is a new one or its target folder is empty, and `sync` has written what the one
  before left. After each run, untimed: what arrived is looked at (of pulls, each byte in the first round), and removed.
- Everything is on one machine: client and server share its cores, over loopback and without TLS. Files that are pushed
  are in the page cache, and so is what MinIO reads.
- Peers run with their defaults except where a flag is named. MinIO has one drive and its defaults.
- boto3 and obstore start a Python, as their users do.

";

/// What the page contains besides the tables.
pub(crate) struct Frame<'a> {
    pub(crate) facts: &'a [(&'static str, String)],
    pub(crate) versions: &'a [(&'static str, String)],
    /// Contests that did not run, each with the reason.
    pub(crate) missing: &'a [String],
    /// The smallest number of bytes of memory that can be measured.
    pub(crate) floor: f64,
}

/// Writes the page.
pub(crate) fn markdown(tables: &[Table], frame: &Frame<'_>) -> String {
    let mut page = HEAD.to_owned();
    page += "## Targets\n\n";
    page += &targets::markdown(tables);
    page += "\n## Contests\n\n";
    for contest in tables {
        page += &table::markdown(contest, frame.floor);
        page.push('\n');
    }
    for missing in frame.missing {
        page += &format!("Not run: {missing}.\n\n");
    }
    page += HOW;
    page += "## Machine\n\n";
    page += &pairs(frame.facts);
    page += "\n## Versions\n\n";
    page += &pairs(frame.versions);
    page
}

fn pairs(pairs: &[(&str, String)]) -> String {
    let rows: String = pairs.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    format!("| | |\n|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_machine_and_what_is_missing() {
        let facts = [("cores", "2".to_owned())];
        let versions = [("MinIO", "1".to_owned())];
        let missing = ["network-push: needs root".to_owned()];
        let page = markdown(&[], &Frame { facts: &facts, versions: &versions, missing: &missing, floor: 0.0 });
        for part in ["| cores | 2 |", "| MinIO | 1 |", "Not run: network-push: needs root.", "](benchmarks.svg)"] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
