//! What a folder says that earlier pulls put into it: its manifest, and a record that stays while one version takes the
//! place of another.
//!
//! Either may be hostile. Nothing is replaced but at the paths that they list, and nothing removed that has not the digest
//! that they give.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::{Obstacle, ObstacleKind};
use crate::digest::{Blake3, Md5};
use crate::error::{Error, Result};
use crate::fs::{Folder, Seen};
use crate::manifest::Manifest;
use crate::name::{ArtifactPath, ModelName, Version};

/// The manifest of the version that a folder holds.
pub(super) const MANIFEST: &str = "manifest.json";

/// The record of what earlier pulls put into the folder, where no manifest tells: while versions are switched, and beside
/// a manifest that lists no files.
pub(super) const RECORD: &str = ".modeldepot-files.json";

/// The longest manifest or record that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

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
}

/// The two fields that say whose a manifest is.
#[derive(Deserialize)]
struct Names {
    model_name: ModelName,
    version: Version,
}

/// What the manifest of the folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Present {
    Absent,
    /// A manifest that can be used, byte for byte.
    Manifest(Vec<u8>),
    /// Anything else.
    Foreign,
}

/// What earlier pulls put into a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) manifest: Present,
    /// Whether there is a record beside the manifest.
    pub(super) recorded: bool,
    /// What the files at a path may be: an interrupted switch leaves two versions of some.
    pub(super) files: BTreeMap<ArtifactPath, Vec<OwnFile>>,
}

impl Owned {
    /// Reads what a folder says, for a pull of `model`.
    ///
    /// # Errors
    /// [`Error::OtherModel`] when it holds another one, [`Error::InTheWay`] when its manifest is nobody's. With `force`,
    /// what is of another model counts as nobody's and is none.
    pub(super) fn read(folder: &Folder, model: &ModelName, force: bool) -> Result<Owned> {
        let mut owned = Owned { manifest: Present::Absent, recorded: false, files: BTreeMap::new() };
        let of = |named: &ModelName| match named == model {
            true => Ok(true),
            false if force => Ok(false),
            false => {
                Err(Error::OtherModel { folder: folder.root().to_owned(), found: named.clone(), wanted: model.clone() })
            }
        };
        let mut files = Vec::new();
        let seen = folder.look(MANIFEST)?;
        if seen != Seen::Absent {
            let bytes = folder.read(MANIFEST, LARGEST);
            let manifest = bytes.as_deref().and_then(|bytes| {
                let names: Names = serde_json::from_slice(bytes).ok()?;
                Manifest::parse(&names.model_name, &names.version, bytes).ok()
            });
            match manifest {
                Some(manifest) => {
                    if of(&manifest.model_name)? {
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
        // A record that cannot be read says nothing, and is written anew.
        owned.recorded = folder.look(RECORD)? != Seen::Absent;
        let record = folder.read(RECORD, LARGEST).and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        if let Some(record) = record
            && of(&record.model_name)?
        {
            files.extend(record.files);
        }
        add(&mut owned.files, files);
        Ok(owned)
    }

    /// Returns the paths.
    pub(super) fn paths(&self) -> BTreeSet<ArtifactPath> {
        self.files.keys().cloned().collect()
    }

    /// Returns the record of these files and others.
    pub(super) fn record(&self, model: &ModelName, more: &[OwnFile]) -> Vec<u8> {
        let mut files = self.files.clone();
        add(&mut files, more.to_vec());
        record(model, files.into_values().flatten().collect())
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

/// Returns the bytes of a record.
pub(super) fn record(model: &ModelName, files: Vec<OwnFile>) -> Vec<u8> {
    let record = Record { model_name: model.clone(), files };
    serde_json::to_vec(&record).unwrap_or_default()
}

/// Returns what a manifest says of the files beside it. One that lists none tells its model file alone.
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
