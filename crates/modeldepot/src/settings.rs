//! Settings as plain data, passed in. The library reads no environment, no home folder and no clock.

mod proxies;
#[cfg(test)]
mod tests;
mod variables;
mod writing;

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use crate::model::name::{BucketName, NameError};
use crate::model::prefix::KeyPrefix;
use crate::setters::setters;

pub use self::proxies::{Proxies, Proxy, ProxyError};
pub use self::variables::AwsProfile;
pub(crate) use self::variables::ENDS_IN_A_BUCKET;
pub use self::writing::{Encryption, EncryptionMode, Writing};

/// The default login of MinIO, used on a loopback endpoint when no other is set, so that a laptop never waits for a
/// cloud's metadata service.
pub const LOOPBACK_LOGIN: &str = "minioadmin";

/// The location of the models, and how to reach it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The S3 endpoint; `None` means AWS.
    pub endpoint: Option<Endpoint>,
    /// The region that requests are signed for.
    pub region: String,
    /// The credentials that sign the requests.
    pub credentials: Credentials,
    /// The project's buckets.
    pub buckets: Buckets,
    /// The folder of the models bucket that contains the models; empty for the whole bucket.
    pub prefix: KeyPrefix,
    /// How requests address a bucket.
    pub addressing: Addressing,
    /// A PEM file of certificate authorities to trust in addition to the system's.
    pub ca_bundle: Option<PathBuf>,
    /// The maximum bytes per second of all transfers together, in both directions. `None`, the default, means no limit.
    pub limit_rate: Option<NonZeroU64>,
    /// How long a server may stay silent.
    pub timeouts: Timeouts,
    /// The forward proxies that requests go through.
    pub proxies: Proxies,
    /// Headers that accounts or buckets require.
    pub writing: Writing,
}

impl Settings {
    /// Settings for a service at `endpoint`: region `us-east-1`, credentials of the AWS chain, models in the bucket `models`,
    /// and every other field at its default.
    pub fn new(endpoint: Endpoint) -> Settings {
        Settings { endpoint: Some(endpoint), ..Settings::aws("us-east-1") }
    }

    /// Settings for AWS: as [`Settings::new`], at the endpoint of a region.
    pub fn aws(region: impl Into<String>) -> Settings {
        Settings {
            endpoint: None,
            region: region.into(),
            credentials: Credentials::Chain,
            buckets: Buckets::new(BucketName::models()),
            prefix: KeyPrefix::default(),
            addressing: Addressing::Auto,
            ca_bundle: None,
            limit_rate: None,
            timeouts: Timeouts::default(),
            proxies: Proxies::default(),
            writing: Writing::default(),
        }
    }
}

setters!(Settings {
    some endpoint: Endpoint,
    into region: String,
    value credentials: Credentials,
    value buckets: Buckets,
    value prefix: KeyPrefix,
    value addressing: Addressing,
    some_into ca_bundle: PathBuf,
    some limit_rate: NonZeroU64,
    value timeouts: Timeouts,
    value proxies: Proxies,
    value writing: Writing,
});

/// How long a server may stay silent. All other time-outs derive from `answer`; docs/reliability.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Until a connection is established.
    pub connect: Duration,
    /// Until the answer to a small request starts. A small request fails for good after two and a half times this,
    /// including its repetitions; a transfer may stall for one and a half times this; and a server that has received a
    /// whole file may process it for six times this before it answers.
    pub answer: Duration,
}

setters!(Timeouts {
    value connect: Duration,
    value answer: Duration,
});

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { connect: Duration::from_secs(5), answer: Duration::from_secs(20) }
    }
}

impl Timeouts {
    /// Anything longer is as good as unlimited.
    const LONGEST: Duration = Duration::from_secs(3600);

    /// Parses a time as written in a setting: `20`, `20s`, `500ms`, `2m`.
    ///
    /// # Errors
    /// The rule, in words.
    pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
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
#[non_exhaustive]
pub struct Buckets {
    /// The trained models.
    pub models: BucketName,
    /// The images of the data set; `None` if the project has only models.
    pub images: Option<BucketName>,
    /// All other data; `None` if the project has only models.
    pub data: Option<BucketName>,
}

setters!(Buckets {
    some images: BucketName,
    some data: BucketName,
});

impl Buckets {
    /// A project that has only models.
    pub fn new(models: BucketName) -> Buckets {
        Buckets { models, images: None, data: None }
    }

    /// Returns the project's buckets, models first.
    pub fn all(&self) -> Vec<&BucketName> {
        std::iter::once(&self.models).chain(&self.images).chain(&self.data).collect()
    }

    /// Returns the name of the setting that names a bucket, if it is one of the project's.
    pub fn setting(&self, bucket: &BucketName) -> Option<&'static str> {
        match bucket {
            bucket if *bucket == self.models => Some("S3_BUCKET_MODELS"),
            bucket if self.images.as_ref() == Some(bucket) => Some("S3_BUCKET_IMAGES"),
            bucket if self.data.as_ref() == Some(bucket) => Some("S3_BUCKET_DATA"),
            _ => None,
        }
    }
}

