//! One version in full: its manifest, compared with a listing.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Mismatch, Result};
use crate::model::digest::{Blake3, Md5};
use crate::model::history_file::history_file;
use crate::model::manifest::{FileEntry, Manifest, Parts};
use crate::model::name::ArtifactPath;
use crate::s3::{Expected, ListedObject};

/// A file that is not in the bucket as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Damaged {
    /// Its path in the version.
    pub path: ArtifactPath,
    /// The published size.
    pub expected: u64,
    /// The size in the bucket; `None` when the file is missing.
    pub found: Option<u64>,
}

/// One version in full.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its files by path; for a version written by the Python pipeline, taken from the listing.
    pub files: Vec<StoredFile>,
    /// Files that are missing from the bucket or have another size there.
    pub damaged: Vec<Damaged>,
    /// Whether the files were compared with a listing; a policy may allow reading but not listing.
    pub(in crate::store) listed: bool,
    /// The manifest as stored in the bucket, including fields unknown to this library.
    pub(in crate::store) record: Bytes,
}

/// A file of a published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredFile {
    /// Its path in the version.
    pub path: ArtifactPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its MD5, if one was published.
    pub md5: Option<Md5>,
    /// Its BLAKE3, if one was published.
    pub blake3: Option<Blake3>,
    /// Its parts, if it has several and they were published.
    pub parts: Option<Parts>,
    /// Whether it was published as an executable program or script.
    pub executable: bool,
}

impl StoredFile {
    /// Returns true when both files are known to have the same bytes: the same size, and the same BLAKE3, or the same
    /// MD5 if one of them has no BLAKE3.
    pub fn is_like(&self, other: &StoredFile) -> bool {
        let blake3 = self.blake3.is_some() && self.blake3 == other.blake3;
        let md5 = (self.blake3.is_none() || other.blake3.is_none()) && self.md5.is_some() && self.md5 == other.md5;
        self.size == other.size && (blake3 || md5)
    }

    /// Returns the published digests that the file must have.
    pub(in crate::store) fn expected(&self) -> Option<Expected> {
        self.blake3.map(|blake3| Expected { blake3, parts: self.parts.clone() })
    }
}

impl Description {
    /// Returns the path of the model file.
    ///
    /// # Errors
    /// [`Error::Manifest`] when it lies outside the version.
    pub fn main(&self) -> Result<ArtifactPath> {
        let manifest = &self.manifest;
        manifest.main().map_err(|source| Error::Manifest { key: manifest.key().to_string(), source })
    }

    /// Returns the file at a path.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] when the version has no such file.
    pub fn file(&self, path: &ArtifactPath) -> Result<&StoredFile> {
        self.files.iter().find(|file| file.path == *path).ok_or_else(|| Error::FileNotFound {
            model: self.manifest.model_name.clone(),
            version: self.manifest.version.clone(),
            path: path.clone(),
            files: self.files.iter().map(|file| file.path.clone()).collect(),
        })
    }

    /// Returns an error that lists the missing and wrong-sized files, if there are any.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Corrupt`] when files are missing, else [`Error::Damaged`].
    pub fn whole(&self) -> Result<()> {
        let missing: Vec<_> = self.damaged.iter().filter(|file| file.found.is_none()).map(|file| &file.path).collect();
        let (model, version) = (&self.manifest.model_name, &self.manifest.version);
        match (&missing[..], self.damaged.first()) {
            ([], None) => Ok(()),
            ([], Some(Damaged { path, expected, found })) => {
                let (expected, found) = (*expected, found.unwrap_or_default());
                Err(Error::file_damaged(model, version, path, Mismatch::Size { expected, found }))
            }
            ([path], _) => Err(Error::file_missing(model, version, path)),
            (paths, _) => Err(Error::files_missing(model, version, paths)),
        }
    }

    /// Returns an error if a file is missing or has another size.
    pub(in crate::store) fn has_whole(&self, path: &ArtifactPath) -> Result<()> {
        let (model, version) = (&self.manifest.model_name, &self.manifest.version);
        match self.damaged.iter().find(|damaged| damaged.path == *path) {
            None => Ok(()),
            Some(Damaged { found: None, .. }) => Err(Error::file_missing(model, version, path)),
            Some(Damaged { expected, found: Some(found), .. }) => {
                let mismatch = Mismatch::Size { expected: *expected, found: *found };
                Err(Error::file_damaged(model, version, path, mismatch))
            }
        }
    }

    /// Returns the file with the training history: the one named by the manifest, or else one recognized by its name.
    pub fn history(&self) -> Option<&ArtifactPath> {
        let named = self.manifest.history.as_ref();
        named.or_else(|| history_file(self.files.iter().map(|file| (&file.path, file.size))))
    }

    /// Returns the sum of the sizes in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Returns the files that were published without a digest. Their bytes cannot be verified.
    pub fn unverified(&self) -> Vec<ArtifactPath> {
        let without = self.files.iter().filter(|file| file.blake3.is_none() && file.md5.is_none());
        without.map(|file| file.path.clone()).collect()
    }

    /// Returns the manifest as stored in the bucket, including fields unknown to this library.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// Compares the description with a listing of the version.
    pub(super) fn compare_with(&mut self, prefix: &str, objects: Vec<ListedObject>) {
        self.damaged = self.damaged_in(prefix, &objects);
        self.files = match &self.manifest.files {
            Some(files) => files
                .iter()
                .map(|f| StoredFile {
                    path: f.path.clone(),
                    size: f.size,
                    md5: f.md5,
                    blake3: Some(f.blake3),
                    parts: f.parts.clone(),
                    executable: f.executable,
                })
                .collect(),
            // Written by the Python pipeline: its files are all objects beside the manifest.
            None => {
                let main = self.manifest.main().ok();
                let file = |object: ListedObject| {
                    // A key that is not a path, such as a browser's marker `sub/` of an empty folder, is not a file.
                    let path = object.key[prefix.len()..].parse::<ArtifactPath>().ok()?;
                    let md5 = self.manifest.checksum.filter(|_| Some(&path) == main.as_ref());
                    Some(StoredFile { path, size: object.size, md5, blake3: None, parts: None, executable: false })
                };
                objects.into_iter().filter_map(file).collect()
            }
        };
    }

    /// Checks that a listing has all files of a version with the right sizes.
    pub(in crate::store) fn whole_in(manifest: &Manifest, prefix: &str, objects: &[ListedObject]) -> Result<()> {
        let (manifest, record) = (manifest.clone(), Bytes::new());
        let mut found = Description { manifest, files: Vec::new(), damaged: Vec::new(), listed: true, record };
        found.damaged = found.damaged_in(prefix, objects);
        found.whole()
    }

    pub(super) fn damaged_in(&self, prefix: &str, objects: &[ListedObject]) -> Vec<Damaged> {
        let Some(files) = &self.manifest.files else { return Vec::new() };
        let sizes: HashMap<&str, u64> =
            objects.iter().map(|object| (&object.key[prefix.len()..], object.size)).collect();
        let damaged = |file: &FileEntry| {
            let found = sizes.get(file.path.as_str()).copied();
            let damaged = Damaged { path: file.path.clone(), expected: file.size, found };
            (found != Some(file.size)).then_some(damaged)
        };
        files.iter().filter_map(damaged).collect()
    }
}
