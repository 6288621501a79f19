//! How names and values are displayed. Publishers control them, and they must not mislead the reader.
//!
//! Templates escape markup. Invisible characters are spelled out here.

pub(super) use modeldepot::units::number;
use serde_json::Value;

/// The longest text of a value in a page. The manifest has the full text.
const LONGEST: usize = 1000;

/// Spells out control characters and characters that change the direction of text.
pub(super) fn shown(text: &str) -> String {
    short(text, LONGEST)
}

/// Like [`shown`], but at most `most` characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (index, letter) in text.chars().enumerate() {
        if index == most {
            shown.push('…');
            break;
        }
        if is_unseen(letter) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(letter, '\u{61c}' | '\u{ad}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns the decimals that align the numbers of a column.
pub(super) fn decimals(values: impl Iterator<Item = f64>) -> usize {
    let of_one = |value: f64| number(value).split_once('.').map_or(0, |(_, after)| after.len());
    values.filter(|value| is_plain(*value)).map(of_one).max().unwrap_or(0)
}

/// Formats a number with this many decimals, unless it is written in scientific notation.
pub(super) fn aligned(value: f64, decimals: usize) -> String {
    if is_plain(value) { format!("{value:.decimals$}") } else { number(value) }
}

/// Returns true if a number is written in full.
fn is_plain(value: f64) -> bool {
    !number(value).contains('e')
}

/// Formats a JSON value; strings without quotes.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        // As written: 0.9500000001 must not look like 0.95 when versions are compared.
        Value::Number(number) => number.to_string(),
        other => shown(&other.to_string()),
    }
}

/// Flattens the metadata in order; nested fields get names with dots.
pub(super) fn flat(metadata: &serde_json::Map<String, Value>) -> Vec<(String, &Value)> {
    /// More than anyone reads; malicious metadata could have millions.
    const MOST: usize = 500;
    fn add<'a>(name: String, value: &'a Value, depth: usize, found: &mut Vec<(String, &'a Value)>) {
        match value {
            _ if found.len() >= MOST => {}
            Value::Object(inner) if depth < 4 && !inner.is_empty() => {
                for (word, value) in inner {
                    add(format!("{name}.{word}"), value, depth + 1, found);
                }
            }
            _ => found.push((name, value)),
        }
    }
    let mut found = Vec::new();
    for (name, value) in metadata {
        add(name.clone(), value, 0, &mut found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unseen_is_spelled_out() {
        assert_eq!(shown("a\u{202e}gpj.exe"), "a\\u{202e}gpj.exe");
        assert_eq!(shown("a\u{0}\nb"), "a\\u{0}\\u{a}b");
        assert_eq!(shown("Gänseblümchen 雛菊"), "Gänseblümchen 雛菊");
        assert_eq!(short("abcdef", 3), "abc…");
        assert_eq!(short("abc", 3), "abc");
    }

    #[test]
    fn metadata_lies_flat() {
        let json = serde_json::json!({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": "x", "f": {}});
        let names: Vec<_> = flat(json.as_object().unwrap()).into_iter().map(|(name, it)| (name, value(it))).collect();
        let wanted = [("a.b", "1"), ("a.c.d", "[1,2]"), ("e", "x"), ("f", "{}")];
        assert_eq!(names, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
