//! The only place that reads the environment, the `.env` file, the current folder and the clock.
//!
//! Flags win over the environment, which wins over the first `.env` found from the current folder upwards. The
//! process's own environment is never changed.

#[cfg(test)]
mod fuzz;
mod oidc;
mod origins;
mod publisher;
mod trust;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use modeldepot::{Addressing, Settings, SettingsError};
use time::OffsetDateTime;

use crate::args::{AddressingArg, Globals};
use crate::error::Error;

pub(crate) use self::oidc::oidc;
pub(crate) use self::origins::{InUse, origins, proxies};
pub(crate) use self::publisher::published_by;
pub use self::publisher::publisher;
pub(crate) use self::trust::Ignored;

/// Where the value of a setting was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(String),
    File(String, PathBuf),
    Default,
}

/// Returns the settings that hold for this call.
pub(crate) fn settings(globals: &Globals) -> Result<Settings, Error> {
    let layers = here(flags(globals))?;
    let mut settings = layers.resolve(globals.addressing)?;
    settings.limit_rate = globals.limit_rate.map(|rate| rate.0);
    Ok(settings)
}

/// Returns the settings that hold for a caller that is no command line: what it was `given` wins over the environment and
/// the `.env` file. Each is the name of a variable, what the caller calls it, and the value.
///
/// # Errors
/// [`Failure`](crate::Failure), in the command's words.
pub fn settings_of(given: Vec<(&'static str, &'static str, String)>) -> Result<Settings, crate::Failure> {
    let layers = here(given)?;
    Ok(layers.resolve(None)?)
}

/// Returns the settings of whoever has set nothing.
pub(crate) fn defaults() -> Result<Settings, Error> {
    Settings::from_variables(|_| None).map_err(|source| Error::Settings { source, origin: Origin::Default })
}

/// Returns where settings are looked for in this process.
fn here(flags: Vec<(&'static str, &'static str, String)>) -> Result<Layers<impl Fn(&str) -> Option<String>>, Error> {
    let folder = std::env::current_dir().map_err(|source| Error::CurrentFolder { source })?;
    let file = match dotenv(&folder)? {
        Found::Read(file) => Some(file),
        Found::Ignored(_) | Found::Nothing => None,
    };
    Ok(Layers { flags, environment: |name: &str| std::env::var(name).ok(), file })
}

/// Returns the `.env` that would be read if others could not have written it.
pub(crate) fn ignored() -> Option<Ignored> {
    match dotenv(&std::env::current_dir().ok()?) {
        Ok(Found::Ignored(ignored)) => Some(ignored),
        _ => None,
    }
}

/// Returns what is to be said of a `.env` that is not read because others could have written it, and how to have it read.
pub fn ignored_env_file() -> Option<(String, String)> {
    let ignored = ignored()?;
    Some((crate::ui::clean(&ignored.to_string()).into_owned(), crate::ui::clean(&ignored.hint()).into_owned()))
}

/// Returns the time of this call.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns the file of the service's tokens: a flag wins over the environment, which wins over `.env`.
pub(crate) fn tokens(flag: Option<PathBuf>) -> Result<Option<PathBuf>, Error> {
    match flag {
        Some(path) => Ok(Some(path)),
        None => Ok(here(Vec::new())?.find("MODELDEPOT_TOKENS").0.filter(|path| !path.is_empty()).map(PathBuf::from)),
    }
}

/// Returns the file of the embedded server's keys: a flag wins over the environment, which wins over `.env`.
pub(crate) fn keys(flag: Option<PathBuf>) -> Result<Option<PathBuf>, Error> {
    match flag {
        Some(path) => Ok(Some(path)),
        None => Ok(here(Vec::new())?.find("MODELDEPOT_KEYS").0.filter(|path| !path.is_empty()).map(PathBuf::from)),
    }
}

/// Returns whether a token is asked for where there is no file of tokens, if that is set.
pub(crate) fn login() -> Result<Option<bool>, Error> {
    match here(Vec::new())?.find("MODELDEPOT_LOGIN").0.as_deref() {
        None | Some("" | "auto") => Ok(None),
        Some("always") => Ok(Some(true)),
        Some("never") => Ok(Some(false)),
        Some(_) => Err(Error::Usage {
            message: "MODELDEPOT_LOGIN is none of `auto`, `always` and `never`".to_owned(),
            hint: "set it to one of them, or leave it out",
        }),
    }
}

/// Returns where this machine remembers pushes that are running: the XDG state folder, or none where there is no home.
pub fn state_folder() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| std::env::home_dir().map(|home| home.join(".local").join("state")))?;
    let folder = state.join("modeldepot");
    match private(&folder) {
        Ok(()) => Some(folder),
        // A container's home may not be writable: then a push works, and only cannot be gone on with.
        Err(error) => {
            tracing::debug!(%error, folder = %folder.display(), "pushes cannot be remembered");
            None
        }
    }
}

