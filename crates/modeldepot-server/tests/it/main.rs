//! Tests of the service over sockets, on the embedded S3 server and, with `cargo xtask test`, on MinIO.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod auth;
mod compressed;
mod files;
mod floors;
mod fresh;
mod grants;
mod hostile;
mod jobs;
mod limits;
mod links;
mod load;
mod minio;
mod models;
#[cfg(feature = "oidc")]
mod oidc;
mod own;
mod place;
mod problems;
mod publish;
mod quiet;
mod routes;
mod staging;
mod strangers;
mod threads;
mod uploads;
