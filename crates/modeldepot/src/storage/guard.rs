//! Which keys of the models bucket the plain verbs on objects must leave alone.

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, RECORDS, version_of};
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
        let whole = key;
        let Some(key) = Some(key).filter(|_| *bucket == self.bucket).and_then(|key| self.prefix.within(key)) else {
            return Ok(());
        };
        if key.starts_with(RECORDS) {
            return Err(Error::OwnRecord { key: whole.to_owned() });
        }
        // No key under a version is free, be it one that can be no file's, such as a marker of an empty folder.
        let Some((model, version)) = version_of(key) else { return Ok(()) };
        let parsed = key.parse::<ObjectKey>().ok();
        let is_manifest = matches!(parsed, Some(ObjectKey::Manifest(..)));
        let refused = || Err(published(whole, &model, &version));
        if is_manifest && change == Change::Store {
            return refused();
        }
        let (manifest, spent) = tokio::join!(self.read_manifest(&model, &version), self.is_spent(&model, &version));
        match (manifest, spent?) {
            (Ok(None), _) => Ok(()),
            (_, true) if !is_manifest => Ok(()),
            (Ok(Some((manifest, _))), _) => match (&manifest.files, parsed) {
                (Some(files), Some(ObjectKey::Artifact(_, _, path)))
                    if change == Change::Delete && files.iter().all(|file| file.path != path) =>
                {
                    Ok(())
                }
                (_, None) if change == Change::Delete => Ok(()),
                _ => refused(),
            },
            // Nobody knows what a damaged manifest lists. One without a mark is another tool's, and what lies beside it
            // too, unless that is marked.
            (Err(Error::Manifest { .. } | Error::WrongSize { .. }), _) => {
                let manifest = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
                let (marked, with) = tokio::try_join!(self.is_own(&manifest), self.is_own(key))?;
                if marked || with { refused() } else { Ok(()) }
            }
            (Err(error), _) => Err(error),
        }
    }
}

fn published(key: &str, model: &ModelName, version: &Version) -> Error {
    Error::PublishedObject { key: key.to_owned(), model: model.clone(), version: version.clone() }
}
