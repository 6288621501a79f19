//! Claims: who is pushing which version, so that nobody else does at the same time.
//!
//! A pusher puts a claim under a name of its own and lists the claims of the version. Alone, it goes on. Two that see
//! each other cannot both: whoever listed alone did so before the other's claim was there, and the other then sees
//! it. Nothing but strong listing is needed of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;
use uuid::Uuid;

use super::ModelStorage;
use crate::error::Result;
use crate::key::{ObjectKey, claims_prefix};
use crate::name::{ModelName, Version};
use crate::s3::ListedObject;

/// How often a claim is renewed while its push runs.
const RENEWED_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// The age, by the server's clock, from which a claim is taken for that of a dead pusher.
pub(crate) const STALE_AFTER: Duration = Duration::minutes(10);

/// Claims of others that are read at once.
const READS_AT_ONCE: usize = 8;

/// How long the first of several contenders waits for any of the others to withdraw.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// How long it waits in all, while others come and go. Its own claim must not go stale meanwhile.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(240);

/// What a claim says.
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

/// A version that is ours to push. Renewed in the background as long as the value lives.
pub(super) struct Claim {
    key: String,
    lost: Arc<AtomicBool>,
    withdrawn: Arc<Notify>,
    renewing: tokio::task::JoinHandle<()>,
}

/// Who claims.
pub(super) struct Claimant<'a> {
    /// The name of the push.
    pub(super) id: Uuid,
    /// The program that pushes.
    pub(super) tool: &'a str,
    /// When it began, by its own clock.
    pub(super) begun: OffsetDateTime,
    /// Whether the claim stays when the version turns out to be another's: requests of an earlier run under the same
    /// name may still be on their way.
    pub(super) stays: bool,
}

/// What became of claiming a version.
pub(super) enum Claimed {
    /// Nobody else claims it.
    Alone(Claim),
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

impl Drop for Claim {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl ModelStorage {
    /// Claims a version, and takes it over from pushers whose claims went stale.
    pub(super) async fn claim(&self, model: &ModelName, version: &Version, claimant: &Claimant<'_>) -> Result<Claimed> {
        let own = ObjectKey::Claim(model.clone(), version.clone(), claimant.id).to_string();
        let begun = claimant.begun.format(&Rfc3339).unwrap_or_default();
        let record = Record { tool: claimant.tool.to_owned(), begun, at_work: false };
        self.client.put_small(&self.bucket, &own, record.body(), "application/json").await?;
        let began = Instant::now();
        let (mut seen, mut changed) = (Vec::new(), began);
        loop {
            let others = match self.living_claims(model, version, &own, false).await? {
                Some(others) => others,
                // Somebody took our claim away: a cleaner, or a pusher whose server's clock jumped.
                None => return Ok(Claimed::Busy { by: "another".to_owned(), since: String::new(), rank: 1 }),
            };
            let Some(first) = others.first() else {
                return Ok(Claimed::Alone(self.hold(own, Record { at_work: true, ..record })));
            };
            let before = others.iter().filter(|other| other.key < own).count();
            let at_work = if before == 0 { self.at_work(&others).await } else { None };
            let names: Vec<String> = others.iter().map(|other| other.key.clone()).collect();
            if names != seen {
                (seen, changed) = (names, Instant::now());
            }
            let hopeless = changed.elapsed() > PATIENCE || began.elapsed() > LONGEST_WAIT;
            if before > 0 || at_work.is_some() || hopeless {
                if !claimant.stays {
                    self.client.delete_object(&self.bucket, &own).await?;
                }
                let (by, since) = match at_work {
                    Some(record) => (record.tool, record.begun),
                    None => self.holder(first).await,
                };
                return Ok(Claimed::Busy { by, since, rank: u32::try_from(before).unwrap_or(u32::MAX).max(1) });
            }
            tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(30..90))).await;
        }
    }

    /// Returns what the claim says of whoever has gone to work. Only the first contender asks: all others withdraw.
    async fn at_work(&self, others: &[Other]) -> Option<Record> {
        let read: Vec<_> = others.iter().map(|other| self.record(&other.key)).collect();
        let mut records = stream::iter(read).buffer_unordered(READS_AT_ONCE);
        while let Some(record) = records.next().await {
            if let Some(record) = record.filter(|record| record.at_work) {
                return Some(record);
            }
        }
        None
    }

    async fn record(&self, claim: &str) -> Option<Record> {
        let read = self.client.get_small(&self.bucket, claim, 64 * 1024).await.ok().flatten()?;
        serde_json::from_slice(&read).ok()
    }

