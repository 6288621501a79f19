//! Tests of the library against S3 servers over sockets: always the embedded one, and others if `cargo xtask test`
//! starts them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "`cargo xtask test` names servers and tools in the environment")]

mod address;
mod aws;
mod backend;
mod base_path;
mod bounds;
mod by_url;
mod client;
mod cluster;
mod completing;
mod contract;
mod dialects;
mod direct;
mod examples;
mod failed;
mod fuzz;
mod hostile;
mod https;
mod kept;
mod lost;
mod misbehaving;
mod models;
mod original;
mod other_folders;
mod own;
mod proxied;
mod proxy;
mod publish;
mod publishable;
mod pull;
mod ranges;
mod read;
mod refusals;
mod replaced;
mod retries;
mod sending;
mod servers;
mod silence;
mod streams;
mod threads;
mod transfer;
mod unspellable;
mod upkeep;
mod upload_urls;
mod versioned;
mod versions;
