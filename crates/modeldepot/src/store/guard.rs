//! Keys of the models bucket that plain object operations must not change.

use std::sync::Arc;

use super::ModelStorage;
use crate::error::{Error, Mismatch, Result};
use crate::model::key::{ObjectKey, RECORDS, version_of};
use crate::model::name::BucketName;
use crate::model::prefix::KeyPrefix;

/// A change to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Store it, directly or by a presigned URL.
    Store,
    /// Delete it.
    Delete,
}

impl ModelStorage {
    /// Refuses to store or delete an object that belongs to a published version, or a record of modeldepot's own. For
    /// operations on plain objects, which know nothing of versions; every front end calls this first.
    ///
    /// These operations reach the whole bucket, so every depot in it is checked: at its root and in each folder that
    /// contains the key.
    ///
    /// An object under a published version's prefix that is not part of the version can be deleted, but none can be
    /// added.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Conflict`] for an object of a published version, and for a record
    /// of modeldepot.
    pub async fn refuse_change(&self, bucket: &BucketName, key: &str, change: Change) -> Result<()> {
        if *bucket != self.bucket {
            return Ok(());
        }
        if let Some(inner) = self.prefix.within(key) {
            self.refuse_here(key, inner, change, true).await?;
        }
        for prefix in folders(key).filter(|prefix| *prefix != self.prefix) {
            let Some(inner) = prefix.within(key) else { continue };
            if inner.starts_with(RECORDS) {
                return Err(Error::own_record(key));
            }
            if version_of(inner).is_some() {
                self.in_folder(prefix.clone()).refuse_here(key, inner, change, false).await?;
            }
        }
        Ok(())
    }

    /// Returns the storage of another depot in the same bucket.
    fn in_folder(&self, prefix: KeyPrefix) -> ModelStorage {
        ModelStorage { depot: self.client.below(&prefix), prefix, counts: Arc::default(), ..self.clone() }
    }

    /// Checks one depot. In a folder that only may be a depot, a new `manifest.json` is refused only if a manifest
    /// already exists.
    async fn refuse_here(&self, whole: &str, key: &str, change: Change, is_ours: bool) -> Result<()> {
        if key.starts_with(RECORDS) {
            return Err(Error::own_record(whole));
        }
        // No key under a version is free, not even one that cannot be a file, such as a marker of an empty folder.
        let Some((model, version)) = version_of(key) else { return Ok(()) };
        let parsed = key.parse::<ObjectKey>().ok();
        let is_manifest = matches!(parsed, Some(ObjectKey::Manifest(..)));
        let refused = || {
            let prefix = Some(self.prefix.clone()).filter(|_| !is_ours);
            Err(Error::published_object(whole, prefix, &model, &version))
        };
        if is_manifest && change == Change::Store && is_ours {
            return refused();
        }
        let (manifest, retired) = tokio::join!(self.read_manifest(&model, &version), self.is_retired(&model, &version));
        match (manifest, retired?) {
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
            // What a damaged manifest lists is unknown. One without a mark belongs to another tool, and so do the
            // objects beside it unless they are marked.
            (Err(Error::Manifest { .. } | Error::Damaged { mismatch: Mismatch::Size { .. }, .. }), _) => {
                let manifest = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
                let (marked, with) = tokio::try_join!(self.is_own(&manifest), self.is_own(key))?;
                if marked || with { refused() } else { Ok(()) }
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// Returns the prefixes of all depots that a key may belong to: the root, and each folder above it.
fn folders(key: &str) -> impl Iterator<Item = KeyPrefix> {
    let ends = key.match_indices('/').map(|(at, _)| at + 1);
    let folders = std::iter::once(0).chain(ends).map(|end| &key[..end]);
    folders.filter_map(|folder| folder.parse().ok().filter(|prefix: &KeyPrefix| prefix.as_str() == folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_a_key_may_hold_a_depot() {
        let found = |key: &str| folders(key).map(|prefix| prefix.to_string()).collect::<Vec<_>>();
        assert_eq!(found("a/b/m/v1/f"), ["", "a/", "a/b/", "a/b/m/", "a/b/m/v1/"]);
        assert_eq!(found("/a//b"), [""], "no prefix leads there");
        assert!(found(&"v1/".repeat(341)).len() < 70, "as long as a prefix may be");
    }
}
