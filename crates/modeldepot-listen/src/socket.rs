//! A connection that ends if its client stalls.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::limits::Limits;
use crate::pace::Pace;
use crate::seats::{Activity, Phase};

/// How long unwanted bytes are still read, so that the client gets its answer: closing a connection with unread bytes
/// resets it, and the answer is lost.
const LINGER: Duration = Duration::from_secs(2);

/// The most that is read and discarded.
const LINGER_BYTES: usize = 16 << 20;

pub(crate) struct Socket<S> {
    io: S,
    limits: Arc<Limits>,
    activity: Arc<Activity>,
    /// The client's pace in reading its answer.
    reading: Pace,
    /// When the client must have sent its request, and the timer for it.
    asking: Option<(Instant, Pin<Box<Sleep>>)>,
    closing: Closing,
}

enum Closing {
    Open,
    Lingering { end: Pin<Box<Sleep>>, left: usize },
    Closed,
}

impl<S> Socket<S> {
    pub(crate) fn new(io: S, limits: Arc<Limits>, activity: Arc<Activity>) -> Self {
        let reading = Pace::new(limits.answer, limits.slowest);
        Self { io, limits, activity, reading, asking: None, closing: Closing::Open }
    }

    /// Fails a write that the client takes too slowly.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match &wrote {
            Poll::Ready(Ok(done)) => self.reading.moved(bytes(done)),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                ready!(self.reading.poll_over(cx));
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client reads its answer too slowly",
                )));
            }
        }
        wrote
    }

    /// Ready when the client has taken too long to send a request.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let patience = match self.activity.phase() {
                Phase::Busy => return Poll::Pending,
                Phase::Head => self.limits.head,
                Phase::Idle => self.limits.idle,
            };
            let mut until = self.activity.since() + patience;
            // The end of an answer may still be in transit; `reading` times that.
            if self.reading.is_waiting() {
                until = until.max(Instant::now() + patience);
            }
            let (due, timer) = self.asking.get_or_insert_with(|| (until, Box::pin(sleep_until(until))));
            if *due != until {
                *due = until;
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(cx));
            if self.activity.since() + patience <= Instant::now() && !self.reading.is_waiting() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), self.activity.room());
        let read = if buf.remaining() <= room {
            Pin::new(&mut self.io).poll_read(cx, buf)
        } else {
            // The size of a read decides how large the buffers grow that hyper keeps for it.
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
            let read = Pin::new(&mut self.io).poll_read(cx, &mut part);
            let bytes = part.filled().len();
            buf.advance(bytes);
            read
        };
        if buf.filled().len() > before {
            self.activity.came();
        }
        if read.is_pending() {
            ready!(self.poll_late(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client asks too slowly")));
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watched(cx, wrote, |bytes| *bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watched(cx, wrote, |bytes| *bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.watched(cx, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Closing::Open = this.closing {
            let shut = Pin::new(&mut this.io).poll_shutdown(cx);
            ready!(this.watched(cx, shut, |()| 0))?;
            this.closing = match this.activity.is_sending() {
                true => Closing::Lingering { end: Box::pin(sleep(LINGER)), left: LINGER_BYTES },
                false => Closing::Closed,
            };
        }
        if let Closing::Lingering { end, left } = &mut this.closing {
            let mut unread = [0; 8 << 10];
            while *left > 0 && end.as_mut().poll(cx).is_pending() {
                let mut buf = ReadBuf::new(&mut unread);
                // Both end of stream and an error end the wait.
                if ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf)).is_err() || buf.filled().is_empty() {
                    break;
                }
                *left = left.saturating_sub(buf.filled().len());
            }
            this.closing = Closing::Closed;
        }
        Poll::Ready(Ok(()))
    }
}
