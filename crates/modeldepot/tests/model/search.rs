//! Breadth-first search through every reachable world.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};

use crate::protocol::Protocol;
use crate::rules;
use crate::steps::{Step, Steps, Who};
use crate::world::{Retired, World};

/// The result of a search.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) worlds: usize,
    /// The first rule that was broken, with the shortest path to it.
    pub(crate) broken: Option<(&'static str, String)>,
    /// Every content whose success was reported in some world.
    pub(crate) told: u8,
    /// Worlds without further steps.
    pub(crate) ends: usize,
    /// Every rule that is broken in some world, if the search continued after the first.
    pub(crate) rules: BTreeSet<&'static str>,
}

/// What a search checks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Everything, including each step: nothing is overwritten, nothing is removed before its name is retired.
    Strictly,
    /// What users and readers see.
    Outside,
    /// The same, without stopping at the first broken rule.
    Everywhere,
}

/// Visits every world. Stops at the first broken rule.
pub(crate) fn search(protocol: &Protocol, look: Look) -> Found {
    let alike = protocol.alike();
    let mut seen: HashSet<World, BuildHasherDefault<Mixer>> = HashSet::default();
    let mut worlds = vec![World::EMPTY];
    let mut parents = vec![0u32];
    seen.insert(World::EMPTY);
    let mut found = Found { worlds: 0, broken: None, told: 0, ends: 0, rules: BTreeSet::new() };
    // Renewed leases and late requests would allow endless cycles.
    let timely = !protocol.keeps_leases() && protocol.late == 0 && protocol.bug.is_none();
    let (mut at, mut next) = (0, Vec::new());
    while at < worlds.len() {
        let world = worlds[at];
        if world.retired != Retired::No && !protocol.beyond_retired {
            at += 1;
            continue;
        }
        next = Steps::from(protocol, world, next);
        if next.is_empty() {
            found.ends += 1;
            if let Some(what) = rules::unfinished(protocol, &world) {
                found.broken = Some((what, way(protocol, &worlds, &parents, at)));
                break;
            }
        }
        for (_, then) in &next {
            found.told |= then.told;
            if look == Look::Everywhere {
                found
                    .rules
                    .extend(rules::RULES.iter().filter(|(_, keeps)| !keeps(protocol, then)).map(|(name, _)| name));
            }
            let broken = rules::broken(protocol, then)
                .filter(|_| look != Look::Everywhere)
                .or_else(|| (timely && !rules::leads_on(&world, then)).then_some("a step leads back"))
                .or_else(|| rules::broken_by_step(&world, then).filter(|_| look == Look::Strictly));
            let then = least(then, &alike);
            if !seen.insert(then) && broken.is_none() {
                continue;
            }
            worlds.push(then);
            parents.push(u32::try_from(at).unwrap());
            if let Some(what) = broken {
                found.broken = Some((what, way(protocol, &worlds, &parents, worlds.len() - 1)));
                found.worlds = worlds.len();
                return found;
            }
        }
        at += 1;
    }
    found.worlds = worlds.len();
    found
}

/// Returns the smallest of the worlds that differ only by numbers, which represents them all.
fn least(world: &World, alike: &[([u8; 3], [u8; 2])]) -> World {
    let renamed = alike.iter().skip(1).map(|(pushers, cleaners)| world.renamed(*pushers, *cleaners));
    renamed.fold(*world, |least, other| least.min(other))
}

/// Describes the path to a world. The numbers of cleaners, and of pushers of one content, may change on the way.
fn way(protocol: &Protocol, worlds: &[World], parents: &[u32], mut at: usize) -> String {
    let alike = protocol.alike();
    let mut lines = Vec::new();
    while at != 0 {
        let parent = parents[at] as usize;
        let next = Steps::from(protocol, worlds[parent], Vec::new());
        let step = next.iter().find(|(_, then)| least(then, &alike) == worlds[at]).unwrap().0;
        lines.push(line(protocol, step));
        at = parent;
    }
    lines.reverse();
    lines.iter().enumerate().fold(String::new(), |mut text, (i, line)| {
        let _ = writeln!(text, "{:3}. {line}", i + 1);
        text
    })
}

fn line(protocol: &Protocol, step: Step) -> String {
    match step.who {
        Who::Pusher(p) => {
            let content = char::from(b'A' + protocol.content_number(p));
            format!("pusher {} of {content} {}", p + 1, step.what)
        }
        Who::Cleaner(c) => format!("cleaner {} {}", c + 1, step.what),
        Who::User => format!("the user's delete {}", step.what),
        Who::Late(request) => format!("a late request {}: {request:?}", step.what),
        Who::Clock => step.what.to_owned(),
    }
}

/// A fast hash: there are many worlds, and no attackers.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
