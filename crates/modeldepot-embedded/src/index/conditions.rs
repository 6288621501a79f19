//! Preconditions: `If-Match`, `If-None-Match` and the two dates.

use hyper::header::{self, HeaderMap};
use s3s::dto::{ETag, ETagCondition, Timestamp, TimestampFormat};
use s3s::{S3Result, s3_error};
use time::OffsetDateTime;

use crate::index::record::Object;
use crate::refusal::{no_such_key, precondition_failed};

/// The ETags in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    Any,
    These(Vec<Tag>),
}

/// One ETag in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    value: String,
    /// Equal content only, not equal bytes. No object has a weak tag; compressing proxies produce them.
    weak: bool,
}

impl Tags {
    /// Compares as `If-Match` does (RFC 9110, 8.8.3.2): a weak tag never matches.
    fn match_strongly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| !tag.weak && tag.value == etag),
        }
    }

    /// Compares as `If-None-Match` does.
    fn match_weakly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| tag.value == etag),
        }
    }

    /// Parses a header value: `*`, or tags with or without quotes, separated by commas.
    pub(crate) fn parse(value: &str) -> Self {
        if value.trim() == "*" {
            return Self::Any;
        }
        let tag = |text: &str| {
            let text = text.trim();
            let (weak, text) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
            Tag { value: text.trim_matches('"').to_owned(), weak }
        };
        Self::These(value.split(',').map(tag).filter(|tag| !tag.value.is_empty()).collect())
    }
}

impl From<ETagCondition> for Tags {
    fn from(condition: ETagCondition) -> Self {
        match condition {
            ETagCondition::Any => Self::Any,
            // The protocol layer parses a list of tags as one tag with quotes inside.
            ETagCondition::ETag(ETag::Strong(list)) => Self::parse(&format!("\"{list}\"")),
            ETagCondition::ETag(ETag::Weak(list)) => Self::parse(&format!("W/\"{list}\"")),
        }
    }
}

/// The conditions on the object that a write replaces or deletes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<Tags>,
    pub(crate) if_none_match: Option<Tags>,
}

impl WriteConditions {
    /// Accepts the conditions that S3 supports for writes: `If-Match` with a tag, and `If-None-Match: *`.
    ///
    /// # Errors
    /// `NotImplemented` for any other: ignoring it would look as if it had been checked.
    pub(crate) fn of_write(if_match: Option<Tags>, if_none_match: Option<Tags>) -> S3Result<Self> {
        let odd = match (&if_match, &if_none_match) {
            (Some(Tags::Any), _) => "If-Match: * on a write",
            (_, Some(Tags::These(_))) => "If-None-Match with a tag on a write",
            _ => return Ok(Self { if_match, if_none_match }),
        };
        Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented: {}", odd))
    }

    /// Checks the conditions. Only decisive inside the transaction that makes the write visible; elsewhere it is a
    /// hint.
    pub(crate) fn check(&self, current: Option<&Object>) -> S3Result<()> {
        match (&self.if_match, current) {
            (Some(_), None) => return Err(no_such_key()),
            (Some(tags), Some(object)) if !tags.match_strongly(&object.etag) => return Err(precondition_failed()),
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(tags), Some(object)) if tags.match_weakly(&object.etag) => Err(precondition_failed()),
            _ => Ok(()),
        }
    }
}

/// The conditions on an object that is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<Tags>,
    pub(crate) if_none_match: Option<Tags>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// Why an object is not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmet {
    PreconditionFailed,
    NotModified,
}

impl ReadConditions {
    /// Checks in the order of RFC 9110: a tag condition takes precedence over a date condition of its kind.
    pub(crate) fn check(&self, object: &Object) -> Result<(), Unmet> {
        let unmodified = match (&self.if_match, &self.if_unmodified_since) {
            (Some(tags), _) => tags.match_strongly(&object.etag),
            (None, Some(date)) => object.modified <= seconds(date),
            (None, None) => true,
        };
        if !unmodified {
            return Err(Unmet::PreconditionFailed);
        }
        let modified = match (&self.if_none_match, &self.if_modified_since) {
            (Some(tags), _) => !tags.match_weakly(&object.etag),
            (None, Some(date)) => object.modified > seconds(date),
            (None, None) => true,
        };
        if modified { Ok(()) } else { Err(Unmet::NotModified) }
    }
}

