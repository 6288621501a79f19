//! Conditional requests (RFC 9110, section 13). The only validator is the ETag: nothing that is served has a date that
//! would add anything.

use axum::http::HeaderMap;
use headers::{ETag, HeaderMapExt as _, IfMatch, IfNoneMatch, IfRange};

/// Returns the strong ETag of a text that needs no escaping, such as a digest.
pub(crate) fn etag(text: impl std::fmt::Display) -> ETag {
    format!("\"{text}\"").parse().expect("a digest is a valid ETag")
}

/// Returns true if `If-None-Match` names this ETag: the client has the content already. Content without an ETag only
/// matches `*`.
pub(crate) fn is_known(headers: &HeaderMap, etag: Option<&ETag>) -> bool {
    headers.typed_get::<IfNoneMatch>().is_some_and(|given| match etag {
        Some(etag) => !given.precondition_passes(etag),
        None => given == IfNoneMatch::any(),
    })
}

/// Returns true if `If-Match` does not name this ETag: the client expects other content. Content without an ETag only
/// matches `*`.
pub(crate) fn is_other(headers: &HeaderMap, etag: Option<&ETag>) -> bool {
    headers.typed_get::<IfMatch>().is_some_and(|given| match etag {
        Some(etag) => !given.precondition_passes(etag),
        None => given != IfMatch::any(),
    })
}

/// Returns true if a range may be sent: there is no `If-Range`, or it names this ETag.
pub(crate) fn may_send_range(headers: &HeaderMap, etag: Option<&ETag>) -> bool {
    match headers.typed_try_get::<IfRange>() {
        Ok(given) => given.is_none_or(|given| !given.is_modified(etag, None)),
        // Neither an ETag nor a date, so it does not match.
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue, header};

    use super::*;

    fn headers(name: HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let known = |lines: &[&'static str]| is_known(&headers(header::IF_NONE_MATCH, lines), Some(&etag("e")));
        for lines in
            [&["\"e\""][..], &["W/\"e\""], &["*"], &["\"a\", W/\"e\""], &["\"a\"", "\"e\""], &["\"a,b\", \"e\""]]
        {
            assert!(known(lines), "{lines:?}");
        }
        for lines in [&[][..], &["\"f\""], &["e"], &["\"a,e\""], &["\"e"]] {
            assert!(!known(lines), "{lines:?}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        let other = |lines: &[&'static str]| is_other(&headers(header::IF_MATCH, lines), Some(&etag("e")));
        for lines in [&[][..], &["\"e\""], &["*"], &["\"a\", \"e\""], &["\"a\"", "\"e\""]] {
            assert!(!other(lines), "{lines:?}");
        }
        for lines in [&["\"f\""][..], &["W/\"e\""], &["\"a,e\""]] {
            assert!(other(lines), "{lines:?}");
        }
    }

    #[test]
    fn a_range_needs_the_same_etag() {
        let may = |lines: &[&'static str], etag: Option<&ETag>| may_send_range(&headers(header::IF_RANGE, lines), etag);
        let own = etag("e");
        assert!(may(&[], Some(&own)) && may(&[], None) && may(&["\"e\""], Some(&own)));
        for line in ["\"f\"", "W/\"e\"", "Tue, 28 Oct 2025 18:18:58 GMT", "e"] {
            assert!(!may(&[line], Some(&own)), "{line}");
        }
        assert!(!may(&["\"e\""], None), "there is nothing to compare it with");
    }
}
