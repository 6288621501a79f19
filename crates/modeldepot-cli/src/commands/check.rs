//! `modeldepot check`: the seven checks of the Python pipeline's documentation, each on a line with its time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use modeldepot::{
    Description, Fetched, ModelName, ModelStorage, ObjectKey, Progress, Pull, Push, Scan, Selector, Source, Version,
};
use serde_json::{Map, Value, json};

use super::Context;
use crate::args::CheckArgs;
use crate::error::Error;
use crate::hint;
use crate::interrupt::unless_interrupted;
use crate::ui::{BAD, DIM, GOOD, duration, plural, size, styled, throughput};

/// How long deleting the temporary model may take if the server does not answer.
const CLEANING: Duration = Duration::from_secs(5);

/// The result of a check.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    /// What was found; `None` if there was nothing to check after an earlier failure.
    pub(crate) found: Option<Result<String, Error>>,
}

pub(crate) async fn run(args: CheckArgs, cx: &Context<'_>) -> Result<(), Error> {
    let storage = cx.storage().await?;
    let outcomes = match args.selector {
        Some(selector) => {
            let work = told(&storage, &selector.model, selector.version.as_ref(), cx);
            unless_interrupted(work).await??
        }
        None => on_a_throw_away_model(&storage, cx).await?,
    };
    if cx.ui.json {
        let list: Vec<_> = outcomes.iter().map(Outcome::to_json).collect();
        cx.ui.answer_json(&list)?;
    }
    let failures: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.found.as_ref()?.as_ref().err()).collect();
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(Error::Checks { failed: failures.len(), all: outcomes.len(), kind: first.kind() }),
    }
}

/// Publishes a small model, checks it, and removes every trace of it, whatever happens.
async fn on_a_throw_away_model(storage: &ModelStorage, cx: &Context<'_>) -> Result<Vec<Outcome>, Error> {
    let folder = tempfile::Builder::new()
        .prefix("modeldepot-check-")
        .tempdir()
        .map_err(Error::io("create a folder in", std::env::temp_dir()))?;
    // The folder's random name is unique.
    let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
    let model: ModelName = name.parse().map_err(modeldepot::Error::from)?;
    let work = async {
        publish(storage, &model, folder.path()).await?;
        told(storage, &model, None, cx).await
    };
    let done = unless_interrupted(work).await;
    let silent = matches!(&done, Ok(Err(error)) if error.kind() == modeldepot::ErrorKind::Unavailable);
    if silent {
        // Do not wait long for a server that has just timed out.
        let _ = tokio::time::timeout(CLEANING, remove(storage, &model)).await;
        return done?;
    }
    let removed = remove(storage, &model).await;
    let outcomes = done??;
    removed?;
    Ok(outcomes)
}

