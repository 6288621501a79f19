//! What is in the bucket: models, versions, and one version in full.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::ModelStorage;
use crate::digest::{Blake3, Md5};
use crate::error::{Error, Result};
use crate::key::{ObjectKey, model_prefix, spent_prefix, version_prefix};
use crate::manifest::{Manifest, Parts};
use crate::name::{ArtifactPath, ModelName, Selector, Version};
use crate::s3::{Expected, ListedObject};

/// A model, as the listing of the bucket shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSummary {
    /// The model.
    pub model: ModelName,
    /// Its highest version.
    pub latest: Version,
    /// How many versions it has.
    pub versions: usize,
    /// Bytes of all its versions.
    pub size: u64,
    /// When a version was last published, by the server's clock.
    pub published: Option<OffsetDateTime>,
}

/// A version, as the listing of the bucket shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// The version.
    pub version: Version,
    /// How many files it has; the manifest is none of them.
    pub files: usize,
    /// Bytes of its files.
    pub size: u64,
    /// When it was published, by the server's clock.
    pub published: Option<OffsetDateTime>,
}

/// One version in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its files by path. For a version that the Python original wrote they come from the listing.
    pub files: Vec<StoredFile>,
    /// The manifest as it stands in the bucket, with whatever fields this library does not know.
    pub(super) record: Bytes,
}

/// A file of a published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path in the version.
    pub path: ArtifactPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its MD5, where one was published.
    pub md5: Option<Md5>,
    /// Its BLAKE3, where one was published.
    pub blake3: Option<Blake3>,
    /// Its parts, where it has several and they were published.
    pub parts: Option<Parts>,
}

impl StoredFile {
    /// Returns true when both have the same bytes as far as is known: by a digest that both have, else by nothing.
    pub fn is_like(&self, other: &StoredFile) -> bool {
        let blake3 = self.blake3.is_some() && self.blake3 == other.blake3;
        let md5 = (self.blake3.is_none() || other.blake3.is_none()) && self.md5.is_some() && self.md5 == other.md5;
        self.size == other.size && (blake3 || md5)
    }

    /// Returns what the file must be, where that was published.
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

    /// Returns the sum of the sizes in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Returns the files that no digest was published of. Nothing can say whether their bytes are right.
    pub fn unverified(&self) -> Vec<ArtifactPath> {
        let without = self.files.iter().filter(|file| file.blake3.is_none() && file.md5.is_none());
        without.map(|file| file.path.clone()).collect()
    }

    /// Compares the sizes that the manifest gives with those of a listing: a manifest may promise what is not there.
    ///
    /// # Errors
    /// [`Error::FileMissing`] and [`Error::WrongSize`].
    pub(super) fn compare_sizes(&self, listed: &BTreeMap<ArtifactPath, u64>) -> Result<()> {
        for file in &self.files {
            let path = file.path.clone();
            match listed.get(&path) {
                Some(size) if *size == file.size => {}
                Some(size) => {
                    return Err(Error::WrongSize { path: path.to_string(), expected: file.size, found: *size });
                }
                None => {
                    let (model, version) = (self.manifest.model_name.clone(), self.manifest.version.clone());
                    return Err(Error::FileMissing { model, version, path });
                }
            }
        }
        Ok(())
    }

    /// Returns the manifest as it stands in the bucket, with whatever fields this library does not know.
    pub fn record(&self) -> &[u8] {
        &self.record
    }
}

/// What a listing says of one version's prefix.
#[derive(Default)]
pub(crate) struct Seen {
    published: Option<Option<OffsetDateTime>>,
    files: usize,
    size: u64,
    spent: bool,
}

impl Seen {
    fn add(&mut self, more: Seen) {
        self.published = self.published.or(more.published);
        self.files += more.files;
        self.size += more.size;
        self.spent |= more.spent;
    }

    fn summary(&self, version: &Version) -> Option<VersionSummary> {
        // Spent wins over a manifest that a late writer managed to create.
        let published = self.published.filter(|_| !self.spent)?;
        Some(VersionSummary { version: version.clone(), files: self.files, size: self.size, published })
    }
}

