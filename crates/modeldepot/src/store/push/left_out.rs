//! Files that never belong in a version, in any folder.

use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::Path;

use crate::fs::open_found;
use crate::model::manifest::{LARGEST, Manifest};

/// An entry of a folder that is not published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its path in the folder.
    pub path: String,
    /// Whether it is a folder, left out with its contents.
    pub folder: bool,
    /// Why.
    pub reason: Reason,
}

/// Why something is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reason {
    /// A pattern excludes it.
    Excluded,
    /// Its name begins with a dot.
    Hidden,
    /// By its name, a private key or a file of passwords.
    Secret,
    /// Data of a version control system.
    Repository,
    /// A temporary file of an editor, an operating system or an interpreter.
    Temporary,
    /// Created by modeldepot.
    #[serde(rename = "modeldepot")]
    Own,
}

impl Reason {
    /// Lists all reasons.
    pub const ALL: [Reason; 6] =
        [Reason::Excluded, Reason::Hidden, Reason::Secret, Reason::Repository, Reason::Temporary, Reason::Own];

    /// Returns the reason as spelled in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Excluded => "excluded",
            Reason::Hidden => "hidden",
            Reason::Secret => "secret",
            Reason::Repository => "repository",
            Reason::Temporary => "temporary",
            Reason::Own => "modeldepot",
        }
    }
}

/// Hidden files that belong to a model: this one says how a Hugging Face repository stores its weights.
const KEPT: &[&str] = &[".gitattributes"];

/// Files and folders of passwords and tokens. `*` matches any text.
const SECRETS: &[&str] = &[
    ".env",
    ".env*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".htpasswd",
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".docker",
    ".boto",
    ".s3cfg",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.ppk",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    ".vault-token",
    ".databrickscfg",
    ".dockercfg",
    ".passwd-s3fs",
    ".my.cnf",
    ".kaggle",
    ".comet.config",
];

/// Files, not folders, that tools write credentials to: those of AWS, Google, Kaggle, Hugging Face, rclone, Streamlit, and
/// what people name theirs. The vocabularies of tokenizers have names such as `tokens.txt` and `added_tokens.json`.
const SECRET_FILES: &[&str] = &[
    "*.env",
    "credentials",
    "credentials.*",
    "*_credentials",
    "*_credentials.*",
    "*-credentials",
    "*-credentials.*",
    "accesskeys.csv",
    "*_accesskeys.csv",
    "rootkey.csv",
    "client_secret*.json",
    "service-account*.json",
    "service_account*.json",
    "serviceaccount*.json",
    "secret.*",
    "secrets",
    "secrets.*",
    "kaggle.json",
    "token",
    "token.txt",
    "token.json",
    "token.pickle",
    "*.token",
    "*hf_token*",
    "stored_tokens",
    "access_token*",
    "api_token*",
    "auth_token*",
    "*api_key.*",
    "*api_keys.*",
    "api_key",
    "*.apikey",
    "password.*",
    "passwords.*",
    "*.htpasswd",
    "htpasswd",
    "rclone.conf",
    "kubeconfig",
];

/// Names of private keys made by ssh. The next character must not be a letter or a digit, so that `id_rsa.old` matches,
/// but `id_map.json` and `id_rsax.bin` do not.
const KEYS: &[&str] = &["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_xmss"];

const REPOSITORIES: &[&str] = &[".git", ".hg", ".svn", ".bzr", ".jj", "cvs"];

const TEMPORARY: &[&str] = &[
    "*~",
    "*.swp",
    "*.swo",
    ".#*",
    ".ds_store",
    "._*",
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "__pycache__",
    "*.pyc",
    "*.pyo",
    ".ipynb_checkpoints",
];

/// Returns why an entry is left out by its name alone.
pub(in crate::store) fn by_name(name: &str, folder: bool, include_hidden: bool) -> Option<Reason> {
    if KEPT.contains(&name) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| fits(pattern, &lower));
    let key = |stem: &&str| {
        lower.strip_prefix(*stem).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    if any(SECRETS) || KEYS.iter().any(key) || (!folder && any(SECRET_FILES)) {
        Some(Reason::Secret)
    } else if any(REPOSITORIES) {
        Some(Reason::Repository)
    } else if any(TEMPORARY) {
        Some(Reason::Temporary)
    } else {
        (name.starts_with('.') && !include_hidden).then_some(Reason::Hidden)
    }
}

/// Returns why the target of a link is left out, by the names on the path to it.
pub(in crate::store) fn by_place(way: &Path) -> Option<Reason> {
    let names: Vec<_> = way.components().map(|name| name.as_os_str().to_string_lossy()).collect();
    names.iter().enumerate().find_map(|(place, name)| {
        let rest = names.get(place + 1..).unwrap_or_default();
        // git-annex replaces each large file with a link to an object here.
        let annexed = || name == ".git" && rest.len() > 2 && rest[0] == "annex" && rest[1] == "objects";
        match by_name(name, !rest.is_empty(), true) {
            Some(Reason::Repository) if annexed() => None,
            Some(reason @ (Reason::Secret | Reason::Repository)) => Some(reason),
            _ => is_own_name(name, true).then_some(Reason::Own),
        }
    })
}

/// Returns true for a name of the pattern. Each `*` is some text or none.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(name) = name.strip_prefix(start) else { return false };
    match rest.contains('*') {
        true => name.char_indices().any(|(at, _)| fits(rest, &name[at..])),
        false => name.ends_with(rest),
    }
}

/// Returns true for files that modeldepot puts beside a model. They are never published.
pub(in crate::store) fn is_own(relative: &Path, name: &str, folder: bool, local: &Path) -> bool {
    is_own_name(name, folder) || (!folder && relative == Path::new("manifest.json") && is_manifest(local))
}

fn is_own_name(name: &str, folder: bool) -> bool {
    name.starts_with(".modeldepot") || (folder && name == "modeldepot-data")
}

/// Returns true for the manifest of a pulled version. Any other `manifest.json` is not silently left out.
fn is_manifest(local: &Path) -> bool {
    let read = || -> Option<Manifest> {
        let (file, _) = open_found(local, None).ok()?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    read().is_some_and(|manifest| manifest.main().is_ok())
}

#[cfg(test)]
mod tests;
