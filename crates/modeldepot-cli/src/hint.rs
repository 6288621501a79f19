//! The `hint:` line of an error, computed from its fields.

use std::io;

use modeldepot::hint::{disk, hint as depot};
use modeldepot::{Endpoint, Error as Depot, ErrorKind, Settings, SettingsError, SourceError};
use modeldepot_embedded::{Error as Embedded, KeysError};

use crate::error::Error;
use crate::origin::Origin;

/// Returns the hint for an error, if there is one worth a line.
pub(crate) fn hint(error: &Error, settings: Option<&Settings>) -> Option<String> {
    match error {
        Error::Depot(Depot::Source(SourceError::LeavesTheTree { .. })) => {
            Some("pass --follow-links to publish its target, or exclude the link with --exclude".to_owned())
        }
        Error::Depot(Depot::NoModelFile) => Some("choose the model file with --main, or add one".to_owned()),
        Error::Depot(Depot::Source(SourceError::Empty { .. })) => Some(
            "--dry-run lists the excluded files; check --exclude, or pass --include-hidden".to_owned(),
        ),
        Error::Depot(modeldepot::Error::InTheWay { obstacles, .. })
            if obstacles.iter().all(|one| one.what.yields()) =>
        {
            Some("pull into another folder, or pass --force to overwrite these files".to_owned())
        }
        Error::Depot(modeldepot::Error::OtherModel { .. }) => {
            Some("pull into another folder, or pass --force to overwrite these files".to_owned())
        }
        Error::Depot(error) => depot(error, settings),
        Error::UploadUrl(error) => {
            Some(format!("{}; or pass --force to sign this URL anyway", depot(error, settings)?))
        }
        Error::Guarded(error) => {
            Some(format!("{}; or pass --force to change this object anyway", depot(error, settings)?))
        }
        Error::Embedded(error) => embedded(error),
        Error::Keys(error) => keys(error),
        Error::Service(error) => error.hint(),
        Error::Tokens(error) => error.hint(),
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
        Error::Typed { hint, .. } => Some(hint.clone()),
        Error::MetaFile { .. } => Some("use one JSON object: `{\"architecture\": \"resnet18\", …}`".to_owned()),
        Error::Unconfirmed { .. } => Some("pass --yes to delete without confirmation".to_owned()),
        Error::Io { source, .. } => disk(source),
        Error::Faults { kind: ErrorKind::Corrupt, .. } => Some(
            "do not use damaged versions; publish them again under a new version and delete the old one with `modeldepot rm`"
                .to_owned(),
        ),
        Error::Signal { resumable: true, .. } => Some("repeat the command to resume".to_owned()),
        _ => None,
    }
}

fn setting(error: &SettingsError, origin: &Origin) -> Option<String> {
    match error {
        SettingsError::Endpoint { text, .. } if format!("http://{text}").parse::<Endpoint>().is_ok() => {
            Some(format!("did you mean `http://{text}`?"))
        }
        SettingsError::HalfAKey { missing, .. } => {
            let place = match origin {
                Origin::File(_, path, _) => format!(" in `{}`", path.display()),
                _ => String::new(),
            };
            Some(format!("also set `{missing}`{place}, or unset both"))
        }
        _ => found(origin),
    }
}

/// Names the origin of a value unless it was a flag.
fn found(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Environment(name) => Some(format!("it comes from `{name}` in the environment")),
        Origin::File(name, path, line) => Some(format!("it comes from `{name}` in `{}`, line {line}", path.display())),
        Origin::Profile(key, name) => Some(format!("it comes from `{key}` of the AWS profile `{name}`")),
        Origin::Flag(_) | Origin::Default => None,
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
