//! How many large answers are on their way at once: each holds buffers here and a connection to the S3 server, for as long as
//! its client takes to read it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use modeldepot::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Large answers at once.
const MOST: usize = 256;

/// An answer up to this size is not large: it is gone at once, into the buffers of the system.
const SMALL: u64 = 128 << 10;

/// Counts large answers.
pub(crate) struct Answers(Arc<Semaphore>);

impl Default for Answers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Answers {
    /// Lets an answer go, or one that says to try again where too many are on their way.
    pub(crate) fn pass(&self, answer: Response) -> Response {
        let size = answer.body().size_hint();
        if size.exact().is_some_and(|size| size <= SMALL) {
            return answer;
        }
        match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => answer.map(|body| Body::new(Passing { body, _permit: permit })),
            Err(_) => Problem::new(ErrorKind::Unavailable, "too many large answers are on their way").into_response(),
        }
    }
}

/// An answer on its way.
struct Passing {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
