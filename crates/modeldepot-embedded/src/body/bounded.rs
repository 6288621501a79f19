//! Bodies that the protocol layer collects in memory: XML requests.
//!
//! If such a body is too long or ends early, the protocol layer answers 500, and it never checks the digests that S3
//! requires for `DeleteObjects`. So these bodies pass through a [`Watch`] that counts, compares, and remembers what was
//! wrong.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Body as _;
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use modeldepot_listen::{BodyError, RequestBody};
use s3s::{S3Result, s3_error};

use super::budget::{Asked, Budget, FREE};
use super::reframe::Frames;
use super::watch::Watch;
use crate::checksum::{Algorithm, Claims, Digests, Hashes};
use crate::head::{is_framed, is_xml_of_object, names_a_key};

/// Enough for a request that deletes 1,000 keys of 1,024 bytes, all escaped, or that completes 10,000 parts.
pub(crate) const MAX_XML: usize = 8 << 20;

/// Marks a request whose body is checked against the digests in its headers before the operation sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digested;

/// Returns true unless the body may be the data of an object or a part.
pub(crate) fn is_gathered(request: &Request<RequestBody>) -> bool {
    let is_put = request.method() == Method::PUT && names_a_key(request.uri().path());
    let is_stored = is_put && !is_xml_of_object(request);
    !is_stored && !request.body().is_end_stream()
}

/// Returns the digests that the headers give for the body of `DeleteObjects`.
///
/// # Errors
/// `InvalidRequest`, if they give none: S3 requires a digest, which a form on a web page cannot send.
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

/// Returns true if a hex digest is the SHA-256 of the body.
fn is_sha256(hex: &str, digests: &Digests) -> bool {
    let sum = digests.sums.get(Algorithm::Sha256).and_then(|sum| BASE64_STANDARD.decode(sum).ok());
    sum.is_some_and(|sum| hex::encode(sum) == hex)
}

/// A watched body.
pub(crate) struct Bounded<S> {
    inner: S,
    watch: Watch,
    len: usize,
    /// The memory it takes from the budget, unless it is small.
    size: u64,
    is_told: bool,
    budget: &'static Budget,
    asked: Option<Asked>,
    is_held: bool,
    /// Checked at the end of the body.
    compared: Option<(Claims, Hashes)>,
    /// The signed SHA-256, in hex. If the body has another one, the protocol layer would answer 500.
    signed: Option<(String, Hashes)>,
    ended: bool,
}

/// Watches the body of a request.
pub(crate) fn bound(request: Request<RequestBody>, watch: Watch, budget: &'static Budget) -> Request<Bounded<Frames>> {
    // When an object is posted, a checksum header is about the object; otherwise it is about the body.
    let is_of_object = request.method() == Method::POST && names_a_key(request.uri().path());
    let claims = if is_of_object { None } else { claims(request.headers()).ok() };
    // The digests cover the payload without its framing, and a framed body is not decoded here.
    let compared = claims.filter(|_| !is_framed(request.headers())).map(|claims| {
        let hashes = claims.hashes();
        (claims, hashes)
    });
    let signed = request.headers().get("x-amz-content-sha256").and_then(|digest| digest.to_str().ok());
    let signed = signed.filter(|digest| digest.len() == 64).map(|digest| {
        let hashes = Hashes::new(&[Algorithm::Sha256]);
        (digest.to_ascii_lowercase(), hashes)
    });
    let len = request.headers().get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
    let is_compared = compared.is_some();
    let mut request =
        request.map(|body| Bounded { compared, signed, ..Bounded::new(Frames(body), len, watch, budget) });
    if is_compared {
        request.extensions_mut().insert(Digested);
    }
    // Its declared length is too large already: nothing needs to be read.
    if len.is_some_and(|len: usize| len > MAX_XML) {
        request.body_mut().len = usize::MAX;
    }
    request
}

impl<S> Bounded<S> {
    fn new(inner: S, len: Option<usize>, watch: Watch, budget: &'static Budget) -> Self {
        let size = len.unwrap_or(MAX_XML).min(MAX_XML) as u64;
        Self {
            inner,
            watch,
            len: 0,
            size,
            is_told: len.is_some(),
            budget,
            asked: None,
            is_held: false,
            compared: None,
            signed: None,
            ended: false,
        }
    }

