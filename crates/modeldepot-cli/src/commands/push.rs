//! `modeldepot push`.

use std::fs;
use std::path::Path;

use modeldepot::history::History;
use modeldepot::{LeftOut, Push, Reason, Scan, Source};
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use super::{Context, foreign_json};
use crate::args::{Meta, NewVersion, PushArgs};
use crate::config;
use crate::error::Error;
use crate::swapped::{Swapped, swapped};
use crate::ui::{BOLD, DIM, GOOD, HINT, Ui, clean, plural, size, styled};

pub(crate) async fn run(args: PushArgs, cx: &Context<'_>) -> Result<(), Error> {
    refuse_swapped(&args)?;
    let mut scan = Scan::new(args.path)
        .exclude(args.exclude)
        .with(args.with)
        .include_hidden(args.include_hidden)
        .follow_links(args.follow_links);
    (scan.main, scan.history) = (args.main, args.history);
    // In a separate thread, so that scanning a large folder on a slow disk does not delay Ctrl-C.
    let read = spawn_blocking(move || -> Result<_, Error> {
        let mut source = Source::scan(&scan)?;
        let mut said = Vec::new();
        let history = source.read_history(&mut said)?;
        Ok((source, metadata(history.as_ref(), args.meta_file.as_deref(), args.meta)?, said))
    });
    let (source, metadata, said) = read.await.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))?;
    let (files, bytes) = (source.files().len(), source.size());
    let mut push = Push::new(args.model, source)
        .metadata(metadata)
        .tool(concat!("modeldepot ", env!("CARGO_PKG_VERSION")))
        .md5(!args.no_md5)
        .copies(!args.no_copy);
    if let Some(NewVersion { version, typed }) = args.version {
        if version.as_str() != typed {
            cx.ui.note(format_args!("`{}` is published as `{version}`", clean(&typed)));
        }
        push.version = Some(version);
    }
    push.published_by = config::published_by()?;
    push.state_folder = config::state_folder().filter(|_| !args.no_resume);
    let storage = cx.storage().await?;
    for note in &said {
        cx.ui.note(format_args!("history: {}", clean(note)));
    }
    if args.dry_run {
        storage.check_push(&push)?;
        return planned(&push, cx.ui);
    }
    told(&push.source, cx.ui);
    let noted = noted(&push.source);
    let bar = cx.ui.bar("pushing");
    let published = storage.push(push, &bar.progress()).await?;
    let pace = bar.pace(bytes);
    drop(bar);

    let warnings = published.warnings();
    let manifest = published.manifest;
    let name = format!("{}@{}", manifest.model_name, manifest.version);
    let what = format!("{}, {}", plural(files, "file"), size(bytes));
    if published.already {
        cx.ui.note(format_args!("already published with this content: {what}; nothing changed"));
    } else {
        cx.ui.note(format_args!("{} {what} in {pace}", styled(GOOD, "published")));
        if published.kept > 0 {
            cx.ui.note(format_args!("{} kept from an interrupted push", size(published.kept)));
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
    for warning in &warnings {
        cx.ui.note(format_args!("{} {}", styled(HINT, "warning:"), clean(warning)));
    }
    if cx.ui.json {
        let mut answer = json!({
            "warnings": warnings,
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
        });
        answer.as_object_mut().into_iter().for_each(|answer| answer.extend(noted.clone()));
        return cx.ui.answer_json(&answer);
    }
    cx.ui.answer(name)
}

/// Refuses `push model.pth model`.
fn refuse_swapped(args: &PushArgs) -> Result<(), Error> {
    let Some(Swapped { why, model, path }) = swapped(&args.model, &args.path) else { return Ok(()) };
    Err(Error::Typed {
        message: format!("the name of the model comes first, and {why}"),
        hint: Some(format!("did you mean `modeldepot push {model} {}`?", path.display())),
    })
}

fn warned(source: &Source, ui: &Ui) {
    for malformed in source.malformed() {
        let (pattern, reason) = (clean(&malformed.pattern), clean(&malformed.reason));
        let place = malformed.line.as_ref().map(|(file, line)| format!("line {line} of `{}`: ", clean(file)));
        let place = place.unwrap_or_default();
        ui.note(format_args!(
            "{} {place}invalid pattern `{pattern}`: {reason}; it is ignored",
            styled(BOLD, "warning:")
        ));
    }
    let malformed = |pattern: &&String| source.malformed().iter().any(|malformed| malformed.pattern == **pattern);
    for pattern in source.unmatched().iter().filter(|pattern| !malformed(pattern)) {
        ui.note(format_args!("{} the pattern `{}` matches nothing", styled(BOLD, "warning:"), clean(pattern)));
    }
}

/// Reports what may be unexpected about a folder, before anything is sent.
fn told(source: &Source, ui: &Ui) {
    warned(source, ui);
    if source.main_was_chosen() {
        ui.note(format_args!("model file: {}", source.main()));
    }
    if !source.left_out().is_empty() {
        let them = if source.left_out().len() == 1 { "it" } else { "them" };
        ui.note(format_args!("excluded {}; --dry-run lists {them}", left_out(source.left_out())));
    }
    let empty = source.empty_folders();
    if !empty.is_empty() {
        ui.note(format_args!("{} not published: versions contain only files", plural(empty.len(), "empty folder")));
    }
}

/// Counts what is excluded, as in `2 files and 1 folder: 1 hidden, 2 secret`.
fn left_out(left: &[LeftOut]) -> String {
    let folders = left.iter().filter(|left| left.folder).count();
    let counted = match (left.len() - folders, folders) {
        (files, 0) => plural(files, "file"),
        (0, folders) => plural(folders, "folder"),
        (files, folders) => format!("{} and {}", plural(files, "file"), plural(folders, "folder")),
    };
    let by_reason = Reason::ALL.iter().filter_map(|reason| {
        let count = left.iter().filter(|left| left.reason == *reason).count();
        (count > 0).then(|| format!("{count} {}", word(*reason, count)))
    });
    format!("{counted}: {}", by_reason.collect::<Vec<_>>().join(", "))
}

fn word(reason: Reason, count: usize) -> &'static str {
    match reason {
        Reason::Secret if count == 1 => "possible secret",
        Reason::Secret => "possible secrets",
        Reason::Repository => "version control",
        Reason::Temporary if count == 1 => "cache or temporary file",
        Reason::Temporary => "caches and temporary files",
        Reason::Own if count == 1 => "modeldepot file",
        Reason::Own => "modeldepot files",
        reason => reason.word(),
    }
}

