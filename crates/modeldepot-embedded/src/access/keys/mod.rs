//! The file of key pairs: one line each, with a name, an access key, a secret key, and rights per bucket.
//!
//! A signature is checked by making it again, so the file holds the secrets as they are, and only its owner may read it.

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

/// The access key that programs of the owner sign with. Its secret is made with the data folder and known to no one else.
pub(crate) const CONSOLE_KEY: &str = "modeldepot-console";

/// What every access key that is made here begins with.
const ACCESS_PREFIX: &str = "MDK";

/// What every secret key that is made here begins with, so that one that leaked is recognised as what it is.
const SECRET_PREFIX: &str = "mds_";

/// The first lines of a file of keys.
const HEADER: &str = "# modeldepot keys: NAME ACCESS-KEY SECRET-KEY BUCKET=RIGHT ..., one a line.\n\
                      # The secret keys are not encrypted: keep this file private.\n";

/// No file of keys is larger.
const LARGEST: u64 = 1024 * 1024;

/// The fewest characters of a secret key that is written into the file by hand.
const SHORTEST_SECRET: usize = 16;

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("cannot {action} the file of keys `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read or write the file.
    #[error("the file of keys `{}` is open to other users: its mode is {mode:03o}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is none of a key pair. It holds no text of the line: it may be a secret.
    #[error("line {line} of `{}` is not a key pair: {wrong}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A key pair's name breaks its rule.
    #[error("`{}` is not a name for a key pair: use 1 to 64 letters, digits, `.`, `_` and `-`", name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// There is a key pair of that name.
    #[error("key pair `{name}` exists in `{}`", path.display())]
    Taken {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no key pair of that name.
    #[error("no key pair `{name}` in `{}`", path.display())]
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

/// A key pair of a file.
#[derive(Clone)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// The access key, which is not secret.
    pub access_key: String,
    /// What may be done with it.
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

/// The key pairs of a file.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads a file of keys.
    ///
    /// # Errors
    /// [`KeysError`], when it is missing, malformed, or open to other users.
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

    /// Makes a key pair, adds it to the file, and returns it. Lines that are there stay as they are.
    ///
    /// # Errors
    /// [`KeysError`], when the name is taken or the file cannot be written.
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

    /// Removes a key pair from the file. A server that reads the file refuses it from then on.
    ///
    /// # Errors
    /// [`KeysError`], when there is none of that name or the file cannot be written.
    pub fn remove(path: &Path, name: &str) -> Result<(), KeysError> {
        // A file that is not there needs no lock, which would leave a file of its own.
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

    /// Returns true when the file holds none, so that nobody is let in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key pair with this access key.
    pub(crate) fn find(&self, access_key: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.access_key == access_key)
    }
}

/// Parses a line; `None` for one that is empty or a comment.
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
    // To open a pipe waits for its writer.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(io::Error::other("it is not a file")));
    }
    let mut file = File::open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?;
    // Asked of the open file, so that it cannot be another by the time it is read.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeysError::Open { path: path.to_owned(), mode });
        }
    }
    if !found.is_file() || found.len() > LARGEST {
        return Err(io(io::Error::other("it is no file, or larger than any file of keys")));
    }
    let mut text = String::new();
    (&mut file).take(LARGEST).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

/// Returns what a link leads to, so that it is replaced, and not the link.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until no other process changes the file: of two changes at once, one would be lost.
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

/// Replaces the file as a whole, readable by its owner alone.
fn write(path: &Path, text: &str) -> Result<(), KeysError> {
    let io = |source| KeysError::Io { action: "write", path: path.to_owned(), source };
    // What is larger is never read again.
    if text.len() as u64 > LARGEST {
        return Err(io(io::Error::other("it would be larger than any file of keys")));
    }
    let path = &real(path);
    let folder = folder(path);
    // A temporary file is its owner's alone from its making on.
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

/// Returns 85 random bits as capital letters and digits, which every client takes for an access key.
fn access_key() -> Result<String, KeysError> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = random::<17>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    Ok(ACCESS_PREFIX.chars().chain(letters).collect())
}

#[cfg(test)]
mod tests;
