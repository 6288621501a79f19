//! The cookies of a request.

use axum::http::{HeaderMap, header};

/// Returns the value of the first cookie of a name.
///
/// Browsers send the cookies of all ports of a host, so other programs' cookies may be present (RFC 6265, section 8.5).
/// Each pair is parsed on its own: a quote or invalid UTF-8 in one does not hide the others, as it would with
/// `headers::Cookie`.
pub(crate) fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('=')).find_map(|(found, value)| {
        let is_it = found.trim() == name;
        is_it.then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn cookies_of_other_programs_do_not_hide_ours() {
        for line in
            [&b"ours=1"[..], b"a=\"x; ours=1", b"a=\xff; ours=1", b"a; b=\"; ours=1; c=\"", b" xours=2;ours=1;ours=3"]
        {
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_static("first=0"));
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
            assert_eq!(cookie_value(&headers, "ours"), Some("1"), "{line:?}");
            assert_eq!(cookie_value(&headers, "other"), None);
        }
    }
}
