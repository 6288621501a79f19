//! The state of the model: the objects of one version, the step of each process, and the requests in flight.

use std::time::Duration;

use crate::decide::{self, Age, STALE_AFTER};

/// The state of a push. Each name says what it does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Push {
    /// Writes its lease; if leases are left out of the model, looks for a manifest.
    Begins,
    /// Lists the leases.
    Lists,
    /// Deletes the stale leases that it listed, one bit for each.
    Takes(u8),
    /// Looks for a manifest under its lease.
    Looks,
    /// Looks for locks of cleaners.
    Heeds,
    /// Stores the files that are not in these bits yet, in any order.
    Fills(u8),
    /// Checks every file again.
    LooksAgain,
    /// Checks that its lease exists and, without conditional writes, that it is the only one.
    Counts,
    /// Without conditional writes: checks that there is no manifest.
    Vacant,
    /// Writes the manifest.
    Publishes,
    /// Reads the manifest back.
    ReadsBack,
    /// Checks for locks and the tombstone before it reports success.
    Checks,
    /// There was no lock; checks for the tombstone.
    Unlocked,
    /// There was no tombstone; checks for locks. Reached only by a bug.
    Unretired,
    /// Withdraws its lease.
    Leaves,
    /// Does nothing more: done, failed or dead.
    Over,
}

/// The state of a cleaner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Clean {
    /// Writes its lock, or finishes what is retired.
    Begins,
    /// Lists the leases.
    Lists,
    /// Looks for a manifest.
    Looks,
    /// Retires the name.
    Retires,
    /// Removes the manifest, then the files: the number is that of the next object.
    Removes(u8),
    /// Removes its lock.
    Unlocks,
    /// Does nothing more.
    Over,
}

/// The state of the user's delete.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Delete {
    /// Waits for the user.
    Begins,
    /// Removes the manifest, then the files.
    Removes(u8),
    /// Has reported to the user that the version is gone.
    Over,
}

/// Who retired the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Retired {
    No,
    ByUser,
    ByCleaner,
}

/// A lease, by the server's clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Lease {
    None,
    Living,
    Stale,
}

impl Lease {
    /// The age that a listing shows. A young lease is renewed in time, and may be a little older than its owner knows; one
    /// that went stale is a little too old.
    pub(crate) fn age(self) -> Option<Age> {
        match self {
            Lease::None => None,
            Lease::Living => Some(Some(STALE_AFTER / 2)),
            Lease::Stale => Some(Some(STALE_AFTER + Duration::from_nanos(1))),
        }
    }

    /// Whether its pusher may be alive, if there is a lease.
    pub(crate) fn alive(self) -> Option<bool> {
        self.age().map(decide::is_alive)
    }
}

/// A request that changes the bucket. The numbers are of pushers, cleaners and files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Request {
    Lease(u8),
    Withdraw(u8),
    /// A pusher's file.
    File(u8, u8),
    Manifest(u8),
    Lock(u8),
    Unlock(u8),
    Retire(Retired),
    RemoveManifest,
    RemoveFile(u8),
}

/// The whole state. Small and flat: millions of these are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct World {
    /// The content of each file; zero means that it does not exist.
    pub(crate) files: [u8; 2],
    /// The pusher whose manifest exists.
    pub(crate) manifest: Option<u8>,
    pub(crate) retired: Retired,
    /// Locks, one bit for each cleaner.
    pub(crate) locks: u8,
    pub(crate) leases: [Lease; 3],
    pub(crate) pushes: [Push; 3],
    pub(crate) cleans: [Clean; 2],
    pub(crate) delete: Delete,
    /// Requests that take effect later, whatever happened to their senders. Sorted, so that equal sets are equal.
    pub(crate) late: [Option<Request>; 2],
    /// Contents that were reported as published, one bit for each.
    pub(crate) told: u8,
}

impl World {
    /// An empty bucket, before anyone has started.
    pub(crate) const EMPTY: World = World {
        files: [0; 2],
        manifest: None,
        retired: Retired::No,
        locks: 0,
        leases: [Lease::None; 3],
        pushes: [Push::Begins; 3],
        cleans: [Clean::Begins; 2],
        delete: Delete::Begins,
        late: [None; 2],
        told: 0,
    };

    /// Returns this world with one more request in flight, if there is room for it.
    pub(crate) fn with_late(mut self, request: Request, room: usize) -> Option<World> {
        if self.late.contains(&Some(request)) {
            return None;
        }
        let free = self.late[..room].iter().position(Option::is_none)?;
        self.late[free] = Some(request);
        self.late.sort_unstable();
        // `None` sorts first, but must come last for `room` to work.
        self.late.reverse();
        Some(self)
    }

    /// Returns this world without the late request at a position.
    pub(crate) fn without_late(mut self, place: usize) -> World {
        self.late[place] = None;
        self.late.sort_unstable();
        self.late.reverse();
        self
    }

    /// Renumbers the pushers and cleaners.
    pub(crate) fn renamed(&self, pushers: [u8; 3], cleaners: [u8; 2]) -> World {
        let mut other = *self;
        for (old, new) in pushers.iter().enumerate() {
            other.pushes[*new as usize] = match self.pushes[old] {
                Push::Takes(bits) => {
                    Push::Takes((0..3).filter(|i| bits >> i & 1 != 0).fold(0, |b, i| b | 1 << pushers[i]))
                }
                push => push,
            };
            other.leases[*new as usize] = self.leases[old];
        }
        for (old, new) in cleaners.iter().enumerate() {
            other.cleans[*new as usize] = self.cleans[old];
        }
        other.locks = (self.locks & 1) << cleaners[0] | (self.locks >> 1 & 1) << cleaners[1];
        other.manifest = self.manifest.map(|p| pushers[p as usize]);
        for late in other.late.iter_mut().flatten() {
            *late = match *late {
                Request::Lease(p) => Request::Lease(pushers[p as usize]),
                Request::Withdraw(p) => Request::Withdraw(pushers[p as usize]),
                Request::File(p, file) => Request::File(pushers[p as usize], file),
                Request::Manifest(p) => Request::Manifest(pushers[p as usize]),
                Request::Lock(c) => Request::Lock(cleaners[c as usize]),
                Request::Unlock(c) => Request::Unlock(cleaners[c as usize]),
                request => request,
            };
        }
        other.late.sort_unstable();
        other.late.reverse();
        other
    }
}
