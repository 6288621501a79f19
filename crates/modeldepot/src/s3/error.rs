//! Translating refusals and missing answers into errors.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::Format;

use super::client::S3Client;
use super::codes::{self, Code, Means};
use super::http::body::{StoodStill, TooLong};
use super::http::connector::{NoWay, Silent};
use super::http::dial::{AtProxy, Fault};
use super::http::peer::{Foreign, NoTls};
use super::passing::{Cause, Passing, Said};
use super::region::{is_moved, named};
use crate::diagnosis::{Content, Page, Product, Stranger, TlsFault, TlsSaid, Unreached, chain, root, tls_said};
use crate::error::{Error, ErrorKind};
use crate::model::name::BucketName;
use crate::model::prefix::KeyPrefix;
use crate::settings::SettingsError;
use crate::visible::visible;

/// What is wrong with an endpoint that has objects below it instead of buckets.
const NAMES_A_BUCKET: &str = "its path would be read as a bucket name: leave it out, S3_BUCKET_MODELS names the bucket";

/// The maximum lengths of a code and of a message that are shown. AWS's longest code has 45 characters.
pub(super) const CODE: usize = 64;
pub(super) const MESSAGE: usize = 500;

/// What a request was about, for its error message.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// The verb, to follow "failed to".
    pub(super) verb: &'static str,
    pub(super) bucket: Option<&'a BucketName>,
    pub(super) key: Option<&'a str>,
}

impl<'a> About<'a> {
    pub(super) fn bucket(verb: &'static str, bucket: &'a BucketName) -> Self {
        Self { verb, bucket: Some(bucket), key: None }
    }

    pub(super) fn object(verb: &'static str, bucket: &'a BucketName, key: &'a str) -> Self {
        Self { verb, bucket: Some(bucket), key: Some(key) }
    }

    /// Returns true for requests whose answer is never empty.
    fn asks(&self) -> bool {
        self.verb.starts_with("list")
    }

    fn action(&self, prefix: &KeyPrefix) -> String {
        match (self.bucket, self.key) {
            (Some(bucket), Some(key)) => format!("{} `{}` in bucket `{bucket}`", self.verb, prefix.whole(key)),
            (Some(bucket), None) => format!("{} bucket `{bucket}`", self.verb),
            _ => self.verb.to_owned(),
        }
    }
}

