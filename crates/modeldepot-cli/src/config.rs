//! The only place that reads the environment, the `.env` file, the current folder and the clock.
//!
//! Flags take precedence over the environment, then the first `.env` found from the current folder upwards, then the
//! AWS profile in use. The process's own environment is never changed.

mod dotenv;
#[cfg(test)]
mod fuzz;
mod names;
mod oidc;
mod origins;
mod profile;
mod publisher;
mod trust;
mod warnings;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modeldepot::{Addressing, Credentials, LOOPBACK_LOGIN, Settings};
use time::OffsetDateTime;

use crate::args::{AddressingArg, Globals};
use crate::error::Error;
use crate::origin::Origin;

use self::dotenv::{DotEnv, Found, dotenv};
pub(crate) use self::oidc::oidc;
pub(crate) use self::origins::{InUse, all_origins, origins};
use self::profile::{Chosen, Profile};
pub(crate) use self::publisher::published_by;
pub use self::publisher::publisher;
pub use self::warnings::warnings;

/// Returns the settings for this call.
pub(crate) fn settings(globals: &Globals) -> Result<Settings, Error> {
    let mut settings = all(globals)?.resolve(globals.addressing)?;
    settings.limit_rate = globals.limit_rate.map(|rate| rate.0);
    Ok(settings)
}

/// Returns all sources of settings, including the AWS profile.
fn all(globals: &Globals) -> Result<Layers<impl Fn(&str) -> Option<String> + use<>>, Error> {
    here(flags(globals))?.with_profile()
}

/// Returns the settings for a local server, which is not AWS, whatever is configured for AWS.
pub(crate) fn own_settings(globals: &Globals) -> Result<Settings, Error> {
    let mut layers = all(globals)?;
    layers.flags.retain(|(name, ..)| *name != "S3_ENDPOINT");
    layers.flags.push(("S3_ENDPOINT", "--listen", "http://localhost:9000".to_owned()));
    layers.resolve(globals.addressing)
}

/// Returns a message that requests go to AWS, if nothing but credentials indicates it.
pub(crate) fn aws_by_default(globals: &Globals, settings: &Settings) -> Result<Option<(String, String)>, Error> {
    if settings.endpoint.is_some() || all(globals)?.endpoint_name().is_some() {
        return Ok(None);
    }
    let note = format!("no endpoint is set, but AWS credentials are: using AWS S3 in {}", settings.region);
    let hint = "set S3_ENDPOINT to use another service, or set it empty (S3_ENDPOINT=) to confirm AWS".to_owned();
    Ok(Some((note, hint)))
}

/// Returns the settings for a caller other than the command line. Values `given` by the caller take precedence over the
/// environment and the `.env` file; each has the name of its variable, the caller's name for it, and the value.
///
/// # Errors
/// [`Failure`](crate::Failure), in the command's words.
pub fn settings_of(given: Vec<(&'static str, &'static str, String)>) -> Result<Settings, crate::Failure> {
    Ok(here(given)?.with_profile()?.resolve(None)?)
}

/// Returns the default settings.
pub(crate) fn defaults() -> Result<Settings, Error> {
    Settings::from_variables(|_| None).map_err(|source| Error::Settings { source, origin: Box::new(Origin::Default) })
}

/// Returns the sources of settings of this process.
fn here(
    flags: Vec<(&'static str, &'static str, String)>,
) -> Result<Layers<impl Fn(&str) -> Option<String> + use<>>, Error> {
    let folder = std::env::current_dir().map_err(|source| Error::CurrentFolder { source })?;
    let file = match dotenv(&folder)? {
        Found::Read(file) => Some(file),
        Found::Ignored(_) | Found::Nothing => None,
    };
    Ok(Layers { flags, environment: |name: &str| std::env::var(name).ok(), file, profile: None })
}

