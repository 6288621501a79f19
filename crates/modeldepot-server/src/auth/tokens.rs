//! The tokens of a file. The secret of a token is shown once, when it is created, and not stored.

use std::path::Path;

use time::OffsetDateTime;

use super::file;
use super::grants::Grants;
use super::token::{Token, is_name, now, secret};
use super::tokens_error::TokensError;

/// The tokens of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// The token that a caller presented, and until when it is accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'t> {
    pub(super) token: &'t Token,
    pub(super) until: Option<OffsetDateTime>,
}

impl Tokens {
    /// Reads a token file.
    ///
    /// # Errors
    /// [`TokensError`], if it is missing, malformed, or writable by every user.
    pub fn read(path: &Path) -> Result<Tokens, TokensError> {
        Ok(file::read(path)?.into_iter().filter_map(file::Row::token).collect())
    }

    /// Creates a token that does not expire, adds it to the file and returns it. It cannot be shown again.
    ///
    /// # Errors
    /// [`TokensError`], if the name is taken or the file cannot be written.
    pub fn add(path: &Path, name: &str, grants: impl Into<Grants>) -> Result<String, TokensError> {
        Tokens::add_until(path, name, grants, None)
    }

    /// Like [`Tokens::add`], for a token that expires at `expires`.
    ///
    /// # Errors
    /// The same.
    pub fn add_until(
        path: &Path,
        name: &str,
        grants: impl Into<Grants>,
        expires: Option<OffsetDateTime>,
    ) -> Result<String, TokensError> {
        if !is_name(name) {
            return Err(TokensError::Name { name: name.to_owned() });
        }
        let (secret, hash) = secret()?;
        let token = Token { created: Some(now()), expires, ..Token::of(name, grants, hash) };
        file::change(path, true, |rows| {
            match rows.iter().any(|row| row.is(name)) {
                true => return Err(TokensError::Taken { name: name.to_owned(), path: path.to_owned() }),
                false => rows.push(file::Row::Token(token)),
            }
            Ok(secret)
        })
    }

    /// Gives a token a new secret and returns it. The previous secret is accepted for `grace` longer. With `expires`,
    /// the token gets a new expiry time.
    ///
    /// # Errors
    /// [`TokensError`], if there is no token of this name, if it has expired and gets no new time, or if the file
    /// cannot be written.
    pub fn rotate(
        path: &Path,
        name: &str,
        grace: std::time::Duration,
        expires: Option<OffsetDateTime>,
    ) -> Result<String, TokensError> {
        let (secret, hash) = secret()?;
        let now = now();
        file::change(path, false, |rows| {
            let mut tokens = rows.iter_mut().filter_map(file::Row::as_token);
            let token = tokens.find(|token| token.name == name);
            let token = token.ok_or_else(|| TokensError::Unknown { name: name.to_owned(), path: path.to_owned() })?;
            if let Some(expired) = token.expires.filter(|at| *at <= now && expires.is_none()) {
                return Err(TokensError::Expired { name: name.to_owned(), expired, path: path.to_owned() });
            }
            let until = now.checked_add(grace.try_into().unwrap_or(time::Duration::MAX));
            token.old = until.filter(|until| *until > now).map(|until| (token.hash, until));
            token.hash = hash;
            token.expires = expires.or(token.expires);
            Ok(secret)
        })
    }

    /// Removes a token from the file. A running service refuses it as soon as it has reloaded the file.
    ///
    /// # Errors
    /// [`TokensError`], if there is no token of this name or the file cannot be written.
    pub fn remove(path: &Path, name: &str) -> Result<(), TokensError> {
        file::change(path, false, |rows| {
            let before = rows.len();
            rows.retain(|row| !row.is(name));
            match rows.len() == before {
                true => Err(TokensError::Unknown { name: name.to_owned(), path: path.to_owned() }),
                false => Ok(()),
            }
        })
    }

