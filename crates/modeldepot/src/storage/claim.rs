//! Claims: who is pushing which version, so that nobody else does at the same time.
//!
//! A pusher puts a claim under a name of its own and lists the claims of the version. Alone, it goes on. Two that see
//! each other cannot both: whoever listed alone did so before the other's claim was there, and the other then sees
//! it. Nothing but strong listing is needed of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
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

/// The age of another's claim from which it is no contender for the same moment, but somebody at work.
///
/// Longer than a contender on a busy machine takes from its claim to its look: of 200 processes on two cores one took
/// more than 5 s, the first of them thought it at work, and all withdrew.
const AT_WORK_AFTER: Duration = Duration::seconds(20);

/// How long the first of several contenders waits for the others to withdraw, and for more of them to stop coming.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What a claim says, for people.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The program that pushes.
    tool: String,
    /// When it began, by its own clock.
    begun: String,
}

/// A version that is ours to push. Renewed in the background as long as the value lives.
pub(super) struct Claim {
    key: String,
    lost: Arc<AtomicBool>,
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
        let record = Record { tool: claimant.tool.to_owned(), begun };
        let body = bytes::Bytes::from(serde_json::to_vec(&record).unwrap_or_default());
        self.client.put_small(&self.bucket, &own, body.clone(), "application/json").await?;
        let began = Instant::now();
        loop {
            let others = match self.living_claims(model, version, &own, false).await? {
                Some(others) => others,
                // Somebody took our claim away: a cleaner, or a pusher whose server's clock jumped.
                None => return Ok(Claimed::Busy { by: "another".to_owned(), since: String::new(), rank: 1 }),
            };
            let Some(first) = others.first() else {
                return Ok(Claimed::Alone(self.hold(own, body)));
            };
            let before = others.iter().filter(|other| other.key < own).count();
            let at_work = others.iter().find(|other| other.age > AT_WORK_AFTER);
            if before > 0 || at_work.is_some() || began.elapsed() > PATIENCE {
                if !claimant.stays {
                    self.client.delete_object(&self.bucket, &own).await?;
                }
                let (by, since) = self.holder(at_work.unwrap_or(first)).await;
                return Ok(Claimed::Busy { by, since, rank: u32::try_from(before).unwrap_or(u32::MAX).max(1) });
            }
            tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(30..90))).await;
        }
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
        let read = self.client.get_small(&self.bucket, &other.key, 64 * 1024).await.ok().flatten();
        let record: Option<Record> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match record {
            Some(record) => (record.tool, record.begun),
            None => ("another".to_owned(), other.since.clone()),
        }
    }

    /// Keeps a claim alive.
    fn hold(&self, key: String, body: bytes::Bytes) -> Claim {
        let lost = Arc::new(AtomicBool::new(false));
        let (storage, renewed, flag) = (self.clone(), key.clone(), Arc::clone(&lost));
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWED_EVERY).await;
                // A claim that was taken away must not come back by its own renewal.
                match storage.client.object_exists(&storage.bucket, &renewed).await {
                    Ok(true) => {}
                    Ok(false) => return flag.store(true, Ordering::Relaxed),
                    Err(_) => continue,
                }
                let put = storage.client.put_small(&storage.bucket, &renewed, body.clone(), "application/json");
                if let Err(error) = put.await {
                    tracing::warn!(%error, claim = renewed, "cannot renew the claim");
                }
            }
        });
        Claim { key, lost, renewing }
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
    pub(super) async fn withdraw(&self, claim: Claim) {
        claim.renewing.abort();
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
