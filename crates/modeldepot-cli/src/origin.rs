//! Where the value of a setting comes from.

use std::fmt;
use std::path::PathBuf;

/// Where the value of a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(String),
    /// A file: the name, the path, and the line number.
    File(String, PathBuf, usize),
    /// An AWS profile: the key, and the profile's name.
    Profile(&'static str, String),
    /// Found by looking from the current folder upwards.
    Nearest,
    Default,
}

impl Origin {
    /// Returns true for a flag of the command, and false for an argument of the Python package.
    pub(crate) fn is_flag(&self) -> bool {
        matches!(self, Origin::Flag(flag) if flag.starts_with("--"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Environment(name) => write!(f, "{name} in the environment"),
            Origin::File(name, path, line) => write!(f, "{name} in {}:{line}", path.display()),
            Origin::Profile(key, name) => write!(f, "{key} of the AWS profile {name}"),
            Origin::Nearest => f.write_str("nearest to the current folder"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Returns Python's argument for half of a key.
pub(crate) fn key_argument(variable: &str) -> &'static str {
    if variable.contains("SECRET") { "secret_key" } else { "access_key" }
}
