//! Publishing files that another program uploads: it sends the parts to the server with presigned URLs.
//!
//! Three steps: begin (take the lease), parts (sent by anyone with the URLs), complete. Every object is read back
//! before the manifest is written, so the manifest describes what is in the bucket, no matter who sent it. Without MD5:
//! the Python pipeline cannot verify such a version.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::ModelStorage;
use super::decide::{self, Begin};
use super::lease::{Acquired, Lease, LeaseRequest};
use super::ownership::mark;
use super::push::base_version::BaseFiles;
use super::push::commit::Job;
use super::push::source::{Source, SourceFile};
use super::push::{Published, Push, moment};
use crate::error::{Error, ErrorKind, Result};
use crate::model::digest::Blake3;
use crate::model::key::{ObjectKey, gc_locks_prefix, version_prefix};
use crate::model::name::{ArtifactPath, ModelName, PublishedBy, Version};
use crate::progress::Progress;
use crate::s3::{Part, Sent, Sink, part_size};
use crate::setters::setters;

/// A version whose files another program uploads: start with [`Offer::new`], and set other fields with their setters.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Offer {
    /// The model.
    pub model: ModelName,
    /// The version. Defaults to the UTC second in which the upload starts, by the server's clock, or the next free
    /// second.
    pub version: Option<Version>,
    /// The files.
    pub files: Vec<OfferedFile>,
    /// The model file. By default [`model_file`](crate::model_file()) chooses it.
    pub main: Option<ArtifactPath>,
    /// The file with the training history.
    pub history: Option<ArtifactPath>,
    /// Metadata of the version: a JSON object. Empty by default.
    pub metadata: Map<String, Value>,
    /// The time of publication. Defaults to the server's time when the manifest is written.
    pub created: Option<OffsetDateTime>,
    /// Name and version of the publishing program, for the manifest: `my-trainer 1.0`. Defaults to this library.
    pub tool: String,
    /// Who publishes, for the manifest; unset by default.
    pub published_by: Option<PublishedBy>,
}

impl Offer {
    /// Publishes `files` as a new version of `model`, without metadata.
    pub fn new(model: ModelName, files: impl IntoIterator<Item = OfferedFile>) -> Offer {
        Offer {
            model,
            version: None,
            files: files.into_iter().collect(),
            main: None,
            history: None,
            metadata: Map::new(),
            created: None,
            tool: concat!("modeldepot ", env!("CARGO_PKG_VERSION")).to_owned(),
            published_by: None,
        }
    }
}

setters!(Offer {
    some version: Version,
    some main: ArtifactPath,
    some history: ArtifactPath,
    value metadata: Map<String, Value>,
    some created: OffsetDateTime,
    into tool: String,
    some published_by: PublishedBy,
});

/// A file to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedFile {
    /// Its path in the version.
    pub path: ArtifactPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its BLAKE3, if the sender knows it.
    pub blake3: Option<Blake3>,
}

setters!(OfferedFile { some blake3: Blake3 });

impl OfferedFile {
    /// A file of `size` bytes, at `path` in the version.
    pub fn new(path: ArtifactPath, size: u64) -> OfferedFile {
        OfferedFile { path, size, blake3: None }
    }

    /// Returns the length of every part but the last.
    pub fn part_size(&self) -> u64 {
        part_size(self.size)
    }

    /// Returns the number of its parts; an empty file has none.
    pub fn parts(&self) -> u64 {
        self.size.div_ceil(self.part_size())
    }

    /// Returns the length of a part, counted from 1, if it exists.
    pub fn part_len(&self, number: u64) -> Option<u64> {
        let offset = number.checked_sub(1)?.checked_mul(self.part_size())?;
        (number <= self.parts()).then(|| self.part_size().min(self.size - offset))
    }
}

/// A leased version whose parts are being sent. End it with [`DirectUpload::abort`], completed or not; `gc` finds one
/// that is dropped.
pub struct DirectUpload {
    storage: ModelStorage,
    push: Push,
    version: Version,
    id: Uuid,
    lease: Lease,
    conditions: bool,
    files: Vec<(OfferedFile, String)>,
    /// Whether completing was attempted and failed, so that an object may still appear.
    unsettled: AtomicBool,
    /// The parts of each file, once all have arrived: completing again must use the same parts.
    ready: OnceCell<Vec<Vec<Part>>>,
    /// Files that were completed and read back.
    made: Mutex<BTreeMap<ArtifactPath, Sent>>,
}

