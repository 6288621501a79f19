//! `modeldepot verify`.

use serde_json::json;

use super::Context;
use crate::args::VerifyArgs;
use crate::error::Error;
use crate::ui::{GOOD, WARN, plural, size, some, styled};

pub(crate) async fn run(args: VerifyArgs, cx: &Context<'_>) -> Result<(), Error> {
    let storage = cx.storage().await?;
    let bar = cx.ui.bar("verifying");
    let verified = storage.verify(&args.selector, &bar.progress()).await?;
    let pace = bar.pace(verified.bytes);
    drop(bar);

    let (model, version) = (&verified.manifest.model_name, &verified.manifest.version);
    let unverified = verified.unverified.len();
    if cx.ui.json {
        cx.ui.answer_json(&json!({
            "model": model,
            "version": version,
            "files": verified.files,
            "bytes": verified.bytes,
            "intact": verified.is_intact(),
            "unverified": unverified,
            "unverified_files": some(&verified.unverified),
        }))?;
    } else if verified.is_intact() {
        let files = plural(verified.files, "file");
        cx.ui.answer(format_args!(
            "{} {model}@{version}: {files}, {} in {pace}",
            styled(GOOD, "intact"),
            size(verified.bytes),
        ))?;
    } else {
        cx.ui.answer(format_args!(
            "{} {model}@{version}: {} of {} verified, {} in {pace}",
            styled(WARN, "not verified"),
            verified.files - unverified,
            plural(verified.files, "file"),
            size(verified.bytes),
        ))?;
    }
    if verified.is_intact() {
        return Ok(());
    }
    let (model, version) = (model.clone(), version.clone());
    Err(modeldepot::Error::unverified(&model, &version, &verified.unverified).into())
}
