//! Invariants of every world, and of every step.

use crate::protocol::Protocol;
use crate::world::{Clean, Delete, Push, Retired, World};

/// A rule: its name, and whether a world satisfies it.
pub(crate) type Rule = (&'static str, fn(&Protocol, &World) -> bool);

/// What users and readers may rely on. A version is visible while it has a manifest and its name is not retired.
pub(crate) const RULES: [Rule; 5] = [
    // At most one content of a version is ever reported as published.
    ("one content", |_, world| world.told.count_ones() <= 1),
    // A content that was reported as published stays until the user deletes it.
    ("lasting", |protocol, world| {
        let stands = |p: u8| world.told == 1 << protocol.content_number(p) && complete(protocol, world, p);
        world.told == 0 || world.retired != Retired::No || world.manifest.is_some_and(stands)
    }),
    // No cleaner decides against a version whose success was reported, no matter which happens first.
    ("cleaning", |_, world| world.told == 0 || world.retired != Retired::ByCleaner),
    // Every visible version is complete, whether its success was reported or not.
    ("whole", |protocol, world| visible(world).is_none_or(|p| complete(protocol, world, p))),
    // A version reported as deleted is never visible again.
    ("gone", |_, world| world.delete != Delete::Over || visible(world).is_none()),
];

fn visible(world: &World) -> Option<u8> {
    world.manifest.filter(|_| world.retired == Retired::No)
}

fn complete(protocol: &Protocol, world: &World, p: u8) -> bool {
    world.files == protocol.content(p).files
}

/// Returns the first rule that a world breaks.
pub(crate) fn broken(protocol: &Protocol, world: &World) -> Option<&'static str> {
    RULES.iter().find(|(_, keeps)| !keeps(protocol, world)).map(|(name, _)| *name)
}

/// Returns which of the two rules that the rest depends on a step breaks.
pub(crate) fn broken_by_step(world: &World, next: &World) -> Option<&'static str> {
    if world.retired != Retired::No {
        return (next.retired != world.retired).then_some("retired forever");
    }
    let kept = |old: u8, new: u8| old == 0 || old == new;
    let files = (0..2).all(|file| kept(world.files[file], next.files[file]));
    let manifest = world.manifest.is_none() || world.manifest == next.manifest;
    (!files || !manifest).then_some("immutable")
}

/// Whether a step makes progress: nobody goes back, and somebody goes forward or the lock of a dead cleaner disappears.
/// The number of worlds is finite, so if every step makes progress, every path ends.
pub(crate) fn leads_on(world: &World, next: &World) -> bool {
    let on = world.pushes.iter().zip(&next.pushes).all(|(old, new)| old <= new)
        && world.cleans.iter().zip(&next.cleans).all(|(old, new)| old <= new)
        && world.delete <= next.delete;
    let stood = (world.pushes, world.cleans, world.delete) == (next.pushes, next.cleans, next.delete);
    on && (!stood || next.locks.count_ones() < world.locks.count_ones())
}

/// Returns what is left undone in a world without further steps, if nobody died and no request was late.
pub(crate) fn unfinished(protocol: &Protocol, world: &World) -> Option<&'static str> {
    if protocol.late != 0 {
        // A lock that is written twice, the second time after it was removed, stays until the name is retired.
        return None;
    }
    let waits = |push: &Push| matches!(push, Push::Checks | Push::Unlocked | Push::Unretired);
    match () {
        () if world.locks != 0 && world.retired == Retired::No => Some("a lock stands forever"),
        () if world.cleans.iter().any(|clean| !matches!(clean, Clean::Begins | Clean::Over)) => Some("a cleaner hangs"),
        () if world.retired == Retired::No && world.pushes.iter().any(waits) => Some("a pusher waits for ever"),
        () => None,
    }
}