impl S3Client {
    /// Translates a failed request.
    pub(super) fn failed<E>(&self, about: About<'_>, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let endpoint = self.endpoint().to_owned();
        let action = about.action(&self.prefix);
        let passing = passing(&error).unwrap_or_default();
        let said = |text| Said { text, passing };
        if let Some(Foreign(stranger)) = found::<Foreign>(&error) {
            return Error::NotS3 { endpoint, found: Box::new(stranger.clone()) };
        }
        if let Some(NoTls(fault)) = found::<NoTls>(&error) {
            return Error::Tls { endpoint, fault: fault.clone() };
        }
        if let Some(Silent(within)) = found::<Silent>(&error) {
            return Error::no_answer(&action, &endpoint, *within);
        }
        // Credentials are requested through the same proxies.
        if let Some(AtProxy { proxy, login, fault }) = found::<AtProxy>(&error) {
            return match fault {
                Fault::Refused(status) => Error::proxy_refused(proxy, &endpoint, status.as_u16(), *login),
                Fault::Unreached(text) | Fault::Broken(text) => {
                    Error::proxy_unreachable(proxy, &endpoint, said(text.clone()))
                }
            };
        }
        if about.key.is_none() && self.is_beside(&error) {
            return SettingsError::Endpoint { setting: "S3_ENDPOINT", text: endpoint, reason: NAMES_A_BUCKET }.into();
        }
        if is_moved(&error) {
            let source = said("the bucket is in another region".to_owned());
            return Error::unavailable(&action, &endpoint, source);
        }
        match &error {
            // It answers signed requests as S3 does.
            SdkError::ServiceError(refusal)
                if let Some(page) = page(refusal.raw())
                    && page.product == Some(Product::MinioConsole) =>
            {
                Error::NotS3 { endpoint, found: Box::new(Stranger::Page(page)) }
            }
            // A document that is not S3's at all, in answer to a listing.
            SdkError::ServiceError(refusal)
                if is_not_understood(&error)
                    && let Some(page) = page(refusal.raw()).or_else(|| about.asks().then(|| empty(refusal.raw())))
                    && !is_s3s(refusal.raw()) =>
            {
                Error::NotS3 { endpoint, found: Box::new(Stranger::Page(page)) }
            }
            SdkError::ServiceError(refusal) if is_not_understood(&error) => {
                let code = format!("HTTP {} with an answer that is not one of S3", refusal.raw().status().as_u16());
                Error::refused(&action, &endpoint, code, said(root(&error)))
            }
            SdkError::ServiceError(refusal) => {
                let answer = refusal.raw();
                let status = answer.status().as_u16();
                let code = refusal.err().code().map_or_else(|| format!("HTTP {status}"), |code| brief(code, CODE));
                let words = said(match (refusal.err().message(), page(answer)) {
                    (Some(message), _) => format!("{}: {}", brief(&code, CODE), brief(message, MESSAGE)),
                    (None, Some(page)) => page.to_string(),
                    (None, None) => code.clone(),
                });
                match (code.as_str(), status, about.bucket, about.key) {
                    // The missing bucket is not the one to be created.
                    ("NoSuchBucket", _, Some(_), None) if about.verb == "create" && self.has_path() => {
                        SettingsError::Endpoint { setting: "S3_ENDPOINT", text: endpoint, reason: NAMES_A_BUCKET }
                            .into()
                    }
                    ("NoSuchBucket", _, Some(bucket), _) => Error::BucketNotFound { bucket: bucket.clone(), endpoint },
                    (code, ..) if self.encrypts() && is_no_encryption(code, refusal.err().message()) => {
                        self.refusal("KMSNotConfigured", status, action, None, words)
                    }
                    ("NoSuchUpload", ..) => Error::refused(&action, &endpoint, code, words),
                    // A key service may return 404 for its own resources.
                    (code, 404, ..) if is_no_absence(code) => self.refusal(code, 404, action, None, words),
                    (_, 404, Some(bucket), Some(key)) => {
                        Error::ObjectNotFound { bucket: bucket.clone(), key: self.prefix.whole(key).into_owned() }
                    }
                    // A caller that creates a bucket is not helped by "bucket not found".
                    (_, 404, Some(_), None) if about.verb == "create" => {
                        Error::refused(&action, &endpoint, code, words)
                    }
                    (_, 404, Some(bucket), None) => Error::BucketNotFound { bucket: bucket.clone(), endpoint },
                    ("BucketAlreadyExists", _, Some(bucket), _) => Error::bucket_taken(bucket),
                    (code, status, ..) => self.refusal(code, status, action, named(answer), words),
                }
            }
            SdkError::DispatchFailure(_) => match no_credentials(&error) {
                Some(why) => Error::no_credentials(&endpoint, said(why)),
                None => {
                    let why = found::<NoWay>(&error).map_or(Unreached::Other, |no_way| no_way.why.clone());
                    if let Some(TlsSaid::Fault(fault)) = tls_said(&error) {
                        return Error::Tls { endpoint, fault };
                    }
                    Error::unreachable(&endpoint, &why, said(root(&error)))
                }
            },
            SdkError::TimeoutError(_) => Error::unavailable(&action, &endpoint, said("no answer in time".to_owned())),
            SdkError::ResponseError(_) if found::<TooLong>(&error).is_some() => {
                Error::refused(&action, &endpoint, "an answer without end".to_owned(), said(root(&error)))
            }
            SdkError::ResponseError(_) => Error::unavailable(&action, &endpoint, said(root(&error))),
            _ => match no_credentials(&error) {
                Some(why) => Error::no_credentials(&endpoint, said(why)),
                None => {
                    let code = "the request could not be made".to_owned();
                    Error::refused(&action, &endpoint, code, said(root(&error)))
                }
            },
        }
    }

    /// Returns true when a bucket was requested, but the answer is about an object because the endpoint has a path.
    pub(super) fn is_beside<E: ProvideErrorMetadata>(&self, error: &SdkError<E, HttpResponse>) -> bool {
        let of_an_object = || error.raw_response().is_some_and(|answer| answer.headers().get("etag").is_some());
        self.has_path() && (code(error) == Some("NoSuchKey") || (is_not_understood(error) && of_an_object()))
    }

    /// Translates a refusal by its code; see [`codes`].
    pub(super) fn refusal(
        &self,
        code: &str,
        status: u16,
        action: String,
        region: Option<String>,
        source: Said,
    ) -> Error {
        let endpoint = self.endpoint().to_owned();
        let meaning = codes::meaning(Some(code), status);
        // An unknown code means nothing here, but the status may.
        let code = match meaning {
            Some(Code { name, means: Means::Refused(_), .. }) if codes::known(code).is_none() => (*name).to_owned(),
            _ => code.to_owned(),
        };
        match meaning.map(|meaning| meaning.means) {
            Some(Means::Denied) => Error::Denied { action, endpoint, code },
            // If it names no region, the header itself is malformed, for example by an empty access key.
            Some(Means::Region)
                if code == "AuthorizationHeaderMalformed" && region.is_none() && !source.text.contains("region") =>
            {
                Error::Denied { action, endpoint, code }
            }
            Some(Means::Region) => Error::WrongRegion { endpoint, region: self.region().to_owned(), expected: region },
            Some(Means::Passes | Means::Throttled) => Error::unavailable(&action, &endpoint, source),
            Some(Means::Refused(_)) | None => Error::refused(&action, &endpoint, code, source),
        }
    }

