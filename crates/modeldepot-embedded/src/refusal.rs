//! The errors that more than one operation answers.

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response, StatusCode};
use s3s::{S3Error, S3ErrorCode, s3_error};

use crate::disk::room::is_full;

pub(crate) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(crate) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(crate) fn no_such_version() -> S3Error {
    s3_error!(NoSuchVersion, "The specified version does not exist.")
}

/// Answers that the newest version of a key is a delete marker.
pub(crate) fn deleted(marker: &str) -> S3Error {
    let mut error = no_such_key();
    error.set_headers(marker_headers(marker));
    error
}

/// Answers a read of a delete marker, which has nothing to read.
pub(crate) fn is_marker(marker: &str, modified: i64) -> S3Error {
    let mut error = s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.");
    let mut headers = marker_headers(marker);
    headers.insert(hyper::header::ALLOW, HeaderValue::from_static("DELETE"));
    let modified = time::OffsetDateTime::from_unix_timestamp(modified).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    if let Some(value) = modified.format(format).ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(hyper::header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error
}

fn marker_headers(marker: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(value) = HeaderValue::from_str(marker) {
        headers.insert("x-amz-version-id", value);
    }
    headers
}

pub(crate) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// The code of a disk without room.
pub(crate) const NO_ROOM: &str = "InsufficientStorage";

pub(crate) fn is_no_room(error: &S3Error) -> bool {
    error.code().as_str() == NO_ROOM
}

/// Answers that the disk, or the quota of the server's user, is full. By its status no client tries again at once.
pub(crate) fn no_room() -> S3Error {
    let message = "The server's disk is full, so nothing can be stored. Delete objects, or free space on the disk that \
                   holds the server's data folder.";
    custom(NO_ROOM, StatusCode::INSUFFICIENT_STORAGE, message.into())
}

/// Answers a fault of our own. The client learns only that there was one, unless it is that the disk is full.
pub(crate) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    if is_full(&error) {
        return no_room();
    }
    tracing::error!(error = &error as &dyn std::error::Error, "internal error");
    s3_error!(InternalError, "We encountered an internal error. Please try again.")
}

/// Answers with a code of S3 that the protocol layer has no name for.
pub(crate) fn custom(code: &'static str, status: StatusCode, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// Answers with an error where the protocol layer is not asked.
pub(crate) fn plain_error(status: StatusCode, code: &str, message: &str) -> Response<s3s::Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(s3s::Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
