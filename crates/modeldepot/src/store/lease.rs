//! Leases: who is pushing which version, so that nobody else does at the same time.
//!
//! A pusher puts a lease under a name of its own and lists the leases of the version. Alone, it goes to work. Two that
//! see each other cannot both: the one that listed alone did so before the other's lease was there, and the other then sees
//! it. Nothing but strong listing is needed of the server. What follows from what was listed is in [`decide`].
//!
//! A lease that could not be taken is withdrawn, whatever the reason: see the `Drop` of [`Lease`].

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
use super::decide::{self, Contend, Count, Patience, Stage};
use crate::error::Result;
use crate::model::key::{ObjectKey, leases_prefix};
use crate::model::name::{ModelName, Version};
use crate::task::{afterwards, joined};

/// How often a lease is renewed.
const RENEWED_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// Leases of others that are read at once.
const READS_AT_ONCE: usize = 8;

/// How long the lowest of several contenders waits for the others to withdraw, where it then has somewhere to go: to
/// work, if the server decides creates, or to the next version, if it named none.
const SHORT_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// How long it waits elsewhere, and how long a push waits to be alone before it publishes: longer than it takes the
/// lease of a contender that died to go stale.
const LONG_WAIT: std::time::Duration = std::time::Duration::from_secs(12 * 60);

/// How long a lease of others whose record cannot be read is taken for that of a contender. On some servers a record
/// that is being replaced is empty for a moment.
const UNREADABLE: std::time::Duration = std::time::Duration::from_secs(20);

/// What a lease says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// The program that pushes.
    tool: String,
    /// When it began, by its own clock.
    begun: String,
    /// Whether it was alone and has gone to work. Until then it is one of several contenders, all but the first of
    /// whom withdraw.
    #[serde(default)]
    at_work: bool,
}

impl Record {
    fn body(&self) -> bytes::Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// A lease of ours: put, perhaps held, and withdrawn when it is dropped, unless something may have been sent under it.
pub(super) struct Lease {
    storage: ModelStorage,
    key: String,
    record: Record,
    /// Whether it stays when it is dropped, to go stale.
    stays: AtomicBool,
    /// Whether it was withdrawn, or left to go stale.
    ended: bool,
    lost: Arc<AtomicBool>,
    withdrawn: Arc<Notify>,
    /// Puts the lease, or renews it as long as it is held. Not ended with us: a request that is on its way would bring
    /// back what was withdrawn.
    writing: Option<JoinHandle<Result<()>>>,
}

/// A request for the lease of a version.
pub(super) struct LeaseRequest<'a> {
    /// The name of the push.
    pub(super) id: Uuid,
    /// The program that pushes.
    pub(super) tool: &'a str,
    /// When it began, by its own clock.
    pub(super) begun: OffsetDateTime,
    /// Whether something may have been sent under this lease already: requests of an earlier run under the same name
    /// may still be on their way.
    pub(super) resumed: bool,
    /// Whether it is this version or none, and there is time to wait for it.
    pub(super) patient: bool,
    /// Whether the server decides create-if-absent.
    pub(super) conditions: bool,
}

