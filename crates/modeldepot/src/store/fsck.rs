//! Walking every version of a bucket or a model, and telling what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use uuid::Uuid;

use super::ModelStorage;
use crate::error::{Error, ErrorKind, Result};
use crate::model::key::{ObjectKey, RECORDS, model_prefix, tombstones_prefix};
use crate::model::manifest::Manifest;
use crate::model::name::{ArtifactPath, ModelName, Selector, Version};
use crate::progress::Progress;
use crate::s3::ListedObject;

/// Versions that are read at once.
const AT_ONCE: usize = 8;

/// Files of a version without a manifest that are looked at.
const LOOKED_AT: usize = 100;

/// What a walk found.
#[derive(Debug, Default)]
pub struct FsckReport {
    /// Versions looked at.
    pub versions: usize,
    /// Files looked at.
    pub files: usize,
    /// Bytes read; none unless the walk was deep.
    pub bytes: u64,
    /// Files that no digest was published of, so that nothing says whether their bytes are right.
    pub unverified: usize,
    /// What is wrong, by model and version.
    pub faults: Vec<Fault>,
}

/// Something wrong with a version.
#[derive(Debug)]
pub struct Fault {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: Version,
    /// What is wrong. Its kind is [`ErrorKind::Corrupt`] for damage.
    pub error: Error,
}

type Objects = BTreeMap<ArtifactPath, ListedObject>;

/// One version, as the listing shows it.
#[derive(Default)]
struct Listed {
    manifest: bool,
    retired: bool,
    objects: Objects,
    /// Pushes that have not ended, or not well: they have a lease or a record.
    pushes: BTreeSet<Uuid>,
}

impl ModelStorage {
    /// Looks at every version, of one model or of all: its manifest can be used, its files exist and have their
    /// sizes. A deep walk reads every file and compares its digest as well.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when nothing in the bucket is of the model.
    pub async fn fsck(&self, model: Option<&ModelName>, deep: bool) -> Result<FsckReport> {
        let objects = match model {
            Some(model) => {
                let (prefix, tombstones) = (model_prefix(model), tombstones_prefix(model));
                let [leases, uploads] = ["leases", "uploads"].map(|kind| format!("{RECORDS}{kind}/{model}/"));
                let (mut objects, tombstones, leases, uploads) = tokio::try_join!(
                    self.depot.list_objects(&self.bucket, &prefix),
                    self.depot.list_objects(&self.bucket, &tombstones),
                    self.depot.list_objects(&self.bucket, &leases),
                    self.depot.list_objects(&self.bucket, &uploads),
                )?;
                objects.extend(tombstones);
                if objects.is_empty() {
                    return Err(self.no_such_model(model).await);
                }
                objects.extend(leases);
                objects.extend(uploads);
                objects
            }
            None => self.depot.list_objects(&self.bucket, "").await?,
        };
        let mut versions: BTreeMap<(ModelName, Version), Listed> = BTreeMap::new();
        for object in objects {
            match object.key.parse() {
                Ok(ObjectKey::Manifest(model, version)) => {
                    versions.entry((model, version)).or_default().manifest = true
                }
                Ok(ObjectKey::Tombstone(model, version)) => {
                    versions.entry((model, version)).or_default().retired = true
                }
                Ok(ObjectKey::Artifact(model, version, path)) => {
                    versions.entry((model, version)).or_default().objects.insert(path, object);
                }
                Ok(ObjectKey::Lease(model, version, id) | ObjectKey::Uploads(model, version, id)) => {
                    versions.entry((model, version)).or_default().pushes.insert(id);
                }
                _ => {}
            }
        }
        versions.retain(|_, listed| !listed.retired && (listed.manifest || !listed.objects.is_empty()));
        // Boxed one by one as its turn comes: a future of each version at once would take kilobytes of each.
        let mut walks = stream::iter(versions)
            .map(|((model, version), listed)| self.walk(model, version, listed, deep).boxed())
            .buffered(AT_ONCE);
        let mut all = FsckReport::default();
        while let Some(one) = walks.try_next().await? {
            all.versions += one.versions;
            all.files += one.files;
            all.bytes += one.bytes;
            all.unverified += one.unverified;
            all.faults.extend(one.faults);
        }
        Ok(all)
    }