    /// Waits for memory before a large body is read. If the size is unknown, the first [`FREE`](super::budget::FREE)
    /// bytes are read without.
    fn poll_memory(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_held || self.size <= FREE || (!self.is_told && (self.len as u64) < FREE) {
            return Poll::Ready(());
        }
        let asked = self.asked.get_or_insert_with(|| self.budget.ask(self.size));
        let held = ready!(asked.poll(cx));
        self.asked = None;
        self.is_held = true;
        self.watch.hold(held);
        Poll::Ready(())
    }

    /// Returns true once a body has held memory for too long.
    fn is_over(&self, cx: &mut Context<'_>) -> bool {
        self.is_held && self.watch.is_over(cx)
    }

    fn wrong(&mut self, status: StatusCode, code: &str, message: &str) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        self.ended = true;
        self.watch.note(status, code, message);
        Poll::Ready(Some(Err(std::io::Error::other(message.to_owned()))))
    }

    /// Returns true, once, if the complete body does not have the signed digest.
    fn is_another(&mut self) -> bool {
        self.signed.take().is_some_and(|(digest, hashes)| !is_sha256(&digest, &hashes.finish()))
    }

    fn not_what_was_signed(&mut self) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        self.wrong(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", message)
    }

    fn too_long(&mut self) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        self.wrong(StatusCode::BAD_REQUEST, "MaxMessageLengthExceeded", "Your request was too large.")
    }
}

impl<S: Stream<Item = Result<Bytes, BodyError>> + Unpin> Stream for Bounded<S> {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.len > MAX_XML {
            return self.too_long();
        }
        ready!(self.poll_memory(cx));
        if self.is_over(cx) {
            return self.wrong(StatusCode::BAD_REQUEST, "RequestTimeout", &BodyError::Slow.to_string());
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
                if let Some((_, hashes)) = &mut self.signed {
                    hashes.update(&bytes);
                }
                // The protocol layer stops reading at the declared length.
                if self.is_told && self.len as u64 == self.size && self.is_another() {
                    return self.not_what_was_signed();
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
                if self.is_another() {
                    return self.not_what_was_signed();
                }
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

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;

    type Pieces = Vec<Result<Bytes, BodyError>>;

    fn body(pieces: &[usize]) -> stream::Iter<std::vec::IntoIter<Result<Bytes, BodyError>>> {
        stream::iter(pieces.iter().map(|size| Ok(Bytes::from(vec![b' '; *size]))).collect::<Pieces>())
    }

    #[tokio::test]
    async fn large_bodies_wait_for_memory_until_others_are_answered() {
        static BUDGET: Budget = Budget::new(MAX_XML);
        let bounded = |pieces: &[usize], len, watch: &Watch| Bounded::new(body(pieces), len, watch.clone(), &BUDGET);
        let (answered, waits) = (Watch::default(), Watch::default());
        let mut first = bounded(&[1 << 20, 1 << 20], Some(2 << 20), &answered);
        assert!(first.next().await.unwrap().is_ok());
        assert_eq!(BUDGET.left(), 6 << 20);
        assert_eq!(first.count().await, 1);
        // The body was read and stays in memory until the request is answered. Small bodies still pass.
        assert_eq!(BUDGET.left(), 6 << 20);
        assert_eq!(bounded(&[FREE as usize], Some(FREE as usize), &Watch::default()).count().await, 1);
        assert_eq!(bounded(&[100], None, &Watch::default()).count().await, 1);
        let mut second = bounded(&[1 << 20], Some(MAX_XML), &waits);
        assert!(second.next().now_or_never().is_none());
        drop(answered);
        assert!(second.next().await.unwrap().is_ok());
        assert_eq!(BUDGET.left(), 0);
        // A body of unknown size may be as large as any.
        let mut untold = bounded(&[FREE as usize, 1], None, &Watch::default());
        assert!(untold.next().await.is_some());
        assert!(untold.next().now_or_never().is_none());
        drop((second, waits));
        assert!(untold.next().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stands_still_does_not_keep_its_memory() {
        static BUDGET: Budget = Budget::new(MAX_XML);
        let watch = Watch::default();
        let mut bounded = Bounded::new(stream::pending(), Some(MAX_XML), watch.clone(), &BUDGET);
        assert!(bounded.next().await.unwrap().is_err());
        assert_eq!(watch.answer().unwrap().status(), StatusCode::BAD_REQUEST);
    }
}
