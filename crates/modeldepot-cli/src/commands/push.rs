//! `modeldepot push`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use modeldepot::history::{History, MAX_BYTES};
use modeldepot::{Error as Depot, Push, Scan, Source, SourceError};
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use super::{Context, foreign_json};
use crate::args::{Meta, PushArgs};
use crate::config;
use crate::error::Error;
use crate::ui::{GOOD, HINT, plural, size, styled};

pub(crate) async fn run(args: PushArgs, cx: &Context<'_>) -> Result<(), Error> {
    let with = args.with.into_iter().chain(args.history.clone()).collect();
    let scan = Scan { path: args.path, main: args.main, exclude: args.exclude, with };
    // On a thread of its own: a large folder on a slow disk must not keep Ctrl-C waiting.
    let read = spawn_blocking(move || -> Result<_, Error> {
        let source = Source::scan(&scan)?;
        Ok((source, metadata(args.history.as_deref(), args.meta_file.as_deref(), args.meta)?))
    });
    let (source, metadata) = read.await.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))?;
    let (files, bytes) = (source.files.len(), source.size());
    let push = Push {
        model: args.model,
        version: args.version,
        source,
        metadata,
        created: config::now(),
        tool: concat!("modeldepot ", env!("CARGO_PKG_VERSION")).to_owned(),
        journal: if args.no_resume { None } else { config::state_folder() },
        md5: !args.no_md5,
        copies: !args.no_copy,
    };
    let storage = cx.storage().await?;
    let bar = cx.ui.bar("pushing");
    let published = storage.upload_model(push, &bar.progress()).await?;
    let pace = bar.pace(bytes);
    drop(bar);

    let manifest = published.manifest;
    let name = format!("{}@{}", manifest.model_name, manifest.version);
    let what = format!("{}, {}", plural(files, "file"), size(bytes));
    if published.already {
        cx.ui.note(format_args!("already published with this content: {what}; nothing was changed"));
    } else {
        cx.ui.note(format_args!("{} {what} in {pace}", styled(GOOD, "published")));
        if published.kept > 0 {
            cx.ui.note(format_args!("{} were there already, from a push that was cut off", size(published.kept)));
        }
        if published.copied > 0 {
            let sent = bytes.saturating_sub(published.kept + published.copied);
            let (sent, copied) = (size(sent), size(published.copied));
            cx.ui.note(format_args!("{sent} sent, {copied} copied from earlier versions within the server"));
        }
    }
    if !published.foreign.is_empty() {
        let (model, version) = (&manifest.model_name, &manifest.version);
        let objects = plural(published.foreign.objects, "object");
        let names = published.foreign.names(5);
        cx.ui.note(format_args!(
            "{} {objects} under `{model}/v{version}/` that modeldepot did not create, not part of the version: {names}",
            styled(HINT, "warning:")
        ));
    }
    if cx.ui.json {
        return cx.ui.answer_json(&json!({
            "foreign": foreign_json(&published.foreign),
            "model": manifest.model_name,
            "version": manifest.version,
            "already": published.already,
            "files": files,
            "bytes": bytes,
            "sent_bytes": if published.already { 0 } else { bytes.saturating_sub(published.kept + published.copied) },
            "kept_bytes": published.kept,
            "copied_bytes": published.copied,
            "manifest": manifest,
        }));
    }
    cx.ui.answer(name)
}

/// Merges what is said about the version: the history's summary, then the file, then the flags.
fn metadata(history: Option<&Path>, file: Option<&Path>, flags: Vec<Meta>) -> Result<Map<String, Value>, Error> {
    let mut metadata = Map::new();
    if let Some(path) = history {
        metadata.extend(read_history(path)?.metadata());
    }
    if let Some(path) = file {
        metadata.extend(read_object(path)?);
    }
    metadata.extend(flags.into_iter().map(|meta| (meta.key, meta.value)));
    Ok(metadata)
}

/// Reads a training history.
pub(crate) fn read_history(path: &Path) -> Result<History, Error> {
    let unreadable = |source: io::Error| SourceError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One more than may be: the library says what is too large, and nothing beyond that is held in memory.
    let limit = MAX_BYTES as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(History::parse(&name, &bytes).map_err(|source| Depot::History { path: path.to_owned(), source })?)
}

fn read_object(path: &Path) -> Result<Map<String, Value>, Error> {
    let refused = |source| Error::MetaFile { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(|source| Error::MetaFileRead { path: path.to_owned(), source })?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(refused(None)),
        Err(error) => Err(refused(Some(error))),
    }
}
