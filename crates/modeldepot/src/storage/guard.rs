//! Which keys of the models bucket the plain verbs on objects must leave alone.

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, RECORDS};
use crate::name::{BucketName, ModelName, Version};

/// What is to be done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Store it, or let somebody store it.
    Store,
    /// Delete it.
    Delete,
}

impl ModelStorage {
    /// Refuses to store or delete an object that belongs to a published version, or a record of modeldepot's own: for the
    /// verbs on plain objects, which know nothing of versions. Every front end asks this first.
    ///
    /// An object under a published version's prefix that is not part of the version can be deleted, and none can be added.
    ///
    /// # Errors
    /// [`Error::PublishedObject`], [`Error::OwnRecord`].
    pub async fn refuse_change(&self, bucket: &BucketName, key: &str, change: Change) -> Result<()> {
        if *bucket != self.bucket {
            return Ok(());
        }
        if key.starts_with(RECORDS) {
            return Err(Error::OwnRecord { key: key.to_owned() });
        }
        let (model, version, path) = match key.parse() {
            Ok(ObjectKey::Artifact(model, version, path)) => (model, version, Some(path)),
            Ok(ObjectKey::Manifest(model, version)) => (model, version, None),
            // A key in a version's folder that can be no file's, such as a marker of an empty folder, is nobody's.
            _ => return Ok(()),
        };
        let refused = || Err(published(key, &model, &version));
        let Some(path) = path else { return refused() };
        let (manifest, spent) = tokio::join!(self.read_manifest(&model, &version), self.is_spent(&model, &version));
        match (manifest, spent?) {
            (Ok(None), _) | (_, true) => Ok(()),
            (Ok(Some((manifest, _))), false) => match &manifest.files {
                Some(files) if change == Change::Delete && files.iter().all(|file| file.path != path) => Ok(()),
                _ => refused(),
            },
            // Nobody knows what a damaged manifest lists.
            (Err(Error::Manifest { .. } | Error::WrongSize { .. }), false) => refused(),
            (Err(error), false) => Err(error),
        }
    }
}

fn published(key: &str, model: &ModelName, version: &Version) -> Error {
    Error::PublishedObject { key: key.to_owned(), model: model.clone(), version: version.clone() }
}
