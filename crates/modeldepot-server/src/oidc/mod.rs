//! Logging in through an OpenID Connect provider, with a browser: authorization code with PKCE.
//!
//! - `settings`: configuration.
//! - `provider`: the two steps of a login. `attempt`: the state between them.
//! - `discovery`: the provider's metadata and keys. `http`: requests to it.
//! - `claims`: identity and groups. `failure`: login failures.
//!
//! The library `openidconnect` takes half a minute to build. Without the feature `oidc`, settings and routes still
//! exist, and a service with such settings refuses to start.

#[cfg(not(feature = "oidc"))]
mod absent;
#[cfg(feature = "oidc")]
mod attempt;
#[cfg(feature = "oidc")]
mod claims;
#[cfg(feature = "oidc")]
mod discovery;
#[cfg_attr(not(feature = "oidc"), allow(dead_code, reason = "nobody fails to log in where nobody can"))]
mod failure;
#[cfg(feature = "oidc")]
mod http;
#[cfg(feature = "oidc")]
mod provider;
mod settings;

#[cfg(not(feature = "oidc"))]
pub(crate) use self::absent::Provider;
pub(crate) use self::failure::Failure;
#[cfg(feature = "oidc")]
pub(crate) use self::provider::Provider;
pub use self::settings::{GroupGrants, Issuer, Oidc};

/// The provider's answer, as brought back by the browser.
#[cfg_attr(not(feature = "oidc"), allow(dead_code, reason = "nobody reads it then"))]
pub(crate) struct Answer {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
}
