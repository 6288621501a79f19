//! Checking every version of a bucket or a model.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use uuid::Uuid;

use super::ModelStorage;
use super::gc::Orphans;
use crate::error::{Error, ErrorKind, Mismatch, Result};
use crate::model::key::{ObjectKey, RECORDS, model_prefix, tombstones_prefix, version_prefix};
use crate::model::manifest::Manifest;
use crate::model::name::{ArtifactPath, ModelName, Selector, Version};
use crate::s3::ListedObject;

/// How many versions are read at once.
const AT_ONCE: usize = 8;

/// How many files of a version without a manifest are checked.
const LOOKED_AT: usize = 100;

/// The result of a check.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FsckReport {
    /// Versions checked.
    pub versions: usize,
    /// Files checked.
    pub files: usize,
    /// Bytes read; 0 unless the check was deep.
    pub bytes: u64,
    /// Files published without a digest, whose bytes cannot be verified.
    pub unverified: usize,
    /// Problems found, by model and version.
    pub faults: Vec<Fault>,
    /// Objects beside a version's files that pushes created and no manifest lists, by model and version.
    pub leftovers: Vec<Orphans>,
}

/// A problem with a version.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fault {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: Version,
    /// The problem. Its kind is [`ErrorKind::Corrupt`] for damage, and that of the failure for a file that could not be
    /// read.
    pub error: Error,
}

type Objects = BTreeMap<ArtifactPath, ListedObject>;

/// One version, as listed.
#[derive(Default)]
struct Listed {
    manifest: bool,
    retired: bool,
    objects: Objects,
    /// Pushes with a lease or a record, which show that they have not ended, or not well.
    pushes: BTreeSet<Uuid>,
}

impl ModelStorage {
    /// Checks every version of one model or of all: its manifest can be used, and its files exist with the right sizes.
    /// With `deep`, also reads every file and compares its digest. A file that cannot be read is reported like a damaged
    /// one, and the check continues.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when the bucket has nothing of the model.
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
        // Boxed as its turn comes: creating the futures of all versions at once would take kilobytes for each.
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
            all.leftovers.extend(one.leftovers);
        }
        Ok(all)
    }

    /// Returns true for a version that was published and whose manifest is missing now.
    pub(super) async fn has_lost_its_manifest(&self, model: &ModelName, version: &Version) -> Result<bool> {
        let prefix = version_prefix(model, version);
        let [leases, uploads] = ["leases", "uploads"].map(|kind| format!("{RECORDS}{kind}/{model}/{version}/"));
        let (objects, leases, uploads) = tokio::try_join!(
            self.depot.list_objects(&self.bucket, &prefix),
            self.depot.list_objects(&self.bucket, &leases),
            self.depot.list_objects(&self.bucket, &uploads),
        )?;
        let mut listed = Listed::default();
        for object in objects.into_iter().chain(leases).chain(uploads) {
            match object.key.parse() {
                Ok(ObjectKey::Manifest(..)) => return Ok(false),
                Ok(ObjectKey::Artifact(_, _, path)) => {
                    listed.objects.insert(path, object);
                }
                Ok(ObjectKey::Lease(_, _, id) | ObjectKey::Uploads(_, _, id)) => {
                    listed.pushes.insert(id);
                }
                _ => {}
            }
        }
        self.lost_its_manifest(model, version, &listed).await
    }

    /// Returns true for a version without a manifest in which a push created a file, when nothing shows that this push
    /// failed. Objects of other tools do not count.
    async fn lost_its_manifest(&self, model: &ModelName, version: &Version, listed: &Listed) -> Result<bool> {
        for object in listed.objects.values().take(LOOKED_AT) {
            let Some(push) = self.pushed_by(&object.key).await?.filter(|push| !listed.pushes.contains(push)) else {
                continue;
            };
            // The push may have started since the listing, or have succeeded: it withdraws its lease after writing its
            // manifest.
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
            let error = Error::manifest_missing(&model, &version);
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
            // Only the model file may have one.
            let with =
                |path: &&ArtifactPath| manifest.checksum.is_some() && manifest.main().is_ok_and(|main| main == **path);
            report.unverified += listed.objects.keys().filter(|path| !with(path)).count();
        }
        report.faults.extend(wrong.into_iter().map(|error| Fault {
            model: model.clone(),
            version: version.clone(),
            error,
        }));
        if let Some(entries) = &manifest.files {
            let known: BTreeSet<&ArtifactPath> = entries.iter().map(|entry| &entry.path).collect();
            let besides = listed.objects.iter().filter(|(path, _)| !known.contains(path));
            let (objects, _) = self.divide_some(besides.map(|(_, object)| object.clone()).collect()).await?;
            if !objects.is_empty() {
                report.leftovers.push(Orphans { model: model.clone(), version: version.clone(), objects });
            }
        }
        if deep && whole {
            let selector = Selector { model: model.clone(), version: Some(version.clone()) };
            let found = match Box::pin(self.describe(&selector)).await.and_then(|found| found.whole().map(|()| found)) {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    report.faults.push(Fault { model, version, error });
                    return Ok(report);
                }
                // Deleted since it was listed.
                Err(Error::VersionNotFound { .. } | Error::VersionDeleted { .. } | Error::ModelNotFound { .. }) => {
                    return Ok(report);
                }
                Err(error) => return Err(error),
            };
            let (bytes, errors) = Box::pin(self.verify_each(&found)).await?;
            report.bytes += bytes;
            report.faults.extend(errors.into_iter().map(|error| Fault {
                model: model.clone(),
                version: version.clone(),
                error,
            }));
        }
        Ok(report)
    }
}

/// Compares a manifest with the listing of its version.
fn compare(manifest: &Manifest, objects: &Objects, files: &mut usize) -> Vec<Error> {
    let missing = |path: &ArtifactPath| Error::file_missing(&manifest.model_name, &manifest.version, path);
    let Some(entries) = &manifest.files else {
        // Written by the Python pipeline: all objects are files, and the model file must be among them.
        *files += objects.len();
        let main = manifest.main().ok();
        return main.filter(|main| !objects.contains_key(main)).iter().map(missing).collect();
    };
    *files += entries.len();
    entries
        .iter()
        .filter_map(|entry| match objects.get(&entry.path) {
            None => Some(missing(&entry.path)),
            Some(object) if object.size != entry.size => {
                let mismatch = Mismatch::Size { expected: entry.size, found: object.size };
                Some(Error::file_damaged(&manifest.model_name, &manifest.version, &entry.path, mismatch))
            }
            Some(_) => None,
        })
        .collect()
}
