//! An exhaustive model of publishing, deleting and collecting one version.
//!
//! It tries every order of all requests of up to three pushers, two cleaners and the user's delete, with stalls and
//! deaths at every step and with requests that take effect long after their process has continued. What follows from an
//! answer is decided by the product's own code, `src/store/decide.rs`, which is included here. The order of the
//! requests is written here once more; `docs/decisions/2026-11-26-one-winner-without-conditions.md` says what is
//! shared, and the other tests check that the code keeps that order.
//! `docs/decisions/2026-11-23-model-of-the-protocol.md` summarizes the rules.
//!
//! Left out without loss:
//! - The parts of large files. They are invisible, and completing them creates the object in one step from parts that
//!   the request names by their checksums. Aborting an upload can only make its pusher fail.
//! - Early checks for the tombstone. A push that starts on a retired name can do more than one that does not.
//! - Objects of other tools. No request of the protocol removes one, and with conditional writes none replaces one:
//!   only objects that carry a mark or are listed in the tombstone are removed, and only those are in the model. Every
//!   file of the model is marked.
//!
//! Left out, and therefore not shown: more files, more pushers, more gc runs, more late requests at a time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the numbers of worlds and the ways to what breaks are worth reading")]

mod bugs;
mod cleaner;
mod contest;
#[path = "../../src/store/decide.rs"]
mod decide;
mod laws;
mod protocol;
mod pusher;
mod rules;
mod search;
mod steps;
mod world;

use protocol::{Content, Leases, Protocol, Stalls};
use search::{Found, Look, search};

const A: Content = Content { files: [1, 1], metadata: 1 };
/// One file is the same.
const B: Content = Content { files: [1, 2], metadata: 1 };
/// The files are the same, the metadata is not.
const C: Content = Content { files: [1, 1], metadata: 2 };
/// Nothing is the same.
const D: Content = Content { files: [3, 3], metadata: 1 };

/// A server that supports conditional writes, and everything that can go wrong.
const WITH_CONDITIONS: Protocol = Protocol {
    contents: &[A, A, B],
    conditions: true,
    leases: Leases::Worthless,
    cleaners: 2,
    deleter: true,
    late: 1,
    resumed: false,
    beyond_retired: false,
    bug: None,
};

/// A server that accepts conditions but ignores them; nobody stalls for longer than a lease is valid.
const WITHOUT_CONDITIONS: Protocol = Protocol {
    contents: &[A, A, D],
    conditions: false,
    leases: Leases::Kept(Stalls::Never),
    cleaners: 1,
    late: 1,
    ..WITH_CONDITIONS
};

/// Visits every world of a protocol in which nothing may break, and makes sure that every push can succeed.
fn holds(name: &str, protocol: &Protocol, look: Look) -> Found {
    let began = std::time::Instant::now();
    let found = search(protocol, look);
    println!("{name}: {} worlds, {} ends, {:.1?}", found.worlds, found.ends, began.elapsed());
    if let Some((what, way)) = &found.broken {
        panic!("{name}: {what}\n{way}");
    }
    let every = (0..protocol.contents.len() as u8).fold(0, |told, p| told | 1 << protocol.content_number(p));
    assert_eq!(found.told, every, "{name}: some push can never succeed");
    found
}

/// Finds the shortest path to what breaks, and makes sure that it is what was expected.
fn breaks(name: &str, protocol: &Protocol, look: Look, expected: &str) {
    let found = search(protocol, look);
    let Some((what, way)) = found.broken else { panic!("{name}: nothing breaks in {} worlds", found.worlds) };
    println!("{name} ({} worlds)\n  {what}\n{way}", found.worlds);
    assert!(what.starts_with(expected), "{name}: {what}\n{way}");
}

#[test]
fn with_conditions_nothing_breaks() {
    let two_late = Protocol { late: 2, ..WITH_CONDITIONS };
    holds("two contents, two late requests", &two_late, Look::Strictly);
    holds("three contents, two late requests", &Protocol { contents: &[A, B, C], ..two_late }, Look::Strictly);
    holds("one content", &Protocol { contents: &[A, A, A], ..WITH_CONDITIONS }, Look::Strictly);
    holds("nothing in common", &Protocol { contents: &[A, A, D], ..WITH_CONDITIONS }, Look::Strictly);
}

#[test]
fn with_conditions_nothing_breaks_beyond_a_tombstone() {
    let beyond = Protocol { beyond_retired: true, ..WITH_CONDITIONS };
    holds("two contents, one cleaner, beyond", &Protocol { cleaners: 1, ..beyond }, Look::Strictly);
}

/// Without late requests, every step makes progress, and nothing is left undone when no step is left.
#[test]
fn with_conditions_everything_comes_to_an_end() {
    let in_time = Protocol { late: 0, beyond_retired: true, ..WITH_CONDITIONS };
    let found = holds("two contents, in time, beyond", &in_time, Look::Strictly);
    assert!(found.ends > 0);
}

#[test]
fn with_conditions_and_leases_nothing_breaks() {
    let leases = Leases::Kept(Stalls::Before(|_| true));
    let two = Protocol { leases, contents: &[A, B], cleaners: 1, ..WITH_CONDITIONS };
    holds("two pushers with leases", &two, Look::Strictly);
    holds("three pushers with leases, in time", &Protocol { contents: &[A, A, B], late: 0, ..two }, Look::Strictly);
}

#[test]
fn a_resumed_push_reports_only_its_own_content() {
    let leases = Leases::Kept(Stalls::Before(|_| true));
    let resumed = Protocol { leases, contents: &[A, C], cleaners: 0, resumed: true, ..WITH_CONDITIONS };
    holds("a push that goes on", &resumed, Look::Strictly);
}

#[test]
fn without_conditions_nothing_breaks_as_long_as_nobody_stalls() {
    let two_cleaners = Protocol { cleaners: 2, ..WITHOUT_CONDITIONS };
    holds("no conditions", &two_cleaners, Look::Outside);
    let three = Protocol { contents: &[A, B, D], ..WITHOUT_CONDITIONS };
    holds("no conditions, three contents", &three, Look::Outside);
    let beyond = Protocol { contents: &[A, D], beyond_retired: true, ..WITHOUT_CONDITIONS };
    holds("no conditions, two pushers, beyond", &beyond, Look::Outside);
}