/// Returns notes about a source, as JSON.
fn noted(source: &Source) -> Map<String, Value> {
    let left = |left: &LeftOut| json!({"path": left.path, "folder": left.folder, "reason": left.reason.word()});
    Map::from_iter([
        ("model_file".to_owned(), json!(source.main())),
        ("left_out".to_owned(), source.left_out().iter().map(left).collect()),
        ("empty_folders".to_owned(), json!(source.empty_folders())),
        ("unmatched_patterns".to_owned(), json!(source.unmatched())),
    ])
}

/// Lists what a push would publish.
fn planned(push: &Push, ui: &Ui) -> Result<(), Error> {
    let source = &push.source;
    if ui.json {
        let file = |file: &modeldepot::SourceFile| json!({"path": file.path, "size": file.size, "executable": file.executable});
        let mut answer = json!({
            "dry_run": true,
            "model": push.model,
            "version": push.version,
            "files": source.files().iter().map(file).collect::<Vec<_>>(),
            "bytes": source.size(),
            "history": source.history(),
            "metadata": push.metadata,
        });
        answer.as_object_mut().into_iter().for_each(|answer| answer.extend(noted(source)));
        return ui.answer_json(&answer);
    }
    warned(source, ui);
    let what = match &push.version {
        Some(version) => format!("{}@{version}", push.model),
        None => format!("{} with a version named after the current time", push.model),
    };
    let count = plural(source.files().len(), "file");
    ui.answer(format_args!("would publish {what}: {count}, {}", size(source.size())))?;
    let width = source.files().iter().map(|file| size(file.size).len()).max().unwrap_or(0);
    for file in source.files() {
        let mark = match &file.path {
            path if path == source.main() => "  (model file)",
            path if Some(path) == source.history() => "  (training history)",
            _ if file.executable => "  (executable)",
            _ => "",
        };
        ui.answer(format_args!("  {:>width$}  {}{}", size(file.size), file.path, styled(DIM, mark)))?;
    }
    if !source.left_out().is_empty() {
        ui.answer("excluded:")?;
    }
    for left in source.left_out() {
        let slash = if left.folder { "/" } else { "" };
        let why = format!("  ({})", word(left.reason, 1));
        ui.answer(format_args!("  {}{slash}{}", clean(&left.path), styled(DIM, why)))?;
    }
    source.empty_folders().iter().try_for_each(|path| ui.answer(format_args!("  {}/  (empty)", clean(path))))?;
    Ok(())
}

/// Merges the metadata: the history's summary, then the file, then the flags.
fn metadata(history: Option<&History>, file: Option<&Path>, flags: Vec<Meta>) -> Result<Map<String, Value>, Error> {
    let mut metadata = Map::new();
    metadata.extend(history.map(History::metadata).unwrap_or_default());
    if let Some(path) = file {
        metadata.extend(read_object(path)?);
    }
    metadata.extend(flags.into_iter().map(|meta| (meta.key, meta.value)));
    Ok(metadata)
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