    /// Returns the tokens, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// Returns true if there are no tokens, so nobody has access.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the token with this secret, whether or not it has expired.
    pub(super) fn find(&self, secret: &str, now: OffsetDateTime) -> Option<Shown<'_>> {
        self.find_hash(blake3::hash(secret.as_bytes()), now)
    }

    /// Like [`Tokens::find`], by the hash of the secret.
    pub(super) fn find_hash(&self, hash: blake3::Hash, now: OffsetDateTime) -> Option<Shown<'_>> {
        // Comparing hashes takes constant time.
        self.0.iter().find_map(|token| {
            if token.hash == hash {
                return Some(Shown { token, until: token.expires });
            }
            let (old, grace) = token.old?;
            let until = token.expires.map_or(grace, |expires| expires.min(grace));
            (old == hash && grace > now).then_some(Shown { token, until: Some(until) })
        })
    }
}

impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Tokens {
        Tokens(tokens.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::auth::Scope;

    #[test]
    fn a_token_is_kept_as_its_hash_and_revoked_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("tokens");
        let ci = Tokens::add(&path, "ci", Scope::Publish).unwrap();
        let ana = Tokens::add(&path, "ana", Scope::Read).unwrap();
        assert!(ci.starts_with("mdt_") && ci.len() == 47, "{ci}");
        assert!(matches!(Tokens::add(&path, "ci", Scope::Read), Err(TokensError::Taken { .. })));
        assert!(matches!(Tokens::add(&path, "a b", Scope::Read), Err(TokensError::Name { .. })));
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&ci[4..]) && !text.contains(&ana[4..]), "{text}");
        let tokens = Tokens::read(&path).unwrap();
        assert_eq!(tokens.find(&ci, now()).unwrap().token.grants, Scope::Publish.into());
        assert_eq!(tokens.find(&ana, now()).unwrap().token.name, "ana");
        assert!(tokens.find("mdt_", now()).is_none());
        Tokens::remove(&path, "ci").unwrap();
        assert!(matches!(Tokens::remove(&path, "ci"), Err(TokensError::Unknown { .. })));
        assert!(Tokens::read(&path).unwrap().find(&ci, now()).is_none());
    }

    #[test]
    fn a_rotated_token_has_two_secrets_until_the_grace_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let old = Tokens::add(&path, "ci", Scope::Publish).unwrap();
        let new = Tokens::rotate(&path, "ci", Duration::from_secs(3600), None).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        let (begun, over) = (now(), now() + Duration::from_secs(3601));
        assert_eq!(tokens.find(&new, begun).unwrap().until, None);
        assert!(tokens.find(&old, begun).unwrap().until.is_some_and(|until| until > begun && until <= over));
        assert!(tokens.find(&old, over).is_none() && tokens.find(&new, over).is_some());
        // The next rotation ends the previous grace period. Without grace, the old secret is invalid at once.
        let third = Tokens::rotate(&path, "ci", Duration::ZERO, None).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert!(tokens.find(&old, begun).is_none() && tokens.find(&new, begun).is_none());
        assert!(tokens.find(&third, begun).is_some());
        assert!(matches!(Tokens::rotate(&path, "cd", Duration::ZERO, None), Err(TokensError::Unknown { .. })));
    }

    #[test]
    fn an_expired_token_is_rotated_only_with_a_new_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let past = now() - Duration::from_secs(1);
        let old = Tokens::add_until(&path, "ci", Scope::Read, Some(past)).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert!(tokens.find(&old, now()).unwrap().token.is_expired(now()));
        assert!(!tokens.find(&old, now()).unwrap().token.is_expired(past - Duration::from_secs(1)));
        assert!(matches!(Tokens::rotate(&path, "ci", Duration::ZERO, None), Err(TokensError::Expired { .. })));
        let later = now() + Duration::from_secs(60);
        // An old secret never outlives its token.
        Tokens::rotate(&path, "ci", Duration::from_secs(3600), Some(later)).unwrap();
        assert_eq!(Tokens::read(&path).unwrap().find(&old, now()).unwrap().until, Some(later));
    }
}