/// Returns true if a range may be sent: there is no `If-Range`, or it names the object as it is, by its tag or by its
/// exact date (RFC 9110, section 13.1.5). Otherwise the whole object is sent.
pub(crate) fn may_send_range(headers: &HeaderMap, object: &Object) -> bool {
    let mut given = headers.get_all(header::IF_RANGE).iter();
    let text = match (given.next(), given.next()) {
        (None, _) => return true,
        (Some(value), None) => value.to_str().unwrap_or_default().trim(),
        (Some(_), Some(_)) => return false,
    };
    match (Timestamp::parse(TimestampFormat::HttpDate, text), Tags::parse(text)) {
        (Ok(date), _) => object.modified == seconds(&date),
        (Err(_), Tags::Any) => false,
        (Err(_), tags) => tags.match_strongly(&object.etag),
    }
}

/// Returns a timestamp of the protocol in seconds since 1970.
pub(crate) fn seconds(timestamp: &Timestamp) -> i64 {
    OffsetDateTime::from(timestamp.clone()).unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(etag: &str, modified: i64) -> Object {
        Object {
            size: 0,
            etag: etag.into(),
            modified,
            parts: None,
            checksums: Default::default(),
            description: Default::default(),
            stamp: Default::default(),
        }
    }

    fn code(result: S3Result<()>) -> Option<String> {
        result.err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn tags_parse_lists_quotes_and_the_star() {
        let tag = |value: &str, weak| Tag { value: value.into(), weak };
        assert_eq!(Tags::parse("*"), Tags::Any);
        assert_eq!(Tags::parse("\"*\""), Tags::These(vec![tag("*", false)]), "a star in quotes is a tag");
        let expected = Tags::These(vec![tag("a", false), tag("b", true), tag("c", false)]);
        assert_eq!(Tags::parse(r#""a", W/"b" , c"#), expected);
        for (header, expected) in [
            (&br#""a", "b""#[..], vec![tag("a", false), tag("b", false)]),
            (br#"W/"a", "b""#, vec![tag("a", true), tag("b", false)]),
            (br#""a", W/"b""#, vec![tag("a", false), tag("b", true)]),
            (b"a", vec![tag("a", false)]),
        ] {
            assert_eq!(ETagCondition::parse_http_header(header).map(Tags::from).ok(), Some(Tags::These(expected)));
        }
    }

    #[test]
    fn writes_take_the_conditions_that_s3_knows() {
        let of = |im: Option<&str>, inm: Option<&str>| {
            code(WriteConditions::of_write(im.map(Tags::parse), inm.map(Tags::parse)).map(|_| ()))
        };
        assert_eq!((of(None, Some("*")), of(Some("\"x\""), None), of(None, None)), (None, None, None));
        assert_eq!(of(None, Some("\"x\"")).as_deref(), Some("NotImplemented"));
        assert_eq!(of(Some("*"), None).as_deref(), Some("NotImplemented"));
    }

    #[test]
    fn writes() {
        let x = object("x", 0);
        let create = WriteConditions { if_none_match: Some(Tags::Any), ..Default::default() };
        assert_eq!(code(create.check(None)), None);
        assert_eq!(code(create.check(Some(&x))).as_deref(), Some("PreconditionFailed"));
        let swap = WriteConditions { if_match: Some(Tags::parse("\"x\"")), ..Default::default() };
        assert_eq!(code(swap.check(Some(&x))), None);
        assert_eq!(code(swap.check(Some(&object("y", 0)))).as_deref(), Some("PreconditionFailed"));
        assert_eq!(code(swap.check(None)).as_deref(), Some("NoSuchKey"));
    }

    #[test]
    fn reads_follow_the_order_of_rfc_9110() {
        let date = |s: i64| Some(OffsetDateTime::from_unix_timestamp(s).expect("in range").into());
        let x = object("x", 100);
        let check = |im: Option<&str>, inm: Option<&str>, ims, ius| {
            ReadConditions {
                if_match: im.map(Tags::parse),
                if_none_match: inm.map(Tags::parse),
                if_modified_since: ims,
                if_unmodified_since: ius,
            }
            .check(&x)
            .err()
        };
        assert_eq!(check(Some("x"), None, None, date(99)), None, "If-Match outranks If-Unmodified-Since");
        assert_eq!(check(Some("y"), None, None, date(100)), Some(Unmet::PreconditionFailed));
        assert_eq!(check(None, None, None, date(99)), Some(Unmet::PreconditionFailed));
        assert_eq!(check(None, None, None, date(100)), None);
        assert_eq!(check(None, Some("x"), date(0), None), Some(Unmet::NotModified));
        assert_eq!(check(None, Some("y"), date(200), None), None, "If-None-Match outranks If-Modified-Since");
        assert_eq!(check(None, None, date(100), None), Some(Unmet::NotModified));
        assert_eq!(check(None, None, date(99), None), None);
    }
}
