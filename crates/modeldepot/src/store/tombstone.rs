//! Tombstones: records of which versions were deleted, and which objects belonged to them.
//!
//! A tombstone lists the objects of the version at the time of the delete, so that an interrupted delete can be
//! completed after the manifest is gone, and removes nothing else.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::model::key::ObjectKey;
use crate::model::name::{ModelName, Version};
use crate::s3::{Created, ListedObject};

/// The size limit of a manifest; a tombstone is smaller.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The content of a tombstone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    /// The objects of the version, by path below its prefix, each with its listed ETag or a substitute.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

impl Tombstone {
    /// Adds an object of the version.
    pub(super) fn add(&mut self, prefix: &str, object: &ListedObject) {
        if let Some(path) = object.key.strip_prefix(prefix)
            && let Some(identity) = identity(object)
        {
            self.files.insert(path.to_owned(), identity);
        }
    }

    /// Returns true for an object that belonged to the version and has not changed since.
    pub(super) fn lists(&self, prefix: &str, object: &ListedObject) -> bool {
        let listed = object.key.strip_prefix(prefix).and_then(|path| self.files.get(path));
        listed.is_some() && listed == identity(object).as_ref()
    }

    fn body(&self) -> Bytes {
        let json = serde_json::to_vec(self).unwrap_or_default();
        // A larger one could not be read back, and an unreadable one lists nothing. Objects not listed stay in the
        // bucket.
        if json.len() as u64 <= LARGEST { json.into() } else { Bytes::from_static(b"{}") }
    }
}

/// Returns what distinguishes an object from one stored later under its key: its ETag. If the server lists none, its
/// size and time; without a time, nothing.
fn identity(object: &ListedObject) -> Option<String> {
    match (object.etag.as_str(), object.modified) {
        ("", Some(time)) => Some(format!("{} bytes at {}", object.size, time.unix_timestamp_nanos())),
        ("", None) => None,
        (etag, _) => Some(etag.to_owned()),
    }
}

impl ModelStorage {
    /// Returns the tombstone of a version, if there is one.
    pub(super) async fn tombstone(&self, model: &ModelName, version: &Version) -> Result<Option<Tombstone>> {
        let key = ObjectKey::Tombstone(model.clone(), version.clone()).to_string();
        match self.depot.get_small(&self.bucket, &key, LARGEST).await {
            // An unreadable tombstone still counts, but lists nothing.
            Ok(found) => Ok(found.map(|json| serde_json::from_slice(&json).unwrap_or_default())),
            Err(Error::WrongSize { .. }) => Ok(Some(Tombstone::default())),
            Err(error) => Err(error),
        }
    }

    /// Returns true when the name of the version is retired.
    pub(super) async fn is_retired(&self, model: &ModelName, version: &Version) -> Result<bool> {
        let key = ObjectKey::Tombstone(model.clone(), version.clone()).to_string();
        self.depot.object_exists(&self.bucket, &key).await
    }

    /// Writes the tombstone of a version, and returns only when it exists.
    pub(super) async fn spend(&self, model: &ModelName, version: &Version, says: &Tombstone) -> Result<()> {
        let tombstone = ObjectKey::Tombstone(model.clone(), version.clone()).to_string();
        for attempt in 0..8 {
            let put = self.depot.put_if_absent(&self.bucket, &tombstone, says.body(), "application/json").await;
            match put {
                Ok(Created::Now) => return Ok(()),
                Err(error @ Error::Denied { .. }) => return Err(error),
                // Refused because it exists, or because of concurrent writes none of which may have won; or the reply
                // was lost. Only checking tells.
                Ok(Created::Refused) | Err(_) if self.is_retired(model, version).await? => return Ok(()),
                Ok(Created::Refused) => {}
                Err(error) if attempt == 7 => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(20..100 << attempt))).await;
        }
        Err(Error::VersionBusy {
            model: model.clone(),
            version: version.clone(),
            by: "others".to_owned(),
            since: "just now".to_owned(),
            rank: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_an_etag_is_known_by_its_size_and_time() {
        let object = |etag: &str, size, time| ListedObject {
            key: "m/v1/a".to_owned(),
            size,
            etag: etag.to_owned(),
            modified: Option::<i64>::map(time, |time| time::OffsetDateTime::from_unix_timestamp(time).unwrap()),
        };
        let lists = |was: ListedObject, is: ListedObject| {
            let mut tombstone = Tombstone::default();
            tombstone.add("m/v1/", &was);
            tombstone.lists("m/v1/", &is)
        };
        assert!(lists(object("e", 7, None), object("e", 7, Some(5))));
        assert!(!lists(object("e", 7, Some(5)), object("f", 7, Some(5))));
        assert!(lists(object("", 7, Some(5)), object("", 7, Some(5))));
        assert!(!lists(object("", 7, Some(5)), object("", 7, Some(6))), "stored since");
        assert!(!lists(object("", 7, Some(5)), object("", 8, Some(5))));
        assert!(!lists(object("", 7, None), object("", 7, None)), "nothing tells them apart");
    }
}