/// Returns the time of this call.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns the path of the token file: from a flag, the environment or `.env`, in this order.
pub(crate) fn tokens(flag: Option<PathBuf>) -> Result<Option<PathBuf>, Error> {
    match flag {
        Some(path) => Ok(Some(path)),
        None => Ok(here(Vec::new())?.find("MODELDEPOT_TOKENS").0.filter(|path| !path.is_empty()).map(PathBuf::from)),
    }
}

/// Returns the path of the embedded server's key file: from a flag, the environment or `.env`, in this order.
pub(crate) fn keys(flag: Option<PathBuf>) -> Result<Option<PathBuf>, Error> {
    match flag {
        Some(path) => Ok(Some(path)),
        None => Ok(here(Vec::new())?.find("MODELDEPOT_KEYS").0.filter(|path| !path.is_empty()).map(PathBuf::from)),
    }
}

/// Returns whether a token is required without a token file, if configured.
pub(crate) fn login() -> Result<Option<bool>, Error> {
    match here(Vec::new())?.find("MODELDEPOT_LOGIN").0.as_deref() {
        None | Some("" | "auto") => Ok(None),
        Some("always") => Ok(Some(true)),
        Some("never") => Ok(Some(false)),
        Some(_) => Err(Error::Usage {
            message: "MODELDEPOT_LOGIN is not `auto`, `always` or `never`".to_owned(),
            hint: "set it to one of these, or unset it",
        }),
    }
}

/// Returns the folder for resume states of pushes: the XDG state folder, or `None` without a home folder.
pub fn state_folder() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| std::env::home_dir().map(|home| home.join(".local").join("state")))?;
    let folder = state.join("modeldepot");
    match private(&folder) {
        Ok(()) => Some(folder),
        // If a container's home folder is not writable, pushes work but cannot resume.
        Err(error) => {
            tracing::debug!(%error, folder = %folder.display(), "pushes cannot be remembered");
            None
        }
    }
}

/// Creates a folder that only its owner can read, and its missing parents.
fn private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The settings given by flags, by the names of their variables.
fn flags(globals: &Globals) -> Vec<(&'static str, &'static str, String)> {
    let mut flags = Vec::new();
    let mut add = |name, flag, value: &Option<String>| {
        if let Some(value) = value {
            flags.push((name, flag, value.clone()));
        }
    };
    add("S3_ENDPOINT", "--endpoint", &globals.endpoint);
    add("S3_REGION", "--region", &globals.region);
    add("AWS_PROFILE", "--profile", &globals.profile);
    add("S3_BUCKET_MODELS", "--bucket", &globals.bucket);
    add("S3_PREFIX", "--prefix", &globals.prefix);
    add("S3_TIMEOUT", "--timeout", &globals.timeout);
    add("S3_CONNECT_TIMEOUT", "--connect-timeout", &globals.connect_timeout);
    add("AWS_CA_BUNDLE", "--ca-bundle", &globals.ca_bundle.as_ref().map(|path| path.display().to_string()));
    flags.extend(globals.writing.given());
    flags
}

/// Variables that apply to a process rather than a folder: the AWS chain reads them from the environment itself.
const OF_THE_PROCESS: [&str; 5] = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "REQUEST_METHOD",
];

struct Layers<E> {
    flags: Vec<(&'static str, &'static str, String)>,
    environment: E,
    file: Option<DotEnv>,
    profile: Option<Profile>,
}

impl<E: Fn(&str) -> Option<String>> Layers<E> {
    fn find(&self, name: &str) -> (Option<String>, Origin) {
        if let Some((_, flag, value)) = self.flags.iter().find(|(variable, ..)| *variable == name) {
            return (Some(value.clone()), Origin::Flag(flag));
        }
        if let Some(value) = (self.environment)(name) {
            return (Some(value), Origin::Environment(name.to_owned()));
        }
        if let Some(DotEnv { path, variables }) = &self.file
            && let Some(found) = variables.get(name)
            && !OF_THE_PROCESS.contains(&name)
        {
            return (Some(found.value.clone()), Origin::File(name.to_owned(), path.clone(), found.line));
        }
        match self.profile.as_ref().and_then(|profile| Some((profile.name(), profile.value(name)?))) {
            Some((profile, (key, value))) => (Some(value), Origin::Profile(key, profile.to_owned())),
            None => (None, Origin::Default),
        }
    }

