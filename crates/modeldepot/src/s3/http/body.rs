//! Bodies on their way out and in: cut small, kept to the rate limit, and watched for a standstill.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::rate_limit::Rate;
use super::refusal::Refusal;
use super::secrets::Secrets;
use super::timeouts::TimeLimits;

/// As much of an answer is looked at in one piece.
const WHOLE: usize = 256 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The most that goes to a connection at once. Small enough to see within a second that bytes move, even at 2 Mbit/s;
/// large enough to cost nothing.
const SLICE: usize = 256 * 1024;

/// How much of a request a connection has taken, for the time-outs.
#[derive(Debug, Clone)]
pub(in crate::s3) struct Activity(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    begun: Instant,
    /// When the last slice was taken, in milliseconds since the beginning.
    last: AtomicU64,
    /// Whether that was the last of the body.
    all: AtomicBool,
}

impl Activity {
    pub(in crate::s3) fn begin() -> Self {
        Self(Arc::new(Taken { begun: Instant::now(), last: AtomicU64::new(0), all: AtomicBool::new(false) }))
    }

    pub(in crate::s3) fn moved(&self) {
        let since = self.0.begun.elapsed().as_millis();
        self.0.last.store(since.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(in crate::s3) fn all_sent(&self) {
        self.moved();
        self.0.all.store(true, Ordering::Relaxed);
    }

    /// Returns how long nothing was taken, and whether there is anything left to take.
    pub(in crate::s3) fn quiet(&self) -> (Duration, bool) {
        let last = Duration::from_millis(self.0.last.load(Ordering::Relaxed));
        (self.0.begun.elapsed().saturating_sub(last), self.0.all.load(Ordering::Relaxed))
    }
}

/// The body of a request.
#[derive(Debug)]
pub(in crate::s3) struct Outgoing {
    inner: SdkBody,
    /// What came of `inner` and is not passed on yet.
    slices: Bytes,
    rate: Option<Arc<Rate>>,
    wait: Option<Pin<Box<Sleep>>>,
    activity: Activity,
}

impl Outgoing {
    pub(in crate::s3) fn new(inner: SdkBody, rate: Option<Arc<Rate>>, activity: Activity) -> Self {
        if inner.is_end_stream() {
            activity.all_sent();
        }
        Self { inner, slices: Bytes::new(), rate, wait: None, activity }
    }

    /// Waits until the rate limit allows what was taken last.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        Poll::Ready(())
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        ready!(this.poll_wait(cx));
        if this.slices.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.slices = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.activity.all_sent();
                    return Poll::Ready(None);
                }
            }
        }
        let most = this.rate.as_ref().map_or(SLICE, |rate| rate.piece().min(SLICE));
        let slice = this.slices.split_to(this.slices.len().min(most));
        if this.is_end_stream() {
            this.activity.all_sent()
        } else {
            this.activity.moved()
        }
        if let Some(rate) = &this.rate {
            let wait = rate.take(slice.len());
            // The next slice waits, this one goes: a body of one slice is never held up by others of its size.
            this.wait = (!wait.is_zero()).then(|| Box::pin(sleep_until(Instant::now() + wait)));
        }
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.slices.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, here) = (Body::size_hint(&self.inner), self.slices.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + here);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + here);
        }
        hint
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(in crate::s3) struct Arriving {
    inner: Incoming,
    rate: Option<Arc<Rate>>,
    wait: Option<Pin<Box<Sleep>>>,
    limits: TimeLimits,
    /// Since when the next bytes are waited for, and until when.
    dead: Option<(Instant, Pin<Box<Sleep>>)>,
    /// What came since the pace was looked at last, and how long that was waited for. Time in which nobody asks for
    /// bytes does not count.
    pace: (u64, Duration),
    /// Bytes that may still come.
    left: u64,
    /// Whether what comes beyond them is left unread, as with a refusal. Else it is an error.
    refused: bool,
    /// Whether that is so, and it has ended here.
    cut: bool,
    /// Its entry in the log, if it has one.
    noted: Option<Box<Refusal>>,
    /// What must not be in it, and what came of it and is not passed on yet.
    without: Option<(Secrets, BytesMut)>,
}

