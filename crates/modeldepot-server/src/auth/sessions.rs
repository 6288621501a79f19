//! Who is logged in with a browser: a cookie that names a session, kept in memory. A restart logs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::tokens::{TokensError, random};

/// How long a session lasts, used or not.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Sessions at once. Beyond that the oldest ends.
const MOST: usize = 10_000;

/// A browser that is logged in.
#[derive(Clone)]
pub(super) struct Session {
    /// The hash of the token that it was logged in with: when that is revoked the session is over.
    pub(super) token: blake3::Hash,
    /// What its pages send along with what they ask to be done.
    pub(super) csrf: String,
    begun: Instant,
}

/// The sessions, by the hash of their cookies.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<blake3::Hash, Session>>);

impl Sessions {
    /// Begins a session, and returns what its cookie holds.
    pub(super) fn begin(&self, token: blake3::Hash) -> Result<String, TokensError> {
        let (cookie, csrf) = (random()?, random()?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.begun.elapsed() < LIFETIME);
        if sessions.len() >= MOST
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.begun).map(|(name, _)| *name)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(blake3::hash(cookie.as_bytes()), Session { token, csrf, begun: Instant::now() });
        Ok(cookie)
    }

    pub(super) fn find(&self, cookie: &str) -> Option<Session> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&blake3::hash(cookie.as_bytes()))?;
        (session.begun.elapsed() < LIFETIME).then(|| session.clone())
    }

    pub(super) fn end(&self, cookie: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&blake3::hash(cookie.as_bytes()));
    }
}
