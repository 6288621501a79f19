//! Finding and removing what nobody can reach: remains of pushes that died and of deletes that were cut off.
//!
//! A plan only reads; carrying it out looks at each thing again, under a mark that pushes heed. Age is the server's
//! word alone: a client's clock may be hours off.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::ModelStorage;
use super::claim::STALE_AFTER;
use super::decide;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, claims_prefix, version_prefix};
use crate::name::{ModelName, Version};
use crate::s3::{ListedObject, UnfinishedUpload};

/// Where the small objects lie by which it is tried what a server and a login can do.
const TRIALS: [&str; 2] = [".depot/probe/", ".depot/doctor/"];

/// What a collection would remove, and what it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcPlan {
    /// Versions that were never published: files without a manifest, with no living push.
    pub abandoned: Vec<Remains>,
    /// Versions that are deleted, of which something is left.
    pub deleted: Vec<Remains>,
    /// Unfinished multipart uploads with no living push.
    pub uploads: Vec<UnfinishedUpload>,
    /// Claims of dead pushers, marks of dead cleaners and leftovers of probes.
    pub records: Vec<ListedObject>,
    /// What would be removed but is younger than the grace period, as a number of objects and uploads.
    pub young: usize,
    /// Keys that are in no layout of ours. Never touched.
    pub unknown: Vec<String>,
}

/// What is left of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: Version,
    /// Its objects, the manifest of a deleted version among them.
    pub objects: Vec<ListedObject>,
}

impl Remains {
    /// Returns the sum of the sizes in bytes.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
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

/// One version, as the listing shows it.
#[derive(Default)]
struct Traces {
    objects: Vec<ListedObject>,
    manifest: bool,
    spent: bool,
    /// Marks of cleaners.
    marks: Vec<ListedObject>,
    /// When its youngest claim was renewed; `Some(None)` when the server does not say.
    claimed: Option<Option<OffsetDateTime>>,
}

impl ModelStorage {
    /// Looks for what nobody can reach and is older than `grace`. Changes nothing.
    ///
    /// The whole bucket is listed, or one model's part of it.
    pub async fn gc_plan(&self, model: Option<&ModelName>, grace: Duration) -> Result<GcPlan> {
        let now = self.client.server_time(&self.bucket).await?;
        let objects = self.client.list_objects(&self.bucket, "").await?;
        let uploads = self.client.list_multipart_uploads(&self.bucket, "").await?;
        // The clock of an answer is in whole seconds, that of an object may be finer and so a little ahead.
        let old = |time: Option<OffsetDateTime>| time.is_some_and(|time| (now - time).max(Duration::ZERO) >= grace);
        let mut plan = GcPlan::default();
        let mut versions: BTreeMap<(ModelName, Version), Traces> = BTreeMap::new();
        let mut records = Vec::new();
        for object in objects {
            let key = object.key.parse::<ObjectKey>();
            let of = match &key {
                Ok(
                    ObjectKey::Manifest(model, version)
                    | ObjectKey::Artifact(model, version, _)
                    | ObjectKey::Spent(model, version)
                    | ObjectKey::Claim(model, version, _)
                    | ObjectKey::Condemned(model, version, _),
                ) => (model.clone(), version.clone()),
                Ok(ObjectKey::Probe) => continue,
                // A probe that died leaves its small objects.
                Err(_) if TRIALS.iter().any(|trials| object.key.starts_with(trials)) => {
                    records.push(object);
                    continue;
                }
                Err(_) => {
                    plan.unknown.push(object.key);
                    continue;
                }
            };
            if model.is_some_and(|model| *model != of.0) {
                continue;
            }
            let traces = versions.entry(of).or_default();
            match key {
                Ok(ObjectKey::Manifest(..)) => {
                    traces.manifest = true;
                    traces.objects.push(object);
                }
                Ok(ObjectKey::Artifact(..)) => traces.objects.push(object),
                Ok(ObjectKey::Spent(..)) => traces.spent = true,
                Ok(ObjectKey::Claim(..)) => {
                    traces.claimed = traces.claimed.max(Some(object.modified));
                    records.push(object);
                }
                _ => traces.marks.push(object),
            }
        }
        let mut living = BTreeSet::new();
        for ((model, version), traces) in versions {
            let alive = traces.claimed.is_some_and(|claimed| claimed.is_none_or(|time| now - time < STALE_AFTER));
            if alive {
                living.insert(version_prefix(&model, &version));
            }
            if decide::lock_is_idle(traces.spent) {
                // Only now is a mark of no use. Its cleaner may be asleep between his look and his deed, and whoever
                // publishes meanwhile must see it, however old it is.
                records.extend(traces.marks);
            }
            let is_old = traces.objects.iter().all(|object| old(object.modified));
            let remains = Remains { model, version, objects: traces.objects };
            match (remains.objects.is_empty(), traces.spent, traces.manifest) {
                (true, ..) | (_, false, true) => {}
                // A deleted version needs no grace: nobody can be at work on it.
                (false, true, _) => plan.deleted.push(remains),
                (false, false, false) if alive || !is_old => plan.young += remains.objects.len(),
                (false, false, false) => plan.abandoned.push(remains),
            }
        }
        // Whoever set one of these may be at work for as long as a claim counts.
        let dead = |time: Option<OffsetDateTime>| time.is_some_and(|time| now - time >= grace.max(STALE_AFTER));
        for record in records {
            if dead(record.modified) { plan.records.push(record) } else { plan.young += 1 }
        }
        for upload in uploads {
            let of = model.is_none_or(|model| upload.key.starts_with(&format!("{model}/")));
            let alive = living.iter().any(|prefix| upload.key.starts_with(prefix.as_str()));
            match upload.key.parse::<ObjectKey>() {
                Ok(ObjectKey::Artifact(..)) if of && !alive && old(upload.begun) => plan.uploads.push(upload),
                Ok(ObjectKey::Artifact(..)) if of => plan.young += 1,
                _ => {}
            }
        }
        Ok(plan)
    }

