//! Settings: plain data, handed in. The library reads no environment, no home folder and no clock.

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use crate::name::{BucketName, NameError};
use crate::prefix::KeyPrefix;

/// The login of a MinIO as it comes, used on a loopback endpoint when nothing else is set, so that a laptop never
/// waits for a cloud's metadata service.
pub const LOOPBACK_LOGIN: &str = "minioadmin";

/// Where the models lie and how to get there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The S3 endpoint; none is AWS itself.
    pub endpoint: Option<Endpoint>,
    /// The region that requests are signed for.
    pub region: String,
    /// Who signs the requests.
    pub credentials: Credentials,
    /// The three buckets.
    pub buckets: Buckets,
    /// The folder of the models bucket that holds the models; empty for the whole bucket.
    pub prefix: KeyPrefix,
    /// How a bucket is named in a request.
    pub addressing: Addressing,
    /// A PEM file of certificate authorities to trust beside the system's own.
    pub ca_bundle: Option<PathBuf>,
    /// The most bytes that all transfers together may move in a second, both ways. None, the default, is no limit.
    pub limit_rate: Option<NonZeroU64>,
    /// How long a server may be silent.
    pub timeouts: Timeouts,
}

/// How long a server may be silent. All other limits in time follow from `answer`; docs/reliability.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the answer to a small request begins. A small request fails for good after two and a half times this, with
    /// all its repetitions; bytes on their way may stand still for one and a half times this; and a server that has all
    /// bytes of a file may work on them for six times this before it answers.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { connect: Duration::from_secs(5), answer: Duration::from_secs(20) }
    }
}

impl Timeouts {
    /// Longer than this is as good as for ever.
    const LONGEST: Duration = Duration::from_secs(3600);

    /// Reads a time as a setting spells it: `20`, `20s`, `500ms`, `2m`.
    ///
    /// # Errors
    /// The rule, in words.
    pub fn parse(text: &str) -> Result<Duration, &'static str> {
        const RULE: &str = "write a whole number and a unit between `1ms` and `1h`: `20s`, `500ms`, `2m`";
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| RULE)?;
        let time = match text[digits..].trim() {
            "" | "s" => Duration::from_secs(number),
            "ms" => Duration::from_millis(number),
            "m" => Duration::from_secs(number.saturating_mul(60)),
            "h" => Duration::from_secs(number.saturating_mul(3600)),
            _ => return Err(RULE),
        };
        if time.is_zero() || time > Self::LONGEST { Err(RULE) } else { Ok(time) }
    }
}

/// The buckets of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// The trained models.
    pub models: BucketName,
    /// The images of the data set.
    pub images: BucketName,
    /// Everything else.
    pub data: BucketName,
}

impl Buckets {
    /// Returns the three, models first.
    pub fn all(&self) -> [&BucketName; 3] {
        [&self.models, &self.images, &self.data]
    }
}

/// How a bucket is named in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// Path style on an endpoint of one's own, virtual-host style on AWS.
    #[default]
    Auto,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    VirtualHost,
}

