//! Property: after any operations on objects and uploads, the index references exactly the files that are needed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use s3s::dto::{CompletedPart, ETag};

use super::*;
use crate::checksum::{Algorithm, Hashes};
use crate::index::conditions::WriteConditions;
use crate::index::multipart::{Completion, Target};
use crate::index::record::{Object, Part, Segment, Upload};

#[derive(Clone, Debug)]
enum Step {
    Put(usize),
    Copy(usize, usize),
    Delete(usize),
    DeleteAll,
    Begin(usize),
    PutPart(usize, u16),
    Abort(usize),
    Complete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0usize..3;
    prop_oneof![
        key().prop_map(Step::Put),
        (key(), key()).prop_map(|(from, to)| Step::Copy(from, to)),
        key().prop_map(Step::Delete),
        Just(Step::DeleteAll),
        key().prop_map(Step::Begin),
        (key(), 1u16..4).prop_map(|(key, number)| Step::PutPart(key, number)),
        key().prop_map(Step::Abort),
        key().prop_map(Step::Complete),
    ]
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

fn part() -> Part {
    let digests = Hashes::new(&[Algorithm::Crc64Nvme]).finish();
    Part {
        blob: Some(BlobId::random()),
        len: 5 << 20,
        coded: false,
        etag: hex::encode(digests.md5),
        modified: 0,
        sums: digests.sums,
    }
}

/// The expected state: the files of each object, and those of each upload's parts.
#[derive(Default)]
struct Model {
    objects: BTreeMap<usize, Vec<BlobId>>,
    uploads: BTreeMap<usize, (String, BTreeMap<u16, Part>)>,
}

impl Model {
    fn needed(&self) -> BTreeSet<BlobId> {
        let parts = self.uploads.values().flat_map(|(_, parts)| parts.values().filter_map(|part| part.blob));
        self.objects.values().flatten().copied().chain(parts).collect()
    }
}

fn apply(index: &Index, model: &mut Model, step: Step, count: usize) -> S3Result<Vec<BlobId>> {
    let none = WriteConditions::default();
    let name = |key: usize| format!("k{key}");
    let target = |key: usize, id: &str| Target { bucket: "b".into(), key: name(key), id: id.into() };
    match step {
        Step::Put(key) => {
            let blob = BlobId::random();
            model.objects.insert(key, vec![blob]);
            index
                .put("b", &name(key), object(), &[Segment { blob, len: 1, part: 1, coded: false }], &none)
                .map(|(_, freed)| freed)
        }
        Step::Copy(from, to) => {
            let copied = index.copy(("b", &name(from), None), ("b", &name(to)), &none, |found| Ok(found.clone()));
            match model.objects.get(&from).cloned() {
                Some(blobs) => {
                    model.objects.insert(to, blobs);
                    copied.map(|(_, freed)| freed)
                }
                None => {
                    assert_eq!(copied.unwrap_err().code().as_str(), "NoSuchKey");
                    Ok(vec![])
                }
            }
        }
        Step::Delete(key) => {
            model.objects.remove(&key);
            index.delete("b", &name(key), |_| Ok(())).map(|(_, freed)| freed)
        }
        Step::DeleteAll => {
            model.objects.clear();
            let keys: Vec<_> = (0..3).map(name).collect();
            let all = keys.iter().map(|key| (key.as_str(), None, |_: Option<&Object>| Ok(())));
            index.delete_many("b", all).map(|(_, freed)| freed)
        }
        Step::Begin(key) => {
            let id = format!("u{count}");
            let upload = Upload { initiated: 0, algorithm: None, composite: false, description: Default::default() };
            index.begin_upload(&target(key, &id), &upload)?;
            match model.uploads.insert(key, (id, BTreeMap::new())) {
                Some((old, _)) => index.abort_upload(&target(key, &old)),
                None => Ok(vec![]),
            }
        }
        Step::PutPart(key, number) => match model.uploads.get_mut(&key) {
            Some((id, parts)) => {
                let part = part();
                parts.insert(number, part.clone());
                index.put_part(&target(key, id), number, &part)
            }
            None => Ok(vec![]),
        },
        Step::Abort(key) => match model.uploads.remove(&key) {
            Some((id, _)) => index.abort_upload(&target(key, &id)),
            None => Ok(vec![]),
        },
        Step::Complete(key) => match model.uploads.get(&key) {
            Some((_, parts)) if parts.is_empty() => Ok(vec![]),
            Some((id, parts)) => {
                // About half of the parts are left out, if there are several.
                let chosen: Vec<_> = parts.iter().take(parts.len().div_ceil(2)).collect();
                let named = chosen.iter().map(|(number, part)| CompletedPart {
                    part_number: Some(i32::from(**number)),
                    e_tag: Some(ETag::Strong(part.etag.clone())),
                    ..Default::default()
                });
                let completion = Completion { parts: named.collect(), ..Default::default() };
                let completed = index.complete_upload(&target(key, id), &completion)?;
                let blobs = chosen.iter().filter_map(|(_, part)| part.blob).collect();
                model.objects.insert(key, blobs);
                model.uploads.remove(&key);
                Ok(completed.1)
            }
            None => Ok(vec![]),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_index_knows_exactly_the_files_that_are_needed(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(&folder.path().join("index"), &["b".into()], Arc::new(Room::new(folder.path()))).unwrap();
        let mut model = Model::default();
        let mut before = BTreeSet::new();
        for (count, step) in steps.into_iter().enumerate() {
            let freed: BTreeSet<_> = apply(&index, &mut model, step, count).unwrap().into_iter().collect();
            let needed = model.needed();
            let known: BTreeSet<_> = index.blobs().unwrap().into_iter().collect();
            prop_assert_eq!(&known, &needed);
            let dropped: BTreeSet<_> = before.difference(&needed).copied().collect();
            prop_assert_eq!(freed, dropped, "removed are those, and only those, that were needed and are not any more");
            before = needed;
        }
    }
}
