//! Which contender wins a version on a server without conditional writes, each with a name of its own.
//!
//! The rest of the model shows that no two push at once, whatever their names. Here names matter, and the test shows
//! that one contender wins: it tries every order of arriving, listing, withdrawing and dying for a few contenders, and
//! random orders for many. A waiting contender takes no step, so a world without steps in which one waits is a
//! deadlock.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::decide::{self, Contend, Count, Others, Own, Patience, Stage};

/// A contender. The order of the list is the order of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Pusher {
    /// Has not written its lease yet.
    Comes,
    /// Has written its lease.
    Contends,
    /// Withdraws its lease with its next step.
    Withdraws,
    /// Held the version when it listed, and has not looked for a manifest yet. Whether its lease says so already.
    Holds(bool),
    /// Sends its files. Whether its lease says so already.
    Works(bool),
    /// Has published, and withdraws its lease with its next step.
    Published,
    /// Died with its lease in place, which goes stale with its next step.
    Dead,
    Gone,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    pushers: Vec<Pusher>,
    /// How many have published.
    published: u8,
    /// How many may still die.
    deaths: u8,
    /// Whether one died that held the version or was the lowest of all, after the others had withdrawn in its favour.
    lost: bool,
}

/// A mistake in the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    No,
    /// A contender that sees another withdraws, whatever its name.
    AllWithdraw,
    /// No contender withdraws.
    NobodyWithdraws,
    /// The lowest starts work without waiting for the others.
    LowestDoesNotWait,
    /// The lowest gives up after a while.
    GivesUp,
}

impl World {
    fn new(pushers: usize, deaths: u8) -> World {
        World { pushers: vec![Pusher::Comes; pushers], published: 0, deaths, lost: false }
    }

    fn stage(&self, others: impl Iterator<Item = usize>) -> Option<Stage> {
        let mut seen = None;
        for pusher in others.map(|n| self.pushers[n]) {
            match pusher {
                Pusher::Comes | Pusher::Gone => {}
                Pusher::Holds(true) | Pusher::Works(true) | Pusher::Published => return Some(Stage::Working),
                _ => seen = Some(Stage::Contending),
            }
        }
        seen
    }

    fn contend(&self, n: usize, bug: Bug) -> Contend {
        let others = Others { lower: self.stage(0..n), higher: self.stage(n + 1..self.pushers.len()) };
        let patience = if bug == Bug::GivesUp { Patience::Over } else { Patience::Left };
        let next = decide::contend(Own::Fresh, others, false, patience);
        match (bug, next) {
            (Bug::AllWithdraw, Contend::Wait) => Contend::Withdraw,
            (Bug::NobodyWithdraws, Contend::Withdraw) => Contend::Wait,
            (Bug::LowestDoesNotWait, Contend::Wait) => Contend::Work,
            (_, next) => next,
        }
    }

    fn count(&self, n: usize) -> Count {
        let others = Others { lower: self.stage(0..n), higher: self.stage(n + 1..self.pushers.len()) };
        decide::count(Own::Fresh, others, false, Patience::Left)
    }

    /// Every world that follows from one step of a pusher.
    fn steps(&self, bug: Bug) -> Vec<World> {
        (0..self.pushers.len()).flat_map(|n| self.step(n, bug).into_iter().chain(self.says(n))).collect()
    }

    /// A pusher's lease records that it started work. The request is sent while the pusher works.
    fn says(&self, n: usize) -> Option<World> {
        let mut next = self.clone();
        next.pushers[n] = match self.pushers[n] {
            Pusher::Holds(false) => Pusher::Holds(true),
            Pusher::Works(false) => Pusher::Works(true),
            _ => return None,
        };
        Some(next)
    }

    /// A pusher's next step, if it has one.
    fn step(&self, n: usize, bug: Bug) -> Option<World> {
        let mut next = self.clone();
        next.pushers[n] = match self.pushers[n] {
            Pusher::Comes => Pusher::Contends,
            Pusher::Contends => match self.contend(n, bug) {
                Contend::Work => Pusher::Holds(false),
                Contend::Wait => return None,
                Contend::Withdraw => Pusher::Withdraws,
            },
            Pusher::Holds(_) if self.published > 0 => Pusher::Withdraws,
            Pusher::Holds(said) => Pusher::Works(said),
            Pusher::Works(_) => match self.count(n) {
                Count::Publish => {
                    next.published += 1;
                    Pusher::Published
                }
                Count::Wait => return None,
                Count::Fail => Pusher::Withdraws,
            },
            Pusher::Withdraws | Pusher::Published | Pusher::Dead => Pusher::Gone,
            Pusher::Gone => return None,
        };
        Some(next)
    }

