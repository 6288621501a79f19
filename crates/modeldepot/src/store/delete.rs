//! Deleting a version and retiring its name.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::ModelStorage;
use super::ownership::Foreign;
use super::tombstone::Tombstone;
use crate::error::{Error, Mismatch, Result};
use crate::model::key::{ObjectKey, version_prefix};
use crate::model::name::{ArtifactPath, ModelName, Selector, Version};
use crate::s3::ListedObject;

/// What a delete removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deleted {
    /// Files, not counting the manifest.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects under the version's prefix that were not part of it, and were not deleted.
    pub foreign: Foreign,
    /// True when the version was already deleted; leftovers of an interrupted delete are now gone.
    pub already: bool,
}

/// What was found at the key of a version's manifest.
enum Found {
    /// A manifest, with the paths that it lists; `None` for one written by the Python pipeline, which lists no files.
    Manifest(Option<BTreeSet<ArtifactPath>>),
    Damaged,
    Nothing,
}

impl ModelStorage {
    /// Deletes a version: first it writes a tombstone that lists the version's objects, then it deletes the manifest,
    /// at which moment the version is gone for every reader, then the files. An interrupted delete leaves the version
    /// whole or gone, and is completed by deleting again, or by `gc`.
    ///
    /// Only what belongs to the version is removed: the files that its manifest lists, and orphans of its pushes. (If
    /// the Python pipeline wrote it, the manifest lists no files, and all objects under the prefix belong to it.) Other
    /// objects under the prefix are left alone and reported.
    ///
    /// A version with a damaged manifest can be deleted too. A `manifest.json` that is not a manifest and carries no
    /// mark belongs to another tool and is left alone.
    ///
    /// # Errors
    /// [`Error::VersionNotFound`] or [`Error::ModelNotFound`] when there is none, [`Error::Other`] of kind
    /// [`crate::ErrorKind::Conflict`] when nothing shows that modeldepot created any of it, and of kind
    /// [`crate::ErrorKind::Invalid`] for `latest`, unless a version really has that name.
    pub async fn delete(&self, model: &ModelName, version: &Version) -> Result<Deleted> {
        let (found, tombstone) = tokio::try_join!(self.found(model, version), self.tombstone(model, version))?;
        // Only a version with exactly this name is deleted, never the one that the name stands for.
        if matches!(found, Found::Nothing) && version.is_latest() {
            return Err(Error::delete_latest(model));
        }
        if matches!(found, Found::Nothing) && tombstone.is_none() {
            // Returns the error that says which of the two names is unknown, with similar names.
            let selector = Selector { model: model.clone(), version: Some(version.clone()) };
            self.describe(&selector).await?;
        }
        let prefix = version_prefix(model, version);
        let manifest = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
        let retired = tombstone.is_some();
        let mut known = tombstone.unwrap_or_default();
        // Listed before the tombstone is written, which records them.
        let there = self.depot.list_objects(&self.bucket, &prefix).await?;
        let ours = match found {
            Found::Manifest(_) => true,
            Found::Damaged => self.is_own(&manifest).await?,
            Found::Nothing => false,
        };
        if !ours && !retired && !self.has_own(&there).await? {
            return Err(Error::foreign_version(model, version));
        }
        let of_version = |object: &&ListedObject| match object.key == manifest {
            true => ours,
            false => found.lists(&object.key[prefix.len()..]),
        };
        for object in there.iter().filter(of_version) {
            known.add(&prefix, object);
        }
        if !retired {
            self.spend(model, version, &known).await?;
        }
        if ours {
            self.depot.delete_object(&self.bucket, &manifest).await?;
        }
        let (mut removed, foreign) = self.remove_own(model, version, &known, false).await?;
        removed.retain(|object| object.key != manifest);
        let beside = ObjectKey::ForeignObjects(model.clone(), version.clone()).to_string();
        self.depot.delete_object(&self.bucket, &beside).await?;
        let foreign = Foreign::of(&prefix, &foreign);
        Ok(Deleted {
            files: removed.len(),
            bytes: removed.iter().map(|object| object.size).fold(0, u64::saturating_add),
            foreign,
            already: retired,
        })
    }

    async fn found(&self, model: &ModelName, version: &Version) -> Result<Found> {
        match self.read_manifest(model, version).await {
            Ok(Some((manifest, _))) => {
                let files = manifest.files.map(|files| files.into_iter().map(|file| file.path).collect());
                Ok(Found::Manifest(files))
            }
            Ok(None) => Ok(Found::Nothing),
            Err(Error::Manifest { .. } | Error::Damaged { mismatch: Mismatch::Size { .. }, .. }) => Ok(Found::Damaged),
            Err(error) => Err(error),
        }
    }

    /// Removes what is left of a version whose name is retired: the manifest first, then objects that the tombstone
    /// lists or that carry a mark. Returns the removed objects, and the foreign ones that were left alone.
    pub(super) async fn remove_own(
        &self,
        model: &ModelName,
        version: &Version,
        tombstone: &Tombstone,
        all: bool,
    ) -> Result<(Vec<ListedObject>, Vec<ListedObject>)> {
        let prefix = version_prefix(model, version);
        let manifest = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
        let objects = self.depot.list_objects(&self.bucket, &prefix).await?;
        let (own, foreign) = self.divide_by(&prefix, objects, tombstone, all).await?;
        if own.iter().any(|object| object.key == manifest) {
            self.depot.delete_object(&self.bucket, &manifest).await?;
        }
        let keys: Vec<String> = own.iter().map(|object| object.key.clone()).collect();
        self.depot.delete_objects(&self.bucket, &keys).await?;
        Ok((own, foreign))
    }

    /// Divides the objects under a deleted version into modeldepot's own and foreign ones. A delete checks only a
    /// limited number of them; `gc` checks `all`.
    pub(super) async fn divide_by(
        &self,
        prefix: &str,
        objects: Vec<ListedObject>,
        tombstone: &Tombstone,
        all: bool,
    ) -> Result<(Vec<ListedObject>, Vec<ListedObject>)> {
        let (mut own, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| tombstone.lists(prefix, object));
        let (marked, foreign) = if all { self.divide(rest).await? } else { self.divide_some(rest).await? };
        own.extend(marked);
        Ok((own, foreign))
    }
}

impl Found {
    /// Returns true for a file of the version.
    fn lists(&self, path: &str) -> bool {
        // A key that is not a path, such as a browser's marker `sub/` of an empty folder, is not a file.
        let Ok(path) = path.parse::<ArtifactPath>() else { return false };
        match self {
            Found::Manifest(Some(files)) => files.contains(&path),
            Found::Manifest(None) => true,
            Found::Damaged | Found::Nothing => false,
        }
    }
}
