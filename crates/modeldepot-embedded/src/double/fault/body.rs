//! A body that does not arrive as it was sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use s3s::StdError;

/// What is wrong with a body.
#[derive(Debug)]
pub(super) enum Spoil {
    /// It ends after this many bytes.
    Cut { left: u64, flushed: bool },
    /// One bit of this byte is flipped.
    Flip { at: u64 },
}

/// A damaged body. Its headers describe the original.
pub(super) struct Spoiled {
    body: Pin<Box<s3s::Body>>,
    spoil: Spoil,
    passed: u64,
}

impl Spoiled {
    pub(super) fn new(body: s3s::Body, spoil: Spoil) -> Self {
        Self { body: Box::pin(body), spoil, passed: 0 }
    }
}

impl Body for Spoiled {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        if let Spoil::Cut { left: 0, flushed } = &mut this.spoil {
            if *flushed {
                return Poll::Ready(Some(Err(io::Error::other("cut short by a plan of faults").into())));
            }
            // Wait, so that hyper flushes: the client must receive the bytes sent so far.
            *flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = ready!(this.body.as_mut().poll_frame(cx)?);
        let Some(mut data) = frame.and_then(|frame| frame.into_data().ok()) else { return Poll::Ready(None) };
        let len = data.len() as u64;
        match &mut this.spoil {
            Spoil::Cut { left, .. } => {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
            }
            Spoil::Flip { at } if (this.passed..this.passed + len).contains(at) => {
                let mut spoiled = BytesMut::from(&data[..]);
                spoiled[(*at - this.passed) as usize] ^= 1 << (*at % 8);
                data = spoiled.freeze();
            }
            Spoil::Flip { .. } => {}
        }
        this.passed += len;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
