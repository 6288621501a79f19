//! One push under a version that it has claimed: every file durable, then the manifest.
//!
//! [`Uploaded`] is made only by a finished upload under a claim, and only it can be published.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::ModelStorage;
use super::check::read_back;
use super::claim::Claim;
use super::earlier::EarlierFiles;
use super::publish::{Published, Push, entry};
use super::source::SourceFile;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, condemned_prefix, version_prefix};
use crate::manifest::Manifest;
use crate::name::{ArtifactPath, Version};
use crate::progress::Event;
use crate::progress::Progress;
use crate::s3::{Created, FILES_AT_ONCE, ListedObject, Pending, Sent, Upload, UploadOptions, digest_file};

/// A push whose files are all in the bucket. Nothing of it is visible as a version yet.
struct Uploaded {
    manifest: Manifest,
    kept: u64,
    copied: u64,
}

/// A push under a version that it has claimed.
pub(super) struct Job<'a> {
    pub(super) storage: &'a ModelStorage,
    pub(super) push: &'a Push,
    pub(super) version: Version,
    pub(super) id: Uuid,
    /// Whether this goes on with a push that was cut off.
    pub(super) resumed: bool,
    pub(super) claim: &'a Claim,
    pub(super) progress: &'a Progress,
    /// Whether the server decides create-if-absent.
    pub(super) conditions: bool,
    /// Files of earlier versions that parts may be copied from.
    pub(super) earlier: &'a EarlierFiles,
}

