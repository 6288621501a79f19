//! What a folder records about earlier pulls: its manifest, and a record that exists while one version replaces
//! another.
//!
//! Either may be hostile. Only the paths that they list are replaced, and only files with the digests that they give
//! are removed. Records that another user put into a shared folder are not trusted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::obstacle::{Obstacle, ObstacleKind};
use crate::error::{Error, Result};
use crate::fs::{Folder, Seen};
use crate::model::digest::{Blake3, Md5};
use crate::model::manifest::{LARGEST, Manifest};
use crate::model::name::{ArtifactPath, ModelName, Version, folded};
use crate::store::lookup::Description;

/// The manifest of the version in a folder.
pub(super) const MANIFEST: &str = "manifest.json";

/// The record of files from earlier pulls, for cases that no manifest covers: while versions are switched, and beside a
/// manifest that lists no files, or files that already existed.
pub(super) const RECORD: &str = ".modeldepot-files.json";

/// The longest record that is read and written: a record of two versions may be longer than a manifest.
pub(super) const LARGEST_RECORD: u64 = 4 * LARGEST;

/// A file that a pull put into the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnFile {
    pub(super) path: ArtifactPath,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blake3: Option<Blake3>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) md5: Option<Md5>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    model_name: ModelName,
    files: Vec<OwnFile>,
    /// Files of the version that already existed with the same bytes. They belong to the user, whatever a manifest
    /// lists.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    theirs: BTreeSet<ArtifactPath>,
}

/// The two fields that say which version a manifest belongs to.
#[derive(Deserialize)]
struct Names {
    model_name: ModelName,
    version: Version,
}

/// The state of the folder's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Present {
    Absent,
    /// A usable manifest, byte for byte.
    Manifest(Vec<u8>),
    /// Anything else.
    Foreign,
}

/// What earlier pulls put into a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) manifest: Present,
    /// Whether another user may have written the manifest, which is then no evidence of what is ours.
    pub(super) anothers: bool,
    /// Whether there is a record that a complete pull of a version with listed files would have removed or reduced.
    pub(super) stale: bool,
    /// Files that the manifest lists and that existed before it.
    pub(super) theirs: BTreeSet<ArtifactPath>,
    /// The possible files at each path: an interrupted switch leaves two versions of some.
    pub(super) files: BTreeMap<ArtifactPath, Vec<OwnFile>>,
}

