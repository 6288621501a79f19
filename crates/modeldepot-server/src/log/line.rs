//! The lines of the audit log and the access log: JSON, bounded, without secrets.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

/// Prefixes of secrets: tokens, and secret keys of the embedded server.
const SECRETS: [&str; 2] = ["mdt_", "mds_"];

/// The longest text of a field, in characters.
const LONGEST_FIELD: usize = 1024;

/// Bytes of keys per line. A request for more keys gets several lines.
const KEYS: usize = 2048;

/// A line of the audit log.
#[derive(Debug, Default, Serialize)]
pub(super) struct Audit<'a> {
    pub(super) time: String,
    pub(super) log: &'static str,
    /// The request id, the same on all lines of a request.
    pub(super) request: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) who: Option<String>,
    /// What kind of name `who` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<&'static str>,
    /// The login provider's identifier of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remote: Option<String>,
    pub(super) action: &'a str,
    pub(super) method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bucket: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<String>,
    /// `done`, `refused`, `failed`, or `unanswered` if the client disconnected before the answer.
    pub(super) result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// The kind of problem, and its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    /// True for work that ended after the request was answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) late: bool,
}

impl Audit<'_> {
    /// Returns the line, or several if there are many keys.
    pub(super) fn lines(mut self) -> Vec<String> {
        let mut keys = std::mem::take(&mut self.keys).into_iter().map(|key| shown(&key)).peekable();
        let mut lines = Vec::new();
        loop {
            let mut bytes = 0;
            self.keys.clear();
            while let Some(key) = keys.next_if(|key| bytes == 0 || bytes + key.len() <= KEYS) {
                bytes += key.len();
                self.keys.push(key);
            }
            lines.push(json(&self));
            if keys.peek().is_none() {
                return lines;
            }
        }
    }
}

/// A line of the access log.
#[derive(Debug, Serialize)]
pub(super) struct Access<'a> {
    pub(super) time: String,
    pub(super) log: &'static str,
    pub(super) request: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) who: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remote: Option<String>,
    pub(super) method: &'a str,
    /// Without the query.
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// Size of the response body.
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    /// False if the client disconnected, or the data could not be read, before the end.
    pub(super) complete: bool,
}

/// Returns a record as one line of JSON with everything but printable ASCII escaped, because it may be read on a
/// terminal.
pub(super) fn json(record: &impl Serialize) -> String {
    let text = serde_json::to_string(record).unwrap_or_default();
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => line.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line += &format!("\\u{unit:04x}")),
        }
    }
    line
}

/// Rounds to milliseconds.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

/// Returns the current time for a log.
pub(super) fn time() -> String {
    written(OffsetDateTime::now_utc())
}

/// Returns a time in UTC, always with three decimals, so that lines sort by it.
fn written(at: OffsetDateTime) -> String {
    let (date, (hour, minute, second, milli)) = (at.date(), at.time().as_hms_milli());
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Returns a text for a log: shortened, and with every secret cut. JSON escapes the rest.
pub(super) fn shown(text: &str) -> String {
    let end = text.char_indices().nth(LONGEST_FIELD).map(|(at, _)| at);
    let mut text = match end {
        Some(end) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    for prefix in SECRETS {
        let mut from = 0;
        while let Some(at) = text[from..].find(prefix).map(|at| from + at + prefix.len()) {
            let secret = text[at..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            let end = secret.map_or(text.len(), |length| at + length);
            text.replace_range(at..end, "…");
            from = at;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_width() {
        let at = |nanos: i128| written(OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap());
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(1_795_000_000_120_999_999), "2026-11-18T11:06:40.120Z");
    }

    #[test]
    fn a_text_is_bounded_and_holds_no_token() {
        assert_eq!(shown(&"é".repeat(2000)).chars().count(), LONGEST_FIELD + 1);
        assert_eq!(shown("/x/mdt_AbC-9_z/y mdt_ mds_q"), "/x/mdt_…/y mdt_… mds_…");
    }

    #[test]
    fn many_keys_are_several_lines_and_control_characters_are_escaped() {
        let keys: Vec<String> = (0..1000).map(|n| format!("{n}\n\u{1b}]\u{202e}{}", "k".repeat(1000))).collect();
        let lines = Audit { keys: keys.clone(), ..Audit::default() }.lines();
        assert!(lines.iter().all(|line| line.len() < 16 * 1024 && line.bytes().all(|it| (0x20..0x7f).contains(&it))));
        let read = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["keys"].clone();
        let read: Vec<String> =
            lines.iter().flat_map(|line| serde_json::from_value::<Vec<String>>(read(line)).unwrap()).collect();
        assert_eq!(read, keys);
        assert_eq!(Audit::default().lines().len(), 1);
    }
}
