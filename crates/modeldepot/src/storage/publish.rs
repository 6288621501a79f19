//! Publishing a version: a claim, every file durable, then the manifest.
//!
//! The order is held by types: [`Uploaded`] is made only by a finished upload under a claim, and only it can be
//! published.
//!
//! Where the server can be trusted with create-if-absent, nothing under a version is ever overwritten, and nothing is
//! deleted before the version's name is spent. So whoever stalls, at whatever step, and wakes after others have moved
//! on, can change nothing: his writes are refused, or they are of what is there. `docs/format.md` has the argument
//! and what remains on servers without conditions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};
use uuid::{NoContext, Timestamp, Uuid};

use super::ModelStorage;
use super::claim::{Claim, Claimant, Claimed};
use super::journal::{Entry, Journal};
use super::source::{Source, SourceFile};
use crate::error::{Error, Result};
use crate::key::{ObjectKey, condemned_prefix, version_prefix};
use crate::manifest::{FORMAT_VERSION, FileEntry, Manifest};
use crate::name::{ArtifactPath, ModelName, Version};
use crate::progress::{Event, Progress};
use crate::s3::{Created, FILES_AT_ONCE, ListedObject, Pending, Sent, UploadOptions, digest_file};
use crate::task::blocking;

/// How long a publication waits for a cleaner to make up its mind about the version.
const CLEANING: std::time::Duration = std::time::Duration::from_secs(10);

/// A version to publish.
#[derive(Debug, Clone)]
pub struct Push {
    /// The model.
    pub model: ModelName,
    /// The version; none takes the UTC second of `created`, or the next free one.
    pub version: Option<Version>,
    /// The files.
    pub source: Source,
    /// What the user says about the version.
    pub metadata: Map<String, Value>,
    /// The time of publication.
    pub created: OffsetDateTime,
    /// The program that publishes, with its version, for the manifest.
    pub tool: String,
    /// A folder of this machine in which to remember the push while it runs. A push that was cut off, by whatever,
    /// then goes on when it is repeated: same version, and only what is missing is sent.
    pub journal: Option<PathBuf>,
}

/// What was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The version's manifest.
    pub manifest: Manifest,
    /// True when the same content was there before, so that nothing was done.
    pub already: bool,
    /// Bytes that the server had already, from a push of the same files that was cut off.
    pub kept: u64,
}

/// A push whose files are all in the bucket. Nothing of it is visible as a version yet.
struct Uploaded {
    manifest: Manifest,
    kept: u64,
}

/// A push under a version that it has claimed.
struct Job<'a> {
    storage: &'a ModelStorage,
    push: &'a Push,
    version: Version,
    id: Uuid,
    /// Whether this goes on with a push that was cut off.
    resumed: bool,
    claim: &'a Claim,
    progress: &'a Progress,
    /// Whether the server decides create-if-absent.
    conditions: bool,
}

impl ModelStorage {
    /// Publishes a version. It exists for others from the moment its manifest does, and then it is complete.
    ///
    /// # Errors
    /// [`Error::Source`] when a file cannot be read or changes meanwhile; [`Error::VersionExists`],
    /// [`Error::VersionSpent`], [`Error::VersionBusy`] or [`Error::Remains`] when the version is not free. After an
    /// error no version is visible that was not before, unless the error is of a reply that was lost.
    pub async fn upload_model(&self, push: Push, progress: &Progress) -> Result<Published> {
        let conditions = self.capabilities().await?.create_if_absent;
        let (mut journal, mut cut_off) = self.journal(&push).await;
        let mut not_before = push.created;
        loop {
            let begun = cut_off.take();
            let resumed = begun.is_some();
            let Entry { version, id } = match (begun, &push.version) {
                (Some(entry), _) => entry,
                (None, Some(version)) => Entry { version: version.clone(), id: Uuid::new_v7(moment(push.created)) },
                (None, None) => {
                    let version = self.free_second(&push.model, &mut not_before).await?;
                    Entry { version, id: Uuid::new_v7(moment(push.created)) }
                }
            };
            if let Some(journal) = &mut journal {
                let entry = Entry { version: version.clone(), id };
                if let Err(error) = journal.write(&entry) {
                    tracing::warn!(%error, "cannot write the journal; if this push is cut off it will begin anew");
                }
            }
            let result = self.attempt(&push, version, id, resumed, conditions, progress).await;
            match result {
                // The second is another's. A later one may be free; contenders spread over the next ones by rank.
                Err(error) if push.version.is_none() && is_taken(&error) => {
                    let rank = if let Error::VersionBusy { rank, .. } = &error { *rank } else { 1 };
                    if !resumed {
                        not_before += Duration::SECOND * rank;
                    }
                }
                result => {
                    // After a failure that may pass, the next attempt goes on from here.
                    if !matches!(&result, Err(Error::Unavailable { .. } | Error::Unreachable { .. }))
                        && let Some(journal) = journal
                    {
                        journal.finish();
                    }
                    return result;
                }
            }
        }
    }

