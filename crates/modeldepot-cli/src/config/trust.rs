//! Which `.env` files are trusted: such a file names the server that gets the credentials, and often contains them.
//!
//! A file in a parent folder may belong to someone else. As with Git's `safe.directory`, it only counts if no other
//! user can have written it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Names the only `.env` file to read, regardless of its owner. If empty, none is read.
pub(super) const VARIABLE: &str = "MODELDEPOT_DOTENV";

/// A `.env` file that was found but not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ignored {
    path: PathBuf,
    why: Distrust,
}

/// Why a `.env` file is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distrust {
    FileOf(u32),
    FolderOf(u32),
    AnybodyWritesFile,
    AnybodyWritesFolder,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ignoring `{}`: ", self.path.display())?;
        match self.why {
            Distrust::FileOf(uid) => write!(f, "it belongs to {}, not to you", user(uid)),
            Distrust::FolderOf(uid) => write!(f, "its folder belongs to {}, not to you", user(uid)),
            Distrust::AnybodyWritesFile => f.write_str("every user of this machine can write to it"),
            Distrust::AnybodyWritesFolder => f.write_str("every user of this machine can write to its folder"),
        }
    }
}

impl Ignored {
    /// Returns a hint at how to have it read anyway.
    pub(crate) fn hint(&self) -> String {
        format!("if you trust it, set {VARIABLE}={}", self.path.display())
    }
}

/// Opens a `.env` file, and checks whether another user can have written it.
pub(super) fn open(path: &Path, trusted: bool) -> io::Result<Result<File, Ignored>> {
    let file = File::open(path)?;
    match distrust(&file, path)?.filter(|_| !trusted) {
        Some(why) => Ok(Err(Ignored { path: path.to_owned(), why })),
        None => Ok(Ok(file)),
    }
}

/// Checks the open file rather than its path, which may lead elsewhere by now, and the folder that contains it.
#[cfg(unix)]
fn distrust(file: &File, path: &Path) -> io::Result<Option<Distrust>> {
    use std::os::unix::fs::MetadataExt as _;

    let (file, folder) = (file.metadata()?, path.parent().unwrap_or(Path::new(".")).metadata()?);
    let us = rustix::process::geteuid().as_raw();
    let behind = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    Ok(rule(us, behind, (file.uid(), file.mode()), (folder.uid(), folder.mode())))
}

#[cfg(not(unix))]
fn distrust(_: &File, _: &Path) -> io::Result<Option<Distrust>> {
    Ok(None)
}

/// The rule, given the user, the user before `sudo`, and owner and mode of the file and its folder.
///
/// Files of root are trusted: root can change any program that the user runs. Root itself only trusts the user who ran
/// `sudo`.
fn rule(us: u32, behind: Option<u32>, file: (u32, u32), folder: (u32, u32)) -> Option<Distrust> {
    const ANYBODY: u32 = 0o002;
    let trusted = |uid: u32| uid == us || uid == 0 || (us == 0 && Some(uid) == behind);
    match (file, folder) {
        ((uid, _), _) if !trusted(uid) => Some(Distrust::FileOf(uid)),
        ((_, mode), _) if mode & ANYBODY != 0 => Some(Distrust::AnybodyWritesFile),
        (_, (uid, _)) if !trusted(uid) => Some(Distrust::FolderOf(uid)),
        (_, (_, mode)) if mode & ANYBODY != 0 => Some(Distrust::AnybodyWritesFolder),
        _ => None,
    }
}

/// Returns a user's name if `/etc/passwd` has it.
fn user(uid: u32) -> String {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then(|| format!("`{name}`"))
    });
    named.unwrap_or_else(|| format!("user {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_can_have_written_counts() {
        const ME: u32 = 1000;
        let mine = (ME, 0o100_644);
        for (file, folder, wanted) in [
            (mine, (ME, 0o755), None),
            (mine, (ME, 0o775), None),
            ((0, 0o644), (0, 0o755), None),
            ((0, 0o644), (ME, 0o755), None),
            ((1001, 0o600), (ME, 0o755), Some(Distrust::FileOf(1001))),
            (mine, (1001, 0o755), Some(Distrust::FolderOf(1001))),
            ((ME, 0o666), (ME, 0o755), Some(Distrust::AnybodyWritesFile)),
            (mine, (0, 0o1777), Some(Distrust::AnybodyWritesFolder)),
            (mine, (ME, 0o777), Some(Distrust::AnybodyWritesFolder)),
        ] {
            assert_eq!(rule(ME, None, file, folder), wanted, "{file:?} in {folder:?}");
        }
        let (theirs, their_home) = ((ME, 0o644), (ME, 0o755));
        assert_eq!(rule(0, None, theirs, their_home), Some(Distrust::FileOf(ME)), "root in a user's folder");
        assert_eq!(rule(0, Some(ME), theirs, their_home), None, "the user who became root by sudo");
        assert_eq!(
            rule(1001, Some(ME), theirs, their_home),
            Some(Distrust::FileOf(ME)),
            "SUDO_UID counts for root alone"
        );
    }
}