/// Makes a folder that is nobody else's to read, and those above it.
fn private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The settings that flags give, by the names of their variables.
fn flags(globals: &Globals) -> Vec<(&'static str, &'static str, String)> {
    let mut flags = Vec::new();
    let mut add = |name, flag, value: &Option<String>| {
        if let Some(value) = value {
            flags.push((name, flag, value.clone()));
        }
    };
    add("S3_ENDPOINT", "--endpoint", &globals.endpoint);
    add("S3_REGION", "--region", &globals.region);
    add("S3_BUCKET_MODELS", "--bucket", &globals.bucket);
    add("S3_PREFIX", "--prefix", &globals.prefix);
    add("S3_TIMEOUT", "--timeout", &globals.timeout);
    add("S3_CONNECT_TIMEOUT", "--connect-timeout", &globals.connect_timeout);
    add("AWS_CA_BUNDLE", "--ca-bundle", &globals.ca_bundle.as_ref().map(|path| path.display().to_string()));
    flags
}

/// A `.env` file, read.
#[derive(Debug, Default)]
struct DotEnv {
    path: PathBuf,
    variables: BTreeMap<String, String>,
}

struct Layers<E> {
    flags: Vec<(&'static str, &'static str, String)>,
    environment: E,
    file: Option<DotEnv>,
}

impl<E: Fn(&str) -> Option<String>> Layers<E> {
    fn find(&self, name: &str) -> (Option<String>, Origin) {
        if let Some((_, flag, value)) = self.flags.iter().find(|(variable, ..)| *variable == name) {
            return (Some(value.clone()), Origin::Flag(flag));
        }
        if let Some(value) = (self.environment)(name) {
            return (Some(value), Origin::Environment(name.to_owned()));
        }
        match &self.file {
            Some(DotEnv { path, variables }) if variables.contains_key(name) => {
                (variables.get(name).cloned(), Origin::File(name.to_owned(), path.clone()))
            }
            _ => (None, Origin::Default),
        }
    }

    fn resolve(&self, addressing: Option<AddressingArg>) -> Result<Settings, Error> {
        let resolved = Settings::from_variables(|name| self.find(name).0);
        let mut settings = resolved.map_err(|source| {
            let origin = self.find(variable(&source)).1;
            Error::Settings { source, origin }
        })?;
        settings.addressing = match addressing {
            Some(AddressingArg::Auto) => Addressing::Auto,
            Some(AddressingArg::Path) => Addressing::Path,
            Some(AddressingArg::Virtual) => Addressing::VirtualHost,
            None => {
                let (value, origin) = self.find("S3_ADDRESSING");
                match value.as_deref() {
                    None | Some("" | "auto") => Addressing::Auto,
                    Some("path") => Addressing::Path,
                    Some("virtual") => Addressing::VirtualHost,
                    Some(other) => return Err(Error::Addressing { text: other.to_owned(), origin }),
                }
            }
        };
        Ok(settings)
    }
}

/// Returns the variable that an error is about.
fn variable(error: &SettingsError) -> &'static str {
    match error {
        SettingsError::Endpoint { .. } => "S3_ENDPOINT",
        SettingsError::Bucket { setting, .. } => setting,
        SettingsError::Prefix { .. } => "S3_PREFIX",
        SettingsError::HalfAKey { set, .. } => set,
        SettingsError::Timeout { setting, .. } => setting,
        SettingsError::CaBundle { .. } => "AWS_CA_BUNDLE",
    }
}

/// What became of the search for a `.env`.
enum Found {
    Read(DotEnv),
    Ignored(Ignored),
    Nothing,
}

