//! API tokens, as a file keeps them: one line each, with a name, grants, the BLAKE3 of the token, and what else is known.
//! The token itself is shown once, when it is made, and kept nowhere.
//!
//! A token is 256 random bits, so a fast hash keeps it: there is nothing to guess.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use modeldepot::ErrorKind;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::file;
use super::grants::Grants;

/// What every token begins with, so that one that leaked is recognised as what it is.
const PREFIX: &str = "mdt_";

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The file cannot be read or written.
    #[error("cannot {action} the token file `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Every user of the machine could add a token of their own.
    #[error("refused to use the token file `{}`: every user of this machine can write it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// A line is none of a token. It holds no text of the line: it may be a token.
    #[error("line {line} of `{}` is not `NAME GRANTS BLAKE3`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
    },
    /// A token's name breaks its rule.
    #[error("`{}` is not a valid token name: use 1 to 64 letters, digits, `.`, `_` and `-`", name.chars().take(80).collect::<String>().escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// There is a token of that name.
    #[error("token `{name}` already exists in `{}`", path.display())]
    Taken {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no token of that name.
    #[error("token `{name}` does not exist in `{}`", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A token that has expired is rotated without a new time.
    #[error("token `{name}` expired on {}", day(*expired))]
    Expired {
        /// The name.
        name: String,
        /// When it expired.
        expired: OffsetDateTime,
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("the system returned no random numbers")]
    Random,
}

impl TokensError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            TokensError::Io { .. } => ErrorKind::Io,
            TokensError::Line { .. } | TokensError::Name { .. } => ErrorKind::Invalid,
            TokensError::Taken { .. } | TokensError::Expired { .. } => ErrorKind::Conflict,
            TokensError::Unknown { .. } => ErrorKind::NotFound,
            TokensError::Writable { .. } => ErrorKind::Denied,
            TokensError::Random => ErrorKind::Internal,
        }
    }
}

/// A token, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub grants: Grants,
    /// When it was made, where that is known: older files do not say.
    pub created: Option<OffsetDateTime>,
    /// From when on it is refused.
    pub expires: Option<OffsetDateTime>,
    /// The BLAKE3 of the token.
    hash: blake3::Hash,
    /// The one before the last rotation, and until when it is taken.
    old: Option<(blake3::Hash, OffsetDateTime)>,
    /// Fields of the line that a later version of modeldepot wrote. They are kept.
    more: Vec<String>,
}

impl Token {
    /// Returns a token that is in no file.
    pub(super) fn of(name: &str, grants: impl Into<Grants>, hash: blake3::Hash) -> Token {
        let (name, grants) = (name.to_owned(), grants.into());
        Token { name, grants, created: None, expires: None, hash, old: None, more: Vec::new() }
    }

    /// Returns until when the secret from before the last rotation is taken, while it is.
    pub fn grace(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.old.map(|(_, until)| until).filter(|until| *until > now)
    }

    /// Returns true when the token is refused because of its age.
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Reads a line: `NAME GRANTS BLAKE3`, then fields `name=value`.
    pub(super) fn parse(line: &str) -> Option<Token> {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| is_name(name))?.to_owned();
        let grants = words.next()?.parse().ok()?;
        let hash = blake3::Hash::from_hex(words.next()?).ok()?;
        let mut token = Token { name, grants, created: None, expires: None, hash, old: None, more: Vec::new() };
        for field in words {
            let (key, value) = field.split_once('=')?;
            match key {
                "created" => token.created = Some(time(value)?),
                "expires" => token.expires = Some(time(value)?),
                "old" => {
                    let (hash, until) = value.split_once('@')?;
                    token.old = Some((blake3::Hash::from_hex(hash).ok()?, time(until)?));
                }
                _ => token.more.push(field.to_owned()),
            }
        }
        Some(token)
    }
}

/// The token's line.
pub(super) struct Line<'t>(pub(super) &'t Token);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token { name, grants, created, expires, hash, old, more } = self.0;
        write!(f, "{name} {grants} {}", hash.to_hex())?;
        if let Some(created) = created {
            write!(f, " created={}", written(*created))?;
        }
        if let Some(expires) = expires {
            write!(f, " expires={}", written(*expires))?;
        }
        if let Some((old, until)) = old {
            write!(f, " old={}@{}", old.to_hex(), written(*until))?;
        }
        more.iter().try_for_each(|field| write!(f, " {field}"))
    }
}