impl std::fmt::Debug for DirectUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DirectUpload({}@{})", self.push.model, self.version)
    }
}

impl ModelStorage {
    /// Takes the lease of a version, and begins an upload for each of its files.
    ///
    /// # Errors
    /// [`Error::VersionExists`], [`Error::VersionBusy`], or [`Error::Other`] of kind [`ErrorKind::Conflict`] when the
    /// version is not free; and as [`Source::from_files`] and [`ModelStorage::check_push`], before anything is sent.
    pub async fn begin_upload(&self, offer: Offer) -> Result<DirectUpload> {
        let push = as_push(&offer)?;
        self.check_push(&push)?;
        let conditions = self.capabilities().await?.create_if_absent;
        let begun_at = self.time_of(&push).await?;
        let mut not_before = begun_at;
        loop {
            let version = match &offer.version {
                Some(version) => version.clone(),
                None => self.free_second(&offer.model, &mut not_before).await?,
            };
            match self.begin_at(&offer, &push, version, begun_at, conditions).await {
                Err(error) if offer.version.is_none() && error.is_taken() => not_before += time::Duration::SECOND,
                result => return result,
            }
        }
    }

    async fn begin_at(
        &self,
        offer: &Offer,
        push: &Push,
        version: Version,
        begun_at: OffsetDateTime,
        conditions: bool,
    ) -> Result<DirectUpload> {
        let model = &offer.model;
        let taken = || Error::VersionExists { model: model.clone(), version: version.clone() };
        if self.standing(model, &version).await?.is_some() {
            return Err(taken());
        }
        let id = Uuid::new_v7(moment(begun_at));
        // The caller is a client of a service and should be answered soon.
        let request =
            LeaseRequest { id, tool: push.pusher(), begun: begun_at, resumed: false, patient: false, conditions };
        let lease = match self.acquire(model, &version, &request).await? {
            Acquired::Alone(lease) => *lease,
            Acquired::Busy { by, since, rank } => {
                return Err(Error::VersionBusy { model: model.clone(), version, by, since, rank });
            }
        };
        let (storage, push) = (self.clone(), push.clone());
        let mut upload = DirectUpload {
            storage,
            push,
            version,
            id,
            lease,
            conditions,
            files: Vec::new(),
            unsettled: false.into(),
            ready: OnceCell::new(),
            made: Mutex::default(),
        };
        match upload.begin(&offer.files).await {
            Ok(()) => Ok(upload),
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }
}

/// Returns the push for an offer.
fn as_push(offer: &Offer) -> Result<Push> {
    let file = |file: &OfferedFile| SourceFile::new(file.path.clone(), PathBuf::new(), file.size);
    let files = offer.files.iter().map(file).collect();
    let source = Source::of(offer.main.as_ref(), offer.history.as_ref(), files)?;
    Ok(Push {
        version: offer.version.clone(),
        metadata: offer.metadata.clone(),
        created: offer.created,
        tool: offer.tool.clone(),
        published_by: offer.published_by.clone(),
        md5: false,
        copies: false,
        ..Push::new(offer.model.clone(), source)
    })
}

impl DirectUpload {
    /// Returns the leased version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns the model.
    pub fn model(&self) -> &ModelName {
        &self.push.model
    }

    /// Returns the files in the order in which they were offered.
    pub fn files(&self) -> impl Iterator<Item = &OfferedFile> {
        self.files.iter().map(|(file, _)| file)
    }