    /// Translates an interrupted body.
    pub(super) fn broke_off(&self, about: About<'_>, error: &(dyn StdError + 'static)) -> Error {
        let silent = found::<StoodStill>(error).map(StoodStill::waited).unwrap_or_default();
        let said = Said { text: root(error), passing: Passing { silent, ..Passing::default() } };
        Error::unavailable(&about.action(&self.prefix), self.endpoint(), said)
    }

    /// The error for a server that did not answer.
    pub(super) fn no_answer(&self, about: About<'_>, within: Duration) -> Error {
        Error::no_answer(&about.action(&self.prefix), self.endpoint(), within)
    }

    /// The error for a server that sends the whole object in answer to a range request.
    pub(super) fn ignores_range(&self, about: About<'_>) -> Error {
        let said = "it answered with the whole object where a part was asked for, as a proxy may";
        Error::refused(&about.action(&self.prefix), self.endpoint(), "it ignores `Range`".to_owned(), said)
    }

    /// The error for a server that reports success in an answer that is not understood.
    pub(super) fn not_understood(&self, about: About<'_>, what: &str) -> Error {
        let said = Said { text: what.to_owned(), passing: Passing::default() };
        Error::unavailable(&about.action(&self.prefix), self.endpoint(), said)
    }

    /// Translates a request that the SDK refused to build.
    pub(super) fn failed_locally(&self, about: About<'_>, error: &(dyn std::error::Error + 'static)) -> Error {
        self.broke_off(about, error)
    }
}

/// Returns what is known about a transient failure; `None` if another attempt would be useless.
pub(super) fn passing<E>(error: &SdkError<E, HttpResponse>) -> Option<Passing>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let mut passing = Passing { after: error.raw_response().and_then(asked_to_wait), ..Passing::default() };
    match error {
        SdkError::ServiceError(refusal) => {
            if is_moved(error) {
                passing.cause = Cause::Moved;
                return Some(passing);
            }
            let (code, status) = (refusal.err().code(), refusal.raw().status().as_u16());
            match codes::meaning(code, status)?.means {
                Means::Throttled => passing.cause = Cause::Throttled,
                Means::Passes => {}
                Means::Denied | Means::Region | Means::Refused(_) => return None,
            }
            // The code says what failed, the status says that it was too much.
            if matches!(status, 429 | 503) {
                passing.cause = Cause::Throttled;
            }
            Some(passing)
        }
        SdkError::DispatchFailure(failure) => {
            if no_credentials(error).is_some() || failure.is_user() {
                return None;
            }
            if let Some(AtProxy { fault: Fault::Refused(status), .. }) = found::<AtProxy>(error)
                && !matches!(status.as_u16(), 502..=504)
            {
                return None;
            }
            if let Some(Silent(within)) = found::<Silent>(error) {
                passing.silent = *within;
            }
            // The same object would answer the next time.
            if found::<Foreign>(error).is_some()
                || found::<NoTls>(error).is_some_and(|no_tls| no_tls.0 != TlsFault::Cut)
            {
                return None;
            }
            if found::<NoWay>(error).is_some_and(|no_way| no_way.unconnected) {
                passing.cause = Cause::Unreached;
            }
            if let Some(still) = found::<StoodStill>(error) {
                passing.silent = still.waited();
            }
            Some(passing)
        }
        // It would be too long the next time as well.
        SdkError::ResponseError(_) if found::<TooLong>(error).is_some() => None,
        SdkError::ResponseError(_) => {
            passing.silent = found::<StoodStill>(error).map(StoodStill::waited).unwrap_or_default();
            Some(passing)
        }
        SdkError::TimeoutError(_) => Some(passing),
        _ => None,
    }
}

/// Returns true for a code that means something other than a missing bucket or object.
fn is_no_absence(code: &str) -> bool {
    codes::known(code).is_some_and(|code| code.means != Means::Refused(ErrorKind::NotFound))
}

/// Returns how long the server asks to wait, given as seconds or as a time by its own clock.
fn asked_to_wait(answer: &HttpResponse) -> Option<Duration> {
    let time = |text: &str| DateTime::from_str(text.trim(), Format::HttpDate).ok();
    let asked = answer.headers().get("retry-after")?;
    if let Ok(seconds) = asked.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (time(asked)?, time(answer.headers().get("date")?)?);
    Some(Duration::from_secs(until.secs().saturating_sub(now.secs()).try_into().unwrap_or(0)))
}

