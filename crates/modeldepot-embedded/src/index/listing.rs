//! Pages of keys: range scans of the object table that skip a common prefix in one seek.

use s3s::S3Result;

use super::Index;
use super::record::Object;
use super::tables::{BUCKETS, OBJECTS, after_bucket, decode, place};
use crate::refusal::{internal, no_such_bucket};

/// The most entries in a page of S3.
pub(crate) const MAX_PAGE: usize = 1000;

/// Where a page starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the first key.
    #[default]
    First,
    /// After this key.
    AfterKey(String),
    /// After every key with this prefix.
    AfterPrefix(String),
}

/// A request for a listing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// Never empty.
    pub(crate) delimiter: Option<String>,
    pub(crate) start: Start,
    pub(crate) max: usize,
}

impl Query {
    /// Returns the common prefix under which a key is grouped.
    pub(crate) fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(&key[..end])
    }

    /// Returns where a page starts after a client's marker.
    ///
    /// If the marker is a common prefix of this listing, the whole group is skipped: clients page by it.
    pub(crate) fn after(&self, marker: String) -> Start {
        if self.common_prefix(&marker) == Some(marker.as_str()) {
            Start::AfterPrefix(marker)
        } else {
            Start::AfterKey(marker)
        }
    }
}

/// One entry of a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry<T> {
    Key(String, T),
    CommonPrefix(String),
}

impl<T> Entry<T> {
    /// Returns where the page after this entry starts.
    pub(crate) fn next(&self) -> Start {
        match self {
            Self::Key(key, _) => Start::AfterKey(key.clone()),
            Self::CommonPrefix(prefix) => Start::AfterPrefix(prefix.clone()),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Key(name, _) | Self::CommonPrefix(name) => name,
        }
    }
}

/// A page, and whether there is more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page<T> {
    pub(crate) entries: Vec<Entry<T>>,
    pub(crate) truncated: bool,
}

/// Returns the smallest byte string after all that begin with this one.
///
/// A place ends with a zero byte or a UTF-8 sequence, so its last byte can always be incremented.
pub(crate) fn successor(mut bytes: Vec<u8>) -> Vec<u8> {
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            break;
        }
    }
    bytes
}

impl Index {
    /// Returns a page of a bucket's objects without descriptions, as tags and metadata of a page may take megabytes.
    pub(crate) fn list(&self, bucket: &str, query: &Query) -> S3Result<Page<Object>> {
        self.page_of(bucket, query, |mut object| {
            object.description = Default::default();
            object
        })
    }

    /// Returns a page of a bucket's objects with their descriptions.
    pub(crate) fn list_described(&self, bucket: &str, query: &Query) -> S3Result<Page<Object>> {
        self.page_of(bucket, query, |object| object)
    }

