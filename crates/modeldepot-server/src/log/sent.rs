//! Counts the bytes of a response body as it is sent. For the access log, its end is the end of the request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use headers::{ContentLength, HeaderMapExt as _};
use http_body::{Body as _, Frame, SizeHint};

use super::note::Note;

pub(crate) struct Sent {
    body: Body,
    note: Note,
    status: StatusCode,
    began: Instant,
    bytes: u64,
    /// The length in the response's headers.
    length: Option<u64>,
    ended: bool,
}

impl Sent {
    pub(crate) fn around(response: Response, note: Note, method: &Method, began: Instant) -> Response {
        let (status, length) = (response.status(), response.headers().typed_get::<ContentLength>());
        let length = length.map(|ContentLength(length)| length);
        let ended = method == Method::HEAD;
        response.map(|body| Body::new(Sent { body, note, status, began, bytes: 0, length, ended }))
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.ended = true,
            Some(Ok(frame)) => self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        // A body of known length is not polled for its end.
        let complete = self.ended || self.body.is_end_stream() || self.length == Some(self.bytes);
        self.note.access(Some(self.status), self.bytes, self.began, complete);
    }
}
