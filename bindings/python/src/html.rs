//! The HTML of answers in notebooks.

use std::fmt::Write as _;

/// Returns a table of names and values.
pub(crate) fn fields(caption: &str, fields: &[(&str, String)]) -> String {
    let rows: Vec<Vec<String>> = fields.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    table(caption, &[], &rows)
}

/// Returns a table.
pub(crate) fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!("<table><caption>{}</caption>", escaped(caption));
    if !heads.is_empty() {
        let cells: String = heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
        let _ = write!(html, "<tr>{cells}</tr>");
    }
    for row in rows {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
        let _ = write!(html, "<tr>{cells}</tr>");
    }
    html + "</table>"
}

/// Escapes text, as keys and metrics may contain anything.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
