//! Converting values of the SDK.

use aws_sdk_s3::primitives::DateTime;
use time::OffsetDateTime;

/// Returns an ETag without its quotes.
pub(super) fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

pub(super) fn moment(time: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok()
}
