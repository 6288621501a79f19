//! Leases: records of which push works on which version, so that no two do at the same time.
//!
//! A push writes a lease under a name of its own and lists the leases of the version. If it is alone, it starts work.
//! Two pushes cannot both find themselves alone: the one that did listed before the other's lease was written, and the
//! other then sees it. The server needs nothing but strongly consistent listing. [`decide`] has what follows from a
//! listing.
//!
//! A lease that was not acquired is withdrawn, whatever the reason: see the `Drop` of [`Lease`].

mod seen;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(super) use self::seen::age;
use self::seen::{Other, Seen};
use super::ModelStorage;
use super::decide::{self, Contend, Count, Stage};
use super::times::{is_over, patience, pause};
use crate::error::Result;
use crate::model::key::{ObjectKey, leases_prefix};
use crate::model::name::{ModelName, Version};
use crate::task::{afterwards, joined};

/// Leases of others that are read at once.
const READS_AT_ONCE: usize = 8;

/// The content of a lease.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// Who pushes, or which program.
    tool: String,
    /// When it started, by its own clock.
    begun: String,
    /// Whether it was alone and has started work. Until then it is one of several contenders, of which all but the
    /// first withdraw.
    #[serde(default)]
    at_work: bool,
}

impl Record {
    fn body(&self) -> bytes::Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// A lease of ours: written, perhaps held, and withdrawn on drop unless something may have been sent under it.
pub(super) struct Lease {
    storage: ModelStorage,
    key: String,
    record: Record,
    /// Whether it stays on drop, to go stale.
    stays: AtomicBool,
    /// Whether it was already withdrawn.
    ended: bool,
    lost: Arc<AtomicBool>,
    withdrawn: Arc<Notify>,
    /// Writes the lease, or renews it while it is held. Not aborted on drop: a request in flight would bring back a
    /// withdrawn lease.
    writing: Option<JoinHandle<Result<()>>>,
}

/// A request for the lease of a version.
pub(super) struct LeaseRequest<'a> {
    /// The name of the push.
    pub(super) id: Uuid,
    /// Who pushes, or which program.
    pub(super) tool: &'a str,
    /// When it started, by its own clock.
    pub(super) begun: OffsetDateTime,
    /// Whether something may already have been sent under this lease: requests of an earlier run under the same name
    /// may still be in flight.
    pub(super) resumed: bool,
    /// Whether the push needs exactly this version and can wait for it.
    pub(super) patient: bool,
    /// Whether the server supports create-if-absent.
    pub(super) conditions: bool,
}

/// The outcome of requesting a lease.
pub(super) enum Acquired {
    /// The lease is ours, and there is no other.
    Alone(Box<Lease>),
    /// Another push has a lease.
    Busy {
        /// Who, as the lease says.
        by: String,
        /// Since when, by the server's clock.
        since: String,
        /// How many contenders come before us.
        rank: u32,
    },
}

impl Drop for Lease {
    fn drop(&mut self) {
        let writing = self.writing.take();
        if self.ended {
            return;
        }
        if *self.stays.get_mut() {
            if let Some(writing) = writing {
                writing.abort();
            }
            return;
        }
        self.withdrawn.notify_one();
        let (storage, key) = (self.storage.clone(), std::mem::take(&mut self.key));
        afterwards(async move {
            if let Some(writing) = writing {
                let _ = writing.await;
            }
            storage.remove_lease(&key).await;
        });
    }
}

impl Lease {
    /// Notes that something is about to be sent under the lease: if the push is interrupted now, the lease stays until
    /// it is stale. Others then know that the push may still be alive, and a resumed push finds the version free.
    pub(super) fn sends(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }

    /// Writes the lease, and returns when the server has answered. The request continues if this future is dropped.
    async fn put(&mut self) -> Result<()> {
        let (storage, key, body) = (self.storage.clone(), self.key.clone(), self.record.body());
        let put = async move { storage.depot.put_small(&storage.bucket, &key, body, "application/json").await };
        let writing = self.writing.insert(tokio::spawn(put));
        let done = joined(writing.await);
        self.writing = None;
        done
    }

