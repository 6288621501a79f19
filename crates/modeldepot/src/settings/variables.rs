//! Resolving settings from named variables: precedence and defaults.

use super::{
    Addressing, Buckets, Credentials, Endpoint, LOOPBACK_LOGIN, Secret, Settings, SettingsError, Timeouts, Writing,
};
use crate::model::name::BucketName;
use crate::setters::setters;
use crate::settings::{Proxies, Proxy, ProxyError};

use std::path::PathBuf;
use std::time::Duration;

/// What is wrong with an endpoint such as `http://localhost:9000/models`.
pub(crate) const ENDS_IN_A_BUCKET: &str = "it ends with the name of a bucket";

/// The default address of the service.
const DEFAULT_ENDPOINT: &str = "http://localhost:9000";

/// What the caller knows of the AWS profile in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AwsProfile {
    /// The name.
    pub name: String,
    /// Whether it was chosen for this call, so that its credentials override those of variables.
    pub demanded: bool,
    /// Whether it says where credentials come from.
    pub has_credentials: bool,
}

impl AwsProfile {
    /// A profile without credentials that was not chosen for this call.
    pub fn new(name: impl Into<String>) -> AwsProfile {
        AwsProfile { name: name.into(), demanded: false, has_credentials: false }
    }
}

setters!(AwsProfile {
    value demanded: bool,
    value has_credentials: bool,
});

impl Settings {
    /// Resolves the settings from named variables: the seven names of the Python pipeline with their defaults, and
    /// those of the AWS tools.
    ///
    /// `variable` returns the value of a name, from wherever the caller stores them; unset names get their defaults.
    /// The endpoint is `S3_ENDPOINT` (empty means AWS), `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`. If none is set it
    /// is AWS if there are AWS credentials, otherwise `http://localhost:9000`. Credentials are, in this order:
    /// `S3_ACCESS_KEY` and `S3_SECRET_KEY`; `AWS_ACCESS_KEY_ID` and its companions; the profile that `AWS_PROFILE`
    /// names; on a loopback endpoint `minioadmin`; otherwise the AWS standard chain.
    ///
    /// # Errors
    /// [`SettingsError`], with the setting's name.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        Self::with_profile(variable, None)
    }

    /// As [`Settings::from_variables`], for a caller that read the AWS profile in use.
    ///
    /// # Errors
    /// [`SettingsError`], with the setting's name.
    pub fn with_profile(
        variable: impl Fn(&str) -> Option<String>,
        profile: Option<&AwsProfile>,
    ) -> Result<Settings, SettingsError> {
        let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
        let login = login(&filled, profile)?;
        let role = login.is_none() && has_aws_role(&filled, profile);
        let (endpoint, of_aws) = endpoint(&variable, role || is_of_aws(&login))?;
        // A local server without configured credentials should work with its defaults, whatever is set for AWS.
        let loopback = endpoint.as_ref().is_some_and(Endpoint::is_loopback);
        let as_it_comes = login.is_none() && loopback && !(of_aws && role);
        let credentials = match login {
            Some(login) => login.credentials,
            None if as_it_comes => {
                Credentials::Key { access: LOOPBACK_LOGIN.to_owned(), secret: Secret::new(LOOPBACK_LOGIN), token: None }
            }
            None => Credentials::Chain,
        };
        let aws_region = || {
            let names = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter(|_| !as_it_comes);
            names.into_iter().find_map(filled)
        };
        let buckets = buckets(&variable, endpoint.as_ref())?;
        let time = |setting: &'static str, default: Duration| match filled(setting) {
            None => Ok(default),
            Some(text) => Timeouts::parse(&text).map_err(|rule| SettingsError::Timeout { setting, text, rule }),
        };
        Ok(Settings {
            proxies: proxies(&filled, endpoint.as_ref())?,
            region: region(filled("S3_REGION").or_else(aws_region).unwrap_or_else(|| "us-east-1".to_owned()))?,
            endpoint,
            credentials,
            buckets,
            prefix: filled("S3_PREFIX")
                .unwrap_or_default()
                .parse()
                .map_err(|source| SettingsError::Prefix { source })?,
            addressing: Addressing::Auto,
            ca_bundle: filled("AWS_CA_BUNDLE").map(PathBuf::from),
            limit_rate: None,
            writing: Writing::from_variables(filled)?,
            timeouts: Timeouts {
                connect: time("S3_CONNECT_TIMEOUT", Timeouts::default().connect)?,
                answer: time("S3_TIMEOUT", Timeouts::default().answer)?,
            },
        })
    }
}

