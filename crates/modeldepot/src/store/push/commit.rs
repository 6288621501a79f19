//! One push of a version whose lease it holds: store every file durably, then write the manifest.
//!
//! Only a finished upload under a lease makes an [`Uploaded`], and only an [`Uploaded`] can be published.

mod listed;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use self::listed::{AsSent, Compared};
use super::base_version::BaseFiles;
use super::source::SourceFile;
use super::validate::read_back;
use crate::error::{Error, Mark, Result};
use crate::model::key::{ObjectKey, gc_locks_prefix, version_prefix};
use crate::model::manifest::Manifest;
use crate::model::name::{ArtifactPath, Version};
use crate::progress::Event;
use crate::progress::Progress;
use crate::s3::{Created, ListedObject, OwnUploads, Pending, Sent, Upload, UploadOptions, files_at_once, part_size};
use crate::store::ModelStorage;
use crate::store::decide::{self, Begin, Count, ReadBack, Standing, Write};
use crate::store::lease::{Lease, Read};
use crate::store::ownership::{Foreign, mark};
use crate::store::push::{Published, Push, entry};
use crate::store::times::pause;
use crate::store::upload_records::Announced;

/// How many times the manifest is sent again when the server is unavailable and nothing was stored.
const CREATES: u32 = 6;

/// A push whose files are all in the bucket, but not yet visible as a version.
struct Uploaded {
    manifest: Manifest,
    kept: u64,
    copied: u64,
    /// Foreign objects under the version's prefix.
    foreign: Foreign,
}

/// A push of a version whose lease it holds.
pub(in crate::store) struct Job<'a> {
    pub(in crate::store) storage: &'a ModelStorage,
    pub(in crate::store) push: &'a Push,
    pub(in crate::store) version: Version,
    pub(in crate::store) id: Uuid,
    /// Whether this resumes an interrupted push.
    pub(in crate::store) resumed: bool,
    pub(in crate::store) lease: &'a Lease,
    pub(in crate::store) progress: &'a Progress,
    /// Whether the server supports create-if-absent.
    pub(in crate::store) conditions: bool,
    /// Files of earlier versions from which parts may be copied.
    pub(in crate::store) earlier: &'a BaseFiles,
}