    async fn begin(&mut self, offered: &[OfferedFile]) -> Result<()> {
        let (client, bucket) = (self.storage.depot.clone(), self.storage.bucket.clone());
        let (model, version) = (self.push.model.clone(), self.version.clone());
        // Checked again now that the lease is held: what was seen before may be outdated.
        let (marks, prefix) = (gc_locks_prefix(&model, &version), version_prefix(&model, &version));
        let (standing, there, gc_locked) = tokio::try_join!(
            self.storage.standing(&model, &version),
            client.list_objects(&bucket, &prefix),
            client.any_object(&bucket, &marks),
        )?;
        let paths: BTreeSet<&str> = there.iter().map(|object| &object.key[prefix.len()..]).collect();
        let in_the_way = offered.iter().find(|file| paths.contains(file.path.as_str()));
        match (decide::begin(true, standing.is_some(), in_the_way.is_some(), gc_locked), in_the_way) {
            (Begin::Compare | Begin::Taken, _) => return Err(Error::VersionExists { model, version }),
            (_, Some(file)) => return Err(self.storage.in_the_way(&model, &version, &file.path).await?),
            (Begin::Locked, None) => return Err(Error::gc_locked(&model, &version)),
            // No offered file is in the bucket yet, so none can be overwritten.
            (Begin::Send, None) => self.storage.refuse_leftovers(&self.push, &version, &there, true).await?,
        }
        self.lease.sends();
        let in_parts = offered.iter().filter(|file| file.size > 0).map(|file| file.path.to_string()).collect();
        let announced = self.storage.announce_uploads(&model, &version, self.id, in_parts, BTreeSet::new()).await?;
        for file in offered {
            let key = self.key(&file.path);
            let upload = match file.size {
                0 => String::new(),
                _ => client.begin_parts(&bucket, &key, &mark(self.id, &key)).await?,
            };
            self.files.push((file.clone(), upload));
        }
        if let Some(announced) = announced {
            let begun = self.files.iter().map(|(_, upload)| upload).filter(|upload| !upload.is_empty());
            announced.note(begun.cloned().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    fn key(&self, path: &ArtifactPath) -> String {
        ObjectKey::Artifact(self.push.model.clone(), self.version.clone(), path.clone()).to_string()
    }

    /// Returns a URL that lets its holder store one part of a file, counted from 1, of exactly the length that the part
    /// must have. Sends nothing.
    ///
    /// First check with [`ModelStorage::check_upload_urls`] that such a URL allows nothing else on this server.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`ErrorKind::NotFound`] when the file has no such part, or there is no such file.
    pub async fn part_url(&self, path: &ArtifactPath, number: u64, expires: Duration) -> Result<String> {
        let file = self.files.iter().find(|(file, _)| file.path == *path);
        let part = file.and_then(|(file, upload)| Some((upload, file.part_len(number)?)));
        let (Some((upload, len)), Ok(number)) = (part, i32::try_from(number)) else {
            return Err(Error::no_such_part(path));
        };
        self.storage.depot.part_url(&self.storage.bucket, &self.key(path), upload, number, len, expires).await
    }

    /// Completes the files from their parts, reads each back, and publishes the version. Afterwards end the upload with
    /// [`DirectUpload::abort`], whatever the result, unless it [can be completed later](DirectUpload::is_open_after).
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`ErrorKind::Invalid`] when a part was not sent or has another length, or when a file
    /// differs from what was announced; and the conflicts of [`ModelStorage::push`].
    pub async fn complete(&self) -> Result<Published> {
        let parts = self.ready.get_or_try_init(|| self.parts()).await?;
        let repeated = self.unsettled.swap(true, Ordering::Relaxed);
        let published = self.publish(parts, repeated).await?;
        self.unsettled.store(false, Ordering::Relaxed);
        Ok(published)
    }

    /// Returns true when the upload can still be completed after this failure: no file was completed yet, or the server
    /// was unavailable and repeating finds what was completed.
    pub fn is_open_after(&self, failure: &Error) -> bool {
        !self.unsettled.load(Ordering::Relaxed) || failure.kind() == ErrorKind::Unavailable
    }

    /// Returns the parts of each file, after checking that all exist with the right lengths.
    async fn parts(&self) -> Result<Vec<Vec<Part>>> {
        let mut all = Vec::new();
        for (file, upload) in &self.files {
            let mut found = Vec::new();
            if file.size > 0 {
                let key = self.key(&file.path);
                found = self.storage.depot.stored_parts(&self.storage.bucket, &key, upload).await?;
            }
            let mut parts = Vec::new();
            for number in 1..=file.parts() {
                let expected = file.part_len(number).unwrap_or_default();
                let sent = |part: &Part| u64::try_from(part.number) == Ok(number);
                let other = found.iter().find(|part| sent(part)).map(|part| part.size);
                // Of a part that was sent several times, the newest.
                let good = found.extract_if(.., |part| sent(part) && part.size == expected);
                let Some(part) = good.max_by_key(|part| part.modified) else {
                    return Err(Error::part_missing(&file.path, number, expected, other));
                };
                parts.push(part);
            }
            // Parts with other numbers are not part of the file.
            all.push(parts);
        }
        Ok(all)
    }

    async fn publish(&self, parts: &[Vec<Part>], repeated: bool) -> Result<Published> {
        let (client, bucket) = (&self.storage.depot, &self.storage.bucket);
        let earlier = BaseFiles::default();
        let progress = Progress::none();
        let job = Job {
            storage: &self.storage,
            push: &self.push,
            version: self.version.clone(),
            id: self.id,
            resumed: false,
            lease: &self.lease,
            progress: &progress,
            conditions: self.conditions,
            earlier: &earlier,
        };
        let of_push: BTreeMap<&ArtifactPath, &SourceFile> =
            self.push.source.files().iter().map(|file| (&file.path, file)).collect();
        let mut sent = Vec::new();
        for ((file, upload), parts) in self.files.iter().zip(parts) {
            let Some(source) = of_push.get(&file.path) else { continue };
            let known = self.made().get(&file.path).cloned();
            if let Some(known) = known {
                sent.push((*source, known));
                continue;
            }
            let key = self.key(&file.path);
            let etag = match file.size {
                0 => {
                    let (nothing, media_type) = (bytes::Bytes::new(), "application/octet-stream");
                    client.put_if_absent_with(bucket, &key, nothing, media_type, &mark(self.id, &key)).await?;
                    client.head_object(bucket, &key).await?.etag
                }
                _ => {
                    let own = mark(self.id, &key);
                    let completed =
                        client.complete_parts(bucket, &key, upload, parts, self.conditions, repeated, &own).await;
                    completed.map_err(|error| job.name_the_other(error, &file.path))?
                }
            };
            // A server without conditional writes, `rclone serve s3`, completes an upload with another ETag than it reads.
            let expected = self.conditions.then_some(etag.as_str());
            let digests = client.fetch(bucket, &key, file.size, expected, &Sink::Nothing, &|_| {}).await?;
            if let Some(expected) = file.blake3.filter(|expected| *expected != digests.blake3) {
                return Err(Error::not_as_announced(&file.path, &expected.to_string(), &digests.blake3.to_string()));
            }
            let made = Sent { kept: 0, copied: 0, etag, digests };
            self.made().insert(file.path.clone(), made.clone());
            sent.push((*source, made));
        }
        job.publish_sent(&sent).await
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeMap<ArtifactPath, Sent>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up: frees the parts and the lease. A published version stays.
    pub async fn abort(mut self) {
        let (client, bucket) = (&self.storage.depot, &self.storage.bucket);
        for (file, upload) in self.files.iter().filter(|(_, upload)| !upload.is_empty()) {
            if let Err(error) = client.abort_multipart_upload(bucket, &self.key(&file.path), upload).await {
                tracing::debug!(%error, path = %file.path, "cannot abort an upload");
            }
        }
        let failed = *self.unsettled.get_mut();
        self.storage.settle_uploads(&self.push.model, &self.version, self.id, !failed).await;
        if failed && let Err(error) = self.storage.record_failure(&self.push.model, &self.version, self.id).await {
            tracing::debug!(%error, "cannot record that the upload failed");
        }
        // Without conditional writes, one of our requests that is still on its way could overwrite what the next push
        // sends. The lease is no longer renewed, and keeps others away until it is stale.
        if decide::withdraws(self.conditions, false, self.unsettled.into_inner()) {
            self.storage.withdraw(self.lease).await;
        }
    }
}
