//! `docs/benchmarks.md`.

use crate::contest::Table;
use crate::{table, targets};

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`, which runs modeldepot and its peers in turn and measures each process from start to end. The
numbers are from one machine on one day; run it on yours.

![Wall times of push and pull](benchmarks.svg)

";

const HOW: &str = "\
## How it is measured

- In each round every competitor runs once, in an order that rotates. The first round is a warm-up and does not count, except
  where noted. Values are medians over the rounds.
- Wall time runs from before the process starts until it has ended. CPU time is user and system time of the client only. Peak
  memory is the kernel's count of resident pages; values below the measuring process's own cannot be determined. A ratio compares
  the first row with this one: below 1, modeldepot takes less.
- Before each run, untimed: a new name or an empty target folder, and `sync` to write what the previous run left. After each run,
  untimed: the result is checked (for pulls, every byte in the first round) and removed.
- Client and server share the cores of one machine, and talk over loopback without TLS. Files to push are in the page cache, and so
  are the objects that MinIO reads.
- Peers run with their defaults, except where a flag is named. MinIO has one drive and its defaults.
- boto3 and obstore include the start of Python, as for their users.

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
