//! Lookups in the bucket: models, versions, and one version in full.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::ModelStorage;
use super::counts::Counted;
use crate::error::{Error, Result};
use crate::model::digest::{Blake3, Md5};
use crate::model::history::history_file;
use crate::model::key::{ObjectKey, foreign_prefix, model_prefix, tombstones_prefix, version_prefix};
use crate::model::manifest::{FileEntry, Manifest, Parts};
use crate::model::name::{ArtifactPath, ModelName, Selector, Version};
use crate::s3::{Expected, ListedObject};

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
    /// [`ModelStorage::describe`] compares every file of a version with the manifest, and [`ModelStorage::fsck`] does
    /// so for all versions.
    pub damaged: bool,
}

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
    pub(super) listed: bool,
    /// The manifest as stored in the bucket, including fields unknown to this library.
    pub(super) record: Bytes,
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
    pub(super) fn expected(&self) -> Option<Expected> {
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
                Err(Error::wrong_size(path.as_str(), expected, found))
            }
            ([path], _) => Err(Error::file_missing(model, version, path)),
            (paths, _) => Err(Error::files_missing(model, version, paths)),
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

    pub(super) fn is_published(&self) -> bool {
        // A tombstone overrides a manifest that a late writer managed to create.
        self.published.is_some() && !self.retired
    }

    /// Returns true for a published version with other objects beside its files, as far as a listing shows it.
    pub(super) fn is_unusual(&self) -> bool {
        self.beside || self.published.flatten().is_some_and(|at| self.youngest.is_some_and(|youngest| youngest > at))
    }

    pub(super) fn manifest_len(&self) -> u64 {
        self.manifest_len
    }

    /// Corrects the counts by what the manifest says.
    pub(super) fn correct(&mut self, counted: Counted) {
        self.damaged = counted.misses(self.files, self.size);
        if let Counted::Files(files, size) = counted {
            (self.files, self.size) = (files, size);
        }
    }

    fn summary(&self, version: &Version) -> Option<VersionSummary> {
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

impl ModelStorage {
    /// Returns the models that have a version, by name.
    pub async fn models(&self) -> Result<Vec<ModelSummary>> {
        let objects = self.depot.list_objects(&self.bucket, "").await?;
        let mut models = survey(objects);
        // The latest version of each model is what people fetch.
        self.count_files(&mut models).await;
        let summaries = models.into_iter().filter_map(|(model, versions)| {
            let versions: Vec<_> = versions.iter().filter_map(|(version, seen)| seen.summary(version)).collect();
            Some(ModelSummary {
                latest: versions.last()?.version.clone(),
                versions: versions.len(),
                size: versions.iter().map(|v| v.size).fold(0, u64::saturating_add),
                published: versions.iter().filter_map(|v| v.published).max(),
                damaged: versions.iter().filter(|v| v.damaged).count(),
                latest_damaged: versions.last()?.damaged,
                model,
            })
        });
        Ok(summaries.collect())
    }

    /// Returns a model's versions in ascending order; empty when all were deleted.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it never had one.
    pub async fn versions(&self, model: &ModelName) -> Result<Vec<VersionSummary>> {
        let (prefix, tombstones, beside) = (model_prefix(model), tombstones_prefix(model), foreign_prefix(model));
        let (mut objects, tombstones, beside) = tokio::try_join!(
            self.depot.list_objects(&self.bucket, &prefix),
            self.depot.list_objects(&self.bucket, &tombstones),
            self.depot.list_objects(&self.bucket, &beside),
        )?;
        let existed = !tombstones.is_empty();
        objects.extend(tombstones);
        objects.extend(beside);
        let mut models = survey(objects);
        // The latest version is what people fetch.
        self.count_files(&mut models).await;
        let seen = models.remove(model).unwrap_or_default();
        let versions: Vec<_> = seen.iter().filter_map(|(version, seen)| seen.summary(version)).collect();
        if versions.is_empty() && !existed {
            return Err(self.no_such_model(model).await);
        }
        Ok(versions)
    }

    /// Returns a model's latest version: the highest whose manifest exists, even when some of its files are missing.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it has no version.
    pub async fn latest(&self, model: &ModelName) -> Result<Version> {
        let mut versions = self.versions(model).await?;
        let none = || Error::ModelNotFound { model: model.clone(), similar: Vec::new() };
        Ok(versions.pop().ok_or_else(none)?.version)
    }

    /// Returns one version in full. Its files are compared with a listing: [`Description::damaged`] names missing ones.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`], [`Error::VersionNotFound`], [`Error::VersionDeleted`]; [`Error::Manifest`] when its
    /// manifest cannot be used, and [`Error::Other`] of kind [`crate::ErrorKind::Corrupt`] when it is missing.
    pub async fn describe(&self, selector: &Selector) -> Result<Description> {
        let model = &selector.model;
        let version = match &selector.version {
            Some(version) => version.clone(),
            None => self.latest(model).await?,
        };
        let prefix = version_prefix(model, &version);
        let (manifest, retired, objects) = tokio::join!(
            self.read_manifest(model, &version),
            self.is_retired(model, &version),
            self.depot.list_objects(&self.bucket, &prefix),
        );
        let Some((manifest, record)) = manifest?.filter(|_| !matches!(retired, Ok(true))) else {
            return Err(self.no_such_version(model, version).await?);
        };
        retired?;
        let mut found = Description { manifest, files: Vec::new(), damaged: Vec::new(), listed: true, record };
        match objects {
            Ok(objects) => found.hold_against(&prefix, objects),
            // A policy may allow reading but not listing. That is enough if the manifest lists the files.
            Err(Error::Denied { .. }) if found.manifest.files.is_some() => {
                found.hold_against(&prefix, Vec::new());
                found.damaged.clear();
                found.listed = false;
            }
            Err(error) => return Err(error),
        }
        if !found.damaged.is_empty() || found.manifest.files.is_none() {
            // The listing may be older than the manifest, or the version may just have been deleted.
            let (objects, retired) =
                tokio::try_join!(self.depot.list_objects(&self.bucket, &prefix), self.is_retired(model, &version))?;
            if retired {
                return Err(self.no_such_version(model, version).await?);
            }
            found.hold_against(&prefix, objects);
        }
        if found.manifest.files.is_none() {
            // All that is known of such a version is that it has a model file.
            let main = found.main()?;
            if found.files.iter().all(|file| file.path != main) {
                return Err(Error::file_missing(model, &version, &main));
            }
        }
        Ok(found)
    }

    /// Compares a description with the bucket again.
    pub async fn look_again(&self, found: &Description) -> Result<Vec<Damaged>> {
        let prefix = version_prefix(&found.manifest.model_name, &found.manifest.version);
        let objects = self.depot.list_objects(&self.bucket, &prefix).await?;
        Ok(found.damaged_in(&prefix, &objects))
    }

    /// Returns the error for a version that does not exist, was deleted or has lost its manifest. If the whole model is
    /// unknown, the error says that instead.
    async fn no_such_version(&self, model: &ModelName, version: Version) -> Result<Error> {
        // If this cannot be found out, the listing below says why, or what else there is.
        if self.is_retired(model, &version).await.unwrap_or(false) {
            return Ok(Error::VersionDeleted { model: model.clone(), version });
        }
        if self.has_lost_its_manifest(model, &version).await.unwrap_or(false) {
            return Ok(Error::manifest_missing(model, &version));
        }
        let similar = similar_versions(&version, self.versions(model).await?);
        Ok(Error::VersionNotFound { model: model.clone(), version, similar })
    }

    /// Returns the error for an unknown model, with similar names.
    pub(super) async fn no_such_model(&self, model: &ModelName) -> Error {
        match self.depot.list_objects(&self.bucket, "").await {
            Ok(objects) => {
                let published = |versions: &BTreeMap<Version, Seen>| versions.values().any(Seen::is_published);
                let models = survey(objects).into_iter().filter(|(_, versions)| published(versions));
                let names: Vec<_> = models.map(|(model, _)| model).collect();
                Error::ModelNotFound {
                    model: model.clone(),
                    similar: similar(model.as_str(), names, ModelName::as_str),
                }
            }
            Err(error) => error,
        }
    }

    /// Returns the metadata of a listed version; `None` when its manifest is gone. Takes one request, where
    /// [`ModelStorage::describe`] takes two or more. Use it to read many.
    ///
    /// # Errors
    /// [`Error::Manifest`] when the manifest cannot be used.
    pub async fn metadata_of(&self, model: &ModelName, version: &Version) -> Result<Option<Map<String, Value>>> {
        Ok(self.read_manifest(model, version).await?.map(|(manifest, _)| manifest.metadata))
    }
}

impl Description {
    /// Compares the description with a listing of the version.
    fn hold_against(&mut self, prefix: &str, objects: Vec<ListedObject>) {
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
    pub(super) fn whole_in(manifest: &Manifest, prefix: &str, objects: &[ListedObject]) -> Result<()> {
        let (manifest, record) = (manifest.clone(), Bytes::new());
        let mut found = Description { manifest, files: Vec::new(), damaged: Vec::new(), listed: true, record };
        found.damaged = found.damaged_in(prefix, objects);
        found.whole()
    }

    fn damaged_in(&self, prefix: &str, objects: &[ListedObject]) -> Vec<Damaged> {
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

/// Returns similar versions, or else the latest one.
fn similar_versions(version: &Version, versions: Vec<VersionSummary>) -> Vec<Version> {
    let names: Vec<_> = versions.into_iter().map(|summary| summary.version).collect();
    let latest = names.last().cloned();
    let close = similar(version.as_str(), names, Version::as_str);
    if close.is_empty() { latest.into_iter().collect() } else { close }
}

/// Returns up to three names that are a typing error away from `wanted`, closest first.
fn similar<T: Ord>(wanted: &str, names: Vec<T>, text: impl Fn(&T) -> &str) -> Vec<T> {
    let wanted = wanted.to_lowercase();
    let scored: BTreeSet<(usize, T)> = names
        .into_iter()
        .filter_map(|name| {
            let other = text(&name).to_lowercase();
            let inside = other.contains(&wanted) || wanted.contains(&other);
            let distance = strsim::damerau_levenshtein(&wanted, &other);
            (inside || distance <= 1 + wanted.len() / 5).then_some((distance, name))
        })
        .collect();
    scored.into_iter().take(3).map(|(_, name)| name).collect()
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
    fn a_version_is_its_manifest_unless_it_is_spent() {
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

    #[test]
    fn typing_errors_are_guessed() {
        let names = || vec!["plant_classifier", "plant_segmenter", "whale"];
        assert_eq!(similar("plant_clasifier", names(), |n| n), ["plant_classifier"]);
        assert_eq!(similar("plant", names(), |n| n), ["plant_segmenter", "plant_classifier"]);
        assert_eq!(similar("zebra", names(), |n| n), [""; 0]);
    }
}
