//! Reading request bodies.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::problem::{Problem, Result};

/// Reads a body of at most `most` bytes.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes> {
    match Limited::new(body, most).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(broke_off()),
    }
}

/// The error response to a body over its limit.
pub(crate) fn too_large() -> Problem {
    Problem::invalid("the body is too large").status(StatusCode::PAYLOAD_TOO_LARGE)
}

/// The error response to a body that ended early or arrived too slowly.
pub(crate) fn broke_off() -> Problem {
    Problem::invalid("the connection closed before the whole body arrived").status(StatusCode::REQUEST_TIMEOUT)
}
