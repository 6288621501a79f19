//! The errors that more than one operation answers.

use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode, s3_error};

use crate::room::is_full;

pub(crate) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(crate) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
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
