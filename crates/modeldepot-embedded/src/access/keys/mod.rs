//! The key file: one key pair per line, with a name, an access key, a secret key and rights per bucket.
//!
//! Checking a signature means computing it again, so the file holds the secrets in plain text and only its owner may
//! read it.

mod right;
mod watched;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use s3s::auth::SecretKey;

pub use self::right::{Grant, Right};
pub(crate) use self::watched::Watched;
use crate::private;

/// The access key for the owner's own programs. Its secret is created with the data folder and never leaves it.
pub(crate) const CONSOLE_KEY: &str = "modeldepot-console";

/// The prefix of every generated access key.
const ACCESS_PREFIX: &str = "MDK";

/// The prefix of every generated secret key, so that secret scanners recognize a leaked one.
const SECRET_PREFIX: &str = "mds_";

/// The first lines of a key file.
const HEADER: &str = "# modeldepot keys: NAME ACCESS-KEY SECRET-KEY BUCKET=RIGHT ..., one a line.\n\
                      # The secret keys are not encrypted: keep this file private.\n";

/// The largest key file that is read.
const LARGEST: u64 = 1024 * 1024;

/// The shortest secret key accepted in a hand-written line.
const SHORTEST_SECRET: usize = 16;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("cannot {action} the key file `{}`", path.display())]
    Io {
        /// What failed, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Users other than the owner may read or write the file.
    #[error("the key file `{}` is accessible to other users: its mode is {mode:03o}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is not a valid key pair. The error holds no text of the line, which may be a secret.
    #[error("line {line} of `{}` is not a key pair: {wrong}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
        /// What is wrong with the line.
        wrong: &'static str,
    },
    /// The name of a key pair is not allowed.
    #[error("`{}` is not a name for a key pair: use 1 to 64 letters, digits, `.`, `_` and `-`", name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// A key pair of this name already exists.
    #[error("key pair `{name}` exists in `{}`", path.display())]
    Taken {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no key pair of this name.
    #[error("no key pair `{name}` in `{}`", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The system's random number generator failed.
    #[error("the system gives no random numbers")]
    Random,
}

/// A key pair from a key file.
#[derive(Clone)]
pub struct Key {
    /// The name.
    pub name: String,
    /// The access key, which is not secret.
    pub access_key: String,
    /// What the key pair permits.
    pub grants: Vec<Grant>,
    pub(crate) secret_key: SecretKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("access_key", &self.access_key)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Returns the secret key.
    pub fn secret_key(&self) -> &str {
        self.secret_key.expose()
    }
}

/// The key pairs of a key file.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeysError`], if it is missing, malformed, or accessible to other users.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        Self::parse(&read(path)?, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let malformed = |wrong| KeysError::Line { path: path.to_owned(), line: number + 1, wrong };
            let Some(key) = parse_line(line).map_err(malformed)? else { continue };
            if keys.iter().any(|other| other.name == key.name || other.access_key == key.access_key) {
                return Err(malformed("its name or access key is that of an earlier line"));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Creates a key pair, adds it to the file and returns it. Existing lines are left unchanged.
    ///
    /// # Errors
    /// [`KeysError`], if the name is taken or the file cannot be written.
    pub fn add(path: &Path, name: &str, grants: Vec<Grant>) -> Result<Key, KeysError> {
        if !is_name(name) {
            return Err(KeysError::Name { name: name.to_owned() });
        }
        let _lock = lock(path)?;
        let mut text = match read(path) {
            Err(KeysError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => HEADER.to_owned(),
            text => text?,
        };
        if Self::parse(&text, path)?.0.iter().any(|key| key.name == name) {
            return Err(KeysError::Taken { name: name.to_owned(), path: path.to_owned() });
        }
        let secret_key = format!("{SECRET_PREFIX}{}", BASE64.encode(random::<32>()?)).into();
        let key = Key { name: name.to_owned(), access_key: access_key()?, grants, secret_key };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text += &format!("{name} {} {}", key.access_key, key.secret_key.expose());
        for grant in &key.grants {
            text += &format!(" {grant}");
        }
        text.push('\n');
        write(path, &text)?;
        Ok(key)
    }

    /// Removes a key pair from the file. A running server refuses it as soon as it has reloaded the file.
    ///
    /// # Errors
    /// [`KeysError`], if there is no key pair of this name or the file cannot be written.
    pub fn remove(path: &Path, name: &str) -> Result<(), KeysError> {
        // Fails if there is no file: locking would create one beside it.
        read(path)?;
        let _lock = lock(path)?;
        let text = read(path)?;
        Self::parse(&text, path)?;
        let is_it = |line: &&str| matches!(parse_line(line), Ok(Some(key)) if key.name == name);
        if !text.lines().any(|line| is_it(&line)) {
            return Err(KeysError::Unknown { name: name.to_owned(), path: path.to_owned() });
        }
        let left: String = text.lines().filter(|line| !is_it(line)).flat_map(|line| [line, "\n"]).collect();
        write(path, &left)
    }

    /// Returns the key pairs, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Returns true if the file holds no key pairs, so that nobody has access through it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key pair with this access key.
    pub(crate) fn find(&self, access_key: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.access_key == access_key)
    }
}

