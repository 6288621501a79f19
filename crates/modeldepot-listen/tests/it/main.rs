//! Tests of the loop over sockets: clients that are slow, many, large or silent, and certificates.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crowds;
mod heads;
mod slow;
mod stage;
mod tls;
