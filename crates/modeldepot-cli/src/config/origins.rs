//! Where each setting comes from, for whoever cannot believe what is used.

use modeldepot::{Addressing, Credentials, Settings};

use super::{Layers, Origin, flags, here};
use crate::args::Globals;
use crate::error::Error;

/// One setting that is in use.
pub(crate) struct InUse {
    pub(crate) name: &'static str,
    /// The value, or what may be said of it.
    pub(crate) value: String,
    pub(crate) origin: Origin,
    /// Where another value is set that does not count, because of the one that does.
    pub(crate) hidden: Option<Origin>,
}

/// Returns where each of the settings comes from.
pub(crate) fn origins(globals: &Globals, settings: &Settings) -> Result<Vec<InUse>, Error> {
    Ok(here(flags(globals))?.in_use(globals, settings))
}

/// Returns the names of the variables that send HTTP clients through a proxy, or past it, and are set. Not their
/// values: a proxy's address may hold a password.
pub(crate) fn proxies() -> Vec<&'static str> {
    const NAMES: [&str; 8] =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
    NAMES.into_iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())).collect()
}

impl<E: Fn(&str) -> Option<String>> Layers<E> {
    fn in_use(&self, globals: &Globals, settings: &Settings) -> Vec<InUse> {
        let one = |name, variable: &str, value: String| {
            let (_, origin) = self.find(variable);
            InUse { name, value, origin, hidden: self.hidden(variable) }
        };
        let endpoint = settings.endpoint.as_ref().map_or_else(|| "AWS itself".to_owned(), ToString::to_string);
        let buckets = &settings.buckets;
        let mut found = vec![one("endpoint", "S3_ENDPOINT", endpoint)];
        found.extend(self.login(settings));
        found.push(one("region", "S3_REGION", settings.region.clone()));
        found.push(one("models bucket", "S3_BUCKET_MODELS", buckets.models.to_string()));
        if !settings.prefix.is_empty() {
            found.push(one("folder in it", "S3_PREFIX", settings.prefix.to_string()));
        }
        found.push(one("images bucket", "S3_BUCKET_IMAGES", buckets.images.to_string()));
        found.push(one("data bucket", "S3_BUCKET_DATA", buckets.data.to_string()));
        let style = match settings.addressing {
            Addressing::Auto if settings.endpoint.is_some() => "auto: bucket in the path",
            Addressing::Auto => "auto: bucket in the host",
            Addressing::Path => "bucket in the path",
            Addressing::VirtualHost => "bucket in the host",
        };
        let mut addressing = one("addressing", "S3_ADDRESSING", style.to_owned());
        if globals.addressing.is_some() {
            addressing.origin = Origin::Flag("--addressing");
        }
        found.push(addressing);
        if let Some(path) = &settings.ca_bundle {
            found.push(one("authorities", "AWS_CA_BUNDLE", path.display().to_string()));
        }
        found
    }

    /// Returns where the login comes from, and nothing of the login itself.
    fn login(&self, settings: &Settings) -> Vec<InUse> {
        let set = |name: &str| self.find(name).0.is_some_and(|value| !value.is_empty());
        let half = |name, variable: &str| InUse {
            name,
            value: "set".to_owned(),
            origin: self.find(variable).1,
            hidden: self.hidden(variable),
        };
        let known =
            |value: &str| InUse { name: "credentials", value: value.to_owned(), origin: Origin::Default, hidden: None };
        for (id, secret) in [("S3_ACCESS_KEY", "S3_SECRET_KEY"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")] {
            if set(id) {
                let mut found = vec![half("access key", id), half("secret key", secret)];
                if id.starts_with("AWS") && set("AWS_SESSION_TOKEN") {
                    found.push(half("session token", "AWS_SESSION_TOKEN"));
                }
                return found;
            }
        }
        match settings.credentials {
            Credentials::Key { .. } => vec![known("minioadmin, as this machine is the endpoint and no key is set")],
            Credentials::Chain => vec![known("the AWS standard chain: profile, SSO, container or instance role")],
        }
    }

    /// Returns where a variable of the environment has another value, which does not count. Who types a flag means it.
    fn hidden(&self, name: &str) -> Option<Origin> {
        let (Some(used), Origin::Environment(_)) = self.find(name) else { return None };
        let file = self.file.as_ref()?;
        let differs = file.variables.get(name).is_some_and(|value| *value != used);
        differs.then(|| Origin::File(name.to_owned(), file.path.clone()))
    }
}