    /// Carries a plan out. What has come to life since is spared.
    ///
    /// The name of an abandoned version is spent with its remains: a push of it that stalled and wakes, or a delete
    /// of ours that does, must find nothing new under it.
    pub async fn gc(&self, plan: &GcPlan) -> Result<Collected> {
        let mut collected = Collected::default();
        for remains in &plan.deleted {
            self.remove(remains, &mut collected).await?;
        }
        for remains in &plan.abandoned {
            let mark = ObjectKey::Condemned(remains.model.clone(), remains.version.clone(), Uuid::new_v4()).to_string();
            if self.condemn(&remains.model, &remains.version, &mark).await? {
                self.remove(remains, &mut collected).await?;
                self.client.delete_object(&self.bucket, &mark).await?;
            } else {
                collected.spared += 1;
            }
        }
        for upload in &plan.uploads {
            let Ok(ObjectKey::Artifact(model, version, _)) = upload.key.parse::<ObjectKey>() else { continue };
            if self.is_claimed(&model, &version).await? {
                collected.spared += 1;
                continue;
            }
            self.client.abort_multipart_upload(&self.bucket, &upload.key, &upload.upload_id).await?;
            collected.uploads += 1;
        }
        for record in &plan.records {
            // A claim may have been renewed since: its pusher was asleep, and woke.
            match self.client.get_object_metadata(&self.bucket, &record.key).await {
                Ok(now) if seconds(now.modified) == seconds(record.modified) => {
                    self.client.delete_object(&self.bucket, &record.key).await?;
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
    /// The mark comes before the look. A push looks for the mark after its claim, and again after its manifest and
    /// before it tells anybody: so either the push sees the mark, or this sees the claim or the manifest.
    async fn condemn(&self, model: &ModelName, version: &Version, mark: &str) -> Result<bool> {
        self.client.put_small(&self.bucket, mark, "{}\n".into(), "application/json").await?;
        let (claimed, published) =
            tokio::try_join!(self.is_claimed(model, version), self.read_manifest(model, version))?;
        if !decide::retires(claimed, published.is_some()) {
            self.client.delete_object(&self.bucket, mark).await?;
            return Ok(false);
        }
        self.spend(model, version).await?;
        Ok(true)
    }

    /// Returns true when somebody who may be alive is pushing the version.
    async fn is_claimed(&self, model: &ModelName, version: &Version) -> Result<bool> {
        let claims = self.client.list_objects(&self.bucket, &claims_prefix(model, version)).await?;
        if claims.is_empty() {
            return Ok(false);
        }
        let now = self.client.server_time(&self.bucket).await?;
        Ok(claims.iter().any(|claim| claim.modified.is_none_or(|time| now - time < STALE_AFTER)))
    }

    /// Removes what is left of a version whose name is spent, the manifest first.
    async fn remove(&self, remains: &Remains, collected: &mut Collected) -> Result<()> {
        let manifest = ObjectKey::Manifest(remains.model.clone(), remains.version.clone()).to_string();
        self.client.delete_object(&self.bucket, &manifest).await?;
        let prefix = version_prefix(&remains.model, &remains.version);
        // Listed again: a late writer may have left more.
        let objects = self.client.list_objects(&self.bucket, &prefix).await?;
        let keys: Vec<String> = objects.iter().map(|object| object.key.clone()).collect();
        self.client.delete_objects(&self.bucket, &keys).await?;
        collected.objects += remains.objects.len().max(keys.len());
        collected.bytes += remains.bytes();
        Ok(())
    }
}
