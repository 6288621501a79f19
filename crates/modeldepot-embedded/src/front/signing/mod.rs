//! What a signature has to cover.
//!
//! The protocol layer checks that a signature matches what it covers, but not what else is in the request: it would
//! obey a header added to a presigned link, and `x-amz-copy-source` turns an upload into a copy. So each header with a
//! meaning in S3 has to be signed, as S3 itself requires.

pub(crate) mod v2;

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use s3s::{S3Error, S3Result, s3_error};

use crate::refusal::custom;

/// The longest lifetime of a presigned link in S3.
pub(crate) const WEEK: i64 = 7 * 24 * 60 * 60;

/// The largest difference between clocks, in seconds.
pub(crate) const SKEW: i64 = 15 * 60;

const NOT_SIGNED: &str = "There were headers present in the request which were not signed";

/// Need not be signed. With a signature in the header its value is part of the signature anyway; beside a presigned
/// link it can only be compared with the body, which makes the request stricter.
const DIGEST: &str = "x-amz-content-sha256";

/// The answer to a wrong signature.
pub(crate) fn does_not_match() -> S3Error {
    s3_error!(
        SignatureDoesNotMatch,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )
}

/// Refuses signatures of version 2 in the header, two signatures, links that are valid for too long, and requests with
/// parts that this signature would have to cover and does not.
pub(crate) fn check(headers: &HeaderMap, query: &str) -> S3Result<()> {
    // Names may be percent-encoded, and the protocol layer decodes them.
    let parameters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let all = |wanted: &str| -> Vec<&str> {
        parameters.iter().filter(|(name, _)| name == wanted).map(|(_, value)| &**value).collect()
    };
    let in_header: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
    let in_query = ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Algorithm"].iter().any(|name| !all(name).is_empty());
    let old = ["AWSAccessKeyId", "Signature"].iter().any(|name| !all(name).is_empty());
    if in_header.iter().any(|value| value.as_bytes().starts_with(b"AWS ")) {
        return Err(s3_error!(
            InvalidRequest,
            "Signature version 2 is accepted in presigned URLs only: sign with version 4, e.g. \
             Config(signature_version='s3v4') in boto3 or `aws configure set default.s3.signature_version s3v4`"
        ));
    }
    match (&in_header[..], in_query) {
        // `v2` checks what it covers.
        ([], false) if old => Ok(()),
        _ if old => Err(two_places()),
        // Unsigned: refused later.
        ([], false) => Ok(()),
        ([], true) => {
            lifetime(&all("X-Amz-Expires"))?;
            let [credential] = all("X-Amz-Credential")[..] else { return Err(malformed_query("X-Amz-Credential")) };
            let [names] = all("X-Amz-SignedHeaders")[..] else { return Err(malformed_query("X-Amz-SignedHeaders")) };
            service(credential)?;
            covered(headers, names)
        }
        ([value], false) if !value.as_bytes().starts_with(b"AWS4-HMAC-SHA256") => {
            Err(s3_error!(InvalidArgument, "Unsupported Authorization Type"))
        }
        ([value], false) => {
            let fields = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default().1;
            let field = |wanted: &str| {
                let mut found = fields.split(',').filter_map(|field| field.trim().split_once('='));
                let first = found.find(|(name, _)| *name == wanted).map(|(_, value)| value);
                first.filter(|_| found.all(|(name, _)| name != wanted))
            };
            let malformed = || s3_error!(AuthorizationHeaderMalformed, "The authorization header is malformed");
            service(field("Credential").ok_or_else(malformed)?)?;
            covered(headers, field("SignedHeaders").ok_or_else(malformed)?)
        }
        _ => Err(two_places()),
    }
}

fn two_places() -> S3Error {
    s3_error!(
        InvalidArgument,
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or \
         the Authorization header should be specified"
    )
}