/// How requests address a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// Path style on a custom endpoint, virtual-host style on AWS.
    #[default]
    Auto,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    VirtualHost,
}

/// The credentials that sign the requests.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// One key pair.
    Key {
        /// The access key id.
        access: String,
        /// The secret key.
        secret: Secret,
        /// The session token of temporary keys.
        token: Option<Secret>,
    },
    /// A profile of the AWS configuration only.
    Profile(String),
    /// The AWS standard chain: profiles, SSO, process, web identity, container, instance metadata.
    Chain,
}

impl Credentials {
    /// A key pair without a session token.
    pub fn key(access: impl Into<String>, secret: impl Into<String>) -> Credentials {
        Credentials::Key { access: access.into(), secret: Secret::new(secret), token: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Key { .. } => f.write_str("Key(…)"),
            Credentials::Profile(name) => write!(f, "Profile({name:?})"),
            Credentials::Chain => f.write_str("Chain"),
        }
    }
}

/// A secret text, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for signing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The address of an S3 service: `http` or `https`, a host, an optional port, and the path below which some services
/// have their S3 API.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Returns true when the host is this machine.
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
        let refused = |reason| SettingsError::Endpoint { setting: "S3_ENDPOINT", text: without_login(text), reason };
        if !["http://", "https://"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme)))
        {
            return Err(refused("it must begin with `http://` or `https://`"));
        }
        let url = Url::parse(text).map_err(|_| refused("it is not a URL"))?;
        if url.host().is_none() {
            return Err(refused("it names no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("credentials do not belong in it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("nothing may follow the path: no `?` and no `#`"));
        }
        // Signatures cover the path as sent, so a path that could be spelled in two ways would not match.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if !url.path().chars().all(plain) || url.path().contains("//") {
            return Err(refused("its path may have letters, digits, `-`, `.`, `_` and `~` between single slashes"));
        }
        Ok(Self(url))
    }
}

/// Removes a possible password or token from a text that should have been an endpoint.
fn without_login(text: &str) -> String {
    let (text, more) = match text.find(['?', '#']) {
        Some(at) => (&text[..at], format!("{}…", &text[at..=at])),
        None => (text, String::new()),
    };
    let shown = match text.rsplit_once('@') {
        Some((before, host)) => match before.split_once("//") {
            Some((scheme, _)) => format!("{scheme}//…@{host}"),
            None => format!("…@{host}"),
        },
        None => text.to_owned(),
    };
    shown + &more
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

impl SettingsError {
    /// Returns the name of the setting that cannot be used.
    pub fn setting(&self) -> &'static str {
        match self {
            SettingsError::Endpoint { setting, .. }
            | SettingsError::Bucket { setting, .. }
            | SettingsError::HalfAKey { set: setting, .. }
            | SettingsError::Timeout { setting, .. }
            | SettingsError::Proxy { setting, .. }
            | SettingsError::Writing { setting, .. } => setting,
            SettingsError::Prefix { .. } => "S3_PREFIX",
            SettingsError::CaBundle { .. } => "AWS_CA_BUNDLE",
        }
    }
}

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The endpoint is not the address of an S3 service.
    #[error("`{text}` is not an endpoint: {reason}")]
    Endpoint {
        /// The name of the setting.
        setting: &'static str,
        /// The text as given, without a login.
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
    /// The prefix of the models bucket is invalid.
    #[error("`S3_PREFIX` cannot be used")]
    Prefix {
        /// The rule.
        source: NameError,
    },
    /// One half of a key pair is set and the other is not.
    #[error("`{set}` is set but `{missing}` is not")]
    HalfAKey {
        /// The setting that is present.
        set: &'static str,
        /// The setting that is missing.
        missing: &'static str,
    },
    /// A time-out is not a valid time.
    #[error("`{text}` is not a time for `{setting}`: {rule}")]
    Timeout {
        /// The name of the setting.
        setting: &'static str,
        /// The text as given.
        text: String,
        /// The expected form.
        rule: &'static str,
    },
    /// A proxy's address is invalid. It is not shown, since it may contain a password.
    #[error("`{setting}` is not the address of a proxy: {rule}")]
    Proxy {
        /// The name of the setting.
        setting: &'static str,
        /// The expected form.
        rule: &'static str,
    },
    /// A setting for requests is invalid.
    #[error("`{}` cannot be `{setting}`: {rule}", text.escape_default())]
    Writing {
        /// The name of the setting.
        setting: &'static str,
        /// The text as given.
        text: String,
        /// The expected form.
        rule: &'static str,
    },
    /// The file of certificate authorities cannot be used.
    #[error("`{}` is not a usable CA bundle (`AWS_CA_BUNDLE`): {reason}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
