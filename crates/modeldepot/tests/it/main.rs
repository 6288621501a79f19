//! Tests of the library against S3 servers over sockets: the embedded one always, MinIO and SeaweedFS where
//! `cargo xtask test` starts them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod address;
mod backend;
mod client;
mod contract;
mod https;
mod models;
mod original;
mod publish;
mod upkeep;