    /// Opens the journal of a push, with what it says of one that was cut off.
    async fn journal(&self, push: &Push) -> (Option<Journal>, Option<Entry>) {
        let Some(folder) = push.journal.clone() else { return (None, None) };
        let what = match (&push.version, push.source.files.iter().find(|file| file.path == push.source.main)) {
            (Some(version), _) => format!("version {version}"),
            (None, Some(main)) => {
                let local = std::fs::canonicalize(&main.local).unwrap_or_else(|_| main.local.clone());
                format!("file {}", local.display())
            }
            (None, None) => return (None, None),
        };
        let subject = format!("{}\n{}\n{}\n{what}", self.client.endpoint(), self.bucket, push.model);
        match blocking(move || Journal::open(&folder, &subject)).await {
            Ok(Some((journal, entry))) => (Some(journal), entry),
            Ok(None) => (None, None),
            // It is a convenience. A push must not fail because nothing can be remembered of it.
            Err(error) => {
                tracing::warn!(%error, "cannot keep a journal; if this push is cut off it will begin anew");
                (None, None)
            }
        }
    }

    /// Pushes to one version.
    async fn attempt(
        &self,
        push: &Push,
        version: Version,
        id: Uuid,
        resumed: bool,
        conditions: bool,
        progress: &Progress,
    ) -> Result<Published> {
        let model = &push.model;
        if (push.version.is_some() || resumed)
            && let Some(theirs) = self.standing(model, &version).await?
        {
            let published = self.compare(push, id, theirs).await?;
            if resumed {
                // The push that was cut off had published, and died before it withdrew its claim.
                let claim = ObjectKey::Claim(model.clone(), version, id).to_string();
                self.client.delete_object(&self.bucket, &claim).await?;
            }
            return Ok(published);
        }
        // Without conditions a request of ours that is still on its way can do harm as long as it may arrive. So a claim
        // under which something was sent is withdrawn only by success; else it stays until it is stale.
        let claimant = Claimant { id, tool: &push.tool, begun: push.created, stays: resumed && !conditions };
        let claim = match self.claim(model, &version, &claimant).await? {
            Claimed::Alone(claim) => claim,
            Claimed::Busy { by, since, rank } => {
                // The other may have been faster than our look at its claim.
                if push.version.is_some()
                    && let Some(theirs) = self.standing(model, &version).await?
                {
                    return self.compare(push, id, theirs).await;
                }
                return Err(Error::VersionBusy { model: model.clone(), version, by, since, rank });
            }
        };
        let job = Job { storage: self, push, version, id, resumed, claim: &claim, progress, conditions };
        let wrote = AtomicBool::new(resumed);
        let result = job.run(&wrote).await;
        if conditions || result.is_ok() || !wrote.into_inner() {
            self.withdraw(claim).await;
        }
        result
    }

    /// Returns the first second from `from` on under which nothing lies in the bucket.
    async fn free_second(&self, model: &ModelName, from: &mut OffsetDateTime) -> Result<Version> {
        loop {
            let version = Version::at(*from);
            let prefix = version_prefix(model, &version);
            let (taken, spent) =
                tokio::try_join!(self.client.any_object(&self.bucket, &prefix), self.is_spent(model, &version))?;
            if !taken && !spent {
                return Ok(version);
            }
            *from += Duration::SECOND;
        }
    }

    /// Returns the manifest that stands at a version.
    async fn standing(&self, model: &ModelName, version: &Version) -> Result<Option<Manifest>> {
        let (manifest, spent) = tokio::try_join!(self.read_manifest(model, version), self.is_spent(model, version))?;
        if spent {
            return Err(Error::VersionSpent { model: model.clone(), version: version.clone() });
        }
        Ok(manifest.map(|(manifest, _)| manifest))
    }

