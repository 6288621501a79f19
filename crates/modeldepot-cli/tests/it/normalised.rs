//! Normalizes output that differs from run to run: paths, times, throughputs, automatic versions.

pub(crate) fn normalised(text: &str, places: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (place, name) in places.iter().filter(|(place, _)| !place.is_empty()) {
        text = text.replace(place, name);
    }
    text = masked(&text, "####-##-## ##:##:##", "[DATE]");
    text = masked(&text, "########_######", "[VERSION]");
    text = masked(&text, "127.0.0.1:#####", "127.0.0.1:[PORT]");
    for unit in ["B/s", "kB/s", "MB/s", "GB/s"] {
        text = amounts(&text, unit, "[RATE]");
    }
    for unit in ["ms", "s"] {
        text = amounts(&text, unit, "[TIME]");
    }
    text
}

/// Replaces text that matches a mask, in which `#` is any digit.
fn masked(text: &str, mask: &str, by: &str) -> String {
    let fits = |at: &str| {
        let mut at = at.chars();
        mask.chars().all(|m| at.next().is_some_and(|c| if m == '#' { c.is_ascii_digit() } else { c == m }))
    };
    let mut result = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if fits(rest) {
            result.push_str(by);
            rest = &rest[mask.len()..];
        } else {
            result.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    result
}

/// Replaces numbers followed by a space and the unit as a word.
fn amounts(text: &str, unit: &str, by: &str) -> String {
    let pattern = format!(" {unit}");
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&pattern) {
        let (before, after) = (&rest[..at], &rest[at + pattern.len()..]);
        let number = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '/');
        if number > 0 && ends {
            result.push_str(&before[..before.len() - number]);
            result.push_str(by);
        } else {
            result.push_str(before);
            result.push_str(&pattern);
        }
        rest = after;
    }
    result + rest
}

#[test]
fn what_differs_is_taken_out() {
    let text =
        "at http://h:1 in 1.24 s (9.5 MB/s), 12 ms; 3 seconds, 138.2 MB, v20251028_181858, 2025-10-28 18:19:00 UTC";
    assert_eq!(
        normalised(text, &[("http://h:1", "$E")]),
        "at $E in [TIME] ([RATE]), [TIME]; 3 seconds, 138.2 MB, v[VERSION], [DATE] UTC"
    );
}
