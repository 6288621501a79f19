//! The bodies of requests and answers in transit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::limits::Limits;
use crate::pace::Pace;
use crate::seats::{Activity, Phase};

/// The body of a request. It fails if the client sends too slowly.
pub struct RequestBody {
    body: Incoming,
    pace: Pace,
    activity: Arc<Activity>,
}

/// Why a request's body ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The client sends nothing, or almost nothing.
    #[error("the request's body comes too slowly")]
    Slow,
    /// The connection broke, or the client did not send valid HTTP.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl std::fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, limits: &Limits, activity: Arc<Activity>) -> Self {
        activity.set_sending(!body.is_end_stream());
        Self { body, pace: Pace::new(limits.body, limits.slowest), activity }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.pace.moved(frame.data_ref().map_or(0, Bytes::len));
                if this.body.is_end_stream() {
                    this.activity.set_sending(false);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.activity.set_sending(false);
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(this.pace.poll_over(cx));
                Poll::Ready(Some(Err(BodyError::Slow)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request in progress, until its whole answer has been handed to the socket.
pub(crate) struct AtWork(Arc<Activity>);

impl AtWork {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        activity.enter(Phase::Busy);
        Self(Arc::clone(activity))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

/// The body of an answer.
pub(crate) struct Answer<B> {
    body: Pin<Box<B>>,
    _at_work: AtWork,
}

impl<B> Answer<B> {
    pub(crate) fn new(body: B, at_work: AtWork) -> Self {
        Self { body: Box::pin(body), _at_work: at_work }
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
