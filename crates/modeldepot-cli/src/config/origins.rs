//! Where each setting comes from, for `config` and `doctor`.

use modeldepot::{Addressing, BucketName, Credentials, Proxy, Settings};

use super::{Layers, all};
use crate::args::Globals;
use crate::error::Error;
use crate::origin::Origin;
use crate::ui::duration;

/// A setting in use.
pub(crate) struct InUse {
    pub(crate) name: &'static str,
    /// The value, or a description of a secret one.
    pub(crate) value: String,
    pub(crate) origin: Origin,
    /// The source of another value that was overridden.
    pub(crate) hidden: Option<Origin>,
}

/// The variables for proxies, in order of precedence.
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Returns the origin of each setting.
pub(crate) fn origins(globals: &Globals, settings: &Settings) -> Result<Vec<InUse>, Error> {
    Ok(all(globals)?.in_use(globals, settings))
}

impl<E: Fn(&str) -> Option<String>> Layers<E> {
    fn one(&self, name: &'static str, variable: &str, value: String) -> InUse {
        InUse { name, value, origin: self.find(variable).1, hidden: self.hidden(variable) }
    }

    fn in_use(&self, globals: &Globals, settings: &Settings) -> Vec<InUse> {
        let by_default =
            |name, value: &str| InUse { name, value: value.to_owned(), origin: Origin::Default, hidden: None };
        let mut found = vec![match (&settings.endpoint, self.endpoint_name()) {
            (Some(endpoint), Some(variable)) => self.one("endpoint", variable, endpoint.to_string()),
            (Some(endpoint), None) => by_default("endpoint", endpoint.as_str()),
            (None, Some(variable)) => self.one("endpoint", variable, "AWS".to_owned()),
            (None, None) => by_default("endpoint", "AWS (only AWS credentials are set)"),
        }];
        found.extend(self.login(settings));
        let own = !self.logs_in_as_it_comes(settings);
        let names = ["S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"];
        found.push(match self.set(if own { &names } else { &names[..1] }) {
            Some(variable) => self.one("region", variable, settings.region.clone()),
            None => by_default("region", &settings.region),
        });
        let buckets = &settings.buckets;
        found.push(self.one("models bucket", "S3_BUCKET_MODELS", buckets.models.to_string()));
        if !settings.prefix.is_empty() {
            found.push(self.one("folder in it", "S3_PREFIX", settings.prefix.to_string()));
        }
        let other =
            |bucket: &Option<BucketName>| bucket.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        found.push(self.one("images bucket", "S3_BUCKET_IMAGES", other(&buckets.images)));
        found.push(self.one("data bucket", "S3_BUCKET_DATA", other(&buckets.data)));
        found.push(self.addressing(globals, settings));
        if let Some(path) = &settings.ca_bundle {
            found.push(self.one("authorities", "AWS_CA_BUNDLE", path.display().to_string()));
        }
        found.extend(self.proxy("proxy (https)", settings.proxies.https.as_ref(), &HTTPS));
        found.extend(self.proxy("proxy (http)", settings.proxies.http.as_ref(), &HTTP));
        if !settings.proxies.are_none()
            && let Some(variable) = self.set(&["no_proxy", "NO_PROXY"])
        {
            found.push(self.one("no proxy for", variable, settings.proxies.except.clone()));
        }
        found
    }

