//! Endpoints that cannot be right, whatever they answer.

use crate::Settings;

/// Returns what is wrong with the endpoint of the settings, and what to do, if that can be seen by looking at it.
pub(crate) fn mistake(settings: &Settings) -> Option<String> {
    let url = settings.endpoint.as_ref()?.url();
    let host = url.host_str()?;
    if host.contains(".s3-website") {
        return Some(
            "S3_ENDPOINT is that of a bucket's web site, which only hands out pages: leave it empty, and set S3_REGION to \
             the bucket's region"
                .to_owned(),
        );
    }
    for bucket in settings.buckets.all() {
        let Some(rest) = host.strip_prefix(bucket.as_str()).and_then(|rest| rest.strip_prefix('.')) else { continue };
        // Another host may well begin with the same word.
        let is_aws = rest.ends_with(".amazonaws.com") && rest.starts_with("s3");
        if is_aws {
            return Some(format!(
                "S3_ENDPOINT names the bucket `{bucket}` in its host: leave it empty for AWS, and set S3_REGION"
            ));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        if rest.starts_with("s3") {
            return Some(format!(
                "S3_ENDPOINT names the bucket `{bucket}` in its host: set it to {}://{rest}{port}",
                url.scheme()
            ));
        }
    }
    let path = url.path().trim_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    settings.buckets.all().into_iter().find(|bucket| bucket.as_str() == last).map(|bucket| {
        format!("S3_ENDPOINT names the bucket `{bucket}` in its path: leave that out, S3_BUCKET_MODELS names it")
    })
}
