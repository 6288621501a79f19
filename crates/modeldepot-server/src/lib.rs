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
//! - `table`: every route, with the scope that it needs and the body that it takes. `access`: who may call it.
//! - `form`: forms with files, as they come. `links`: how long presigned links live.
//! - `auth`: who asks, and what they may. `guard`: what every request passes. `logins`, `rates`: how often.
//! - `oidc`: how people log in through a provider.
//! - `log`: who did what: the audit log and the access log.
//! - `answers`: how many large ones are on their way. `readiness`: whether the bucket answers.
//! - `jobs`: verifications. `uploads`: what is on its way to be published; `staging`: files that pass through.
//! - `shares`: places that callers share, so that none takes them all.
//! - `doctor`: what whoever starts the service can try of its surroundings, for the page on health.
//! - `console`: the pages.

mod access;
mod answers;
mod auth;
mod catalog;
mod console;
mod doctor;
mod error;
mod form;
mod guard;
mod jobs;
mod links;
mod log;
mod logins;
mod metrics;
mod oidc;
mod problem;
mod rates;
mod readiness;
mod remote;
mod routes;
mod server;
mod shares;
mod staging;
mod state;
mod table;
mod uploads;

pub use auth::{
    Grant, Grants, GrantsError, Login, ModelPattern, Scope, Token, Tokens, TokensError, last_used,
    warning as tokens_warning,
};
pub use doctor::{Check, Doctor, Outcome};
pub use error::Error;
pub use log::{Log, LogTarget};
pub use oidc::{GroupGrants, Issuer, Oidc};
pub use server::{Config, Redirect, Server};
pub use table::{Route, Takes, routes};
