//! The arguments by which people log in through an OpenID Connect provider.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use modeldepot_server::{GroupGrants, Issuer};

use super::value::Lifetime;

/// How people log in to the console through an OpenID Connect provider.
#[derive(Debug, Args)]
pub(crate) struct OidcArgs {
    /// Let people log in to the console through this OpenID Connect provider [MODELDEPOT_OIDC_ISSUER]
    ///
    /// Needs a build with the feature `oidc`. Register PUBLIC-URL/login/oidc/callback there as the redirect URI.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_issuer: Option<Issuer>,
    /// Client ID of this service at the provider [MODELDEPOT_OIDC_CLIENT_ID]
    #[arg(long, value_name = "ID", help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_client_id: Option<String>,
    /// Read the client secret from this file; a public client has none [MODELDEPOT_OIDC_CLIENT_SECRET_FILE]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_client_secret_file: Option<PathBuf>,
    /// Request these scopes, separated by spaces [default: openid email groups] [MODELDEPOT_OIDC_SCOPES]
    #[arg(long, value_name = "SCOPES", help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_scopes: Option<String>,
    /// Read a person's groups from this claim [default: groups] [MODELDEPOT_OIDC_GROUPS_CLAIM]
    #[arg(long, value_name = "CLAIM", help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_groups_claim: Option<String>,
    /// Grant this to the members of a group, as in `ml-team=publish:plant-*` (repeatable) [MODELDEPOT_OIDC_GRANTS]
    ///
    /// The group `*` is everyone who logs in. Several in the variable are separated by `;`.
    #[arg(long, value_name = "GROUP=GRANTS", help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_grant: Vec<GroupGrants>,
    /// End sessions after this time, 12h at most [default: 12h] [MODELDEPOT_OIDC_SESSION]
    #[arg(long, value_name = "TIME", help_heading = "Login by OpenID Connect")]
    pub(crate) oidc_session: Option<Lifetime>,
}

impl OidcArgs {
    /// Returns a flag that was given, if any was.
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
