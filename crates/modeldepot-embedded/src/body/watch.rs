//! Remembers what was wrong with a body until its request is answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use hyper::{Response, StatusCode};

use super::budget::Held;
use crate::refusal::plain_error;

/// The answer to a wrong body: status, code and message.
type Wrong = (StatusCode, String, String);

/// Remembers what was wrong with a body, and holds its memory, until the request is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    wrong: Option<Wrong>,
    held: Option<Held>,
}

impl Watch {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, status: StatusCode, code: &str, message: &str) {
        self.watched().wrong = Some((status, code.to_owned(), message.to_owned()));
    }

    /// Keeps a body's memory until the last clone of the watch is dropped.
    pub(super) fn hold(&self, held: Held) {
        self.watched().held = Some(held);
    }

    /// Returns true once the memory has been held for too long.
    pub(super) fn is_over(&self, cx: &mut Context<'_>) -> bool {
        self.watched().held.as_mut().is_some_and(|held| held.is_over(cx))
    }

    /// Returns the answer, if the body was wrong.
    pub(crate) fn answer(&self) -> Option<Response<s3s::Body>> {
        let (status, code, message) = self.watched().wrong.take()?;
        Some(plain_error(status, &code, &message))
    }
}
