//! What holds of leases whatever is listed, and in whatever order pushers take their steps.

use std::collections::BTreeSet;

use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::seen::{Seen, age};
use crate::model::key::ObjectKey;
use crate::s3::ListedObject;
use crate::store::decide::{self, Contend, Count, Own, Patience, STALE_AFTER, Stage};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(20_000));

fn key(id: u128) -> String {
    ObjectKey::Lease("m".parse().unwrap(), "1".parse().unwrap(), Uuid::from_u128(id)).to_string()
}

fn lease(id: u128, age: Option<i64>) -> ListedObject {
    let modified = age.map(|age| NOW - Duration::seconds(age));
    ListedObject { key: key(id), size: 90, etag: format!("{id}"), modified }
}

/// Seconds, among them those around which it is decided, and times that the server does not tell.
fn any_age() -> impl Strategy<Value = Option<i64>> {
    let stale = STALE_AFTER.as_secs() as i64;
    prop_oneof![
        1 => Just(None),
        2 => (-2..=2i64).prop_map(move |off| Some(stale + off)),
        2 => (-2..=2i64).prop_map(move |off| Some(stale / 2 + off)),
        4 => (-5..2 * stale).prop_map(Some),
    ]
}

fn any_leases() -> impl Strategy<Value = Vec<ListedObject>> {
    prop::collection::btree_map(0u128..1000, any_age(), 1..20)
        .prop_map(|leases| leases.into_iter().map(|(id, age)| lease(id, age)).collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    /// Each of the others is in just one place, by its name and its age; the order of the listing does not matter.
    #[test]
    fn a_listing_is_sorted_by_name_and_age(leases in any_leases(), at: prop::sample::Index) {
        let own = leases[at.index(leases.len())].key.clone();
        let seen = Seen::new(leases.clone(), &own, Some(NOW));
        let place = |others: &[super::Other]| others.iter().map(|other| other.key.clone()).collect::<Vec<_>>();
        let (lower, higher, stale) = (place(&seen.lower), place(&seen.higher), place(&seen.stale));
        prop_assert!(lower.is_sorted() && higher.is_sorted());
        prop_assert!(lower.iter().all(|key| *key < own) && higher.iter().all(|key| *key > own));
        let old: BTreeSet<String> = leases
            .iter()
            .filter(|lease| lease.key != own && lease.modified.is_some_and(|time| NOW - time > STALE_AFTER))
            .map(|lease| lease.key.clone())
            .collect();
        prop_assert_eq!(&old, &stale.iter().cloned().collect());
        let mut all: Vec<String> = [lower, higher, stale, vec![own.clone()]].concat();
        all.sort();
        let mut listed: Vec<String> = leases.iter().map(|lease| lease.key.clone()).collect();
        listed.sort();
        prop_assert_eq!(all, listed);
        prop_assert_eq!(seen.first().map(|other| &other.key), seen.lower.iter().chain(&seen.higher).map(|o| &o.key).min());
    }

    /// Ranks order the living: no two are alike, and they count from zero.
    #[test]
    fn ranks_are_a_total_order(leases in any_leases()) {
        let living = leases.iter().filter(|lease| decide::is_alive(age(lease.modified, NOW)));
        let mut living: Vec<&String> = living.map(|lease| &lease.key).collect();
        living.sort();
        for (rank, own) in living.iter().enumerate() {
            prop_assert_eq!(Seen::new(leases.clone(), own, Some(NOW)).rank() as usize, rank);
        }
    }

    /// A push that does not find its own lease has lost, whichever leases are listed.
    #[test]
    fn a_lease_that_is_not_listed_is_lost(leases in any_leases(), conditions: bool) {
        let seen = Seen::new(leases, &key(5000), Some(NOW));
        prop_assert_eq!(seen.own, Own::Missing);
        let others = seen.others(Stage::Contending, Stage::Contending);
        prop_assert_eq!(decide::contend(seen.own, others, conditions, Patience::Left), Contend::Withdraw);
        prop_assert_eq!(decide::count(seen.own, others, conditions, Patience::Left), Count::Fail);
    }

    /// What its owner still trusts, nobody else takes for stale, for as long as it may take to act on it.
    #[test]
    fn a_lease_is_given_up_long_before_others_take_it(secs in any_age(), later in 0i64..=300) {
        let at = |by: i64| age(secs.map(|age| NOW - Duration::seconds(age)), NOW + Duration::seconds(by));
        if decide::own(Some(at(0))) == Own::Fresh {
            prop_assert!(decide::is_alive(at(later)));
        }
        // And nothing that is alive is ever removed, whatever the grace period.
        for grace in [0, 1, 600, 100_000] {
            let grace = std::time::Duration::from_secs(grace);
            prop_assert!(!decide::is_alive(at(0)) || !decide::is_dead(at(0), grace));
            prop_assert!(!decide::is_dead(at(0), grace) || decide::is_old(at(0), grace));
        }
    }
}

/// Where a pusher of the sequence is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Away,
    Contends,
    Works,
}

