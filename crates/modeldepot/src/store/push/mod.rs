//! Publishing a version: take the lease, store every file durably, then write the manifest.
//!
//! The types in [`super::push::commit`] enforce this order.
//!
//! On a server with reliable create-if-absent, nothing under a version is ever overwritten, and nothing is deleted
//! before the version's name is retired. A push that stalls at any step and wakes after others have moved on can
//! therefore change nothing: its writes are refused, or store what is already stored. `docs/format.md` has the
//! argument, and what remains on servers without conditional writes.

pub(in crate::store) mod base_version;
pub(in crate::store) mod commit;
#[cfg(feature = "history")]
mod history;
pub(in crate::store) mod left_out;
mod leftovers;
pub(in crate::store) mod links;
pub(in crate::store) mod patterns;
mod published;
pub(in crate::store) mod resume;
pub(in crate::store) mod scan;
pub(in crate::store) mod source;
pub(in crate::store) mod validate;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt as _;
use futures_util::future::FusedFuture as _;
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};
use uuid::{NoContext, Timestamp, Uuid};

pub use self::published::Published;
use super::ModelStorage;
use super::decide::{self, Check, Checked};
use super::lease::{Acquired, LeaseRequest};
use super::lookup::Description;
use super::ownership::Foreign;
use super::push::base_version::BaseFiles;
use super::push::commit::Job;
use super::push::resume::{Entry, ResumeState};
use super::push::source::{Source, SourceFile};
use super::times::is_over;
use crate::error::{Error, Result};
use crate::model::digest::Digests;
use crate::model::key::{ObjectKey, gc_locks_prefix, version_prefix};
use crate::model::manifest::{FORMAT_VERSION, FileEntry, Manifest, Parts};
use crate::model::name::{ArtifactPath, ModelName, PublishedBy, Version};
use crate::progress::Progress;
use crate::s3::part_size;
use crate::setters::setters;
use crate::task::{blocking, settled};

/// A version to publish: start with [`Push::new`], and set other fields with their setters.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Push {
    /// The model.
    pub model: ModelName,
    /// The version. Defaults to the UTC second in which the push starts, by the server's clock, or the next free
    /// second.
    pub version: Option<Version>,
    /// The files.
    pub source: Source,
    /// Metadata of the version: a JSON object. Empty by default.
    pub metadata: Map<String, Value>,
    /// The time of publication. Defaults to the server's time when the manifest is written; set it only for imports.
    pub created: Option<OffsetDateTime>,
    /// Name and version of the publishing program, for the manifest: `my-trainer 1.0`. Defaults to this library.
    pub tool: String,
    /// Who publishes, for the manifest; unset by default. It is not compared: the same content is the same version, no
    /// matter who pushes it.
    pub published_by: Option<PublishedBy>,
    /// Local folder for the resume state of this push. An interrupted push that is repeated then continues under the
    /// same version, and sends only the missing data. By default no state is kept.
    pub state_folder: Option<PathBuf>,
    /// Whether to compute the MD5 that the Python pipeline checks; true by default. Without it a push may exceed the
    /// 0.7 GB/s that MD5 reaches, but the Python pipeline cannot verify the version.
    pub md5: bool,
    /// Whether to copy parts of large files within the server, from an earlier version that has them at the same place;
    /// true by default.
    pub copies: bool,
}

impl Push {
    /// Publishes `source` as a new version of `model`, without metadata.
    pub fn new(model: ModelName, source: Source) -> Push {
        Push {
            model,
            version: None,
            source,
            metadata: Map::new(),
            created: None,
            tool: concat!("modeldepot ", env!("CARGO_PKG_VERSION")).to_owned(),
            published_by: None,
            state_folder: None,
            md5: true,
            copies: true,
        }
    }

    /// Names the pusher, for the lease: the person if known, otherwise the program.
    pub(super) fn pusher(&self) -> &str {
        self.published_by.as_ref().map_or(self.tool.as_str(), |by| by.as_str())
    }
}

setters!(Push {
    some version: Version,
    value metadata: Map<String, Value>,
    some created: OffsetDateTime,
    into tool: String,
    some published_by: PublishedBy,
    some_into state_folder: PathBuf,
    value md5: bool,
    value copies: bool,
});

/// A push to one version.
struct Attempt<'a> {
    push: &'a Push,
    /// When the push started.
    begun_at: OffsetDateTime,
    version: Version,
    id: Uuid,
    /// Whether this resumes an interrupted push.
    resumed: bool,
    /// Whether the server supports create-if-absent.
    conditions: bool,
    progress: &'a Progress,
}

