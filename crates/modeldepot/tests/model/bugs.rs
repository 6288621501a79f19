//! Planted mistakes: the model must detect the effect of each.

use crate::protocol::{Bug, Content, Leases, Protocol, Stalls};
use crate::search::{Look, search};
use crate::world::Push;
use crate::{A, B, C, D, WITH_CONDITIONS, WITHOUT_CONDITIONS, breaks, holds};

/// Two pushers of different contents are enough for most.
const TWO: Protocol = Protocol { contents: &[A, B], cleaners: 1, deleter: false, late: 0, ..WITH_CONDITIONS };

fn bug(name: &str, bug: Bug, protocol: Protocol, expected: &str) {
    breaks(name, &Protocol { bug: Some(bug), ..protocol }, Look::Outside, expected);
}

#[test]
fn removing_before_spending() {
    bug("a cleaner removes, then spends", Bug::RemovesBeforeSpending, TWO, "whole");
}

#[test]
fn files_by_plain_writes() {
    bug("files are overwritten", Bug::OverwritesFiles, TWO, "whole");
}

#[test]
fn the_manifest_first() {
    bug("the manifest comes first", Bug::ManifestFirst, TWO, "whole");
}

#[test]
fn no_reading_back() {
    bug("a refusal is taken for success", Bug::NoReadBack, Protocol { contents: &[A, C], ..TWO }, "lasting");
}

#[test]
fn trusting_the_write_id() {
    let leases = Leases::Kept(Stalls::Before(|_| true));
    let resumed = Protocol { contents: &[A, C], leases, cleaners: 0, resumed: true, late: 1, ..TWO };
    bug("a push resumes with other metadata", Bug::TrustsWriteId, resumed, "lasting");
}

#[test]
fn no_check_before_success() {
    bug("success is told without a look", Bug::NoCheck, TWO, "cleaning");
}

#[test]
fn the_tombstone_before_the_locks() {
    bug(
        "tombstone and locks are looked for at once",
        Bug::TombstoneBesideLocks,
        Protocol { beyond_retired: true, ..TWO },
        "cleaning",
    );
}

#[test]
fn clearing_at_take_over() {
    bug("leftovers are removed at take-over", Bug::ClearsLeftovers, TWO, "whole");
}

#[test]
fn one_lock_for_all_cleaners() {
    bug("cleaners share a lock", Bug::SharedLock, Protocol { cleaners: 2, ..TWO }, "cleaning");
}

#[test]
fn locks_that_are_removed_before_the_name_is_retired() {
    bug("a dead lock is removed", Bug::SweepsLocks, Protocol { cleaners: 2, ..TWO }, "cleaning");
}

#[test]
fn the_second_look_is_a_courtesy_with_conditions() {
    let careless = Protocol { bug: Some(Bug::NoSecondLook), ..WITH_CONDITIONS };
    holds("no second look", &careless, Look::Strictly);
}

#[test]
fn trusting_a_lease_without_listing() {
    bug("a lease without a list", Bug::NoListing, WITHOUT_CONDITIONS, "whole");
}

#[test]
fn withdrawing_what_may_still_arrive() {
    bug("a failed push withdraws its lease", Bug::WithdrawsOnFailure, WITHOUT_CONDITIONS, "whole");
}

#[test]
fn resuming_under_the_lease_of_the_dead() {
    let resumed = Protocol { contents: &[A, A, D], resumed: true, cleaners: 0, ..WITHOUT_CONDITIONS };
    holds("a push that goes on, no conditions", &resumed, Look::Outside);
    bug("a push goes on under the old lease", Bug::SharesItsLease, resumed, "whole");
}

/// Two pushers, and one that stalls for longer than a lease is valid, but only before these steps.
fn stalling(step: fn(Push) -> bool) -> Protocol {
    let leases = Leases::Kept(Stalls::Before(step));
    Protocol { leases, contents: &[A, D], cleaners: 0, deleter: false, late: 0, ..WITHOUT_CONDITIONS }
}

#[test]
fn trusting_a_stale_lease() {
    bug("an old lease is trusted", Bug::TrustsOldLease, stalling(|at| at == Push::LooksAgain), "whole");
}

/// The gap on servers without conditional writes, and its limits.
#[test]
fn without_conditions_a_stall_before_a_write_is_harmful() {
    type Row = (&'static str, fn(Push) -> bool, &'static [Content], bool);
    let two: &[Content] = &[A, D];
    let steps: [Row; 11] = [
        ("lists the leases", |at| at == Push::Lists, two, false),
        // With only two pushers, there would be no lease to take over and nobody to come after it.
        ("takes over", |at| matches!(at, Push::Takes(_)), &[A, A, D], true),
        ("looks for a manifest", |at| at == Push::Looks, two, true),
        ("looks for locks", |at| at == Push::Heeds, two, true),
        ("stores a file", |at| matches!(at, Push::Fills(_)), two, true),
        ("looks at its files again", |at| at == Push::LooksAgain, two, false),
        ("looks at its lease again", |at| at == Push::Counts, two, false),
        ("looks for a manifest again", |at| at == Push::Vacant, two, true),
        ("writes the manifest", |at| at == Push::Publishes, two, true),
        ("reads it back", |at| at == Push::ReadsBack, two, false),
        ("checks and leaves", |at| matches!(at, Push::Checks | Push::Unlocked | Push::Leaves), two, false),
    ];
    for (step, stalls, contents, harmful) in steps {
        let found = search(&Protocol { contents, ..stalling(stalls) }, Look::Everywhere);
        println!("a stall before it {step}: {} worlds, broken: {:?}", found.worlds, found.rules);
        assert_eq!(!found.rules.is_empty(), harmful, "{step}");
    }
    breaks("a stall before the manifest", &stalling(|at| at == Push::Publishes), Look::Outside, "whole");
    breaks("a stall before a file", &stalling(|at| matches!(at, Push::Fills(_))), Look::Outside, "whole");
}
