//! Presigned URLs with signature version 2, which boto3 and the `aws` command still create for custom endpoints.
//!
//! This signature covers the method, the path, `Content-MD5`, `Content-Type`, the expiry time, every `x-amz-*` header
//! and the parameters in [`SIGNED`]. It covers neither the host nor other parameters, so a request with any other
//! parameter is refused: adding one must not turn a link into something else.
//!
//! The signature is compared here, in constant time, before the protocol layer computes it again. Version 2 in the
//! `Authorization` header is refused: nothing limits how long such a request can be replayed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{self, HeaderMap};
use hyper::{Method, StatusCode, Uri};
use s3s::auth::SecretKey;
use s3s::{S3Result, s3_error};

use super::{NOT_SIGNED, WEEK};
use crate::refusal::custom;

/// The parameters that the signature covers, in signing order.
const SIGNED: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// The signature's own parameters, and one that only names the operation.
const OWN: [&str; 4] = ["AWSAccessKeyId", "Expires", "Signature", "x-id"];

/// A presigned version 2 URL whose signature has not been verified yet.
pub(crate) struct Link {
    pub(crate) access_key: String,
    signature: Vec<u8>,
    text: String,
}

/// Returns true if the query belongs to such a URL.
pub(crate) fn is_link(query: &str) -> bool {
    let own = |name: &str| matches!(name, "AWSAccessKeyId" | "Signature");
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| own(&name))
}

impl Link {
    /// Parses a presigned URL.
    ///
    /// # Errors
    /// Refuses a URL that has expired or is valid for more than a week, and any request with parts that the signature
    /// would not cover.
    pub(crate) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, now: i64) -> S3Result<Self> {
        let query = uri.query().unwrap_or_default();
        let parameters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let mut found: Vec<&str> = parameters.iter().map(|(name, _)| &**name).collect();
        found.sort_unstable();
        if let Some(twice) = found.windows(2).find(|two| two[0] == two[1]) {
            return Err(s3_error!(InvalidArgument, "The parameter {} is given twice", twice[0]));
        }
        let is_header = |name: &str| name.starts_with("x-amz-") || matches!(name, "content-type" | "content-md5");
        let (repeated, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|name| is_header(name));
        for (name, value) in parameters.iter().filter(|(name, _)| repeated.contains(&&**name)) {
            // boto3 repeats signed headers as parameters. They count as headers, so the headers must be present.
            if headers.get(&**name).is_none_or(|sent| sent.as_bytes() != value.as_bytes()) {
                return Err(s3_error!(AccessDenied, "The signature covers the header {}: {}, so send it", name, value));
            }
        }
        if let Some(name) = found.iter().find(|name| !SIGNED.contains(name) && !OWN.contains(name)) {
            return Err(s3_error!(
                AccessDenied,
                "A signature of version 2 does not cover the parameter {}: sign with version 4, e.g. \
                 Config(signature_version='s3v4') in boto3",
                name
            ));
        }
        let value = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
        let (Some(access_key), Some(expires), Some(signature)) =
            (value("AWSAccessKeyId"), value("Expires"), value("Signature"))
        else {
            return Err(s3_error!(
                AccessDenied,
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
            ));
        };
        lifetime(expires, now)?;
        let mut text = format!("{method}\n");
        for name in ["content-md5", "content-type"] {
            text.push_str(one(headers, name)?);
            text.push('\n');
        }
        text.push_str(expires);
        text.push('\n');
        push_headers(&mut text, headers)?;
        text.push_str(uri.path());
        let mut before = '?';
        for name in SIGNED {
            let Some(value) = value(name) else { continue };
            text.push(before);
            text.push_str(name);
            if !value.is_empty() {
                text.push('=');
                text.push_str(value);
            }
            before = '&';
        }
        // Invalid base64 decodes to an empty signature, which never matches.
        let signature = BASE64.decode(signature).unwrap_or_default();
        Ok(Self { access_key: access_key.to_owned(), signature, text })
    }

    /// Compares the signature with that of a secret key, in constant time.
    pub(crate) fn verify(&self, secret: &SecretKey) -> S3Result<()> {
        match mac(secret, self.text.as_bytes()) {
            Some(mac) if mac.clone().verify_slice(&self.signature).is_ok() => Ok(()),
            _ => Err(super::does_not_match()),
        }
    }
}