    /// Returns true for a version without a manifest of which a push made a file, and nothing shows that it did not end
    /// well. What other tools stored is none of ours.
    async fn lost_its_manifest(&self, model: &ModelName, version: &Version, listed: &Listed) -> Result<bool> {
        for object in listed.objects.values().take(LOOKED_AT) {
            let Some(push) = self.pushed_by(&object.key).await?.filter(|push| !listed.pushes.contains(push)) else {
                continue;
            };
            // It may have begun since the listing, or ended well: its lease goes after its manifest has come.
            let lease = ObjectKey::Lease(model.clone(), version.clone(), push).to_string();
            let record = ObjectKey::Uploads(model.clone(), version.clone(), push).to_string();
            return Ok(!self.depot.object_exists(&self.bucket, &lease).await?
                && !self.depot.object_exists(&self.bucket, &record).await?
                && !self
                    .depot
                    .object_exists(&self.bucket, &ObjectKey::Manifest(model.clone(), version.clone()).to_string())
                    .await?
                && !self.is_retired(model, version).await?
                && self.depot.object_exists(&self.bucket, &object.key).await?);
        }
        Ok(false)
    }

    async fn walk(&self, model: ModelName, version: Version, listed: Listed, deep: bool) -> Result<FsckReport> {
        let mut report = FsckReport { versions: 1, ..FsckReport::default() };
        if !listed.manifest {
            if !self.lost_its_manifest(&model, &version, &listed).await? {
                return Ok(FsckReport::default());
            }
            let error = Error::ManifestMissing { model: model.clone(), version: version.clone() };
            report.files = listed.objects.len();
            report.faults.push(Fault { model, version, error });
            return Ok(report);
        }
        let manifest = match self.read_manifest(&model, &version).await {
            Ok(Some((manifest, _))) => manifest,
            // Deleted since it was listed.
            Ok(None) => return Ok(FsckReport::default()),
            Err(error @ Error::Manifest { .. }) => {
                report.faults.push(Fault { model, version, error });
                return Ok(report);
            }
            Err(error) => return Err(error),
        };
        let wrong = compare(&manifest, &listed.objects, &mut report.files);
        let whole = wrong.is_empty();
        if manifest.files.is_none() {
            // The model file alone may have one.
            let with =
                |path: &&ArtifactPath| manifest.checksum.is_some() && manifest.main().is_ok_and(|main| main == **path);
            report.unverified += listed.objects.keys().filter(|path| !with(path)).count();
        }
        report.faults.extend(wrong.into_iter().map(|error| Fault {
            model: model.clone(),
            version: version.clone(),
            error,
        }));
        if deep && whole {
            let selector = Selector { model: model.clone(), version: Some(version.clone()) };
            match self.verify(&selector, &Progress::none()).await {
                Ok(verified) => report.bytes += verified.bytes,
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    report.faults.push(Fault { model, version, error });
                }
                // Deleted since it was listed.
                Err(Error::VersionNotFound { .. } | Error::ModelNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }
}

/// Holds a manifest against the listing of its version.
fn compare(manifest: &Manifest, objects: &Objects, files: &mut usize) -> Vec<Error> {
    let missing = |path: &ArtifactPath| Error::FileMissing {
        model: manifest.model_name.clone(),
        version: manifest.version.clone(),
        path: path.clone(),
    };
    let Some(entries) = &manifest.files else {
        // The Python pipeline's: all objects are files, and the model file must be one of them.
        *files += objects.len();
        let main = manifest.main().ok();
        return main.filter(|main| !objects.contains_key(main)).iter().map(missing).collect();
    };
    *files += entries.len();
    let known: BTreeSet<&ArtifactPath> = entries.iter().map(|entry| &entry.path).collect();
    for path in objects.keys().filter(|path| !known.contains(path)) {
        tracing::debug!(%path, model = %manifest.model_name, version = %manifest.version, "an object beside the version's files");
    }
    entries
        .iter()
        .filter_map(|entry| match objects.get(&entry.path) {
            None => Some(missing(&entry.path)),
            Some(object) if object.size != entry.size => {
                Some(Error::WrongSize { path: entry.path.to_string(), expected: entry.size, found: object.size })
            }
            Some(_) => None,
        })
        .collect()
}
