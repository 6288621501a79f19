//! `modeldepot rm`.

use modeldepot::Selector;
use serde_json::json;

use super::{Context, foreign_json, kept_as_versions, note_kept};
use crate::args::{Exact, RmArgs};
use crate::error::Error;
use crate::ui::{plural, size};

pub(crate) async fn run(args: RmArgs, cx: &Context<'_>) -> Result<(), Error> {
    let Exact { model, version } = args.exact;
    let storage = cx.storage().await?;
    if !args.yes {
        confirm(&storage, &Selector::new(model.clone()).version(version.clone()), cx).await?;
    }
    let deleted = storage.delete(&model, &version).await?;
    let kept = deleted.files > 0 && kept_as_versions(&storage).await;
    if cx.ui.json {
        return cx.ui.answer_json(&json!({
            "model": model, "version": version, "files": deleted.files, "bytes": deleted.bytes,
            "foreign": foreign_json(&deleted.foreign), "kept_as_versions": kept,
        }));
    }
    if !deleted.foreign.is_empty() {
        let objects = plural(deleted.foreign.objects, "object");
        cx.ui.note(format_args!(
            "kept {objects} under `{model}/v{version}/` that modeldepot did not create: {}",
            deleted.foreign.names(5)
        ));
    }
    if deleted.files == 0 {
        let what = if deleted.already { "was already deleted" } else { "is deleted; its files were missing" };
        return cx.ui.answer(format_args!("{model}@{version} {what}"));
    }
    let what = format!("{}, {}", plural(deleted.files, "file"), size(deleted.bytes));
    cx.ui.answer(format_args!("deleted {model}@{version}: {what}"))?;
    if kept {
        note_kept(&storage, cx);
    }
    Ok(())
}

/// Asks for confirmation. Without a terminal, --yes is required.
async fn confirm(storage: &modeldepot::ModelStorage, selector: &Selector, cx: &Context<'_>) -> Result<(), Error> {
    let name = selector.to_string();
    // A damaged version can be deleted, but not described.
    let what = match storage.describe(selector).await {
        Ok(found) => {
            let bytes = found.files.iter().map(|file| file.size).sum();
            format!(" ({}, {})", plural(found.files.len(), "file"), size(bytes))
        }
        // There is nothing to confirm: the delete says that it was deleted, or what is wrong with the name.
        Err(modeldepot::Error::VersionDeleted { .. }) => return Ok(()),
        Err(modeldepot::Error::VersionNotFound { version, .. }) if version.is_latest() => return Ok(()),
        Err(modeldepot::Error::Manifest { .. }) => " (its manifest is damaged)".to_owned(),
        Err(error) => return Err(error.into()),
    };
    let question = format!("Delete {name}{what}? Its name can never be used again.");
    match cx.ui.confirm(question).await {
        Some(true) => Ok(()),
        Some(false) => Err(Error::Declined),
        None => Err(Error::Unconfirmed { name }),
    }
}
