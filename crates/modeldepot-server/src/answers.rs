//! How many large answers are on their way at once: each holds buffers here and a connection to the S3 server, for as long as
//! its client takes to read it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use modeldepot::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::{Problem, Result};

/// Large answers at once.
const MOST: usize = 64;

/// How long one waits for the end of another.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer up to this size is not large: it is gone at once, into the buffers of the system.
const SMALL: u64 = 128 << 10;

/// Counts large answers.
pub(crate) struct Answers(Arc<Semaphore>);

impl Default for Answers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

/// An answer that may become a large one.
pub(crate) struct Begun(Option<OwnedSemaphorePermit>);

impl Answers {
    /// Takes in a request, before anything is asked of the S3 server for it. Its route says whether the answer may be large.
    pub(crate) async fn begin(&self, method: &Method, route: Option<&str>) -> Result<Begun> {
        let of_a_file =
            route.is_some_and(|route| route.contains("/files/{") || route.starts_with("/buckets/{bucket}/"));
        match of_a_file && *method == Method::GET {
            true => match timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await {
                Ok(Ok(permit)) => Ok(Begun(Some(permit))),
                Ok(Err(_)) | Err(_) => Err(too_many()),
            },
            false => Ok(Begun(None)),
        }
    }

    /// Lets an answer go, or one that says to try again where too many are on their way.
    pub(crate) fn pass(&self, begun: Begun, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some_and(|size| size <= SMALL) {
            return answer;
        }
        match begun.0.or_else(|| Arc::clone(&self.0).try_acquire_owned().ok()) {
            Some(permit) => answer.map(|body| Body::new(Passing { body, _permit: permit })),
            None => too_many().into_response(),
        }
    }
}

fn too_many() -> Problem {
    Problem::new(ErrorKind::Unavailable, "too many large answers are on their way")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_so_many_large_answers_are_on_their_way() {
        let answers = Answers::default();
        let large = || Response::new(Body::from(vec![0; SMALL as usize + 1]));
        let file = "/api/v1/models/{model}/versions/{version}/files/{*path}";
        let begin = async |route| answers.begin(&Method::GET, Some(route)).await.ok();
        let mut all = Vec::new();
        for _ in 0..MOST {
            all.push(answers.pass(begin(file).await.unwrap(), large()));
        }
        assert!(all.iter().all(|answer| answer.status() == 200));
        assert!(begin(file).await.is_none(), "nothing is asked of the S3 server for it");
        // What was not known to be large turns out to be.
        let other = "/api/v1/models";
        assert_eq!(answers.pass(begin(other).await.unwrap(), large()).status(), 503);
        assert_eq!(answers.pass(begin(other).await.unwrap(), Response::new(Body::from("small"))).status(), 200);
        // One that ends makes room for one that waits.
        let (begun, ()) = tokio::join!(begin(file), async { drop(all.pop()) });
        assert!(begun.is_some());
    }
}
