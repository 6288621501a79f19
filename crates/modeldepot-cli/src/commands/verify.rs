//! `modeldepot verify`.

use serde_json::json;

use super::Context;
use crate::args::VerifyArgs;
use crate::error::Error;
use crate::ui::{GOOD, plural, size, styled};

pub(crate) async fn run(args: VerifyArgs, cx: &Context<'_>) -> Result<(), Error> {
    let storage = cx.storage().await?;
    let bar = cx.ui.bar("verifying");
    let verified = storage.verify(&args.selector, &bar.progress()).await?;
    let pace = bar.pace(verified.bytes);
    drop(bar);

    let (model, version) = (&verified.manifest.model_name, &verified.manifest.version);
    if cx.ui.json {
        return cx.ui.answer_json(&json!({
            "model": model, "version": version, "files": verified.files, "bytes": verified.bytes, "intact": true,
        }));
    }
    cx.ui.answer(format_args!(
        "{} {model}@{version}: {}, {} in {pace}",
        styled(GOOD, "intact"),
        plural(verified.files, "file"),
        size(verified.bytes),
    ))
}
