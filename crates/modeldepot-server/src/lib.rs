//! The REST service and the web console of a bucket.
//!
//! Neither has state of its own: the bucket is the only source of truth.
//!
//! # Map
//! - `server`: starts, listens, stops.
//! - `state`: shared state of all handlers.
//! - `catalog`: the models and versions, read through a small cache that is validated against the bucket.
//! - `routes`: the REST API, one file a resource.
//! - `problem`: error responses (RFC 9457). `hint`: what to do next, in terms of the REST API.
//! - `remote`: the address of the client, also behind a proxy.
//! - `table`: all routes, with their scope and kind of body. `access`: authorization.
//! - `form`: streaming parser of forms with files. `links`: lifetime of presigned links.
//! - `auth`: authentication and grants. `guard`: checks of every request. `logins`, `rates`: rate limits.
//! - `oidc`: login through an OpenID Connect provider.
//! - `log`: the audit log and the access log.
//! - `answers`: limits concurrent large downloads. `readiness`: whether the bucket is reachable.
//! - `jobs`: verifications. `uploads`: three-step uploads in progress; `staging`: files of form uploads.
//! - `shares`: fair sharing of slots among callers.
//! - `doctor`: checks of the environment, handed in by the program that starts the service, for the health page.
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
mod hint;
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
