//! Logging in through an OpenID Connect provider, with a browser: authorization code with PKCE.
//!
//! - `settings`: what the operator sets.
//! - `provider`: the two steps of a login. `attempt`: what has to be known again between them.
//! - `discovery`: what the provider says of itself, and its keys. `http`: how it is asked.
//! - `claims`: who a person is, and their groups. `failure`: why a login fails.
//!
//! The library `openidconnect` costs half a minute to build. Without the feature `oidc` the settings are still there, and
//! a service that is given any refuses to start.

#[cfg(not(feature = "oidc"))]
mod absent;
#[cfg(feature = "oidc")]
mod attempt;
#[cfg(feature = "oidc")]
mod claims;
#[cfg(feature = "oidc")]
mod discovery;
#[cfg(feature = "oidc")]
mod failure;
#[cfg(feature = "oidc")]
mod http;
#[cfg(feature = "oidc")]
mod provider;
mod settings;

#[cfg(not(feature = "oidc"))]
pub(crate) use self::absent::Provider;
#[cfg(feature = "oidc")]
pub(crate) use self::failure::Failure;
#[cfg(feature = "oidc")]
pub(crate) use self::provider::{Answer, Provider};
pub use self::settings::{GroupGrants, Issuer, Oidc};
