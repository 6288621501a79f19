//! Limits concurrent large responses: each holds buffers and a connection to the S3 server until its client has
//! read it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use modeldepot::ErrorKind;
use tokio::time::timeout;

use crate::problem::{Problem, Result};
use crate::shares::{Place, Shares};

/// The most large answers at once.
const MOST: usize = 64;

/// How long a large answer waits for another to finish.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer up to this size is not large: it fits into socket buffers at once.
const SMALL: u64 = 128 << 10;

/// Counts large answers. Each caller gets a share of the places.
pub(crate) struct Answers(Arc<Shares>);

impl Default for Answers {
    fn default() -> Self {
        Self(Shares::new(MOST))
    }
}

/// A request whose answer may turn out large.
pub(crate) struct Begun {
    place: Option<Place>,
    by: Option<String>,
}

/// Returns true for a route whose answers may be large.
pub(crate) fn is_of_a_file(method: &Method, route: Option<&str>) -> bool {
    let of_a_file = route.is_some_and(|route| route.contains("/files/{") || route.starts_with("/buckets/{bucket}/"));
    of_a_file && *method == Method::GET
}

impl Answers {
    /// Admits a request before anything is requested from the S3 server for it. Its route tells whether the answer may
    /// be large.
    pub(crate) async fn begin(&self, of_a_file: bool, by: Option<String>) -> Result<Begun> {
        let place = match of_a_file {
            true => Some(timeout(PATIENCE, self.0.enter(by.as_deref())).await.map_err(|_| too_many())?),
            false => None,
        };
        Ok(Begun { place, by })
    }

    /// Passes an answer on, or replaces it with a request to try again if too many large ones are in progress.
    pub(crate) fn pass(&self, begun: Begun, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some_and(|size| size <= SMALL) {
            return answer;
        }
        match begun.place.or_else(|| self.0.try_enter(begun.by.as_deref())) {
            Some(place) => answer.map(|body| Body::new(Passing { body, _place: place })),
            None => too_many().into_response(),
        }
    }
}

fn too_many() -> Problem {
    Problem::new(ErrorKind::Unavailable, "too many large downloads are in progress")
        .hint("wait until one has finished, and fetch fewer files at once")
}

/// An answer being sent.
struct Passing {
    body: Body,
    _place: Place,
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
        let (file, other) = (true, false);
        let begin = async |of_a_file| answers.begin(of_a_file, None).await.ok();
        let mut all = Vec::new();
        for _ in 0..MOST {
            all.push(answers.pass(begin(file).await.unwrap(), large()));
        }
        assert!(all.iter().all(|answer| answer.status() == 200));
        assert!(begin(file).await.is_none(), "nothing is asked of the S3 server for it");
        // Not expected to be large, but it is.
        assert_eq!(answers.pass(begin(other).await.unwrap(), large()).status(), 503);
        assert_eq!(answers.pass(begin(other).await.unwrap(), Response::new(Body::from("small"))).status(), 200);
        // When one ends, one that waits gets its place.
        let (begun, ()) = tokio::join!(begin(file), async { drop(all.pop()) });
        assert!(begun.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_reads_slowly_leaves_room_for_others() {
        let answers = Answers::default();
        let large = || Response::new(Body::from(vec![0; SMALL as usize + 1]));
        let begin = async |by: &str| answers.begin(true, Some(by.to_owned())).await;
        let mut slow = Vec::new();
        let refused = loop {
            match begin("slow").await {
                Ok(begun) => slow.push(answers.pass(begun, large())),
                Err(problem) => break problem,
            }
        };
        assert_eq!(slow.len(), MOST / 2);
        assert!(refused.hint.is_some(), "{refused:?}");
        assert_eq!(answers.pass(begin("another").await.unwrap(), large()).status(), 200);
    }

    #[test]
    fn routes_of_files() {
        let is = |method, route| is_of_a_file(&method, Some(route));
        assert!(is(Method::GET, "/api/v1/models/{model}/versions/{version}/files/{*path}"));
        assert!(is(Method::GET, "/buckets/{bucket}/object"));
        assert!(!is(Method::HEAD, "/buckets/{bucket}/object") && !is(Method::GET, "/api/v1/models"));
    }
}