async fn publish(storage: &ModelStorage, model: &ModelName, folder: &Path) -> Result<(), Error> {
    let (weights, history) = (folder.join("model.bin"), folder.join("training_history.json"));
    let bytes: Vec<u8> = (0..64 * 1024_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&weights, bytes).map_err(Error::io("write", &weights))?;
    fs::write(&history, r#"{"train_loss": [0.5, 0.25], "val_loss": [0.6, 0.4]}"#)
        .map_err(Error::io("write", &history))?;
    let push = Push::new(model.clone(), Source::scan(&Scan::new(weights).history(history))?)
        .metadata(Map::from_iter([("purpose".to_owned(), Value::from("modeldepot check"))]))
        .tool(concat!("modeldepot ", env!("CARGO_PKG_VERSION")));
    storage.push(push, &Progress::none()).await?;
    Ok(())
}

/// Deletes all objects of a temporary model and the store's records about it.
async fn remove(storage: &ModelStorage, model: &ModelName) -> Result<(), Error> {
    let (client, bucket) = (storage.depot(), storage.bucket());
    for version in storage.versions(model).await.unwrap_or_default() {
        storage.delete(model, &version.version).await?;
    }
    let files = client.list_objects(bucket, &format!("{model}/")).await?;
    let records = client.list_objects(bucket, ".depot/").await?;
    let folder = format!("/{model}/");
    let ours = records.into_iter().filter(|record| record.key.contains(&folder));
    for object in files.into_iter().chain(ours) {
        client.delete_object(bucket, &object.key).await?;
    }
    Ok(())
}

/// Runs the checks, and reports each when it is done.
async fn told(
    storage: &ModelStorage,
    model: &ModelName,
    version: Option<&Version>,
    cx: &Context<'_>,
) -> Result<Vec<Outcome>, Error> {
    let mut told = Ok(());
    let outcomes = checks(storage, model, version, |outcome| {
        if !cx.ui.json && told.is_ok() {
            told = outcome.lines(cx).iter().try_for_each(|line| cx.ui.answer(line));
        }
    })
    .await;
    told.map(|()| outcomes)
}

/// Runs the seven checks, and continues after a failure as long as there is something to check.
pub(crate) async fn checks(
    storage: &ModelStorage,
    model: &ModelName,
    version: Option<&Version>,
    mut each: impl FnMut(&Outcome),
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut begun = Instant::now();
    let mut add = |name, found: Option<Result<String, Error>>| {
        let outcome = Outcome { name, took: begun.elapsed(), found };
        each(&outcome);
        outcomes.push(outcome);
        begun = Instant::now();
    };

    let listed = storage.versions(model).await;
    let last = listed.as_ref().ok().and_then(|versions| Some(versions.last()?.version.clone()));
    add("list versions", Some(listed.map(|versions| plural(versions.len(), "version")).map_err(Error::from)));

    let latest = storage.latest(model).await;
    let newest = latest.as_ref().ok().cloned();
    add("latest version", Some(latest.map_err(Error::from).and_then(|latest| agree(latest, last))));

    let Some(version) = version.cloned().or(newest) else {
        for name in ["download", "files", "manifest", "S3 methods", "list objects"] {
            add(name, None);
        }
        return outcomes;
    };
    let selector = Selector::new(model.clone()).version(version.clone());

    let begun_download = Instant::now();
    let (folder, fetched) = match tempfile::tempdir() {
        Ok(folder) => {
            let target = folder.path().join(model.as_str());
            let pull = Pull::new(selector.clone(), target).resume(false);
            let fetched = storage.pull(&pull, &Progress::none()).await;
            (Some(folder), fetched.map_err(Error::from))
        }
        Err(error) => (None, Err(Error::io("create a folder in", std::env::temp_dir())(error))),
    };
    let pace = |fetched: &Fetched| {
        let (bytes, took) = (fetched.bytes, begun_download.elapsed());
        let pace = format!("{}, {} at {}", plural(fetched.files, "file"), size(bytes), throughput(bytes, took));
        match fetched.unverified.len() {
            0 => pace,
            files => format!("{pace}, {} not verified: no published digest", plural(files, "file")),
        }
    };
    let (fetched, found) = match fetched {
        Ok(fetched) => (Some(pace(&fetched)).zip(Some(fetched)), None),
        Err(error) => (None, Some(Err(error))),
    };
    let (line, fetched) = fetched.unzip();
    add("download", line.map(Ok).or(found));

    let described = storage.describe(&selector).await;
    add("files", fetched.as_ref().zip(described.as_ref().ok()).map(|(fetched, found)| files(fetched, found)));
    let (found, manifest) = match described {
        Ok(found) => {
            let line = manifest(&found, fetched.as_ref());
            (Some(found), line)
        }
        Err(error) => (None, Err(error.into())),
    };
    add("manifest", Some(manifest));
    drop(folder);

    match &found {
        Some(found) => {
            add("S3 methods", Some(methods(storage, found).await));
            add("list objects", Some(objects(storage, found).await));
        }
        None => {
            add("S3 methods", None);
            add("list objects", None);
        }
    }
    outcomes
}

fn agree(latest: Version, last: Option<Version>) -> Result<String, Error> {
    match last {
        Some(last) if last != latest => {
            Err(Error::Untrue(format!("latest is `{latest}`, but the listing ends with `{last}`")))
        }
        _ => Ok(latest.to_string()),
    }
}

fn files(fetched: &Fetched, found: &Description) -> Result<String, Error> {
    for file in &found.files {
        let path = fetched.folder.join(file.path.as_str());
        let size = fs::metadata(&path).map_err(Error::io("read", &path))?.len();
        if size != file.size {
            return Err(Error::Untrue(format!("`{}` has {size} bytes, not {}", file.path, file.size)));
        }
    }
    let name = fetched.model_path.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("complete with the right sizes, model file {name}"))
}

