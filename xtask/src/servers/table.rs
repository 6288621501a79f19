//! `docs/servers.md`: the results of the contract suite, which writes a file per check.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{KINDS, results as checks};
use crate::output::say;
use crate::report::Outcome;
use crate::root;
use crate::tools::Tools;

/// The text above the tables.
const HEAD: &str = include_str!("table.md");

/// The row of this workspace's server.
const OWN: (&str, &str) = ("embedded", "this one");

/// The results of one server.
struct Measured {
    title: &'static str,
    version: String,
    /// Columns and values, in order.
    does: Vec<(String, String)>,
    passed: usize,
    /// Known failures, with reasons.
    differs: BTreeMap<String, String>,
}

/// Rewrites the page with the results. Servers that were not available keep their rows.
pub fn write(tools: &Tools) -> Result<(), String> {
    let path = page();
    let text = render(tools, &fs::read_to_string(&path).unwrap_or_default(), true)?;
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Compares the page with the results, or rewrites it if `UPDATE_GENERATED` is set.
pub fn check(tools: &Tools) -> Outcome {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return write(tools).into();
    }
    let committed = fs::read_to_string(page()).unwrap_or_default();
    match render(tools, &committed, false) {
        Ok(found) if found == committed => Outcome::Ok,
        Ok(found) => {
            let new = found.lines().find(|line| !committed.lines().any(|known| known == *line));
            let what = new.unwrap_or("a row less");
            Outcome::Failed(format!("docs/servers.md is not what was measured (`cargo xtask servers-table`): {what}"))
        }
        Err(why) => Outcome::Failed(why),
    }
}

fn page() -> PathBuf {
    root().join("docs/servers.md")
}

/// Returns the page. A server keeps its rows if it was not measured, or if its version differs from the committed page
/// and `take_over` is false.
fn render(tools: &Tools, committed: &str, take_over: bool) -> Result<String, String> {
    let own = Ok(OWN.1.to_owned());
    let all = std::iter::once((OWN.0, OWN.0, own)).chain(KINDS.iter().map(|kind| {
        // Only asked if there are results, because it may install the server.
        let version = if results(kind.name).is_dir() { (kind.version)(tools) } else { Ok(String::new()) };
        (kind.title, kind.name, version)
    }));
    let (mut rows, mut differences, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (title, name, version) in all {
        let begin = format!("| {title} | ");
        let kept: Vec<&str> = committed.lines().filter(|line| line.starts_with(&begin)).collect();
        let measured = measured(title, name, version?)?;
        let known = kept.first().and_then(|row| row[begin.len()..].split(" | ").next());
        match measured {
            Some(found) if take_over || known.is_none_or(|known| known == found.version) => {
                columns = found.does.iter().map(|(column, _)| column.clone()).collect();
                rows.push(row(&found));
                let differs = found.differs.iter().map(|(check, why)| format!("| {title} | `{check}` | {why} |"));
                differences.extend(differs);
            }
            other => {
                if let Some(found) = other {
                    say(format_args!("{title} is at {} here, and not compared with docs/servers.md", found.version));
                }
                rows.extend(kept.first().map(|&row| row.to_owned()));
                differences.extend(kept.iter().skip(1).map(|&row| row.to_owned()));
            }
        }
    }
    if columns.is_empty() {
        return Err("no server was measured".to_owned());
    }
    let head =
        format!("| server | version | {} | checks |\n|{}", columns.join(" | "), "---|".repeat(columns.len() + 3));
    let differences = differences.join("\n");
    let differing = "| server | check | what it does instead |\n|---|---|---|";
    Ok(format!(
        "{HEAD}\n{head}\n{}\n\n## Checks that fail as expected\n\n{differing}\n{differences}\n",
        rows.join("\n")
    ))
}

fn row(found: &Measured) -> String {
    let values = found.does.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" | ");
    let all = found.passed + found.differs.len();
    format!("| {} | {} | {values} | {} of {all} |", found.title, found.version, found.passed)
}

fn results(name: &str) -> PathBuf {
    checks::folder().join(name)
}

/// Reads the results of a server; `None` if it was not measured.
fn measured(title: &'static str, name: &str, version: String) -> Result<Option<Measured>, String> {
    let folder = results(name);
    let Ok(list) = fs::read_dir(&folder) else { return Ok(None) };
    let mut found = Measured { title, version, does: Vec::new(), passed: 0, differs: BTreeMap::new() };
    for entry in list.filter_map(Result::ok) {
        let check = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).map_err(|error| format!("cannot read {check}: {error}"))?;
        if check == "_does" {
            let pairs = text.lines().filter_map(|line| line.split_once('\t'));
            found.does = pairs.map(|(column, value)| (column.to_owned(), value.to_owned())).collect();
        } else if text == "passes" {
            found.passed += 1;
        } else {
            found.differs.insert(check, text);
        }
    }
    Ok(Some(found).filter(|found| !found.does.is_empty()))
}
