//! A login in progress: the state that is needed when the browser returns from the provider.
//!
//! It is only stored in a cookie of that browser, so abandoned logins cannot lock others out. The cookie contains a
//! random seed, an expiry time and the requested page, authenticated with a key of this process. State, nonce and the
//! PKCE verifier are derived from the seed and the key, so the cookie reveals none of them.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use lru::LruCache;

use super::failure::Stale;

/// How many used attempts are remembered. The oldest is forgotten first; repeating it would also need a code that the
/// provider accepts twice.
const SPENT: usize = 10_000;

/// The longest page address to return to. Longer ones become the start page.
const LONGEST_NEXT: usize = 1024;

const SEED: usize = 16;
const END: usize = 8;
const MAC: usize = 32;

/// Creates attempts, and recognizes its own.
pub(super) struct Attempts {
    key: [u8; 32],
    began: Instant,
    lifetime: Duration,
    spent: Mutex<LruCache<[u8; SEED], ()>>,
}

/// A login in progress.
pub(super) struct Attempt {
    seed: [u8; SEED],
    key: [u8; 32],
    /// The requested page.
    pub(super) next: String,
}

impl Attempts {
    pub(super) fn new(lifetime: Duration) -> Result<Attempts, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let spent = Mutex::new(LruCache::new(NonZeroUsize::new(SPENT).unwrap_or(NonZeroUsize::MIN)));
        Ok(Attempts { key, began: Instant::now(), lifetime, spent })
    }

    /// Starts an attempt.
    pub(super) fn begin(&self, next: &str) -> Result<Attempt, getrandom::Error> {
        let mut seed = [0; SEED];
        getrandom::fill(&mut seed)?;
        let next = if next.len() > LONGEST_NEXT { "/" } else { next };
        Ok(Attempt { seed, key: self.key, next: next.to_owned() })
    }

    /// Returns the content of an attempt's cookie.
    pub(super) fn seal(&self, attempt: &Attempt) -> String {
        let end = self.began.elapsed().saturating_add(self.lifetime).as_millis().min(u64::MAX.into()) as u64;
        let mut text = [&attempt.seed[..], &end.to_be_bytes(), attempt.next.as_bytes()].concat();
        let mac = self.mac(&text);
        text.extend_from_slice(mac.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    /// Returns the attempt in a cookie.
    pub(super) fn open(&self, cookie: &str) -> Result<Attempt, Stale> {
        let text = BASE64_URL_SAFE_NO_PAD.decode(cookie).map_err(|_| Stale::Foreign)?;
        let length = text.len().checked_sub(MAC).filter(|length| *length >= SEED + END).ok_or(Stale::Foreign)?;
        let (text, mac) = text.split_at(length);
        let mac = <[u8; MAC]>::try_from(mac).map_err(|_| Stale::Foreign)?;
        // Comparing hashes takes constant time.
        if self.mac(text) != blake3::Hash::from_bytes(mac) {
            return Err(Stale::Foreign);
        }
        let (seed, rest) = text.split_at(SEED);
        let (end, next) = rest.split_at(END);
        let seed = <[u8; SEED]>::try_from(seed).map_err(|_| Stale::Foreign)?;
        let end = u64::from_be_bytes(end.try_into().map_err(|_| Stale::Foreign)?);
        if self.began.elapsed() >= Duration::from_millis(end) {
            return Err(Stale::Late);
        }
        if self.spent.lock().unwrap_or_else(PoisonError::into_inner).contains(&seed) {
            return Err(Stale::Spent);
        }
        let next = String::from_utf8(next.to_vec()).map_err(|_| Stale::Foreign)?;
        Ok(Attempt { seed, key: self.key, next })
    }

    /// Marks an attempt as used for a login.
    ///
    /// # Errors
    /// If it was used before.
    pub(super) fn spend(&self, attempt: &Attempt) -> Result<(), Stale> {
        let before = self.spent.lock().unwrap_or_else(PoisonError::into_inner).put(attempt.seed, ());
        before.map_or(Ok(()), |()| Err(Stale::Spent))
    }

    fn mac(&self, text: &[u8]) -> blake3::Hash {
        keyed(&self.key, "cookie", text)
    }
}

impl Attempt {
    /// Returns the state, which the provider returns with its answer.
    pub(super) fn state(&self) -> String {
        self.derived("state")
    }

    /// Returns the nonce, which the provider's token must contain.
    pub(super) fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// Returns the PKCE verifier, which proves that the same service requests and uses the code.
    pub(super) fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// Returns true if the state is that of this attempt. Takes constant time.
    pub(super) fn is_state(&self, state: &str) -> bool {
        blake3::hash(state.as_bytes()) == blake3::hash(self.state().as_bytes())
    }

    fn derived(&self, what: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(keyed(&self.key, what, &self.seed).as_bytes())
    }
}

/// Returns the keyed hash of a text for one purpose.
fn keyed(key: &[u8; 32], purpose: &str, text: &[u8]) -> blake3::Hash {
    blake3::Hasher::new_keyed(key).update(purpose.as_bytes()).update(&[0]).update(text).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_known_again_by_who_made_it_alone() {
        let (ours, others) = (Attempts::new(Duration::from_secs(60)).unwrap(), Attempts::new(Duration::MAX).unwrap());
        let attempt = ours.begin("/models/m?sort=-size").unwrap();
        let cookie = ours.seal(&attempt);
        let again = ours.open(&cookie).ok().unwrap();
        assert_eq!(
            (again.state(), again.nonce(), again.next),
            (attempt.state(), attempt.nonce(), attempt.next.clone())
        );
        assert!(attempt.is_state(&attempt.state()) && !attempt.is_state("") && !attempt.is_state(&attempt.nonce()));
        assert_eq!(others.open(&cookie).err(), Some(Stale::Foreign));
        for place in 0..cookie.len() {
            let mut other = cookie.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(ours.open(&other).err(), Some(Stale::Foreign), "{place}");
        }
        for bad in ["", "A", "ÄÖ", &"A".repeat(10_000), &cookie[..cookie.len() - 4]] {
            assert_eq!(ours.open(bad).err(), Some(Stale::Foreign));
        }
    }

    #[test]
    fn an_attempt_ends_and_works_once() {
        let at_once = Attempts::new(Duration::ZERO).unwrap();
        assert_eq!(at_once.open(&at_once.seal(&at_once.begin("/").unwrap())).err(), Some(Stale::Late));
        let attempts = Attempts::new(Duration::from_secs(600)).unwrap();
        let attempt = attempts.begin(&"/".repeat(5000)).unwrap();
        assert_eq!(attempt.next, "/");
        let cookie = attempts.seal(&attempt);
        assert!(cookie.len() < 2048);
        attempts.spend(&attempt).unwrap();
        assert_eq!(attempts.spend(&attempt), Err(Stale::Spent));
        assert_eq!(attempts.open(&cookie).err(), Some(Stale::Spent));
    }

    #[test]
    fn nothing_of_an_attempt_is_told_by_another_part_of_it() {
        let attempt = Attempts::new(Duration::MAX).unwrap().begin("/").unwrap();
        let parts = [attempt.state(), attempt.nonce(), attempt.verifier()];
        assert!(parts.iter().all(|part| part.len() == 43), "PKCE asks for 43 to 128 characters");
        assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2]);
    }
}