    /// Holds a push against what was published under its version before. Reads the files, sends nothing.
    async fn compare(&self, push: &Push, id: Uuid, theirs: Manifest) -> Result<Published> {
        let mut files = Vec::new();
        for file in &push.source.files {
            let (size, md5, blake3, crc64) = digest_file(&file.local).await?;
            files.push(entry(file, &Sent { size, kept: 0, etag: String::new(), md5, blake3, crc64 }));
        }
        let ours = self.manifest_of(push, theirs.version.clone(), id, files);
        if !ours.same_content(&theirs) {
            return Err(Error::VersionExists { model: push.model.clone(), version: theirs.version });
        }
        self.not_being_removed(&theirs.model_name, &theirs.version).await?;
        Ok(Published { kept: theirs.size().unwrap_or_default(), manifest: theirs, already: true })
    }

    fn manifest_of(&self, push: &Push, version: Version, id: Uuid, files: Vec<FileEntry>) -> Manifest {
        let main = &push.source.main;
        let key = ObjectKey::Artifact(push.model.clone(), version.clone(), main.clone()).to_string();
        Manifest {
            model_url: self.client.object_url(&self.bucket, &key),
            model_file: key,
            checksum: files.iter().find(|file| file.path == *main).and_then(|file| file.md5),
            model_name: push.model.clone(),
            version,
            metadata: push.metadata.clone(),
            created_at: push.created,
            format_version: Some(FORMAT_VERSION),
            files: Some(files),
            write_id: Some(id.to_string()),
            tool: Some(push.tool.clone()),
            manifest_blake3: None,
        }
        .sealed()
    }