/// Who signs the requests.
#[derive(Clone)]
pub enum Credentials {
    /// One key pair.
    Key {
        /// The access key id.
        access: String,
        /// The secret key.
        secret: Secret,
        /// The session token that temporary keys come with.
        token: Option<Secret>,
    },
    /// The AWS standard chain: profiles, SSO, process, web identity, container, instance metadata.
    Chain,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Key { .. } => f.write_str("Key(…)"),
            Credentials::Chain => f.write_str("Chain"),
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, to whom signs with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The address of an S3 service: `http` or `https`, a host, a port if need be, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Returns true when the host is this machine itself.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Returns the address without a final `/`.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Returns the address as a URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl std::str::FromStr for Endpoint {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let refused = |reason| SettingsError::Endpoint { text: without_login(text), reason };
        let url = Url::parse(text).map_err(|_| refused("it is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(refused("it must begin with `http://` or `https://`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("credentials do not belong in it"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it must end after the host and port; the bucket is a setting of its own"));
        }
        Ok(Self(url))
    }
}

/// Cuts what may be a password out of a text that should have been an endpoint.
fn without_login(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, host)) => match before.split_once("//") {
            Some((scheme, _)) => format!("{scheme}//…@{host}"),
            None => format!("…@{host}"),
        },
        None => text.to_owned(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says which setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The endpoint is no address of an S3 service.
    #[error("`{text}` is not an endpoint: {reason}")]
    Endpoint {
        /// The text as it was given, without a login.
        text: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// A bucket's name breaks S3's rule.
    #[error("`{setting}` cannot be used")]
    Bucket {
        /// The name of the setting.
        setting: &'static str,
        /// The rule.
        source: NameError,
    },
    /// The folder of the models bucket cannot be one.
    #[error("`S3_PREFIX` cannot be used")]
    Prefix {
        /// The rule.
        source: NameError,
    },
    /// One half of a key pair is set and the other is not.
    #[error("`{set}` is set but `{missing}` is not")]
    HalfAKey {
        /// The setting that is there.
        set: &'static str,
        /// The setting that is not.
        missing: &'static str,
    },
    /// A time is none.
    #[error("`{text}` is not a time for `{setting}`: {rule}")]
    Timeout {
        /// The name of the setting.
        setting: &'static str,
        /// The text as it was given.
        text: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The file of certificate authorities cannot be used.
    #[error("`{}` is not a file of certificate authorities: {reason}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Settings {
    /// Resolves the settings from named variables, by the document's seven names and defaults.
    ///
    /// `variable` returns the value of a name, from wherever the caller keeps them; what it does not know gets its
    /// default. An empty `S3_ENDPOINT` means AWS itself. Credentials are, in this order: `S3_ACCESS_KEY` and
    /// `S3_SECRET_KEY`; `AWS_ACCESS_KEY_ID` and its companions; on a loopback endpoint `minioadmin`; else the AWS
    /// standard chain.
    ///
    /// # Errors
    /// [`SettingsError`], with the setting's name.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoint = match variable("S3_ENDPOINT") {
            None => Some("http://localhost:9000".parse()?),
            Some(text) if text.trim().is_empty() => None,
            Some(text) => Some(text.trim().parse::<Endpoint>()?),
        };
        let bucket = |setting: &'static str, default: &str| {
            filled(setting)
                .unwrap_or_else(|| default.to_owned())
                .parse()
                .map_err(|source| SettingsError::Bucket { setting, source })
        };
        let credentials = match key_pair(&filled, "S3_ACCESS_KEY", "S3_SECRET_KEY")? {
            Some((access, secret)) => Credentials::Key { access, secret, token: None },
            None => match key_pair(&filled, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")? {
                Some((access, secret)) => {
                    Credentials::Key { access, secret, token: filled("AWS_SESSION_TOKEN").map(Secret::new) }
                }
                None if endpoint.as_ref().is_some_and(Endpoint::is_loopback) => Credentials::Key {
                    access: LOOPBACK_LOGIN.to_owned(),
                    secret: Secret::new(LOOPBACK_LOGIN),
                    token: None,
                },
                None => Credentials::Chain,
            },
        };
        let time = |setting: &'static str, default: Duration| match filled(setting) {
            None => Ok(default),
            Some(text) => Timeouts::parse(&text).map_err(|rule| SettingsError::Timeout { setting, text, rule }),
        };
        Ok(Settings {
            endpoint,
            region: filled("S3_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            credentials,
            buckets: Buckets {
                models: bucket("S3_BUCKET_MODELS", "models")?,
                images: bucket("S3_BUCKET_IMAGES", "plants-images")?,
                data: bucket("S3_BUCKET_DATA", "data")?,
            },
            prefix: filled("S3_PREFIX")
                .unwrap_or_default()
                .parse()
                .map_err(|source| SettingsError::Prefix { source })?,
            addressing: Addressing::Auto,
            ca_bundle: filled("AWS_CA_BUNDLE").map(PathBuf::from),
            limit_rate: None,
            timeouts: Timeouts {
                connect: time("S3_CONNECT_TIMEOUT", Timeouts::default().connect)?,
                answer: time("S3_TIMEOUT", Timeouts::default().answer)?,
            },
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn access(settings: &Settings) -> Option<&str> {
        match &settings.credentials {
            Credentials::Key { access, .. } => Some(access),
            Credentials::Chain => None,
        }
    }

    #[test]
    fn the_documents_values_are_the_defaults() {
        let settings = resolve(&[]).unwrap();
        assert_eq!(settings.endpoint.as_ref().map(Endpoint::as_str), Some("http://localhost:9000"));
        assert_eq!(settings.region, "us-east-1");
        assert_eq!(settings.buckets.all().map(BucketName::as_str), ["models", "plants-images", "data"]);
        assert_eq!(access(&settings), Some("minioadmin"));
    }

    #[test]
    fn times_are_spelled_with_their_units() {
        let settings = resolve(&[("S3_TIMEOUT", "90"), ("S3_CONNECT_TIMEOUT", "500ms")]).unwrap();
        let expected = Timeouts { connect: Duration::from_millis(500), answer: Duration::from_secs(90) };
        assert_eq!(settings.timeouts, expected);
        assert_eq!(resolve(&[("S3_TIMEOUT", "")]).unwrap().timeouts, Timeouts::default());
        assert_eq!(Timeouts::parse(" 2 m"), Ok(Duration::from_secs(120)));
        for wrong in
            ["0", "0s", "x", "-1", "1.5s", "2h", "61m", "99999999999999999999s", "18446744073709551615m", "1 é"]
        {
            assert!(Timeouts::parse(wrong).is_err(), "{wrong}");
            let refused = resolve(&[("S3_TIMEOUT", wrong)]);
            assert!(matches!(refused, Err(SettingsError::Timeout { setting: "S3_TIMEOUT", .. })), "{refused:?}");
        }
    }

    #[test]
    fn credentials_come_in_the_documented_order() {
        let aws = [("AWS_ACCESS_KEY_ID", "aws"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let own = [("S3_ACCESS_KEY", "own"), ("S3_SECRET_KEY", "s")];
        assert_eq!(access(&resolve(&[aws, own].concat()).unwrap()), Some("own"));
        assert_eq!(access(&resolve(&aws).unwrap()), Some("aws"));
        assert_eq!(access(&resolve(&[("S3_ENDPOINT", "http://[::1]:9000")]).unwrap()), Some("minioadmin"));
        assert_eq!(access(&resolve(&[("S3_ENDPOINT", "https://s3.example.com")]).unwrap()), None);
        assert_eq!(access(&resolve(&[("S3_ENDPOINT", "")]).unwrap()), None);
        assert!(resolve(&[("S3_ENDPOINT", "")]).unwrap().endpoint.is_none());
    }

    #[test]
    fn no_secret_is_shown() {
        let settings = resolve(&[("S3_ACCESS_KEY", "an-id"), ("S3_SECRET_KEY", "hush")]).unwrap();
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hush") && !shown.contains("an-id"), "{shown}");
    }

    #[test]
    fn bad_settings_are_named() {
        let errors: Vec<String> = [
            resolve(&[("S3_ENDPOINT", "localhost:9000")]),
            resolve(&[("S3_ENDPOINT", "http://me:hush@host:9000")]),
            resolve(&[("S3_ENDPOINT", "me:hush@host")]),
            resolve(&[("S3_ENDPOINT", "http://host:9000/models")]),
            resolve(&[("S3_ENDPOINT", "ftp://host")]),
            resolve(&[("S3_BUCKET_DATA", "Data_1")]),
            resolve(&[("S3_ACCESS_KEY", "x")]),
            resolve(&[("AWS_SECRET_ACCESS_KEY", "x")]),
        ]
        .into_iter()
        .map(|r| r.unwrap_err().to_string())
        .collect();
        assert!(!errors.join("").contains("hush"));
        insta::assert_snapshot!(errors.join("\n"), @"
        `localhost:9000` is not an endpoint: it must begin with `http://` or `https://`
        `http://…@host:9000` is not an endpoint: credentials do not belong in it
        `…@host` is not an endpoint: it must begin with `http://` or `https://`
        `http://host:9000/models` is not an endpoint: it must end after the host and port; the bucket is a setting of its own
        `ftp://host` is not an endpoint: it must begin with `http://` or `https://`
        `S3_BUCKET_DATA` cannot be used
        `S3_ACCESS_KEY` is set but `S3_SECRET_KEY` is not
        `AWS_SECRET_ACCESS_KEY` is set but `AWS_ACCESS_KEY_ID` is not
        ");
    }
}