/// Refuses a request with headers that the signature would have to cover and does not.
///
/// The protocol layer looks signed names up literally and skips those that it does not find or whose value is not
/// UTF-8. So only lowercase names with valid text count as signed.
fn covered(headers: &HeaderMap, names: &str) -> S3Result<()> {
    let signed: Vec<_> = names.split(';').collect();
    let not_signed = |name: &str| s3_error!(AccessDenied, "{}: {}", NOT_SIGNED, name);
    if !signed.contains(&"host") || !headers.contains_key(header::HOST) {
        return Err(not_signed("host"));
    }
    for (name, value) in headers {
        let name = name.as_str();
        let has_meaning = name.starts_with("x-amz-") && name != DIGEST;
        if has_meaning && (!signed.contains(&name) || std::str::from_utf8(value.as_bytes()).is_err()) {
            return Err(not_signed(name));
        }
    }
    Ok(())
}

/// Refuses a signature for another service: the protocol layer accepts one that this server does not have.
fn service(credential: &str) -> S3Result<()> {
    match credential.rsplit('/').nth(1) {
        Some("s3") => Ok(()),
        _ => Err(s3_error!(AuthorizationHeaderMalformed, "The credential is not for the service `s3`")),
    }
}

/// Refuses a link that is valid for too long, or for no time at all.
fn lifetime(given: &[&str]) -> S3Result<()> {
    let [given] = given else { return Err(malformed_query("X-Amz-Expires")) };
    let message = match given.parse::<i64>() {
        Ok(1..=WEEK) => return Ok(()),
        Ok(1..) => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds"
        }
        Ok(_) => "X-Amz-Expires must be positive",
        Err(_) => "X-Amz-Expires should be a number",
    };
    Err(custom(QUERY_ERROR, StatusCode::BAD_REQUEST, message.into()))
}

const QUERY_ERROR: &str = "AuthorizationQueryParametersError";