    fn dies(&self, n: usize) -> Option<World> {
        let mut next = World { deaths: self.deaths.checked_sub(1)?, ..self.clone() };
        match self.pushers[n] {
            Pusher::Comes | Pusher::Gone | Pusher::Dead => return None,
            at => next.lost |= n == 0 || matches!(at, Pusher::Holds(_) | Pusher::Works(_)),
        }
        next.pushers[n] = Pusher::Dead;
        Some(next)
    }

    /// Returns what is wrong in this world.
    fn broken(&self, over: bool) -> Option<&'static str> {
        let at_work = self.pushers.iter().filter(|at| matches!(at, Pusher::Works(_))).count();
        let waits = self.pushers.iter().any(|at| *at != Pusher::Gone);
        match () {
            () if at_work > 1 => Some("two at work"),
            () if self.published > 1 => Some("two winners"),
            () if over && waits => Some("somebody waits for ever"),
            () if over && self.published == 0 && !self.lost => Some("nobody won"),
            () => None,
        }
    }
}

/// Visits every world, and returns the first problem and the number of worlds.
fn search(pushers: usize, deaths: u8, bug: Bug) -> (Option<&'static str>, usize) {
    let mut worlds = vec![World::new(pushers, deaths)];
    let mut seen: HashSet<World> = worlds.iter().cloned().collect();
    while let Some(world) = worlds.pop() {
        let steps = world.steps(bug);
        if let Some(what) = world.broken(steps.is_empty()) {
            return (Some(what), seen.len());
        }
        let deaths: Vec<World> = (0..pushers).filter_map(|n| world.dies(n)).collect();
        worlds.extend(steps.into_iter().chain(deaths).filter(|next| seen.insert(next.clone())));
    }
    (None, seen.len())
}

#[test]
fn one_of_those_that_live_wins() {
    for (pushers, deaths) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (3, 1), (4, 2)] {
        let (broken, worlds) = search(pushers, deaths, Bug::No);
        println!("{pushers} contenders, {deaths} deaths: {worlds} worlds");
        assert_eq!(broken, None, "{pushers} contenders, {deaths} deaths");
    }
}

#[test]
fn without_any_part_of_the_rule_it_breaks() {
    for (bug, expected) in [
        (Bug::AllWithdraw, "nobody won"),
        (Bug::NobodyWithdraws, "somebody waits for ever"),
        (Bug::LowestDoesNotWait, "two at work"),
        (Bug::GivesUp, "nobody won"),
    ] {
        let (broken, worlds) = search(3, 0, bug);
        println!("{expected}: {worlds} worlds");
        assert_eq!(broken, Some(expected));
    }
}

proptest! {
    /// Any number of contenders, in any order of arrival and of steps: never two at work, and one wins.
    #[test]
    fn many_contenders_have_one_winner(pushers in 1usize..64, turns in prop::collection::vec(any::<u16>(), 0..400)) {
        let mut world = World::new(pushers, 0);
        let mut turns = turns.into_iter();
        loop {
            let able = world.steps(Bug::No);
            prop_assert_eq!(world.broken(able.is_empty()), None);
            if able.is_empty() {
                break;
            }
            // When the random turns are used up, the last in the list continues.
            let turn = turns.next().map_or(able.len() - 1, usize::from);
            world = able[turn % able.len()].clone();
        }
        prop_assert_eq!(world.published, 1);
    }

    /// For any ages and stages: among all that see the same leases, at most one starts work.
    #[test]
    fn of_one_listing_at_most_one_goes_to_work(
        stages in prop::collection::vec(prop_oneof![Just(None), Just(Some(Stage::Contending)), Just(Some(Stage::Working))], 1..24),
        patience in prop_oneof![Just(Patience::Left), Just(Patience::Over)],
    ) {
        let furthest = |stages: &[Option<Stage>]| match () {
            () if stages.contains(&Some(Stage::Working)) => Some(Stage::Working),
            () if stages.contains(&Some(Stage::Contending)) => Some(Stage::Contending),
            () => None,
        };
        let contenders = (0..stages.len()).filter(|n| stages[*n] == Some(Stage::Contending));
        let next = |n: usize| {
            let others = Others { lower: furthest(&stages[..n]), higher: furthest(&stages[n + 1..]) };
            decide::contend(Own::Fresh, others, false, patience)
        };
        let works = contenders.filter(|n| next(*n) == Contend::Work).count();
        let working = stages.iter().filter(|stage| **stage == Some(Stage::Working)).count();
        prop_assert!(works + working <= 1 || works == 0);
    }
}