impl ModelStorage {
    /// Publishes a version. It becomes visible when its manifest is written, and is complete from then on.
    ///
    /// # Errors
    /// As [`ModelStorage::check_push`], before anything is sent. [`Error::Source`] when a file cannot be read or
    /// changes during the push; [`Error::VersionExists`], [`Error::VersionBusy`], or [`Error::Other`] of kind
    /// [`crate::ErrorKind::Conflict`] when the version is not free. After an error no new version is visible, unless
    /// the error is a lost reply.
    pub async fn push(&self, push: Push, progress: &Progress) -> Result<Published> {
        self.check_push(&push)?;
        // Boxed, like the other large steps below: together they would overflow the stack of a test or worker thread.
        let mut pushed = Box::pin(self.push_checked(&push, progress));
        let mut looked = Box::pin(self.later_than(&push).fuse());
        let mut latest = None;
        // The push does not wait for a look that only serves a warning.
        let mut published = loop {
            tokio::select! {
                published = &mut pushed => break published?,
                later = &mut looked, if !looked.is_terminated() => latest = later,
            }
        };
        published.latest = latest;
        published.left_out = push.source.left_out().to_vec();
        published.unmatched = push.source.unmatched().to_vec();
        Ok(published)
    }

    /// Returns the time given with the push, or the server's time.
    pub(super) async fn time_of(&self, push: &Push) -> Result<OffsetDateTime> {
        match push.created {
            Some(created) => Ok(created),
            None => self.depot.now(&self.bucket).await,
        }
    }

    async fn push_checked(&self, push: &Push, progress: &Progress) -> Result<Published> {
        let conditions = self.capabilities().await?.create_if_absent;
        let begun_at = self.time_of(push).await?;
        let mut earlier = None;
        let (mut resume, mut cut_off) = self.resume_state(push).await;
        if cut_off.is_some() {
            // The interrupted push may have been dropped in this process a moment ago. Its lease has the same name, and
            // its withdrawal must not remove the new one.
            settled().await;
        }
        let mut not_before = begun_at;
        loop {
            let begun = cut_off.take();
            let resumed = begun.is_some();
            let Entry { version, id } = match (begun, &push.version) {
                (Some(entry), _) => entry,
                (None, Some(version)) => Entry { version: version.clone(), id: Uuid::new_v7(moment(begun_at)) },
                (None, None) => {
                    let version = self.free_second(&push.model, &mut not_before).await?;
                    Entry { version, id: Uuid::new_v7(moment(begun_at)) }
                }
            };
            if let Some(resume) = &mut resume {
                let entry = Entry { version: version.clone(), id };
                if let Err(error) = resume.write(&entry) {
                    tracing::warn!(%error, "cannot write the state of this push; if this push is cut off it will begin anew");
                }
            }
            let attempt = Attempt { push, begun_at, version, id, resumed, conditions, progress };
            let result = Box::pin(self.attempt(attempt, &mut earlier)).await;
            match result {
                // Another push has this second. A later one may be free; contenders spread over the next seconds by
                // rank.
                Err(error) if push.version.is_none() && error.is_taken() => {
                    let rank = if let Error::VersionBusy { rank, .. } = &error { *rank } else { 1 };
                    if !resumed {
                        not_before += Duration::SECOND * rank;
                    }
                }
                result => {
                    // After a transient failure, keep the state so that the next attempt can resume.
                    if !matches!(&result, Err(error) if error.may_pass())
                        && let Some(resume) = resume
                    {
                        resume.finish();
                    }
                    return result;
                }
            }
        }
    }

    /// Opens the resume state of a push, and the entry of an interrupted one.
    async fn resume_state(&self, push: &Push) -> (Option<ResumeState>, Option<Entry>) {
        let Some(folder) = push.state_folder.clone() else { return (None, None) };
        let what = match (&push.version, push.source.files().iter().find(|file| file.path == *push.source.main())) {
            (Some(version), _) => format!("version {version}"),
            (None, Some(main)) => {
                let local = std::fs::canonicalize(&main.local).unwrap_or_else(|_| main.local.clone());
                format!("file {}", local.display())
            }
            (None, None) => return (None, None),
        };
        let subject = format!("{}\n{}\n{}{}\n{what}", self.depot.endpoint(), self.bucket, self.prefix, push.model);
        match blocking(move || ResumeState::open(&folder, &subject)).await {
            Ok(Some((resume, entry))) => (Some(resume), entry),
            Ok(None) => (None, None),
            // Resume state is optional: a push must not fail because it cannot be written.
            Err(error) => {
                tracing::warn!(%error, "cannot keep its state; if this push is cut off it will begin anew");
                (None, None)
            }
        }
    }

