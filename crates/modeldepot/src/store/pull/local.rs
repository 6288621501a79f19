//! Comparing the folder of a pull with the version.

use std::collections::BTreeMap;
use std::fs::File;

use super::owned::{OwnFile, Owned};
use super::plan::Found;
use crate::error::{Error, Result};
use crate::fs::{Folder, Kind, Seen, Stamp, read_at};
use crate::model::digest::{Blake3, Md5, Md5Stream, PartHasher};
use crate::model::name::ArtifactPath;
use crate::store::StoredFile;

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// What was found at the paths of a version, with stamps that tell whether it has changed since.
pub(super) type Local = BTreeMap<ArtifactPath, (Found, Option<Stamp>)>;

/// Looks at the path of a file. With `read`, a regular file of the right length is read and compared, unless `before`
/// has the result and it has not changed.
pub(super) fn look(
    folder: &Folder,
    file: &StoredFile,
    owned: &Owned,
    before: &Local,
    read: bool,
) -> Result<(Found, Option<Stamp>)> {
    Ok(match folder.look(file.path.as_str())? {
        Seen::Absent => (Found::Absent, None),
        Seen::Other(Kind::Folder) => (ours(folder, file.path.as_str(), owned)?, None),
        Seen::Other(kind) => (Found::Other(kind), None),
        Seen::Behind { at, kind } => (Found::Behind(at.to_owned(), kind), None),
        Seen::File { size, stamp } => match before.get(&file.path) {
            Some((found, known)) if *known == Some(stamp) => (found.clone(), Some(stamp)),
            _ => {
                let is_it =
                    read && size == file.size && folder.open(file.path.as_str()).is_ok_and(|it| has_bytes(&it, file));
                (if is_it { Found::Same } else { Found::File }, Some(stamp))
            }
        },
    })
}

/// Finds out which files in place of folders give way: those of earlier pulls that are unchanged. Each is read once,
/// however many files of the version belong below it.
pub(super) fn make_way(folder: &Folder, owned: &Owned, local: &mut Local) -> Result<()> {
    let mut behind: BTreeMap<String, Vec<&mut Found>> = BTreeMap::new();
    for (found, _) in local.values_mut() {
        if let Found::Behind(at, Kind::File) = found {
            behind.entry(at.clone()).or_default().push(found);
        }
    }
    for (at, all) in behind {
        let Ok(path) = at.parse::<ArtifactPath>() else { continue };
        let Some(known) = owned.files.get(&path) else { continue };
        if unchanged(folder, &path, known)?.is_some() {
            for found in all {
                *found = Found::Ours { files: vec![path.clone()], folders: Vec::new() };
            }
        }
    }
    Ok(())
}

/// Checks whether a folder contains only unchanged files of earlier pulls.
fn ours(folder: &Folder, path: &str, owned: &Owned) -> Result<Found> {
    let other = Ok(Found::Other(Kind::Folder));
    let inside = |own: &ArtifactPath| own.as_str().strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    if !owned.files.keys().any(inside) {
        return other;
    }
    let below = folder.below(path).map_err(Error::io("look at", folder.shown(path)))?;
    let Some((names, folders)) = below else { return other };
    let mut files = Vec::new();
    for name in names {
        let Ok(path) = name.parse::<ArtifactPath>() else { return other };
        let Some(known) = owned.files.get(&path) else { return other };
        if unchanged(folder, &path, known)?.is_none() {
            return other;
        }
        files.push(path);
    }
    Ok(Found::Ours { files, folders })
}

/// Returns true when a local file has the published digest; false if there is none to compare.
fn has_bytes(it: &File, file: &StoredFile) -> bool {
    match (file.blake3, file.md5) {
        (Some(blake3), _) => blake3_of(it, file.size) == Some(blake3),
        (None, Some(md5)) => md5_of(it, file.size) == Some(md5),
        (None, None) => false,
    }
}

/// Returns the stamp of the file at a path if an earlier pull put it there and it is unchanged.
pub(super) fn unchanged(folder: &Folder, path: &ArtifactPath, known: &[OwnFile]) -> Result<Option<Stamp>> {
    let Seen::File { size, stamp } = folder.look(path.as_str())? else { return Ok(None) };
    let is_it = |own: &OwnFile| {
        let Ok(file) = folder.open(path.as_str()) else { return false };
        match (own.blake3, own.md5) {
            (Some(blake3), _) => blake3_of(&file, size) == Some(blake3),
            (None, Some(md5)) => md5_of(&file, size) == Some(md5),
            (None, None) => false,
        }
    };
    let fits = known.iter().filter(|own| own.size.is_none_or(|known| known == size)).any(is_it);
    Ok(fits.then_some(stamp))
}

/// Returns the MD5 of an open file of `size` bytes, or `None` when it cannot be read. Blocks.
pub(super) fn md5_of(file: &File, size: u64) -> Option<Md5> {
    let mut md5 = Md5Stream::default();
    each_piece(file, size, |piece| md5.update(piece))?;
    Some(md5.finish())
}

fn blake3_of(file: &File, size: u64) -> Option<Blake3> {
    let mut hasher = PartHasher::blake3(0);
    each_piece(file, size, |piece| hasher.update(piece))?;
    hasher.finish().root()
}

fn each_piece(file: &File, size: u64, mut take: impl FnMut(&[u8])) -> Option<()> {
    let (mut piece, mut done) = (vec![0; PIECE], 0);
    while done < size {
        let piece = &mut piece[..(size - done).min(PIECE as u64) as usize];
        read_at(file, piece, done).ok()?;
        take(piece);
        done += piece.len() as u64;
    }
    Some(())
}
