//! Making untrusted text safe for a terminal: names, keys, metadata and answers of servers.

use std::borrow::Cow;

/// Returns true for a character that is invisible or affects how others are shown: one that controls the terminal,
/// changes the writing direction, has no width, or ends a line.
pub fn is_unseen(c: char) -> bool {
    match c {
        ' '..='~' => false,
        // Soft hyphen, Arabic letter mark, Hangul and Mongolian fillers.
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}' => true,
        // Zero-width and direction marks, line and paragraph separators, embeddings, joiners and isolates.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => true,
        // Tags, and variation selectors, which can hide text behind a single letter.
        '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

/// Returns text made safe for one line of a terminal: [unseen](is_unseen) characters are escaped, as `\n` or
/// `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// How many characters a message has at most where it may repeat what strangers wrote.
pub const LONGEST_MESSAGE: usize = 1024;

/// Returns text with at most `most` characters and a `…` for those that are cut out of its middle: the end of a message
/// often says what was expected, or where.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    // Each character has at least one byte.
    if text.len() <= most || text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let end = most / 4;
    let head = text.char_indices().nth(most - end).map_or(text.len(), |(at, _)| at);
    let tail = text.char_indices().rev().take(end).last().map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}…{}", &text[..head], &text[tail..]))
}

/// How many names a message lists; the rest are counted.
pub(crate) const FEW: usize = 5;

/// Returns the first few of `all` names in backticks, and the number of the rest. Names are escaped, since a key may
/// contain anything.
pub(crate) fn named<'n>(names: impl Iterator<Item = &'n str>, all: usize, most: usize) -> String {
    let shown: Vec<String> = names.take(most).map(|name| format!("`{}`", visible(name))).collect();
    match all.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        for short in ["", "abcd", "abcdefgh", "ééééééé雛"] {
            assert!(matches!(shortened(short, 8), Cow::Borrowed(same) if same == short), "{short}");
        }
        assert_eq!(shortened("abcdefghi", 8), "abcdef…hi");
        assert_eq!(shortened("雛éééééééé雛", 8), "雛ééééé…é雛");
        assert_eq!(shortened(&"x".repeat(1_000_000), 3), "xxx…");
        assert_eq!(shortened("abc", 0), "…");
    }

    #[test]
    fn what_is_unseen_is_spelled_out() {
        assert_eq!(visible("a\u{202e}gpj.exe"), "a\\u{202e}gpj.exe");
        assert_eq!(visible("a\n\u{1b}[2J\u{9b}31m\u{7f}"), "a\\n\\u{1b}[2J\\u{9b}31m\\u{7f}");
        assert_eq!(
            visible("\u{200b}\u{feff}\u{2028}\u{e0041}\u{e0100}\u{2066}"),
            "\\u{200b}\\u{feff}\\u{2028}\\u{e0041}\\u{e0100}\\u{2066}"
        );
        assert!(matches!(visible("Gänseblümchen 雛菊 ✓ \\ 'x'"), Cow::Borrowed("Gänseblümchen 雛菊 ✓ \\ 'x'")));
    }
}