/// The outcome of asking for the lease.
pub(super) enum Acquired {
    /// The lease is ours, and nobody else has one.
    Alone(Box<Lease>),
    /// Somebody else does.
    Busy {
        /// Who, in its own words.
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
    /// Notes that something is about to be sent under the lease: if the push breaks off now, the lease stays until it is
    /// stale. So others know that it may still be alive, and a push that is resumed finds the version free.
    pub(super) fn sends(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }

    /// Puts the lease, and returns when the server has answered. The request goes on if this does not.
    async fn put(&mut self) -> Result<()> {
        let (storage, key, body) = (self.storage.clone(), self.key.clone(), self.record.body());
        let put = async move { storage.depot.put_small(&storage.bucket, &key, body, "application/json").await };
        let writing = self.writing.insert(tokio::spawn(put));
        let done = joined(writing.await);
        self.writing = None;
        done
    }

    /// Goes to work under the lease: says so in it, and keeps it alive.
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
                    // Only between requests: one that is on its way would bring back a lease that was withdrawn.
                    tokio::select! {
                        () = stop.notified() => return Ok(()),
                        () = tokio::time::sleep(RENEWED_EVERY) => {}
                    }
                    // A lease that was taken away must not come back by its own renewal.
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
    /// Takes the lease of a version, also from pushers whose leases went stale.
    pub(super) async fn acquire(
        &self,
        model: &ModelName,
        version: &Version,
        request: &LeaseRequest<'_>,
    ) -> Result<Acquired> {
        let conditions = request.conditions;
        let begun = request.begun.format(&Rfc3339).unwrap_or_default();
        let own = ObjectKey::Lease(model.clone(), version.clone(), request.id).to_string();
        // The lease of an earlier run must stay, since requests of that run may still be on their way. One that others have
        // removed as stale protects nobody any more, and putting it back for ten minutes would only be in their way.
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
        let wait = if request.patient && !conditions { LONG_WAIT } else { SHORT_WAIT };
        loop {
            // Where nothing but leases keeps pushers apart, one that stalled since it put its lease must notice.
            let seen = self.leases(model, version, &lease.key, !conditions).await?;
            // The records are read only if something depends on them: all but the lowest withdraw in any case.
            let worker = if seen.lower.is_empty() { self.worker(&seen.higher, &mut read).await } else { None };
            let others = seen.others(Stage::Contending, stage(worker.is_some()));
            let patience = if began.elapsed() < wait { Patience::Left } else { Patience::Over };
            match decide::contend(seen.own, others, conditions, patience) {
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
                        // Somebody took our lease away: `gc`, or a pusher whose server's clock jumped.
                        (None, None) => ("another".to_owned(), String::new()),
                    };
                    // Else it is stale in a while.
                    if !*lease.stays.get_mut() {
                        self.withdraw(lease).await;
                    }
                    return Ok(Acquired::Busy { by, since, rank: seen.rank().max(1) });
                }
                Contend::Wait => {}
            }
            pause(began).await;
            if renewed.elapsed() > RENEWED_EVERY {
                tracing::warn!(lease = lease.key, "waiting for another push of this version, which may have died");
                lease.put().await?;
                renewed = Instant::now();
            }
        }
    }

    /// Returns the record of a lease whose pusher has gone to work. Records that were read before are not read again.
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
                    if since.elapsed() > UNREADABLE {
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

    /// Lists the leases of a version. With `timely`, whether the own one is old is looked at even if there is no other.
    async fn leases(&self, model: &ModelName, version: &Version, own: &str, timely: bool) -> Result<Seen> {
        let listed = self.depot.list_objects(&self.bucket, &leases_prefix(model, version)).await?;
        let held = listed.iter().any(|lease| lease.key == own);
        let now = match held && (timely || listed.len() > 1) {
            true => Some(self.depot.server_time(&self.bucket).await?),
            false => None,
        };
        Ok(Seen::new(listed, own, now))
    }

    /// Says who holds a lease. One that is gone or unreadable is somebody's all the same.
    async fn holder(&self, other: &Other) -> (String, String) {
        match self.record(&other.key).await {
            Some(record) => (record.tool, record.begun),
            None => ("another".to_owned(), other.since.clone()),
        }
    }

    /// Looks whether the version is still ours to publish. `began` is when this was first asked, `read` what was read of
    /// others since.
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
        let patience = if began.elapsed() < LONG_WAIT { Patience::Left } else { Patience::Over };
        Ok(decide::count(seen.own, others, conditions, patience))
    }

    /// Withdraws a lease. If that fails it goes stale, and the next pusher or `gc` removes it.
    pub(super) async fn withdraw(&self, mut lease: Lease) {
        // If this is broken off, dropping the lease does the rest.
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

/// Waits between two looks at the leases of others: short at first, when everybody comes at once.
pub(super) async fn pause(began: Instant) {
    let slow = if began.elapsed() < SHORT_WAIT / 6 { 1 } else { 10 };
    tokio::time::sleep(std::time::Duration::from_millis(slow * fastrand::u64(30..90))).await;
}

fn stage(works: bool) -> Stage {
    if works { Stage::Working } else { Stage::Contending }
}

/// What was read of others' leases.
#[derive(Default)]
pub(super) struct Read {
    /// Leases, as they were listed, whose pushers had not gone to work.
    contending: HashSet<(String, u64, String)>,
    /// Leases that could not be read, and since when.
    unreadable: HashMap<String, Instant>,
}

#[cfg(test)]
mod laws;
