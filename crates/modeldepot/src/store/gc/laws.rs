//! What holds of a plan whatever the bucket holds.

use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::listing::Listing;
use crate::model::key::ObjectKey;
use crate::model::name::{ModelName, Version};
use crate::s3::ListedObject;
use crate::store::decide::{self, Fate, STALE_AFTER};
use crate::store::lease::age;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(20_000));

/// An object of one of few versions, so that each has several of them.
fn any_key() -> impl Strategy<Value = String> {
    let of = (prop::sample::select(vec!["a", "b"]), prop::sample::select(vec!["1", "2"]), 0u128..3);
    let record = of.prop_flat_map(|(model, version, id)| {
        let (model, version, id) = (model.parse().unwrap(), version.parse().unwrap(), Uuid::from_u128(id));
        prop::sample::select(vec![
            ObjectKey::Manifest(Clone::clone(&model), Clone::clone(&version)),
            ObjectKey::Artifact(Clone::clone(&model), Clone::clone(&version), "f".parse().unwrap()),
            ObjectKey::Artifact(Clone::clone(&model), Clone::clone(&version), "dir/g".parse().unwrap()),
            ObjectKey::Tombstone(Clone::clone(&model), Clone::clone(&version)),
            ObjectKey::ForeignObjects(Clone::clone(&model), Clone::clone(&version)),
            ObjectKey::Lease(Clone::clone(&model), Clone::clone(&version), id),
            ObjectKey::Uploads(Clone::clone(&model), Clone::clone(&version), id),
            ObjectKey::GcLock(model, version, id),
        ])
    });
    prop_oneof![
        12 => record.prop_map(|key| key.to_string()),
        1 => Just(".depot/probe/x".to_owned()),
        1 => Just(".depot/doctor/x".to_owned()),
        1 => Just("notes.txt".to_owned()),
        1 => Just(".depot/probes/x".to_owned()),
    ]
}

fn any_listing() -> impl Strategy<Value = Vec<ListedObject>> {
    let stale = STALE_AFTER.as_secs() as i64;
    let age = prop_oneof![Just(None), (-2i64..=2).prop_map(move |off| Some(stale + off)), (-5i64..5000).prop_map(Some)];
    prop::collection::btree_map(any_key(), age, 0..24).prop_map(|listing| {
        let object = |(key, age): (String, Option<i64>)| {
            let modified = age.map(|age| NOW - Duration::seconds(age));
            ListedObject { key, size: 7, etag: "e".to_owned(), modified }
        };
        listing.into_iter().map(object).collect()
    })
}

fn is(key: &str, fits: impl Fn(&ObjectKey) -> bool) -> bool {
    key.parse::<ObjectKey>().is_ok_and(|key| fits(&key))
}

/// Returns the version that an object is of.
fn version_of(key: &ObjectKey) -> Option<(ModelName, Version)> {
    let (model, version) = match key {
        ObjectKey::Manifest(model, version)
        | ObjectKey::Artifact(model, version, _)
        | ObjectKey::Tombstone(model, version)
        | ObjectKey::ForeignObjects(model, version)
        | ObjectKey::Lease(model, version, _)
        | ObjectKey::Uploads(model, version, _)
        | ObjectKey::GcLock(model, version, _) => (model, version),
        ObjectKey::Probe => return None,
    };
    Some((model.clone(), version.clone()))
}