    /// Pushes to one version.
    async fn attempt(&self, attempt: Attempt<'_>, earlier: &mut Option<BaseFiles>) -> Result<Published> {
        let Attempt { push, begun_at, version, id, resumed, conditions, progress } = attempt;
        let model = &push.model;
        // Whether it is to be this version and no other.
        let named = push.version.is_some() || resumed;
        if named && let Some(theirs) = self.standing(model, &version).await? {
            let published = self.compare(push, id, theirs).await?;
            if resumed {
                // The interrupted push had published, but ended before it withdrew its lease.
                let lease = ObjectKey::Lease(model.clone(), version.clone(), id).to_string();
                self.depot.delete_object(&self.bucket, &lease).await?;
                self.settle_uploads(model, &version, id, true).await;
            }
            return Ok(published);
        }
        // Without conditional writes, a request that is still on its way can do harm when it arrives. A lease under
        // which something was sent is therefore withdrawn only after success; otherwise it stays until it is stale.
        let request = LeaseRequest { id, tool: push.pusher(), begun: begun_at, resumed, patient: named, conditions };
        // Meanwhile, once for all attempts, look up what earlier versions have.
        let known = earlier.take();
        let (acquired, found) = tokio::join!(Box::pin(self.acquire(model, &version, &request)), async {
            match known {
                Some(found) => found,
                None => self.base_files(push, &version).await,
            }
        });
        let found = earlier.insert(found);
        let lease = match acquired? {
            Acquired::Alone(lease) => *lease,
            Acquired::Busy { by, since, rank } => {
                // The other push may have published before its lease was read.
                if push.version.is_some()
                    && let Some(theirs) = self.standing(model, &version).await?
                {
                    return self.compare(push, id, theirs).await;
                }
                return Err(Error::VersionBusy { model: model.clone(), version, by, since, rank });
            }
        };
        let job =
            Job { storage: self, push, version, id, resumed, lease: &lease, progress, conditions, earlier: found };
        let wrote = AtomicBool::new(decide::may_have_sent(resumed, None));
        let result = Box::pin(job.run(&wrote)).await;
        let version = job.version;
        let wrote = wrote.into_inner();
        if wrote {
            self.settle(push, &version, id, result.as_ref().err()).await;
        }
        if decide::withdraws(conditions, result.is_ok(), wrote) {
            self.withdraw(lease).await;
        }
        result
    }

    /// Leaves in order what a push that has ended may have sent.
    async fn settle(&self, push: &Push, version: &Version, id: Uuid, failure: Option<&Error>) {
        let model = &push.model;
        if push.source.files().iter().any(SourceFile::in_parts) {
            if let Some(error) = failure
                && !error.may_pass()
                && let Err(error) = self.abort_uploads(model, version, id).await
            {
                tracing::debug!(%error, %model, %version, "cannot abort the uploads of a push that failed");
            }
            self.settle_uploads(model, version, id, failure.is_none()).await;
        }
        // Only the lease shows that the push failed. It is withdrawn so that another may push; the record stays.
        if failure.is_some()
            && let Err(error) = self.record_failure(model, version, id).await
        {
            tracing::debug!(%error, %model, %version, "cannot record that the push failed");
        }
    }

    /// Returns the first second at or after `from` whose version is not retired and has no objects in the bucket.
    pub(super) async fn free_second(&self, model: &ModelName, from: &mut OffsetDateTime) -> Result<Version> {
        loop {
            let version = Version::at(*from);
            let prefix = version_prefix(model, &version);
            let (taken, retired) =
                tokio::try_join!(self.depot.any_object(&self.bucket, &prefix), self.is_retired(model, &version))?;
            if !taken && !retired {
                return Ok(version);
            }
            *from += Duration::SECOND;
        }
    }

    /// Returns the published manifest of a version, if any.
    pub(super) async fn standing(&self, model: &ModelName, version: &Version) -> Result<Option<Manifest>> {
        let (manifest, retired) =
            tokio::try_join!(self.read_manifest(model, version), self.is_retired(model, version))?;
        if retired {
            return Err(Error::version_retired(model, version));
        }
        Ok(manifest.map(|(manifest, _)| manifest))
    }

