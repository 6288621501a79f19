//! A listing of the whole bucket, sorted into versions. Reads nothing more.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::model::key::{ObjectKey, model_prefix};
use crate::model::name::{ModelName, Version};
use crate::s3::ListedObject;
use crate::store::decide::{self, Listed};
use crate::store::lease::age;

/// Where the small objects lie by which it is tried what a server and a login can do.
const TRIALS: [&str; 2] = [".depot/probe/", ".depot/doctor/"];

/// A listing, sorted.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) versions: BTreeMap<(ModelName, Version), Traces>,
    /// Records of no version: what probes that died left.
    pub(super) records: Vec<ListedObject>,
    /// Keys that are in no layout of ours.
    pub(super) unknown: Vec<String>,
}

/// One version, as the listing shows it.
#[derive(Default)]
pub(super) struct Traces {
    pub(super) objects: Vec<ListedObject>,
    manifest: bool,
    retired: bool,
    /// Locks of gc runs.
    marks: Vec<ListedObject>,
    /// Records of uploads, and of what lies beside the version's files.
    pub(super) uploads: Vec<ListedObject>,
    beside: Option<ListedObject>,
    leases: Vec<ListedObject>,
    /// Pushes that have not ended well, as far as anything shows it: they have a lease or a record.
    pub(super) pushes: BTreeSet<Uuid>,
}

impl Listing {
    /// Sorts a listing of the bucket; with a model, what is of another model is left out.
    pub(super) fn sort(objects: Vec<ListedObject>, model: Option<&ModelName>) -> Listing {
        let mut listing = Listing::default();
        for object in objects {
            let key = object.key.parse::<ObjectKey>();
            let of = match &key {
                Ok(
                    ObjectKey::Manifest(model, version)
                    | ObjectKey::Artifact(model, version, _)
                    | ObjectKey::Tombstone(model, version)
                    | ObjectKey::ForeignObjects(model, version)
                    | ObjectKey::Lease(model, version, _)
                    | ObjectKey::Uploads(model, version, _)
                    | ObjectKey::GcLock(model, version, _),
                ) => (model.clone(), version.clone()),
                Ok(ObjectKey::Probe) => continue,
                // A probe that died leaves its small objects.
                Err(_) if TRIALS.iter().any(|trials| object.key.starts_with(trials)) => {
                    if model.is_none() {
                        listing.records.push(object);
                    }
                    continue;
                }
                Err(_) => {
                    if model.is_none_or(|model| object.key.starts_with(&model_prefix(model))) {
                        listing.unknown.push(object.key);
                    }
                    continue;
                }
            };
            if model.is_some_and(|model| *model != of.0) {
                continue;
            }
            let traces = listing.versions.entry(of).or_default();
            match key {
                Ok(ObjectKey::Manifest(..)) => {
                    traces.manifest = true;
                    traces.objects.push(object);
                }
                Ok(ObjectKey::Artifact(..)) => traces.objects.push(object),
                Ok(ObjectKey::Tombstone(..)) => traces.retired = true,
                Ok(ObjectKey::Lease(_, _, id)) => {
                    traces.pushes.insert(id);
                    traces.leases.push(object);
                }
                Ok(ObjectKey::Uploads(_, _, id)) => {
                    traces.pushes.insert(id);
                    traces.uploads.push(object);
                }
                Ok(ObjectKey::ForeignObjects(..)) => traces.beside = Some(object),
                _ => traces.marks.push(object),
            }
        }
        listing
    }
}

impl Traces {
    /// Returns what is decided by. A lease of unknown age may be of a pusher that is alive.
    pub(super) fn listed(&self, now: OffsetDateTime) -> Listed {
        Listed {
            objects: !self.objects.is_empty(),
            published: self.manifest,
            retired: self.retired,
            alive: self.leases.iter().any(|lease| decide::is_alive(age(lease.modified, now))),
        }
    }

    /// Returns when a lease of the version was last renewed; none where that is unknown.
    pub(super) fn last_lease(&self) -> Option<OffsetDateTime> {
        self.leases.iter().map(|lease| lease.modified).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Takes the objects out.
    pub(super) fn take_objects(&mut self) -> Vec<ListedObject> {
        std::mem::take(&mut self.objects)
    }

    /// Returns the records that nothing needs any more. Records of uploads are needed while `kept`, and they and leases as
    /// long as they are the `evidence` of whose the objects are.
    pub(super) fn needless(self, listed: Listed, kept: bool, evidence: bool) -> Vec<ListedObject> {
        let mut records = Vec::new();
        // Only now is a lock of no use. Its gc run may be asleep between its look and its deletes, and a push that publishes
        // meanwhile must see it, however old it is.
        if decide::lock_is_idle(listed.retired) {
            records.extend(self.marks);
        }
        if listed.retired || !listed.published && !listed.alive {
            records.extend(self.beside);
        }
        if !evidence {
            records.extend(self.leases);
        }
        if !kept && !evidence {
            records.extend(self.uploads);
        }
        records
    }
}
