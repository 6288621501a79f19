//! An API token, and its line in the token file: a name, grants, the BLAKE3 of the token, and further fields.
//!
//! A token has 256 random bits and cannot be guessed, so a fast hash is enough.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::grants::Grants;
use super::tokens_error::TokensError;

/// The prefix of every token, so that secret scanners recognize a leaked one.
const PREFIX: &str = "mdt_";

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub grants: Grants,
    /// When it was created, if known: older files do not say.
    pub created: Option<OffsetDateTime>,
    /// When it expires.
    pub expires: Option<OffsetDateTime>,
    /// The BLAKE3 of the token.
    pub(super) hash: blake3::Hash,
    /// The secret before the last rotation, and until when it is accepted.
    pub(super) old: Option<(blake3::Hash, OffsetDateTime)>,
    /// Fields written by a later version of modeldepot. They are kept.
    pub(super) more: Vec<String>,
}

impl Token {
    /// Returns a token that is not in a file yet.
    pub(super) fn of(name: &str, grants: impl Into<Grants>, hash: blake3::Hash) -> Token {
        let (name, grants) = (name.to_owned(), grants.into());
        Token { name, grants, created: None, expires: None, hash, old: None, more: Vec::new() }
    }

    /// Returns until when the secret before the last rotation is accepted, if it still is.
    pub fn grace(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.old.map(|(_, until)| until).filter(|until| *until > now)
    }

    /// Returns true if the token has expired.
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Parses a line: `NAME GRANTS BLAKE3`, then fields `name=value`.
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

/// Formats a token as its line.
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

/// Returns true for a valid token name.
pub(super) fn is_name(name: &str) -> bool {
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

/// Formats a time as in the file.
pub(super) fn written(time: OffsetDateTime) -> String {
    time.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// Parses a time from the file.
pub(super) fn time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Returns 256 random bits as text.
pub(super) fn random() -> Result<String, TokensError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| TokensError::Random)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

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
