//! The models and versions of the bucket, read through a small cache.
//!
//! Documents are cached for a second. Listings are refreshed every second while they are in use, and served from the
//! cache meanwhile: changes made elsewhere appear after a second plus the time of a listing, changes made through this
//! service at once. Published manifests never change, so their metadata stays cached. All caches are bounded.

pub(crate) mod comparison;
mod facts;
pub(crate) mod listing;
mod watched;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use headers::ETag;
use lru::LruCache;
use modeldepot::history::History;
use modeldepot::{
    Description, Error, ErrorKind, ModelName, ModelStorage, ModelSummary, ObjectKey, Result, Selector, Version,
    VersionSummary,
};

use self::facts::Known;
use self::watched::Watched;

pub(crate) use self::facts::{Fact, Facts};

/// The most descriptions of versions that are cached.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The total size of their manifests in bytes.
const DOCUMENT_BYTES: usize = 8 << 20;

/// The most models whose listings are cached.
const MODELS: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// The most training histories that are cached.
const HISTORIES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The largest training history that is drawn.
const HISTORY_BYTES: u64 = 8 << 20;

/// Up to this many files, a version is listed again to notice missing ones.
const RELISTED: usize = 500;

/// The most manifests that are read at once, for all callers together.
const READS: usize = 16;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Catalog {
    storage: ModelStorage,
    kept: Arc<Kept>,
}

type Of<K, V> = Mutex<LruCache<K, V>>;

/// A training history, and the id of the push it belongs to.
type OfPush = (String, Option<Arc<History>>);

struct Kept {
    models: Arc<Watched<Vec<ModelSummary>>>,
    versions: Of<ModelName, Arc<Watched<Vec<VersionSummary>>>>,
    documents: Of<(ModelName, Version), Arc<Watched<Document>>>,
    histories: Of<(ModelName, Version), OfPush>,
    facts: Mutex<Known>,
    /// Models whose manifests are being read in the background.
    filling: Mutex<HashSet<ModelName>>,
    reads: tokio::sync::Semaphore,
    /// Counts the changes made by this service. Results requested before a change are not cached after it.
    changes: AtomicU64,
}

