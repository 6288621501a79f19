//! The rules of one run: the server, the participants and the planted mistakes.

use crate::world::{Lease, Push, Request, Retired, World};

/// What a pusher pushes: a number for each file's bytes, and one for the metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Content {
    pub(crate) files: [u8; 2],
    pub(crate) metadata: u8,
}

/// How far leases are reliable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leases {
    /// Not at all: a pusher continues whatever it lists, and a cleaner may get any answer. That allows more than any
    /// clock, stall or lost lease can cause, so the results hold for all of these.
    Worthless,
    /// They exist, and go stale when they are not renewed.
    Kept(Stalls),
}

/// When a lease may go stale.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stalls {
    /// Only when its pusher is dead and all its requests have arrived: nobody stalls for longer than a lease is valid.
    Never,
    /// Also when its pusher stalls before its next step, if that is one of these.
    Before(fn(Push) -> bool),
}

/// A mistake: a rule of the protocol that is left out or reversed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// A cleaner removes the objects before it retires the name.
    RemovesBeforeSpending,
    /// Existing files are overwritten, though the server supports conditional writes.
    OverwritesFiles,
    /// The manifest is written before the files.
    ManifestFirst,
    /// After a refused or lost create, an existing manifest is assumed to be our own.
    NoReadBack,
    /// A manifest with our `write_id` is assumed to have the content of this push.
    TrustsWriteId,
    /// A pusher assumes that it is alone without listing.
    NoListing,
    /// Success is reported without checking for locks and tombstone.
    NoCheck,
    /// The tombstone is checked before, or together with, the locks.
    TombstoneBesideLocks,
    /// A push that takes over a version removes the objects there.
    ClearsLeftovers,
    /// All cleaners share one lock.
    SharedLock,
    /// A cleaner removes the lock of another that seems dead, though the name is not retired.
    SweepsLocks,
    /// Without conditional writes: a failed push withdraws its lease, whatever it has sent.
    WithdrawsOnFailure,
    /// Without conditional writes: a resumed push shares the lease of the dead one.
    SharesItsLease,
    /// Without conditional writes: a pusher that lists its own lease ignores that it is stale.
    TrustsOldLease,
    /// Not a bug with conditional writes, as a test shows: the files are not checked again before the manifest.
    NoSecondLook,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    /// The content of each pusher.
    pub(crate) contents: &'static [Content],
    /// Whether the server supports create-if-absent.
    pub(crate) conditions: bool,
    pub(crate) leases: Leases,
    pub(crate) cleaners: usize,
    pub(crate) deleter: bool,
    /// How many requests can be late at one time.
    pub(crate) late: usize,
    /// Whether the second push resumes the first, under its `write_id`, once that is dead.
    pub(crate) resumed: bool,
    /// Whether to continue from worlds in which the name is retired. Nothing can break there: success is reported only
    /// right after a check that found no tombstone, a tombstone never disappears, and readers see nothing under it. The
    /// smaller runs continue all the same; the larger ones need not.
    pub(crate) beyond_retired: bool,
    pub(crate) bug: Option<Bug>,
}

impl Protocol {
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// The content of a pusher.
    pub(crate) fn content(&self, pusher: u8) -> Content {
        self.contents[pusher as usize]
    }

    /// The number of a pusher's content: how many other contents come before it.
    pub(crate) fn content_number(&self, pusher: u8) -> u8 {
        let first = |p: u8| (0..p).all(|other| self.content(other) != self.content(p));
        let same = (0..pusher).find(|other| self.content(*other) == self.content(pusher)).unwrap_or(pusher);
        (0..same).filter(|p| first(*p)).count() as u8
    }

    /// Returns true when two manifests carry the same `write_id`.
    pub(crate) fn same_write(&self, one: u8, other: u8) -> bool {
        one == other || self.resumed && one < 2 && other < 2
    }

    /// The lease of a pusher.
    pub(crate) fn lease(&self, pusher: u8) -> u8 {
        if self.resumed && pusher == 1 && self.has(Bug::SharesItsLease) { 0 } else { pusher }
    }

    /// Whether leases are part of the model.
    pub(crate) fn keeps_leases(&self) -> bool {
        matches!(self.leases, Leases::Kept(_))
    }

    /// The lock of a cleaner.
    pub(crate) fn lock(&self, cleaner: u8) -> u8 {
        if self.has(Bug::SharedLock) { 0 } else { cleaner }
    }

    /// The effect of a request when the server executes it. Its sender may be gone.
    pub(crate) fn act(&self, world: &mut World, request: Request) {
        match request {
            Request::Lease(lease) => world.leases[lease as usize] = Lease::Living,
            Request::Withdraw(lease) => world.leases[lease as usize] = Lease::None,
            Request::File(p, file) => {
                let there = &mut world.files[file as usize];
                if *there == 0 || !self.conditions || self.has(Bug::OverwritesFiles) {
                    *there = self.content(p).files[file as usize];
                }
            }
            Request::Manifest(p) => {
                if world.manifest.is_none() || !self.conditions {
                    world.manifest = Some(p);
                }
            }
            Request::Lock(c) => world.locks |= 1 << self.lock(c),
            Request::Unlock(c) => world.locks &= !(1 << self.lock(c)),
            // Only the invariants need to know whose tombstone it is.
            Request::Retire(by) => {
                if world.retired == Retired::No {
                    world.retired = by;
                }
            }
            Request::RemoveManifest => world.manifest = None,
            Request::RemoveFile(file) => world.files[file as usize] = 0,
        }
    }

    /// The renumberings of pushers and cleaners that make no difference: pushers of the same content are
    /// interchangeable, and so are cleaners. No rule of the model depends on a number, so one of several worlds that
    /// differ only by numbers is enough.
    pub(crate) fn alike(&self) -> Vec<([u8; 3], [u8; 2])> {
        let orders = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]];
        let fits = |order: &[u8; 3]| {
            let moved = |p: u8| order[p as usize];
            (0..3).all(|p| match (self.contents.get(p as usize), self.contents.get(moved(p) as usize)) {
                (Some(one), Some(other)) => one == other && (!self.resumed || moved(p) == p),
                _ => moved(p) == p,
            })
        };
        let cleaners: &[[u8; 2]] = match self.cleaners {
            2 if !self.has(Bug::SharedLock) => &[[0, 1], [1, 0]],
            _ => &[[0, 1]],
        };
        orders.iter().filter(|o| fits(o)).flat_map(|o| cleaners.iter().map(|c| (*o, *c))).collect()
    }
}
