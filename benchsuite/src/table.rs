//! The table of one contest, as Markdown.

use crate::contest::{LIMIT, Row, Table};
use crate::numbers::{memory, ratio, span, time};

/// Formats a contest with its heading. `floor` is the smallest number of bytes of memory that can be measured.
pub(crate) fn markdown(table: &Table, floor: f64) -> String {
    let counted = table.rows.iter().any(|row| row.requests.is_some());
    let mut heads = vec!["", "does", "wall", "min–max", "CPU", "peak memory"];
    if counted {
        heads.push("requests");
    }
    if table.compared {
        heads.extend(["wall ratio", "CPU ratio"]);
    }
    let rules = heads.iter().enumerate().map(|(place, _)| if place < 2 { "---" } else { "--:" });
    let mut page = format!("### {}: {}\n\n{}\n\n", table.contest, table.title, table.about.trim());
    page += &line(heads.iter().map(|head| (*head).to_owned()));
    page += &format!("|{}|\n", rules.collect::<Vec<_>>().join("|"));
    for row in &table.rows {
        let mut cells = cells(row, floor);
        if counted {
            cells.push(row.requests.map_or_else(String::new, |count| count.to_string()));
        }
        if table.compared {
            let ours = &table.rows[0];
            // Of a run that was killed, only a lower bound is known.
            let bound = match (ours.cut(), row.cut()) {
                (false, false) => Some(""),
                (false, true) => Some("< "),
                (true, false) => Some("> "),
                (true, true) => None,
            };
            let cell = |its: Option<f64>, ours: Option<f64>| match (ours, its, bound) {
                (Some(ours), Some(its), Some(bound)) if row.name != table.rows[0].name => {
                    format!("{bound}{}", ratio(ours / its))
                }
                _ => String::new(),
            };
            cells.extend([cell(row.wall(), ours.wall()), cell(row.cpu(), ours.cpu())]);
        }
        page += &line(cells);
    }
    for absent in &table.absent {
        page += &format!("\nNot measured: {absent}.\n");
    }
    page
}

fn cells(row: &Row, floor: f64) -> Vec<String> {
    let walls = || row.samples.iter().map(|sample| sample.wall);
    let (least, most) = (walls().fold(f64::INFINITY, f64::min), walls().fold(0.0, f64::max));
    let wall = if row.cut() { format!("over {LIMIT:.0} s") } else { row.wall().map(time).unwrap_or_default() };
    let span = if row.samples.len() > 1 { span(least, most) } else { String::new() };
    let cpu = row.cpu().map(time).unwrap_or_default();
    let memory = row.memory().map(|bytes| memory(bytes, floor)).unwrap_or_default();
    vec![row.name.clone(), row.does.clone(), wall, span, cpu, memory]
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    fn row(name: &str, walls: &[f64]) -> Row {
        let sample =
            |wall: &f64| Sample { wall: *wall, cpu: wall / 2.0, memory: 20.0 * 1_048_576.0, cut: *wall > 500.0 };
        Row {
            name: name.to_owned(),
            does: "copies".to_owned(),
            samples: walls.iter().map(sample).collect(),
            requests: None,
        }
    }

    #[test]
    fn a_contest_is_a_table() {
        let rows = vec![row("modeldepot", &[0.4, 0.5, 0.6]), row("peer", &[1.0]), row("slow", &[600.0])];
        let absent = vec!["mc: needs go".to_owned()];
        let about = "A file.\n".to_owned();
        let table = Table { contest: "push", title: "a push", about, compared: true, rows, absent };
        let expected = "\
### push: a push

A file.

|  | does | wall | min–max | CPU | peak memory | wall ratio | CPU ratio |
|---|---|--:|--:|--:|--:|--:|--:|
| modeldepot | copies | 0.50 s | 0.40–0.60 s | 0.25 s | 20 MiB |  |  |
| peer | copies | 1.00 s |  | 0.50 s | 20 MiB | 0.50 | 0.50 |
| slow | copies | over 600 s |  | 300.0 s | 20 MiB | < 0.00 | < 0.00 |

Not measured: mc: needs go.
";
        assert_eq!(markdown(&table, 0.0), expected);
    }
}
