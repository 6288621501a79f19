//! Errors that several operations have in common.

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

/// The error when the newest version of a key is a delete marker.
pub(crate) fn deleted(marker: &str) -> S3Error {
    let mut error = no_such_key();
    error.set_headers(marker_headers(marker));
    error
}

/// The error of reading a delete marker, which has no content.
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

/// The error code of a full disk.
pub(crate) const NO_ROOM: &str = "InsufficientStorage";

pub(crate) fn is_no_room(error: &S3Error) -> bool {
    error.code().as_str() == NO_ROOM
}

/// The error of a full disk or an exceeded quota. Its status keeps clients from retrying at once.
pub(crate) fn no_room() -> S3Error {
    let message = "The server's disk is full, so nothing can be stored. Delete objects, or free space on the disk that \
                   holds the server's data folder.";
    custom(NO_ROOM, StatusCode::INSUFFICIENT_STORAGE, message.into())
}

/// The error of an internal failure. The client learns no details, unless the disk is full.
pub(crate) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    if is_full(&error) {
        return no_room();
    }
    tracing::error!(error = &error as &dyn std::error::Error, "internal error");
    s3_error!(InternalError, "We encountered an internal error. Please try again.")
}

/// An error with an S3 code that the protocol layer does not have.
pub(crate) fn custom(code: &'static str, status: StatusCode, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// An error answered without the protocol layer.
pub(crate) fn plain_error(status: StatusCode, code: &str, message: &str) -> Response<s3s::Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(s3s::Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
