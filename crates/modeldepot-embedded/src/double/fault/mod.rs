//! Faults by plan: a server that fails its clients as networks and servers do, and does so again for the same seed.
//!
//! Whether a request is hit follows from the seed, from what is asked, and from how often it was asked before: not
//! from the time, and not from what else goes on. So a client that does the same meets the same, as far as its own
//! tasks run in the same order.

mod body;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Body as _;
use hyper::header::{IF_MATCH, IF_NONE_MATCH, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use modeldepot_listen::RequestBody;
use s3s::Body;
use s3s::dto::StreamingBlob;
use uuid::Uuid;

use crate::body::receive::discard;
use crate::head::waits_for_continue;
use crate::refusal::plain_error;
use body::{Spoil, Spoiled};

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The connection ends. Nothing was done.
    DropBefore,
    /// The connection ends without an answer, though everything was done.
    DropAfter,
    /// The answer's body ends early, and the connection with it.
    CutBody,
    /// One bit of an object is another when it arrives. Listings and refusals stay as they are: nothing in the
    /// protocol would let a client notice.
    FlipBit,
    /// 500 `InternalError`. Nothing was done.
    InternalError,
    /// 503 `ServiceUnavailable`. Nothing was done.
    Unavailable,
    /// 503 `SlowDown`. Nothing was done.
    SlowDown,
    /// 409 `ConditionalRequestConflict`, on a write with `If-Match` or `If-None-Match`. Nothing was done, and nothing
    /// is said about whether the condition holds.
    Conflict,
    /// It is acted on only after a while.
    Delay,
}

/// A plan of faults. For tests of clients.
///
/// ```
/// # use modeldepot_embedded::{Fault, Faults};
/// // One in twenty requests succeeds without the client hearing of it, one in a hundred is told to slow down.
/// let often = Faults::new(7).with(Fault::DropAfter, 0.05).with(Fault::SlowDown, 0.01);
/// // The answer to the first attempt to put this object is lost, and nothing else happens.
/// let once = Faults::new(0).with(Fault::DropAfter, 1.0).only("PUT /models/k").times(1);
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    rates: BTreeMap<Fault, f64>,
    only: String,
    times: u64,
    longest_delay: Duration,
}

impl Faults {
    /// A plan in which nothing goes wrong yet.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rates: BTreeMap::new(),
            only: String::new(),
            times: u64::MAX,
            longest_delay: Duration::from_millis(50),
        }
    }

    /// Sets the share, of the requests that it can befall, that a fault befalls. At most one befalls a request, so
    /// the shares of all faults should not exceed 1 together.
    #[must_use]
    pub fn with(mut self, fault: Fault, share: f64) -> Self {
        self.rates.insert(fault, share);
        self
    }

    /// Spares all requests but those that contain this text, as `PUT /bucket/key?uploadId=*`. Ids that a client or
    /// the server makes up are spelled `*`, and `GET`s of a range end with it: `GET /bucket/key bytes=0-99`.
    #[must_use]
    pub fn only(mut self, text: impl Into<String>) -> Self {
        self.only = text.into();
        self
    }

    /// Spares a request that was seen this often already.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Sets the longest that [`Fault::Delay`] waits. 50 ms if it is not set.
    #[must_use]
    pub fn longest_delay(mut self, longest: Duration) -> Self {
        self.longest_delay = longest;
        self
    }

    /// Decides what befalls a request that was seen `before` times, and draws a number to do it by.
    fn decide(&self, request: &str, before: u64) -> Option<(Fault, u64)> {
        if before >= self.times || !request.contains(&self.only) {
            return None;
        }
        let text = request
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let drawn = scramble(scramble(scramble(self.seed) ^ text) ^ before);
        let mut left = (drawn >> 11) as f64 / (1u64 << 53) as f64;
        let hit = self.rates.iter().find(|(_, share)| {
            left -= **share;
            left < 0.0
        });
        hit.map(|(fault, _)| (*fault, scramble(drawn)))
    }
}

/// A fault that happened.
#[derive(Clone, Debug)]
pub struct FaultHit {
    /// The fault.
    pub fault: Fault,
    /// What it happened to, as [`Faults::only`] spells it.
    pub request: String,
    /// When.
    pub at: Instant,
}

