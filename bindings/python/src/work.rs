//! The work of the verbs that are more than one call of the library. None of it touches Python.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use modeldepot::history::{History, MAX_BYTES};
use modeldepot::s3::{ObjectMetadata, UploadOptions};
use modeldepot::{
    ArtifactPath, BucketName, Change, Error, ModelName, ModelStorage, Published, PublishedBy, Pull, Push, Result, Scan,
    Source, SourceError, Version,
};
use serde_json::{Map, Value};

use crate::progress::Meter;

/// Returns where a model is put that nobody names a folder for. Each has its own: they have files of the same names.
pub(crate) fn downloaded(model: &ModelName) -> PathBuf {
    Path::new("./models/downloaded").join(model.as_str())
}

/// A version to publish.
pub(crate) struct Upload {
    pub(crate) model: ModelName,
    pub(crate) version: Option<Version>,
    pub(crate) scan: Scan,
    /// The name that the model file gets instead of its own.
    pub(crate) file_name: Option<ArtifactPath>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) published_by: Option<PublishedBy>,
    pub(crate) resume: bool,
    pub(crate) md5: bool,
    pub(crate) copy: bool,
}

impl Upload {
    /// Publishes it, and returns what there is to say of its training history as well.
    pub(crate) async fn run(self, storage: ModelStorage, meter: Meter) -> Result<(Published, Vec<String>)> {
        let Upload { model, version, scan, file_name, metadata, published_by, resume, md5, copy } = self;
        // On a thread of its own: a large folder on a slow disk must not keep Ctrl-C waiting.
        let read = tokio::task::spawn_blocking(move || -> Result<_> {
            let named = scan.history.as_deref().map(read_history).transpose()?;
            let mut source = renamed(Source::scan(&scan)?, file_name)?;
            let mut notes = Vec::new();
            let history = named.or_else(|| {
                // One that was not named need not be one.
                let unread = |error: Error| {
                    let causes = [error.to_string()].into_iter().chain(modeldepot::causes(&error));
                    notes.push(format!("{}; it is a file like any other", causes.collect::<Vec<_>>().join(": ")));
                };
                source.recognize_history()?.map_err(unread).ok()
            });
            let mut merged = history.as_ref().map(History::metadata).unwrap_or_default();
            merged.extend(metadata);
            notes.extend(history.as_ref().map(History::notes).unwrap_or_default());
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

/// Puts the model file under another name.
fn renamed(source: Source, name: Option<ArtifactPath>) -> Result<Source> {
    let Some(name) = name.filter(|name| name != source.main()) else { return Ok(source) };
    let local =
        |path: &ArtifactPath| source.files().iter().find(|file| file.path == *path).map(|file| file.local.clone());
    if let (Some(second), Some(first)) = (local(&name), local(source.main())) {
        return Err(SourceError::Twice { path: name, first, second }.into());
    }
    source.with_main_at(name)
}

fn read_history(path: &Path) -> Result<History> {
    let mut bytes = Vec::new();
    // One more than may be: the library says what is too large, and nothing beyond that is held in memory.
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: path.to_owned() },
        _ => SourceError::Unreadable { path: path.to_owned(), source },
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    History::parse(&name, &bytes).map_err(|source| Error::history(path, source))
}

/// Fetches a version and returns where its model file lies.
pub(crate) async fn download(storage: ModelStorage, pull: Pull, meter: Meter) -> Result<PathBuf> {
    Ok(storage.pull(&pull, &meter.progress()).await?.model_path)
}

/// Stores a file under a key; none takes the file's name.
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
    // Whatever is wrong with the file is the upload's to say.
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
