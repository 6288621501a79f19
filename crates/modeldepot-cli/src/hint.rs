//! The `hint:` line of an error, computed from its fields.

use std::io;
use std::path::Path;

use modeldepot::advice::{self, Advice};
use modeldepot::{Error as Depot, ErrorKind, Settings, SettingsError, SourceError};
use modeldepot_embedded::{Error as Embedded, KeysError};
use modeldepot_server::{Error as Service, TokensError};

use crate::advice::said;
use crate::error::Error;
use crate::origin::{Origin, key_argument};
use modeldepot::units::size;

/// Returns the hint for an error, if there is one worth a line.
pub(crate) fn hint(error: &Error, settings: Option<&Settings>) -> Option<String> {
    match error {
        Error::Depot(error) => depot(error, settings),
        Error::UploadUrl(error) => {
            Some(format!("{}; or pass --force to sign this URL anyway", depot(error, settings)?))
        }
        Error::Guarded(error) => {
            Some(format!("{}; or pass --force to change this object anyway", depot(error, settings)?))
        }
        Error::Embedded(error) => embedded(error),
        Error::Keys(error) => keys(error),
        Error::Service(error) => service(error, "--listen"),
        Error::Console(error) => service(error, "--console"),
        Error::Tokens(error) => tokens(error),
        Error::Tls(error) => error.hint().map(str::to_owned),
        Error::Settings { source, origin } => setting(source, origin),
        Error::Addressing { origin, .. } => found(origin),
        Error::DotEnvEncoding { .. } => Some(
            "save it as UTF-8 (PowerShell: `Set-Content -Encoding utf8`); it looks like UTF-16, which `>` writes in PowerShell"
                .to_owned(),
        ),
        Error::NoSuchProfile { known, .. } if known.is_empty() => Some(
            "profiles are read from ~/.aws/config and ~/.aws/credentials, or from AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"
                .to_owned(),
        ),
        Error::NoSuchProfile { known, .. } => {
            let few: Vec<String> = known.iter().take(10).map(|name| format!("`{name}`")).collect();
            Some(format!("known profiles: {}{}", few.join(", "), if known.len() > few.len() { ", …" } else { "" }))
        }
        Error::Profiles { .. } => Some("correct the file, or do not select the profile".to_owned()),
        Error::Usage { hint, .. } => Some((*hint).to_owned()),
        Error::Typed { hint, .. } => hint.clone(),
        Error::MetaFile { .. } => Some("use one JSON object: `{\"architecture\": \"resnet18\", …}`".to_owned()),
        Error::Unconfirmed { .. } => Some("pass --yes to delete without confirmation".to_owned()),
        Error::Io { source, .. } => disk(source),
        Error::Faults { kind: ErrorKind::Corrupt, faults, lost } => Some(damaged(*faults, *lost)),
        Error::Signal { kept: Some((0, _)), .. } => {
            Some("no part was complete yet: the command starts over when it is repeated".to_owned())
        }
        Error::Signal { kept: Some((kept, all)), .. } => {
            Some(format!("{} of {} are kept: repeat the command to resume", size(*kept), size(*all)))
        }
        _ => None,
    }
}

/// Returns what to do about damaged versions, of whose faults some are missing manifests.
fn damaged(faults: usize, lost: usize) -> String {
    const RESTORE: &str = "to restore a missing manifest, push the same files under the same version again";
    const REPLACE: &str = "do not use damaged versions; publish them again under a new version and delete the old one with `modeldepot rm`";
    match lost {
        0 => REPLACE.to_owned(),
        lost if lost == faults => RESTORE.to_owned(),
        _ => format!("{RESTORE}; of other damage: {REPLACE}"),
    }
}

fn setting(error: &SettingsError, origin: &Origin) -> Option<String> {
    match (advice::setting(error), origin) {
        (Some(Advice::SetOther { missing }), Origin::File(_, path, _)) => {
            Some(format!("also set `{missing}` in `{}`, or unset both", path.display()))
        }
        (Some(Advice::NameBucket { endpoint, bucket }), Origin::Flag(_)) => {
            let endpoint = endpoint.unwrap_or_else(|| "URL".to_owned());
            Some(match origin.is_flag() {
                true => format!("pass --endpoint {endpoint} --bucket {bucket}"),
                false => format!("pass `endpoint=\"{endpoint}\"` and `bucket=\"{bucket}\"`"),
            })
        }
        // The command has no flags for keys.
        (Some(Advice::SetOther { missing }), Origin::Flag(set)) => {
            Some(format!("also pass `{}`, or leave `{set}` out", key_argument(missing)))
        }
        (Some(advice), _) => Some(said(&advice)),
        // The message names the variable.
        (None, Origin::Environment(name)) if name == error.setting() => Some("it is set in the environment".to_owned()),
        (None, Origin::File(name, path, line)) if name == error.setting() => {
            Some(format!("it is set in `{}`, line {line}", path.display()))
        }
        (None, origin) => found(origin),
    }
}

/// Names the origin of a value unless it was a flag.
fn found(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Environment(name) => Some(format!("it comes from `{name}` in the environment")),
        Origin::File(name, path, line) => Some(format!("it comes from `{name}` in `{}`, line {line}", path.display())),
        Origin::Profile(key, name) => Some(format!("it comes from `{key}` of the AWS profile `{name}`")),
        Origin::Flag(_) | Origin::Nearest | Origin::Default => None,
    }
}

