//! Configuration of OpenID Connect, validated when it is parsed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use modeldepot::Secret;
use url::{Host, Url};

use crate::auth::Grants;

/// How long a person may take at the provider.
const ATTEMPT: Duration = Duration::from_secs(10 * 60);

/// How long the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How people log in through an OpenID Connect provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The provider.
    pub issuer: Issuer,
    /// The service's name at the provider.
    pub client_id: String,
    /// Its secret there. A public client has none.
    pub client_secret: Option<Secret>,
    /// The scopes that are asked for; `openid` always is.
    pub scopes: Vec<String>,
    /// The claim that holds a person's groups: a list or one text. A dot leads into an object.
    pub groups_claim: String,
    /// What the members of each group may do. A person of none is refused.
    pub grants: Vec<GroupGrants>,
    /// How long a session lasts. Twelve hours at most, after which every session ends.
    pub session: Duration,
    /// How long a person may take at the provider.
    pub attempt: Duration,
    /// How long the provider may take for one answer.
    pub patience: Duration,
}

impl Oidc {
    /// Returns the configuration of a public client that asks for `openid email groups` and reads the claim `groups`.
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

/// The URL of an OpenID Connect provider, kept as it was written: a token names it letter by letter.
///
/// - `https`, or `http` for a provider on this machine
/// - no login, query or fragment
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Returns the URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host, and the port where it is an unusual one.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Returns true for a provider on this machine that speaks without TLS.
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

/// Returns true for a URL whose host is this machine by its name.
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
/// The group `*` has everyone whom the provider lets log in.
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
        // Grants have no `=`; a group may be a name of LDAP, which has many.
        let (group, grants) = text.rsplit_once('=').ok_or("write it as GROUP=GRANTS, as in `ml-team=publish`")?;
        if group.is_empty() {
            return Err("the group before `=` is missing; `*` is everyone who logs in".to_owned());
        }
        let grants = grants.parse::<Grants>().map_err(|error| error.to_string())?;
        Ok(GroupGrants { group: group.to_owned(), grants })
    }
}

/// Returns what a person of these groups may do, all in all; none is a person of no group that is granted anything.
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
