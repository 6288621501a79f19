//! Finding and removing what nobody can reach: orphans of pushes that died and of deletes that were cut off.
//!
//! A plan only reads; carrying it out looks at each thing again, under a mark that pushes heed. Age is the server's
//! word alone: a client's clock may be hours off.
//!
//! Only what modeldepot can show to be its own is removed: objects that carry a mark of a push or that a tombstone lists,
//! uploads that a record names, and its own records. Everything else is foreign: listed, and left.

mod listing;

use std::collections::BTreeMap;

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

/// What a collection would remove, and what it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcPlan {
    /// Versions that were never published: files without a manifest, with no living push.
    pub abandoned: Vec<Orphans>,
    /// Versions that are deleted, of which something is left.
    pub deleted: Vec<Orphans>,
    /// Versions without a manifest of which nothing shows that their push did not end well: the manifest was removed by
    /// something else. Never touched.
    pub without_manifest: Vec<Orphans>,
    /// Unfinished multipart uploads with no living push.
    pub uploads: Vec<UnfinishedUpload>,
    /// Leases of dead pushes, locks of dead gc runs and leftovers of probes.
    pub records: Vec<ListedObject>,
    /// What would be removed but is younger than the grace period, as a number of objects and uploads.
    pub young: usize,
    /// Objects under unpublished or deleted versions that nothing shows to be modeldepot's. Never touched.
    pub foreign: Vec<Orphans>,
    /// Unfinished multipart uploads that no record names. Never touched.
    pub foreign_uploads: Vec<UnfinishedUpload>,
    /// Keys that are in no layout of ours. Never touched.
    pub unknown: Vec<String>,
}

/// What is left of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphans {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: Version,
    /// Its objects, the manifest of a deleted version among them.
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

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects removed, records among them.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Multipart uploads aborted.
    pub uploads: usize,
    /// Versions that turned out to be alive, or published, when they were looked at again.
    pub spared: usize,
}

impl GcPlan {
    /// Returns true when there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.abandoned.is_empty() && self.deleted.is_empty() && self.uploads.is_empty() && self.records.is_empty()
    }
}

/// A listing may tell the time more finely than a HEAD does.
fn seconds(time: Option<OffsetDateTime>) -> Option<i64> {
    time.map(OffsetDateTime::unix_timestamp)
}

impl ModelStorage {
    /// Looks for what nobody can reach and is older than `grace`. Changes nothing.
    ///
    /// The whole bucket is listed; with a model, only what is of it is planned.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when nothing in the bucket is of the model.
    pub async fn gc_plan(&self, model: Option<&ModelName>, grace: Duration) -> Result<GcPlan> {
        let now = self.depot.server_time(&self.bucket).await?;
        let objects = self.depot.list_objects(&self.bucket, "").await?;
        let uploads = self.depot.list_multipart_uploads(&self.bucket, "").await?;
        let grace = grace.max(Duration::ZERO).unsigned_abs();
        let old = &|time: Option<OffsetDateTime>| decide::is_old(age(time, now), grace);
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
            let alive = listed.alive;
            let uploads = unfinished.remove(&of).unwrap_or_default();
            let kept = self.plan_uploads(&of.0, &of.1, &traces.uploads, uploads, alive, old, &mut plan).await?;
            let (model, version) = of;
            // Whether leases and records still show whose the files are.
            let mut evidence = false;
            match decide::fate(listed) {
                Fate::Stays => {}
                Fate::Young => plan.young += traces.objects.len(),
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
                        OrphansFate::Young => plan.young += own.len(),
                        OrphansFate::Remove => Orphans::add(&mut plan.abandoned, &model, &version, own),
                    }
                }
            }
            records.extend(traces.needless(listed, kept, evidence));
        }
        for record in records {
            match decide::is_dead(age(record.modified, now), grace) {
                true => plan.records.push(record),
                false => plan.young += 1,
            }
        }
        Ok(plan)
    }

    /// Divides the unfinished uploads of a version into those that its records name and foreign ones. Returns true when
    /// the records must be kept: an upload that one of them names is younger than the grace period, or in use.
    #[allow(clippy::too_many_arguments, reason = "it is one step of the plan")]
    async fn plan_uploads(
        &self,
        model: &ModelName,
        version: &Version,
        records: &[ListedObject],
        uploads: Vec<UnfinishedUpload>,
        alive: bool,
        old: impl Fn(Option<OffsetDateTime>) -> bool,
        plan: &mut GcPlan,
    ) -> Result<bool> {
        let mut kept = alive;
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
            } else if alive || !old(upload.begun) {
                plan.young += 1;
                kept = true;
            } else {
                plan.uploads.push(upload);
            }
        }
        Ok(kept)
    }

    /// Carries a plan out. What has come to life since is spared.
    ///
    /// The name of an abandoned version is retired with its orphans: a push of it that stalled and wakes, or a delete
    /// of ours that does, must find nothing new under it.
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
            // A lease may have been renewed since: its pusher was asleep, and woke.
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

    /// Decides that a version will never be published, unless it is, or is about to be.
    ///
    /// The mark comes before the look. A push looks for the mark after its lease, and again after its manifest and
    /// before it tells anybody: so either the push sees the mark, or this sees the lease or the manifest.
    async fn lock_for_gc(&self, model: &ModelName, version: &Version, mark: &str) -> Result<bool> {
        self.depot.put_small(&self.bucket, mark, "{}\n".into(), "application/json").await?;
        let (leased, published) = tokio::try_join!(self.is_leased(model, version), self.read_manifest(model, version))?;
        if !decide::retires(leased, published.is_some()) {
            self.depot.delete_object(&self.bucket, mark).await?;
            return Ok(false);
        }
        // It was never published, so nothing was its own but what carries a mark.
        self.spend(model, version, &Tombstone::default()).await?;
        Ok(true)
    }

    /// Returns true when somebody who may be alive is pushing the version.
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
        // Listed again: a late writer may have left more.
        let (removed, _) = self.remove_own(&orphans.model, &orphans.version, &tombstone, true).await?;
        collected.objects += removed.len();
        collected.bytes = removed.iter().fold(collected.bytes, |sum, object| sum.saturating_add(object.size));
        Ok(())
    }
}

#[cfg(test)]
mod laws;
