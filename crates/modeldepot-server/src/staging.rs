//! Files on their way through the service: written to a folder as they come, never gathered in memory.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use modeldepot::Error;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::problem::{Problem, Result};
use crate::routes::joined;
use crate::state::App;

/// Makes a folder, which is removed with the value.
pub(crate) async fn folder(app: &App) -> Result<TempDir> {
    let root = app.service.staging.clone();
    let made = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&root)?;
        tempfile::Builder::new().prefix("modeldepot-upload-").tempdir_in(root)
    });
    joined(made.await)?.map_err(|error| disk(app, error))
}

/// Writes a new file as it comes, and returns its size in bytes.
///
/// # Errors
/// A failure of what sends it, else a problem of kind `io`.
pub(crate) async fn write(app: &App, local: &Path, bytes: impl Stream<Item = Result<Bytes>>) -> Result<u64> {
    let io = |error| disk(app, error);
    let mut file = tokio::fs::File::create_new(local).await.map_err(io)?;
    let mut size = 0;
    let mut bytes = std::pin::pin!(bytes);
    while let Some(came) = bytes.next().await {
        let came = came?;
        app.service.metrics.received.inc_by(came.len() as u64);
        size += came.len() as u64;
        file.write_all(&came).await.map_err(io)?;
    }
    file.flush().await.map_err(io)?;
    Ok(size)
}

fn disk(app: &App, source: io::Error) -> Problem {
    Problem::from(Error::Io { action: "write to the folder for uploads", path: app.service.staging.clone(), source })
}
