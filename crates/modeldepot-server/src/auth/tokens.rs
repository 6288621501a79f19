//! The file of API tokens: one line each, with a name, a scope, and the BLAKE3 of the token. The token itself is shown
//! once, when it is made, and kept nowhere.
//!
//! A token is 256 random bits, so a fast hash keeps it: there is nothing to guess.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use modeldepot::ErrorKind;

use super::grants::Scope;

/// What every token begins with, so that one that leaked is recognised as what it is.
const PREFIX: &str = "mdt_";

/// The first line of a file of tokens.
const HEADER: &str = "# modeldepot tokens: NAME SCOPE BLAKE3-OF-TOKEN, one a line\n";

/// No file of tokens is larger.
const LARGEST: u64 = 1024 * 1024;

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The file cannot be read or written.
    #[error("cannot {action} the file of tokens `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is none of a token. It holds no text of the line: it may be a token.
    #[error("line {line} of `{}` is not `NAME SCOPE BLAKE3`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
    },
    /// A token's name breaks its rule.
    #[error("`{}` is not a name for a token: use 1 to 64 letters, digits, `.`, `_` and `-`", name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// There is a token of that name.
    #[error("there is a token `{name}` in `{}`", path.display())]
    Taken {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no token of that name.
    #[error("there is no token `{name}` in `{}`", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl TokensError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            TokensError::Io { .. } => ErrorKind::Io,
            TokensError::Line { .. } | TokensError::Name { .. } => ErrorKind::Invalid,
            TokensError::Taken { .. } => ErrorKind::Conflict,
            TokensError::Unknown { .. } => ErrorKind::NotFound,
            TokensError::Random => ErrorKind::Internal,
        }
    }

    /// Returns what to do next, in words.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            TokensError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "`modeldepot token add NAME --scope read` makes it".to_owned()
            }
            TokensError::Io { source, .. } => return modeldepot::hint::disk(source),
            TokensError::Line { .. } => "remove the line, and make tokens with `modeldepot token add`".to_owned(),
            TokensError::Taken { name, .. } => format!("`modeldepot token rm {name}` revokes it"),
            TokensError::Unknown { .. } => "`modeldepot token list` lists them".to_owned(),
            TokensError::Name { .. } | TokensError::Random => return None,
        })
    }
}

/// A token, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub scope: Scope,
    /// The BLAKE3 of the token.
    pub(super) hash: blake3::Hash,
}

/// The tokens of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads a file of tokens.
    ///
    /// # Errors
    /// [`TokensError`], when it is missing or malformed.
    pub fn read(path: &Path) -> Result<Tokens, TokensError> {
        let io = |source| TokensError::Io { action: "read", path: path.to_owned(), source };
        if fs::metadata(path).map_err(io)?.len() > LARGEST {
            return Err(io(io::Error::other("it is larger than any file of tokens")));
        }
        let text = fs::read_to_string(path).map_err(io)?;
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || TokensError::Line { path: path.to_owned(), line: number + 1 };
            let [name, scope, hash] = line.split_whitespace().collect::<Vec<_>>()[..] else { return Err(malformed()) };
            let scope = scope.parse().map_err(|_| malformed())?;
            let hash = blake3::Hash::from_hex(hash).map_err(|_| malformed())?;
            tokens.push(Token { name: name.to_owned(), scope, hash });
        }
        Ok(Tokens(tokens))
    }

    /// Makes a token, adds it to the file, and returns it. It cannot be shown again.
    ///
    /// # Errors
    /// [`TokensError`], when the name is taken or the file cannot be written.
    pub fn add(path: &Path, name: &str, scope: Scope) -> Result<String, TokensError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=64).contains(&name.len()) || !name.chars().all(good) {
            return Err(TokensError::Name { name: name.to_owned() });
        }
        let mut tokens = match Tokens::read(path) {
            Err(TokensError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Tokens::default(),
            tokens => tokens?,
        };
        if tokens.0.iter().any(|token| token.name == name) {
            return Err(TokensError::Taken { name: name.to_owned(), path: path.to_owned() });
        }
        let secret = format!("{PREFIX}{}", random()?);
        tokens.0.push(Token { name: name.to_owned(), scope, hash: blake3::hash(secret.as_bytes()) });
        tokens.write(path)?;
        Ok(secret)
    }

    /// Removes a token from the file. A service that reads the file lets its bearer in no more.
    ///
    /// # Errors
    /// [`TokensError`], when there is none of that name or the file cannot be written.
    pub fn remove(path: &Path, name: &str) -> Result<(), TokensError> {
        let mut tokens = Tokens::read(path)?;
        let before = tokens.0.len();
        tokens.0.retain(|token| token.name != name);
        if tokens.0.len() == before {
            return Err(TokensError::Unknown { name: name.to_owned(), path: path.to_owned() });
        }
        tokens.write(path)
    }

    /// Returns the tokens, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// Returns true when the file holds none, so that nobody is let in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is known of the bearer of a token.
    pub(super) fn find(&self, secret: &str) -> Option<&Token> {
        let hash = blake3::hash(secret.as_bytes());
        // Hashes are compared in constant time.
        self.0.iter().find(|token| token.hash == hash)
    }

    /// Replaces the file as a whole, readable by its owner alone.
    fn write(&self, path: &Path) -> Result<(), TokensError> {
        let io = |source| TokensError::Io { action: "write", path: path.to_owned(), source };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(io)?;
        // A temporary file is its owner's alone from its making on.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        let mut text = HEADER.to_owned();
        for Token { name, scope, hash } in &self.0 {
            text += &format!("{name} {scope} {}\n", hash.to_hex());
        }
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io)?;
        file.persist(path).map_err(|error| io(error.error))?;
        Ok(())
    }
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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let tokens = Tokens::read(&path).unwrap();
        assert_eq!(tokens.find(&ci).unwrap().scope, Scope::Publish);
        assert_eq!(tokens.find(&ana).unwrap().name, "ana");
        assert_eq!(tokens.find("mdt_"), None);
        Tokens::remove(&path, "ci").unwrap();
        assert!(matches!(Tokens::remove(&path, "ci"), Err(TokensError::Unknown { .. })));
        assert_eq!(Tokens::read(&path).unwrap().find(&ci), None);
    }

    #[test]
    fn a_malformed_line_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "# tokens\n\nmdt_secret\n").unwrap();
        let error = Tokens::read(&path).unwrap_err();
        assert!(error.to_string().starts_with("line 3 of") && !error.to_string().contains("secret"), "{error}");
    }
}