    /// Compares a push with what is already published under its version. Reads the files, sends nothing.
    pub(super) async fn compare(&self, push: &Push, id: Uuid, theirs: Manifest) -> Result<Published> {
        let mut files = Vec::new();
        for file in push.source.files() {
            // Without MD5, which is the slowest: BLAKE3 is enough to compare.
            files.push(entry(file, &self.depot.digest_file(&file.local, file.stamp, false).await?));
        }
        let ours = self.manifest_of(push, theirs.version.clone(), id, files, theirs.created_at);
        if !ours.same_content(&theirs) {
            return Err(Error::VersionExists { model: push.model.clone(), version: theirs.version });
        }
        let (foreign, whole) = self.look_beside(&theirs).await?;
        self.not_being_removed(&theirs.model_name, &theirs.version).await?;
        // A push that reports success promises that the version can be fetched.
        whole.map_err(Error::push_onto_damage)?;
        let kept = theirs.size().unwrap_or_default();
        Ok(Published { foreign, ..Published::of(theirs, true, kept, 0) })
    }

    /// Returns the foreign objects beside the files of a published version, and an error if any of those files is
    /// missing or has the wrong size.
    async fn look_beside(&self, manifest: &Manifest) -> Result<(Foreign, Result<()>)> {
        let Some(files) = &manifest.files else { return Ok((Foreign::default(), Ok(()))) };
        let prefix = version_prefix(&manifest.model_name, &manifest.version);
        let mut besides = self.depot.list_objects(&self.bucket, &prefix).await?;
        let whole = Description::whole_in(manifest, &prefix, &besides);
        let files: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        besides.retain(
            |object| !matches!(&object.key[prefix.len()..], path if path == "manifest.json" || files.contains(path)),
        );
        let (_, foreign) = self.divide_some(besides).await?;
        Ok((Foreign::of(&prefix, &foreign), whole))
    }

    /// Returns the error for an object at the key of a file to push: an orphan, or another tool's object.
    pub(super) async fn in_the_way(&self, model: &ModelName, version: &Version, path: &ArtifactPath) -> Result<Error> {
        let key = ObjectKey::Artifact(model.clone(), version.clone(), path.clone()).to_string();
        match self.is_own(&key).await? {
            true => self.left_behind(model, version, vec![path.to_string()]).await,
            false => Ok(Error::foreign_object(model, version, path)),
        }
    }

    pub(super) fn manifest_of(
        &self,
        push: &Push,
        version: Version,
        id: Uuid,
        files: Vec<FileEntry>,
        created_at: Option<OffsetDateTime>,
    ) -> Manifest {
        let main = push.source.main();
        let key = ObjectKey::Artifact(push.model.clone(), version.clone(), main.clone()).to_string();
        Manifest {
            model_url: self.depot.object_url(&self.bucket, &key),
            model_file: key,
            checksum: files.iter().find(|file| file.path == *main).and_then(|file| file.md5),
            model_name: push.model.clone(),
            version,
            metadata: push.metadata.clone(),
            created_at,
            format_version: Some(FORMAT_VERSION),
            files: Some(files),
            history: push.source.history().cloned(),
            write_id: Some(id.to_string()),
            published_by: push.published_by.clone(),
            tool: Some(push.tool.clone()),
            manifest_blake3: None,
        }
        .sealed()
    }

    /// Makes sure that a version whose manifest was just seen will last, before success is reported.
    ///
    /// [`decide::check`] has what is checked, in which order, and why.
    pub(super) async fn not_being_removed(&self, model: &ModelName, version: &Version) -> Result<()> {
        let marks = gc_locks_prefix(model, version);
        let (began, mut at) = (std::time::Instant::now(), decide::FIRST_CHECK);
        loop {
            let found = match at {
                Check::Locks => self.depot.any_object(&self.bucket, &marks).await?,
                Check::Tombstone { .. } => self.is_retired(model, version).await?,
            };
            at = match decide::check(at, found) {
                Checked::Look(next) => next,
                Checked::Lasts => return Ok(()),
                Checked::Deleted => {
                    return Err(Error::version_retired(model, version));
                }
                Checked::Wait if is_over(began.elapsed(), self.times.cleaning) => {
                    return Err(Error::gc_locked(model, version));
                }
                Checked::Wait => {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    decide::FIRST_CHECK
                }
            };
        }
    }
}

pub(super) fn moment(time: OffsetDateTime) -> Timestamp {
    let seconds = u64::try_from(time.unix_timestamp()).unwrap_or_default();
    Timestamp::from_unix(NoContext, seconds, time.nanosecond())
}

pub(super) fn entry(file: &SourceFile, digests: &Digests) -> FileEntry {
    let parts =
        (!digests.parts.is_empty()).then(|| Parts { size: part_size(digests.size), blake3: digests.parts.clone() });
    FileEntry {
        path: file.path.clone(),
        size: digests.size,
        md5: digests.md5,
        blake3: digests.blake3,
        crc64nvme: digests.crc64,
        executable: file.executable,
        parts,
    }
}

#[cfg(test)]
mod tests;
