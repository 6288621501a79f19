//! A cached value of the bucket.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use modeldepot::Result;

/// How long a value is used without asking again. Changes made elsewhere appear after this time plus the time of a
/// request.
const FRESH: Duration = Duration::from_secs(1);

/// How old a value may be while it is refreshed in the background: a listing may take long.
const LATE: Duration = Duration::from_secs(10);

/// How long a value is kept fresh after its last use.
const IDLE: Duration = Duration::from_secs(30);

/// A value that is requested again once it is older than a second, by one caller on behalf of all.
pub(super) struct Watched<T> {
    value: RwLock<Option<(Instant, Arc<T>)>>,
    turn: tokio::sync::Mutex<()>,
    /// When it was last used, while it is being kept fresh.
    wanted: Mutex<Option<Instant>>,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self { value: RwLock::default(), turn: tokio::sync::Mutex::default(), wanted: Mutex::default() }
    }
}

impl<T> Watched<T> {
    /// Returns the value if it is fresh.
    pub(super) fn fresh(&self) -> Option<Arc<T>> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, value)| Arc::clone(value))
    }

    /// Returns the value if it is being kept fresh, and records the use.
    pub(super) fn kept(&self) -> Option<Arc<T>> {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted.as_mut()? = Instant::now();
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.as_ref().filter(|(at, _)| at.elapsed() < LATE).map(|(_, value)| Arc::clone(value))
    }

    /// Keeps the value fresh while it is used, unless this is already happening.
    pub(super) fn keep<F, K>(
        self: &Arc<Self>,
        ask: impl Fn() -> F + Send + Sync + 'static,
        unchanged: impl Fn() -> K + Send + Sync + 'static,
    ) where
        T: Send + Sync + 'static,
        F: Future<Output = Result<Arc<T>>> + Send,
        K: FnOnce() -> bool + Send,
    {
        if self.wanted.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now()).is_some() {
            return;
        }
        let watched = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(FRESH).await;
                let asked = {
                    let wanted = watched.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                    wanted.is_some_and(|at| at.elapsed() < IDLE)
                };
                // The next caller will see the error.
                if !asked || watched.get(|_| ask(), unchanged()).await.is_err() {
                    break;
                }
            }
            *watched.wanted.lock().unwrap_or_else(PoisonError::into_inner) = None;
        });
    }

    /// Returns the value, however old.
    pub(super) fn last(&self) -> Option<Arc<T>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, value)| Arc::clone(value))
    }

    pub(super) fn forget(&self) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the value. If it is not fresh, it is requested with `ask`, which gets the old value. It is cached if
    /// `keep` still returns true afterwards.
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
        // Another caller may have requested it meanwhile.
        if let Some(value) = self.fresh() {
            return Ok(value);
        }
        // The value is at least as recent as the request.
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