/// Parses a line; `None` if it is empty or a comment.
fn parse_line(line: &str) -> Result<Option<Key>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let fields: Vec<_> = line.split_whitespace().collect();
    let [name, access_key, secret_key, grants @ ..] = &fields[..] else {
        return Err("write `NAME ACCESS-KEY SECRET-KEY BUCKET=RIGHT ...`");
    };
    if !is_name(name) {
        return Err("its name has other characters than letters, digits, `.`, `_` and `-`");
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(3..=128).contains(&access_key.len()) || !access_key.chars().all(good) || *access_key == CONSOLE_KEY {
        return Err("its access key is not one");
    }
    if !(SHORTEST_SECRET..=128).contains(&secret_key.len()) || !secret_key.bytes().all(|c| c.is_ascii_graphic()) {
        return Err("its secret key has fewer than 16 characters, or more than 128");
    }
    let grants = grants.iter().map(|grant| grant.parse());
    let grants =
        grants.collect::<Result<_, String>>().map_err(|_| "a right is not `BUCKET=read`, `write` or `admin`")?;
    Ok(Some(Key {
        name: (*name).to_owned(),
        access_key: (*access_key).to_owned(),
        secret_key: (*secret_key).into(),
        grants,
    }))
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(good)
}

fn read(path: &Path) -> Result<String, KeysError> {
    let io = |source| KeysError::Io { action: "read", path: path.to_owned(), source };
    // Opening a named pipe would block until something writes to it.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(io::Error::other("it is not a file")));
    }
    let mut file = File::open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?;
    // Checked on the open file, so that it cannot be replaced between the check and the read.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeysError::Open { path: path.to_owned(), mode });
        }
    }
    if !found.is_file() || found.len() > LARGEST {
        return Err(io(io::Error::other("it is not a regular file, or too large for a key file")));
    }
    let mut text = String::new();
    (&mut file).take(LARGEST).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

/// Resolves a symbolic link, so that its target is replaced and not the link.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until no other process is changing the file: of two simultaneous changes one would be lost.
fn lock(path: &Path) -> Result<File, KeysError> {
    let io = |source| KeysError::Io { action: "lock", path: path.to_owned(), source };
    let path = &real(path);
    private::create_dir_all(folder(path)).map_err(io)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let file = private::options().create(true).truncate(false).write(true).open(folder(path).join(name)).map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

/// Replaces the whole file; only its owner may read it.
fn write(path: &Path, text: &str) -> Result<(), KeysError> {
    let io = |source| KeysError::Io { action: "write", path: path.to_owned(), source };
    // A larger file could not be read back.
    if text.len() as u64 > LARGEST {
        return Err(io(io::Error::other("it would be too large for a key file")));
    }
    let path = &real(path);
    let folder = folder(path);
    // Temporary files are created readable by their owner only.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeysError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeysError::Random)?;
    Ok(bytes)
}

/// Returns 85 random bits as capital letters and digits, a form that every client accepts as an access key.
fn access_key() -> Result<String, KeysError> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = random::<17>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    Ok(ACCESS_PREFIX.chars().chain(letters).collect())
}

#[cfg(test)]
mod tests;
