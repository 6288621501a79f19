//! Models in a bucket: the operations that every front end shares.

mod capability;
mod comparison;
mod counts;
mod decide;
mod delete;
mod direct;
mod file_counts;
mod fsck;
mod gc;
mod guard;
mod lease;
mod lookup;
mod ownership;
mod pull;
mod push;
mod read;
#[cfg(test)]
mod test_server;
mod times;
mod tombstone;
mod upload_records;
mod verify;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use self::counts::Counted;
use self::times::Times;
use crate::error::{Mismatch, Result};
use crate::model::key::ObjectKey;
use crate::model::manifest::LARGEST;
use crate::model::name::{ArtifactPath, BucketName, ModelName, Selector, Version};
use crate::model::prefix::KeyPrefix;
use crate::s3::{PresignedMethod, S3Client};
use crate::settings::Settings;
use crate::{Error, Manifest, ManifestError};

pub use capability::Probed;
pub use comparison::{ComparedField, ComparedFile, Comparison};
pub use delete::Deleted;
pub use direct::{DirectUpload, Offer, OfferedFile};
pub use fsck::{Fault, FsckReport};
pub use gc::{Collected, GcPlan, Kept, KeptWhy, Orphans};
pub use guard::Change;
#[cfg(feature = "internals")]
pub(crate) use lookup::survey;
pub use lookup::{Damaged, Description, ModelSummary, StoredFile, VersionSummary};
pub use ownership::Foreign;
pub use pull::{Fetched, Obstacle, ObstacleKind, Pull};
pub use push::left_out::{LeftOut, Reason};
pub use push::patterns::Malformed;
pub use push::scan::Scan;
pub use push::source::{Source, SourceFile};
pub use push::{Published, Push};
pub use read::FileReader;
pub use verify::Verified;

/// The models of one bucket. Cheap to clone. The bucket is the source of truth: only the server's capabilities and the
/// file counts of some manifests, which never change, are cached.
#[derive(Clone, Debug)]
pub struct ModelStorage {
    /// For any object of the service.
    client: S3Client,
    /// For the models' own keys, which may start at a folder of the bucket.
    depot: S3Client,
    bucket: BucketName,
    prefix: KeyPrefix,
    /// What this process knows of the server.
    probed: Arc<OnceCell<Probed>>,
    /// Whether the server copies parts, if it was needed and the bucket had no record of it.
    copies: Arc<OnceCell<crate::s3::CopySupport>>,
    counts: Arc<counts::Counts>,
    times: Times,
}

impl ModelStorage {
    /// Opens the storage in the settings' models bucket. Sends nothing.
    ///
    /// # Errors
    /// As [`S3Client::connect`].
    pub async fn open(settings: &Settings) -> Result<ModelStorage> {
        let client = S3Client::connect(settings).await?;
        Ok(ModelStorage {
            depot: client.below(&settings.prefix),
            client,
            prefix: settings.prefix.clone(),
            bucket: settings.buckets.models.clone(),
            probed: Arc::default(),
            copies: Arc::default(),
            counts: Arc::default(),
            times: Times::default(),
        })
    }

    /// Returns the underlying client, for any object of any bucket.
    pub fn client(&self) -> &S3Client {
        &self.client
    }

    /// Returns the client for the models' own keys, as [`ObjectKey`] spells them, relative to [`ModelStorage::prefix`].
    pub fn depot(&self) -> &S3Client {
        &self.depot
    }

    /// Returns the folder of the bucket that holds the models.
    pub fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// Returns the bucket of the models.
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// Returns a URL, valid for 1 second to 7 days, that lets its holder fetch a file of a version, or store one of a
    /// version that is not published yet. Without `file`, it is for the model file.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] when the version has no such file. For [`PresignedMethod::Put`],
    /// [`Error::VersionExists`] when the version is published: its files never change.
    pub async fn presign(
        &self,
        selector: &Selector,
        file: Option<&ArtifactPath>,
        method: PresignedMethod,
        expires: std::time::Duration,
    ) -> Result<String> {
        let (model, version, path) = match (method, &selector.version, file) {
            (PresignedMethod::Get, ..) => return self.link(&self.describe(selector).await?, file, expires).await,
            (PresignedMethod::Put, Some(version), Some(path)) => {
                let (model, version) = (selector.model.clone(), version.clone());
                self.refuse_published(&model, &version).await?;
                (model, version, path.clone())
            }
            (PresignedMethod::Put, ..) => return Err(Error::put_needs_a_name()),
        };
        let key = ObjectKey::Artifact(model, version, path).to_string();
        self.depot.presign(&self.bucket, &key, method, expires).await
    }

