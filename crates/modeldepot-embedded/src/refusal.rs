//! The errors that more than one operation answers.

use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode, s3_error};

pub(crate) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(crate) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(crate) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// Answers a fault of our own. The client learns only that there was one.
pub(crate) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    tracing::error!(error = &error as &dyn std::error::Error, "internal error");
    s3_error!(InternalError, "We encountered an internal error. Please try again.")
}

/// Answers with a code of S3 that the protocol layer has no name for.
pub(crate) fn custom(code: &'static str, status: StatusCode, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}
