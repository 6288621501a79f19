//! Records of the multipart uploads that a push begins. A server lists unfinished uploads without their metadata, so
//! only these records show which are modeldepot's.
//!
//! They also show that a push did not end well: a failed push leaves a record, and so does a dead one when another push
//! removes its lease. Without that evidence `gc` removes none of its files: the version may have been published and
//! have lost its manifest.
//!
//! A record is written before the first upload and removed when no upload is left. What a dead push leaves is removed
//! by `gc`.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::model::key::{ObjectKey, version_prefix};
use crate::model::name::{ModelName, Version};
use crate::s3::{OwnUploads, UnfinishedUpload};

/// The largest record, in bytes. Uploads of paths beyond it cannot be collected.
const LARGEST: usize = 4 * 1024 * 1024;

/// The content of a record.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The files uploaded in parts.
    #[serde(default)]
    pub(super) paths: BTreeSet<String>,
    /// The server's ids of the uploads that were begun.
    #[serde(default)]
    pub(super) uploads: BTreeSet<String>,
}

impl Record {
    pub(super) fn names(&self, path: &str, upload: &str) -> bool {
        self.uploads.contains(upload) && self.paths.contains(path)
    }
}

/// The record of a running push.
#[derive(Debug, Clone)]
pub(super) struct Announced {
    storage: ModelStorage,
    key: String,
    record: Arc<Mutex<Record>>,
}

impl Announced {
    /// Adds uploads that were begun, and returns once they are recorded.
    pub(super) async fn note(&self, begun: impl IntoIterator<Item = String>) -> Result<()> {
        // Locked until it is stored: an older record must not replace a newer one.
        let mut record = self.record.lock().await;
        record.uploads.extend(begun);
        let body = serde_json::to_vec(&*record).unwrap_or_default();
        self.storage.depot.put_small(&self.storage.bucket, &self.key, body.into(), "application/json").await
    }

    /// Returns which uploads belong to the push.
    pub(super) async fn own(&self) -> OwnUploads {
        let (known, this) = (self.record.lock().await.uploads.clone(), self.clone());
        OwnUploads {
            known,
            note: Arc::new(move |id| {
                let this = this.clone();
                async move { this.note([id]).await }.boxed()
            }),
        }
    }
}

impl ModelStorage {
    /// Records which files a push is about to upload in parts, with the uploads that an earlier run of it began. Does
    /// nothing when there are none.
    pub(super) async fn announce_uploads(
        &self,
        model: &ModelName,
        version: &Version,
        id: Uuid,
        mut paths: BTreeSet<String>,
        uploads: BTreeSet<String>,
    ) -> Result<Option<Announced>> {
        let mut size = 0;
        paths.retain(|path| {
            // A quote or backslash is two bytes in JSON.
            size += 2 * path.len() + 4;
            size < LARGEST
        });
        if paths.is_empty() {
            return Ok(None);
        }
        let record = Arc::new(Mutex::new(Record { paths, uploads }));
        let key = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        let announced = Announced { storage: self.clone(), key, record };
        announced.note([]).await?;
        Ok(Some(announced))
    }

    /// Returns the content of a record; empty when it is missing or unreadable.
    pub(super) async fn announced_uploads(&self, record: &str) -> Result<Record> {
        match self.depot.get_small(&self.bucket, record, 2 * LARGEST as u64).await {
            Ok(json) => Ok(json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()),
            Err(Error::WrongSize { .. }) => Ok(Record::default()),
            Err(error) => Err(error),
        }
    }

    /// Records that a push did not end well, unless none of its files are left or it already has a record.
    pub(super) async fn record_failure(&self, model: &ModelName, version: &Version, id: Uuid) -> Result<()> {
        let record = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        if !self.has_files_of(model, version, id).await? || self.depot.object_exists(&self.bucket, &record).await? {
            return Ok(());
        }
        self.depot.put_small(&self.bucket, &record, "{}\n".into(), "application/json").await
    }

    /// Removes the record of a push that has ended, unless it is still needed: for an upload that it names, or for
    /// files of a failed push. If the removal fails, `gc` does it.
    pub(super) async fn settle_uploads(&self, model: &ModelName, version: &Version, id: Uuid, published: bool) {
        let record = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        let left = async {
            let files = !published && self.has_files_of(model, version, id).await?;
            Ok::<_, Error>(files || self.has_uploads(model, version, &record).await?)
        };
        match left.await {
            Ok(true) => {}
            Ok(false) => {
                if let Err(error) = self.depot.delete_object(&self.bucket, &record).await {
                    tracing::debug!(%error, record, "cannot remove the record of uploads");
                }
            }
            Err(error) => tracing::debug!(%error, record, "cannot look at what a push left"),
        }
    }

    /// Returns true when this push created objects that still exist under the version.
    async fn has_files_of(&self, model: &ModelName, version: &Version, id: Uuid) -> Result<bool> {
        let objects = self.depot.list_objects(&self.bucket, &version_prefix(model, version)).await?;
        let (own, _) = self.divide_by_push(objects).await?;
        Ok(own.iter().any(|(push, _)| *push == id))
    }

    /// Returns true when an upload that a record names is unfinished.
    pub(super) async fn has_uploads(&self, model: &ModelName, version: &Version, record: &str) -> Result<bool> {
        Ok(!self.unfinished(model, version, record).await?.is_empty())
    }

    /// Aborts the unfinished uploads of a push that cannot succeed, since nothing would resume them.
    pub(super) async fn abort_uploads(&self, model: &ModelName, version: &Version, id: Uuid) -> Result<()> {
        let record = ObjectKey::Uploads(model.clone(), version.clone(), id).to_string();
        for upload in self.unfinished(model, version, &record).await? {
            self.depot.abort_multipart_upload(&self.bucket, &upload.key, &upload.upload_id).await?;
        }
        Ok(())
    }

    /// Returns the unfinished uploads that a record names.
    async fn unfinished(&self, model: &ModelName, version: &Version, record: &str) -> Result<Vec<UnfinishedUpload>> {
        let prefix = version_prefix(model, version);
        // Lists the whole bucket, as `gc` does: MinIO supports no prefix here but a whole key.
        let mut unfinished = self.depot.list_multipart_uploads(&self.bucket, "").await?;
        unfinished.retain(|upload| upload.key.starts_with(&prefix));
        if unfinished.is_empty() {
            return Ok(unfinished);
        }
        let announced = self.announced_uploads(record).await?;
        unfinished.retain(|upload| {
            upload.key.strip_prefix(&prefix).is_some_and(|path| announced.names(path, &upload.upload_id))
        });
        Ok(unfinished)
    }
}
