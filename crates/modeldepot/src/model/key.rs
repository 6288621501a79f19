//! The keys of the models bucket; the only place that formats and parses them.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::model::name::{ArtifactPath, ModelName, NameError, Version};

/// The prefix of modeldepot's own records. No model can have it: a model name starts with a letter or digit.
pub(crate) const RECORDS: &str = ".depot/";

/// Names an object of the models bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObjectKey {
    /// The record that makes a version exist: `<model>/v<version>/manifest.json`.
    Manifest(ModelName, Version),
    /// A file of a version: `<model>/v<version>/<path>`.
    Artifact(ModelName, Version, ArtifactPath),
    /// The tombstone of a deleted version: `.depot/tombstones/<model>/<version>.json`.
    Tombstone(ModelName, Version),
    /// A push in progress: `.depot/leases/<model>/<version>/<write_id>.json`.
    Lease(ModelName, Version, Uuid),
    /// The gc lock of a version whose orphans a gc run is about to remove: `.depot/gc/<model>/<version>/<id>.json`.
    /// Each run has its own, so that none removes another's.
    GcLock(ModelName, Version, Uuid),
    /// The files that a push uploads in parts: `.depot/uploads/<model>/<version>/<write_id>.json`.
    Uploads(ModelName, Version, Uuid),
    /// Record that objects that are not part of a version exist under its prefix:
    /// `.depot/foreign/<model>/<version>.json`.
    ForeignObjects(ModelName, Version),
    /// The capabilities found by probing the server: `.depot/probe.json`.
    Probe,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectKey::Manifest(model, version) => write!(f, "{model}/v{version}/manifest.json"),
            ObjectKey::Artifact(model, version, path) => write!(f, "{model}/v{version}/{path}"),
            ObjectKey::Tombstone(model, version) => write!(f, "{RECORDS}tombstones/{model}/{version}.json"),
            ObjectKey::Lease(model, version, id) => write!(f, "{RECORDS}leases/{model}/{version}/{id}.json"),
            ObjectKey::GcLock(model, version, id) => write!(f, "{RECORDS}gc/{model}/{version}/{id}.json"),
            ObjectKey::Uploads(model, version, id) => write!(f, "{RECORDS}uploads/{model}/{version}/{id}.json"),
            ObjectKey::ForeignObjects(model, version) => write!(f, "{RECORDS}foreign/{model}/{version}.json"),
            ObjectKey::Probe => write!(f, "{RECORDS}probe.json"),
        }
    }
}

impl FromStr for ObjectKey {
    type Err = NameError;

    fn from_str(key: &str) -> Result<Self, NameError> {
        let foreign = || NameError { what: "modeldepot key", text: key.to_owned(), rule: "no such layout" };
        if let Some(record) = key.strip_prefix(RECORDS) {
            let parts: Vec<&str> = record.strip_suffix(".json").ok_or_else(foreign)?.split('/').collect();
            return match parts[..] {
                ["tombstones", model, version] => Ok(ObjectKey::Tombstone(model.parse()?, stored_version(version)?)),
                ["foreign", model, version] => Ok(ObjectKey::ForeignObjects(model.parse()?, stored_version(version)?)),
                [kind @ ("leases" | "gc" | "uploads"), model, version, id] => {
                    let id = Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == *id).ok_or_else(foreign)?;
                    let (model, version) = (model.parse()?, stored_version(version)?);
                    Ok(match kind {
                        "leases" => ObjectKey::Lease(model, version, id),
                        "uploads" => ObjectKey::Uploads(model, version, id),
                        _ => ObjectKey::GcLock(model, version, id),
                    })
                }
                ["probe"] => Ok(ObjectKey::Probe),
                _ => Err(foreign()),
            };
        }
        let (model, rest) = key.split_once('/').ok_or_else(foreign)?;
        let (version, file) = rest.split_once('/').ok_or_else(foreign)?;
        let model = model.parse()?;
        let version = stored_version(version.strip_prefix('v').ok_or_else(foreign)?)?;
        Ok(match file {
            "manifest.json" => ObjectKey::Manifest(model, version),
            path => ObjectKey::Artifact(model, version, path.parse()?),
        })
    }
}

