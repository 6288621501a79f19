//! What must hold in every world, and between each world and the next.

use crate::protocol::Protocol;
use crate::world::{Clean, Delete, Push, Spent, World};

/// A rule: its name, and whether a world keeps it.
pub(crate) type Rule = (&'static str, fn(&Protocol, &World) -> bool);

/// What people and readers may rely on. A version is visible while it has a manifest and its name is not spent.
pub(crate) const RULES: [Rule; 5] = [
    // At most one content of a version is ever told to be published.
    ("one content", |_, world| world.told.count_ones() <= 1),
    // What was told to be published stays, with just that content, until the user deletes it.
    ("lasting", |protocol, world| {
        let stands = |p: u8| world.told == 1 << protocol.content_number(p) && complete(protocol, world, p);
        world.told == 0 || world.spent != Spent::No || world.manifest.is_some_and(stands)
    }),
    // No cleaner decides against a version that somebody was told of, no matter who is told first.
    ("cleaning", |_, world| world.told == 0 || world.spent != Spent::ByCleaner),
    // Every visible version is complete, whether anybody was told of it or not.
    ("whole", |protocol, world| visible(world).is_none_or(|p| complete(protocol, world, p))),
    // What the user was told to be deleted is never visible again.
    ("gone", |_, world| world.delete != Delete::Over || visible(world).is_none()),
];

fn visible(world: &World) -> Option<u8> {
    world.manifest.filter(|_| world.spent == Spent::No)
}

fn complete(protocol: &Protocol, world: &World, p: u8) -> bool {
    world.files == protocol.content(p).files
}

/// Returns the first rule that a world breaks.
pub(crate) fn broken(protocol: &Protocol, world: &World) -> Option<&'static str> {
    RULES.iter().find(|(_, keeps)| !keeps(protocol, world)).map(|(name, _)| *name)
}

/// Says what a step breaks of the two rules on which the rest stands.
pub(crate) fn broken_by_step(world: &World, next: &World) -> Option<&'static str> {
    if world.spent != Spent::No {
        return (next.spent != world.spent).then_some("spent for ever");
    }
    let kept = |old: u8, new: u8| old == 0 || old == new;
    let files = (0..2).all(|file| kept(world.files[file], next.files[file]));
    let manifest = world.manifest.is_none() || world.manifest == next.manifest;
    (!files || !manifest).then_some("immutable")
}

/// Whether a step leads on: nobody goes back, and somebody goes forward or a mark of the dead goes away. There are
/// finitely many worlds, so where every step does, every way comes to an end.
pub(crate) fn leads_on(world: &World, next: &World) -> bool {
    let on = world.pushes.iter().zip(&next.pushes).all(|(old, new)| old <= new)
        && world.cleans.iter().zip(&next.cleans).all(|(old, new)| old <= new)
        && world.delete <= next.delete;
    let stood = (world.pushes, world.cleans, world.delete) == (next.pushes, next.cleans, next.delete);
    on && (!stood || next.marks.count_ones() < world.marks.count_ones())
}

/// Says what a world leaves undone in which nothing can happen any more, though nobody died and nothing came late.
pub(crate) fn unfinished(protocol: &Protocol, world: &World) -> Option<&'static str> {
    if protocol.late != 0 {
        // A mark that arrives twice, the second time after it was taken away, stands until the name is spent.
        return None;
    }
    let waits = |push: &Push| matches!(push, Push::Checks | Push::Unmarked | Push::Unspent);
    match () {
        () if world.marks != 0 && world.spent == Spent::No => Some("a mark stands for ever"),
        () if world.cleans.iter().any(|clean| !matches!(clean, Clean::Begins | Clean::Over)) => Some("a cleaner hangs"),
        () if world.spent == Spent::No && world.pushes.iter().any(waits) => Some("a pusher waits for ever"),
        () => None,
    }
}
