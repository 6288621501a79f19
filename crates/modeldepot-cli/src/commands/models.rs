//! `modeldepot models`.

use serde_json::json;

use super::Context;
use crate::error::Error;
use crate::ui::{Table, clean, date, size};

pub(crate) async fn run(cx: &Context<'_>) -> Result<(), Error> {
    let storage = cx.storage().await?;
    let models = storage.models().await?;
    if cx.ui.json {
        let models: Vec<_> = models
            .iter()
            .map(|model| {
                json!({
                    "model": model.model,
                    "latest": model.latest,
                    "versions": model.versions,
                    "size": model.size,
                    "published": super::rfc3339(model.published),
                    "damaged": model.damaged,
                    "latest_damaged": model.latest_damaged,
                })
            })
            .collect();
        return cx.ui.answer_json(&models);
    }
    if models.is_empty() {
        // A misspelled folder looks the same as an empty one.
        let folder = match storage.prefix() {
            whole if whole.is_empty() => String::new(),
            folder => format!("folder `{}` of ", clean(folder.as_str())),
        };
        cx.ui.note(format_args!(
            "no models in {folder}bucket `{}`: `modeldepot push MODEL PATH` publishes one",
            storage.bucket()
        ));
        return Ok(());
    }
    let damaged = models.iter().map(|model| model.damaged).sum();
    let mut table = Table::new(&["MODEL", "LATEST", "VERSIONS>", "SIZE>", "PUBLISHED", ""]);
    for model in models {
        table.row([
            model.model.to_string(),
            model.latest.to_string(),
            model.versions.to_string(),
            size(model.size),
            date(model.published),
            match (model.damaged, model.latest_damaged) {
                (0, _) => String::new(),
                (1, true) => "latest damaged".to_owned(),
                (n, true) => format!("latest and {} more damaged", n - 1),
                (n, false) => format!("{n} damaged"),
            },
        ]);
    }
    table.lines().iter().try_for_each(|line| cx.ui.answer(line))?;
    super::tell_damaged(damaged, "", cx);
    Ok(())
}