/// Parses a version as spelled in a key, where nothing is dropped: `vv1/` is not the folder of a version.
fn stored_version(text: &str) -> Result<Version, NameError> {
    let version: Version = text.parse()?;
    if version.as_str() == text {
        Ok(version)
    } else {
        Err(NameError { what: "stored version", text: text.to_owned(), rule: "a stored version has no leading `v`" })
    }
}

/// Returns the version under whose prefix a key lies, even if the key cannot be that of a file.
pub(crate) fn version_of(key: &str) -> Option<(ModelName, Version)> {
    let (model, rest) = key.split_once('/')?;
    let (version, _) = rest.split_once('/')?;
    Some((model.parse().ok()?, stored_version(version.strip_prefix('v')?).ok()?))
}

/// Returns the prefix of all versions of a model, with its final `/`: without it, `plant` would match `plants` too.
pub(crate) fn model_prefix(model: &ModelName) -> String {
    format!("{model}/")
}

/// Returns the prefix of all objects of a version, with its final `/`.
pub(crate) fn version_prefix(model: &ModelName, version: &Version) -> String {
    format!("{model}/v{version}/")
}

/// Returns the prefix of the leases on a version.
pub(crate) fn leases_prefix(model: &ModelName, version: &Version) -> String {
    format!("{RECORDS}leases/{model}/{version}/")
}

/// Returns the prefix of the gc locks on a version.
pub(crate) fn gc_locks_prefix(model: &ModelName, version: &Version) -> String {
    format!("{RECORDS}gc/{model}/{version}/")
}

/// Returns the prefix of a model's tombstones.
pub(crate) fn tombstones_prefix(model: &ModelName) -> String {
    format!("{RECORDS}tombstones/{model}/")
}

/// Returns the prefix of the records of foreign objects beside a model's versions.
pub(crate) fn foreign_prefix(model: &ModelName) -> String {
    format!("{RECORDS}foreign/{model}/")
}

