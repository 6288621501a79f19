//! JSON as Python writes it: `json.dump` writes bare `NaN` and `Infinity` where a training diverged.

use std::borrow::Cow;

use serde_json::Value;

use super::{HistoryError, MAX_VALUES};

/// Reads the documents of a file, one or several, with `NaN`, `Infinity` and `-Infinity` as `null`.
///
/// If the last line of a log was truncated, by a crash or because it is still being written, that line is dropped, and
/// a returned note says so.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<(Vec<Value>, Vec<String>), HistoryError> {
    let Scan { document, values } = scan(bytes);
    if values > MAX_VALUES {
        return Err(HistoryError::TooMany { file: file.to_owned() });
    }
    if document.trim_ascii().is_empty() {
        return Err(HistoryError::shape(file, "an empty file"));
    }
    let mut documents: Vec<Value> = Vec::new();
    let mut notes = Vec::new();
    for read in serde_json::Deserializer::from_slice(&document).into_iter::<Value>() {
        match read {
            Ok(value) => documents.push(value),
            Err(error) if error.is_eof() && !documents.is_empty() && documents.iter().all(Value::is_object) => {
                notes.push("the last line is cut short, and left out".to_owned());
            }
            Err(source) => return Err(HistoryError::Json { file: file.to_owned(), source }),
        }
        if documents.len() > MAX_VALUES {
            return Err(HistoryError::TooMany { file: file.to_owned() });
        }
    }
    Ok((documents, notes))
}

struct Scan<'a> {
    /// The document without non-finite tokens.
    document: Cow<'a, [u8]>,
    /// The maximum number of values that it can have: one for each comma and opening bracket.
    values: usize,
}

/// Scans the text outside of strings. Syntax errors are left to the parser.
fn scan(bytes: &[u8]) -> Scan<'_> {
    const TOKENS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut values = 0;
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let token = TOKENS.into_iter().find(|token| bytes[at..].starts_with(token));
        match token {
            Some(token) if stands_alone(bytes, at, at + token.len()) => {
                out.extend_from_slice(&bytes[copied..at]);
                out.extend_from_slice(b"null");
                at += token.len();
                copied = at;
            }
            _ if byte == b'"' => at = string_end(bytes, at + 1),
            _ => {
                values += usize::from(matches!(byte, b',' | b'[' | b'{'));
                at += 1;
            }
        }
    }
    let document = if copied == 0 {
        Cow::Borrowed(bytes)
    } else {
        out.extend_from_slice(&bytes[copied..]);
        Cow::Owned(out)
    };
    Scan { document, values }
}

/// Returns the position after the string's closing quote, given the one after its opening quote.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn stands_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let part_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.');
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    !before.is_some_and(part_of_word) && !bytes.get(end).is_some_and(part_of_word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn non_finite_tokens_are_null() {
        let document = br#"{"a": [NaN, -Infinity,Infinity], "NaN": "NaN \" Infinity\\", "b":NaN}"#;
        let expected = json!({"a": [null, null, null], "NaN": "NaN \" Infinity\\", "b": null});
        assert_eq!(read("h.json", document).unwrap().0, [expected]);
    }

    #[test]
    fn look_alikes_are_errors() {
        for document in ["[NaNs]", "[xNaN]", "[--Infinity]", "[nan]", "[+Infinity]", "[1NaN]", "\"NaN"] {
            assert!(read("h.json", document.as_bytes()).is_err(), "{document}");
        }
    }

    #[test]
    fn finite_documents_are_not_copied() {
        assert!(matches!(scan(b"{\"loss\": [1, 2]}").document, Cow::Borrowed(_)));
    }

    #[test]
    fn values_are_bounded() {
        let many = |values: usize| format!("[{}0]", "0,".repeat(values - 1));
        assert!(read("h.json", many(MAX_VALUES).as_bytes()).is_ok());
        assert!(matches!(read("h.json", many(MAX_VALUES + 1).as_bytes()), Err(HistoryError::TooMany { .. })));
        assert_eq!(scan(br#"{"a,[{": [",", {}], "b": 1}"#).values, 5);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(MAX_VALUES);
        assert!(read("h.json", deep.as_bytes()).is_err());
    }
}
