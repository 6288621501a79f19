//! `modeldepot url`.

use modeldepot::s3::PresignedMethod;
use serde_json::json;

use super::Context;
use crate::args::UrlArgs;
use crate::error::Error;

pub(crate) async fn run(args: UrlArgs, cx: &Context<'_>) -> Result<(), Error> {
    let method = if args.put { PresignedMethod::Put } else { PresignedMethod::Get };
    let storage = cx.storage().await?;
    let expires = args.expires.0;
    let url = storage.presign(&args.selector, args.file.as_ref(), method, expires).await?;
    if args.put && !args.force {
        storage.check_upload_urls().await.map_err(Error::UploadUrl)?;
    }
    if cx.ui.json {
        let method = if args.put { "PUT" } else { "GET" };
        return cx.ui.answer_json(&json!({"url": url, "method": method, "expires_in": expires.as_secs()}));
    }
    cx.ui.answer(url)
}