fn keys(error: &KeysError) -> Option<String> {
    Some(match error {
        KeysError::Io { source, path, .. } if source.kind() == io::ErrorKind::NotFound => {
            format!("`modeldepot key add NAME --grant BUCKET=read --keys {}` creates it", path.display())
        }
        KeysError::Io { source, .. } => return disk(source),
        KeysError::Open { path, .. } => {
            format!("run `chmod 600 {}`; if another user may have read it, create new key pairs", path.display())
        }
        KeysError::Line { .. } => "correct or remove the line; create key pairs with `modeldepot key add`".to_owned(),
        KeysError::Taken { name, path } => format!("`modeldepot key rm {name} --keys {}` revokes it", path.display()),
        KeysError::Unknown { path, .. } => format!("`modeldepot key list --keys {}` lists them", path.display()),
        _ => return None,
    })
}

fn embedded(error: &Embedded) -> Option<String> {
    Some(match error {
        Embedded::InUse { .. } => "another `modeldepot up` uses this folder; choose another with --data".to_owned(),
        Embedded::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            "the port is in use: choose another with --listen".to_owned()
        }
        Embedded::Bind { .. } => "choose an address of this machine with --listen".to_owned(),
        Embedded::DefaultCredentials { .. } => "set S3_ACCESS_KEY and S3_SECRET_KEY first".to_owned(),
        Embedded::NotADataFolder { .. } => "choose an empty or new folder with --data".to_owned(),
        Embedded::Io { source, .. } => return disk(source),
        Embedded::Keys(error) => return keys(error),
        _ => return None,
    })
}

/// Returns the hint for a service whose address this flag sets.
fn service(error: &Service, flag: &str) -> Option<String> {
    Some(match error {
        Service::Depot(error) => return depot(error, None),
        Service::Tokens(error) => return tokens(error),
        Service::Open { .. } => {
            "create a token with `modeldepot token add NAME --scope read --tokens FILE`, and start with --tokens FILE"
                .to_owned()
        }
        Service::NoOidc => {
            "build it with the feature: `cargo install --path crates/modeldepot-cli --features oidc`".to_owned()
        }
        Service::NoGrants => {
            "grant something to a group: `--oidc-grant ml-team=publish:plant-*`, or `--oidc-grant '*=read'` for everyone \
             who logs in"
                .to_owned()
        }
        Service::NoPublicUrl { .. } => {
            "set `--public-url https://models.example.com`, and register \
             `https://models.example.com/login/oidc/callback` with the provider"
                .to_owned()
        }
        Service::Log { source, .. } => {
            return disk(source)
                .or_else(|| Some("choose a file in an existing folder that you can write to".to_owned()));
        }
        Service::Staging { .. } => "choose a folder of your own with `--staging DIR`".to_owned(),
        Service::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            format!("the port is in use: choose another with {flag}")
        }
        Service::Bind { .. } => format!("choose an address of this machine with {flag}"),
        _ => return None,
    })
}

fn tokens(error: &TokensError) -> Option<String> {
    Some(match error {
        TokensError::Io { source, path, .. } if source.kind() == io::ErrorKind::NotFound => {
            format!("`modeldepot token add NAME --scope read --tokens {}` creates it", path.display())
        }
        TokensError::Io { source, .. } => return disk(source),
        TokensError::Writable { path } => format!("check its lines, then `chmod 600 {}`", path.display()),
        TokensError::Line { .. } => "remove the line, and create tokens with `modeldepot token add`".to_owned(),
        TokensError::Taken { name, path } => {
            let tokens = format!("--tokens {}", path.display());
            format!(
                "`modeldepot token rotate {name} {tokens}` gives it a new secret, `modeldepot token rm {name} {tokens}` \
                 revokes it"
            )
        }
        TokensError::Unknown { path, .. } => {
            format!("`modeldepot token list --tokens {}` lists them", path.display())
        }
        TokensError::Expired { name, path, .. } => {
            let path = path.display();
            format!("give it more time: `modeldepot token rotate {name} --expires 90d --tokens {path}`")
        }
        _ => return None,
    })
}

/// Returns the hint for a failure of the library.
pub(crate) fn depot(error: &Depot, settings: Option<&Settings>) -> Option<String> {
    if let Depot::Source(SourceError::Empty { path }) = error
        && is_empty(path)
    {
        return Some("the folder is empty: name one with a model file".to_owned());
    }
    let advice = error.advice(settings)?;
    // As typed, `modeldepot init` creates the buckets of the settings, without those of flags.
    if let (Advice::CreateBucket { bucket, configured: true }, Some(settings)) = (&advice, settings)
        && *bucket == settings.buckets.models
        && settings.buckets != Settings::from_variables(|_| None).ok()?.buckets
    {
        return Some(format!("correct the name, or create the bucket with `modeldepot init --bucket {bucket}`"));
    }
    Some(said(&advice))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn disk(error: &io::Error) -> Option<String> {
    advice::disk(error).map(|note| note.to_string())
}
