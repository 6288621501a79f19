//! `modeldepot show`.

use modeldepot::{Description, shortened};
use serde_json::json;

use super::Context;
use crate::args::ShowArgs;
use crate::config;
use crate::error::Error;
use crate::ui::{BOLD, DIM, HINT, ago, clean, date, measured, plural, size, styled};

/// The most characters shown of the program that wrote a manifest, and of the model file's address. Both are free text.
const TOOL: usize = 100;
const URL: usize = 1024;

pub(crate) async fn run(args: ShowArgs, cx: &Context<'_>) -> Result<(), Error> {
    let found = cx.storage().await?.describe(&args.selector).await?;
    if cx.ui.json {
        let files: Vec<_> = found
            .files
            .iter()
            .map(|file| json!({"path": file.path, "size": file.size, "md5": file.md5, "blake3": file.blake3}))
            .collect();
        let damaged: Vec<_> = found
            .damaged
            .iter()
            .map(|file| json!({"path": file.path, "size": file.expected, "found": file.found}))
            .collect();
        return cx.ui.answer_json(&json!({"manifest": found.manifest, "files": files, "damaged": damaged}));
    }
    lines(&found).iter().try_for_each(|line| cx.ui.answer(line))?;
    if let Err(damage) = found.whole() {
        cx.ui.note(format_args!("{} {damage}", styled(HINT, "warning:")));
    }
    Ok(())
}

/// Returns the description of a version as people read it.
pub(crate) fn lines(found: &Description) -> Vec<String> {
    let manifest = &found.manifest;
    let field = |name: &str, value: String| format!("{} {value}", styled(DIM, format_args!("{name:<10}")));
    let total: u64 = found.files.iter().map(|file| file.size).sum();
    let mut lines = vec![styled(BOLD, format_args!("{}@{}", manifest.model_name, manifest.version))];
    let published = date(manifest.created_at);
    let since = manifest.created_at.map(|at| format!(" ({})", ago(at, config::now()))).unwrap_or_default();
    lines.push(field("published", published + &since));
    if let Some(by) = &manifest.published_by {
        lines.push(field("by", clean(by.as_str()).into_owned()));
    }
    if let Some(tool) = &manifest.tool {
        lines.push(field("tool", clean(&shortened(tool, TOOL)).into_owned()));
    }
    lines.push(field("size", format!("{} in {}", size(total), plural(found.files.len(), "file"))));
    if !manifest.model_url.is_empty() {
        lines.push(field("url", clean(&shortened(&manifest.model_url, URL)).into_owned()));
    }
    if let Some(checksum) = &manifest.checksum {
        lines.push(field("checksum", format!("{checksum} (MD5 of the model file)")));
    }

    lines.push(String::new());
    lines.push(styled(BOLD, "files"));
    let (main, history) = (manifest.main().ok(), found.history());
    let width = found.files.iter().map(|file| size(file.size).len()).max().unwrap_or(0);
    for file in &found.files {
        let mark = match &file.path {
            path if main.as_ref() == Some(path) => styled(DIM, "  (model file)"),
            path if history == Some(path) => styled(DIM, "  (training history)"),
            _ if file.executable => styled(DIM, "  (executable)"),
            _ => String::new(),
        };
        lines.push(format!("  {:>width$}  {}{mark}", size(file.size), clean(file.path.as_str())));
        let mut digest = |name: &str, digest: Option<String>| {
            if let Some(digest) = digest {
                lines.push(format!("  {:width$}  {}", "", styled(DIM, format_args!("{name} {digest}"))));
            }
        };
        digest("blake3", file.blake3.map(|digest| digest.to_string()));
        digest("md5   ", file.md5.map(|digest| digest.to_string()));
    }

    if !manifest.metadata.is_empty() {
        lines.push(String::new());
        lines.push(styled(BOLD, "metadata"));
        let width = manifest.metadata.keys().map(|key| key.chars().count()).max().unwrap_or(0);
        for (key, value) in &manifest.metadata {
            let value = measured(value);
            // Metadata is untrusted: it must not contain terminal escape sequences.
            let (key, value) = (clean(key), clean(&value));
            lines.push(format!("  {} {value}", styled(DIM, format_args!("{key:<width$}"))));
        }
    }
    lines
}
