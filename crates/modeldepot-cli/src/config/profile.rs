//! The AWS profile in use: endpoints, regions and credential sources in `~/.aws/config` and `~/.aws/credentials`.
//!
//! AWS's own parser reads the files. Credentials are not taken from here; the AWS credential chain reads them itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::file::{EnvConfigFileKind as Kind, EnvConfigFiles};
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};
use futures_util::FutureExt as _;
use modeldepot::AwsProfile;

use super::dotenv::LARGEST;
use crate::error::Error;

/// The profile in use.
#[derive(Debug)]
pub(super) struct Profile {
    set: ProfileSet,
    name: String,
    /// Whether a flag chose it.
    demanded: bool,
}

/// How a profile was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// Not explicitly: `default`, if it exists.
    Default,
    /// By `AWS_PROFILE`.
    Variable,
    /// By a flag.
    Flag,
}

/// Reads the profile files. A chosen profile must exist; `default` need not, and unreadable files are then
/// ignored.
pub(super) fn load(name: &str, chosen: Chosen) -> Result<Option<Profile>, Error> {
    let files = [
        (Kind::Config, "AWS_CONFIG_FILE", "config"),
        (Kind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ];
    let (mut sources, mut found) = (EnvConfigFiles::builder(), false);
    for (kind, variable, file) in files {
        let Some(path) = place(variable, file) else { continue };
        match read(&path) {
            Ok(text) => (sources, found) = (sources.with_contents(kind, text), true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) if chosen != Chosen::Default => {
                return Err(Error::Io { action: "read the AWS profiles in", path, source });
            }
            Err(error) => tracing::debug!(%error, path = %path.display(), "AWS profiles cannot be read"),
        }
    }
    if !found {
        return match chosen {
            Chosen::Default => Ok(None),
            _ => Err(Error::NoSuchProfile { name: name.to_owned(), known: Vec::new() }),
        };
    }
    // The contents are in memory, so this never waits.
    let sources = sources.build();
    let (fs, env) = (Fs::from_slice(&[]), Env::from_slice(&[]));
    let loaded = aws_config::profile::load(&fs, &env, &sources, Some(name.to_owned().into())).now_or_never();
    match loaded {
        Some(Ok(set)) => {
            if chosen != Chosen::Default && set.get_profile(name).is_none() {
                let mut known: Vec<String> = set.profiles().map(str::to_owned).collect();
                known.sort();
                return Err(Error::NoSuchProfile { name: name.to_owned(), known });
            }
            Ok(Some(Profile { set, name: name.to_owned(), demanded: chosen == Chosen::Flag }))
        }
        Some(Err(error)) if chosen != Chosen::Default => {
            // The parser's error names the line but not its content.
            let reason = modeldepot::causes(&error).pop().unwrap_or_else(|| error.to_string());
            let words: Vec<&str> = reason.split_whitespace().collect();
            let reason = words.join(" ").replace("error parsing on line", "line");
            Err(Error::Profiles { name: name.to_owned(), reason })
        }
        _ => Ok(None),
    }
}

/// Returns the path of a profile file. Only the environment can change it: profiles may name programs to run for
/// credentials, and a `.env` file may be part of a downloaded folder.
fn place(variable: &str, file: &str) -> Option<PathBuf> {
    let home = std::env::home_dir();
    match std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) {
        Some(path) => match path.strip_prefix("~") {
            Ok(rest) => Some(home?.join(rest)),
            Err(_) => Some(path),
        },
        None => Some(home?.join(".aws").join(file)),
    }
}

fn read(path: &PathBuf) -> io::Result<String> {
    let text = io::read_to_string(File::open(path)?.take(LARGEST + 1))?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

impl Profile {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the profile's value for a variable, and the name of its key.
    pub(super) fn value(&self, variable: &str) -> Option<(&'static str, String)> {
        let own =
            |key: &'static str| Some((key, self.set.get(key)?.trim().to_owned())).filter(|(_, text)| !text.is_empty());
        match variable {
            "AWS_ENDPOINT_URL" => self.service_endpoint().or_else(|| own("endpoint_url")),
            "AWS_DEFAULT_REGION" => own("region"),
            "AWS_CA_BUNDLE" => own("ca_bundle"),
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => own("ignore_configured_endpoint_urls"),
            "S3_ADDRESSING" => {
                // A nested section: `s3 =` followed by indented lines.
                let lines = self.set.get("s3")?.lines().filter_map(|line| line.split_once('='));
                let mut styles = lines.filter(|(key, _)| key.trim().eq_ignore_ascii_case("addressing_style"));
                styles.next().map(|(_, style)| ("s3.addressing_style", style.trim().to_owned()))
            }
            _ => None,
        }
    }

    fn service_endpoint(&self) -> Option<(&'static str, String)> {
        let services = self.set.get("services")?.trim();
        let key = PropertiesKey::builder()
            .section_key("services")
            .section_name(services)
            .property_name("s3")
            .sub_property_name("endpoint_url")
            .build();
        Some(("services, s3.endpoint_url", self.set.other_sections().get(&key.ok()?)?.trim().to_owned()))
    }

    /// Returns the profile for the library.
    pub(super) fn aws(&self) -> AwsProfile {
        let has = |key: &str| self.set.get(key).is_some_and(|text| !text.trim().is_empty());
        let has_credentials = has("aws_access_key_id") && has("aws_secret_access_key")
            || ["role_arn", "credential_process", "sso_session", "sso_start_url", "login_session"].into_iter().any(has);
        AwsProfile::new(&self.name).demanded(self.demanded).has_credentials(has_credentials)
    }

    #[cfg(test)]
    pub(super) fn of(config: &str, name: &str) -> Profile {
        let sources = EnvConfigFiles::builder().with_contents(Kind::Config, config).build();
        let (fs, env) = (Fs::from_slice(&[]), Env::from_slice(&[]));
        let set = aws_config::profile::load(&fs, &env, &sources, Some(name.to_owned().into())).now_or_never();
        Profile { set: set.unwrap().unwrap(), name: name.to_owned(), demanded: false }
    }
}