impl Job<'_> {
    /// Pushes, and sets `wrote` before it writes under the version.
    pub(in crate::store) async fn run(&self, wrote: &AtomicBool) -> Result<Published> {
        let (storage, push, version) = (self.storage, self.push, &self.version);
        let prefix = version_prefix(&push.model, version);
        let marks = gc_locks_prefix(&push.model, version);
        // Checked again now that the lease is held: what was seen before may be outdated.
        let (standing, there, gc_locked) = tokio::try_join!(
            storage.standing(&push.model, version),
            storage.depot.list_objects(&storage.bucket, &prefix),
            storage.depot.any_object(&storage.bucket, &marks),
        )?;
        let named = push.version.is_some() || self.resumed;
        let begin = decide::begin(named, standing.is_some(), !there.is_empty(), gc_locked);
        match (begin, standing) {
            (Begin::Compare, Some(theirs)) => return storage.compare(push, self.id, theirs).await,
            (Begin::Compare | Begin::Taken, _) => return Err(self.taken()),
            (Begin::Locked, _) => {
                return Err(Error::gc_locked(&push.model, version));
            }
            (Begin::Send, _) => storage.refuse_leftovers(push, version, &there, self.conditions).await?,
        }
        self.lease.sends();
        wrote.store(decide::may_have_sent(self.resumed, Some(begin)), Ordering::Relaxed);
        let uploaded = Box::pin(self.upload(&there, &prefix)).await?;
        self.publish(uploaded).await
    }

    fn taken(&self) -> Error {
        Error::VersionExists { model: self.push.model.clone(), version: self.version.clone() }
    }

    /// Stores every file. The parts of large files go first and are invisible; objects appear only at the end. An
    /// interrupted push therefore rarely leaves anything in the way of the next one.
    async fn upload(&self, there: &[ListedObject], prefix: &str) -> Result<Uploaded> {
        let push = self.push;
        self.progress.send(Event::Planned { files: push.source.files().len(), bytes: push.source.size() });
        let there: BTreeMap<&str, &ListedObject> = there.iter().map(|o| (&o.key[prefix.len()..], o)).collect();
        let announced = self.announce().await?;
        let own = match &announced {
            Some(announced) => Some(announced.own().await),
            None => None,
        };
        let files = push.source.files();
        // Existing objects decide whether the push can succeed at all, so they are handled before anything is sent.
        let (known, new): (Vec<usize>, Vec<usize>) =
            (0..files.len()).partition(|at| there.contains_key(files[*at].path.as_str()));
        let mut begun: BTreeMap<usize, Begun> = BTreeMap::new();
        for (group, there) in [(known, true), (new, false)] {
            // Boxed as its turn comes: creating the futures of all files at once would take kilobytes for each.
            let begin = stream::iter(group).map(|at| {
                let own = own.clone();
                async move { Ok::<_, Error>((at, self.begin(&files[at], there, own).await?)) }.boxed()
            });
            let mut begin = begin.buffer_unordered(files_at_once());
            while let Some((at, one)) = begin.try_next().await? {
                begun.insert(at, one);
            }
        }
        let finish = stream::iter(begun).map(|(at, begun)| async move { self.finish(&files[at], begun).await }.boxed());
        let sent: Vec<Sent> = finish.buffered(files_at_once()).try_collect().await?;
        let sent: Vec<(&SourceFile, Sent)> = files.iter().zip(sent).collect();
        self.uploaded(prefix, &sent).await
    }

    /// Records which files are uploaded in parts, with the uploads that an earlier run of this push began.
    async fn announce(&self) -> Result<Option<Announced>> {
        let (storage, model, version) = (self.storage, &self.push.model, &self.version);
        let large = self.push.source.files().iter().filter(|file| file.size > part_size(file.size));
        let mut paths: BTreeSet<String> = large.map(|file| file.path.to_string()).collect();
        if paths.is_empty() {
            return Ok(None);
        }
        let mut uploads = BTreeSet::new();
        if self.resumed {
            let record = ObjectKey::Uploads(model.clone(), version.clone(), self.id).to_string();
            let earlier = storage.announced_uploads(&record).await?;
            paths.extend(earlier.paths);
            uploads = earlier.uploads;
        }
        storage.announce_uploads(model, version, self.id, paths, uploads).await
    }

    /// Publishes files that were sent under this lease.
    pub(in crate::store) async fn publish_sent(&self, sent: &[(&SourceFile, Sent)]) -> Result<Published> {
        let uploaded = self.uploaded(&version_prefix(&self.push.model, &self.version), sent).await?;
        self.publish(uploaded).await
    }

    /// Makes sure that every file is in the bucket as it was sent.
    async fn uploaded(&self, prefix: &str, sent: &[(&SourceFile, Sent)]) -> Result<Uploaded> {
        let (storage, push) = (self.storage, self.push);
        let foreign = self.foreign(prefix, self.still_ours(prefix, sent).await?).await?;
        let files = sent.iter().map(|(file, sent)| entry(file, &sent.digests)).collect();
        // The listing was just answered, so the server's clock is current.
        let created = storage.time_of(push).await?;
        let manifest = storage.manifest_of(push, self.version.clone(), self.id, files, Some(created));
        let (kept, copied) =
            sent.iter().fold((0, 0), |(kept, copied), (_, sent)| (kept + sent.kept, copied + sent.copied));
        Ok(Uploaded { manifest, kept, copied, foreign })
    }

    /// Returns the foreign ones among the objects beside the version's files. Stores a record that such objects exist,
    /// for readers that count the version's files in a listing.
    async fn foreign(&self, prefix: &str, besides: Vec<ListedObject>) -> Result<Foreign> {
        if besides.is_empty() {
            return Ok(Foreign::default());
        }
        let all = besides.len();
        let (_, foreign) = self.storage.divide_some(besides).await?;
        let record = ObjectKey::ForeignObjects(self.push.model.clone(), self.version.clone()).to_string();
        let body = format!("{{\"objects\": {all}}}\n");
        self.storage.depot.put_small(&self.storage.bucket, &record, body.into(), "application/json").await?;
        Ok(Foreign::of(prefix, &foreign))
    }

    fn moved(&self, path: &ArtifactPath, bytes: u64) {
        self.progress.send(Event::Moved { path: path.clone(), bytes });
    }

    fn key(&self, path: &ArtifactPath) -> String {
        ObjectKey::Artifact(self.push.model.clone(), self.version.clone(), path.clone()).to_string()
    }

    /// Sends the data of a file without making it visible, or takes the object that already exists.
    async fn begin(&self, file: &SourceFile, there: bool, own: Option<OwnUploads>) -> Result<Begun> {
        self.progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
        let key = self.key(&file.path);
        // Without conditional writes, orphans are overwritten; another tool's object never is.
        if decide::reuses(self.conditions, there) || there && !self.storage.is_own(&key).await? {
            return Ok(Begun::Done(self.reuse(file).await?));
        }
        let options = UploadOptions {
            metadata: mark(self.id, &key),
            if_absent: self.conditions,
            resume: own.as_ref().is_some_and(|own| !own.known.is_empty()),
            keep_parts: self.push.state_folder.is_some(),
            without_md5: !self.push.md5,
            ..UploadOptions::default()
        };
        let upload = Upload {
            path: file.local.clone(),
            size: file.size,
            stamp: file.stamp,
            bucket: self.storage.bucket.clone(),
            key,
            options,
            earlier: self.earlier.get(&file.path).cloned().unwrap_or_default(),
            record: own,
        };
        let moved = |bytes| self.moved(&file.path, bytes);
        let begun = self.storage.depot.begin_file(upload, &moved).await?;
        Ok(Begun::Pending(Box::new(begun)))
    }

    async fn finish(&self, file: &SourceFile, begun: Begun) -> Result<Sent> {
        let sent = match begun {
            Begun::Done(sent) => sent,
            Begun::Pending(pending) => {
                let moved = |bytes| self.moved(&file.path, bytes);
                let sent = self.storage.depot.finish_file(*pending, &moved).await;
                sent.map_err(|error| self.name_the_other(error, &file.path))?
            }
        };
        self.progress.send(Event::Finished { path: file.path.clone() });
        Ok(sent)
    }

    /// Takes an object of an interrupted push if it has the content of this file.
    async fn reuse(&self, file: &SourceFile) -> Result<Sent> {
        let digests = self.storage.depot.digest_file(&file.local, file.stamp, self.push.md5).await?;
        let same = self.storage.depot.same_object(&self.storage.bucket, &self.key(&file.path), &digests).await?;
        let Some(etag) = same else {
            return Err(self.storage.in_the_way(&self.push.model, &self.version, &file.path).await?);
        };
        self.moved(&file.path, digests.size);
        Ok(Sent { kept: digests.size, copied: 0, etag, digests })
    }

    pub(in crate::store) fn name_the_other(&self, error: Error, path: &ArtifactPath) -> Error {
        match error.mark() {
            Mark::ObjectExists => self.pushed_by_another(path),
            _ => error,
        }
    }

    fn pushed_by_another(&self, path: &ArtifactPath) -> Error {
        Error::pushed_by_another(&self.push.model, &self.version, path)
    }

    /// Checks every object and the lease again: each object must be as this push left it. Without conditional writes
    /// the objects are listed before the lease is checked, so that nobody else held the version at that time. Returns
    /// the other objects under the version.
    async fn still_ours(&self, prefix: &str, sent: &[(&SourceFile, Sent)]) -> Result<Vec<ListedObject>> {
        let (storage, push) = (self.storage, self.push);
        let (began, mut read) = (std::time::Instant::now(), Read::default());
        let listed = loop {
            let objects = storage.depot.list_objects(&storage.bucket, prefix);
            let waited = (began, &mut read);
            let count = storage.count(self.lease, &push.model, &self.version, self.conditions, waited);
            let (listed, count) = match self.conditions {
                true => tokio::try_join!(objects, count)?,
                false => (objects.await?, count.await?),
            };
            match count {
                Count::Publish => break listed,
                Count::Wait => pause(began.elapsed()).await,
                Count::Fail => return Err(self.pushed_by_another(push.source.main())),
            }
        };
        let files = sent.iter().map(|(file, sent)| AsSent {
            path: file.path.as_str(),
            size: sent.digests.size,
            etag: &sent.etag,
        });
        let compared = Compared::of(prefix, listed, files);
        if let Some(at) = compared.changed.first() {
            return Err(self.pushed_by_another(&sent[*at].0.path));
        }
        for at in compared.unclear {
            let (SourceFile { path, .. }, sent) = &sent[at];
            if storage.depot.same_object(&storage.bucket, &self.key(path), &sent.digests).await?.is_none() {
                return Err(self.pushed_by_another(path));
            }
        }
        Ok(compared.besides)
    }

    /// Creates the manifest if there is none: the only visible effect of a push.
    async fn publish(&self, uploaded: Uploaded) -> Result<Published> {
        let Uploaded { manifest, kept, copied, foreign } = uploaded;
        let (storage, model, version) = (self.storage, &self.push.model, &self.version);
        let (key, body) = (manifest.key().to_string(), bytes::Bytes::from(read_back(&manifest)?));
        let mark = mark(self.id, &key);
        let mut attempt = 0;
        loop {
            let published = !self.conditions && storage.read_manifest(model, version).await?.is_some();
            let outcome = match decide::write(self.conditions, published) {
                Write::Create => {
                    storage
                        .depot
                        .put_if_absent_with(&storage.bucket, &key, body.clone(), "application/json", &mark)
                        .await
                }
                Write::Nothing => Ok(Created::Refused),
                Write::Put => {
                    let put = storage
                        .depot
                        .put_small_with(&storage.bucket, &key, body.clone(), "application/json", &mark)
                        .await;
                    // Read it back whatever the answer: only the bucket shows who wrote last.
                    put.map(|()| Created::Refused)
                }
            };
            let error = match outcome {
                Ok(Created::Now) => break,
                Ok(Created::Refused) => None,
                // The request may have succeeded and its reply been lost: only the bucket shows which.
                Err(error) if error.may_pass() => Some(error),
                Err(error) => return Err(error),
            };
            let standing = storage.read_manifest(model, version).await?.map(|(manifest, _)| manifest);
            let held = standing.as_ref().map(|theirs| Standing {
                own: theirs.write_id == manifest.write_id,
                same: theirs.same_content(&manifest),
            });
            match (decide::read_back(held, self.push.version.is_some()), standing, error) {
                (ReadBack::Published, ..) => break,
                (ReadBack::Already, Some(theirs), _) => {
                    storage.not_being_removed(model, version).await?;
                    return Ok(Published { foreign, ..Published::of(theirs, true, kept, copied) });
                }
                (ReadBack::Already | ReadBack::Taken, ..) => return Err(self.taken()),
                // Nothing was stored. Sending again is safe: the manifest is read back, and names its push.
                (ReadBack::Nothing, _, Some(error))
                    if decide::creates_again(
                        self.conditions,
                        *error.mark() == Mark::Unavailable,
                        attempt < CREATES,
                    ) =>
                {
                    tokio::time::sleep(storage.times.before_creating_again(attempt)).await;
                    attempt += 1;
                }
                (ReadBack::Nothing, _, Some(error)) => return Err(error),
                // Refused although there is no manifest: another push is between two of its steps.
                (ReadBack::Nothing, _, None) => return Err(self.pushed_by_another(self.push.source.main())),
            }
        }
        storage.not_being_removed(model, version).await?;
        Ok(Published { foreign, ..Published::of(manifest, false, kept, copied) })
    }
}

/// A file of a push: already stored, or still to be completed.
enum Begun {
    Done(Sent),
    Pending(Box<Pending>),
}