/// Credentials that were set.
struct Login {
    credentials: Credentials,
    /// Whether they are set by AWS variables.
    of_aws: bool,
}

fn is_of_aws(login: &Option<Login>) -> bool {
    login.as_ref().is_some_and(|login| login.of_aws)
}

fn login(
    filled: &impl Fn(&str) -> Option<String>,
    profile: Option<&AwsProfile>,
) -> Result<Option<Login>, SettingsError> {
    let of_aws = |credentials| Ok(Some(Login { credentials, of_aws: true }));
    if let Some(profile) = profile.filter(|profile| profile.demanded) {
        return of_aws(Credentials::Profile(profile.name.clone()));
    }
    if let Some((access, secret)) = key_pair(filled, "S3_ACCESS_KEY", "S3_SECRET_KEY")? {
        return Ok(Some(Login { credentials: Credentials::Key { access, secret, token: None }, of_aws: false }));
    }
    if let Some((access, secret)) = key_pair(filled, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")? {
        let token = filled("AWS_SESSION_TOKEN").map(Secret::new);
        return of_aws(Credentials::Key { access, secret, token });
    }
    match filled("AWS_PROFILE") {
        // A profile without credentials, with only a region and the like, leaves them to the rest of the chain.
        Some(_) if profile.is_some_and(|profile| !profile.has_credentials) => of_aws(Credentials::Chain),
        Some(name) => of_aws(Credentials::Profile(name)),
        None => Ok(None),
    }
}

/// Returns true when the AWS chain will find credentials without a machine's metadata service, which would have to be
/// asked whether there are any.
fn has_aws_role(filled: &impl Fn(&str) -> Option<String>, profile: Option<&AwsProfile>) -> bool {
    profile.is_some_and(|profile| profile.has_credentials)
        || filled("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() && filled("AWS_ROLE_ARN").is_some()
        || ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
            .into_iter()
            .any(|name| filled(name).is_some())
}

/// Returns the endpoint, and whether it was set by an AWS variable.
fn endpoint(
    variable: &impl Fn(&str) -> Option<String>,
    aws_by_default: bool,
) -> Result<(Option<Endpoint>, bool), SettingsError> {
    let parse = |setting: &'static str, text: &str| {
        text.trim().parse::<Endpoint>().map_err(|error| match error {
            SettingsError::Endpoint { text, reason, .. } => SettingsError::Endpoint { setting, text, reason },
            other => other,
        })
    };
    match variable("S3_ENDPOINT") {
        Some(text) if text.trim().is_empty() => return Ok((None, false)),
        Some(text) => return Ok((Some(parse("S3_ENDPOINT", &text)?), false)),
        None => {}
    }
    let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if !ignored.is_some_and(|text| text.trim().eq_ignore_ascii_case("true")) {
        for setting in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
            if let Some(text) = variable(setting).filter(|text| !text.trim().is_empty()) {
                return Ok((Some(parse(setting, &text)?), true));
            }
        }
    }
    Ok((if aws_by_default { None } else { Some(DEFAULT_ENDPOINT.parse()?) }, false))
}

