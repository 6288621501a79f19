//! Publishing a version: every file durable first, the manifest last.
//!
//! The order is held by types: [`Uploaded`] is made only by a finished upload, and only it can be published.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};
use uuid::{NoContext, Timestamp, Uuid};

use super::ModelStorage;
use super::source::{Source, SourceFile};
use crate::error::{Error, Result};
use crate::key::{ObjectKey, version_prefix};
use crate::manifest::{FORMAT_VERSION, FileEntry, Manifest};
use crate::name::{ModelName, Version};
use crate::progress::{Event, Progress};
use crate::s3::{Created, FILES_AT_ONCE, Sent, UploadOptions, digest_file};

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
}

/// What was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The version's manifest.
    pub manifest: Manifest,
    /// True when the same content was there before, so that nothing was done.
    pub already: bool,
}

/// A push whose files are all in the bucket. Nothing of it is visible as a version yet.
struct Uploaded {
    manifest: Manifest,
    automatic: bool,
}

impl ModelStorage {
    /// Publishes a version. It exists for others from the moment its manifest does, and then it is complete.
    ///
    /// # Errors
    /// [`Error::Source`] when a file cannot be read or changes meanwhile; [`Error::VersionExists`],
    /// [`Error::VersionSpent`] or [`Error::PushedByAnother`] when the version is not free. Nothing is visible
    /// after an error.
    pub async fn upload_model(&self, push: Push, progress: &Progress) -> Result<Published> {
        let mut not_before = push.created;
        loop {
            let version = match &push.version {
                Some(version) => version.clone(),
                None => self.free_second(&push.model, &mut not_before).await?,
            };
            if push.version.is_some()
                && let Some(theirs) = self.standing(&push.model, &version).await?
            {
                return self.compare(&push, theirs).await;
            }
            let uploaded = self.upload(&push, version, progress).await?;
            match self.publish(uploaded).await {
                // Somebody else took the same second. The next one may be free.
                Err(Error::VersionExists { .. } | Error::VersionSpent { .. } | Error::PushedByAnother { .. })
                    if push.version.is_none() =>
                {
                    not_before += Duration::SECOND;
                }
                result => return result,
            }
        }
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
    async fn compare(&self, push: &Push, theirs: Manifest) -> Result<Published> {
        let entries = stream::iter(&push.source.files).map(async |file| {
            let (size, md5, blake3, crc64) = digest_file(&file.local).await?;
            Ok::<_, Error>(entry(file, &Sent { size, etag: String::new(), md5, blake3, crc64 }))
        });
        let files = entries.buffered(1).try_collect().await?;
        let ours = self.manifest(push, theirs.version.clone(), files);
        if ours.same_content(&theirs) {
            return Ok(Published { manifest: theirs, already: true });
        }
        Err(Error::VersionExists { model: push.model.clone(), version: theirs.version })
    }

    async fn upload(&self, push: &Push, version: Version, progress: &Progress) -> Result<Uploaded> {
        progress.send(Event::Planned { files: push.source.files.len(), bytes: push.source.size() });
        let sent: Vec<(&SourceFile, Sent)> = stream::iter(&push.source.files)
            .map(async |file| {
                let key = ObjectKey::Artifact(push.model.clone(), version.clone(), file.path.clone()).to_string();
                let moved = |bytes| progress.send(Event::Moved { path: file.path.clone(), bytes });
                let options = UploadOptions::default();
                let sent = self.client.send_file(&file.local, &self.bucket, &key, &options, &moved).await?;
                progress.send(Event::Finished { path: file.path.clone() });
                Ok::<_, Error>((file, sent))
            })
            .buffered(FILES_AT_ONCE)
            .try_collect()
            .await?;
        self.still_ours(push, &version, &sent).await?;
        let files = sent.iter().map(|(file, sent)| entry(file, sent)).collect();
        Ok(Uploaded { manifest: self.manifest(push, version, files), automatic: push.version.is_none() })
    }

    /// Looks at every object again: size and ETag must be as this push left them, else somebody else writes here.
    async fn still_ours(&self, push: &Push, version: &Version, sent: &[(&SourceFile, Sent)]) -> Result<()> {
        let prefix = version_prefix(&push.model, version);
        let listed = self.client.list_objects(&self.bucket, &prefix).await?;
        let found: BTreeMap<&str, _> = listed.iter().map(|o| (&o.key[prefix.len()..], o)).collect();
        for (file, sent) in sent {
            let same = found.get(file.path.as_str()).is_some_and(|object| {
                // A server that lists no ETag leaves the size to compare.
                object.size == sent.size && (object.etag.is_empty() || object.etag == sent.etag)
            });
            if !same {
                let (model, version) = (push.model.clone(), version.clone());
                return Err(Error::PushedByAnother { model, version, path: file.path.clone() });
            }
        }
        Ok(())
    }

    fn manifest(&self, push: &Push, version: Version, files: Vec<FileEntry>) -> Manifest {
        let main = &push.source.main;
        let key = ObjectKey::Artifact(push.model.clone(), version.clone(), main.clone()).to_string();
        let seconds = u64::try_from(push.created.unix_timestamp()).unwrap_or_default();
        let moment = Timestamp::from_unix(NoContext, seconds, push.created.nanosecond());
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
            write_id: Some(Uuid::new_v7(moment).to_string()),
            tool: Some(push.tool.clone()),
        }
    }

    /// Creates the manifest if there is none: the one visible effect of a push.
    async fn publish(&self, uploaded: Uploaded) -> Result<Published> {
        let Uploaded { manifest, automatic } = uploaded;
        let (model, version) = (manifest.model_name.clone(), manifest.version.clone());
        let key = manifest.key().to_string();
        let body = manifest.to_json().into();
        let outcome = self.client.put_if_absent(&self.bucket, &key, body, "application/json").await;
        let lost = match outcome {
            Ok(Created::Now) => None,
            Ok(Created::Refused) => Some(None),
            // The request may have landed and its reply been lost: only the bucket knows.
            Err(error @ (Error::Unavailable { .. } | Error::Unreachable { .. })) => Some(Some(error)),
            Err(error) => return Err(error),
        };
        if let Some(error) = lost {
            let standing = self.read_manifest(&model, &version).await?.map(|(manifest, _)| manifest);
            match (standing, error) {
                (Some(theirs), _) if theirs.write_id == manifest.write_id => {}
                (Some(theirs), _) if !automatic && theirs.same_content(&manifest) => {
                    return Ok(Published { manifest: theirs, already: true });
                }
                (Some(_), _) => return Err(Error::VersionExists { model, version }),
                (None, Some(error)) => return Err(error),
                // Refused, and nothing there: somebody else is between two steps of his own.
                (None, None) => {
                    let path = manifest.main().map_err(|source| Error::Manifest { key, source })?;
                    return Err(Error::PushedByAnother { model, version, path });
                }
            }
        }
        // A delete of an earlier publication may have come in between, and spent wins.
        if self.is_spent(&model, &version).await? {
            return Err(Error::VersionSpent { model, version });
        }
        Ok(Published { manifest, already: false })
    }
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
