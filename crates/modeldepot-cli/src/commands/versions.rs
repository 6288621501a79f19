//! `modeldepot versions`.

use serde_json::json;

use super::Context;
use crate::args::VersionsArgs;
use crate::error::Error;
use crate::ui::{Table, date, size};

pub(crate) async fn run(args: VersionsArgs, cx: &Context<'_>) -> Result<(), Error> {
    let storage = cx.storage().await?;
    let versions = storage.versions(&args.model).await?;
    let damaged = versions.iter().filter(|version| version.damaged).count();
    let latest = versions.last().map(|version| version.version.clone());
    if cx.ui.json {
        let versions: Vec<_> = versions
            .iter()
            .map(|version| {
                json!({
                    "version": version.version,
                    "latest": Some(&version.version) == latest.as_ref(),
                    "files": version.files,
                    "size": version.size,
                    "published": super::rfc3339(version.published),
                    "damaged": version.damaged,
                })
            })
            .collect();
        return cx.ui.answer_json(&versions);
    }
    if versions.is_empty() {
        cx.ui.note(format_args!("all versions of `{}` were deleted", args.model));
        return Ok(());
    }
    let mut table = Table::new(&["VERSION", "FILES>", "SIZE>", "PUBLISHED", ""]);
    for version in versions {
        let mark = match (Some(&version.version) == latest.as_ref(), version.damaged) {
            (true, false) => "latest",
            (true, true) => "latest, damaged",
            (false, true) => "damaged",
            (false, false) => "",
        };
        table.row([
            version.version.to_string(),
            version.files.to_string(),
            size(version.size),
            date(version.published),
            mark.to_owned(),
        ]);
    }
    table.lines().iter().try_for_each(|line| cx.ui.answer(line))?;
    super::tell_damaged(damaged, &format!(" {}", args.model), cx);
    Ok(())
}
