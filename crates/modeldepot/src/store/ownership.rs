//! Marks that show that modeldepot created an object, so that nothing else is ever removed.
//!
//! Every object that a push creates carries user metadata that names the push and the object's own key. A tool that
//! copies the object elsewhere copies the metadata too, and the copy does not count as modeldepot's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::s3::ListedObject;
use crate::visible::named;

/// The name of the metadata; its header is `x-amz-meta-modeldepot`.
const NAME: &str = "modeldepot";

/// How many objects' metadata is requested at once.
const HEADS_AT_ONCE: usize = 16;

/// How many objects beside the files of one version are checked at most. A larger number comes from another tool, not
/// from a dead push.
const LOOKED_AT: usize = 1000;

/// How many paths of foreign objects are listed; the rest are only counted.
const NAMED: usize = 100;

/// Objects under a version's prefix that are not part of it, and that modeldepot did not create as far as the bucket
/// shows. They are left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Foreign {
    /// Number of objects.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Their paths below the version's prefix, in key order: the first hundred.
    pub paths: Vec<String>,
}

impl Foreign {
    pub(super) fn of(prefix: &str, objects: &[ListedObject]) -> Foreign {
        let path = |object: &ListedObject| object.key.strip_prefix(prefix).unwrap_or(&object.key).to_owned();
        Foreign {
            objects: objects.len(),
            bytes: objects.iter().map(|object| object.size).fold(0, u64::saturating_add),
            paths: objects.iter().take(NAMED).map(path).collect(),
        }
    }

    /// Returns true when there are none.
    pub fn is_empty(&self) -> bool {
        self.objects == 0
    }

    /// Returns the names of the first few, for a message: `` `notes.onnx`, `a/b` and 3 more ``.
    pub fn names(&self, most: usize) -> String {
        named(self.paths.iter().map(String::as_str), self.objects, most)
    }
}

/// Returns the metadata of an object that a push creates under `key`.
pub(super) fn mark(id: Uuid, key: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(NAME.to_owned(), format!("{id} {}", binding(key)))])
}

/// Returns the push whose mark an object under this key carries.
fn marked_by(metadata: &BTreeMap<String, String>, key: &str) -> Option<Uuid> {
    let (_, mark) = metadata.iter().find(|(name, _)| name.eq_ignore_ascii_case(NAME))?;
    let (id, bound) = mark.split_once(' ')?;
    Uuid::try_parse(id).ok().filter(|_| bound == binding(key))
}

fn binding(key: &str) -> String {
    blake3::hash(key.as_bytes()).to_hex()[..16].to_owned()
}

impl ModelStorage {
    /// Returns true when the object's metadata shows that a push created it under this key.
    pub(super) async fn is_own(&self, key: &str) -> Result<bool> {
        Ok(self.pushed_by(key).await?.is_some())
    }

    /// Returns the push that created an object, as its metadata shows.
    pub(super) async fn pushed_by(&self, key: &str) -> Result<Option<Uuid>> {
        match self.depot.head_object(&self.bucket, key).await {
            Ok(found) => Ok(marked_by(&found.metadata, key)),
            Err(Error::ObjectNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns true when at least one of the objects carries a mark.
    pub(super) async fn has_own(&self, objects: &[ListedObject]) -> Result<bool> {
        let keys: Vec<String> = objects.iter().map(|object| object.key.clone()).collect();
        let look = stream::iter(keys).map(|key| async move { self.is_own(&key).await }.boxed());
        let mut looked = look.buffer_unordered(HEADS_AT_ONCE);
        while let Some(own) = looked.try_next().await? {
            if own {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Like [`divide`](Self::divide), for objects beside the files of a version: only the first thousand are checked,
    /// the rest count as foreign.
    pub(super) async fn divide_some(
        &self,
        mut objects: Vec<ListedObject>,
    ) -> Result<(Vec<ListedObject>, Vec<ListedObject>)> {
        let rest = objects.split_off(objects.len().min(LOOKED_AT));
        let (own, mut foreign) = self.divide(objects).await?;
        foreign.extend(rest);
        Ok((own, foreign))
    }

    /// Divides objects into modeldepot's own and foreign ones, by their metadata.
    pub(super) async fn divide(&self, objects: Vec<ListedObject>) -> Result<(Vec<ListedObject>, Vec<ListedObject>)> {
        let (own, foreign) = self.divide_by_push(objects).await?;
        Ok((own.into_iter().map(|(_, object)| object).collect(), foreign))
    }

    /// Like [`divide`](Self::divide), with the push of each own object.
    pub(super) async fn divide_by_push(
        &self,
        objects: Vec<ListedObject>,
    ) -> Result<(Vec<(Uuid, ListedObject)>, Vec<ListedObject>)> {
        let (mut own, mut foreign) = (Vec::new(), Vec::new());
        // Boxed as its turn comes: creating the futures of all objects at once would take kilobytes for each.
        let mut looked = stream::iter(objects).map(|object| self.with_owner(object).boxed()).buffered(HEADS_AT_ONCE);
        while let Some((push, object)) = looked.try_next().await? {
            match push {
                Some(push) => own.push((push, object)),
                None => foreign.push(object),
            }
        }
        Ok((own, foreign))
    }

    async fn with_owner(&self, object: ListedObject) -> Result<(Option<Uuid>, ListedObject)> {
        Ok((self.pushed_by(&object.key).await?, object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_key() {
        let id = Uuid::from_u128(7);
        let is_mark = |metadata: &_, key| marked_by(metadata, key).is_some();
        let ours = mark(id, "m/v1/a");
        assert!(is_mark(&ours, "m/v1/a"));
        assert!(!is_mark(&ours, "m/v2/a"), "an object that was copied elsewhere is foreign");
        assert!(!is_mark(&BTreeMap::new(), "m/v1/a"));
        for other in ["", "x", &format!("{id}"), &format!("no-uuid {}", binding("m/v1/a"))] {
            assert!(!is_mark(&BTreeMap::from([(NAME.to_owned(), other.to_owned())]), "m/v1/a"), "{other}");
        }
        let capitals = ours.into_values().map(|value| ("Modeldepot".to_owned(), value)).collect();
        assert!(is_mark(&capitals, "m/v1/a"), "some servers change the case of names");
    }

    #[test]
    fn names_are_few_and_escaped() {
        assert_eq!(named(["a", "b\u{1b}"].into_iter(), 2, 5), "`a`, `b\\u{1b}`");
        assert_eq!(named(["a", "b", "c"].into_iter(), 9, 2), "`a`, `b` and 7 more");
    }
}
