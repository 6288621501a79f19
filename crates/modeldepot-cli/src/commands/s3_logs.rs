//! The audit log and the access log of the embedded server's S3 port.

use modeldepot_embedded::{OnRequest, Seen};
use modeldepot_server::{Log, LogTarget};
use serde_json::json;

use super::serve::log;
use crate::error::Error;

/// Returns the callback that logs requests to the S3 port, if a log is configured.
pub(super) fn s3_logs(audit: Option<&LogTarget>, access: Option<&LogTarget>) -> Result<Option<OnRequest>, Error> {
    let (audit, access) = (log(audit)?, log(access)?);
    if audit.is_none() && access.is_none() {
        return Ok(None);
    }
    Ok(Some(OnRequest::new(move |seen| {
        if let Some(access) = &access {
            write(access, "s3-access", seen);
        }
        if let Some(audit) = audit.as_ref().filter(|_| seen.changes || seen.is_refused()) {
            write(audit, "s3-audit", seen);
        }
    })))
}

fn write(log: &Log, name: &str, seen: &Seen) {
    let result = match seen.status {
        _ if seen.is_refused() => "refused",
        200..400 => "done",
        _ => "failed",
    };
    // A delete of a thousand keys gets several lines.
    for keys in seen.lines() {
        log.record(&json!({
            "time": Log::time(),
            "log": name,
            "request": seen.request,
            "who": seen.access_key.as_deref().map(Log::shown),
            "by": seen.access_key.as_ref().map(|_| "access key"),
            "remote": seen.remote.map(|remote| remote.to_string()),
            "action": seen.operation,
            "bucket": seen.bucket.as_deref().map(Log::shown),
            "keys": keys.iter().map(|key| Log::shown(key)).collect::<Vec<_>>(),
            "status": seen.status,
            "result": result,
        }));
    }
}