    /// Records in the lease that work has started, and keeps it renewed.
    fn hold(&mut self) {
        self.record.at_work = true;
        let (storage, key, body) = (self.storage.clone(), self.key.clone(), self.record.body());
        let (lost, stop) = (Arc::clone(&self.lost), Arc::clone(&self.withdrawn));
        self.writing = Some(tokio::spawn(async move {
            loop {
                let put = storage.depot.put_small(&storage.bucket, &key, body.clone(), "application/json");
                if let Err(error) = put.await {
                    tracing::warn!(%error, lease = key, "cannot renew the lease");
                }
                loop {
                    // Only between requests: one in flight would bring back a withdrawn lease.
                    tokio::select! {
                        () = stop.notified() => return Ok(()),
                        () = tokio::time::sleep(storage.times.renewed_every) => {}
                    }
                    // Renewal must not bring back a lease that was removed.
                    match storage.depot.object_exists(&storage.bucket, &key).await {
                        Ok(true) => break,
                        Ok(false) => {
                            lost.store(true, Ordering::Relaxed);
                            return Ok(());
                        }
                        Err(_) => {}
                    }
                }
            }
        }));
    }
}

impl ModelStorage {
    /// Takes the lease of a version, also from pushes whose leases are stale.
    pub(super) async fn acquire(
        &self,
        model: &ModelName,
        version: &Version,
        request: &LeaseRequest<'_>,
    ) -> Result<Acquired> {
        let conditions = request.conditions;
        let begun = request.begun.format(&Rfc3339).unwrap_or_default();
        let own = ObjectKey::Lease(model.clone(), version.clone(), request.id).to_string();
        // The lease of an earlier run must stay, since requests of that run may still be in flight. One that others
        // removed as stale no longer protects anything; writing it again would only block others for ten minutes.
        let stays = !decide::withdraws(conditions, false, request.resumed)
            && self.depot.object_exists(&self.bucket, &own).await?;
        let mut lease = Lease {
            storage: self.clone(),
            key: own,
            record: Record { tool: request.tool.to_owned(), begun, at_work: false },
            stays: AtomicBool::new(stays),
            ended: false,
            lost: Arc::default(),
            withdrawn: Arc::default(),
            writing: None,
        };
        lease.put().await.map_err(|error| error.first_write(&self.bucket))?;
        let (began, mut renewed, mut read) = (Instant::now(), Instant::now(), Read::default());
        let times = &self.times;
        let wait = if request.patient && !conditions { times.long_wait } else { times.short_wait };
        loop {
            // Where only leases keep pushes apart, one that stalled after writing its lease must notice.
            let seen = self.leases(model, version, &lease.key, !conditions).await?;
            // Records are read only where they matter: all but the lowest withdraw in any case.
            let worker = if seen.lower.is_empty() { self.worker(&seen.higher, &mut read).await } else { None };
            let others = seen.others(Stage::Contending, stage(worker.is_some()));
            match decide::contend(seen.own, others, conditions, patience(began.elapsed(), wait)) {
                Contend::Work => {
                    for stale in &seen.stale {
                        tracing::warn!(lease = stale.key, "taking over from a pusher that went silent");
                        if let Ok(ObjectKey::Lease(model, version, id)) = stale.key.parse() {
                            self.record_failure(&model, &version, id).await?;
                        }
                        self.depot.delete_object(&self.bucket, &stale.key).await?;
                    }
                    lease.hold();
                    return Ok(Acquired::Alone(Box::new(lease)));
                }
                Contend::Withdraw => {
                    let (by, since) = match (worker, seen.first()) {
                        (Some(record), _) => (record.tool, record.begun),
                        (None, Some(first)) => self.holder(first).await,
                        // Our lease was removed: by `gc`, or by a push after the server's clock jumped.
                        (None, None) => ("another".to_owned(), String::new()),
                    };
                    // Otherwise it goes stale by itself.
                    if !*lease.stays.get_mut() {
                        self.withdraw(lease).await;
                    }
                    return Ok(Acquired::Busy { by, since, rank: seen.rank().max(1) });
                }
                Contend::Wait => {}
            }
            pause(began.elapsed()).await;
            if is_over(renewed.elapsed(), times.renewed_every) {
                tracing::warn!(lease = lease.key, "waiting for another push of this version, which may have died");
                lease.put().await?;
                renewed = Instant::now();
            }
        }
    }

