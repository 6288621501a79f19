//! Properties of each decision by itself, tested with every input.

use crate::decide::{
    self, Begin, Check, Checked, Contend, Count, FIRST_CHECK, Fate, Listed, OrphansFate, Others, Own, Patience,
    ReadBack, Stage, Standing, Write,
};

const OWN: [Own; 3] = [Own::Missing, Own::Stale, Own::Fresh];
const STAGES: [Option<Stage>; 3] = [None, Some(Stage::Contending), Some(Stage::Working)];
const PATIENCE: [Patience; 2] = [Patience::Left, Patience::Over];
const EITHER: [bool; 2] = [false, true];

/// Every possible view of the leases of a version.
fn looks() -> impl Iterator<Item = (Own, Others, bool, Patience)> {
    let others = STAGES.into_iter().flat_map(|lower| STAGES.map(|higher| Others { lower, higher }));
    others.flat_map(|others| {
        let owns = OWN.into_iter().flat_map(move |own| EITHER.map(|conditions| (own, conditions)));
        owns.flat_map(move |(own, conditions)| PATIENCE.map(|patience| (own, others, conditions, patience)))
    })
}

#[test]
fn a_lease_that_is_gone_is_worth_nothing() {
    for (_, others, conditions, patience) in looks() {
        assert_eq!(decide::contend(Own::Missing, others, conditions, patience), Contend::Withdraw);
        assert_eq!(decide::count(Own::Missing, others, conditions, patience), Count::Fail);
    }
}

#[test]
fn without_conditions_a_stale_lease_is_as_good_as_none() {
    for (_, others, _, patience) in looks() {
        assert_eq!(decide::contend(Own::Stale, others, false, patience), Contend::Withdraw);
        assert_eq!(decide::count(Own::Stale, others, false, patience), Count::Fail);
    }
}

#[test]
fn without_conditions_only_who_is_alone_works_and_publishes() {
    for (own, others, _, patience) in looks() {
        let alone = own == Own::Fresh && others == Others::default();
        assert_eq!(decide::contend(own, others, false, patience) == Contend::Work, alone, "{own:?} {others:?}");
        assert_eq!(decide::count(own, others, false, patience) == Count::Publish, alone, "{own:?} {others:?}");
    }
}

/// If the server supports create-if-absent, leases are a courtesy: the holder of one publishes.
#[test]
fn with_conditions_a_lease_that_stands_is_enough_to_publish() {
    for (own, others, _, patience) in looks().filter(|(own, ..)| *own != Own::Missing) {
        assert_eq!(decide::count(own, others, true, patience), Count::Publish);
    }
}

#[test]
fn somebody_lower_or_at_work_is_never_contended_with() {
    for (own, others, conditions, patience) in looks() {
        if others.lower.is_some() || others.higher == Some(Stage::Working) {
            assert_eq!(decide::contend(own, others, conditions, patience), Contend::Withdraw, "{own:?} {others:?}");
        }
    }
}

/// Two that see the same leases never both wait, whatever their patience.
#[test]
fn two_never_wait_for_each_other() {
    for (mine, theirs) in STAGES[1..].iter().flat_map(|mine| STAGES[1..].iter().map(move |theirs| (*mine, *theirs))) {
        for conditions in EITHER {
            let low = Others { lower: None, higher: theirs };
            let high = Others { lower: mine, higher: None };
            let waits = |others| decide::contend(Own::Fresh, others, conditions, Patience::Left) == Contend::Wait;
            assert!(!(waits(low) && waits(high)), "{mine:?} {theirs:?}");
            let waits = |others| decide::count(Own::Fresh, others, conditions, Patience::Left) == Count::Wait;
            let both_work = (mine, theirs) == (Some(Stage::Working), Some(Stage::Working));
            assert!(!(both_work && waits(low) && waits(high)));
        }
    }
}

#[test]
fn patience_ends() {
    for (own, others, conditions, _) in looks() {
        assert_ne!(decide::contend(own, others, conditions, Patience::Over), Contend::Wait);
        assert_ne!(decide::count(own, others, conditions, Patience::Over), Count::Wait);
    }
}

/// A second manifest could overwrite one that another push wrote after the first was refused.
#[test]
fn a_manifest_is_sent_again_only_where_it_overwrites_nothing() {
    for (unavailable, patience) in EITHER.into_iter().flat_map(|u| EITHER.map(|p| (u, p))) {
        assert!(!decide::creates_again(false, unavailable, patience));
        assert_eq!(decide::creates_again(true, unavailable, patience), unavailable && patience);
    }
}

#[test]
fn a_lease_stays_only_for_what_may_still_arrive() {
    for (conditions, succeeded) in EITHER.into_iter().flat_map(|c| EITHER.map(|s| (c, s))) {
        assert!(decide::withdraws(conditions, succeeded, false), "nothing was sent");
        assert_eq!(decide::withdraws(conditions, succeeded, true), conditions || succeeded);
    }
}

/// A published version is compared or left alone: nothing is sent over it.
#[test]
fn nothing_is_sent_over_a_published_version() {
    for (named, objects, locked) in
        EITHER.into_iter().flat_map(|n| EITHER.map(|o| (n, o))).flat_map(|(n, o)| EITHER.map(|l| (n, o, l)))
    {
        let begins = decide::begin(named, true, objects, locked);
        assert_eq!(begins, if named { Begin::Compare } else { Begin::Taken });
        let begins = decide::begin(named, false, objects, locked);
        assert_eq!(begins == Begin::Send, !locked && (named || !objects), "{named} {objects} {locked}");
        if !named && objects {
            assert_eq!(begins, Begin::Taken, "a version of one's own has nothing under it");
        }
    }
}

