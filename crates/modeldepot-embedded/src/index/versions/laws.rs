//! Property: after any operations on versions, the listing, reads and required files match a plain list per key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::disk::room::Room;
use crate::index::Index;
use crate::index::conditions::WriteConditions;
use crate::index::listing::{Entry, Query};
use crate::index::stamp::NULL;

#[derive(Clone, Debug)]
enum Step {
    Set(bool),
    Put(usize),
    Restore(usize, usize),
    Delete(usize),
    DeleteNth(usize, usize),
    DeleteNull(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<bool>().prop_map(Step::Set),
        5 => (0usize..3).prop_map(Step::Put),
        2 => (0usize..3, 0usize..4).prop_map(|(key, nth)| Step::Restore(key, nth)),
        3 => (0usize..3).prop_map(Step::Delete),
        3 => (0usize..3, 0usize..4).prop_map(|(key, nth)| Step::DeleteNth(key, nth)),
        1 => (0usize..3).prop_map(Step::DeleteNull),
    ]
}

const KEYS: [&str; 3] = ["a", "a/b", "c/d"];

/// A version in the model: its id, and its blob unless it is a delete marker.
type Row = (String, Option<BlobId>);

#[derive(Default)]
struct Model {
    /// `None` until versioning is first enabled, then whether it is enabled.
    on: Option<bool>,
    /// Newest first.
    keys: BTreeMap<usize, Vec<Row>>,
}

impl Model {
    /// Adds a version in front. Unless versioning is enabled, it replaces the null version.
    fn add(&mut self, key: usize, row: Row) {
        let rows = self.keys.entry(key).or_default();
        if self.on != Some(true) {
            rows.retain(|(id, _)| id != NULL);
        }
        rows.insert(0, row);
    }

    fn all(&self) -> Vec<(String, String, bool, bool)> {
        let rows = self.keys.iter().flat_map(|(key, rows)| {
            rows.iter().enumerate().map(|(n, (id, blob))| (KEYS[*key].to_owned(), id.clone(), blob.is_none(), n == 0))
        });
        rows.collect()
    }

    fn blobs(&self) -> BTreeSet<BlobId> {
        self.keys.values().flatten().filter_map(|(_, blob)| *blob).collect()
    }
}

fn object() -> Object {
    Object {
        size: 1,
        etag: "e".into(),
        modified: 0,
        parts: None,
        checksums: Default::default(),
        description: Default::default(),
        stamp: Default::default(),
    }
}

fn apply(index: &Index, model: &mut Model, step: Step) -> S3Result<Vec<BlobId>> {
    let none = WriteConditions::default();
    let shown = |id: Option<String>| id.unwrap_or_else(|| NULL.to_owned());
    match step {
        Step::Set(on) => {
            model.on = Some(on);
            index.set_versioning("b", if on { Versioning::Enabled } else { Versioning::Suspended })?;
            Ok(vec![])
        }
        Step::Put(key) => {
            let blob = BlobId::random();
            let (id, freed) =
                index.put("b", KEYS[key], object(), &[Segment { blob, len: 1, part: 1, coded: false }], &none)?;
            model.add(key, (shown(id), Some(blob)));
            Ok(freed)
        }
        Step::Restore(key, nth) => {
            let Some((id, blob)) = model.keys.get(&key).and_then(|rows| rows.get(nth)).cloned() else {
                return Ok(vec![]);
            };
            let which = Which::parse(Some(&id))?.unwrap();
            let copied = index.copy(("b", KEYS[key], Some(&which)), ("b", KEYS[key]), &none, |found| Ok(found.clone()));
            if blob.is_none() {
                assert_eq!(copied.unwrap_err().code().as_str(), "InvalidRequest");
                return Ok(vec![]);
            }
            let (copied, freed) = copied?;
            model.add(key, (shown(copied.version), blob));
            Ok(freed)
        }
        Step::Delete(key) => {
            let (deleted, freed) = index.delete("b", KEYS[key], |_| Ok(()))?;
            if model.on.is_none() {
                model.keys.remove(&key);
            } else {
                assert!(deleted.marker);
                model.add(key, (shown(deleted.version), None));
            }
            Ok(freed)
        }
        Step::DeleteNth(key, nth) => {
            let Some((id, blob)) = model.keys.get(&key).and_then(|rows| rows.get(nth)).cloned() else {
                return Ok(vec![]);
            };
            let which = Which::parse(Some(&id))?.unwrap();
            let (deleted, freed) = index.delete_version("b", KEYS[key], &which, |_| Ok(()))?;
            assert_eq!(deleted.marker, blob.is_none());
            model.keys.entry(key).or_default().remove(nth);
            Ok(freed)
        }
        Step::DeleteNull(key) => {
            let (_, freed) = index.delete_version("b", KEYS[key], &Which::Null, |_| Ok(()))?;
            model.keys.entry(key).or_default().retain(|(id, _)| id != NULL);
            Ok(freed)
        }
    }
}

/// Lists everything, page by page.
fn listed(index: &Index, max: usize) -> Vec<(String, String, bool, bool)> {
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let page = index.list_versions("b", &Query { max, ..Default::default() }, marker.as_ref()).unwrap();
        assert!(page.entries.len() <= max && (!page.truncated || page.entries.len() == max));
        for entry in &page.entries {
            let Entry::Key(key, listed) = entry else { panic!("no delimiter was given") };
            let stamp = &listed.object.stamp;
            found.push((key.clone(), stamp.shown(), stamp.marker, listed.is_latest));
        }
        if !page.truncated {
            return found;
        }
        let (key, id, ..) = found.last().unwrap();
        marker = Some(Marker { key: key.clone(), version: Which::parse(Some(id)).unwrap().unwrap() });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn versions_are_those_of_a_list_per_key(steps in proptest::collection::vec(step(), 1..50)) {
        let folder = tempfile::tempdir().unwrap();
        let room = Arc::new(Room::new(folder.path()));
        let index = Index::open(&folder.path().join("index"), &["b".into(), "ba".into()], room).unwrap();
        let mut model = Model::default();
        let mut before = BTreeSet::new();
        for step in steps {
            let freed: BTreeSet<_> = apply(&index, &mut model, step).unwrap().into_iter().collect();
            let needed = model.blobs();
            let known: BTreeSet<_> = index.blobs().unwrap().into_iter().collect();
            prop_assert_eq!(&known, &needed);
            prop_assert_eq!(freed, before.difference(&needed).copied().collect::<BTreeSet<_>>());
            before = needed;
            for max in [1, 2, 100] {
                prop_assert_eq!(listed(&index, max), model.all());
            }
            for (n, key) in KEYS.iter().enumerate() {
                let rows = model.keys.get(&n).cloned().unwrap_or_default();
                let current = index.find("b", key).map(|(_, segments)| segments[0].blob).ok();
                prop_assert_eq!(current, rows.first().and_then(|(_, blob)| *blob));
                for (id, blob) in &rows {
                    let found = index.version("b", key, Which::parse(Some(id)).unwrap().as_ref(), true);
                    prop_assert_eq!(found.map(|(_, segments)| segments[0].blob).ok(), *blob);
                }
            }
            let keys: Vec<_> = index.list("b", &Query { max: 100, ..Default::default() }).unwrap().entries;
            let current = model.keys.values().filter(|rows| rows.first().is_some_and(|(_, blob)| blob.is_some()));
            prop_assert_eq!(keys.len(), current.count());
        }
        let any = !model.all().is_empty();
        prop_assert_eq!(index.delete_bucket("b").is_err(), any, "a bucket with a version is not empty");
    }
}