impl Job<'_> {
    /// Pushes, and notes in `wrote` when it begins to write under the version.
    pub(super) async fn run(&self, wrote: &AtomicBool) -> Result<Published> {
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
        let push = self.push;
        self.progress.send(Event::Planned { files: push.source.files().len(), bytes: push.source.size() });
        let there: BTreeMap<&str, &ListedObject> = there.iter().map(|o| (&o.key[prefix.len()..], o)).collect();
        // Collected first: a stream over a borrowing closure would make the whole future one that stays on its thread.
        let begin: Vec<_> =
            push.source.files().iter().map(|file| self.begin(file, there.contains_key(file.path.as_str()))).collect();
        let begun: Vec<(&SourceFile, Begun)> = stream::iter(begin).buffered(FILES_AT_ONCE).try_collect().await?;
        let finish: Vec<_> = begun.into_iter().map(|(file, begun)| self.finish(file, begun)).collect();
        let sent: Vec<(&SourceFile, Sent)> = stream::iter(finish).buffered(FILES_AT_ONCE).try_collect().await?;
        self.uploaded(prefix, &sent).await
    }

    /// Publishes what somebody has sent under this claim.
    pub(super) async fn publish_sent(&self, sent: &[(&SourceFile, Sent)]) -> Result<Published> {
        let uploaded = self.uploaded(&version_prefix(&self.push.model, &self.version), sent).await?;
        self.publish(uploaded).await
    }

    /// Makes sure that every file is in the bucket as it was sent.
    async fn uploaded(&self, prefix: &str, sent: &[(&SourceFile, Sent)]) -> Result<Uploaded> {
        let (storage, push) = (self.storage, self.push);
        self.still_ours(prefix, sent).await?;
        let files = sent.iter().map(|(file, sent)| entry(file, &sent.digests)).collect();
        // The listing was just answered: its time is the server's now.
        let created = storage.time_of(push).await?;
        let manifest = storage.manifest_of(push, self.version.clone(), self.id, files, created);
        let (kept, copied) =
            sent.iter().fold((0, 0), |(kept, copied), (_, sent)| (kept + sent.kept, copied + sent.copied));
        Ok(Uploaded { manifest, kept, copied })
    }

    fn moved(&self, path: &ArtifactPath, bytes: u64) {
        self.progress.send(Event::Moved { path: path.clone(), bytes });
    }

    fn key(&self, path: &ArtifactPath) -> String {
        ObjectKey::Artifact(self.push.model.clone(), self.version.clone(), path.clone()).to_string()
    }

    /// Sends what nobody sees of a file, or takes what is there.
    async fn begin<'f>(&self, file: &'f SourceFile, there: bool) -> Result<(&'f SourceFile, Begun)> {
        self.progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
        if there && self.conditions {
            return Ok((file, Begun::Done(self.reuse(file).await?)));
        }
        let options = UploadOptions {
            if_absent: self.conditions,
            resume: self.push.journal.is_some(),
            without_md5: !self.push.md5,
            ..UploadOptions::default()
        };
        let upload = Upload {
            path: file.local.clone(),
            size: file.size,
            bucket: self.storage.bucket.clone(),
            key: self.key(&file.path),
            options,
            earlier: self.earlier.get(&file.path).cloned().unwrap_or_default(),
        };
        let moved = |bytes| self.moved(&file.path, bytes);
        let begun = self.storage.client.begin_file(upload, &moved).await?;
        Ok((file, Begun::Pending(Box::new(begun))))
    }

    async fn finish<'f>(&self, file: &'f SourceFile, begun: Begun) -> Result<(&'f SourceFile, Sent)> {
        let sent = match begun {
            Begun::Done(sent) => sent,
            Begun::Pending(pending) => {
                let moved = |bytes| self.moved(&file.path, bytes);
                let sent = self.storage.client.finish_file(*pending, &moved).await;
                sent.map_err(|error| self.name_the_other(error, &file.path))?
            }
        };
        self.progress.send(Event::Finished { path: file.path.clone() });
        Ok((file, sent))
    }

    /// Takes an object that a push left which was cut off, if it is what would be sent.
    async fn reuse(&self, file: &SourceFile) -> Result<Sent> {
        let digests = digest_file(&file.local, self.push.md5).await?;
        let same = self.storage.client.same_object(&self.storage.bucket, &self.key(&file.path), &digests).await?;
        let Some(etag) = same else {
            return Err(self.remains(&file.path));
        };
        self.moved(&file.path, digests.size);
        Ok(Sent { kept: digests.size, copied: 0, etag, digests })
    }

    fn remains(&self, path: &ArtifactPath) -> Error {
        Error::Remains { model: self.push.model.clone(), version: self.version.clone(), path: path.clone() }
    }

    pub(super) fn name_the_other(&self, error: Error, path: &ArtifactPath) -> Error {
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
            return Err(self.pushed_by_another(push.source.main()));
        }
        let found: BTreeMap<&str, _> = listed.iter().map(|o| (&o.key[prefix.len()..], o)).collect();
        for (SourceFile { path, .. }, sent) in sent {
            let Some(object) = found.get(path.as_str()).filter(|object| object.size == sent.digests.size) else {
                return Err(self.pushed_by_another(path));
            };
            // A server that lists no ETag leaves the size to compare. One that lists another than it answered with, as
            // `rclone serve s3` does, leaves the bytes.
            if !object.etag.is_empty()
                && object.etag != sent.etag
                && storage.client.same_object(&storage.bucket, &object.key, &sent.digests).await?.is_none()
            {
                return Err(self.pushed_by_another(path));
            }
        }
        Ok(())
    }

    /// Creates the manifest if there is none: the one visible effect of a push.
    async fn publish(&self, uploaded: Uploaded) -> Result<Published> {
        let Uploaded { manifest, kept, copied } = uploaded;
        let (storage, model, version) = (self.storage, &self.push.model, &self.version);
        let (key, body) = (manifest.key().to_string(), read_back(&manifest)?.into());
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
                    return Ok(Published::of(theirs, true, kept, copied));
                }
                (Some(_), _) => return Err(self.taken()),
                (None, Some(error)) => return Err(error),
                // Refused, and nothing there: somebody else is between two steps of his own.
                (None, None) => return Err(self.pushed_by_another(self.push.source.main())),
            }
        }
        storage.not_being_removed(model, version).await?;
        Ok(Published::of(manifest, false, kept, copied))
    }
}

/// A file of a push: there already, or on its way.
enum Begun {
    Done(Sent),
    Pending(Box<Pending>),
}