/// The tokens of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// A token that somebody showed, and how long it is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'t> {
    pub(super) token: &'t Token,
    pub(super) until: Option<OffsetDateTime>,
}

impl Tokens {
    /// Reads a token file.
    ///
    /// # Errors
    /// [`TokensError`], when it is missing or malformed, or when everybody may write it.
    pub fn read(path: &Path) -> Result<Tokens, TokensError> {
        Ok(file::read(path)?.into_iter().filter_map(file::Row::token).collect())
    }

    /// Makes a token that does not expire, adds it to the file, and returns it. It cannot be shown again.
    ///
    /// # Errors
    /// [`TokensError`], when the name is taken or the file cannot be written.
    pub fn add(path: &Path, name: &str, grants: impl Into<Grants>) -> Result<String, TokensError> {
        Tokens::add_until(path, name, grants, None)
    }

    /// As [`Tokens::add`]; from `expires` on the token is refused.
    ///
    /// # Errors
    /// As [`Tokens::add`].
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

    /// Gives a token a new secret and returns it. The secret before it is taken for as long as `grace` says. With
    /// `expires` the token has that time from now on.
    ///
    /// # Errors
    /// [`TokensError`], when there is none of that name, when it has expired and gets no new time, or when the file
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

    /// Removes a token from the file. A service that reads the file lets its bearer in no more.
    ///
    /// # Errors
    /// [`TokensError`], when there is none of that name or the file cannot be written.
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

    /// Returns true if the file is empty, so nobody has access.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is known of the bearer of a token, expired or not.
    pub(super) fn find(&self, secret: &str, now: OffsetDateTime) -> Option<Shown<'_>> {
        self.find_hash(blake3::hash(secret.as_bytes()), now)
    }

    /// As [`Tokens::find`], by the hash of the token.
    pub(super) fn find_hash(&self, hash: blake3::Hash, now: OffsetDateTime) -> Option<Shown<'_>> {
        // Hashes are compared in constant time.
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

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(good)
}

/// Returns a new token and its hash.
pub(super) fn secret() -> Result<(String, blake3::Hash), TokensError> {
    let secret = format!("{PREFIX}{}", random()?);
    let hash = blake3::hash(secret.as_bytes());
    Ok((secret, hash))
}

/// Returns the current second.
pub(super) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

/// Returns a time as the file has it.
pub(super) fn written(time: OffsetDateTime) -> String {
    time.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// Reads a time of the file.
pub(super) fn time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Returns a time as people are told it.
pub(super) fn day(time: OffsetDateTime) -> String {
    modeldepot::units::date(Some(time))
}

/// Returns 256 random bits as text.
pub(super) fn random() -> Result<String, TokensError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| TokensError::Random)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
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
        // The next rotation ends the grace of the one before, and without grace the old one is over at once.
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
        // The grace of an old secret is never longer than the token itself.
        Tokens::rotate(&path, "ci", Duration::from_secs(3600), Some(later)).unwrap();
        assert_eq!(Tokens::read(&path).unwrap().find(&old, now()).unwrap().until, Some(later));
    }

    #[test]
    fn lines_of_before_and_of_later_are_read() {
        let hash = blake3::hash(b"x").to_hex();
        let old = Token::parse(&format!("ci publish {hash}")).unwrap();
        assert_eq!((old.grants.to_string().as_str(), old.created, old.expires), ("publish", None, None));
        let line = format!(
            "ci read,publish:plant-* {hash} created=2026-11-26T10:00:00Z expires=2027-02-24T10:00:00Z old={hash}@2026-11-27T10:00:00Z note=later"
        );
        assert_eq!(Line(&Token::parse(&line).unwrap()).to_string(), line);
        for bad in [
            format!("ci admin {hash}"),
            format!("ci read: {hash}"),
            "ci read".to_owned(),
            "ci read abc".to_owned(),
            format!("ci read {hash} expires=soon"),
            format!("ci read {hash} expires"),
            format!("ci read {hash} old={hash}"),
            format!("c\u{7}i read {hash}"),
        ] {
            assert_eq!(Token::parse(&bad), None, "{bad}");
        }
    }
}