/// What happens next in the bucket.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A pusher puts its lease, or takes its next look.
    Acts(usize),
    Renews(usize),
    /// It is gone, and its lease stays.
    Dies(usize),
    Passes(i64),
    Collects,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..5).prop_map(Step::Acts),
        2 => (0usize..5).prop_map(Step::Renews),
        1 => (0usize..5).prop_map(Step::Dies),
        3 => (0i64..700).prop_map(Step::Passes),
        1 => Just(Step::Collects),
    ]
}

/// Pushers of one version on a server without conditions. One that lives renews its lease in time; the dead do not.
#[derive(Debug)]
struct Bucket {
    now: OffsetDateTime,
    pushers: [(At, bool); 5],
    /// When each lease was renewed, if it is there.
    leases: [Option<OffsetDateTime>; 5],
    published: Option<usize>,
}

impl Bucket {
    fn listed(&self) -> Vec<ListedObject> {
        let there = self.leases.iter().enumerate().filter_map(|(n, time)| Some((n, (*time)?)));
        there.map(|(n, time)| ListedObject { modified: Some(time), ..lease(n as u128, None) }).collect()
    }

    fn seen(&self, n: usize) -> Seen {
        Seen::new(self.listed(), &key(n as u128), Some(self.now))
    }

    /// Whether one of these, as listed by somebody, says that it went to work.
    fn stage(&self, leases: &[super::Other]) -> Stage {
        let works = |n: &usize| self.pushers[*n].0 == At::Works && leases.iter().any(|l| l.key == key(*n as u128));
        if (0..5).any(|n| works(&n)) { Stage::Working } else { Stage::Contending }
    }

    fn acts(&mut self, n: usize) {
        let seen = self.seen(n);
        let others = seen.others(self.stage(&seen.lower), self.stage(&seen.higher));
        match self.pushers[n].0 {
            At::Away => (self.pushers[n], self.leases[n]) = ((At::Contends, true), Some(self.now)),
            At::Contends => match decide::contend(seen.own, others, false, Patience::Left) {
                Contend::Work => {
                    for stale in &seen.stale {
                        self.leases[(0..5).find(|n| key(*n as u128) == stale.key).unwrap()] = None;
                    }
                    self.pushers[n].0 = At::Works;
                }
                Contend::Withdraw => (self.pushers[n].0, self.leases[n]) = (At::Away, None),
                Contend::Wait => {}
            },
            At::Works => match decide::count(seen.own, others, false, Patience::Left) {
                Count::Publish => self.published = Some(n),
                Count::Fail => (self.pushers[n].0, self.leases[n]) = (At::Away, None),
                Count::Wait => {}
            },
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Acts(n) if self.pushers[n].1 => self.acts(n),
            Step::Renews(n) if self.pushers[n].1 && self.leases[n].is_some() => self.leases[n] = Some(self.now),
            Step::Dies(n) if self.pushers[n].0 != At::Away => self.pushers[n].1 = false,
            Step::Passes(seconds) => {
                // Minute by minute, as leases are renewed.
                for _ in 0..seconds / 60 {
                    self.now += Duration::MINUTE;
                    (0..5).filter(|n| self.pushers[*n].1).for_each(|n| {
                        self.leases[n] = self.leases[n].map(|_| self.now);
                    });
                }
                self.now += Duration::seconds(seconds % 60);
            }
            Step::Acts(_) | Step::Renews(_) | Step::Dies(_) | Step::Collects => {}
        }
    }
}

proptest! {
    /// In any order of steps: never two at work that live, nothing of a living pusher is collected, and the name of a
    /// published version is never retired.
    #[test]
    fn one_works_and_gc_spares_it(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut bucket =
            Bucket { now: NOW, pushers: [(At::Away, true); 5], leases: [None; 5], published: None };
        for step in steps {
            bucket.step(step);
            let living = |n: &usize| bucket.pushers[*n].1 && bucket.leases[*n].is_some();
            let works = (0..5).filter(|n| bucket.pushers[*n] == (At::Works, true)).count();
            prop_assert!(works <= 1, "{:?}", bucket);
            if matches!(step, Step::Collects) {
                let listed = bucket.listed();
                let leased = listed.iter().any(|lease| decide::is_alive(age(lease.modified, bucket.now)));
                let retires = decide::retires(leased, bucket.published.is_some());
                prop_assert!(!retires || (0..5).filter(living).count() == 0, "{:?}", bucket);
                prop_assert!(!retires || bucket.published.is_none());
                for n in (0..5).filter(living) {
                    let age = age(bucket.leases[n], bucket.now);
                    prop_assert!(!decide::is_dead(age, std::time::Duration::ZERO), "{:?}", bucket);
                }
            }
            // The next push of this version, if it was published, finds it so.
            if bucket.published.is_some() {
                break;
            }
        }
    }
}