    /// Returns the first of these names that has a non-empty value.
    fn set<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.find(name).0.is_some_and(|value| !value.trim().is_empty()))
    }

    /// Returns the variable that sets the endpoint, possibly to AWS itself.
    fn endpoint_name(&self) -> Option<&'static str> {
        if self.find("S3_ENDPOINT").0.is_some() {
            return Some("S3_ENDPOINT");
        }
        let ignored = self.find("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").0;
        let ignored = ignored.is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        self.set(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]).filter(|_| !ignored)
    }

    /// Adds the AWS profile in use.
    fn with_profile(mut self) -> Result<Self, Error> {
        let chosen = self.find("AWS_PROFILE");
        self.profile = match chosen {
            (Some(name), origin) if !name.is_empty() => {
                let chosen = if matches!(origin, Origin::Flag(_)) { Chosen::Flag } else { Chosen::Variable };
                profile::load(&name, chosen)?
            }
            _ => profile::load("default", Chosen::Default)?,
        };
        Ok(self)
    }

    /// Returns true if a local server is used with its default credentials.
    fn logs_in_as_it_comes(&self, settings: &Settings) -> bool {
        let known = matches!(&settings.credentials, Credentials::Key { access, .. } if access == LOOPBACK_LOGIN);
        known && self.set(&["S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"]).is_none()
    }

    fn resolve(&self, addressing: Option<AddressingArg>) -> Result<Settings, Error> {
        let aws = self.profile.as_ref().map(Profile::aws);
        let resolved = Settings::with_profile(|name| self.find(name).0, aws.as_ref());
        let mut settings = resolved.map_err(|source| {
            let origin = Box::new(self.find(source.setting()).1);
            Error::Settings { source, origin }
        })?;
        settings.addressing = match addressing {
            Some(AddressingArg::Auto) => Addressing::Auto,
            Some(AddressingArg::Path) => Addressing::Path,
            Some(AddressingArg::Virtual) => Addressing::VirtualHost,
            None => {
                let (value, origin) = self.find("S3_ADDRESSING");
                // A profile's credentials are for AWS, not for a local server with default credentials.
                let foreign = matches!(origin, Origin::Profile(..)) && self.logs_in_as_it_comes(&settings);
                match value.filter(|_| !foreign).as_deref() {
                    None | Some("" | "auto") => Addressing::Auto,
                    Some("path") => Addressing::Path,
                    Some("virtual") => Addressing::VirtualHost,
                    Some(other) => return Err(Error::Addressing { text: other.to_owned(), origin: Box::new(origin) }),
                }
            }
        };
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Option<DotEnv> {
        Some(DotEnv { path: "/p/.env".into(), variables: dotenv::parse(text).unwrap() })
    }

    fn resolve(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        env_file: &str,
    ) -> Result<Settings, Error> {
        let environment = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let flags = flags.iter().map(|(name, value)| (*name, "--flag", (*value).to_owned())).collect();
        Layers { flags, environment, file: file(env_file), profile: None }.resolve(None)
    }

    const PROFILES: &str = "\
        [default]\nregion = eu-north-1\naws_access_key_id = a\naws_secret_access_key = s\n\
        [profile keys]\naws_access_key_id = a\naws_secret_access_key = s\n\
        [profile place]\nregion = eu-west-3\nendpoint_url = https://all.example\nservices = lab\ns3 =\n  addressing_style = virtual\n\
        [profile plain]\nendpoint_url = https://all.example\nignore_configured_endpoint_urls = true\n\
        [services lab]\ns3 =\n  endpoint_url = https://s3.example/base\n";

    fn in_profile(name: &str, environment: &[(&str, &str)]) -> Settings {
        let environment = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let profile = Some(Profile::of(PROFILES, name));
        Layers { flags: Vec::new(), environment, file: None, profile }.resolve(None).unwrap()
    }

    fn place(settings: &Settings) -> &str {
        settings.endpoint.as_ref().map_or("AWS", modeldepot::Endpoint::as_str)
    }

    #[test]
    fn a_profile_says_where_and_as_whom() {
        let found = in_profile("place", &[("AWS_PROFILE", "place")]);
        assert_eq!((place(&found), found.region.as_str()), ("https://s3.example/base", "eu-west-3"));
        assert_eq!(found.addressing, Addressing::VirtualHost);
        assert!(matches!(found.credentials, Credentials::Chain), "it has none of its own: {found:?}");
        let found = in_profile("place", &[("AWS_ENDPOINT_URL", "https://here.example"), ("AWS_REGION", "r")]);
        assert_eq!((place(&found), found.region.as_str()), ("https://here.example", "r"), "the environment wins");
        let found = in_profile("place", &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("AWS_PROFILE", "place")]);
        assert_eq!(place(&found), "AWS");
        assert_eq!(place(&in_profile("plain", &[("AWS_PROFILE", "plain")])), "AWS");
        let found = in_profile("keys", &[("AWS_PROFILE", "keys"), ("S3_ENDPOINT", "http://localhost:9000")]);
        assert!(matches!(found.credentials, Credentials::Profile(name) if name == "keys"), "not minioadmin");
    }

    #[test]
    fn the_default_profile_means_aws_unless_another_place_is_set() {
        let found = in_profile("default", &[]);
        assert_eq!((place(&found), found.region.as_str()), ("AWS", "eu-north-1"));
        let found = in_profile("default", &[("S3_ENDPOINT", "http://localhost:9000")]);
        assert_eq!(found.region, "us-east-1", "a server as it comes");
        assert!(matches!(found.credentials, Credentials::Key { access, .. } if access == LOOPBACK_LOGIN));
    }

    #[test]
    fn flags_win_over_the_environment_which_wins_over_the_file() {
        let env_file = "S3_REGION=file\nS3_BUCKET_MODELS=file-bucket\nS3_BUCKET_DATA=file-data\n";
        let environment = [("S3_REGION", "environment"), ("S3_BUCKET_MODELS", "environment-bucket")];
        let settings = resolve(&[("S3_REGION", "flag")], &environment, env_file).unwrap();
        assert_eq!(settings.region, "flag");
        assert_eq!(settings.buckets.models.as_str(), "environment-bucket");
        assert_eq!(settings.buckets.data.unwrap().as_str(), "file-data");
    }

    #[test]
    fn a_role_in_the_file_is_none() {
        let role = "AWS_WEB_IDENTITY_TOKEN_FILE=/t\nAWS_ROLE_ARN=r\n";
        assert_eq!(place(&resolve(&[], &[], role).unwrap()), "http://localhost:9000", "the AWS chain would not see it");
        let keys = "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=s\n";
        assert_eq!(place(&resolve(&[], &[], keys).unwrap()), "AWS");
    }

    #[test]
    fn an_error_knows_where_its_value_was_found() {
        let origin = |result: Result<Settings, Error>| match result {
            Err(Error::Settings { origin, .. } | Error::Addressing { origin, .. }) => *origin,
            other => panic!("{other:?}"),
        };
        assert_eq!(origin(resolve(&[("S3_ENDPOINT", "x")], &[], "")), Origin::Flag("--flag"));
        assert_eq!(
            origin(resolve(&[], &[("S3_BUCKET_DATA", "X")], "")),
            Origin::Environment("S3_BUCKET_DATA".to_owned())
        );
        let file = Origin::File("S3_ACCESS_KEY".to_owned(), "/p/.env".into(), 1);
        assert_eq!(origin(resolve(&[], &[], "S3_ACCESS_KEY=x")), file);
        let file = Origin::File("S3_ADDRESSING".to_owned(), "/p/.env".into(), 2);
        assert_eq!(origin(resolve(&[], &[], "\nS3_ADDRESSING=sideways")), file);
    }
}
