//! The work of verbs that take more than one call of the library. None of it touches Python.

use std::path::{Path, PathBuf};

use modeldepot::history::History;
use modeldepot::s3::{ObjectMetadata, UploadOptions};
use modeldepot::{
    ArtifactPath, BucketName, Change, ModelName, ModelStorage, Published, PublishedBy, Pull, Push, Result, Scan,
    Source, SourceError, Version,
};
use serde_json::{Map, Value};

use crate::progress::Meter;

/// Returns the default folder for a model. Each model has its own, because their files have the same names.
pub(crate) fn downloaded(model: &ModelName) -> PathBuf {
    Path::new("./models/downloaded").join(model.as_str())
}

/// A version to publish.
pub(crate) struct Upload {
    pub(crate) model: ModelName,
    pub(crate) version: Option<Version>,
    pub(crate) scan: Scan,
    /// A name for the model file that replaces its own.
    pub(crate) file_name: Option<ArtifactPath>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) published_by: Option<PublishedBy>,
    pub(crate) resume: bool,
    pub(crate) md5: bool,
    pub(crate) copy: bool,
}

impl Upload {
    /// Publishes it, and also returns notes on its training history.
    pub(crate) async fn run(self, storage: ModelStorage, meter: Meter) -> Result<(Published, Vec<String>)> {
        let Upload { model, version, scan, file_name, metadata, published_by, resume, md5, copy } = self;
        // In a separate thread, so that scanning a large folder on a slow disk does not delay Ctrl-C.
        let read = tokio::task::spawn_blocking(move || -> Result<_> {
            let mut source = renamed(Source::scan(&scan)?, file_name)?;
            let mut notes = Vec::new();
            let history = source.read_history(&mut notes)?;
            let mut merged = history.as_ref().map(History::metadata).unwrap_or_default();
            merged.extend(metadata);
            Ok((source, merged, notes))
        });
        let (source, metadata, mut notes) =
            read.await.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))?;
        let tool = concat!("modeldepot-python ", env!("CARGO_PKG_VERSION"));
        let mut push = Push::new(model, source).metadata(metadata).tool(tool).md5(md5).copies(copy);
        (push.version, push.published_by) = (version, published_by);
        push.state_folder = modeldepot_cli::state_folder().filter(|_| resume);
        let published = storage.push(push, &meter.progress()).await?;
        notes.extend(published.warnings());
        Ok((published, notes))
    }
}

/// Renames the model file.
fn renamed(source: Source, name: Option<ArtifactPath>) -> Result<Source> {
    let Some(name) = name.filter(|name| name != source.main()) else { return Ok(source) };
    let local =
        |path: &ArtifactPath| source.files().iter().find(|file| file.path == *path).map(|file| file.local.clone());
    if let (Some(second), Some(first)) = (local(&name), local(source.main())) {
        return Err(SourceError::Twice { path: name, first, second }.into());
    }
    source.with_main_at(name)
}

/// Fetches a version and returns the path of its model file.
pub(crate) async fn download(storage: ModelStorage, pull: Pull, meter: Meter) -> Result<PathBuf> {
    Ok(storage.pull(&pull, &meter.progress()).await?.model_path)
}

/// Stores a file under a key; by default the file's name.
pub(crate) async fn store(
    storage: ModelStorage,
    path: PathBuf,
    bucket: BucketName,
    key: Option<String>,
    options: UploadOptions,
    force: bool,
    meter: Meter,
) -> Result<ObjectMetadata> {
    let key = match key {
        Some(key) => key,
        None => {
            let name = path.file_name().unwrap_or_default().to_str();
            name.ok_or_else(|| SourceError::NotUtf8 { path: path.clone() })?.to_owned()
        }
    };
    if !force {
        storage.refuse_change(&bucket, &key, Change::Store).await?;
    }
    // If the file cannot be read, the upload reports it.
    meter.plan(path.metadata().map_or(0, |found| found.len()));
    storage.client().upload_file(&path, &bucket, &key, &options, |bytes| meter.moved(bytes)).await
}

/// Fetches an object into a file.
pub(crate) async fn fetch(
    storage: ModelStorage,
    bucket: BucketName,
    key: String,
    path: PathBuf,
    watched: bool,
    meter: Meter,
) -> Result<PathBuf> {
    if watched {
        meter.plan(storage.client().get_object_metadata(&bucket, &key).await?.size);
    }
    storage.client().download_file(&bucket, &key, &path, |bytes| meter.moved(bytes)).await?;
    Ok(path)
}
