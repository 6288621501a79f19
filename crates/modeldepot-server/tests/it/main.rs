//! Tests of the service over sockets: on the embedded S3 server always, on MinIO where `cargo xtask test` starts one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth;
mod files;
mod fresh;
mod jobs;
mod limits;
mod load;
mod minio;
mod models;
mod own;
mod place;
mod problems;
mod publish;
mod strangers;
mod threads;
mod uploads;
