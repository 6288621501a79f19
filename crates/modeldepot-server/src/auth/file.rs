//! The token file: read as a whole, and changed under a lock so that concurrent changes are not lost.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::token::{Line, Token};
use super::tokens_error::TokensError;

/// The first line of a token file.
const HEADER: &str =
    "# modeldepot tokens: NAME GRANTS BLAKE3-OF-TOKEN [created=TIME] [expires=TIME] [old=BLAKE3@TIME], one a line";

/// The largest token file.
const LARGEST: u64 = 1024 * 1024;

/// A line.
pub(super) enum Row {
    Token(Token),
    /// A comment or an empty line, which is kept.
    Other(String),
}

impl Row {
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self, Row::Token(token) if token.name == name)
    }

    pub(super) fn token(self) -> Option<Token> {
        match self {
            Row::Token(token) => Some(token),
            Row::Other(_) => None,
        }
    }

    pub(super) fn as_token(&mut self) -> Option<&mut Token> {
        match self {
            Row::Token(token) => Some(token),
            Row::Other(_) => None,
        }
    }
}

/// Reads the lines.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, TokensError> {
    let io = |source| TokensError::Io { action: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if is_writable_by_all(&file).map_err(io)? {
        return Err(TokensError::Writable { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(io)?;
    if text.len() as u64 > LARGEST {
        return Err(io(io::Error::other("it is too large for a token file")));
    }
    let rows = text.lines().enumerate().map(|(number, line)| match line.trim() {
        line if line.is_empty() || line.starts_with('#') => Ok(Row::Other(line.to_owned())),
        line => match Token::parse(line) {
            Some(token) => Ok(Row::Token(token)),
            None => Err(TokensError::Line { path: path.to_owned(), line: number + 1 }),
        },
    });
    rows.collect()
}

/// Changes the file under a lock: it is read, changed, and replaced by a file that only its owner may read.
pub(super) fn change<T>(
    path: &Path,
    create: bool,
    change: impl FnOnce(&mut Vec<Row>) -> Result<T, TokensError>,
) -> Result<T, TokensError> {
    let io = |source| TokensError::Io { action: "write", path: path.to_owned(), source };
    // If the path is a symbolic link, its target is replaced, not the link.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if !create && !real.exists() {
        read(path)?;
    }
    let folder = folder(&real);
    fs::create_dir_all(folder).map_err(io)?;
    let lock = private(&beside(&real, ".lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let mut rows = match read(path) {
        Err(TokensError::Io { source, .. }) if create && source.kind() == io::ErrorKind::NotFound => {
            vec![Row::Other(HEADER.to_owned())]
        }
        rows => rows?,
    };
    let changed = change(&mut rows)?;
    let mut text = String::new();
    for row in &rows {
        match row {
            Row::Token(token) => text += &Line(token).to_string(),
            Row::Other(line) => text += line,
        }
        text.push('\n');
    }
    replace(&real, text.as_bytes()).map_err(io)?;
    Ok(changed)
}

/// Replaces a whole file with one that only its owner may read.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    // Temporary files are created readable by their owner only.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    if let Ok(found) = fs::metadata(path) {
        use std::os::unix::fs::MetadataExt as _;
        // If root changes the file of a service, it still belongs to the service. Other users own it already.
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(found.uid()), Some(found.gid()));
    }
    file.persist(path).map_err(|error| error.error)?;
    // Windows cannot sync a folder.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Returns the path of a file next to another one.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a file for locking. Only its owner has access.
pub(super) fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn is_writable_by_all(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = file.metadata()?;
    Ok(found.is_file() && found.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
fn is_writable_by_all(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Returns a warning if other users may read the token file, or its group may write it.
pub fn warning(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Something else, such as a device named by mistake, should not get a recommendation to change its permissions.
        let mode = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.permissions().mode() & 0o777;
        let who = match (mode & 0o020, mode & 0o044) {
            (0, 0) => return None,
            (0, _) => "read",
            _ => "write",
        };
        let path = path.display();
        Some(format!("other users can {who} the token file `{path}`: run `chmod 600 {path}`"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, Tokens};
    use super::*;

    #[test]
    fn a_malformed_line_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "# tokens\n\nmdt_secret\n").unwrap();
        let error = Tokens::read(&path).unwrap_err();
        assert!(error.to_string().starts_with("line 3 of") && !error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn of_many_that_add_at_once_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("tokens");
        std::thread::scope(|scope| {
            for n in 0..16 {
                scope.spawn(move || Tokens::add(path, &n.to_string(), Scope::Read).unwrap());
            }
        });
        let mut names: Vec<u32> = Tokens::read(path).unwrap().iter().map(|token| token.name.parse().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, (0..16).collect::<Vec<u32>>());
    }

    #[test]
    fn comments_and_fields_of_later_versions_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let hash = blake3::hash(b"x").to_hex();
        fs::write(&path, format!("# of the team\n\nci publish {hash} note=later\n")).unwrap();
        Tokens::add(&path, "ana", Scope::Read).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("# of the team\n\nci publish {hash} note=later\nana read ")), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        Tokens::add(&path, "ci", Scope::Read).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&beside(&path, ".lock"))), (0o600, 0o600));
        assert_eq!(warning(&path), None);
        let set = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        set(0o644);
        assert_eq!(warning(std::path::Path::new("/dev/null")), None, "everybody may write it, and it is no file");
        assert!(warning(&path).unwrap().starts_with("other users can read the token file `"));
        set(0o660);
        assert!(warning(&path).unwrap().starts_with("other users can write the token file `"));
        set(0o602);
        assert!(matches!(Tokens::read(&path), Err(TokensError::Writable { .. })));
        assert!(matches!(Tokens::add(&path, "me", Scope::Delete), Err(TokensError::Writable { .. })));
        set(0o600);
        // A symbolic link stays one.
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        Tokens::add(&link, "ana", Scope::Read).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Tokens::read(&path).unwrap().iter().count(), 2);
    }
}
