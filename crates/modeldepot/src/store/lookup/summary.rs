//! Models and versions, as a listing of the bucket shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::model::key::ObjectKey;
use crate::model::name::{ModelName, Version};
use crate::s3::ListedObject;
use crate::store::counts::Counted;

/// A model, as the listing of the bucket shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelSummary {
    /// The model.
    pub model: ModelName,
    /// Its highest version.
    pub latest: Version,
    /// How many versions it has.
    pub versions: usize,
    /// Bytes of all its versions.
    pub size: u64,
    /// How many of its versions are damaged, as far as a listing shows it.
    pub damaged: usize,
    /// Whether the highest version is one of them.
    pub latest_damaged: bool,
    /// When a version was last published, by the server's clock.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub published: Option<OffsetDateTime>,
}

/// A version, as the listing of the bucket shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VersionSummary {
    /// The version.
    pub version: Version,
    /// Number of files, without the manifest.
    pub files: usize,
    /// Bytes of its files.
    pub size: u64,
    /// When it was published, by the server's clock.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub published: Option<OffsetDateTime>,
    /// Whether files are missing from the bucket or have another size there, as far as a listing shows it: there are no
    /// files, or not those of a manifest that was read before. The latest version is always compared with its manifest.
    /// [`describe`](crate::ModelStorage::describe) compares every file of a version with the manifest, and
    /// [`fsck`](crate::ModelStorage::fsck) does so for all versions.
    pub damaged: bool,
}

/// What a listing shows of one version's prefix.
#[derive(Default)]
pub(crate) struct Seen {
    published: Option<Option<OffsetDateTime>>,
    manifest_len: u64,
    files: usize,
    size: u64,
    /// When the youngest file was written.
    youngest: Option<OffsetDateTime>,
    retired: bool,
    /// Whether a push found other objects under it.
    beside: bool,
    damaged: bool,
}

impl Seen {
    fn add(&mut self, more: Seen) {
        self.published = self.published.or(more.published);
        self.manifest_len = self.manifest_len.saturating_add(more.manifest_len);
        self.files += more.files;
        // A server may claim any size.
        self.size = self.size.saturating_add(more.size);
        self.youngest = self.youngest.max(more.youngest);
        self.retired |= more.retired;
        self.beside |= more.beside;
    }

    pub(in crate::store) fn is_published(&self) -> bool {
        // A tombstone overrides a manifest that a late writer managed to create.
        self.published.is_some() && !self.retired
    }

    /// Returns true for a published version with other objects beside its files, as far as a listing shows it.
    pub(in crate::store) fn is_unusual(&self) -> bool {
        self.beside || self.published.flatten().is_some_and(|at| self.youngest.is_some_and(|youngest| youngest > at))
    }

    pub(in crate::store) fn manifest_len(&self) -> u64 {
        self.manifest_len
    }

    /// Corrects the counts by what the manifest says.
    pub(in crate::store) fn correct(&mut self, counted: Counted) {
        self.damaged = counted.misses(self.files, self.size);
        if let Counted::Files(files, size) = counted {
            (self.files, self.size) = (files, size);
        }
    }

    pub(super) fn summary(&self, version: &Version) -> Option<VersionSummary> {
        let published = self.published.filter(|_| self.is_published())?;
        // Every version has at least one file.
        let damaged = self.damaged || self.files == 0;
        Some(VersionSummary { version: version.clone(), files: self.files, size: self.size, published, damaged })
    }
}

/// Sorts listed objects into versions. Keys outside the layout belong to other tools and are skipped.
pub(crate) fn survey(objects: Vec<ListedObject>) -> BTreeMap<ModelName, BTreeMap<Version, Seen>> {
    let mut models: BTreeMap<ModelName, BTreeMap<Version, Seen>> = BTreeMap::new();
    // The objects of a version are adjacent in the listing, so each version is looked up once.
    let mut current: Option<((ModelName, Version), Seen)> = None;
    let mut put = |((model, version), seen): ((ModelName, Version), Seen)| {
        models.entry(model).or_default().entry(version).or_default().add(seen);
    };
    for object in objects {
        let Ok(key) = object.key.parse::<ObjectKey>() else { continue };
        let mut seen = Seen::default();
        let (model, version) = match key {
            ObjectKey::Manifest(model, version) => {
                (seen.published, seen.manifest_len) = (Some(object.modified), object.size);
                (model, version)
            }
            ObjectKey::Tombstone(model, version) => {
                seen.retired = true;
                (model, version)
            }
            ObjectKey::Artifact(model, version, _) => {
                (seen.files, seen.size, seen.youngest) = (1, object.size, object.modified);
                (model, version)
            }
            ObjectKey::ForeignObjects(model, version) => {
                seen.beside = true;
                (model, version)
            }
            ObjectKey::Lease(..) | ObjectKey::GcLock(..) | ObjectKey::Uploads(..) | ObjectKey::Probe => continue,
        };
        match &mut current {
            Some((of, all)) if of.0 == model && of.1 == version => all.add(seen),
            _ => {
                if let Some(done) = current.replace(((model, version), seen)) {
                    put(done);
                }
            }
        }
    }
    current.into_iter().for_each(put);
    models
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(keys: &[&str]) -> Vec<ListedObject> {
        keys.iter()
            .map(|key| ListedObject { key: (*key).to_owned(), size: 2, etag: String::new(), modified: None })
            .collect()
    }

    #[test]
    fn a_server_may_say_any_size() {
        let mut objects = listed(&["m/v1/manifest.json", "m/v1/a", "m/v1/b", "m/v1/c"]);
        objects.iter_mut().for_each(|object| object.size = i64::MAX.unsigned_abs());
        let versions = survey(objects).remove(&"m".parse().unwrap()).unwrap();
        let shown: Vec<_> = versions.iter().filter_map(|(v, seen)| seen.summary(v)).collect();
        assert_eq!((shown[0].files, shown[0].size), (3, u64::MAX));
    }

    #[test]
    fn a_version_is_its_manifest_unless_it_is_retired() {
        let mut models = survey(listed(&[
            ".depot/tombstones/m/3.json",
            "m/v1/a",
            "m/v1/b/c",
            "m/v1/manifest.json",
            "m/v2/a",
            "m/v3/manifest.json",
            "m/readme.txt",
            "stray",
        ]));
        let versions = models.remove(&"m".parse().unwrap()).unwrap();
        let shown: Vec<_> = versions.iter().filter_map(|(v, seen)| seen.summary(v)).collect();
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].version.as_str(), shown[0].files, shown[0].size), ("1", 2, 4));
        assert!(models.is_empty());
    }
}
