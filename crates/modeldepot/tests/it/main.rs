//! Tests of the library against S3 servers over sockets: the embedded one always, MinIO and SeaweedFS where
//! `cargo xtask test` starts them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "`cargo xtask test` names servers and tools in the environment")]

mod address;
mod backend;
mod client;
mod contract;
mod direct;
mod hostile;
mod https;
mod models;
mod original;
mod publish;
mod pull;
mod read;
mod transfer;
mod upkeep;
