//! Sentences that are the same in every front end.

use std::borrow::Cow;
use std::fmt;

/// A sentence of advice that is the same in every front end: about a server, a file or a network. It names no flag, command,
/// argument or route, only settings by their variables, such as `S3_REGION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(Cow<'static, str>);

impl Note {
    /// Use [`note!`], which checks the words.
    pub(crate) const fn fixed(text: &'static str) -> Note {
        Note(Cow::Borrowed(text))
    }

    /// Use [`note!`], which checks the words.
    pub(crate) fn formatted(text: String) -> Note {
        Note(Cow::Owned(text))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes a [`Note`] of a text, or of a format and its arguments. A text with the terms of one front end does not compile.
macro_rules! note {
    ($text:literal) => {
        const {
            assert!($crate::advice::note::is_shared($text), "a note names a flag, a command or a route");
            $crate::advice::Note::fixed($text)
        }
    };
    ($text:literal, $($argument:expr),+) => {{
        const { assert!($crate::advice::note::is_shared($text), "a note names a flag, a command or a route") };
        $crate::advice::Note::formatted(format!($text, $($argument),+))
    }};
}
pub(crate) use note;

/// Returns true for a text without the terms of a front end: no flag, no command of modeldepot, no route of its service.
pub(crate) const fn is_shared(text: &str) -> bool {
    const TERMS: [&str; 8] = [" --", "`--", "(--", " -v", "`-v", "`modeldepot ", "/api/", "`GET "];
    let mut at = 0;
    while at < TERMS.len() {
        if starts_with(text.as_bytes(), TERMS[at].trim_ascii_start().as_bytes()) || contains(text, TERMS[at]) {
            return false;
        }
        at += 1;
    }
    true
}

const fn contains(text: &str, term: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [_, tail @ ..] = rest {
        if starts_with(rest, term.as_bytes()) {
            return true;
        }
        rest = tail;
    }
    false
}

const fn starts_with(mut text: &[u8], mut term: &[u8]) -> bool {
    loop {
        match (text, term) {
            (_, []) => return true,
            ([a, text_tail @ ..], [b, term_tail @ ..]) if *a == *b => (text, term) = (text_tail, term_tail),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_a_front_end_are_recognised() {
        for text in [
            "choose another --version",
            "--main takes a path",
            "`--main` takes a path",
            "it is set (--sse)",
            "-vv shows it",
            "see `-vv`",
            "`modeldepot doctor` checks",
            "ask for `GET /api/v1/models`",
        ] {
            assert!(!is_shared(text), "{text}");
        }
        for text in ["set S3_REGION", "a read-only key", "from 1 to 2 - or more", "modeldepot sends none", ""] {
            assert!(is_shared(text), "{text}");
        }
    }

    #[test]
    fn a_name_may_look_like_a_flag() {
        assert_eq!(note!("did you mean `{}`?", "--version").to_string(), "did you mean `--version`?");
    }
}
