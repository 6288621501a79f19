//! Finding and removing orphans, left by dead pushes and interrupted deletes.
//!
//! A plan only reads. Carrying it out checks each item again, under a gc lock that pushes respect. Age is measured by
//! the server's clock alone: a client's clock may be hours off.
//!
//! Only objects that provably belong to modeldepot are removed: those that carry the mark of a push or are listed in a
//! tombstone, uploads that a record names, and its own records. Everything else is foreign: it is listed and left
//! alone.

mod listing;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use self::listing::Listing;
use super::ModelStorage;
use super::decide::{self, Fate, OrphansFate};
use super::lease::age;
use super::tombstone::Tombstone;
use super::upload_records::Record;
use crate::error::{Error, Result};
use crate::model::key::{ObjectKey, leases_prefix, model_prefix, version_prefix};
use crate::model::name::{ModelName, Version};
use crate::s3::{ListedObject, UnfinishedUpload};

/// What gc would remove, and what it does not recognize.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcPlan {
    /// Versions that were never published: files without a manifest, with no live push.
    pub abandoned: Vec<Orphans>,
    /// Deleted versions with objects left.
    pub deleted: Vec<Orphans>,
    /// Versions without a manifest and without evidence of a failed push: something else removed the manifest. Never
    /// touched.
    pub without_manifest: Vec<Orphans>,
    /// Unfinished multipart uploads with no live push.
    pub uploads: Vec<UnfinishedUpload>,
    /// Leases of dead pushes, locks of dead gc runs and leftovers of probes.
    pub records: Vec<ListedObject>,
    /// Objects and uploads that are not removed yet.
    pub kept: Vec<Kept>,
    /// Objects under unpublished or deleted versions that modeldepot did not create, as far as is known. Never touched.
    pub foreign: Vec<Orphans>,
    /// Unfinished multipart uploads that no record names. Never touched.
    pub foreign_uploads: Vec<UnfinishedUpload>,
    /// Keys that do not match modeldepot's layout. Never touched.
    pub unknown: Vec<String>,
}

/// An object or upload that gc does not remove yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// Its key.
    pub key: String,
    /// Why it is kept.
    pub why: KeptWhy,
    /// When a later run may remove it, by the server's clock; `None` if the server does not say when it was written.
    pub until: Option<OffsetDateTime>,
}

/// Why gc does not remove something yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptWhy {
    /// A push of its version may be in progress. It renews its lease, so this may last longer.
    Push,
    /// It, or another object of its version, is younger than the grace period.
    Grace,
    /// It is a record whose writer may be at work for 10 minutes, whatever the grace period.
    Record,
}

/// The remaining objects of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orphans {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: Version,
    /// Its objects, including the manifest of a deleted version.
    pub objects: Vec<ListedObject>,
}

impl Orphans {
    /// Returns the sum of the sizes in bytes.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).fold(0, u64::saturating_add)
    }

    fn add(list: &mut Vec<Orphans>, model: &ModelName, version: &Version, objects: Vec<ListedObject>) {
        if !objects.is_empty() {
            list.push(Orphans { model: model.clone(), version: version.clone(), objects });
        }
    }
}

/// What gc removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Collected {
    /// Objects removed, including records.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Multipart uploads aborted.
    pub uploads: usize,
    /// Versions that turned out to be in use, or published, when they were checked again.
    pub spared: usize,
}

impl GcPlan {
    /// Returns true when there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.abandoned.is_empty() && self.deleted.is_empty() && self.uploads.is_empty() && self.records.is_empty()
    }

    fn keep(&mut self, keys: impl IntoIterator<Item = String>, why: KeptWhy, until: Option<OffsetDateTime>) {
        self.kept.extend(keys.into_iter().map(|key| Kept { key, why, until }));
    }
}

/// Truncates to seconds: a listing may have finer times than a HEAD.
fn seconds(time: Option<OffsetDateTime>) -> Option<i64> {
    time.map(OffsetDateTime::unix_timestamp)
}

