//! Tests of the server over sockets.
//!
//! Tests that are not ignored only need this crate: they use the small client in `client.rs`. The others run real S3
//! clients (`outside.rs`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod browsers;
mod cdata;
mod client;
mod compress;
mod conditions;
mod configured;
mod control;
mod crash;
mod errors;
mod faults;
mod forms;
mod full_disk;
mod fuzz;
mod hostile;
mod keys;
mod lifecycle;
mod links;
mod objects;
mod outside;
mod preconditions;
mod rules;
mod serve;
mod signatures;
mod slow;
mod uploads;
mod versions;
