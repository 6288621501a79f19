//! Browser sessions, identified by a cookie and kept in memory. A restart logs everyone out.
//!
//! A session belongs to a token or a person. A token is looked up at every request, so revoking it ends its sessions. A
//! person keeps the grants determined at login until the session ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::grants::Grants;
use super::token::random;
use super::tokens_error::TokensError;

/// The longest duration of a session, whether used or not.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// The most sessions. Beyond that, the oldest ends.
const MOST: usize = 10_000;

/// The most sessions of one token or person. Beyond that, their own oldest ends.
const MOST_EACH: usize = 100;

/// A person known to the login provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "oidc"), allow(dead_code, reason = "nobody logs in by a provider then"))]
pub(crate) struct Person {
    /// The display name.
    pub(crate) name: String,
    /// The provider's permanent identifier of the person, unlike the name.
    pub(crate) subject: String,
    /// The provider.
    pub(crate) issuer: String,
    /// What the person may do.
    pub(crate) grants: Grants,
    /// The longest duration of their session.
    pub(crate) lasts: Duration,
}

impl Person {
    /// Returns the name for manifests, which must differ from names of tokens: with the provider's host appended,
    /// unless it is an email address.
    pub(super) fn address(&self) -> String {
        let issuer = url::Url::parse(&self.issuer).ok();
        let host = issuer.as_ref().and_then(url::Url::host_str).unwrap_or_default();
        if self.name.contains('@') { self.name.clone() } else { format!("{}@{host}", self.name) }
    }
}

/// The owner of a session.
#[derive(Clone)]
pub(super) enum Holder {
    /// The hash of the token used to log in; revoking the token ends the session.
    Token(blake3::Hash),
    Person(Arc<Person>),
}

impl Holder {
    /// Returns the same value for all sessions of a token or person.
    fn owner(&self) -> blake3::Hash {
        match self {
            Holder::Token(hash) => *hash,
            Holder::Person(person) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(person.issuer.as_bytes()).update(&[0]).update(person.subject.as_bytes());
                hasher.finalize()
            }
        }
    }
}

/// A logged-in browser.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) holder: Holder,
    /// The CSRF token that its pages send with every change.
    pub(super) csrf: String,
    owner: blake3::Hash,
    begun: Instant,
    lasts: Duration,
}

impl Session {
    fn is_over(&self) -> bool {
        self.begun.elapsed() >= self.lasts
    }
}

/// The sessions, by the hash of their cookies.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<blake3::Hash, Session>>);

impl Sessions {
    /// Starts a session, and returns the content of its cookie and its duration.
    pub(super) fn begin(&self, holder: Holder) -> Result<(String, Duration), TokensError> {
        let lasts = match &holder {
            Holder::Token(_) => LIFETIME,
            Holder::Person(person) => person.lasts.min(LIFETIME),
        };
        let (cookie, csrf, owner) = (random()?, random()?, holder.owner());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over());
        if sessions.values().filter(|session| session.owner == owner).count() >= MOST_EACH {
            end_oldest(&mut sessions, |session| session.owner == owner);
        }
        if sessions.len() >= MOST {
            end_oldest(&mut sessions, |_| true);
        }
        let session = Session { holder, csrf, owner, begun: Instant::now(), lasts };
        sessions.insert(blake3::hash(cookie.as_bytes()), session);
        Ok((cookie, lasts))
    }

    pub(super) fn find(&self, cookie: &str) -> Option<Session> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&blake3::hash(cookie.as_bytes()))?;
        (!session.is_over()).then(|| session.clone())
    }

    pub(super) fn end(&self, cookie: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&blake3::hash(cookie.as_bytes()));
    }
}

fn end_oldest(sessions: &mut HashMap<blake3::Hash, Session>, which: impl Fn(&Session) -> bool) {
    let oldest = sessions.iter().filter(|(_, session)| which(session)).min_by_key(|(_, session)| session.begun);
    if let Some(oldest) = oldest.map(|(cookie, _)| *cookie) {
        sessions.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::super::grants::Scope;
    use super::*;

    fn person(subject: &str, lasts: Duration) -> Holder {
        Holder::Person(Arc::new(Person {
            name: "ana".to_owned(),
            subject: subject.to_owned(),
            issuer: "https://id.example".to_owned(),
            grants: Scope::Read.into(),
            lasts,
        }))
    }

    #[test]
    fn a_session_ends_with_its_time_or_by_logging_out() {
        let sessions = Sessions::default();
        let (over, _) = sessions.begin(person("1", Duration::ZERO)).unwrap();
        assert!(sessions.find(&over).is_none());
        let (cookie, lasts) = sessions.begin(person("1", Duration::MAX)).unwrap();
        assert_eq!(lasts, LIFETIME, "no session lasts longer");
        assert!(sessions.find(&cookie).is_some() && sessions.find("").is_none());
        sessions.end(&cookie);
        assert!(sessions.find(&cookie).is_none());
    }

    #[test]
    fn nobody_ends_the_sessions_of_others_by_logging_in_often() {
        let sessions = Sessions::default();
        let (other, _) = sessions.begin(person("other", LIFETIME)).unwrap();
        let (token, _) = sessions.begin(Holder::Token(blake3::hash(b"token"))).unwrap();
        let mine: Vec<String> = (0..=MOST_EACH).map(|_| sessions.begin(person("mine", LIFETIME)).unwrap().0).collect();
        assert!(sessions.find(&mine[0]).is_none() && sessions.find(&mine[1]).is_some());
        assert!(sessions.find(&other).is_some() && sessions.find(&token).is_some());
        assert_eq!(sessions.0.lock().unwrap().len(), MOST_EACH + 2);
    }
}
