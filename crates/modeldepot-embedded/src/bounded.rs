//! Bodies that the protocol layer gathers in memory: requests in XML.
//!
//! The protocol layer answers 500 when such a body is too long or breaks off, and never compares the digests that S3
//! demands for `DeleteObjects`. So these bodies pass a watch that counts, compares, and remembers what was wrong.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Body as _;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, header};
use modeldepot_listen::{BodyError, RequestBody};
use s3s::{S3Result, s3_error};

use crate::checksum::{Algorithm, Claims, Hashes};
use crate::reframe::Frames;
use crate::server::plain_error;

/// A request that deletes 1,000 keys of 1,024 bytes, every one of them escaped, or that completes 10,000 parts.
pub(crate) const MAX_XML: usize = 8 << 20;

/// What was wrong with a body: the answer to it.
type Wrong = (StatusCode, String, String);

/// Remembers what was wrong with a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<Option<Wrong>>>);

/// Marks a request whose body is compared with the digests in its headers before the operation sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digested;

impl Watch {
    fn note(&self, status: StatusCode, code: &str, message: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((status, code.to_owned(), message.to_owned()));
    }

    /// Returns the answer to a body that was wrong.
    pub(crate) fn answer(&self) -> Option<Response<s3s::Body>> {
        let (status, code, message) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(plain_error(status, &code, &message))
    }
}

/// Returns true when the path names an object and not only a bucket. A path that spells its slashes is taken to.
fn names_a_key(path: &str) -> bool {
    let key = path.trim_start_matches('/').split_once('/').map(|(_, key)| key);
    key.is_some_and(|key| !key.is_empty()) || path.contains("%2F") || path.contains("%2f")
}

/// Returns true unless the body may be that of an object or a part.
pub(crate) fn is_gathered(request: &Request<RequestBody>) -> bool {
    let is_stored = request.method() == Method::PUT && names_a_key(request.uri().path());
    !is_stored && !request.body().is_end_stream()
}

/// Returns what the headers claim of the body of `DeleteObjects`.
///
/// # Errors
/// `InvalidRequest` when they claim nothing: S3 demands a digest, which no form of a web page can send.
pub(crate) fn claims(headers: &HeaderMap) -> S3Result<Claims> {
    let mut claims = Claims::default();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    claims.md5 = text("content-md5");
    for algorithm in Algorithm::ALL {
        if let Some(value) = text(algorithm.header()) {
            claims.sums.set(algorithm, value);
        }
    }
    if claims.md5.is_none() && claims.sums.is_empty() {
        return Err(s3_error!(
            InvalidRequest,
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        ));
    }
    claims.check_form()?;
    Ok(claims)
}

/// A body under watch.
pub(crate) struct Bounded {
    inner: Frames,
    watch: Watch,
    len: usize,
    /// To be compared at the end.
    compared: Option<(Claims, Hashes)>,
    ended: bool,
}

/// Puts a request's body under watch.
pub(crate) fn bound(request: Request<RequestBody>, watch: Watch) -> Request<Bounded> {
    // All that is posted to a bucket is `DeleteObjects`. A checksum that is posted to an object is one of the object.
    let is_delete = request.method() == Method::POST && !names_a_key(request.uri().path());
    let claims = is_delete.then(|| claims(request.headers()).ok()).flatten();
    // The digests are of the bytes without the framing, which are not seen here.
    let is_framed =
        request.headers().get("x-amz-content-sha256").is_some_and(|kind| kind.as_bytes().starts_with(b"STREAMING-"));
    let compared = claims.filter(|_| !is_framed).map(|claims| {
        let hashes = claims.hashes();
        (claims, hashes)
    });
    let len = request.headers().get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
    let is_compared = compared.is_some();
    let mut request = request.map(|body| Bounded { inner: Frames(body), watch, len: 0, compared, ended: false });
    if is_compared {
        request.extensions_mut().insert(Digested);
    }
    // Too long by its own account: not one byte needs to be read.
    if len.is_some_and(|len: usize| len > MAX_XML) {
        request.body_mut().len = usize::MAX;
    }
    request
}

impl Bounded {
    fn wrong(&mut self, status: StatusCode, code: &str, message: &str) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        self.ended = true;
        self.watch.note(status, code, message);
        Poll::Ready(Some(Err(std::io::Error::other(message.to_owned()))))
    }

    fn too_long(&mut self) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        self.wrong(StatusCode::BAD_REQUEST, "MaxMessageLengthExceeded", "Your request was too large.")
    }
}

impl Stream for Bounded {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.len > MAX_XML {
            return self.too_long();
        }
        match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
            Some(Ok(bytes)) => {
                self.len = self.len.saturating_add(bytes.len());
                if self.len > MAX_XML {
                    return self.too_long();
                }
                if let Some((_, hashes)) = &mut self.compared {
                    hashes.update(&bytes);
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error @ BodyError::Slow)) => {
                self.wrong(StatusCode::BAD_REQUEST, "RequestTimeout", &error.to_string())
            }
            Some(Err(error)) => {
                let message = format!("The request body terminated unexpectedly: {error}");
                self.wrong(StatusCode::BAD_REQUEST, "IncompleteBody", &message)
            }
            None => {
                self.ended = true;
                let compared = self.compared.take().map(|(claims, hashes)| claims.verify(&hashes.finish()));
                match compared {
                    Some(Err(error)) => {
                        let code = error.code().as_str().to_owned();
                        let message = error.message().unwrap_or_default().to_owned();
                        self.wrong(StatusCode::BAD_REQUEST, &code, &message)
                    }
                    _ => Poll::Ready(None),
                }
            }
        }
    }
}
