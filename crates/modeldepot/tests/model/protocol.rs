//! The rules of one run: the server, who takes part, and which mistakes are planted.

use crate::world::{Lease, Push, Request, Spent, World};

/// What a pusher pushes: a number for each file's bytes, and one for the metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Content {
    pub(crate) files: [u8; 2],
    pub(crate) metadata: u8,
}

/// What leases are worth.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leases {
    /// Nothing: a pusher goes on whatever it lists, and a cleaner may find any answer. That is more than any clock,
    /// stall or lost lease can do, so what holds here holds for every one of them.
    Worthless,
    /// They are kept, and go stale as long as nobody renews them.
    Kept(Stalls),
}

/// When a lease may go stale.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stalls {
    /// Only when its pusher is dead, and what it sent has arrived: nobody stalls for longer than a lease lives.
    Never,
    /// Also when its pusher stalls before its next step, if that is one of these.
    Before(fn(Push) -> bool),
}

/// A mistake. Each is a rule of the protocol left out or turned around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// A cleaner removes the objects first, then spends the name.
    RemovesBeforeSpending,
    /// Files are written whatever is there, though the server knows conditions.
    OverwritesFiles,
    /// The manifest is written first, then the files.
    ManifestFirst,
    /// A refused or lost creation of the manifest is taken for one's own.
    NoReadBack,
    /// What carries one's own `write_id` is taken for what one pushes now.
    TrustsWriteId,
    /// A pusher takes itself for alone without listing.
    NoListing,
    /// Success is told without a look for marks and tombstone.
    NoCheck,
    /// The tombstone is looked for before, or together with, the marks.
    NameBesideMarks,
    /// A push that takes a version over removes what lies there.
    ClearsLeftovers,
    /// All cleaners share one mark.
    SharedMark,
    /// A cleaner removes the mark of another that it takes for dead, though the name is not spent.
    SweepsMarks,
    /// Without conditions: a push that fails withdraws its lease, whatever it has sent.
    WithdrawsOnFailure,
    /// Without conditions: a push that goes on does so under the lease of the one that died.
    SharesItsClaim,
    /// Without conditions: a pusher that lists its own lease does not mind that it is stale.
    TrustsOldClaim,
    /// Not a bug with conditions, as a test shows: the files are not looked at again before the manifest.
    NoSecondLook,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    /// What is pushed, by whom: as many as there are pushers.
    pub(crate) contents: &'static [Content],
    /// Whether the server decides create-if-absent.
    pub(crate) conditions: bool,
    pub(crate) leases: Leases,
    pub(crate) cleaners: usize,
    pub(crate) deleter: bool,
    /// How many requests can be late at one time.
    pub(crate) late: usize,
    /// The second push resumes the first, under its `write_id`, once that is dead.
    pub(crate) resumed: bool,
    /// Whether to go on from worlds in which the name is spent. Success is told only right after a look that found no
    /// tombstone, a tombstone never goes away, and readers see nothing under it: so nothing can break any more. The
    /// smaller runs go on all the same, and the larger ones need not.
    pub(crate) beyond_spent: bool,
    pub(crate) bug: Option<Bug>,
}

impl Protocol {
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// What a pusher pushes.
    pub(crate) fn content(&self, pusher: u8) -> Content {
        self.contents[pusher as usize]
    }

    /// The number of a pusher's content: how many others come first.
    pub(crate) fn content_number(&self, pusher: u8) -> u8 {
        let first = |p: u8| (0..p).all(|other| self.content(other) != self.content(p));
        let same = (0..pusher).find(|other| self.content(*other) == self.content(pusher)).unwrap_or(pusher);
        (0..same).filter(|p| first(*p)).count() as u8
    }

    /// Returns true when two manifests carry the same `write_id`.
    pub(crate) fn same_write(&self, one: u8, other: u8) -> bool {
        one == other || self.resumed && one < 2 && other < 2
    }

    /// Which lease is a pusher's.
    pub(crate) fn lease(&self, pusher: u8) -> u8 {
        if self.resumed && pusher == 1 && self.has(Bug::SharesItsClaim) { 0 } else { pusher }
    }

    /// Whether leases are in the model at all.
    pub(crate) fn keeps_claims(&self) -> bool {
        matches!(self.leases, Leases::Kept(_))
    }

    /// Which mark is a cleaner's.
    pub(crate) fn mark(&self, cleaner: u8) -> u8 {
        if self.has(Bug::SharedMark) { 0 } else { cleaner }
    }

    /// What a request does when the server carries it out. Its sender may be gone.
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
            Request::Mark(c) => world.marks |= 1 << self.mark(c),
            Request::Unmark(c) => world.marks &= !(1 << self.mark(c)),
            // Nobody cares whose tombstone it is, but the invariants do.
            Request::Spend(by) => {
                if world.spent == Spent::No {
                    world.spent = by;
                }
            }
            Request::RemoveManifest => world.manifest = None,
            Request::RemoveFile(file) => world.files[file as usize] = 0,
        }
    }

    /// The ways to number the pushers and cleaners that lead to the same: those of the same content are alike, and so
    /// are cleaners. No rule of the model depends on a number, so of worlds that differ by numbers one is enough.
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
            2 if !self.has(Bug::SharedMark) => &[[0, 1], [1, 0]],
            _ => &[[0, 1]],
        };
        orders.iter().filter(|o| fits(o)).flat_map(|o| cleaners.iter().map(|c| (*o, *c))).collect()
    }
}