proptest! {
    /// Nothing is lost and nothing counted twice, and with a model nothing of another is planned.
    #[test]
    fn every_object_is_in_one_place(listing in any_listing(), one: bool) {
        let model = one.then(|| "a".parse().unwrap());
        let sorted = Listing::sort(listing.clone(), model.as_ref());
        // What is in no layout is never touched; only what probes left is.
        let no_keys = [".depot/probes/x", "notes.txt"];
        let unknown = listing.iter().map(|object| object.key.as_str()).filter(|key| !one && no_keys.contains(key));
        prop_assert_eq!(&sorted.unknown, &unknown.collect::<Vec<_>>());
        let mut found: Vec<String> = sorted.unknown.clone();
        found.extend(sorted.records.iter().map(|record| record.key.clone()));
        for ((of, version), mut traces) in sorted.versions {
            prop_assert!(!one || of.as_str() == "a");
            let listed = traces.listed(NOW);
            let tombstone = ObjectKey::Tombstone(of.clone(), version.clone()).to_string();
            prop_assert_eq!(listed.retired, listing.iter().any(|object| object.key == tombstone));
            found.extend(listed.retired.then_some(tombstone));
            found.extend(traces.take_objects().into_iter().map(|object| object.key));
            // With all that can be needless.
            let all = decide::Listed { retired: true, ..listed };
            found.extend(traces.needless(all, false, false).into_iter().map(|object| object.key));
        }
        found.sort();
        let mut expected: Vec<String> = listing.into_iter().map(|object| object.key).collect();
        expected.retain(|key| !one || key.starts_with("a/") || key.contains("/a/"));
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    /// A published version that nobody deleted is never touched, nor what a living push needs, whatever the grace.
    #[test]
    fn the_published_and_the_living_stay(listing in any_listing(), kept: bool, evidence: bool, grace in 0u64..3000) {
        let grace = std::time::Duration::from_secs(grace);
        for (of, traces) in Listing::sort(listing.clone(), None).versions {
            let belongs = |key: &str| key.parse::<ObjectKey>().is_ok_and(|key| version_of(&key).as_ref() == Some(&of));
            let all: Vec<String> = listing.iter().map(|object| object.key.clone()).filter(|key| belongs(key)).collect();
            let listed = traces.listed(NOW);
            let (files, manifest) = (
                all.iter().any(|key| is(key, |key| matches!(key, ObjectKey::Artifact(..)))),
                all.iter().any(|key| is(key, |key| matches!(key, ObjectKey::Manifest(..)))),
            );
            prop_assert_eq!((listed.objects, listed.published), (files || manifest, manifest));
            let fate = decide::fate(listed);
            match fate {
                Fate::Deleted => prop_assert!(listed.retired && listed.objects),
                Fate::Unpublished => prop_assert!(!listed.retired && !listed.published && !listed.alive),
                Fate::Young => prop_assert!(!listed.retired && !listed.published && listed.alive),
                Fate::Stays => prop_assert!(!listed.objects || listed.published && !listed.retired),
            }
            // A record goes as soon as nothing needs it, and no earlier: a lock stays while a push may have to see it.
            let of = |fits: fn(&ObjectKey) -> bool| all.iter().filter(|key| is(key, fits)).cloned().collect::<Vec<_>>();
            let mut expected = Vec::new();
            if listed.retired {
                expected.extend(of(|key| matches!(key, ObjectKey::GcLock(..))));
            }
            if listed.retired || !listed.published && !listed.alive {
                expected.extend(of(|key| matches!(key, ObjectKey::ForeignObjects(..))));
            }
            if !evidence {
                expected.extend(of(|key| matches!(key, ObjectKey::Lease(..))));
            }
            if !evidence && !kept {
                expected.extend(of(|key| matches!(key, ObjectKey::Uploads(..))));
            }
            let needless = traces.needless(listed, kept, evidence);
            let mut found: Vec<String> = needless.iter().map(|record| record.key.clone()).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
            for record in needless {
                // What is planned is dead, and a lease that is dead is none of a pusher that may live.
                let age = age(record.modified, NOW);
                if decide::is_dead(age, grace) {
                    prop_assert!(!decide::is_alive(age) && age.is_some_and(|age| age >= grace));
                }
            }
        }
    }

    /// Of a version, a plan takes its files only with the proof that each push of them failed, and only when all are old.
    #[test]
    fn orphans_go_only_when_all_are_old_and_failed(failed: bool, old: bool) {
        let removed = decide::orphans(failed, old) == decide::OrphansFate::Remove;
        prop_assert_eq!(removed, failed && old);
        prop_assert_eq!(decide::orphans(failed, old) == decide::OrphansFate::Keep, !failed);
    }
}