    /// Returns a URL that lets its holder fetch a file of a version that was already described. Browsers save the file
    /// instead of showing it. Sends nothing.
    ///
    /// # Errors
    /// As [`ModelStorage::presign`].
    pub async fn link(
        &self,
        found: &Description,
        file: Option<&ArtifactPath>,
        expires: std::time::Duration,
    ) -> Result<String> {
        let path = match file {
            None => found.main()?,
            Some(path) => found.file(path)?.path.clone(),
        };
        let (model, version) = (found.manifest.model_name.clone(), found.manifest.version.clone());
        let name = path.file_name().to_owned();
        let key = ObjectKey::Artifact(model, version, path).to_string();
        self.depot.download_url(&self.bucket, &key, &name, expires).await
    }

    async fn refuse_published(&self, model: &ModelName, version: &Version) -> Result<()> {
        let (manifest, retired) =
            tokio::try_join!(self.read_manifest(model, version), self.is_retired(model, version))?;
        let (model, version) = (model.clone(), version.clone());
        match (manifest, retired) {
            (_, true) => Err(Error::version_retired(&model, &version)),
            (Some(_), false) => Err(Error::VersionExists { model, version }),
            (None, false) => Ok(()),
        }
    }

    /// Returns the manifest of a version and the bytes that it was parsed from, or `None` when the version does not
    /// exist.
    async fn read_manifest(&self, model: &ModelName, version: &Version) -> Result<Option<(Manifest, Bytes)>> {
        self.read_manifest_up_to(LARGEST, model, version).await
    }

    /// As [`ModelStorage::read_manifest`], for one of at most `limit` bytes.
    async fn read_manifest_up_to(
        &self,
        limit: u64,
        model: &ModelName,
        version: &Version,
    ) -> Result<Option<(Manifest, Bytes)>> {
        let key = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
        let mut again = true;
        loop {
            let bytes = match self.depot.get_small(&self.bucket, &key, limit).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(None),
                // No push writes one this large: it is damaged, or another tool's.
                Err(Error::Damaged { mismatch: Mismatch::Size { found, .. }, .. }) => {
                    let source = match found > LARGEST {
                        true => ManifestError::TooLarge { bytes: found },
                        false => ManifestError::TooLong { bytes: found },
                    };
                    return Err(Error::Manifest { key, source });
                }
                Err(error) => return Err(error),
            };
            match Manifest::parse(model, version, &bytes) {
                Ok(manifest) => {
                    self.counts.keep(model, version, bytes.len() as u64, Counted::of(&manifest));
                    return Ok(Some((manifest, bytes)));
                }
                // Reading once more repairs damage in transit, but not in the bucket.
                Err(source) if again => tracing::warn!(key, %source, "a manifest cannot be used; reading once more"),
                Err(source) => {
                    // A manifest written by a newer program is not damaged.
                    let newer = matches!(source, ManifestError::TooNew(_));
                    let counted = if newer { Counted::All } else { Counted::Damaged };
                    self.counts.keep(model, version, bytes.len() as u64, counted);
                    return Err(Error::Manifest { key, source });
                }
            }
            again = false;
        }
    }
}

/// Front ends run these on other threads.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    fn sent<T: Send>(_: T) {}

    #[allow(dead_code, reason = "it need only compile")]
    fn futures_are_send(storage: &ModelStorage, push: Push, selector: &Selector, pull: &Pull) {
        sent(storage.push(push, &Progress::none()));
        sent(storage.pull(pull, &Progress::none()));
        sent(storage.verify(selector, &Progress::none()));
        sent(storage.describe(selector));
        sent(async { storage.open_file(selector, None).await?.read(|_| {}).await });
        sent(storage.models());
    }
}