/// Refuses a key that no object should be created under: listings could not show it, or would show something else.
///
/// # Errors
/// [`NameError`] with the rule that it breaks.
pub fn creatable(key: &str) -> Result<(), NameError> {
    let refused = |rule| Err(NameError { what: "key for an object", text: key.to_owned(), rule });
    if key.is_empty() || key.len() > 1024 {
        return refused("use 1 to 1024 bytes of UTF-8");
    }
    if key.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return refused("control characters, U+FFFE and U+FFFF are not allowed: listings cannot show them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_key() -> impl Strategy<Value = ObjectKey> {
        let model = "[A-Za-z0-9][A-Za-z0-9._-]{0,12}".prop_map(|s| s.parse::<ModelName>().unwrap());
        let version = "[A-Za-z0-9][A-Za-z0-9._+-]{0,12}".prop_map(|s| s.parse::<Version>().unwrap());
        let path =
            "[a-zé _.]{1,8}(/[a-z0-9.]{1,8}){0,3}".prop_filter_map("not a path", |s| s.parse::<ArtifactPath>().ok());
        prop_oneof![
            (model.clone(), version.clone()).prop_map(|(m, v)| ObjectKey::Manifest(m, v)),
            (model.clone(), version.clone()).prop_map(|(m, v)| ObjectKey::Tombstone(m, v)),
            (model.clone(), version.clone(), any::<u128>()).prop_map(|(m, v, id)| ObjectKey::GcLock(
                m,
                v,
                Uuid::from_u128(id)
            )),
            (model.clone(), version.clone(), any::<u128>()).prop_map(|(m, v, id)| ObjectKey::Lease(
                m,
                v,
                Uuid::from_u128(id)
            )),
            (model.clone(), version.clone(), any::<u128>()).prop_map(|(m, v, id)| ObjectKey::Uploads(
                m,
                v,
                Uuid::from_u128(id)
            )),
            (model.clone(), version.clone()).prop_map(|(m, v)| ObjectKey::ForeignObjects(m, v)),
            Just(ObjectKey::Probe),
            (model, version, path).prop_map(|(m, v, p)| ObjectKey::Artifact(m, v, p)),
        ]
    }

    proptest! {
        #[test]
        fn round_trips(key in any_key()) {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn what_parses_is_spelled_the_same(text in "(\\.depot/(tombstones|gc|leases|uploads|foreign)/)?[a-z.]{1,4}/v{0,2}[0-9a-z]{1,3}(/|\\.)[a-z./]{1,14}") {
            if let Ok(key) = text.parse::<ObjectKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    fn names(model: &str, version: &str) -> (ModelName, Version) {
        (model.parse().unwrap(), version.parse().unwrap())
    }

    /// A listing under a prefix shows what belongs to the version or the model, and nothing of one whose name merely
    /// begins alike.
    #[test]
    fn prefixes_hold_their_own_keys_and_no_others() {
        let (id, path) = (Uuid::from_u128(1), "f".parse::<ArtifactPath>().unwrap());
        let kinds = |(m, v): (ModelName, Version)| {
            [
                ObjectKey::Artifact(m.clone(), v.clone(), path.clone()),
                ObjectKey::Manifest(m.clone(), v.clone()),
                ObjectKey::Lease(m.clone(), v.clone(), id),
                ObjectKey::GcLock(m.clone(), v.clone(), id),
                ObjectKey::Tombstone(m.clone(), v.clone()),
                ObjectKey::ForeignObjects(m.clone(), v.clone()),
                ObjectKey::Uploads(m, v, id),
                ObjectKey::Probe,
            ]
            .map(|key| key.to_string())
        };
        let (model, version) = names("plant", "1");
        let alike: Vec<String> = [names("plant", "10"), names("plants", "1"), names("plan", "1")].map(kinds).concat();
        for (prefix, own, of_model) in [
            (version_prefix(&model, &version), &[0, 1][..], false),
            (model_prefix(&model), &[0, 1], true),
            (leases_prefix(&model, &version), &[2], false),
            (gc_locks_prefix(&model, &version), &[3], false),
            (tombstones_prefix(&model), &[4], true),
            (foreign_prefix(&model), &[5], true),
        ] {
            for (at, key) in kinds(names("plant", "1")).iter().enumerate() {
                assert_eq!(key.starts_with(&prefix), own.contains(&at), "{prefix} {key}");
            }
            for (at, key) in alike.iter().enumerate() {
                let other_version = own.contains(&at) && of_model;
                assert_eq!(key.starts_with(&prefix), other_version, "{prefix} {key}");
            }
        }
    }

    #[test]
    fn the_version_of_a_key_is_known_even_if_the_rest_is_strange() {
        for key in ["plant/v1/f", "plant/v1/", "plant/v1/../x", "plant/v1/manifest.json"] {
            assert_eq!(version_of(key), Some(names("plant", "1")), "{key}");
        }
        for key in ["", "plant", "plant/v1", "plant/1/f", "plant/vv1/f", ".depot/leases/plant/1/x", "/v1/f"] {
            assert_eq!(version_of(key), None, "{key}");
        }
    }

    #[test]
    fn what_listings_cannot_show_is_not_created() {
        for c in ['\0', '\u{1}', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{fffe}', '\u{ffff}'] {
            assert!(creatable(&format!("a{c}b")).is_err(), "{c:?}");
        }
        assert!(creatable("").is_err() && creatable(&"k".repeat(1025)).is_err());
        assert!(creatable("a b+c%2B%zz/ü\u{202e}").is_ok() && creatable(&"k".repeat(1024)).is_ok());
    }

    #[test]
    fn foreign_keys_are_refused() {
        for key in
            ["", "x", "m/v1", "m/1/f", "m/vv1/f", "m/v1/", "m/v1/../x", ".depot/x/y", ".depot/leases/m/1", "/m/v1/f"]
        {
            assert!(key.parse::<ObjectKey>().is_err(), "{key}");
        }
    }
}
