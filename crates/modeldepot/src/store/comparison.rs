//! Versions side by side: what differs in their metadata and files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Description, StoredFile};
use crate::model::name::ArtifactPath;

/// The metadata and the files of several versions side by side. Lists have one entry per version, in the order given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Comparison<'a> {
    /// Every metadata field, by name.
    pub metadata: Vec<ComparedField<'a>>,
    /// Every file, by path.
    pub files: Vec<ComparedFile<'a>>,
}

/// A metadata field of several versions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ComparedField<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value in each version that has it.
    pub values: Vec<Option<&'a Value>>,
}

/// A file of several versions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ComparedFile<'a> {
    /// Its path.
    pub path: &'a ArtifactPath,
    /// The file in each version that has it.
    pub files: Vec<Option<&'a StoredFile>>,
}

impl<'a> Comparison<'a> {
    /// Compares versions, of one model or of several.
    pub fn of(versions: &[&'a Description]) -> Comparison<'a> {
        let versions = versions.iter().copied();
        let names: BTreeSet<&str> =
            versions.clone().flat_map(|version| version.manifest.metadata.keys().map(String::as_str)).collect();
        let field = |name| ComparedField {
            name,
            values: versions.clone().map(|version| version.manifest.metadata.get(name)).collect(),
        };
        // By path: a version may have many thousands of files.
        let by_path: Vec<BTreeMap<&ArtifactPath, &StoredFile>> =
            versions.clone().map(|version| version.files.iter().map(|file| (&file.path, file)).collect()).collect();
        let paths: BTreeSet<&ArtifactPath> = by_path.iter().flat_map(|files| files.keys().copied()).collect();
        let file = |path| ComparedFile { path, files: by_path.iter().map(|files| files.get(path).copied()).collect() };
        Comparison { metadata: names.into_iter().map(field).collect(), files: paths.into_iter().map(file).collect() }
    }
}

impl ComparedField<'_> {
    /// Returns true unless every version has the same value.
    pub fn differs(&self) -> bool {
        self.values.windows(2).any(|two| two[0] != two[1])
    }
}

impl ComparedFile<'_> {
    /// Returns true unless every version is known to have the same file.
    pub fn differs(&self) -> bool {
        let same = |a: Option<&StoredFile>, b: Option<&StoredFile>| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => a.is_like(b),
            _ => false,
        };
        self.files.windows(2).any(|two| !same(two[0], two[1]))
    }
}