impl Owned {
    /// Reads the records of a folder, for a pull of a version.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Conflict`] when the folder holds another model, [`Error::InTheWay`]
    /// when its manifest is not one of modeldepot's. With `force`, both are accepted as foreign, and their files are
    /// not ours.
    pub(super) fn read(folder: &Folder, version: &Description, force: bool) -> Result<Owned> {
        let model = &version.manifest.model_name;
        let mut owned = Owned {
            manifest: Present::Absent,
            anothers: false,
            stale: false,
            theirs: BTreeSet::new(),
            files: BTreeMap::new(),
        };
        let of = |named: &ModelName| match named == model {
            true => Ok(true),
            false if force => Ok(false),
            false => Err(Error::other_model(folder.root(), named, model)),
        };
        let mut files = Vec::new();
        let seen = folder.look(MANIFEST)?;
        if seen != Seen::Absent {
            let (bytes, trusted) = folder.read(MANIFEST, LARGEST).unzip();
            let manifest = bytes.as_deref().and_then(|bytes| {
                let names: Names = serde_json::from_slice(bytes).ok()?;
                Manifest::parse(&names.model_name, &names.version, bytes).ok()
            });
            match manifest {
                Some(manifest) => {
                    owned.anothers = trusted != Some(true);
                    if of(&manifest.model_name)? && !owned.anothers {
                        files.extend(listed(&manifest));
                    }
                    owned.manifest = Present::Manifest(bytes.unwrap_or_default());
                }
                None if force && !matches!(seen, Seen::Other(crate::fs::Kind::Folder)) => {
                    owned.manifest = Present::Foreign;
                }
                None => {
                    let what = if matches!(seen, Seen::File { .. }) { ObstacleKind::Manifest } else { of_kind(&seen) };
                    let obstacles = vec![Obstacle { path: MANIFEST.to_owned(), what }];
                    return Err(Error::InTheWay { folder: folder.root().to_owned(), obstacles });
                }
            }
        }
        // An unreadable record counts as empty, and is rewritten.
        match folder.read(RECORD, LARGEST_RECORD) {
            Some((_, false)) => {}
            Some((bytes, true)) => match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) if of(&record.model_name)? => {
                    owned.stale = !record.files.is_empty();
                    files.extend(record.files.into_iter().filter(|file| file.blake3.is_some() || file.md5.is_some()));
                    owned.theirs = record.theirs;
                }
                _ => owned.stale = true,
            },
            None => owned.stale = folder.look(RECORD)? != Seen::Absent,
        }
        files.retain(|file| !owned.theirs.contains(&file.path));
        add(&mut owned.files, files);
        owned.respell(folder, version)?;
        Ok(owned)
    }

    /// Moves a file whose path the version spells differently to the version's spelling. On a file system that does not
    /// distinguish the two it is the same file, and must not be removed as one that the version does not have.
    fn respell(&mut self, folder: &Folder, version: &Description) -> Result<()> {
        let spellings: BTreeMap<String, &ArtifactPath> =
            version.files.iter().map(|file| (spelling(&file.path), &file.path)).collect();
        let others: Vec<ArtifactPath> = self
            .files
            .keys()
            .filter(|path| spellings.get(&spelling(path)).is_some_and(|new| new != path))
            .cloned()
            .collect();
        for old in others {
            if let Some(new) = spellings.get(&spelling(&old))
                && folder.takes_for_one(old.as_str(), new.as_str())?
            {
                let files = self.files.remove(&old).unwrap_or_default();
                let renamed = files.into_iter().map(|file| OwnFile { path: (*new).clone(), ..file });
                add(&mut self.files, renamed.collect());
            }
        }
        Ok(())
    }

    /// Returns the paths of the files.
    pub(super) fn paths(&self) -> BTreeSet<ArtifactPath> {
        self.files.keys().cloned().collect()
    }

    /// Returns a record of these files and `more`, without those that belong to the user.
    pub(super) fn record(&self, model: &ModelName, more: &[OwnFile], theirs: BTreeSet<ArtifactPath>) -> Vec<u8> {
        let mut files = self.files.clone();
        add(&mut files, more.to_vec());
        record(model, files.into_values().flatten().collect(), theirs)
    }
}

fn add(files: &mut BTreeMap<ArtifactPath, Vec<OwnFile>>, more: Vec<OwnFile>) {
    for file in more {
        let known = files.entry(file.path.clone()).or_default();
        if !known.contains(&file) {
            known.push(file);
        }
    }
}

/// Returns a form that is equal for all spellings that some file system may treat as the same.
fn spelling(path: &ArtifactPath) -> String {
    path.segments().map(folded).collect::<Vec<_>>().join("/")
}

/// Returns the bytes of a record of pulled files, without those that belong to the user.
pub(super) fn record(model: &ModelName, mut files: Vec<OwnFile>, theirs: BTreeSet<ArtifactPath>) -> Vec<u8> {
    files.retain(|file| !theirs.contains(&file.path));
    let record = Record { model_name: model.clone(), files, theirs };
    serde_json::to_vec(&record).unwrap_or_default()
}

/// Returns the files that a manifest lists. One that lists none names only its model file.
fn listed(manifest: &Manifest) -> Vec<OwnFile> {
    match &manifest.files {
        Some(files) => files
            .iter()
            .map(|file| OwnFile {
                path: file.path.clone(),
                size: Some(file.size),
                blake3: Some(file.blake3),
                md5: file.md5,
            })
            .collect(),
        None => {
            let main = manifest.main().ok().into_iter();
            main.map(|path| OwnFile { path, size: None, blake3: None, md5: manifest.checksum }).collect()
        }
    }
}

fn of_kind(seen: &Seen<'_>) -> ObstacleKind {
    match seen {
        Seen::Other(crate::fs::Kind::Folder) => ObstacleKind::Folder,
        Seen::Other(crate::fs::Kind::Link) => ObstacleKind::Link,
        _ => ObstacleKind::Special,
    }
}