    /// Makes sure that a version whose manifest was just seen is there to stay, before anybody is told that it is.
    ///
    /// A cleaner marks a version before it looks for a manifest, spends the name only when there is none, and takes its
    /// mark away last. So when there is a manifest, then no mark, and then no tombstone, every later cleaner will find
    /// the manifest. The marks must be read first: a cleaner may spend the name between the two looks, and be done.
    async fn not_being_removed(&self, model: &ModelName, version: &Version) -> Result<()> {
        let marks = condemned_prefix(model, version);
        let began = std::time::Instant::now();
        loop {
            let condemned = self.client.any_object(&self.bucket, &marks).await?;
            match (condemned, self.is_spent(model, version).await?) {
                (_, true) => return Err(Error::VersionSpent { model: model.clone(), version: version.clone() }),
                (false, false) => return Ok(()),
                (true, false) if began.elapsed() > CLEANING => {
                    return Err(Error::Condemned { model: model.clone(), version: version.clone() });
                }
                (true, false) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
    }
}

/// Returns true for errors that say that a version is not free, whatever one would push.
fn is_taken(error: &Error) -> bool {
    matches!(
        error,
        Error::VersionExists { .. }
            | Error::VersionSpent { .. }
            | Error::VersionBusy { .. }
            | Error::PushedByAnother { .. }
            | Error::Remains { .. }
            | Error::Condemned { .. }
    )
}

impl Job<'_> {
    /// Pushes, and notes in `wrote` when it begins to write under the version.
    async fn run(&self, wrote: &AtomicBool) -> Result<Published> {
        let (storage, push, version) = (self.storage, self.push, &self.version);
        let prefix = version_prefix(&push.model, version);
        let marks = condemned_prefix(&push.model, version);
        // Looked at again now that nobody else may push: what was seen before the claim may be old.
        let (standing, there, condemned) = tokio::try_join!(
            storage.standing(&push.model, version),
            storage.client.list_objects(&storage.bucket, &prefix),
            storage.client.any_object(&storage.bucket, &marks),
        )?;
        let named = push.version.is_some() || self.resumed;
        if !named && (standing.is_some() || !there.is_empty()) {
            // Also of the same content: whoever names no version is to get one of his own.
            return Err(self.taken());
        }
        if let Some(theirs) = standing {
            return storage.compare(push, self.id, theirs).await;
        }
        if condemned {
            return Err(Error::Condemned { model: push.model.clone(), version: version.clone() });
        }
        wrote.store(true, Ordering::Relaxed);
        let uploaded = self.upload(&there, &prefix).await?;
        self.publish(uploaded).await
    }

    fn taken(&self) -> Error {
        Error::VersionExists { model: self.push.model.clone(), version: self.version.clone() }
    }

    /// Stores every file. The parts of the large ones go first, and nobody sees them; objects appear only at the end.
    /// So a push that is cut off mostly leaves nothing in the way of the next one.
    async fn upload(&self, there: &[ListedObject], prefix: &str) -> Result<Uploaded> {
        let (storage, push) = (self.storage, self.push);
        self.progress.send(Event::Planned { files: push.source.files.len(), bytes: push.source.size() });
        let there: BTreeMap<&str, &ListedObject> = there.iter().map(|o| (&o.key[prefix.len()..], o)).collect();
        // Collected first: a stream over a borrowing closure would make the whole future one that stays on its thread.
        let begin: Vec<_> =
            push.source.files.iter().map(|file| self.begin(file, there.contains_key(file.path.as_str()))).collect();
        let begun: Vec<(&SourceFile, Begun)> = stream::iter(begin).buffered(FILES_AT_ONCE).try_collect().await?;
        let finish: Vec<_> = begun.into_iter().map(|(file, begun)| self.finish(file, begun)).collect();
        let sent: Vec<(&SourceFile, Sent)> = stream::iter(finish).buffered(FILES_AT_ONCE).try_collect().await?;
        self.still_ours(prefix, &sent).await?;
        let files = sent.iter().map(|(file, sent)| entry(file, sent)).collect();
        let manifest = storage.manifest_of(push, self.version.clone(), self.id, files);
        Ok(Uploaded { manifest, kept: sent.iter().map(|(_, sent)| sent.kept).sum() })
    }

    fn moved(&self, path: &ArtifactPath, bytes: u64) {
        self.progress.send(Event::Moved { path: path.clone(), bytes });
    }

    fn key(&self, path: &ArtifactPath) -> String {
        ObjectKey::Artifact(self.push.model.clone(), self.version.clone(), path.clone()).to_string()
    }

    /// Sends what nobody sees of a file, or takes what is there.
    async fn begin<'f>(&self, file: &'f SourceFile, there: bool) -> Result<(&'f SourceFile, Begun)> {
        if there && self.conditions {
            return Ok((file, Begun::Done(self.reuse(file).await?)));
        }
        let resume = self.push.journal.is_some();
        let options = UploadOptions { if_absent: self.conditions, resume, ..UploadOptions::default() };
        let (client, key) = (&self.storage.client, self.key(&file.path));
        let moved = |bytes| self.moved(&file.path, bytes);
        let begun = client.begin_file(&file.local, &self.storage.bucket, &key, &options, &moved).await?;
        Ok((file, Begun::Pending(begun)))
    }