/// Returns the HMAC-SHA1 of a text, the signature of version 2.
pub(crate) fn mac(secret: &SecretKey, text: &[u8]) -> Option<Hmac<sha1::Sha1>> {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(text);
    Some(mac)
}

/// Refuses a link that has expired, or is valid for longer than version 4 allows.
fn lifetime(expires: &str, now: i64) -> S3Result<()> {
    let Some(end) = expires.parse::<i64>().ok().filter(|end| *end >= 0) else {
        return Err(s3_error!(AccessDenied, "Invalid date (should be seconds since epoch): {}", expires));
    };
    if end <= now {
        return Err(s3_error!(AccessDenied, "Request has expired"));
    }
    // The signer's clock may be ahead.
    if end - now > WEEK + super::SKEW {
        let message = "Expires must be less than a week from now";
        return Err(custom(super::QUERY_ERROR, StatusCode::BAD_REQUEST, message.into()));
    }
    Ok(())
}

/// Returns the value of a header that may occur once; empty if it is missing.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> S3Result<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match (first.map(|value| std::str::from_utf8(value.as_bytes())), values.next()) {
        (None, _) => Ok(""),
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(s3_error!(InvalidArgument, "The header {} must be text and given once", name)),
    }
}

/// Appends the headers that S3 gives a meaning to.
fn push_headers(text: &mut String, headers: &HeaderMap) -> S3Result<()> {
    let mut names: Vec<_> =
        headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")).collect();
    names.sort_unstable();
    for name in names {
        let values: Option<Vec<_>> = headers
            .get_all(name)
            .iter()
            .map(|value| std::str::from_utf8(value.as_bytes()).ok().map(str::trim))
            .collect();
        let Some(values) = values else { return Err(s3_error!(AccessDenied, "{}: {}", NOT_SIGNED, name)) };
        // The protocol layer would store the framing of such a body as data.
        if name == "x-amz-content-sha256" && values.iter().any(|value| value.starts_with("STREAMING-")) {
            return Err(s3_error!(NotImplemented, "Signature version 2 does not support chunked bodies"));
        }
        text.push_str(name);
        text.push(':');
        text.push_str(&values.join(","));
        text.push('\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn read(method: Method, uri: &str, headers: &[(&str, &[u8])]) -> S3Result<Link> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().unwrap();
            map.append(name, header::HeaderValue::from_bytes(value).unwrap());
        }
        Link::read(&method, &uri.parse().unwrap(), &map, NOW)
    }

    /// Returns the code with which a one-minute link with more in its query is refused.
    fn refused(more: &str, headers: &[(&str, &[u8])]) -> Option<String> {
        let uri = format!("/b/k?AWSAccessKeyId=a&Signature=AAAA&Expires={}{more}", NOW + 60);
        read(Method::PUT, &uri, headers).err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn what_is_signed_is_spelled_as_aws_spells_it() {
        let link = read(
            Method::PUT,
            &format!("/b/a%20k?x-id=PutObject&partNumber=3&Expires={}&uploadId=x%2Fy&AWSAccessKeyId=me&Signature=AA%3D%3D&acl", NOW + 1),
            &[("x-amz-meta-b", b" two "), ("x-amz-acl", b"private"), ("x-amz-meta-b", b"three"), ("content-type", b"a/b")],
        )
        .unwrap();
        let expected = format!(
            "PUT\n\na/b\n{}\nx-amz-acl:private\nx-amz-meta-b:two,three\n/b/a%20k?acl&partNumber=3&uploadId=x/y",
            NOW + 1
        );
        assert_eq!((link.text.as_str(), link.access_key.as_str()), (&*expected, "me"));
    }

    #[test]
    fn only_the_right_secret_signs() {
        // As signed by botocore 1.40.
        let uri = |signature: &str| format!("/b/k?AWSAccessKeyId=a&Expires={}&Signature={signature}", NOW + 60);
        let text = read(Method::GET, &uri("AA"), &[]).unwrap().text;
        let secret = SecretKey::from(SECRET);
        let right = mac(&secret, text.as_bytes()).unwrap().finalize().into_bytes();
        let encoded = BASE64.encode(right).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let link = read(Method::GET, &uri(&encoded), &[]).unwrap();
        assert!(link.verify(&secret).is_ok());
        assert_eq!(link.verify(&SecretKey::from("other")).unwrap_err().code().as_str(), "SignatureDoesNotMatch");
        for wrong in ["", "AAAA", "!", &encoded[..encoded.len() - 6]] {
            assert!(read(Method::GET, &uri(wrong), &[]).unwrap().verify(&secret).is_err(), "{wrong}");
        }
        assert!(read(Method::PUT, &uri(&encoded), &[]).unwrap().verify(&secret).is_err());
        assert!(read(Method::GET, &uri(&encoded), &[("x-amz-meta-a", b"b")]).unwrap().verify(&secret).is_err());
        assert!(read(Method::GET, &uri(&encoded), &[("content-type", b"b")]).unwrap().verify(&secret).is_err());
        assert!(read(Method::GET, &format!("{}&acl", uri(&encoded)), &[]).unwrap().verify(&secret).is_err());
    }

    #[test]
    fn nothing_comes_in_beside_the_signature() {
        assert_eq!(refused("", &[]), None);
        assert_eq!(refused("&x-amz-meta-a=b", &[("x-amz-meta-a", b"b")]), None);
        assert_eq!(refused("&x-amz-meta-a=b", &[("x-amz-meta-a", b"c")]).as_deref(), Some("AccessDenied"));
        for more in [
            "&x-amz-meta-a=b",
            "&content-type=a",
            "&X-Amz-Meta-A=b",
            "&attributes",
            "&prefix=a",
            "&encryption",
            "&legal-hold=",
            "&X-Amz-Security-Token=t",
            "&list-type=2",
        ] {
            assert_eq!(refused(more, &[]).as_deref(), Some("AccessDenied"), "{more}");
        }
        for more in ["&partNumber=1&partNumber=2", "&Expires=9", "&%53ignature=AAAA", "&uploadId&upload%49d"] {
            assert_eq!(refused(more, &[]).as_deref(), Some("InvalidArgument"), "{more}");
        }
        assert_eq!(refused("", &[("x-amz-meta-a", b"\xff")]).as_deref(), Some("AccessDenied"));
        assert_eq!(refused("", &[("content-type", b"a"), ("content-type", b"b")]).as_deref(), Some("InvalidArgument"));
        let streamed = [("x-amz-content-sha256", &b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"[..])];
        assert_eq!(refused("", &streamed).as_deref(), Some("NotImplemented"));
    }

    #[test]
    fn a_link_ends_and_lives_a_week_at_most() {
        let of = |expires: &str| {
            let read = read(Method::GET, &format!("/b/k?AWSAccessKeyId=a&Signature=AAAA&Expires={expires}"), &[]);
            read.err().map(|error| error.code().as_str().to_owned())
        };
        assert_eq!(of(&(NOW + 1).to_string()), None);
        assert_eq!(of(&(NOW + WEEK).to_string()), None);
        for past in [NOW.to_string(), (NOW - 1).to_string(), "0".into(), "-1".into(), "".into(), "soon".into()] {
            assert_eq!(of(&past).as_deref(), Some("AccessDenied"), "{past}");
        }
        assert_eq!(of(&(NOW + WEEK + 901).to_string()).as_deref(), Some("AuthorizationQueryParametersError"));
        assert_eq!(of(&i64::MAX.to_string()).as_deref(), Some("AuthorizationQueryParametersError"));
        let missing = read(Method::GET, "/b/k?AWSAccessKeyId=a&Signature=AAAA", &[]);
        assert_eq!(missing.err().unwrap().code().as_str(), "AccessDenied");
    }
}
