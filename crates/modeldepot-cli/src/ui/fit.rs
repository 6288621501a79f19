//! Makes untrusted text safe for a terminal.
//!
//! Fields with arbitrary content go through [`clean`] where a line is composed. Every line goes through [`fit`] when it
//! is printed, so that a forgotten field cannot change the direction of text or clear the screen.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use modeldepot::{is_unseen, visible};

/// Returns a name, key, value or message with invisible characters spelled out.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    visible(text)
}

/// Like [`clean`], for multi-line messages: later lines are indented, so that none of them looks like ours.
pub(crate) fn clean_message(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            shown.push_str(if line.starts_with("  ") { "\n" } else { "\n  " });
        }
        shown.push_str(&visible(line));
    }
    shown
}

/// Spells out invisible characters in one or more lines, except line ends and styling codes.
pub(super) fn fit(lines: &str) -> Cow<'_, str> {
    if !lines.contains(is_unseen) {
        return Cow::Borrowed(lines);
    }
    let (mut shown, mut rest) = (String::with_capacity(lines.len() + 16), lines);
    while let Some(c) = rest.chars().next() {
        let style = style_at(rest);
        if style > 0 {
            shown.push_str(&rest[..style]);
            rest = &rest[style..];
            continue;
        }
        if c != '\n' && is_unseen(c) {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(shown)
}

/// Returns the length of a styling code at the beginning of a text: bold, dim, italic, colors, or reset.
fn style_at(text: &str) -> usize {
    let Some(code) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = code.bytes().take_while(u8::is_ascii_digit).count();
    let known = matches!(&code[..digits], "0" | "1" | "2" | "3" | "4" | "31" | "32" | "33" | "34" | "35" | "36");
    if known && code[digits..].starts_with('m') { "\u{1b}[".len() + digits + 1 } else { 0 }
}

/// Escapes invisible characters in JSON, which only occur in strings, apart from line ends.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| c != '\n' && is_unseen(c);
    if !text.contains(unseen) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !unseen(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    Cow::Owned(escaped)
}

/// Takes whole lines from the logger, and prints them through [`fit`].
pub(crate) struct Fitted<W>(pub(crate) W);

impl<W: io::Write> io::Write for Fitted<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.write_all(fit(&String::from_utf8_lossy(lines)).as_bytes())?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{BAD, BOLD, DIM, GOOD, HINT, WARN, styled};

    #[test]
    fn our_own_styles_stay() {
        for style in [BOLD, DIM, GOOD, WARN, BAD, HINT] {
            let line = styled(style, "text");
            assert_eq!(fit(&line), line);
        }
        assert_eq!(fit("a\nb"), "a\nb");
        assert_eq!(
            fit("\u{1b}[2J\u{1b}[8mx\u{1b}]0;t\u{7}\r\u{202e}"),
            "\\u{1b}[2J\\u{1b}[8mx\\u{1b}]0;t\\u{7}\\r\\u{202e}"
        );
        assert_eq!(fit("\u{1b}["), "\\u{1b}[");
    }

    #[test]
    fn no_line_of_a_message_looks_like_ours() {
        assert_eq!(clean_message("tried:\n  this\n  that"), "tried:\n  this\n  that");
        assert_eq!(clean_message("a\r\nerror: forged\n\u{1b}[2J"), "a\\r\n  error: forged\n  \\u{1b}[2J");
    }

    #[test]
    fn json_stays_the_same() {
        let value = serde_json::json!({"k\u{9b}": "a\u{202e}\u{7f}\u{e0041}\n雛", "list": [1, "\u{2028}"]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let escaped = json(&text);
        assert!(!escaped.contains(|c| c != '\n' && is_unseen(c)), "{escaped}");
        assert!(escaped.contains("\\u202e\\u007f\\udb40\\udc41\\n雛"), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
