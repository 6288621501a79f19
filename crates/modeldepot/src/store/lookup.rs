//! Lookups in the bucket: models, versions, and one version in full.

mod description;
mod summary;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ModelStorage;
use super::file_counts::LONGEST;
use crate::advice::similar;
use crate::error::{Error, ErrorKind, Result};
use crate::model::key::{foreign_prefix, model_prefix, tombstones_prefix, version_prefix};
use crate::model::name::{ModelName, Selector, Version};

pub use self::description::{Damaged, Description, StoredFile};
pub use self::summary::{ModelSummary, VersionSummary};
pub(crate) use self::summary::{Seen, survey};

/// How many versions of a model without a published one are checked for a lost manifest.
const LOST: usize = 3;

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
    /// [`Error::ModelNotFound`] when it never had one, and [`Error::Other`] of kind [`crate::ErrorKind::Corrupt`] when the
    /// manifest of its only version is missing.
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
            // Files of a push that is not known to have failed show that there was a version.
            for version in seen.keys().take(LOST) {
                if Box::pin(self.has_lost_its_manifest(model, version)).await.unwrap_or(false) {
                    return Err(Error::manifest_missing(model, version));
                }
            }
            return Err(self.no_such_model(model).await);
        }
        Ok(versions)
    }

    /// Returns a model's latest version: the highest whose manifest exists, even when some of its files are missing.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it never had one, and [`Error::Other`] of kind [`crate::ErrorKind::NotFound`] when
    /// all were deleted.
    pub async fn latest(&self, model: &ModelName) -> Result<Version> {
        let mut versions = self.versions(model).await?;
        Ok(versions.pop().ok_or_else(|| Error::all_versions_deleted(model))?.version)
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
            None => Box::pin(self.latest(model)).await?,
        };
        let prefix = version_prefix(model, &version);
        let (manifest, retired, objects) = tokio::join!(
            self.read_manifest(model, &version),
            self.is_retired(model, &version),
            self.depot.list_objects(&self.bucket, &prefix),
        );
        let Some((manifest, record)) = manifest?.filter(|_| !matches!(retired, Ok(true))) else {
            return Err(Box::pin(self.no_such_version(model, version)).await?);
        };
        retired?;
        let mut found = Description { manifest, files: Vec::new(), damaged: Vec::new(), listed: true, record };
        match objects {
            Ok(objects) => found.compare_with(&prefix, objects),
            // A policy may allow reading but not listing. That is enough if the manifest lists the files.
            Err(Error::Denied { .. }) if found.manifest.files.is_some() => {
                found.compare_with(&prefix, Vec::new());
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
                return Err(Box::pin(self.no_such_version(model, version)).await?);
            }
            found.compare_with(&prefix, objects);
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
        // If this cannot be determined, the listing below says why, or which versions exist.
        if self.is_retired(model, &version).await.unwrap_or(false) {
            return Ok(Error::VersionDeleted { model: model.clone(), version });
        }
        if Box::pin(self.has_lost_its_manifest(model, &version)).await.unwrap_or(false) {
            return Ok(Error::manifest_missing(model, &version));
        }
        let similar = match self.versions(model).await {
            Ok(versions) => similar_versions(&version, versions),
            // Another version has lost its manifest, and there is no other.
            Err(error) if error.kind() == ErrorKind::Corrupt => Vec::new(),
            Err(error) => return Err(error),
        };
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

    /// Returns the versions that have a folder, published or not, in ascending order; `None` if there are more than so many
    /// pages of a thousand.
    pub(super) async fn named_versions(&self, model: &ModelName, pages: usize) -> Result<Option<Vec<Version>>> {
        let prefix = model_prefix(model);
        let Some(folders) = self.depot.list_folders(&self.bucket, &prefix, pages).await? else { return Ok(None) };
        let name = |folder: &String| folder[prefix.len()..].trim_end_matches('/').strip_prefix('v')?.parse().ok();
        let mut versions: Vec<Version> = folders.iter().filter_map(name).collect();
        versions.sort();
        Ok(Some(versions))
    }

    /// Returns the metadata of a listed version; `None` when its manifest is gone. Takes one request, where
    /// [`ModelStorage::describe`] takes two or more. Use it to read many: a manifest of more than 8 MiB is not read.
    ///
    /// # Errors
    /// [`Error::Manifest`] when the manifest cannot be used, or is too long.
    pub async fn metadata_of(&self, model: &ModelName, version: &Version) -> Result<Option<Map<String, Value>>> {
        Ok(self.read_manifest_up_to(LONGEST, model, version).await?.map(|(manifest, _)| manifest.metadata))
    }
}

/// Returns similar versions, or else the latest one.
fn similar_versions(version: &Version, versions: Vec<VersionSummary>) -> Vec<Version> {
    let names: Vec<_> = versions.into_iter().map(|summary| summary.version).collect();
    let latest = names.last().cloned();
    let close = similar(version.as_str(), names, Version::as_str);
    if close.is_empty() { latest.into_iter().collect() } else { close }
}