/// Says that a body stood still.
#[derive(Debug, thiserror::Error)]
pub(in crate::s3) enum StoodStill {
    #[error("no byte came for {0:?}")]
    Silent(Duration),
    #[error("{0} bytes came in {1:?}")]
    Slow(u64, Duration),
}

impl StoodStill {
    /// Returns how long it was waited for.
    pub(in crate::s3) fn waited(&self) -> Duration {
        let (StoodStill::Silent(waited) | StoodStill::Slow(_, waited)) = self;
        *waited
    }
}

/// Says that a body is longer than any answer is.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {0} bytes")]
pub(in crate::s3) struct TooLong(u64);

impl Arriving {
    pub(in crate::s3) fn new(inner: Incoming, rate: Option<Arc<Rate>>, limits: &TimeLimits, refused: bool) -> Self {
        let most = if refused { Some(limits.refusal) } else { limits.most };
        let left = most.unwrap_or(u64::MAX);
        Self {
            inner,
            rate,
            wait: None,
            limits: *limits,
            dead: None,
            pace: (0, Duration::ZERO),
            left,
            refused,
            cut: false,
            noted: None,
            without: None,
        }
    }

    /// Takes what was shown with the request out of it.
    pub(in crate::s3) fn without(self, secrets: &Secrets) -> Self {
        let without = (!secrets.are_none()).then(|| (secrets.clone(), BytesMut::new()));
        Self { without, ..self }
    }

    /// Writes its beginning to the log as well.
    pub(in crate::s3) fn noted(self, noted: Option<Box<Refusal>>) -> Self {
        Self { noted, ..self }
    }

    /// Says that fewer bytes come than are worth waiting for, once that is known.
    fn keeps_pace(&mut self, bytes: u64) -> Result<(), StoodStill> {
        let (slowest, window) = self.limits.slowest;
        let waited = self.dead.take().map(|(since, _)| since.elapsed()).unwrap_or_default();
        self.pace = (self.pace.0 + bytes, self.pace.1 + waited);
        if self.pace.1 < window {
            return Ok(());
        }
        let (came, waited) = std::mem::take(&mut self.pace);
        if came < slowest { Err(StoodStill::Slow(came, waited)) } else { Ok(()) }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let next = ready!(self.poll_next(cx));
            let Some((secrets, here)) = &mut self.without else { return Poll::Ready(next) };
            let over = next.is_none();
            match next {
                Some(Ok(frame)) => here.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {}
            }
            // A secret may come in two pieces.
            if !over && here.len() < WHOLE {
                continue;
            }
            let clean = secrets.hide_bytes(here.split().freeze());
            if over {
                self.without = None;
            }
            if !clean.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(clean))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let nothing_here = self.without.as_ref().is_none_or(|(_, here)| here.is_empty());
        nothing_here && (self.cut || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.without, self.inner.size_hint()) {
            (Some(_), inner) if inner.exact() != Some(0) => SizeHint::default(),
            (_, inner) => inner,
        }
    }
}

impl Arriving {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self;
        if this.cut {
            return Poll::Ready(None);
        }
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(cx));
            this.wait = None;
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => {
                // Set only when there is something to wait for, and from then on: bytes that are here cost no timer.
                let standstill = this.limits.standstill;
                let (_, dead) = this.dead.get_or_insert_with(|| {
                    let now = Instant::now();
                    (now, Box::pin(sleep_until(now + standstill)))
                });
                ready!(dead.as_mut().poll(cx));
                Poll::Ready(Some(Err(StoodStill::Silent(standstill).into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.keeps_pace(bytes)?;
                if bytes > this.left {
                    let most = this.limits.most.unwrap_or_default();
                    this.cut = this.refused;
                    return Poll::Ready((!this.refused).then(|| Err(TooLong(most).into())));
                }
                this.left -= bytes;
                if let (Some(noted), Some(data)) = (&mut this.noted, frame.data_ref()) {
                    noted.takes(data);
                }
                if let (Some(rate), Some(data)) = (&this.rate, frame.data_ref()) {
                    let wait = rate.take(data.len());
                    this.wait = (!wait.is_zero()).then(|| Box::pin(sleep_until(Instant::now() + wait)));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
        }
    }
}
