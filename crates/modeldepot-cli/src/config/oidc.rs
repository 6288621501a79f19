//! OpenID Connect settings, from flags, the environment and `.env`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use modeldepot::Secret;
use modeldepot_server::{GroupGrants, Issuer, Oidc};

use super::{Layers, here};
use crate::args::{Lifetime, OidcArgs};
use crate::error::Error;

/// The longest client secret, in bytes.
const LONGEST_SECRET: u64 = 4096;

/// The longest session.
const LONGEST_SESSION: Duration = Duration::from_secs(12 * 3600);

/// Returns the settings of the login provider; `None` if none is configured.
pub(crate) fn oidc(args: OidcArgs) -> Result<Option<Oidc>, Error> {
    resolve(args, &here(Vec::new())?)
}

fn resolve<E: Fn(&str) -> Option<String>>(args: OidcArgs, layers: &Layers<E>) -> Result<Option<Oidc>, Error> {
    let set = |name: &str| layers.find(name).0.filter(|value| !value.is_empty());
    let given = args.given();
    let issuer = match args.oidc_issuer {
        Some(issuer) => Some(issuer),
        None => set(ISSUER).map(|text| parsed::<Issuer>(ISSUER, &text)).transpose()?,
    };
    let Some(issuer) = issuer else {
        return match given {
            Some(flag) => Err(usage(format!("`{flag}` needs `--oidc-issuer`"))),
            None => Ok(None),
        };
    };
    let client = args.oidc_client_id.or_else(|| set("MODELDEPOT_OIDC_CLIENT_ID"));
    let client = client.ok_or_else(|| usage("`--oidc-issuer` needs `--oidc-client-id`".to_owned()))?;
    let mut oidc = Oidc::new(issuer, client);
    let secret = args.oidc_client_secret_file.or_else(|| set("MODELDEPOT_OIDC_CLIENT_SECRET_FILE").map(PathBuf::from));
    oidc.client_secret = secret.map(|path| read_secret(&path)).transpose()?;
    if let Some(scopes) = args.oidc_scopes.or_else(|| set("MODELDEPOT_OIDC_SCOPES")) {
        oidc.scopes = scopes.split_whitespace().map(str::to_owned).collect();
    }
    if let Some(claim) = args.oidc_groups_claim.or_else(|| set("MODELDEPOT_OIDC_GROUPS_CLAIM")) {
        oidc.groups_claim = claim;
    }
    oidc.grants = match (args.oidc_grant, set(GRANTS)) {
        (given, None) => given,
        (given, Some(_)) if !given.is_empty() => given,
        (_, Some(text)) => {
            let grants = text.split(';').map(str::trim).filter(|grant| !grant.is_empty());
            grants.map(|grant| parsed::<GroupGrants>(GRANTS, grant)).collect::<Result<_, _>>()?
        }
    };
    let session = match (args.oidc_session, set(SESSION)) {
        (None, Some(text)) => Some(parsed::<Lifetime>(SESSION, &text)?),
        (given, _) => given,
    };
    if let Some(Lifetime(session)) = session {
        if session.is_zero() || session > LONGEST_SESSION {
            return Err(usage("a session lasts from 1s to 12h".to_owned()));
        }
        oidc.session = session;
    }
    Ok(Some(oidc))
}

const ISSUER: &str = "MODELDEPOT_OIDC_ISSUER";
const GRANTS: &str = "MODELDEPOT_OIDC_GRANTS";
const SESSION: &str = "MODELDEPOT_OIDC_SESSION";

fn parsed<T: FromStr<Err = String>>(name: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| usage(format!("invalid value `{}` for {name}: {error}", text.escape_debug())))
}

fn usage(message: String) -> Error {
    Error::Usage { message, hint: "docs/console.md shows how a provider is set up" }
}