/// A plan being carried out.
#[derive(Debug)]
pub(crate) struct Injector {
    plan: Faults,
    healed: AtomicBool,
    seen: Mutex<HashMap<String, u64>>,
    hits: Mutex<Vec<FaultHit>>,
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped by a plan of faults")]
pub(crate) struct Dropped;

impl Injector {
    pub(crate) fn new(plan: Faults) -> Self {
        Self { plan, healed: AtomicBool::new(false), seen: Mutex::default(), hits: Mutex::default() }
    }

    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> Vec<FaultHit> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a request, or does to it what the plan says.
    pub(crate) async fn answer<A>(
        &self,
        request: Request<RequestBody>,
        answer: impl FnOnce(Request<RequestBody>) -> A,
    ) -> Result<Response<Body>, Dropped>
    where
        A: Future<Output = Response<Body>>,
    {
        let what = describe(&request);
        let Some((fault, number)) = self.next(&what) else { return Ok(answer(request).await) };
        let hit = || {
            tracing::debug!(?fault, request = what, "a fault by plan");
            let hit = FaultHit { fault, request: what.clone(), at: Instant::now() };
            self.hits.lock().unwrap_or_else(PoisonError::into_inner).push(hit);
        };
        let refusal = match fault {
            Fault::DropBefore => {
                hit();
                return Err(Dropped);
            }
            Fault::DropAfter => {
                drop(answer(request).await);
                hit();
                return Err(Dropped);
            }
            Fault::Delay => {
                hit();
                tokio::time::sleep(self.plan.longest_delay.mul_f64((number % 1000) as f64 / 1000.0)).await;
                return Ok(answer(request).await);
            }
            Fault::CutBody | Fault::FlipBit => {
                let of_object = is_read_of_object(&request);
                let is_head = request.method() == Method::HEAD;
                let response = answer(request).await;
                let len = response.body().size_hint().exact().unwrap_or_default();
                let spoil = match fault {
                    Fault::CutBody => Spoil::Cut { left: number % len.max(1), flushed: false },
                    _ if of_object && response.status().is_success() => Spoil::Flip { at: number % len.max(1) },
                    _ => return Ok(response),
                };
                if len == 0 || is_head {
                    return Ok(response);
                }
                hit();
                return Ok(response.map(|body| Body::http_body(Spoiled::new(body, spoil))));
            }
            Fault::InternalError => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error.")
            }
            Fault::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Please try again."),
            Fault::SlowDown => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."),
            Fault::Conflict if !is_conditional_write(&request) => return Ok(answer(request).await),
            Fault::Conflict => {
                (StatusCode::CONFLICT, "ConditionalRequestConflict", "A conflicting operation is under way.")
            }
        };
        hit();
        let waits = waits_for_continue(request.headers());
        discard(Some(StreamingBlob::new(Body::http_body(request.into_body()))), waits).await;
        let (status, code, message) = refusal;
        Ok(plain_error(status, code, message))
    }

    fn next(&self, what: &str) -> Option<(Fault, u64)> {
        if self.healed.load(Ordering::Relaxed) {
            return None;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(what.to_owned()).or_default();
        let before = *count;
        *count += 1;
        drop(seen);
        self.plan.decide(what, before)
    }
}

fn is_conditional_write(request: &Request<RequestBody>) -> bool {
    let headers = request.headers();
    matches!(*request.method(), Method::PUT | Method::POST)
        && (headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH))
}

fn is_read_of_object(request: &Request<RequestBody>) -> bool {
    let has_key = request.uri().path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    *request.method() == Method::GET && has_key && !request.uri().query().unwrap_or_default().contains("uploadId")
}

/// Says what is asked, the same for two clients that ask the same.
fn describe(request: &Request<RequestBody>) -> String {
    let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
    spell(request.method().as_str(), request.uri().path(), request.uri().query().unwrap_or_default(), range)
}

fn spell(method: &str, path: &str, query: &str, range: Option<&str>) -> String {
    let mut text = format!("{method} {path}");
    let mut separator = '?';
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty() && !parameter.starts_with("X-Amz-")) {
        let name = parameter.split('=').next().unwrap_or_default();
        let made_up = matches!(name, "uploadId" | "continuation-token" | "upload-id-marker");
        text.push(separator);
        text.push_str(name);
        text.push_str(if made_up { "=*" } else { &parameter[name.len()..] });
        separator = '&';
    }
    if let Some(range) = range {
        text.push(' ');
        text.push_str(range);
    }
    without_ids(&text)
}

/// Writes every UUID as `*`.
fn without_ids(text: &str) -> String {
    const LEN: usize = 36;
    let mut spelled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.get(..LEN).is_some_and(|start| Uuid::try_parse(start).is_ok()) {
            spelled.push('*');
            rest = &rest[LEN..];
        } else {
            spelled.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    spelled
}

/// Spreads a number over all 64 bits: the finish of SplitMix64.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_same_again_and_another_one_otherwise() {
        let decide = |seed| {
            let plan = Faults::new(seed).with(Fault::DropAfter, 0.2).with(Fault::SlowDown, 0.1);
            (0..500).map(|n| plan.decide("PUT /b/k", n)).collect::<Vec<_>>()
        };
        assert_eq!(decide(1), decide(1));
        assert_ne!(decide(1), decide(2));
        let count = |wanted| decide(1).iter().flatten().filter(|(fault, _)| *fault == wanted).count();
        assert!((70..130).contains(&count(Fault::DropAfter)), "{}", count(Fault::DropAfter));
        assert!((30..70).contains(&count(Fault::SlowDown)), "{}", count(Fault::SlowDown));
    }

    #[test]
    fn a_plan_may_spare_most_requests() {
        let plan = Faults::new(1).with(Fault::Delay, 1.0).only("PUT /b/k").times(2);
        let hits = |what: &str| (0..5).filter(|n| plan.decide(what, *n).is_some()).count();
        assert_eq!((hits("PUT /b/k?partNumber=1"), hits("GET /b/k")), (2, 0));
    }

    #[test]
    fn what_is_made_up_for_one_request_is_left_out() {
        let id = Uuid::new_v4();
        assert_eq!(spell("PUT", &format!("/b/claims/{id}.json"), "", None), "PUT /b/claims/*.json");
        assert_eq!(
            spell("GET", "/b", &format!("list-type=2&prefix=a%2F{id}%2F&continuation-token=xyz"), None),
            "GET /b?list-type=2&prefix=a%2F*%2F&continuation-token=*"
        );
        assert_eq!(
            spell("GET", "/b/k\u{fc}", "X-Amz-Date=now&uploadId=7&partNumber=1", Some("bytes=0-9")),
            "GET /b/k\u{fc}?uploadId=*&partNumber=1 bytes=0-9"
        );
    }
}