/// A version's description and its cached answer.
pub(crate) struct Document {
    pub(crate) found: Arc<Description>,
    /// The ETag of its manifest.
    etag: String,
    /// The API's answer, once created.
    pub(crate) answer: OnceLock<(Bytes, ETag)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Catalog {
    pub(crate) fn new(storage: ModelStorage) -> Catalog {
        let kept = Kept {
            models: Arc::default(),
            versions: Mutex::new(LruCache::new(MODELS)),
            documents: Mutex::new(LruCache::new(DOCUMENTS)),
            histories: Mutex::new(LruCache::new(HISTORIES)),
            facts: Mutex::default(),
            filling: Mutex::default(),
            reads: tokio::sync::Semaphore::new(READS),
            changes: AtomicU64::default(),
        };
        Catalog { storage, kept: Arc::new(kept) }
    }

    /// Returns a function that tells whether this service has changed nothing meanwhile.
    fn unchanged(&self) -> impl FnOnce() -> bool + use<> {
        let (kept, before) = (Arc::clone(&self.kept), self.kept.changes.load(Ordering::SeqCst));
        move || kept.changes.load(Ordering::SeqCst) == before
    }

    /// Returns the models with at least one version, by name.
    pub(crate) async fn models(&self) -> Result<Arc<Vec<ModelSummary>>> {
        let storage = self.storage.clone();
        let ask = move || {
            let storage = storage.clone();
            async move { storage.models().await.map(Arc::new) }
        };
        self.listed(&self.kept.models, ask).await
    }

    /// Returns a model's versions in ascending order.
    pub(crate) async fn versions(&self, model: &ModelName) -> Result<Arc<Vec<VersionSummary>>> {
        let watched = Arc::clone(lock(&self.kept.versions).get_or_insert(model.clone(), Arc::default));
        let of = (self.storage.clone(), model.clone());
        let ask = move || {
            let (storage, model) = of.clone();
            async move { storage.versions(&model).await.map(Arc::new) }
        };
        let found = self.listed(&watched, ask).await;
        if found.is_err() {
            lock(&self.kept.versions).pop(model);
        }
        found
    }

    /// Returns a listing, which is then kept fresh in the background: listing may take longer than a caller should
    /// wait.
    async fn listed<T, F>(
        &self,
        watched: &Arc<Watched<T>>,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<Arc<T>>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<Arc<T>>> + Send,
    {
        if let Some(value) = watched.kept() {
            return Ok(value);
        }
        let found = watched.get(|_| ask(), self.unchanged()).await?;
        let catalog = self.clone();
        watched.keep(ask, move || catalog.unchanged());
        Ok(found)
    }

    /// Resolves a version, which may be `latest`.
    pub(crate) async fn resolve(&self, model: &ModelName, version: &str) -> Result<Version> {
        match version {
            "latest" => self.latest(model).await,
            version => Ok(version.parse()?),
        }
    }

    /// Returns a model's latest version.
    pub(crate) async fn latest(&self, model: &ModelName) -> Result<Version> {
        let versions = self.versions(model).await?;
        Ok(versions.last().ok_or_else(|| Error::all_versions_deleted(model))?.version.clone())
    }

    /// Returns the description of a version.
    pub(crate) async fn version(&self, model: &ModelName, version: &Version) -> Result<Arc<Description>> {
        Ok(Arc::clone(&self.document(model, version).await?.found))
    }

    /// Returns the description of a version with its cached answer.
    pub(crate) async fn document(&self, model: &ModelName, version: &Version) -> Result<Arc<Document>> {
        let name = (model.clone(), version.clone());
        let watched = Arc::clone(lock(&self.kept.documents).get_or_insert(name.clone(), Arc::default));
        if let Some(document) = watched.fresh() {
            return Ok(document);
        }
        let found = watched.get(|last| self.look(model, version, last), self.unchanged()).await;
        let mut documents = lock(&self.kept.documents);
        if found.is_err() {
            documents.pop(&name);
        }
        // Few manifests are large, but walking a bucket full of large ones must not fill the memory.
        let weight = |watched: &Watched<Document>| watched.last().map_or(0, |document| document.weight());
        let mut sum: usize = documents.iter().map(|(_, watched)| weight(watched)).sum();
        while sum > DOCUMENT_BYTES && documents.len() > 1 {
            sum -= documents.pop_lru().map_or(0, |(_, watched)| weight(&watched));
        }
        found
    }

    /// Checks whether a version is unchanged, and reads it if not.
    async fn look(&self, model: &ModelName, version: &Version, last: Option<Arc<Document>>) -> Result<Arc<Document>> {
        let (client, bucket) = (self.storage.depot(), self.storage.bucket());
        let manifest = ObjectKey::Manifest(model.clone(), version.clone()).to_string();
        let tombstone = ObjectKey::Tombstone(model.clone(), version.clone()).to_string();
        // Requested before the manifest is read: if it is replaced in between, it is read again.
        let (etag, deleted) = tokio::try_join!(
            async {
                match client.get_object_metadata(bucket, &manifest).await {
                    Ok(found) => Ok(found.etag),
                    Err(Error::ObjectNotFound { .. }) => Ok(String::new()),
                    Err(error) => Err(error),
                }
            },
            client.object_exists(bucket, &tombstone),
        )?;
        // The Python pipeline's manifests list no files, so the version is whatever the bucket holds.
        let same = |last: &Arc<Document>| last.etag == etag && last.found.manifest.files.is_some();
        if let Some(last) = last.filter(|last| !deleted && !etag.is_empty() && same(last)) {
            // Files may have been lost since. Reading the version again shows that; listing the files of a very large
            // one each time would cost too much.
            if last.found.files.len() > RELISTED {
                return Ok(last);
            }
            let damaged = self.storage.look_again(&last.found).await?;
            if damaged == last.found.damaged {
                return Ok(last);
            }
            let mut found = Description::clone(&last.found);
            found.damaged = damaged;
            return Ok(Arc::new(Document { found: Arc::new(found), etag, answer: OnceLock::new() }));
        }
        let selector = Selector::new(model.clone()).version(version.clone());
        let found = Arc::new(self.storage.describe(&selector).await?);
        Ok(Arc::new(Document { found, etag, answer: OnceLock::new() }))
    }

    /// Returns the training history of a version, if one of its files can be read as one.
    pub(crate) async fn history(&self, model: &ModelName, version: &Version) -> Result<Option<Arc<History>>> {
        let found = self.version(model, version).await?;
        let Some(path) = found.history().cloned() else { return Ok(None) };
        if found.file(&path)?.size > HISTORY_BYTES {
            return Ok(None);
        }
        let file = self.storage.open_described(&found, &path)?;
        let identity = found.manifest.write_id.clone().unwrap_or_default();
        let name = (model.clone(), version.clone());
        // Versions published by the Python pipeline have no push id and may be replaced.
        if let Some((of, history)) = lock(&self.kept.histories).get(&name)
            && *of == identity
            && !identity.is_empty()
        {
            return Ok(history.clone());
        }
        let bytes = file.read(|_| {}).await?;
        let parsed = tokio::task::spawn_blocking(move || History::parse(path.file_name(), &bytes)).await;
        let history = match parsed {
            Ok(Ok(history)) => Some(Arc::new(history)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "not a training history");
                None
            }
            Err(_) => None,
        };
        lock(&self.kept.histories).put(name, (identity, history.clone()));
        Ok(history)
    }

    /// Returns the facts of some versions, reading manifests as needed. An unusable manifest has no facts.
    pub(crate) async fn facts(&self, model: &ModelName, versions: &[VersionSummary]) -> Result<Vec<Arc<Facts>>> {
        let read: Vec<_> = versions.iter().map(|version| self.facts_of(model, version)).collect();
        let read: Vec<_> = stream::iter(read).buffered(READS).collect().await;
        read.into_iter().collect()
    }

    async fn facts_of(&self, model: &ModelName, version: &VersionSummary) -> Result<Arc<Facts>> {
        if let Some(known) = lock(&self.kept.facts).get(model, version) {
            return Ok(known);
        }
        let _turn = self.kept.reads.acquire().await;
        if let Some(known) = lock(&self.kept.facts).get(model, version) {
            return Ok(known);
        }
        let metadata = match self.storage.metadata_of(model, &version.version).await {
            Ok(metadata) => metadata.unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Corrupt || error.kind() == ErrorKind::Invalid => {
                tracing::debug!(%error, "cannot read the manifest of a version");
                serde_json::Map::new()
            }
            Err(error) => return Err(error),
        };
        Ok(lock(&self.kept.facts).add(model, version, &metadata))
    }

    /// Returns the facts known so far, and reads the others in the background; waits briefly for them.
    pub(crate) async fn known_facts(
        &self,
        model: &ModelName,
        versions: &Arc<Vec<VersionSummary>>,
        patience: Duration,
    ) -> Vec<Option<Arc<Facts>>> {
        let known = || {
            let mut facts = lock(&self.kept.facts);
            versions.iter().map(|version| facts.get(model, version)).collect::<Vec<_>>()
        };
        let first = known();
        if first.iter().all(Option::is_some) {
            return first;
        }
        let begun = std::time::Instant::now();
        self.fill(model, versions);
        while begun.elapsed() < patience && lock(&self.kept.filling).contains(model) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        known()
    }

    /// Reads the manifests of all versions in the background, latest first, unless this is already running.
    fn fill(&self, model: &ModelName, versions: &Arc<Vec<VersionSummary>>) {
        if !lock(&self.kept.filling).insert(model.clone()) {
            return;
        }
        let (catalog, model, versions) = (self.clone(), model.clone(), Arc::clone(versions));
        tokio::spawn(async move {
            // Collected first: a stream over a borrowing closure would make the whole future not `Send`.
            let read: Vec<_> = versions.iter().rev().map(|version| catalog.facts_of(&model, version)).collect();
            let mut read = stream::iter(read).buffer_unordered(READS);
            while let Some(read) = read.next().await {
                if let Err(error) = read {
                    tracing::warn!(%error, %model, "reading manifests failed");
                    break;
                }
            }
            drop(read);
            lock(&catalog.kept.filling).remove(&model);
        });
    }

    /// Drops what is cached of a model, after this service has published or deleted a version of it.
    pub(crate) fn changed(&self, model: &ModelName) {
        self.kept.changes.fetch_add(1, Ordering::SeqCst);
        self.kept.models.forget();
        if let Some(versions) = lock(&self.kept.versions).peek(model) {
            versions.forget();
        }
        lock(&self.kept.facts).forget(model);
        let mut documents = lock(&self.kept.documents);
        let names: Vec<_> =
            documents.iter().filter(|(name, _)| name.0 == *model).map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| drop(documents.pop(name)));
    }
}

impl Document {
    fn weight(&self) -> usize {
        // In memory a file takes about as much as in the manifest's JSON; the cached answer holds it once more.
        self.found.record().len() * 3 + 1024
    }
}
