//! `modeldepot init`.

use modeldepot::S3Client;
use serde_json::json;

use super::Context;
use crate::error::Error;
use crate::ui::{BOLD, DIM, GOOD, styled};

pub(crate) async fn run(cx: &Context<'_>) -> Result<(), Error> {
    let client = S3Client::connect(cx.settings).await?;
    let mut answer = Vec::new();
    // Credentials for one folder of the models bucket may only be allowed to list that folder.
    let depot = S3Client::connect_depot(cx.settings).await?;
    for bucket in cx.settings.buckets.all() {
        let client = if *bucket == cx.settings.buckets.models { &depot } else { &client };
        let made = client.create_bucket(bucket).await?;
        if cx.ui.json {
            answer.push(json!({"bucket": bucket, "created": made}));
        } else {
            let state = if made { styled(GOOD, "created") } else { styled(DIM, "exists ") };
            cx.ui.answer(format_args!("{state} {}", styled(BOLD, bucket)))?;
        }
    }
    if cx.ui.json {
        cx.ui.answer_json(&json!({"endpoint": client.endpoint(), "buckets": answer}))?;
    }
    Ok(())
}
