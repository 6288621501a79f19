//! Errors in AWS's words, with the request id in headers and body.
//!
//! The protocol layer has a code for each error, but sometimes a different one than S3, or no message. Clients compare
//! codes and statuses, and people search for the messages.

use std::sync::LazyLock;

use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use s3s::dto::{Range, Timestamp, TimestampFormat};
use s3s::{S3Result, s3_error};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::xml::escape;
use crate::head::names_a_key;

/// Identifies this run of the server, as `x-amz-id-2` identifies a host of AWS.
static HOST: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());

/// The request and resource that an error is about.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: String,
    path: String,
    /// Whether the answer has an ETag without quotes, which only `GetObjectAttributes` returns.
    bare_tag: bool,
}

impl About {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self {
            id: Uuid::new_v4().simple().to_string().to_uppercase(),
            path: request.uri().path().to_owned(),
            bare_tag: url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "attributes"),
        }
    }

    /// Adds the ids to the headers.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        for (name, value) in [("x-amz-request-id", &self.id), ("x-amz-id-2", &*HOST)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }

    /// Adds the ids to an answer, and words an error as AWS would.
    pub(crate) fn finish(&self, answer: &mut Response<s3s::Body>) {
        self.stamp(answer.headers_mut());
        let is_xml = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/xml");
        if is_xml && self.bare_tag && answer.status().is_success() {
            let text = answer.body().bytes().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
            if let Some(text) = text {
                answer.headers_mut().remove(header::CONTENT_LENGTH);
                *answer.body_mut() = text.replace("<ETag>\"", "<ETag>").replace("\"</ETag>", "</ETag>").into();
            }
            return;
        }
        // The protocol layer loses the content type of an error that has headers of its own.
        let is_error =
            answer.status().as_u16() >= 300 && (is_xml || !answer.headers().contains_key(header::CONTENT_TYPE));
        if !is_error {
            return;
        }
        let Some(said) = answer.body().bytes().as_deref().and_then(Said::parse) else { return };
        let (status, code, message) = reworded(answer.status(), said.code, said.message);
        *answer.status_mut() = status;
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        *answer.body_mut() = s3s::Body::from(self.write(&code, &message, said.region));
    }

    fn write(&self, code: &str, message: &str, region: Option<String>) -> String {
        let path = percent_decode_str(self.path.trim_start_matches('/')).decode_utf8_lossy();
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let mut elements = vec![("Code", code.to_owned()), ("Message", message.to_owned())];
        match code {
            "NoSuchBucket" | "BucketNotEmpty" | "NoSuchBucketPolicy" | "InvalidBucketName" => {
                elements.push(("BucketName", bucket.to_owned()));
            }
            "NoSuchKey" => elements.push(("Key", key.to_owned())),
            "RequestTimeTooSkewed" => {
                let now =
                    OffsetDateTime::now_utc().replace_nanosecond(0).ok().and_then(|now| now.format(&Rfc3339).ok());
                elements.push(("ServerTime", now.unwrap_or_default()));
                elements.push(("MaxAllowedSkewMilliseconds", "900000".into()));
            }
            _ => {}
        }
        elements.extend(region.map(|region| ("Region", region)));
        elements.push(("Resource", self.path.clone()));
        elements.push(("RequestId", self.id.clone()));
        elements.push(("HostId", HOST.clone()));
        let text: String = elements.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value))).collect();
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{text}</Error>")
    }
}

/// The code and message of an error raised here or in the protocol layer.
struct Said {
    code: String,
    message: String,
    region: Option<String>,
}

impl Said {
    fn parse(body: &[u8]) -> Option<Said> {
        let text = std::str::from_utf8(body).ok()?;
        let inner = text.split_once("<Error>")?.1;
        let element = |name: &str| {
            let rest = inner.split_once(&format!("<{name}>"))?.1;
            Some(unescape(rest.split_once(&format!("</{name}>"))?.0))
        };
        Some(Said {
            code: element("Code")?,
            message: element("Message").unwrap_or_default(),
            region: element("Region"),
        })
    }
}

