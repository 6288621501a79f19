//! Bodies on their way out and in: cut small, kept to the rate limit, and watched for a standstill.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::rate::Rate;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The most that goes to a connection at once. Small enough to see within a second that bytes move, even at 2 Mbit/s;
/// large enough to cost nothing.
const SLICE: usize = 256 * 1024;

/// How long an answer may pause in its middle.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Counts the slices that a connection took, for whoever watches it.
pub(super) type Activity = Arc<AtomicU64>;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Outgoing {
    inner: SdkBody,
    /// What came of `inner` and is not passed on yet.
    slices: Bytes,
    rate: Option<Arc<Rate>>,
    wait: Option<Pin<Box<Sleep>>>,
    activity: Activity,
}

impl Outgoing {
    pub(super) fn new(inner: SdkBody, rate: Option<Arc<Rate>>, activity: Activity) -> Self {
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
                None => return Poll::Ready(None),
            }
        }
        let most = this.rate.as_ref().map_or(SLICE, |rate| rate.piece().min(SLICE));
        let slice = this.slices.split_to(this.slices.len().min(most));
        this.activity.fetch_add(1, Ordering::Relaxed);
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
pub(super) struct Arriving {
    inner: Incoming,
    rate: Option<Arc<Rate>>,
    wait: Option<Pin<Box<Sleep>>>,
    /// When the body is taken for dead.
    dead: Option<Pin<Box<Sleep>>>,
}

/// Says that a body stood still.
#[derive(Debug, thiserror::Error)]
#[error("no byte came for {} seconds", STANDSTILL.as_secs())]
struct StoodStill;

impl Arriving {
    pub(super) fn new(inner: Incoming, rate: Option<Arc<Rate>>) -> Self {
        Self { inner, rate, wait: None, dead: None }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(cx));
            this.wait = None;
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => {
                // Set only when there is something to wait for, and from then on: bytes that are here cost no timer.
                let dead = this.dead.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STANDSTILL)));
                ready!(dead.as_mut().poll(cx));
                Poll::Ready(Some(Err(StoodStill.into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.dead = None;
                if let (Some(rate), Some(data)) = (&this.rate, frame.data_ref()) {
                    let wait = rate.take(data.len());
                    this.wait = (!wait.is_zero()).then(|| Box::pin(sleep_until(Instant::now() + wait)));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