    fn page_of(&self, bucket: &str, query: &Query, keep: impl Fn(Object) -> Object) -> S3Result<Page<Object>> {
        let tx = self.opened.read().map_err(internal)?;
        if tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_none() {
            return Err(no_such_bucket());
        }
        let table = tx.open_table(OBJECTS).map_err(internal)?;
        let mut page = Page { entries: Vec::new(), truncated: false };
        let begin = place(bucket, &query.prefix);
        let end = if query.prefix.is_empty() { after_bucket(bucket) } else { successor(begin.clone()) };
        let key_at = bucket.len() + 1;
        let mut from = begin.max(match &query.start {
            Start::First => Vec::new(),
            // The next possible key is this one followed by a zero byte.
            Start::AfterKey(key) => [place(bucket, key), vec![0]].concat(),
            Start::AfterPrefix(prefix) => successor(place(bucket, prefix)),
        });
        if query.max == 0 {
            return Ok(page);
        }
        'seek: while from < end {
            for row in table.range(from.as_slice()..end.as_slice()).map_err(internal)? {
                let (at, object) = row.map_err(internal)?;
                if page.entries.len() == query.max {
                    page.truncated = true;
                    break 'seek;
                }
                let key = std::str::from_utf8(&at.value()[key_at..]).map_err(internal)?;
                if let Some(prefix) = query.common_prefix(key) {
                    page.entries.push(Entry::CommonPrefix(prefix.to_owned()));
                    from = successor(place(bucket, prefix));
                    continue 'seek;
                }
                page.entries.push(Entry::Key(key.to_owned(), keep(decode(object.value())?)));
            }
            break;
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::room::Room;
    use crate::index::conditions::WriteConditions;

    fn index(keys: &BTreeSet<String>) -> (tempfile::TempDir, Index) {
        let folder = tempfile::tempdir().unwrap();
        // Neighboring buckets, whose keys must never appear.
        let index = Index::open(
            &folder.path().join("index"),
            &["b".into(), "a".into(), "b0".into()],
            Arc::new(Room::new(folder.path())),
        )
        .unwrap();
        index
            .write(|tx| {
                for bucket in ["a", "b", "b0"] {
                    for key in keys {
                        let object = object(if bucket == "b" { 1 } else { 2 });
                        crate::index::tables::replace(tx, &place(bucket, key), &object, &[])?;
                    }
                }
                Ok(())
            })
            .unwrap();
        (folder, index)
    }

    fn object(size: u64) -> Object {
        Object {
            size,
            etag: String::new(),
            modified: 0,
            parts: None,
            checksums: Default::default(),
            description: Default::default(),
            stamp: Default::default(),
        }
    }

    /// The plainest implementation of a listing.
    fn model(keys: &BTreeSet<String>, query: &Query) -> Vec<String> {
        let mut entries = BTreeSet::new();
        for key in keys.iter().filter(|key| key.starts_with(&query.prefix)) {
            let begun = match &query.start {
                Start::First => true,
                Start::AfterKey(after) => key > after,
                Start::AfterPrefix(prefix) => key > prefix && !key.starts_with(prefix.as_str()),
            };
            if begun {
                entries.insert(query.common_prefix(key).unwrap_or(key).to_owned());
            }
        }
        entries.into_iter().collect()
    }

    fn word() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof!["a", "b", "/", "é", "\u{10ffff}", "\u{0}", "-"], 1..6)
            .prop_map(|parts| parts.concat())
    }

    fn start() -> impl Strategy<Value = Start> {
        prop_oneof![
            Just(Start::First),
            word().prop_map(Start::AfterKey),
            word().prop_map(|prefix| Start::AfterPrefix(prefix + "/")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn pages_add_up_to_the_model(
            keys in proptest::collection::btree_set(word(), 0..40),
            prefix in prop_oneof![Just(String::new()), word()],
            delimiter in prop_oneof![Just(None), Just(Some("/".to_owned())), Just(Some("-/".to_owned())), Just(Some("é".to_owned()))],
            start in start(),
            max in 1usize..7,
        ) {
            let (_folder, index) = index(&keys);
            let mut query = Query { prefix, delimiter, start, max };
            let expected = model(&keys, &query);
            let mut found = Vec::new();
            loop {
                let page = index.list("b", &query).unwrap();
                prop_assert!(page.entries.len() <= max);
                prop_assert!(!page.truncated || page.entries.len() == max);
                for entry in &page.entries {
                    prop_assert!(!matches!(entry, Entry::Key(_, object) if object.size != 1), "from another bucket");
                    found.push(entry.name().to_owned());
                }
                if !page.truncated {
                    break;
                }
                query.start = page.entries.last().unwrap().next();
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_means_all_of_it() {
        let keys: BTreeSet<_> = ["a", "a/1", "a/2", "b/1", "c"].map(str::to_owned).into();
        let (_folder, index) = index(&keys);
        let mut query = Query { delimiter: Some("/".into()), max: 10, ..Default::default() };
        query.start = query.after("a/".into());
        let names = |query: &Query| -> Vec<_> {
            index.list("b", query).unwrap().entries.iter().map(|entry| entry.name().to_owned()).collect()
        };
        assert_eq!(names(&query), ["b/", "c"]);
        query.start = query.after("a/1".into());
        assert_eq!(names(&query), ["a/", "b/", "c"]);
        query.max = 0;
        assert_eq!(index.list("b", &query).unwrap(), Page { entries: vec![], truncated: false });
    }

    #[test]
    fn a_missing_bucket_is_an_error_and_a_put_into_one_too() {
        let (_folder, index) = index(&BTreeSet::new());
        let missing = index.list("nowhere", &Query::default()).unwrap_err();
        assert_eq!(missing.code().as_str(), "NoSuchBucket");
        let refused = index.put("nowhere", "k", object(0), &[], &WriteConditions::default()).unwrap_err();
        assert_eq!(refused.code().as_str(), "NoSuchBucket");
    }
}
