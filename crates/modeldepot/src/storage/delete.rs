//! Deleting a version, so that its name is never used again.

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, version_prefix};
use crate::name::{ModelName, Selector, Version};
use crate::s3::Created;

/// What a delete removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Files, the manifest not counted.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl ModelStorage {
    /// Deletes a version: first a tombstone, then the manifest, which is the moment when the version is gone for
    /// every reader, then the files. A delete that is cut off leaves the version whole or gone.
    ///
    /// A version whose manifest is damaged is deleted as well; that is what one wants of it.
    ///
    /// # Errors
    /// [`crate::Error::VersionNotFound`] or [`crate::Error::ModelNotFound`] when there is none.
    pub async fn delete_model_version(&self, model: &ModelName, version: &Version) -> Result<Deleted> {
        let manifest = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
        let (published, spent) =
            tokio::try_join!(self.client.object_exists(&self.bucket, &manifest), self.is_spent(model, version))?;
        if !published && !spent {
            // Says which of the two names is unknown, and what may have been meant.
            let selector = Selector { model: model.clone(), version: Some(version.clone()) };
            self.describe(&selector).await?;
        }
        if !spent {
            self.spend(model, version).await?;
        }
        self.client.delete_object(&self.bucket, &manifest).await?;
        let objects = self.client.list_objects(&self.bucket, &version_prefix(model, version)).await?;
        let deleted = Deleted { files: objects.len(), bytes: objects.iter().map(|object| object.size).sum() };
        let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
        self.client.delete_objects(&self.bucket, &keys).await?;
        Ok(deleted)
    }

    /// Writes a version's tombstone, and returns only when it is there.
    pub(super) async fn spend(&self, model: &ModelName, version: &Version) -> Result<()> {
        let tombstone = ObjectKey::Spent(model.clone(), version.clone()).to_string();
        for attempt in 0..8 {
            let body = bytes::Bytes::from_static(b"{}\n");
            let put = self.client.put_if_absent(&self.bucket, &tombstone, body, "application/json").await;
            match put {
                Ok(Created::Now) => return Ok(()),
                Err(error @ Error::Denied { .. }) => return Err(error),
                // Refused because it is there, or because others write at the same moment and none may have won; or
                // the reply was lost. Only a look tells.
                Ok(Created::Refused) | Err(_) if self.is_spent(model, version).await? => return Ok(()),
                Ok(Created::Refused) => {}
                Err(error) if attempt == 7 => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(20..100 << attempt))).await;
        }
        Err(Error::VersionBusy {
            model: model.clone(),
            version: version.clone(),
            by: "others".to_owned(),
            since: "just now".to_owned(),
            rank: 1,
        })
    }
}
