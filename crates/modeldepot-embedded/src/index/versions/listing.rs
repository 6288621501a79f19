//! Pages of versions: the current objects and the other versions, merged by key.

use redb::ReadableTable;
use s3s::S3Result;

use super::{NULLS, VERSIONS};
use crate::index::Index;
use crate::index::listing::{Entry, Page, Query, Start, successor};
use crate::index::record::Object;
use crate::index::stamp::Which;
use crate::index::tables::{BUCKETS, OBJECTS, after_bucket, decode, place};
use crate::refusal::{internal, no_such_bucket};

/// A version in a listing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) object: Object,
    /// Whether it is the current version or delete marker of its key.
    pub(crate) is_latest: bool,
}

/// The version to start after: the last one on the previous page.
#[derive(Clone, Debug)]
pub(crate) struct Marker {
    pub(crate) key: String,
    pub(crate) version: Which,
}

impl Index {
    /// Returns a page of a bucket's versions: by key, newest first.
    ///
    /// With a marker the page starts within the marker's key, whatever start the query has.
    pub(crate) fn list_versions(&self, bucket: &str, query: &Query, marker: Option<&Marker>) -> S3Result<Page<Listed>> {
        let tx = self.opened.read().map_err(internal)?;
        if tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_none() {
            return Err(no_such_bucket());
        }
        let objects = tx.open_table(OBJECTS).map_err(internal)?;
        let versions = tx.open_table(VERSIONS).map_err(internal)?;
        let nulls = tx.open_table(NULLS).map_err(internal)?;
        let begin = place(bucket, &query.prefix);
        let end = if query.prefix.is_empty() { after_bucket(bucket) } else { successor(begin.clone()) };
        let within = marker.map(|marker| (place(bucket, &marker.key), &marker.version));
        let mut from = begin.max(match (&within, &query.start) {
            (Some((place, _)), _) => place.clone(),
            (None, Start::First) => Vec::new(),
            (None, Start::AfterKey(key)) => [place(bucket, key), vec![0]].concat(),
            (None, Start::AfterPrefix(prefix)) => successor(place(bucket, prefix)),
        });
        let mut page = Page { entries: Vec::new(), truncated: false };
        if query.max == 0 {
            return Ok(page);
        }
        while from < end {
            let current = objects.range(from.as_slice()..end.as_slice()).map_err(internal)?.next();
            let current = current.transpose().map_err(internal)?;
            let other = versions.range((from.as_slice(), 0)..(end.as_slice(), 0)).map_err(internal)?.next();
            let other = other.transpose().map_err(internal)?;
            let places = [current.as_ref().map(|row| row.0.value()), other.as_ref().map(|row| row.0.value().0)];
            let Some(at) = places.into_iter().flatten().min().map(<[u8]>::to_vec) else { break };
            let at = at.as_slice();
            let key = std::str::from_utf8(&at[bucket.len() + 1..]).map_err(internal)?;
            if let Some(prefix) = query.common_prefix(key) {
                if page.entries.len() == query.max {
                    page.truncated = true;
                    break;
                }
                page.entries.push(Entry::CommonPrefix(prefix.to_owned()));
                from = successor(place(bucket, prefix));
                continue;
            }
            let current = match current.filter(|row| row.0.value() == at) {
                Some(row) => Some(decode::<Object>(row.1.value())?),
                None => None,
            };
            let mut add = |mut object: Object, is_latest: bool| {
                // Tags and metadata of a page may take megabytes.
                object.description = Default::default();
                let has_room = page.entries.len() < query.max;
                if has_room {
                    page.entries.push(Entry::Key(key.to_owned(), Listed { object, is_latest }));
                } else {
                    page.truncated = true;
                }
                has_room
            };
            // Ages up to this one were on the previous page; `None` if not even the current object was.
            let seen = match within.as_ref().filter(|(place, _)| place == at).map(|(_, version)| *version) {
                None => None,
                Some(version) if current.as_ref().is_some_and(|object| version.is(&object.stamp)) => Some(None),
                Some(version) => Some(Some(version.age(&nulls, at)?.unwrap_or(u64::MAX))),
            };
            let has_current = current.is_some();
            if seen.is_none()
                && let Some(object) = current
                && !add(object, true)
            {
                break;
            }
            let first = match seen.flatten() {
                None => Some(0),
                Some(age) => age.checked_add(1),
            };
            let mut full = false;
            if let Some(first) = first {
                for row in versions.range((at, first)..=(at, u64::MAX)).map_err(internal)? {
                    let (age, object) = row.map_err(internal)?;
                    let object: Object = decode(object.value())?;
                    // By the second law, the first version of a key without a current object is a delete marker.
                    let is_latest = !has_current && is_newest(&versions, at, age.value().1)?;
                    if !add(object, is_latest) {
                        full = true;
                        break;
                    }
                }
            }
            if full {
                break;
            }
            from = [at, &[0]].concat();
        }
        Ok(page)
    }
}

fn is_newest(
    versions: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
    place: &[u8],
    age: u64,
) -> S3Result<bool> {
    match versions.range((place, 0)..=(place, u64::MAX)).map_err(internal)?.next() {
        Some(row) => Ok(row.map_err(internal)?.0.value().1 == age),
        None => Ok(false),
    }
}
