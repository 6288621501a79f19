//! AWS's rules: requests that AWS refuses and simple servers accept.
//!
//! Each follows AWS's documentation, with its code and status, so that clients tested here have met them.

use std::collections::BTreeMap;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use modeldepot_listen::RequestBody;
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Result, s3_error};
use url::form_urlencoded;

use crate::body::receive::discard;
use crate::head::waits_for_continue;

/// Ranges can only be copied from larger objects.
const LEAST_SOURCE: u64 = 5 << 20;

/// Rules of AWS to enforce. Minimum sizes, which apply to every bucket, are always enforced.
///
/// ```
/// # use modeldepot_embedded::AwsRules;
/// let rules = AwsRules { region: "eu-central-1".into(), object_lock: true, ..AwsRules::default() };
/// ```
#[derive(Clone, Debug)]
pub struct AwsRules {
    /// The region of the service. A request signed for another region is refused, and the refusal names this one.
    pub region: String,
    /// Buckets in other regions, to which their requests are redirected.
    pub elsewhere: BTreeMap<String, String>,
    /// Whether to redirect with 307, as for a new bucket, and not with 301.
    pub temporarily: bool,
    /// Session tokens that have expired.
    pub expired_tokens: Vec<String>,
    /// The account that owns every bucket: a request that expects another one is refused.
    pub owner: String,
    /// Whether requests must declare that the requester pays.
    pub requester_pays: bool,
    /// Whether every bucket has a default retention: stored objects must come with a checksum.
    pub object_lock: bool,
    /// The encryption that a policy requires of everything stored: `AES256`, `aws:kms`.
    pub encryption: Option<String>,
}

impl Default for AwsRules {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            elsewhere: BTreeMap::new(),
            temporarily: false,
            expired_tokens: Vec::new(),
            owner: "111122223333".to_owned(),
            requester_pays: false,
            object_lock: false,
            encryption: None,
        }
    }
}

/// Refuses to copy a range of an object that is too small.
pub(crate) fn check_source(size: u64) -> S3Result<()> {
    if size > LEAST_SOURCE {
        return Ok(());
    }
    Err(s3_error!(
        InvalidRequest,
        "The specified copy source is not supported as a byte-range copy source, which must be larger than 5242880 bytes"
    ))
}

/// A refusing answer.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    /// The region to name in the answer's headers and body.
    region: Option<String>,
}

fn refusal(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into(), region: None }
}

impl AwsRules {
    /// Answers a request, or refuses it according to a rule.
    pub(crate) async fn answer<A>(
        &self,
        request: Request<RequestBody>,
        answer: impl FnOnce(Request<RequestBody>) -> A,
    ) -> Response<Body>
    where
        A: Future<Output = Response<Body>>,
    {
        let Some(refusal) = self.refuses(&Asked::of(&request)) else { return answer(request).await };
        let (is_head, host) = (request.method() == Method::HEAD, request.headers().get("host").cloned());
        let path = request.uri().path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
        let waits = waits_for_continue(request.headers());
        discard(Some(StreamingBlob::new(Body::http_body(request.into_body()))), waits).await;
        refusal.response(is_head, host.as_ref(), &path)
    }