    async fn finish<'f>(&self, file: &'f SourceFile, begun: Begun) -> Result<(&'f SourceFile, Sent)> {
        let sent = match begun {
            Begun::Done(sent) => sent,
            Begun::Pending(pending) => {
                let moved = |bytes| self.moved(&file.path, bytes);
                let sent = self.storage.client.finish_file(pending, &moved).await;
                sent.map_err(|error| self.name_the_other(error, &file.path))?
            }
        };
        self.progress.send(Event::Finished { path: file.path.clone() });
        Ok((file, sent))
    }

    /// Takes an object that a push left which was cut off, if it is what would be sent.
    async fn reuse(&self, file: &SourceFile) -> Result<Sent> {
        let (size, md5, blake3, crc64) = digest_file(&file.local).await?;
        let (client, key) = (&self.storage.client, self.key(&file.path));
        let same = client.same_object(&self.storage.bucket, &key, (size, md5, blake3, crc64)).await?;
        let Some(etag) = same else {
            return Err(self.remains(&file.path));
        };
        self.moved(&file.path, size);
        Ok(Sent { size, kept: size, etag, md5, blake3, crc64 })
    }

    fn remains(&self, path: &ArtifactPath) -> Error {
        Error::Remains { model: self.push.model.clone(), version: self.version.clone(), path: path.clone() }
    }

    fn name_the_other(&self, error: Error, path: &ArtifactPath) -> Error {
        match error {
            Error::ObjectExists { .. } => self.pushed_by_another(path),
            error => error,
        }
    }

    fn pushed_by_another(&self, path: &ArtifactPath) -> Error {
        Error::PushedByAnother { model: self.push.model.clone(), version: self.version.clone(), path: path.clone() }
    }

    /// Looks at every object and at the claim again: each object must be as this push left it.
    async fn still_ours(&self, prefix: &str, sent: &[(&SourceFile, Sent)]) -> Result<()> {
        let (storage, push) = (self.storage, self.push);
        let (listed, alone) = tokio::try_join!(
            storage.client.list_objects(&storage.bucket, prefix),
            storage.still_alone(self.claim, &push.model, &self.version, self.conditions),
        )?;
        if !alone {
            return Err(self.pushed_by_another(&push.source.main));
        }
        let found: BTreeMap<&str, _> = listed.iter().map(|o| (&o.key[prefix.len()..], o)).collect();
        for (file, sent) in sent {
            let Some(object) = found.get(file.path.as_str()).filter(|object| object.size == sent.size) else {
                return Err(self.pushed_by_another(&file.path));
            };
            // A server that lists no ETag leaves the size to compare. One that lists another than it answered with, as
            // `rclone serve s3` does, leaves the bytes.
            let digests = (sent.size, sent.md5, sent.blake3, sent.crc64);
            if !object.etag.is_empty()
                && object.etag != sent.etag
                && storage.client.same_object(&storage.bucket, &object.key, digests).await?.is_none()
            {
                return Err(self.pushed_by_another(&file.path));
            }
        }
        Ok(())
    }

    /// Creates the manifest if there is none: the one visible effect of a push.
    async fn publish(&self, uploaded: Uploaded) -> Result<Published> {
        let Uploaded { manifest, kept } = uploaded;
        let (storage, model, version) = (self.storage, &self.push.model, &self.version);
        let (key, body) = (manifest.key().to_string(), manifest.to_json().into());
        let outcome = if self.conditions {
            storage.client.put_if_absent(&storage.bucket, &key, body, "application/json").await
        } else {
            match storage.read_manifest(model, version).await? {
                Some(_) => Ok(Created::Refused),
                None => {
                    let put = storage.client.put_small(&storage.bucket, &key, body, "application/json").await;
                    // Read back whatever the answer: only the bucket knows who wrote last.
                    put.map(|()| Created::Refused)
                }
            }
        };
        let lost = match outcome {
            Ok(Created::Now) => None,
            Ok(Created::Refused) => Some(None),
            // The request may have landed and its reply been lost: only the bucket knows.
            Err(error @ (Error::Unavailable { .. } | Error::Unreachable { .. })) => Some(Some(error)),
            Err(error) => return Err(error),
        };
        if let Some(error) = lost {
            let standing = storage.read_manifest(model, version).await?.map(|(manifest, _)| manifest);
            match (standing, error) {
                // The id alone is not enough: a push that goes on has that of the one that was cut off, whose last
                // request may have landed only now, and with other metadata.
                (Some(theirs), _) if theirs.write_id == manifest.write_id && theirs.same_content(&manifest) => {}
                (Some(theirs), _) if self.push.version.is_some() && theirs.same_content(&manifest) => {
                    storage.not_being_removed(model, version).await?;
                    return Ok(Published { manifest: theirs, already: true, kept });
                }
                (Some(_), _) => return Err(self.taken()),
                (None, Some(error)) => return Err(error),
                // Refused, and nothing there: somebody else is between two steps of his own.
                (None, None) => return Err(self.pushed_by_another(&self.push.source.main)),
            }
        }
        storage.not_being_removed(model, version).await?;
        Ok(Published { manifest, already: false, kept })
    }
}

/// A file of a push: there already, or on its way.
enum Begun {
    Done(Sent),
    Pending(Pending),
}

fn moment(time: OffsetDateTime) -> Timestamp {
    let seconds = u64::try_from(time.unix_timestamp()).unwrap_or_default();
    Timestamp::from_unix(NoContext, seconds, time.nanosecond())
}

fn entry(file: &SourceFile, sent: &Sent) -> FileEntry {
    FileEntry {
        path: file.path.clone(),
        size: sent.size,
        md5: Some(sent.md5),
        blake3: sent.blake3,
        crc64nvme: Some(sent.crc64),
    }
}