    /// Returns the claims of others that are not stale, the oldest name first, or none when our own is gone. Stale
    /// ones are deleted: their pushers know by that that they were taken over.
    ///
    /// With `fresh`, an own claim that was not renewed in time counts as gone: others may be taking it for stale.
    async fn living_claims(
        &self,
        model: &ModelName,
        version: &Version,
        own: &str,
        fresh: bool,
    ) -> Result<Option<Vec<Other>>> {
        let listed = self.client.list_objects(&self.bucket, &claims_prefix(model, version)).await?;
        let Some(held) = listed.iter().find(|claim| claim.key == own) else { return Ok(None) };
        if listed.len() == 1 && !fresh {
            return Ok(Some(Vec::new()));
        }
        let now = self.client.server_time(&self.bucket).await?;
        if fresh && held.modified.is_some_and(|renewed| now - renewed > STALE_AFTER / 2) {
            return Ok(None);
        }
        let mut living = Vec::new();
        for claim in listed.into_iter().filter(|claim| claim.key != own) {
            let other = Other::new(claim, now);
            if other.age > STALE_AFTER {
                tracing::warn!(claim = other.key, "taking over from a pusher that went silent");
                self.client.delete_object(&self.bucket, &other.key).await?;
            } else {
                living.push(other);
            }
        }
        Ok(Some(living))
    }

    /// Says who holds a claim. A claim that is gone or unreadable is somebody's all the same.
    async fn holder(&self, other: &Other) -> (String, String) {
        match self.record(&other.key).await {
            Some(record) => (record.tool, record.begun),
            None => ("another".to_owned(), other.since.clone()),
        }
    }

    /// Goes to work under a claim: says so in it, and keeps it alive.
    fn hold(&self, key: String, record: Record) -> Claim {
        let (lost, withdrawn) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let (storage, renewed, flag, stop) = (self.clone(), key.clone(), Arc::clone(&lost), Arc::clone(&withdrawn));
        let renewing = tokio::spawn(async move {
            let body = record.body();
            loop {
                let put = storage.client.put_small(&storage.bucket, &renewed, body.clone(), "application/json");
                if let Err(error) = put.await {
                    tracing::warn!(%error, claim = renewed, "cannot renew the claim");
                }
                loop {
                    // Only between requests: one that is on its way would bring back a claim that was withdrawn.
                    tokio::select! {
                        () = stop.notified() => return,
                        () = tokio::time::sleep(RENEWED_EVERY) => {}
                    }
                    // A claim that was taken away must not come back by its own renewal.
                    match storage.client.object_exists(&storage.bucket, &renewed).await {
                        Ok(true) => break,
                        Ok(false) => return flag.store(true, Ordering::Relaxed),
                        Err(_) => {}
                    }
                }
            }
        });
        Claim { key, lost, withdrawn, renewing }
    }

    /// Returns true when the claim is still there and nobody else can think the version his.
    ///
    /// Where the server decides creates, others may claim as they like: nothing of ours can be overwritten. Elsewhere
    /// the claim must be the only one. A contender who has just come sees ours and withdraws, so he is waited for.
    pub(super) async fn still_alone(
        &self,
        claim: &Claim,
        model: &ModelName,
        version: &Version,
        conditions: bool,
    ) -> Result<bool> {
        let began = Instant::now();
        loop {
            if claim.lost.load(Ordering::Relaxed) {
                return Ok(false);
            }
            match self.living_claims(model, version, &claim.key, !conditions).await? {
                None => return Ok(false),
                Some(others) if others.is_empty() || conditions => return Ok(true),
                Some(_) if began.elapsed() > 2 * PATIENCE => return Ok(false),
                Some(_) => tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(50..150))).await,
            }
        }
    }

    /// Withdraws a claim. If that fails it goes stale, and the next pusher or `gc` removes it.
    pub(super) async fn withdraw(&self, mut claim: Claim) {
        claim.withdrawn.notify_one();
        let _ = (&mut claim.renewing).await;
        if let Err(error) = self.client.delete_object(&self.bucket, &claim.key).await {
            tracing::debug!(%error, claim = claim.key, "cannot withdraw the claim");
        }
    }
}

/// Another pusher's claim.
struct Other {
    key: String,
    age: Duration,
    since: String,
}

impl Other {
    fn new(claim: ListedObject, now: OffsetDateTime) -> Self {
        // A server that does not say when a claim was written leaves no way to call it stale.
        let age = claim.modified.map_or(Duration::ZERO, |modified| now - modified);
        let since = claim.modified.and_then(|modified| modified.format(&Rfc3339).ok()).unwrap_or_default();
        Self { key: claim.key, age, since }
    }
}