/// Returns the secret in a file, without the final line break.
fn read_secret(path: &Path) -> Result<Secret, Error> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST_SECRET + 1).read_to_string(&mut text))
        .and_then(|length| match length as u64 {
            0 => Err(io::Error::other("it is empty")),
            length if length > LONGEST_SECRET => Err(io::Error::other("it is longer than any client secret")),
            _ => Ok(()),
        })
        .map_err(Error::io("read the client secret in", path))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        oidc: OidcArgs,
    }

    fn resolved(typed: &[&str], environment: &[(&str, &str)]) -> Result<Option<Oidc>, Error> {
        let typed = Typed::parse_from(std::iter::once("x").chain(typed.iter().copied()));
        let environment = |name: &str| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        resolve(typed.oidc, &Layers { flags: Vec::new(), environment, file: None, profile: None })
    }

    #[test]
    fn flags_win_over_the_environment() {
        assert!(resolved(&[], &[("MODELDEPOT_OIDC_CLIENT_ID", "x")]).unwrap().is_none());
        let environment = [
            ("MODELDEPOT_OIDC_ISSUER", "https://id.example/realms/a"),
            ("MODELDEPOT_OIDC_CLIENT_ID", "depot"),
            ("MODELDEPOT_OIDC_SCOPES", "openid  roles"),
            ("MODELDEPOT_OIDC_GROUPS_CLAIM", "realm_access.roles"),
            ("MODELDEPOT_OIDC_GRANTS", "*=read; ml=publish:plant-* ;"),
            ("MODELDEPOT_OIDC_SESSION", "8h"),
        ];
        let found = resolved(&[], &environment).unwrap().unwrap();
        assert_eq!((found.issuer.as_str(), found.client_id.as_str()), ("https://id.example/realms/a", "depot"));
        assert_eq!((found.scopes.join(" "), found.grants.len()), ("openid roles".to_owned(), 2));
        assert_eq!((found.groups_claim.as_str(), found.session), ("realm_access.roles", Duration::from_secs(8 * 3600)));
        let flags = ["--oidc-client-id", "other", "--oidc-grant", "ops=delete", "--oidc-session", "30m"];
        let found = resolved(&flags, &environment).unwrap().unwrap();
        assert_eq!((found.client_id.as_str(), found.session), ("other", Duration::from_secs(1800)));
        assert_eq!(found.grants, ["ops=delete".parse().unwrap()]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refused = |typed: &[&str], environment: &[(&str, &str)]| {
            resolved(typed, environment).map(|_| ()).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(&["--oidc-client-id", "x"], &[]), @"`--oidc-client-id` needs `--oidc-issuer`");
        insta::assert_snapshot!(refused(&["--oidc-issuer", "https://id.example"], &[]), @"`--oidc-issuer` needs `--oidc-client-id`");
        let both = ["--oidc-issuer", "https://id.example", "--oidc-client-id", "x"];
        insta::assert_snapshot!(refused(&both, &[("MODELDEPOT_OIDC_SESSION", "13h")]), @"a session lasts from 1s to 12h");
        insta::assert_snapshot!(refused(&both, &[("MODELDEPOT_OIDC_GRANTS", "ml=write")]), @"invalid value `ml=write` for MODELDEPOT_OIDC_GRANTS: `write` is not a valid grant: use `read`, `share`, `publish` or `delete`");
        insta::assert_snapshot!(refused(&[], &[("MODELDEPOT_OIDC_ISSUER", "http://id.example")]), @"invalid value `http://id.example` for MODELDEPOT_OIDC_ISSUER: use https: without it only a provider on this machine is trusted");
    }

    #[test]
    fn a_secret_is_read_from_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_secret(&path)
        };
        assert_eq!(read("s3cr et\r\n").unwrap().reveal(), "s3cr et");
        assert!(read("").is_err() && read(&"x".repeat(5000)).is_err());
        fs::write(&path, "hidden").unwrap();
        let flags = ["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-client-secret-file"];
        let typed: Vec<&str> = flags.into_iter().chain([path.to_str().unwrap()]).collect();
        let found = resolved(&typed, &[]).unwrap().unwrap();
        assert!(found.client_secret.is_some() && !format!("{found:?}").contains("hidden"));
    }
}
