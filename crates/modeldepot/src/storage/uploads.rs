//! Records of the multipart uploads that a push begins: a server lists unfinished uploads without their metadata, so only
//! these show which are modeldepot's.
//!
//! They also show that a push did not end well: a push that fails leaves a record, and so does one that died, when another
//! takes its lease away. Without that, `gc` removes no file of it: the version may have been published, and have lost its
//! manifest.
//!
//! A record is written before the first upload and removed when none is left. What a dead push left of both is for `gc`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, version_prefix};
use crate::name::{ModelName, Version};

/// The largest record, in bytes. Uploads of paths beyond it cannot be collected.
const LARGEST: usize = 4 * 1024 * 1024;

/// What a record says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The files that are uploaded in parts.
    #[serde(default)]
    paths: BTreeSet<String>,
}

impl ModelStorage {
    /// Records which files a push is about to upload in parts. Does nothing when there are none.
    pub(super) async fn announce_uploads(
        &self,
        model: &ModelName,
        version: &Version,
        id: Uuid,
        mut paths: BTreeSet<String>,
    ) -> Result<()> {
        let mut size = 0;
        paths.retain(|path| {
            // A quote or backslash is two bytes in JSON.
            size += 2 * path.len() + 4;
            size < LARGEST
        });
        if paths.is_empty() {
            return Ok(());
        }
        let record = Record { paths };
        let key = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        let body = serde_json::to_vec(&record).unwrap_or_default();
        self.client.put_small(&self.bucket, &key, body.into(), "application/json").await
    }

    /// Returns the paths that a record names; none when it is missing or cannot be read.
    pub(super) async fn announced_uploads(&self, record: &str) -> Result<BTreeSet<String>> {
        match self.client.get_small(&self.bucket, record, LARGEST as u64).await {
            Ok(json) => {
                Ok(json.and_then(|json| serde_json::from_slice::<Record>(&json).ok()).unwrap_or_default().paths)
            }
            Err(Error::WrongSize { .. }) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// Records that a push did not end well, unless nothing is left of it, or it has a record.
    pub(super) async fn record_failure(&self, model: &ModelName, version: &Version, id: Uuid) -> Result<()> {
        let record = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        if !self.has_files_of(model, version, id).await? || self.client.object_exists(&self.bucket, &record).await? {
            return Ok(());
        }
        self.client.put_small(&self.bucket, &record, "{}\n".into(), "application/json").await
    }

    /// Removes the record of a push that has ended, unless something that it stands for is left: an upload that it names,
    /// or files of a push that failed. If that does not succeed, `gc` does it.
    pub(super) async fn settle_uploads(&self, model: &ModelName, version: &Version, id: Uuid, published: bool) {
        let record = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        let left = async {
            let files = !published && self.has_files_of(model, version, id).await?;
            Ok::<_, Error>(files || self.has_uploads(model, version, &record).await?)
        };
        match left.await {
            Ok(true) => {}
            Ok(false) => {
                if let Err(error) = self.client.delete_object(&self.bucket, &record).await {
                    tracing::debug!(%error, record, "cannot remove the record of uploads");
                }
            }
            Err(error) => tracing::debug!(%error, record, "cannot look at what a push left"),
        }
    }

    /// Returns true when something lies under a version that this push created.
    async fn has_files_of(&self, model: &ModelName, version: &Version, id: Uuid) -> Result<bool> {
        let objects = self.client.list_objects(&self.bucket, &version_prefix(model, version)).await?;
        let (own, _) = self.divide_by_push(objects).await?;
        Ok(own.iter().any(|(push, _)| *push == id))
    }

    /// Returns true when an upload that a record names is unfinished.
    pub(super) async fn has_uploads(&self, model: &ModelName, version: &Version, record: &str) -> Result<bool> {
        let prefix = version_prefix(model, version);
        // Of the whole bucket, as `gc` lists them: MinIO knows no prefix but a whole key.
        let mut unfinished = self.client.list_multipart_uploads(&self.bucket, "").await?;
        unfinished.retain(|upload| upload.key.starts_with(&prefix));
        if unfinished.is_empty() {
            return Ok(false);
        }
        let announced = self.announced_uploads(record).await?;
        Ok(unfinished
            .iter()
            .any(|upload| upload.key.strip_prefix(&prefix).is_some_and(|path| announced.contains(path))))
    }
}
