//! The REST service and the web console of a bucket.
//!
//! Neither has state of its own: the bucket is the only source of truth.
//!
//! # Map
//! - `server`: starts, listens, stops. `config`: its configuration. `state`: what handlers share.
//! - `table`: the routes, with their scope and kind of body. `router`: the router that is built from them.
//! - `middleware`: the layers of every request. `guard`, `remote`, `logins`, `rates`, `answers`, `shares`: the checks
//!   and limits they apply.
//! - `auth`: authentication and grants. `oidc`: login through an OpenID Connect provider.
//! - `api`: the REST API, one file per resource. `console`: the pages. They do not depend on each other.
//! - `catalog`: the models and versions, read through a small cache that is validated against the bucket.
//! - `jobs`: verifications. `uploads`: three-step uploads in progress. `tasks`: work that outlives its request.
//! - `form`, `body`: request bodies. `conditions`: conditional requests. `staging`: uploaded files until they are
//!   published. `links`: lifetime of presigned links.
//! - `problem`: error responses (RFC 9457). `hint`: what to do next, in terms of the REST API.
//! - `log`: the audit log and the access log. `metrics`: Prometheus. `readiness`: whether the bucket is reachable.
//! - `doctor`: checks of the environment for the health page, passed in by the program that starts the service.

mod answers;
mod api;
mod auth;
mod body;
mod catalog;
mod conditions;
mod config;
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
mod middleware;
mod oidc;
mod problem;
mod rates;
mod readiness;
mod remote;
mod router;
mod server;
mod shares;
mod staging;
mod state;
mod table;
mod tasks;
mod uploads;

pub use auth::{
    Grant, Grants, GrantsError, Login, ModelPattern, Scope, Token, Tokens, TokensError, last_used,
    warning as tokens_warning,
};
pub use config::{Config, Redirect};
pub use doctor::{Check, Doctor, Outcome};
pub use error::Error;
pub use log::{Log, LogTarget};
pub use oidc::{GroupGrants, Issuer, Oidc};
pub use router::routes;
pub use server::Server;
pub use table::{Route, Takes};