    fn refuses(&self, asked: &Asked<'_>) -> Option<Refusal> {
        let header = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok());
        if header("x-amz-security-token").is_some_and(|token| self.expired_tokens.iter().any(|old| old == token)) {
            return Some(refusal(400, "ExpiredToken", "The provided token has expired."));
        }
        if let Some(region) = asked.bucket.and_then(|bucket| self.elsewhere.get(bucket))
            && asked.region.is_some_and(|signed| signed != *region)
        {
            let (status, code) = if self.temporarily { (307, "TemporaryRedirect") } else { (301, "PermanentRedirect") };
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint. \
                           Please send all future requests to this endpoint.";
            return Some(Refusal { region: Some(region.clone()), ..refusal(status, code, message) });
        }
        let here = asked.bucket.and_then(|bucket| self.elsewhere.get(bucket)).unwrap_or(&self.region);
        if let Some(signed) = asked.region.filter(|signed| signed != here) {
            let message =
                format!("The authorization header is malformed; the region '{signed}' is wrong; expecting '{here}'");
            return Some(Refusal {
                region: Some(here.clone()),
                ..refusal(400, "AuthorizationHeaderMalformed", message)
            });
        }
        let expects = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
        if expects.iter().filter_map(|name| header(name)).any(|owner| owner != self.owner) {
            return Some(refusal(403, "AccessDenied", "Access Denied"));
        }
        let pays = header("x-amz-request-payer").or(asked.parameter("x-amz-request-payer"));
        if self.requester_pays && asked.key.is_some() && pays != Some("requester") {
            return Some(refusal(403, "AccessDenied", "Access Denied"));
        }
        if (self.object_lock && asked.stores_bytes() || asked.deletes_many()) && !asked.has_checksum() {
            return Some(refusal(
                400,
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock \
                 parameters",
            ));
        }
        if let Some(kind) = &self.encryption
            && asked.creates()
            && header("x-amz-server-side-encryption") != Some(kind)
        {
            return Some(refusal(403, "AccessDenied", "Access Denied"));
        }
        None
    }
}

impl Refusal {
    fn response(self, is_head: bool, host: Option<&HeaderValue>, path: &str) -> Response<Body> {
        let Refusal { status, code, message, region } = self;
        let named = region.as_ref().map(|region| format!("<Region>{region}</Region>")).unwrap_or_default();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{named}\
             </Error>"
        );
        // The answer to a HEAD has no body; its headers have to say everything.
        let mut response = Response::new(if is_head { Body::empty() } else { Body::from(body) });
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let headers = response.headers_mut();
        headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        if let Some(region) = region.and_then(|region| HeaderValue::try_from(region).ok()) {
            headers.insert("x-amz-bucket-region", region);
        }
        if let (307, Some(host)) = (status, host.and_then(|host| host.to_str().ok()))
            && let Ok(location) = HeaderValue::try_from(format!("http://{host}{path}"))
        {
            headers.insert(LOCATION, location);
        }
        response
    }
}

/// What the rules need from the head of a request.
struct Asked<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    query: &'a str,
    bucket: Option<&'a str>,
    key: Option<&'a str>,
    /// The region it is signed for.
    region: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(request: &'a Request<RequestBody>) -> Self {
        let (path, query) = (request.uri().path().trim_start_matches('/'), request.uri().query().unwrap_or_default());
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let filled = |text: &'a str| (!text.is_empty()).then_some(text);
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let scope = header.and_then(|header| header.split("Credential=").nth(1));
        Self {
            method: request.method(),
            headers: request.headers(),
            query,
            bucket: filled(bucket),
            key: filled(key),
            region: scope.and_then(|scope| scope.split('/').nth(2)),
        }
    }

    fn has(&self, name: &str) -> bool {
        form_urlencoded::parse(self.query.as_bytes()).any(|(found, _)| found == name)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns true if the request carries the data of an object or a part.
    fn stores_bytes(&self) -> bool {
        *self.method == Method::PUT && self.key.is_some() && !self.headers.contains_key("x-amz-copy-source")
    }

    fn deletes_many(&self) -> bool {
        *self.method == Method::POST && self.key.is_none() && self.has("delete")
    }

    /// Returns true if the request creates an object or starts a multipart upload.
    fn creates(&self) -> bool {
        self.key.is_some()
            && (*self.method == Method::PUT && !self.has("partNumber")
                || *self.method == Method::POST && self.has("uploads"))
    }

    fn has_checksum(&self) -> bool {
        let named =
            |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-") || name == "x-amz-trailer";
        self.headers.keys().any(|name| named(name.as_str()))
    }
}
