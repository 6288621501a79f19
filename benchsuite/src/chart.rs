//! The wall times of push and pull as bars, in SVG. It has its own background, for light and dark pages.

use crate::contest::{Row, Table};
use crate::numbers::time;

const WIDTH: f64 = 650.0;
const LEFT: f64 = 120.0;
const BAR: f64 = 18.0;
const STEP: f64 = 24.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.value{fill:#57606a}\
.paper{fill:#f6f8fa}.ours{fill:#1f6f5c}.its{fill:#9aa5b1}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.value{fill:#9da7b3}.paper{fill:#161b22}\
.ours{fill:#3fb68b}.its{fill:#5b6673}}";

/// Draws the contests one below the other, each with its fastest on top.
pub(crate) fn svg(tables: &[&Table]) -> String {
    let mut body = String::new();
    let mut y = 14.0;
    for table in tables {
        let mut rows: Vec<(&Row, f64)> = table.rows.iter().filter_map(|row| Some((row, row.wall()?))).collect();
        rows.sort_by(|left, right| left.1.total_cmp(&right.1));
        let longest = rows.last().map_or(1.0, |row| row.1);
        y += 14.0;
        body += &format!(
            "<text class=\"head\" x=\"14\" y=\"{y}\">{}</text>\n",
            escaped(&format!("{}: {}", table.contest, table.title))
        );
        y += 12.0;
        for (row, wall) in rows {
            let width = (wall / longest * (WIDTH - LEFT - 80.0)).max(1.0);
            let class = if row.name == table.rows[0].name { "ours" } else { "its" };
            let base = y + 13.5;
            body += &format!(
                "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\
                 <text class=\"value\" x=\"{:.1}\" y=\"{base}\">{}</text>\n",
                LEFT - 8.0,
                escaped(&row.name),
                LEFT + width + 6.0,
                time(wall),
            );
            y += STEP;
        }
        y += 6.0;
    }
    let height = y + 4.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Wall times of push and pull\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n{body}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    #[test]
    fn the_fastest_is_on_top() {
        let row = |name: &str, wall| {
            let samples = vec![Sample { wall, cpu: 0.0, memory: 0.0, cut: false }];
            Row { name: name.to_owned(), does: String::new(), samples, requests: None }
        };
        let rows = vec![row("ours", 2.0), row("a<b", 1.0), row("none", 4.0)];
        let table =
            Table { contest: "push", title: "push", about: String::new(), compared: true, rows, absent: Vec::new() };
        let drawn = svg(&[&table]);
        let place = |text: &str| drawn.find(text).unwrap();
        assert!(place("a&lt;b") < place(">ours<") && place(">ours<") < place(">none<"), "{drawn}");
        assert_eq!(drawn.matches("class=\"ours\"").count(), 1);
        assert!(drawn.contains("width=\"450.0\"") && drawn.contains("width=\"225.0\""), "{drawn}");
    }
}