/// Reads the first `.env` file from `folder` upwards, or the one that the environment names. A folder of that name is
/// somebody's virtual environment.
fn dotenv(folder: &Path) -> Result<Found, Error> {
    let named = std::env::var_os(trust::VARIABLE).map(PathBuf::from);
    let trusted = named.is_some();
    let path = match named {
        Some(path) if path.as_os_str().is_empty() => return Ok(Found::Nothing),
        Some(path) => path,
        None => match folder.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file()) {
            Some(path) => path,
            None => return Ok(Found::Nothing),
        },
    };
    let unread = |source| Error::DotEnvRead { path: path.clone(), source };
    // Nothing further up takes its place: settings from two folders are nobody's wish.
    let file = match trust::open(&path, trusted).map_err(unread)? {
        Ok(file) => file,
        Err(ignored) => return Ok(Found::Ignored(ignored)),
    };
    let text = io::read_to_string(file.take(LARGEST + 1)).map_err(unread)?;
    if text.len() as u64 > LARGEST {
        return Err(unread(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB")));
    }
    match parse(&text) {
        Ok(variables) => Ok(Found::Read(DotEnv { path, variables })),
        Err(line) => Err(Error::DotEnv { path, line }),
    }
}

/// The largest `.env`, and the longest value in it, in bytes.
const LARGEST: u64 = 1 << 20;
const LONGEST: usize = 64 << 10;

/// The most variables that values of a `.env` refer to.
const REFERENCES: usize = 256;

/// Returns the variables, or the number of the first line that is none. The line itself may hold a secret, so it goes
/// no further.
///
/// A value may hold others (`$A$A`), and each line may double what the one before it made. So values are bounded, and
/// with them what a line can make of them.
fn parse(text: &str) -> Result<BTreeMap<String, String>, usize> {
    if let Some((index, _)) = text.match_indices('$').nth(REFERENCES) {
        return Err(text[..index].lines().count().max(1));
    }
    let mut variables = BTreeMap::new();
    for pair in dotenvy::from_read_iter(io::Cursor::new(text)) {
        match pair {
            Ok((name, value)) if value.len() <= LONGEST => {
                variables.insert(name, value);
            }
            Ok((name, _)) => {
                let number = text.lines().position(|line| line.trim_start().starts_with(&name));
                return Err(number.map_or(1, |index| index + 1));
            }
            Err(dotenvy::Error::LineParse(line, _)) => {
                // The first line of a broken one that spans several.
                let first = line.lines().next().unwrap_or_default();
                let number = text.lines().position(|candidate| candidate.trim_end() == first.trim_end());
                return Err(number.map_or(1, |index| index + 1));
            }
            Err(_) => return Err(1),
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_hold_each_other_stay_small() {
        let doubling: String = (1..40).map(|n| format!("V{n}=$V{}$V{}\n", n - 1, n - 1)).collect();
        assert_eq!(parse(&format!("V0=0123456789\n{doubling}")), Err(14));
        let many = format!("A={}\nB={}\n", "x".repeat(LONGEST), "$A".repeat(REFERENCES + 1));
        assert_eq!(parse(&many), Err(2));
        assert_eq!(parse("A=1\nB=$A$A\n").unwrap()["B"], "11");
    }

    fn file(text: &str) -> Option<DotEnv> {
        Some(DotEnv { path: "/p/.env".into(), variables: parse(text).unwrap() })
    }

    fn resolve(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        env_file: &str,
    ) -> Result<Settings, Error> {
        let environment = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let flags = flags.iter().map(|(name, value)| (*name, "--flag", (*value).to_owned())).collect();
        Layers { flags, environment, file: file(env_file) }.resolve(None)
    }

    #[test]
    fn flags_win_over_the_environment_which_wins_over_the_file() {
        let env_file = "S3_REGION=file\nS3_BUCKET_MODELS=file-bucket\nS3_BUCKET_DATA=file-data\n";
        let environment = [("S3_REGION", "environment"), ("S3_BUCKET_MODELS", "environment-bucket")];
        let settings = resolve(&[("S3_REGION", "flag")], &environment, env_file).unwrap();
        assert_eq!(settings.region, "flag");
        assert_eq!(settings.buckets.models.as_str(), "environment-bucket");
        assert_eq!(settings.buckets.data.as_str(), "file-data");
    }

    #[test]
    fn an_error_knows_where_its_value_was_found() {
        let origin = |result: Result<Settings, Error>| match result {
            Err(Error::Settings { origin, .. } | Error::Addressing { origin, .. }) => origin,
            other => panic!("{other:?}"),
        };
        assert_eq!(origin(resolve(&[("S3_ENDPOINT", "x")], &[], "")), Origin::Flag("--flag"));
        assert_eq!(
            origin(resolve(&[], &[("S3_BUCKET_DATA", "X")], "")),
            Origin::Environment("S3_BUCKET_DATA".to_owned())
        );
        let file = Origin::File("S3_ACCESS_KEY".to_owned(), "/p/.env".into());
        assert_eq!(origin(resolve(&[], &[], "S3_ACCESS_KEY=x")), file);
        let file = Origin::File("S3_ADDRESSING".to_owned(), "/p/.env".into());
        assert_eq!(origin(resolve(&[], &[], "S3_ADDRESSING=sideways")), file);
    }

    #[test]
    fn env_files_as_people_write_them() {
        let text = "# S3/Minio Configuration\n\nexport S3_REGION = eu-west-1\nS3_SECRET_KEY='pa$$ #word'\r\nEMPTY=\n";
        let variables = parse(text).unwrap();
        assert_eq!(variables["S3_REGION"], "eu-west-1");
        assert_eq!(variables["S3_SECRET_KEY"], "pa$$ #word");
        assert_eq!(variables["EMPTY"], "");
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        assert_eq!(parse("A=1\n\nnot a variable\n"), Err(3));
        assert_eq!(parse("A=1\nB='unclosed\nC=2\n"), Err(2));
    }
}