#[test]
fn a_manifest_is_never_put_over_one_that_was_seen() {
    assert_eq!([true, false].map(|published| decide::write(true, published)), [Write::Create; 2]);
    assert_eq!(decide::write(false, true), Write::Nothing);
    assert_eq!(decide::write(false, false), Write::Put);
    assert!(decide::reuses(true, true) && !decide::reuses(true, false));
    assert!(!decide::reuses(false, true) && !decide::reuses(false, false));
}

/// Success is reported only for a manifest with our own content.
#[test]
fn only_the_same_content_is_success() {
    for (own, same, named) in
        EITHER.into_iter().flat_map(|o| EITHER.map(|s| (o, s))).flat_map(|(o, s)| EITHER.map(|n| (o, s, n)))
    {
        let read = decide::read_back(Some(Standing { own, same }), named);
        let success = matches!(read, ReadBack::Published | ReadBack::Already);
        assert_eq!(success, same && (own || named), "{own} {same} {named}");
        assert_eq!(read == ReadBack::Published, own && same);
    }
    assert_eq!(EITHER.map(|named| decide::read_back(None, named)), [ReadBack::Nothing; 2]);
}

/// The locks are checked before the tombstone, and a version lasts only when neither was found.
#[test]
fn a_version_lasts_only_after_two_looks_that_found_nothing() {
    assert_eq!(FIRST_CHECK, Check::Locks);
    for (locked, tombstone) in EITHER.into_iter().flat_map(|l| EITHER.map(|t| (l, t))) {
        let Checked::Look(next) = decide::check(FIRST_CHECK, locked) else { panic!("the first look decides nothing") };
        assert_eq!(next, Check::Tombstone { locked });
        let expected = match (locked, tombstone) {
            (_, true) => Checked::Deleted,
            (true, false) => Checked::Wait,
            (false, false) => Checked::Lasts,
        };
        assert_eq!(decide::check(next, tombstone), expected);
    }
}

/// A gc run retires nothing that is read or pushed, and removes no lock that may still be needed.
#[test]
fn a_collection_retires_only_what_is_dead() {
    for (leased, published) in EITHER.into_iter().flat_map(|l| EITHER.map(|p| (l, p))) {
        assert_eq!(decide::retires(leased, published), !leased && !published);
    }
    assert!(decide::lock_is_idle(true) && !decide::lock_is_idle(false));
}

/// Its owner gives a lease up while nobody else takes it for stale, and what is removed is not alive.
#[test]
fn a_lease_ages_for_its_owner_first() {
    let at = |seconds| Some(std::time::Duration::from_secs(seconds));
    assert_eq!(decide::own(None), Own::Missing);
    let owns = [None, at(0), at(300), at(301), at(601)].map(|age| decide::own(Some(age)));
    assert_eq!(owns, [Own::Fresh, Own::Fresh, Own::Fresh, Own::Stale, Own::Stale]);
    let alive = [None, at(0), at(600), at(601)].map(decide::is_alive);
    assert_eq!(alive, [true, true, true, false]);
    let grace = std::time::Duration::from_secs(1000);
    assert_eq!([None, at(601), at(999), at(1000)].map(|age| decide::is_dead(age, grace)), [false, false, false, true]);
    let none = std::time::Duration::ZERO;
    assert_eq!([None, at(0), at(600), at(601)].map(|age| decide::is_dead(age, none)), [false, false, false, true]);
    assert_eq!([None, at(0)].map(|age| decide::is_old(age, none)), [false, true]);
}

/// Only a push that began to send, or that resumes one, has anything on its way.
#[test]
fn a_push_has_sent_once_it_began_to() {
    for resumed in EITHER {
        for began in [None, Some(Begin::Compare), Some(Begin::Taken), Some(Begin::Locked)] {
            assert_eq!(decide::may_have_sent(resumed, began), resumed);
        }
        assert!(decide::may_have_sent(resumed, Some(Begin::Send)));
    }
}

/// Objects of a published version stay unless it is deleted, and those of a push that may live stay for now.
#[test]
fn a_plan_removes_only_what_is_deleted_or_unpublished() {
    let each = EITHER.into_iter().flat_map(|a| EITHER.map(|b| (a, b))).flat_map(|(a, b)| EITHER.map(|c| (a, b, c)));
    for (published, retired, alive) in each {
        let fate = decide::fate(Listed { objects: true, published, retired, alive });
        let expected = match (published, retired, alive) {
            (_, true, _) => Fate::Deleted,
            (true, false, _) => Fate::Stays,
            (false, false, true) => Fate::Young,
            (false, false, false) => Fate::Unpublished,
        };
        assert_eq!(fate, expected, "{published} {retired} {alive}");
        assert_eq!(decide::fate(Listed { objects: false, published: false, retired, alive }), Fate::Stays);
    }
    let orphans = EITHER.map(|failed| EITHER.map(|old| decide::orphans(failed, old)));
    assert_eq!(orphans, [[OrphansFate::Keep; 2], [OrphansFate::Young, OrphansFate::Remove]]);
}
