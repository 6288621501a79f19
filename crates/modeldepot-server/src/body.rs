//! Reading request bodies.

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt as _;

use crate::problem::{Problem, Result};

/// Reads a body of at most `most` bytes.
pub(crate) async fn read(body: Body, most: usize) -> Result<Vec<u8>> {
    let mut bytes = body.into_data_stream();
    let mut read = Vec::new();
    while let Some(came) = bytes.next().await {
        let came = came.map_err(|_| broke_off())?;
        if read.len() + came.len() > most {
            return Err(too_large());
        }
        read.extend_from_slice(&came);
    }
    Ok(read)
}

/// The problem of a body over its limit.
pub(crate) fn too_large() -> Problem {
    Problem::invalid("the body is too large").status(StatusCode::PAYLOAD_TOO_LARGE)
}

/// The problem of a body that ended early, or came too slowly.
pub(crate) fn broke_off() -> Problem {
    Problem::invalid("the connection closed before the whole body arrived").status(StatusCode::REQUEST_TIMEOUT)
}
