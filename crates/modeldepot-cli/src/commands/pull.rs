//! `modeldepot pull`.

use std::path::{Path, PathBuf};

use modeldepot::{Pull, Selector, Version};
use serde_json::json;

use super::Context;
use crate::args::PullArgs;
use crate::error::Error;
use crate::ui::{GOOD, HINT, WARN, named, plural, size, some, styled};

pub(crate) async fn run(args: PullArgs, cx: &Context<'_>) -> Result<(), Error> {
    if let Some(note) = args.folder.as_deref().and_then(|folder| version_as_folder(&args.selector, folder)) {
        cx.ui.note(format_args!("{} {note}", styled(HINT, "note:")));
    }
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
        cx.ui.note(format_args!("deleted {} of an earlier version", plural(fetched.removed, "file")));
    }
    if !fetched.left.is_empty() {
        cx.ui.note(format_args!("kept {}: modified since an earlier pull", named(&fetched.left)));
    }
    if fetched.kept > 0 {
        cx.ui.note(format_args!("{} kept from an interrupted pull", size(fetched.kept)));
    }
    if fetched.reused > 0 {
        let new = fetched.bytes.saturating_sub(fetched.kept + fetched.reused);
        cx.ui.note(match new {
            0 => format!("nothing was transferred: {} reused from the folder", size(fetched.reused)),
            _ => format!("{} transferred, {} reused from the folder", size(new), size(fetched.reused)),
        });
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

/// Warns about a folder that looks like a version: `pull model 1.0` fetches the latest version into the folder `1.0`.
fn version_as_folder(selector: &Selector, folder: &Path) -> Option<String> {
    let text = folder.to_str().filter(|_| selector.version.is_none() && !folder.exists())?;
    let number = text.strip_prefix('v').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit());
    if !(number || text == "latest") || text.parse::<Version>().is_err() {
        return None;
    }
    let model = &selector.model;
    Some(format!(
        "`{text}` is the folder, and the latest version is fetched into it; version `{text}` is `modeldepot pull {model}@{text}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_look_like_versions() {
        let noted =
            |selector: &str, folder: &str| version_as_folder(&selector.parse().unwrap(), Path::new(folder)).is_some();
        for folder in ["1.0", "v2", "20261127_095204", "latest"] {
            assert!(noted("m", folder), "{folder}");
        }
        for folder in ["out", "./1.0", "1.0/m", "serving", "v", "vision"] {
            assert!(!noted("m", folder), "{folder}");
        }
        assert!(!noted("m@1.0", "1.0"), "the version was chosen");
    }
}
