//! Login through an OpenID Connect provider.
//!
//! - `fake`: a provider that serves whatever a test wants. `browser`: what a browser does.
//! - `login`: the flow on the fake one. `hostile`: what a provider may send that must not log anyone in.
//! - `real`: npm's `oidc-provider`, if `cargo xtask ci` has installed it.

mod browser;
mod fake;
mod hostile;
mod login;
mod logs;
mod real;

use modeldepot_server::{Config, Issuer, Oidc};

/// Sets up logins at a provider.
fn at(issuer: &str) -> impl Fn(&mut Config) {
    let issuer: Issuer = issuer.parse().unwrap();
    move |config| {
        let mut oidc = Oidc::new(issuer.clone(), "depot");
        oidc.grants =
            ["readers=read", "ml-team=read,publish:plant-*", "ops=delete"].map(|it| it.parse().unwrap()).into();
        config.oidc = Some(oidc);
    }
}
