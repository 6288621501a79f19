//! XML that every parser can read.
//!
//! XML 1.0 cannot express most control characters, not even as references: a single key with U+0001 would make a whole
//! listing unreadable. New objects cannot have such keys. For those in older data folders, listings show U+FFFD in
//! place of each such character, and the exact keys with `encoding-type=url`.

use bytes::Bytes;
use hyper::Response;
use hyper::header;
use s3s::{S3Result, s3_error};

/// Returns true if XML 1.0 can express the character.
fn is_writable(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Escapes text for use as the content of an element.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Refuses to create an object whose key no listing could show.
pub(crate) fn check_key(key: &str) -> S3Result<()> {
    match key.chars().find(|c| !is_writable(*c)) {
        None => Ok(()),
        Some(c) => Err(s3_error!(
            InvalidArgument,
            "The key contains the character U+{:04X}, which XML cannot represent, so listings could not show it",
            u32::from(c)
        )),
    }
}

/// Replaces characters that no parser accepts, and escapes carriage returns, which parsers would read as line ends.
///
/// The protocol layer's own XML contains neither; they come from keys and prefixes. Objects are never touched, as their
/// bodies are streams.
pub(crate) fn repair(answer: &mut Response<s3s::Body>) {
    let is_xml = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/xml");
    let Some(bytes) = answer.body().bytes().filter(|_| is_xml) else { return };
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    if text.chars().all(|c| is_writable(c) && c != '\r') {
        return;
    }
    let mut repaired = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match c {
            '\r' => repaired.push_str("&#13;"),
            c if is_writable(c) => repaired.push(c),
            _ => repaired.push(char::REPLACEMENT_CHARACTER),
        }
    }
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    *answer.body_mut() = Bytes::from(repaired).into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_xml_can_write() {
        for key in
            ["a/b", "ü", "tab\tline\nreturn\r", "\u{7f}\u{80}\u{85}\u{2028}", "\u{fffd}", "\u{10ffff}", "\u{1fffe}"]
        {
            assert!(check_key(key).is_ok(), "{key:?}");
        }
        for c in (0u32..0x20).chain([0xfffe, 0xffff]).filter_map(char::from_u32) {
            assert_eq!(check_key(&format!("a{c}b")).is_err(), !matches!(c, '\t' | '\n' | '\r'), "{c:?}");
        }
        let message = check_key("\u{1}").unwrap_err().message().unwrap().to_owned();
        assert!(message.contains("U+0001"), "{message}");
    }

    #[test]
    fn answers_are_repaired_and_objects_are_not() {
        let answer = |kind: &str, body: &str| {
            let mut answer = Response::new(s3s::Body::from(body.to_owned()));
            answer.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
            repair(&mut answer);
            String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap()
        };
        assert_eq!(answer("application/xml", "<K>a\u{1}b\rc\n\u{ffff}</K>"), "<K>a\u{fffd}b&#13;c\n\u{fffd}</K>");
        assert_eq!(answer("application/xml", "<K>a\n\t</K>"), "<K>a\n\t</K>");
        assert_eq!(answer("text/plain", "a\u{1}\r"), "a\u{1}\r");
    }
}