/// Sorts listed objects into versions. What is not in the layout is somebody else's, and passed over.
pub(crate) fn survey(objects: Vec<ListedObject>) -> BTreeMap<ModelName, BTreeMap<Version, Seen>> {
    let mut models: BTreeMap<ModelName, BTreeMap<Version, Seen>> = BTreeMap::new();
    // What a listing has of a version stands together: it is looked up once.
    let mut current: Option<((ModelName, Version), Seen)> = None;
    let mut put = |((model, version), seen): ((ModelName, Version), Seen)| {
        models.entry(model).or_default().entry(version).or_default().add(seen);
    };
    for object in objects {
        let Ok(key) = object.key.parse::<ObjectKey>() else { continue };
        let mut seen = Seen::default();
        let (model, version) = match key {
            ObjectKey::Manifest(model, version) => {
                seen.published = Some(object.modified);
                (model, version)
            }
            ObjectKey::Spent(model, version) => {
                seen.spent = true;
                (model, version)
            }
            ObjectKey::Artifact(model, version, _) => {
                (seen.files, seen.size) = (1, object.size);
                (model, version)
            }
            ObjectKey::Claim(..) | ObjectKey::Condemned(..) | ObjectKey::Probe => continue,
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
    pub async fn list_models(&self) -> Result<Vec<ModelSummary>> {
        let objects = self.client.list_objects(&self.bucket, "").await?;
        let summaries = survey(objects).into_iter().filter_map(|(model, versions)| {
            let versions: Vec<_> = versions.iter().filter_map(|(version, seen)| seen.summary(version)).collect();
            Some(ModelSummary {
                latest: versions.last()?.version.clone(),
                versions: versions.len(),
                size: versions.iter().map(|v| v.size).sum(),
                published: versions.iter().filter_map(|v| v.published).max(),
                model,
            })
        });
        Ok(summaries.collect())
    }

    /// Returns a model's versions in ascending order, the latest last.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it has none.
    pub async fn list_model_versions(&self, model: &ModelName) -> Result<Vec<VersionSummary>> {
        let (prefix, spent) = (model_prefix(model), spent_prefix(model));
        let (mut objects, spent) = tokio::try_join!(
            self.client.list_objects(&self.bucket, &prefix),
            self.client.list_objects(&self.bucket, &spent),
        )?;
        objects.extend(spent);
        let seen = survey(objects).remove(model).unwrap_or_default();
        let versions: Vec<_> = seen.iter().filter_map(|(version, seen)| seen.summary(version)).collect();
        if versions.is_empty() {
            return Err(Error::ModelNotFound { model: model.clone(), similar: self.similar_models(model).await? });
        }
        Ok(versions)
    }

    /// Returns a model's latest version: the highest whose manifest exists.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it has none.
    pub async fn get_latest_version(&self, model: &ModelName) -> Result<Version> {
        let mut versions = self.list_model_versions(model).await?;
        let none = || Error::ModelNotFound { model: model.clone(), similar: Vec::new() };
        Ok(versions.pop().ok_or_else(none)?.version)
    }

    /// Returns one version in full.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`], [`Error::VersionNotFound`]; [`Error::Manifest`] when its manifest cannot be used.
    pub async fn describe(&self, selector: &Selector) -> Result<Description> {
        let model = &selector.model;
        let version = match &selector.version {
            Some(version) => version.clone(),
            None => self.get_latest_version(model).await?,
        };
        let (manifest, spent) = tokio::try_join!(self.read_manifest(model, &version), self.is_spent(model, &version))?;
        let Some((manifest, record)) = manifest.filter(|_| !spent) else {
            // A model without any version is the more helpful thing to say.
            let versions = self.list_model_versions(model).await?;
            let similar = similar_versions(&version, versions);
            return Err(Error::VersionNotFound { model: model.clone(), version, similar });
        };
        let files = match &manifest.files {
            Some(files) => files
                .iter()
                .map(|f| StoredFile {
                    path: f.path.clone(),
                    size: f.size,
                    md5: f.md5,
                    blake3: Some(f.blake3),
                    parts: f.parts.clone(),
                })
                .collect(),
            None => self.listed_files(&manifest).await?,
        };
        Ok(Description { manifest, files, record })
    }

    /// Returns one version in full, and its objects as [`ModelStorage::listed_objects`] does, asked for at the same time.
    pub(super) async fn describe_listed(
        &self,
        selector: &Selector,
    ) -> Result<(Description, Option<BTreeMap<ArtifactPath, u64>>)> {
        let model = selector.model.clone();
        let version = match &selector.version {
            Some(version) => version.clone(),
            None => self.get_latest_version(&model).await?,
        };
        let exact = Selector { model: model.clone(), version: Some(version.clone()) };
        let (found, listed) = tokio::join!(self.describe(&exact), self.listed_objects(&model, &version));
        // That the version does not exist is the more helpful thing to say.
        Ok((found?, listed?))
    }

    /// Returns the sizes of all objects under a version's prefix by their paths; none when the server does not allow
    /// listing, which fetching a version that is named does not need.
    pub(super) async fn listed_objects(
        &self,
        model: &ModelName,
        version: &Version,
    ) -> Result<Option<BTreeMap<ArtifactPath, u64>>> {
        let prefix = version_prefix(model, version);
        let objects = match self.client.list_objects(&self.bucket, &prefix).await {
            Ok(objects) => objects,
            Err(Error::Denied { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let by_path = |object: ListedObject| Some((object.key[prefix.len()..].parse().ok()?, object.size));
        Ok(Some(objects.into_iter().filter_map(by_path).collect()))
    }

    /// Returns what the manifest of a version that was listed says about it; none when it is gone. One request, where
    /// [`ModelStorage::describe`] makes two or more: for whoever reads many.
    ///
    /// # Errors
    /// [`Error::Manifest`] when the manifest cannot be used.
    pub async fn read_metadata(&self, model: &ModelName, version: &Version) -> Result<Option<Map<String, Value>>> {
        Ok(self.read_manifest(model, version).await?.map(|(manifest, _)| manifest.metadata))
    }

    /// Returns the files of a version that the Python original wrote: all objects beside its manifest.
    async fn listed_files(&self, manifest: &Manifest) -> Result<Vec<StoredFile>> {
        let corrupt = |source| Error::Manifest { key: manifest.key().to_string(), source };
        let main = manifest.main().map_err(corrupt)?;
        let (model, version) = (&manifest.model_name, &manifest.version);
        let prefix = version_prefix(model, version);
        let mut files = Vec::new();
        for object in self.client.list_objects(&self.bucket, &prefix).await? {
            // A key that cannot be a path, as a browser's marker of an empty folder `sub/`, is nobody's file.
            let Ok(path) = object.key[prefix.len()..].parse::<ArtifactPath>() else { continue };
            let md5 = manifest.checksum.filter(|_| path == main);
            files.push(StoredFile { path, size: object.size, md5, blake3: None, parts: None });
        }
        if files.iter().any(|file| file.path == main) {
            Ok(files)
        } else {
            Err(Error::FileMissing { model: model.clone(), version: version.clone(), path: main })
        }
    }

    async fn similar_models(&self, model: &ModelName) -> Result<Vec<ModelName>> {
        let names: Vec<_> = self.list_models().await?.into_iter().map(|summary| summary.model).collect();
        Ok(similar(model.as_str(), names, ModelName::as_str))
    }
}

/// Returns the versions that may have been meant, or else the latest one.
fn similar_versions(version: &Version, versions: Vec<VersionSummary>) -> Vec<Version> {
    let names: Vec<_> = versions.into_iter().map(|summary| summary.version).collect();
    let latest = names.last().cloned();
    let close = similar(version.as_str(), names, Version::as_str);
    if close.is_empty() { latest.into_iter().collect() } else { close }
}

/// Returns up to three names that are a typing error away from `wanted`, the closest first.
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
    fn a_version_is_its_manifest_unless_it_is_spent() {
        let mut models = survey(listed(&[
            ".depot/spent/m/3.json",
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