fn manifest(found: &Description, fetched: Option<&Fetched>) -> Result<String, Error> {
    let manifest = &found.manifest;
    if fetched.is_some_and(|fetched| fetched.manifest != *manifest) {
        return Err(Error::Untrue("the manifest changed during the check".to_owned()));
    }
    let checksum = manifest.checksum.as_ref().map_or_else(|| "no MD5".to_owned(), |md5| format!("MD5 {md5}"));
    Ok(format!("valid, {checksum}, {}", plural(manifest.metadata.len(), "metadata field")))
}

async fn methods(storage: &ModelStorage, found: &Description) -> Result<String, Error> {
    let (client, bucket) = (storage.depot(), storage.bucket());
    let manifest = &found.manifest;
    let untrue = |what: String| Err(Error::Untrue(what));
    if !client.bucket_exists(bucket).await? {
        return untrue(format!("the server says that bucket `{bucket}` does not exist"));
    }
    let key = &manifest.model_file;
    if !client.object_exists(bucket, key).await? {
        return untrue(format!("the server says that object `{key}` does not exist"));
    }
    let nothing = format!("{}/v{}/.absent", manifest.model_name, manifest.version);
    if client.object_exists(bucket, &nothing).await? {
        return untrue(format!("the server says that object `{nothing}` exists"));
    }
    let stored = client.get_object_metadata(bucket, key).await?;
    let size = found.files.iter().find(|file| key.ends_with(file.path.as_str())).map(|file| file.size);
    if size.is_some_and(|size| size != stored.size) {
        return untrue(format!("the server says that object `{key}` has {} bytes", stored.size));
    }
    // An empty file has no first byte to ask for.
    let url = match stored.size {
        0 => "presigned URL not tested: the file is empty".to_owned(),
        _ => format!("presigned URL answered {}", client.try_presigned_url(bucket, key).await?),
    };
    Ok(format!("bucket and object exist, metadata, {url}"))
}

async fn objects(storage: &ModelStorage, found: &Description) -> Result<String, Error> {
    let (model, version) = (&found.manifest.model_name, &found.manifest.version);
    let listed = storage.depot().list_objects(storage.bucket(), &format!("{model}/v{version}/")).await?;
    let files = found.files.iter().map(|file| ObjectKey::Artifact(model.clone(), version.clone(), file.path.clone()));
    for key in files.chain([found.manifest.key()]).map(|key| key.to_string()) {
        if !listed.iter().any(|object| object.key == key) {
            return Err(Error::Untrue(format!("`{key}` is not listed")));
        }
    }
    Ok(format!("{}, including every file and the manifest", plural(listed.len(), "object")))
}

impl Outcome {
    fn lines(&self, cx: &Context<'_>) -> Vec<String> {
        let Outcome { name, took, found } = self;
        let took = styled(DIM, duration(*took));
        match found {
            None => vec![format!("{} {name:<15} skipped: an earlier check failed", styled(DIM, "-"))],
            Some(Ok(detail)) => vec![format!("{} {name:<15} {detail} {took}", styled(GOOD, "✓"))],
            Some(Err(error)) => {
                let mut lines = vec![format!("{} {name:<15} {error} {took}", styled(BAD, "✗"))];
                lines.extend(error.causes().iter().map(|cause| format!("  {:15} caused by: {cause}", "")));
                lines.extend(hint::hint(error, Some(cx.settings)).map(|hint| format!("  {:15} hint: {hint}", "")));
                lines
            }
        }
    }

    fn to_json(&self) -> Value {
        let (ok, detail, failure) = match &self.found {
            None => (Value::Null, None, Value::Null),
            Some(Ok(detail)) => (true.into(), Some(detail), Value::Null),
            Some(Err(error)) => (false.into(), None, error.to_json(None)["error"].take()),
        };
        let seconds = (self.took.as_secs_f64() * 1000.0).round() / 1000.0;
        json!({"check": self.name, "ok": ok, "detail": detail, "seconds": seconds, "error": failure})
    }
}
