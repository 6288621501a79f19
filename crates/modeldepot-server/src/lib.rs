//! The REST service and the web console: what a bucket holds, for programs and for people who would rather look.
//!
//! Neither holds state of its own: the bucket is the truth.
//!
//! # Map
//! - `server`: starts, listens, stops.
//! - `state`: what every handler holds.
//! - `catalog`: the models and versions, read through a small cache that is validated against the bucket.
//! - `routes`: the REST API, one file a resource.
//! - `problem`: what is said of a failure.
//! - `remote`: the address of the client, also behind a proxy.
//! - `auth`: who asks, and what they may. `guard`: what every request passes. `logins`, `rates`: how often.
//! - `answers`: how many large ones are on their way. `readiness`: whether the bucket answers.
//! - `jobs`: verifications. `uploads`: what is on its way to be published; `staging`: files that pass through.
//! - `doctor`: what whoever starts the service can try of its surroundings, for the page on health.
//! - `console`: the pages.

mod answers;
mod auth;
mod catalog;
mod console;
mod doctor;
mod error;
mod guard;
mod jobs;
mod logins;
mod metrics;
mod problem;
mod rates;
mod readiness;
mod remote;
mod routes;
mod server;
mod staging;
mod state;
mod uploads;

pub use auth::{Scope, Token, Tokens, TokensError};
pub use doctor::{Check, Doctor, Outcome};
pub use error::Error;
pub use server::{Config, Redirect, Server};
