//! The raw numbers as JSON.

use crate::contest::Table;

/// Writes every sample of every contest.
pub(crate) fn json(facts: &[(&str, String)], versions: &[(&str, String)], tables: &[Table]) -> String {
    let named = |pairs: &[(&str, String)]| {
        let pairs = pairs.iter().map(|(name, value)| format!("{}: {}", text(name), text(value)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    };
    let tables: Vec<String> = tables.iter().map(contest).collect();
    format!(
        "{{\n\"machine\": {},\n\"versions\": {},\n\"contests\": {{\n{}\n}}\n}}\n",
        named(facts),
        named(versions),
        tables.join(",\n")
    )
}

fn contest(table: &Table) -> String {
    let rows = table.rows.iter().map(|row| {
        let samples = row.samples.iter().map(|sample| {
            format!(
                "{{\"wall\": {}, \"cpu\": {}, \"memory\": {}, \"cut\": {}}}",
                sample.wall, sample.cpu, sample.memory, sample.cut
            )
        });
        format!("  {}: [{}]", text(&row.name), samples.collect::<Vec<_>>().join(", "))
    });
    format!(" {}: {{\n{}\n }}", text(table.contest), rows.collect::<Vec<_>>().join(",\n"))
}

fn text(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control < ' ' => quoted += &format!("\\u{:04x}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        assert_eq!(text("a \"b\" \\ \n é"), r#""a \"b\" \\ \u000a é""#);
    }
}