    /// Returns the origins of rarely used settings that are set.
    fn rarely_set(&self, settings: &Settings) -> Vec<InUse> {
        let times = &settings.timeouts;
        let mut found = vec![
            self.one("timeout", "S3_TIMEOUT", duration(times.answer)),
            self.one("connect timeout", "S3_CONNECT_TIMEOUT", duration(times.connect)),
        ];
        let writing = &settings.writing;
        let encryption = writing.encryption.as_ref();
        let demanded = [
            ("request payer", "S3_REQUEST_PAYER", writing.request_payer.then(|| "requester".to_owned())),
            ("bucket owner", "S3_EXPECTED_BUCKET_OWNER", writing.expected_owner.clone()),
            ("encryption", "S3_SSE", encryption.map(|encryption| encryption.mode.as_str().to_owned())),
            ("KMS key", "S3_KMS_KEY", encryption.and_then(|encryption| encryption.key.clone())),
            ("storage class", "S3_STORAGE_CLASS", writing.storage_class.clone()),
        ];
        let demanded = demanded.into_iter().filter_map(|(name, variable, value)| Some((name, variable, value?)));
        found.extend(demanded.map(|(name, variable, value)| self.one(name, variable, value)));
        if let Some(profile) = &self.profile
            && !profile.name().is_empty()
        {
            found.push(self.one("AWS profile", "AWS_PROFILE", profile.name().to_owned()));
        }
        if let Some(file) = &self.file {
            let named = std::env::var_os(super::trust::VARIABLE).is_some();
            let origin = if named { Origin::Environment(super::trust::VARIABLE.to_owned()) } else { Origin::Nearest };
            found.push(InUse { name: ".env", value: file.path.display().to_string(), origin, hidden: None });
        }
        found
    }

    fn addressing(&self, globals: &Globals, settings: &Settings) -> InUse {
        let style = match settings.addressing {
            Addressing::Auto if settings.endpoint.is_some() => "auto: bucket in the path",
            Addressing::Auto => "auto: bucket in the host",
            Addressing::Path => "bucket in the path",
            Addressing::VirtualHost => "bucket in the host",
        };
        let mut addressing = self.one("addressing", "S3_ADDRESSING", style.to_owned());
        if globals.addressing.is_some() {
            addressing.origin = Origin::Flag("--addressing");
        } else if matches!(addressing.origin, Origin::Profile(..)) && self.logs_in_as_it_comes(settings) {
            addressing.origin = Origin::Default;
        }
        addressing
    }

    /// Returns a proxy without its credentials, and its origin.
    fn proxy(&self, name: &'static str, proxy: Option<&Proxy>, variables: &[&str]) -> Option<InUse> {
        let proxy = proxy?;
        let variable = self.set(variables)?;
        Some(InUse { name, value: proxy.to_string(), origin: self.find(variable).1, hidden: None })
    }

    /// Returns the origin of the credentials, without revealing them.
    fn login(&self, settings: &Settings) -> Vec<InUse> {
        let set = |name: &str| self.find(name).0.is_some_and(|value| !value.is_empty());
        let half = |name, variable: &str| self.one(name, variable, "set".to_owned());
        let known =
            |value: &str| InUse { name: "credentials", value: value.to_owned(), origin: Origin::Default, hidden: None };
        match &settings.credentials {
            Credentials::Profile(name) => {
                let origin = self.find("AWS_PROFILE").1;
                let value = format!("those of the AWS profile {name}");
                return vec![InUse { name: "credentials", value, origin, hidden: None }];
            }
            Credentials::Chain => {
                return vec![known("the AWS credential chain: profile, SSO, container or instance role")];
            }
            _ => {}
        }
        for (id, secret) in [("S3_ACCESS_KEY", "S3_SECRET_KEY"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")] {
            if set(id) {
                let mut found = vec![half("access key", id), half("secret key", secret)];
                if id.starts_with("AWS") && set("AWS_SESSION_TOKEN") {
                    found.push(half("session token", "AWS_SESSION_TOKEN"));
                }
                return found;
            }
        }
        vec![known("minioadmin (default on this machine)")]
    }

    /// Returns the environment variable overridden by `.env` or the profile. Flags override on purpose and are not
    /// reported.
    fn hidden(&self, name: &str) -> Option<Origin> {
        let (Some(used), Origin::Environment(_)) = self.find(name) else { return None };
        let file = self.file.as_ref()?;
        let other = file.variables.get(name).filter(|other| other.value != used)?;
        Some(Origin::File(name.to_owned(), file.path.clone(), other.line))
    }
}

/// Returns the origin of each setting, including rarely used ones.
pub(crate) fn all_origins(globals: &Globals, settings: &Settings) -> Result<Vec<InUse>, Error> {
    let layers = all(globals)?;
    let mut found = layers.in_use(globals, settings);
    found.extend(layers.rarely_set(settings));
    Ok(found)
}
