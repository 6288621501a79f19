//! Parses the `Range` header by hand: neither `headers` nor `http-range-header` distinguishes an invalid range, which
//! is ignored, from one outside the file, which is refused; and both mishandle a suffix longer than the file.

use std::ops::Range;

use axum::http::{HeaderMap, header};
use headers::ETag;

use crate::conditions::may_send_range;

/// Returns the requested range if it is a single one. Several ranges are answered with the whole file, as RFC 9110
/// allows.
///
/// # Errors
/// If the range lies outside the file.
pub(super) fn range(headers: &HeaderMap, size: u64, etag: Option<&ETag>) -> Result<Option<Range<u64>>, ()> {
    let Some(range) = headers.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Ok(None) };
    if !may_send_range(headers, etag) {
        return Ok(None);
    }
    let Some(range) = range.trim().strip_prefix("bytes=") else { return Ok(None) };
    let Some((first, last)) = range.trim().split_once('-') else { return Ok(None) };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that overflows lies outside every file.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    match (first, last) {
        ("", "") => Ok(None),
        ("", last) => match number(last) {
            Some(0) => Err(()),
            Some(_) if size == 0 => Err(()),
            Some(last) => Ok(Some(size.saturating_sub(last)..size)),
            None => Ok(None),
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(given)) => {
                let last = if last.is_empty() { u64::MAX } else { given };
                match (first <= last, first < size) {
                    (false, _) => Ok(None),
                    (true, false) => Err(()),
                    (true, true) => Ok(Some(first..last.saturating_add(1).min(size))),
                }
            }
            _ => Ok(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::conditions::etag;

    #[test]
    fn ranges() {
        let own = etag("e");
        let of = |text: &str, size| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(text).unwrap())]);
            range(&headers, size, Some(&own))
        };
        assert_eq!(of("bytes=0-0", 10), Ok(Some(0..1)));
        assert_eq!(of("bytes=2-", 10), Ok(Some(2..10)));
        assert_eq!(of("bytes=-3", 10), Ok(Some(7..10)));
        assert_eq!(of("bytes=-30", 10), Ok(Some(0..10)));
        assert_eq!(of("bytes=9-99999999999999999999999", 10), Ok(Some(9..10)));
        for whole in ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=x-", "bytes=-", "bytes=1", "bytes=+1-2"] {
            assert_eq!(of(whole, 10), Ok(None), "{whole}");
        }
        for beyond in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(beyond, 10), Err(()), "{beyond}");
        }
        assert_eq!(of("bytes=-1", 0), Err(()));
        let mut headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=1-2"))]);
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"e\""));
        assert_eq!(range(&headers, 10, Some(&own)), Ok(Some(1..3)));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"f\""));
        assert_eq!(range(&headers, 10, Some(&own)), Ok(None));
    }
}
