//! The arguments for logging in through an OpenID Connect provider.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use modeldepot_server::{GroupGrants, Issuer};

use super::value::Lifetime;

/// Login to the console through an OpenID Connect provider.
#[derive(Debug, Args)]
pub(crate) struct OidcArgs {
    /// Log in to the console through the OpenID Connect provider with this issuer URL [MODELDEPOT_OIDC_ISSUER]
    ///
    /// Needs a build with the feature `oidc`. Register PUBLIC-URL/login/oidc/callback as the redirect URI.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_issuer: Option<Issuer>,
    /// Use this client ID at the provider [MODELDEPOT_OIDC_CLIENT_ID]
    #[arg(long, value_name = "ID", hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_client_id: Option<String>,
    /// Read the client secret from this file [MODELDEPOT_OIDC_CLIENT_SECRET_FILE]
    ///
    /// Leave it out for a public client.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_client_secret_file: Option<PathBuf>,
    /// Request these scopes, separated by spaces [default: openid email groups] [MODELDEPOT_OIDC_SCOPES]
    #[arg(long, value_name = "SCOPES", hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_scopes: Option<String>,
    /// Read a user's groups from this claim [default: groups] [MODELDEPOT_OIDC_GROUPS_CLAIM]
    #[arg(long, value_name = "CLAIM", hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_groups_claim: Option<String>,
    /// Grant a scope to a group: `ml-team=publish:plant-*` (repeatable) [MODELDEPOT_OIDC_GRANTS]
    ///
    /// The group `*` is everyone who logs in. In the variable, separate several grants with `;`.
    #[arg(long, value_name = "GROUP=GRANTS", hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_grant: Vec<GroupGrants>,
    /// End sessions after this time, at most 12h [default: 12h] [MODELDEPOT_OIDC_SESSION]
    #[arg(long, value_name = "TIME", hide_short_help = true, help_heading = "OpenID Connect")]
    pub(crate) oidc_session: Option<Lifetime>,
}

impl OidcArgs {
    /// Returns the first of these flags that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            (self.oidc_client_id.is_some(), "--oidc-client-id"),
            (self.oidc_client_secret_file.is_some(), "--oidc-client-secret-file"),
            (self.oidc_scopes.is_some(), "--oidc-scopes"),
            (self.oidc_groups_claim.is_some(), "--oidc-groups-claim"),
            (!self.oidc_grant.is_empty(), "--oidc-grant"),
            (self.oidc_session.is_some(), "--oidc-session"),
        ]
        .into_iter()
        .find_map(|(given, flag)| given.then_some(flag))
    }
}