/// Returns the buckets. If only the models bucket is named, or on AWS, where `data` belongs to another account, there
/// are no others unless they are named too.
fn buckets(variable: &impl Fn(&str) -> Option<String>, endpoint: Option<&Endpoint>) -> Result<Buckets, SettingsError> {
    let parse = |setting: &'static str, text: &str| {
        text.parse::<BucketName>().map_err(|source| SettingsError::Bucket { setting, source })
    };
    let models = variable("S3_BUCKET_MODELS").filter(|name| !name.is_empty());
    let all = models.is_none() && endpoint.is_some();
    let other = |setting: &'static str, default: &str| match variable(setting) {
        Some(name) if name.is_empty() => Ok(None),
        Some(name) => parse(setting, &name).map(Some),
        None if all => parse(setting, default).map(Some),
        None => Ok(None),
    };
    let buckets = Buckets {
        models: parse("S3_BUCKET_MODELS", models.as_deref().unwrap_or("models"))?,
        images: other("S3_BUCKET_IMAGES", "plants-images")?,
        data: other("S3_BUCKET_DATA", "data")?,
    };
    // A bucket at the end of the endpoint is a common mistake, and no base path would have that name.
    if let Some(endpoint) = endpoint
        && let [only] = endpoint.url().path().trim_matches('/').split('/').collect::<Vec<_>>()[..]
        && buckets.all().iter().any(|bucket| bucket.as_str() == only)
    {
        let set = |name: &&str| variable(name).is_some_and(|text| !text.trim().is_empty());
        let names = ["S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        return Err(SettingsError::Endpoint {
            setting: names.into_iter().find(set).unwrap_or("S3_ENDPOINT"),
            text: endpoint.to_string(),
            reason: ENDS_IN_A_BUCKET,
        });
    }
    Ok(buckets)
}

/// Returns the proxies. An invalid one is an error only if requests to the endpoint would go through it.
fn proxies(filled: &impl Fn(&str) -> Option<String>, endpoint: Option<&Endpoint>) -> Result<Proxies, SettingsError> {
    const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
    let found = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, filled(name)?)));
    let except = found(&["no_proxy", "NO_PROXY"]).map(|(_, text)| text).unwrap_or_default();
    // A web server passes a header named `Proxy` to its scripts as HTTP_PROXY, where any visitor could set it.
    let upper = if filled("REQUEST_METHOD").is_some() { "http_proxy" } else { "HTTP_PROXY" };
    let mut proxies = Proxies { except, ..Proxies::default() };
    for (scheme, names) in [("http", ["http_proxy", upper]), ("https", ["https_proxy", "HTTPS_PROXY"])] {
        let Some((setting, text)) = found(&[&names[..], &ALL].concat()) else { continue };
        let proxy = match text.parse::<Proxy>() {
            Ok(proxy) => Some(proxy),
            Err(ProxyError { rule }) => {
                let refused = |ProxyError { rule }| SettingsError::Proxy { setting, rule };
                let any: Proxy = "http://proxy.invalid".parse().map_err(refused)?;
                let would = Proxies { http: Some(any.clone()), https: Some(any), except: proxies.except.clone() };
                let counts = match endpoint.map(Endpoint::url) {
                    Some(url) => url.scheme() == scheme && would.route(url).is_some(),
                    None => scheme == "https",
                };
                if counts {
                    return Err(SettingsError::Proxy { setting, rule });
                }
                None
            }
        };
        match scheme {
            "http" => proxies.http = proxy,
            _ => proxies.https = proxy,
        }
    }
    Ok(proxies)
}

fn key_pair(
    filled: &impl Fn(&str) -> Option<String>,
    access: &'static str,
    secret: &'static str,
) -> Result<Option<(String, Secret)>, SettingsError> {
    match (filled(access), filled(secret)) {
        (Some(key), Some(text)) => Ok(Some((key, Secret::new(text)))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(SettingsError::HalfAKey { set: access, missing: secret }),
        (None, Some(_)) => Err(SettingsError::HalfAKey { set: secret, missing: access }),
    }
}

/// Checks the name of a region. It becomes part of AWS's host names and of messages.
fn region(name: String) -> Result<String, SettingsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 63 && name.chars().all(fits) {
        return Ok(name);
    }
    let text = name.chars().take(20).collect();
    Err(SettingsError::Writing {
        setting: "S3_REGION",
        text,
        rule: "write up to 63 letters, digits and `-`, as in `eu-west-1`",
    })
}
