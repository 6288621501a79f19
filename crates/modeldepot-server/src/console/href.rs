//! URL paths of the pages, and of REST API routes that pages link to.

use modeldepot::{ArtifactPath, ModelName, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

/// Characters that are not escaped in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-').remove(b'~').remove(b'+');

pub(super) fn model(model: &ModelName) -> String {
    format!("/models/{model}")
}

pub(super) fn version(model: &ModelName, version: &Version) -> String {
    format!("/models/{model}/versions/{version}")
}

/// Returns the REST API path of a version.
pub(super) fn api(model: &ModelName, version: &Version) -> String {
    format!("/api/v1/models/{model}/versions/{version}")
}

/// Returns the path of a version's file.
pub(super) fn file(model: &ModelName, version: &Version, path: &ArtifactPath) -> String {
    let segments: Vec<String> = path.segments().map(|it| utf8_percent_encode(it, SEGMENT).to_string()).collect();
    format!("{}/files/{}", api(model, version), segments.join("/"))
}

/// Returns a path with a query.
pub(super) fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}