impl ModelStorage {
    /// Finds orphans older than `grace`. Changes nothing.
    ///
    /// The whole bucket is listed; with `model`, the plan contains only that model.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when the bucket has nothing of the model.
    pub async fn plan_gc(&self, model: Option<&ModelName>, grace: Duration) -> Result<GcPlan> {
        let now = self.depot.server_time(&self.bucket).await?;
        let objects = self.depot.list_objects(&self.bucket, "").await?;
        let uploads = self.depot.list_multipart_uploads(&self.bucket, "").await?;
        let grace = grace.max(Duration::ZERO).unsigned_abs();
        let old = &|time: Option<OffsetDateTime>| decide::is_old(age(time, now), grace);
        let after = |time: Option<OffsetDateTime>, wait: std::time::Duration| {
            time?.checked_add(Duration::try_from(wait).unwrap_or(Duration::MAX))
        };
        let of_model = |key: &str| model.is_some_and(|model| key.starts_with(&model_prefix(model)));
        let exists = objects.iter().map(|object| &object.key).chain(uploads.iter().map(|upload| &upload.key));
        let exists = exists.into_iter().any(|key| of_model(key));
        let Listing { mut versions, mut records, unknown } = Listing::sort(objects, model);
        let mut plan = GcPlan { unknown, ..GcPlan::default() };
        if let Some(model) = model.filter(|_| !exists && versions.is_empty()) {
            return Err(self.no_such_model(model).await);
        }
        let mut unfinished: BTreeMap<(ModelName, Version), Vec<UnfinishedUpload>> = BTreeMap::new();
        for upload in uploads {
            if let Ok(ObjectKey::Artifact(of, version, _)) = upload.key.parse::<ObjectKey>()
                && model.is_none_or(|model| *model == of)
            {
                versions.entry((of.clone(), version.clone())).or_default();
                unfinished.entry((of, version)).or_default().push(upload);
            }
        }
        for (of, mut traces) in versions {
            let listed = traces.listed(now);
            let alive = listed.alive.then(|| after(traces.last_lease(), decide::STALE_AFTER));
            let uploads = unfinished.remove(&of).unwrap_or_default();
            let kept = self
                .plan_uploads(
                    &of.0,
                    &of.1,
                    &traces.uploads,
                    uploads,
                    alive,
                    (old, &|begun| after(begun, grace)),
                    &mut plan,
                )
                .await?;
            let (model, version) = of;
            // Whether leases and upload records are still needed to show which push the files belong to.
            let mut evidence = false;
            match decide::fate(listed) {
                Fate::Stays => {}
                Fate::Young => {
                    let keys = traces.take_objects().into_iter().map(|object| object.key);
                    plan.keep(keys, KeptWhy::Push, alive.flatten());
                }
                Fate::Deleted => {
                    let tombstone = self.tombstone(&model, &version).await?.unwrap_or_default();
                    let (own, foreign) = self
                        .divide_by(&version_prefix(&model, &version), traces.take_objects(), &tombstone, true)
                        .await?;
                    Orphans::add(&mut plan.deleted, &model, &version, own);
                    Orphans::add(&mut plan.foreign, &model, &version, foreign);
                }
                Fate::Unpublished => {
                    let (own, foreign) = self.divide_by_push(traces.take_objects()).await?;
                    Orphans::add(&mut plan.foreign, &model, &version, foreign);
                    evidence = !own.is_empty();
                    let failed = own.iter().all(|(push, _)| traces.pushes.contains(push));
                    let own: Vec<_> = own.into_iter().map(|(_, object)| object).collect();
                    match decide::orphans(failed, own.iter().all(|object| old(object.modified))) {
                        OrphansFate::Keep => Orphans::add(&mut plan.without_manifest, &model, &version, own),
                        OrphansFate::Young => {
                            // All are removed together, when the youngest is old enough.
                            let times: Option<Vec<_>> = own.iter().map(|object| object.modified).collect();
                            let until = after(times.and_then(|times| times.into_iter().max()), grace);
                            plan.keep(own.into_iter().map(|object| object.key), KeptWhy::Grace, until);
                        }
                        OrphansFate::Remove => Orphans::add(&mut plan.abandoned, &model, &version, own),
                    }
                }
            }
            records.extend(traces.needless(listed, kept, evidence));
        }
        for record in records {
            match decide::is_dead(age(record.modified, now), grace) {
                true => plan.records.push(record),
                false => {
                    let why = if old(record.modified) { KeptWhy::Record } else { KeptWhy::Grace };
                    let until = after(record.modified, grace.max(decide::STALE_AFTER));
                    plan.keep([record.key], why, until);
                }
            }
        }
        Ok(plan)
    }

