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
//! - `doctor`: what whoever starts the service knows of its surroundings, for the page on health.
//! - `console`: the pages.

mod catalog;
mod console;
mod doctor;
mod error;
mod problem;
mod routes;
mod server;
mod state;

pub use doctor::{Check, Doctor, Outcome};
pub use error::Error;
pub use server::{Config, Server};
