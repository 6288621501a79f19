//! `modeldepot pull`.

use std::path::PathBuf;

use modeldepot::Pull;
use serde_json::json;

use super::Context;
use crate::args::PullArgs;
use crate::error::Error;
use crate::ui::{GOOD, WARN, named, plural, size, some, styled};

pub(crate) async fn run(args: PullArgs, cx: &Context<'_>) -> Result<(), Error> {
    let folder = args.folder.unwrap_or_else(|| PathBuf::from(args.selector.model.as_str()));
    let storage = cx.storage().await?;
    let bar = cx.ui.bar("pulling");
    let pull = Pull::new(args.selector, folder)
        .resume(!args.no_resume)
        .sync(!args.no_sync)
        .force(args.force)
        .require_digests(args.require_digests);
    let fetched = storage.pull(&pull, &bar.progress()).await?;
    let pace = bar.pace(fetched.bytes);
    drop(bar);

    let (manifest, all) = (&fetched.manifest, fetched.unverified.is_empty());
    cx.ui.note(format_args!(
        "{} {}@{}: {}, {} in {pace}{}",
        if all { styled(GOOD, "fetched and verified") } else { styled(WARN, "fetched") },
        manifest.model_name,
        manifest.version,
        plural(fetched.files, "file"),
        size(fetched.bytes),
        if all { String::new() } else { format!("; {} not verified", plural(fetched.unverified.len(), "file")) },
    ));
    if !all {
        cx.ui.note(format_args!("without a published digest: {}", named(&fetched.unverified)));
    }
    if fetched.removed > 0 {
        cx.ui.note(format_args!("{} of an earlier version removed", plural(fetched.removed, "file")));
    }
    if !fetched.left.is_empty() {
        cx.ui.note(format_args!("kept {}: modified since an earlier pull", named(&fetched.left)));
    }
    if fetched.kept > 0 {
        cx.ui.note(format_args!("{} kept from an interrupted pull", size(fetched.kept)));
    }
    if fetched.reused > 0 {
        let new = fetched.bytes.saturating_sub(fetched.kept + fetched.reused);
        cx.ui.note(format_args!("{} fetched, {} reused from the folder", size(new), size(fetched.reused)));
    }
    if cx.ui.json {
        return cx.ui.answer_json(&json!({
            "model": manifest.model_name,
            "version": manifest.version,
            "folder": fetched.folder,
            "model_path": fetched.model_path,
            "files": fetched.files,
            "bytes": fetched.bytes,
            "fetched_bytes": fetched.bytes.saturating_sub(fetched.kept + fetched.reused),
            "kept_bytes": fetched.kept,
            "reused_bytes": fetched.reused,
            "removed_files": fetched.removed,
            "left_files": some(&fetched.left),
            "verified": fetched.unverified.is_empty(),
            "unverified": fetched.unverified.len(),
            "unverified_files": some(&fetched.unverified),
        }));
    }
    cx.ui.answer(fetched.model_path.display())
}
