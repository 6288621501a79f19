//! What the head of a request reveals: its subject, and the kind of body that follows.

use hyper::header::{self, HeaderMap};
use hyper::{Method, Request};

/// Returns true if the path names an object, whether or not its slashes are percent-encoded.
pub(crate) fn names_a_key(path: &str) -> bool {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let key = path.trim_start_matches('/').split_once('/').map(|(_, key)| key);
    key.is_some_and(|key| !key.is_empty())
}

/// Returns true if the request is an upload by form.
pub(crate) fn is_form<B>(request: &Request<B>) -> bool {
    request.method() == Method::POST
        && request.headers().get_all(header::CONTENT_TYPE).iter().any(|value| {
            value.as_bytes().get(..19).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"))
        })
}

/// Returns true if the request is about an object, but its body is XML instead of data.
pub(crate) fn is_xml_of_object<B>(request: &Request<B>) -> bool {
    let names = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let kinds = ["tagging", "acl", "retention", "legal-hold"];
    *request.method() == Method::PUT && names.into_iter().any(|(name, _)| kinds.contains(&&*name))
}

/// Returns true if the client waits for `100 Continue` before sending the body.
pub(crate) fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers.get(hyper::header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Returns true if the body is sent in chunks with signatures or trailers.
pub(crate) fn is_framed(headers: &HeaderMap) -> bool {
    headers.get("x-amz-content-sha256").is_some_and(|kind| kind.as_bytes().starts_with(b"STREAMING-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_spells_its_slash_names_what_the_other_does() {
        for (path, names) in [("/b", false), ("/b/", false), ("/b%2F", false), ("/b%2fk", true), ("/b/k", true)] {
            assert_eq!(names_a_key(path), names, "{path}");
        }
    }
}