/// Returns the start of a server's text, made safe for one line.
pub(super) fn brief(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", visible(text[..end].trim()))
}

/// Returns the content of an answer without an S3 code, if it is not an S3 answer.
fn page(answer: &HttpResponse) -> Option<Page> {
    let body = answer.body().bytes().unwrap_or_default();
    let page = Page::read(answer.status().as_u16(), |name| answer.headers().get(name), body);
    (page.content != Content::Empty).then_some(page)
}

/// Describes an answer without a body.
fn empty(answer: &HttpResponse) -> Page {
    Page::read(answer.status().as_u16(), |name| answer.headers().get(name), &[])
}

/// Returns true when a server refuses encryption because it does not support it, in the wording of several servers.
fn is_no_encryption(code: &str, message: Option<&str>) -> bool {
    let message = message.unwrap_or_default().to_ascii_lowercase();
    matches!(code, "NotImplemented" | "XNotImplemented" | "InvalidArgument" | "InvalidRequest")
        && ["encrypt", "kms", "sse"].iter().any(|word| message.contains(word))
}

/// Returns true for an answer with a header that only S3 sends.
fn is_s3s(answer: &HttpResponse) -> bool {
    answer.headers().iter().any(|(name, _)| name.starts_with("x-amz-"))
}

/// Returns true when the server reports success but the rest of its answer is not understood. The effect must then be
/// checked.
pub(super) fn is_not_understood<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let success = error.raw_response().is_some_and(|answer| answer.status().is_success());
    success && matches!(error, SdkError::ServiceError(refusal) if refusal.err().code().is_none())
}

/// Returns true when a body ended because nothing arrived, or too little.
pub(super) fn stood_still(error: &(dyn StdError + 'static)) -> bool {
    found::<StoodStill>(error).is_some()
}

/// Returns the source of an error that has this type.
fn found<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Returns true when the server may have refused the checksum header, which only some servers support.
pub(super) fn dislikes_checksums<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::ServiceError(refusal) = error else { return false };
    matches!(
        refusal.err().code(),
        Some("NotImplemented" | "InvalidArgument" | "InvalidRequest" | "MalformedXML" | "UnsupportedArgument")
    )
}

/// Returns true when the server did nothing because of concurrent writers, and asks to try again.
pub(super) fn is_undecided<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(code(error), Some("ConditionalRequestConflict" | "OperationAborted"))
}

/// Returns the S3 error code of a refusal.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(refusal) => refusal.err().code(),
        _ => None,
    }
}

/// Returns the HTTP status of a refusal.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn no_credentials(error: &(dyn StdError + 'static)) -> Option<String> {
    // The SDK has no type for this error.
    let late = || chain(error).any(|cause| cause.to_string().contains("identity resolver timed out"));
    found::<CredentialsError>(error)
        .map(|error| root(error))
        .or_else(|| late().then(|| "the service that gives the credentials did not answer in time".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::operation::list_parts::ListPartsError;
    use aws_smithy_types::body::SdkBody;

    fn waits(headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut answer = HttpResponse::new(503.try_into().unwrap(), SdkBody::empty());
        for (name, value) in headers {
            answer.headers_mut().insert(*name, *value);
        }
        asked_to_wait(&answer).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_server_asks_to_wait_in_seconds_or_until_a_time_by_its_own_clock() {
        let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(waits(&[("retry-after", "7")]), Some(7));
        assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT"), date]), Some(9));
        assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:27:09 GMT"), date]), Some(0));
        assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT")]), None, "by what clock?");
        assert_eq!(waits(&[("retry-after", "soon"), date]), None);
        assert_eq!(waits(&[]), None);
    }

    #[test]
    fn refusals_that_may_pass_are_told_from_those_that_do_not() {
        let refused = |status: u16, code: Option<&str>| {
            let mut error = aws_smithy_types::error::ErrorMetadata::builder();
            if let Some(code) = code {
                error = error.code(code);
            }
            let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            passing(&SdkError::service_error(ListPartsError::generic(error.build()), raw)).map(|passing| passing.cause)
        };
        assert_eq!(refused(503, None), Some(Cause::Throttled));
        assert_eq!(refused(429, None), Some(Cause::Throttled));
        assert_eq!(refused(400, Some("RequestTimeout")), Some(Cause::Failed));
        assert_eq!(refused(500, Some("InternalError")), Some(Cause::Failed));
        assert_eq!(refused(502, None), Some(Cause::Failed));
        for (status, code) in [(403, Some("AccessDenied")), (404, None), (412, None), (501, None), (200, None)] {
            assert_eq!(refused(status, code), None, "{status} {code:?}");
        }
    }
}
