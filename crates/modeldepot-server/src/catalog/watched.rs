//! A value of the bucket, kept for a moment.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use modeldepot::Result;

/// How long a value is taken for the bucket's own: what is published elsewhere shows after that, and after the time that
/// it takes to look.
const FRESH: Duration = Duration::from_secs(1);

/// A value that is asked for again once it is older than a second, by one caller for all.
pub(super) struct Watched<T> {
    value: RwLock<Option<(Instant, Arc<T>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self { value: RwLock::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T> Watched<T> {
    /// Returns the value if it need not be asked for.
    pub(super) fn fresh(&self) -> Option<Arc<T>> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, value)| Arc::clone(value))
    }

    /// Returns the value, however old.
    pub(super) fn last(&self) -> Option<Arc<T>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, value)| Arc::clone(value))
    }

    pub(super) fn forget(&self) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the value, asked for by `ask` if need be, which gets the last one. It is kept if `keep` says so in the end.
    pub(super) async fn get<F>(
        &self,
        ask: impl FnOnce(Option<Arc<T>>) -> F,
        keep: impl FnOnce() -> bool,
    ) -> Result<Arc<T>>
    where
        F: Future<Output = Result<Arc<T>>>,
    {
        if let Some(value) = self.fresh() {
            return Ok(value);
        }
        let _turn = self.turn.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(value) = self.fresh() {
            return Ok(value);
        }
        // What is found is at least as old as the question.
        let asked = Instant::now();
        let found = ask(self.last()).await;
        let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
        *value = match &found {
            Ok(found) if keep() => Some((asked, Arc::clone(found))),
            _ => None,
        };
        found
    }
}
