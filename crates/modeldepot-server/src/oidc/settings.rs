//! Configuration of OpenID Connect, validated when it is parsed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use modeldepot::Secret;
use url::{Host, Url};

use crate::auth::Grants;

/// How long a person may take to log in at the provider.
const ATTEMPT: Duration = Duration::from_secs(10 * 60);

/// How long the provider may take for a response.
const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration of logins through an OpenID Connect provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The provider.
    pub issuer: Issuer,
    /// The service's client id at the provider.
    pub client_id: String,
    /// Its client secret. Public clients have none.
    pub client_secret: Option<Secret>,
    /// The requested scopes; `openid` is always included.
    pub scopes: Vec<String>,
    /// The claim with a person's groups: a list or a single string. A dot selects a field of an object.
    pub groups_claim: String,
    /// What the members of each group may do. People without any of these groups are refused.
    pub grants: Vec<GroupGrants>,
    /// How long a session lasts, at most twelve hours.
    pub session: Duration,
    /// How long a person may take to log in at the provider.
    pub attempt: Duration,
    /// How long the provider may take for a response.
    pub patience: Duration,
}

impl Oidc {
    /// Returns the configuration of a public client that requests `openid email groups` and reads the claim `groups`.
    pub fn new(issuer: Issuer, client_id: impl Into<String>) -> Oidc {
        Oidc {
            issuer,
            client_id: client_id.into(),
            client_secret: None,
            scopes: ["openid", "email", "groups"].map(str::to_owned).to_vec(),
            groups_claim: "groups".to_owned(),
            grants: Vec::new(),
            session: Duration::from_secs(12 * 3600),
            attempt: ATTEMPT,
            patience: PATIENCE,
        }
    }
}

/// The URL of an OpenID Connect provider, kept as written: tokens must contain it character for character.
///
/// - `https`, or `http` for a provider on this machine
/// - no user, query or fragment
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Returns the URL as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host, with the port unless it is the default.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Returns true for a provider on this machine without TLS.
    #[cfg(feature = "oidc")]
    pub(super) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Issuer, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let bare = url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err("an issuer has no login, query or fragment".to_owned());
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err("use https: without it only a provider on this machine is trusted".to_owned());
        }
        Ok(Issuer { text: text.to_owned(), url })
    }
}

/// Returns true if the URL's host is a loopback name.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What the members of a group may do: `GROUP=GRANTS`, as in `ml-team=read,publish:plant-*`.
///
/// The group `*` includes everyone who can log in at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupGrants {
    /// The group, as the provider names it.
    pub group: String,
    /// What its members may do.
    pub grants: Grants,
}

impl FromStr for GroupGrants {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupGrants, String> {
        // Grants contain no `=`, but a group may be an LDAP name with many.
        let (group, grants) = text.rsplit_once('=').ok_or("write it as GROUP=GRANTS, as in `ml-team=publish`")?;
        if group.is_empty() {
            return Err("the group before `=` is missing; `*` is everyone who logs in".to_owned());
        }
        let grants = grants.parse::<Grants>().map_err(|error| error.to_string())?;
        Ok(GroupGrants { group: group.to_owned(), grants })
    }
}

/// Returns the combined grants of a person's groups; `None` if none of the groups has grants.
#[cfg(feature = "oidc")]
pub(super) fn granted(grants: &[GroupGrants], groups: &[String]) -> Option<Grants> {
    let held = grants.iter().filter(|grant| grant.group == "*" || groups.contains(&grant.group));
    held.map(|grant| grant.grants.clone()).reduce(|all, more| all.union(&more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers() {
        for good in ["https://id.example", "https://id.example/realms/a", "http://localhost:5556/dex", "http://[::1]:1"]
        {
            assert_eq!(good.parse::<Issuer>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "http://localhost.evil.example",
            "ftp://localhost",
            "https://a:b@id.example",
            "https://id.example?x",
            "https://id.example#x",
        ] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad}");
        }
        assert_eq!("https://id.example/a".parse::<Issuer>().unwrap().host(), "id.example");
        assert_eq!("http://localhost:5556/dex".parse::<Issuer>().unwrap().host(), "localhost:5556");
    }

    #[test]
    fn grants_of_groups() {
        let one: GroupGrants = "cn=ml,ou=groups=read,publish:plant-*".parse().unwrap();
        assert_eq!((one.group.as_str(), one.grants.to_string().as_str()), ("cn=ml,ou=groups", "read,publish:plant-*"));
        for bad in ["", "ml", "=read", "ml=", "ml=write"] {
            assert!(bad.parse::<GroupGrants>().is_err(), "{bad}");
        }
    }

    #[cfg(feature = "oidc")]
    #[test]
    fn a_person_may_what_any_of_their_groups_may() {
        let grants = ["*=read", "ml=publish:plant-*", "ops=delete"].map(|text| text.parse().unwrap());
        let of = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            granted(&grants, &groups).map(|grants| grants.to_string())
        };
        assert_eq!(of(&[]).as_deref(), Some("read"));
        assert_eq!(of(&["ml", "other"]).as_deref(), Some("read,publish:plant-*"));
        assert_eq!(of(&["ml", "ops"]).as_deref(), Some("delete"));
        assert_eq!(granted(&grants[1..], &["*".to_owned(), "m".to_owned()]), None, "a group named `*` is no wildcard");
    }
}