fn malformed_query(name: &str) -> S3Error {
    let message = format!("A presigned request must have the parameter {name} exactly once");
    custom(QUERY_ERROR, StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: &str = "k/20261126/us-east-1/s3/aws4_request";

    fn code(headers: &[(&str, &[u8])], query: &str) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            map.append(name, hyper::header::HeaderValue::from_bytes(value).unwrap());
        }
        check(&map, query).err().map(|error| error.code().as_str().to_owned())
    }

    fn by_header(signed: &str, headers: &[(&str, &[u8])]) -> Option<String> {
        let value = format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={signed}, Signature=0");
        code(&[&[("authorization", value.as_bytes()), ("host", b"h")], headers].concat(), "list-type=2")
    }

    fn by_link(signed: &str, headers: &[(&str, &[u8])]) -> Option<String> {
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={SCOPE}&X-Amz-Expires=60&X-Amz-SignedHeaders={signed}&\
             X-Amz-Signature=0"
        );
        code(&[&[("host", &b"h"[..])], headers].concat(), &query)
    }

    #[test]
    fn every_header_with_a_meaning_is_signed() {
        for (how, of) in [("header", by_header as fn(&str, &[(&str, &[u8])]) -> _), ("link", by_link)] {
            let denied = Some("AccessDenied".to_owned());
            assert_eq!(of("host", &[("content-type", b"text/html"), ("range", b"bytes=0-1")]), None, "{how}");
            assert_eq!(of("host", &[("x-amz-content-sha256", b"UNSIGNED-PAYLOAD")]), None, "{how}");
            assert_eq!(of("host", &[("x-amzn-trace-id", b"1")]), None, "{how}");
            assert_eq!(of("host;x-amz-copy-source", &[("x-amz-copy-source", b"/b/k")]), None, "{how}");
            for name in ["x-amz-copy-source", "x-amz-meta-a", "x-amz-acl", "x-amz-tagging", "x-amz-date", "x-amz-new"] {
                assert_eq!(of("host", &[(name, b"1")]), denied, "{how} {name}");
                assert_eq!(of("host;x-amz-meta-b", &[(name, b"1")]), denied, "{how} {name}");
                // Names that the protocol layer does not find in the request are not signed, however similar they look.
                assert_eq!(of(&format!("host;{}", name.to_uppercase()), &[(name, b"1")]), denied, "{how} {name}");
                assert_eq!(of(&format!("host; {name}"), &[(name, b"1")]), denied, "{how} {name}");
                assert_eq!(of(&format!("host;{name}"), &[(name, b"\xff")]), denied, "{how} {name}");
            }
            for signed in ["", "x-amz-date", "Host", "hosts"] {
                assert!(of(signed, &[]).is_some(), "{how} {signed}");
            }
        }
        let value = format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0");
        assert_eq!(code(&[("authorization", value.as_bytes())], ""), Some("AccessDenied".into()), "no host to sign");
    }

    #[test]
    fn one_signature_of_version_4_for_this_service() {
        let v4 = format!("AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders=host,Signature=0");
        let link = format!("X-Amz-Credential={SCOPE}&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0");
        let both = code(&[("authorization", v4.as_bytes()), ("host", b"h")], &link);
        assert_eq!(both.as_deref(), Some("InvalidArgument"));
        for part in ["X-Amz-Signature=0", "X-Amz-Algorithm=x", "X-Amz-%43redential=k"] {
            let both = code(&[("authorization", v4.as_bytes()), ("host", b"h")], part);
            assert_eq!(both.as_deref(), Some("InvalidArgument"), "{part}");
        }
        let twice = code(&[("authorization", v4.as_bytes()), ("authorization", v4.as_bytes()), ("host", b"h")], "");
        assert_eq!(twice.as_deref(), Some("InvalidArgument"));
        assert_eq!(code(&[("authorization", b"AWS k:s")], "").as_deref(), Some("InvalidRequest"));
        let old = "AWSAccessKeyId=k&Signature=s&Expires=9";
        assert_eq!(code(&[], old), None);
        let both = code(&[("authorization", v4.as_bytes()), ("host", b"h")], old);
        assert_eq!(both.as_deref(), Some("InvalidArgument"));
        assert_eq!(code(&[("host", b"h")], &format!("{link}&Signature=s")).as_deref(), Some("InvalidArgument"));
        assert_eq!(code(&[("authorization", b"Bearer x")], "").as_deref(), Some("InvalidArgument"));
        assert_eq!(code(&[], "list-type=2"), None);
        let sts = v4.replace("/s3/", "/sts/");
        let other = code(&[("authorization", sts.as_bytes()), ("host", b"h")], "");
        assert_eq!(other.as_deref(), Some("AuthorizationHeaderMalformed"));
        for value in [
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Signature=0",
            &format!("{v4},SignedHeaders=host;x-amz-acl"),
            &format!("{v4},Credential={SCOPE}"),
        ] {
            let refused = code(&[("authorization", value.as_bytes()), ("host", b"h")], "");
            assert_eq!(refused.as_deref(), Some("AuthorizationHeaderMalformed"), "{value}");
        }
    }

    #[test]
    fn a_link_lives_a_second_at_least_and_a_week_at_most() {
        let of = |expires: &str| {
            let query = format!("X-Amz-Credential={SCOPE}&X-Amz-SignedHeaders=host&X-Amz-Signature=0{expires}");
            code(&[("host", b"h")], &query)
        };
        for good in ["&X-Amz-Expires=1", "&X-Amz-Expires=604800"] {
            assert_eq!(of(good), None, "{good}");
        }
        for bad in [
            "",
            "&X-Amz-Expires=604801",
            "&X-Amz-%45xpires=6048%30%30%30",
            "&X-Amz-Expires=0",
            "&X-Amz-Expires=-1",
            "&X-Amz-Expires=x",
            "&X-Amz-Expires=",
            "&X-Amz-Expires=99999999999999999999",
            "&X-Amz-Expires=60&X-Amz-Expires=60",
        ] {
            assert_eq!(of(bad).as_deref(), Some("AuthorizationQueryParametersError"), "{bad}");
        }
    }
}