fn unescape(text: &str) -> String {
    // The ampersand comes last, so that nothing is unescaped twice.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

/// Returns the status, code and message that AWS would answer with.
fn reworded(status: StatusCode, code: String, message: String) -> (StatusCode, String, String) {
    let other = |status, code: &str, message: &str| (status, code.to_owned(), message.to_owned());
    match (code.as_str(), message.as_str()) {
        ("NotImplemented", "Unknown operation") => other(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        ),
        ("InvalidRequest", "missing header: x-amz-date" | "invalid header: x-amz-date" | "invalid amz date") => other(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "AWS authentication requires a valid Date or x-amz-date header",
        ),
        ("InvalidRequest", "missing header: x-amz-content-sha256") => other(
            StatusCode::BAD_REQUEST,
            "InvalidRequest",
            "Missing required header for this request: x-amz-content-sha256",
        ),
        ("InvalidRequest", "invalid header: authorization") => {
            other(StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed", "The authorization header is malformed")
        }
        ("InvalidRequest", "missing presigned url v4 fields") => other(
            StatusCode::BAD_REQUEST,
            "AuthorizationQueryParametersError",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
             X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ),
        ("SignatureDoesNotMatch", "credential scope date does not match x-amz-date") => other(
            StatusCode::BAD_REQUEST,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the date of the credential is not the same as X-Amz-Date",
        ),
        ("SignatureDoesNotMatch", "invalid header: x-amz-content-sha256") => other(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        ),
        ("RequestTimeTooSkewed", _) => other(
            StatusCode::FORBIDDEN,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        ("MissingContentLength", _) => other(
            StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        ),
        ("MalformedXML", "") => other(status, &code, MALFORMED_XML),
        (_, "") => {
            let message = default_message(&code).to_owned();
            (status, code, message)
        }
        _ => (status, code, message),
    }
}

const MALFORMED_XML: &str = "The XML you provided was not well-formed or did not validate against our published schema";

/// AWS's message for a code that came without one.
fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "BadDigest" => "The Content-MD5 or checksum value that you specified did not match what the server received.",
        "BucketAlreadyExists" => "The requested bucket name is not available. Please select a different name.",
        "BucketNotEmpty" => "The bucket you tried to delete is not empty",
        "EntityTooLarge" => "Your proposed upload exceeds the maximum allowed size",
        "EntityTooSmall" => "Your proposed upload is smaller than the minimum allowed size",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header",
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidDigest" => "The Content-MD5 you specified is not valid.",
        "InvalidPart" => "One or more of the specified parts could not be found.",
        "InvalidPartOrder" => "The list of parts was not in ascending order. Parts must be ordered by part number.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NotImplemented" => "A header or query you provided implies functionality that is not implemented",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        "RequestTimeout" => {
            "Your socket connection to the server was not read from or written to within the timeout period."
        }
        _ => "The request could not be processed",
    }
}

/// Refuses to store an object of unknown length, as S3 does: it does not treat it as empty.
pub(crate) fn require_length<B>(request: &Request<B>) -> S3Result<()> {
    let headers = request.headers();
    let sets = |name: &str| matches!(name, "acl" | "tagging");
    let query = request.uri().query().unwrap_or_default();
    let stores = request.method() == Method::PUT
        && names_a_key(request.uri().path())
        && !headers.contains_key("x-amz-copy-source")
        && !url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| sets(&name));
    if stores && !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."));
    }
    Ok(())
}

/// Removes headers that S3 ignores when malformed, and that the protocol layer would refuse. Signed headers stay:
/// without them the signature would not match.
pub(crate) fn forgive<B>(request: &mut Request<B>) {
    let signed = signed_headers(request.headers(), request.uri().query().unwrap_or_default());
    let is_signed = |name: &str| signed.split(';').any(|signed| signed == name);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let readable = |name: &str, value: &str| match name {
        "range" => Range::parse(value).is_ok(),
        _ => Timestamp::parse(TimestampFormat::HttpDate, value).is_ok(),
    };
    for name in ["range", "if-modified-since", "if-unmodified-since"] {
        let value = request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
        if is_read && value.is_some_and(|value| !readable(name, value)) && !is_signed(name) {
            request.headers_mut().remove(name);
        }
    }
}

fn signed_headers(headers: &HeaderMap, query: &str) -> String {
    let in_header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let rest = value.split_once("SignedHeaders=")?.1;
        Some(rest.split([',', ' ']).next()?.to_owned())
    });
    in_header.unwrap_or_else(|| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "X-Amz-SignedHeaders")
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(path: &str, status: u16, body: &str) -> (u16, String) {
        let request = Request::builder().uri(path).body(()).unwrap();
        let about = About { id: "ID".into(), ..About::of(&request) };
        let mut answer = Response::new(s3s::Body::from(body.to_owned()));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        about.finish(&mut answer);
        assert_eq!(answer.headers().get("x-amz-request-id").unwrap(), "ID");
        let text = String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap();
        (answer.status().as_u16(), text.replace(&*HOST, "HOST"))
    }

    #[test]
    fn errors_name_the_request_and_what_it_was_about() {
        let error = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>a &amp;lt; b</Message></Error>";
        assert_eq!(
            finished("/b/k%3C%20x?y", 404, error),
            (
                404,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>a &amp;lt; \
                 b</Message><Key>k&lt; x</Key><Resource>/b/k%3C%20x</Resource><RequestId>ID</RequestId>\
                 <HostId>HOST</HostId></Error>"
                    .into()
            )
        );
        let unknown = "<Error><Code>NotImplemented</Code><Message>Unknown operation</Message></Error>";
        let (status, text) = finished("/", 501, unknown);
        assert!(status == 405 && text.contains("<Code>MethodNotAllowed</Code>"), "{text}");
        // Anything that is not an error stays unchanged.
        for body in ["<ListBucketResult/>", "", "<Error>"] {
            assert_eq!(finished("/b", 400, body).1, body);
        }
        assert_eq!(finished("/b", 200, error).1, error);
    }

    #[test]
    fn what_cannot_be_read_and_is_not_signed_is_ignored() {
        let left = |method: &str, name: &str, value: &str, signed: &str| {
            let mut request = Request::builder()
                .method(method)
                .uri(format!("/b/k?X-Amz-SignedHeaders={signed}"))
                .header(name, value)
                .body(())
                .unwrap();
            forgive(&mut request);
            request.headers().contains_key(name)
        };
        for (name, good, bad) in [
            ("range", "bytes=0-1", "bytes=1-0"),
            ("range", "bytes=-1", "bytes=0-1,5-6"),
            ("if-modified-since", "Thu, 26 Nov 2026 00:00:00 GMT", "yesterday"),
        ] {
            assert!(left("GET", name, good, "host"), "{good}");
            assert!(!left("GET", name, bad, "host"), "{bad}");
            assert!(left("GET", name, bad, &format!("host%3B{name}")), "{bad}");
        }
    }
}