    /// Returns the record of a lease whose push has started work. Records that were already read are not read again.
    async fn worker(&self, living: &[Other], read: &mut Read) -> Option<Record> {
        let unread = living.iter().filter(|other| !read.contending.contains(&other.mark()));
        let asked: Vec<_> = unread.map(|other| async move { (other, self.record(&other.key).await) }).collect();
        let mut records = stream::iter(asked).buffer_unordered(READS_AT_ONCE);
        while let Some((other, record)) = records.next().await {
            match record {
                Some(record) if record.at_work => return Some(record),
                Some(_) => {
                    read.contending.insert(other.mark());
                }
                None => {
                    let since = *read.unreadable.entry(other.key.clone()).or_insert_with(Instant::now);
                    if is_over(since.elapsed(), self.times.unreadable) {
                        let by = Record { tool: "another".to_owned(), begun: other.since.clone(), at_work: true };
                        return Some(by);
                    }
                }
            }
        }
        None
    }

    async fn record(&self, lease: &str) -> Option<Record> {
        let read = self.depot.get_small(&self.bucket, lease, 64 * 1024).await.ok().flatten()?;
        serde_json::from_slice(&read).ok()
    }

    /// Lists the leases of a version, lowest name first. With `timely`, also checks whether our own is stale.
    async fn leases(&self, model: &ModelName, version: &Version, own: &str, timely: bool) -> Result<Seen> {
        let listed = self.depot.list_objects(&self.bucket, &leases_prefix(model, version)).await?;
        let held = listed.iter().any(|lease| lease.key == own);
        let now = match held && (timely || listed.len() > 1) {
            true => Some(self.depot.server_time(&self.bucket).await?),
            false => None,
        };
        Ok(Seen::new(listed, own, now))
    }

    /// Returns who holds a lease. One that is gone or unreadable still counts as held.
    async fn holder(&self, other: &Other) -> (String, String) {
        match self.record(&other.key).await {
            Some(record) => (record.tool, record.begun),
            None => ("another".to_owned(), other.since.clone()),
        }
    }

    /// Checks whether the version is still ours to publish. `began` is the time of the first check, `read` caches what
    /// was read of other leases since.
    pub(super) async fn count(
        &self,
        lease: &Lease,
        model: &ModelName,
        version: &Version,
        conditions: bool,
        (began, read): (Instant, &mut Read),
    ) -> Result<Count> {
        if lease.lost.load(Ordering::Relaxed) {
            return Ok(Count::Fail);
        }
        let seen = self.leases(model, version, &lease.key, !conditions).await?;
        let works = !conditions && self.worker(&seen.lower, read).await.is_some();
        let others = seen.others(stage(works), Stage::Contending);
        Ok(decide::count(seen.own, others, conditions, patience(began.elapsed(), self.times.long_wait)))
    }

    /// Withdraws a lease. If that fails it goes stale, and the next push or `gc` removes it.
    pub(super) async fn withdraw(&self, mut lease: Lease) {
        // If this future is dropped, the lease's `Drop` does the rest.
        *lease.stays.get_mut() = false;
        lease.withdrawn.notify_one();
        if let Some(writing) = &mut lease.writing {
            let _ = writing.await;
            lease.writing = None;
        }
        self.remove_lease(&lease.key).await;
        lease.ended = true;
    }

    async fn remove_lease(&self, key: &str) {
        if let Err(error) = self.depot.delete_object(&self.bucket, key).await {
            tracing::debug!(%error, lease = key, "cannot withdraw the lease");
        }
    }
}

fn stage(works: bool) -> Stage {
    if works { Stage::Working } else { Stage::Contending }
}

/// What was read of other leases.
#[derive(Default)]
pub(super) struct Read {
    /// Leases, as listed, whose pushes had not started work.
    contending: HashSet<(String, u64, String)>,
    /// Unreadable leases, and since when.
    unreadable: HashMap<String, Instant>,
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