    /// Divides the unfinished uploads of a version into those that its records name and foreign ones. Returns true when
    /// the records must be kept: an upload that one of them names is younger than the grace period, or in use. `alive` says
    /// until when a push may be in progress, as far as is known.
    #[allow(clippy::too_many_arguments, reason = "it is one step of the plan")]
    async fn plan_uploads(
        &self,
        model: &ModelName,
        version: &Version,
        records: &[ListedObject],
        uploads: Vec<UnfinishedUpload>,
        alive: Option<Option<OffsetDateTime>>,
        (old, after_grace): (
            &impl Fn(Option<OffsetDateTime>) -> bool,
            &impl Fn(Option<OffsetDateTime>) -> Option<OffsetDateTime>,
        ),
        plan: &mut GcPlan,
    ) -> Result<bool> {
        let mut kept = alive.is_some();
        if uploads.is_empty() {
            return Ok(kept);
        }
        let mut announced = Vec::new();
        for record in records {
            announced.push(self.announced_uploads(&record.key).await?);
        }
        let prefix = version_prefix(model, version);
        for upload in uploads {
            let named = |path| announced.iter().any(|record: &Record| record.names(path, &upload.upload_id));
            if !upload.key.strip_prefix(&prefix).is_some_and(named) {
                plan.foreign_uploads.push(upload);
            } else if let Some(until) = alive {
                plan.keep([upload.key], KeptWhy::Push, until);
            } else if !old(upload.begun) {
                plan.keep([upload.key], KeptWhy::Grace, after_grace(upload.begun));
                kept = true;
            } else {
                plan.uploads.push(upload);
            }
        }
        Ok(kept)
    }

    /// Carries out a plan. Anything that has come back into use is spared.
    ///
    /// The name of an abandoned version is retired with its orphans: a stalled push that wakes, or a stalled delete of
    /// ours, must find nothing new under it.
    pub async fn gc(&self, plan: &GcPlan) -> Result<Collected> {
        let mut collected = Collected::default();
        for orphans in &plan.deleted {
            self.remove(orphans, &mut collected).await?;
        }
        for orphans in &plan.abandoned {
            let mark = ObjectKey::GcLock(orphans.model.clone(), orphans.version.clone(), Uuid::new_v4()).to_string();
            if self.lock_for_gc(&orphans.model, &orphans.version, &mark).await? {
                self.remove(orphans, &mut collected).await?;
                self.depot.delete_object(&self.bucket, &mark).await?;
            } else {
                collected.spared += 1;
            }
        }
        for upload in &plan.uploads {
            let Ok(ObjectKey::Artifact(model, version, _)) = upload.key.parse::<ObjectKey>() else { continue };
            if self.is_leased(&model, &version).await? {
                collected.spared += 1;
                continue;
            }
            self.depot.abort_multipart_upload(&self.bucket, &upload.key, &upload.upload_id).await?;
            collected.uploads += 1;
        }
        for record in &plan.records {
            if let Ok(ObjectKey::Uploads(model, version, _)) = record.key.parse::<ObjectKey>()
                && (self.is_leased(&model, &version).await? || self.has_uploads(&model, &version, &record.key).await?)
            {
                collected.spared += 1;
                continue;
            }
            // A lease may have been renewed since, by a push that was suspended.
            match self.depot.get_object_metadata(&self.bucket, &record.key).await {
                Ok(now) if seconds(now.modified) == seconds(record.modified) => {
                    self.depot.delete_object(&self.bucket, &record.key).await?;
                    collected.objects += 1;
                }
                Ok(_) => collected.spared += 1,
                Err(Error::ObjectNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(collected)
    }

    /// Retires the name of a version that was never published, unless a push is about to publish it or has done so.
    ///
    /// The gc lock is written before the check. A push checks for the lock after writing its lease, and again after its
    /// manifest before it reports success. So either the push sees the lock, or this sees the lease or the manifest.
    async fn lock_for_gc(&self, model: &ModelName, version: &Version, mark: &str) -> Result<bool> {
        self.depot.put_small(&self.bucket, mark, "{}\n".into(), "application/json").await?;
        let (leased, published) = tokio::try_join!(self.is_leased(model, version), self.read_manifest(model, version))?;
        if !decide::retires(leased, published.is_some()) {
            self.depot.delete_object(&self.bucket, mark).await?;
            return Ok(false);
        }
        // Never published, so only objects with a push's mark belong to it.
        self.spend(model, version, &Tombstone::default()).await?;
        Ok(true)
    }

    /// Returns true when a push that may be alive holds a lease of the version.
    async fn is_leased(&self, model: &ModelName, version: &Version) -> Result<bool> {
        let leases = self.depot.list_objects(&self.bucket, &leases_prefix(model, version)).await?;
        if leases.is_empty() {
            return Ok(false);
        }
        let now = self.depot.server_time(&self.bucket).await?;
        Ok(leases.iter().any(|lease| decide::is_alive(age(lease.modified, now))))
    }

    /// Removes what is left of a version whose name is retired.
    async fn remove(&self, orphans: &Orphans, collected: &mut Collected) -> Result<()> {
        let Some(tombstone) = self.tombstone(&orphans.model, &orphans.version).await? else { return Ok(()) };
        // Listed again: a late writer may have added more.
        let (removed, _) = self.remove_own(&orphans.model, &orphans.version, &tombstone, true).await?;
        collected.objects += removed.len();
        collected.bytes = removed.iter().fold(collected.bytes, |sum, object| sum.saturating_add(object.size));
        Ok(())
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
