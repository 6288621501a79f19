//! The steps of a cleaner, and of the user's delete.

use crate::decide::{self, Fate, Listed};
use crate::protocol::Bug;
use crate::steps::{Steps, Who};
use crate::world::{Clean, Delete, Request, Retired, World};

impl Steps<'_> {
    /// Lists the possible steps of a cleaner. It may start at any time, though in reality only for a version that looks
    /// dead.
    pub(crate) fn clean(&mut self, c: u8) {
        let who = Who::Cleaner(c);
        let go = move |next: Clean| move |w: &mut World| w.cleans[c as usize] = next;
        let hasty = self.protocol.has(Bug::RemovesBeforeSpending);
        match self.world.cleans[c as usize] {
            Clean::Begins => {
                self.sweep(c);
                if self.world.retired == Retired::No {
                    self.send(who, "writes its lock", Request::Lock(c), go(Clean::Lists));
                }
                // What looks unpublished is looked at again under the lock; what looks deleted is removed.
                if decide::fate(self.listed()) == Fate::Deleted {
                    self.see(who, "finds objects of a deleted version", go(Clean::Removes(0)));
                }
            }
            Clean::Lists => {
                let living = self.alive();
                for leased in [true, false] {
                    // If leases are worthless, either answer is possible.
                    if leased != living && (self.protocol.keeps_leases() || living) {
                        continue;
                    }
                    match decide::retires(leased, false) {
                        false => self.see(who, "lists a living lease", go(Clean::Unlocks)),
                        true => self.see(who, "lists no living lease", go(Clean::Looks)),
                    }
                }
            }
            Clean::Looks if !decide::retires(false, self.world.manifest.is_some()) => {
                self.see(who, "finds a manifest", go(Clean::Unlocks));
            }
            Clean::Looks if hasty => self.see(who, "finds no manifest", go(Clean::Removes(1))),
            Clean::Looks => self.see(who, "finds no manifest", go(Clean::Retires)),
            Clean::Retires => {
                let next = if hasty { Clean::Unlocks } else { Clean::Removes(0) };
                self.send(who, "retires the name", Request::Retire(Retired::ByCleaner), go(next));
            }
            Clean::Removes(object) => {
                let (what, request) = removal(object);
                let next = match object {
                    2 if hasty && self.world.retired == Retired::No => Clean::Retires,
                    2 => Clean::Unlocks,
                    _ => Clean::Removes(object + 1),
                };
                self.send(who, what, request, go(next));
            }
            Clean::Unlocks => self.send(who, "removes its lock", Request::Unlock(c), go(Clean::Over)),
            Clean::Over => {}
        }
    }

    /// Whether some lease is of a pusher that may be alive.
    fn alive(&self) -> bool {
        self.world.leases.iter().any(|lease| lease.alive() == Some(true))
    }

    /// The version, as a plan sees it.
    fn listed(&self) -> Listed {
        let published = self.world.manifest.is_some();
        Listed {
            objects: published || self.world.files != [0; 2],
            published,
            retired: self.world.retired != Retired::No,
            alive: self.alive(),
        }
    }

    /// Removes the lock of another cleaner, which may be dead or not. Once the name is retired, locks are no longer needed.
    fn sweep(&mut self, c: u8) {
        let others = self.world.locks & !(1 << c);
        let may = decide::lock_is_idle(self.world.retired != Retired::No) || self.protocol.has(Bug::SweepsLocks);
        if others != 0 && may && !self.protocol.has(Bug::SharedLock) {
            let other = others.trailing_zeros() as u8;
            let mut world = self.world;
            self.protocol.act(&mut world, Request::Unlock(other));
            self.add(Who::Cleaner(c), "removes the lock of another", world);
        }
    }

    fn see(&mut self, who: Who, what: &'static str, then: impl Fn(&mut World)) {
        let mut world = self.world;
        then(&mut world);
        self.add(who, what, world);
    }

    /// Lists the possible steps of the user's delete.
    pub(crate) fn delete(&mut self) {
        let go = |next: Delete| move |w: &mut World| w.delete = next;
        match self.world.delete {
            Delete::Begins if self.world.manifest.is_some() && self.world.retired == Retired::No => {
                self.send(Who::User, "retires the name", Request::Retire(Retired::ByUser), go(Delete::Removes(0)));
            }
            Delete::Begins | Delete::Over => {}
            Delete::Removes(object) => {
                let (what, request) = removal(object);
                let next = if object == 2 { Delete::Over } else { Delete::Removes(object + 1) };
                self.send(Who::User, what, request, go(next));
            }
        }
    }
}

fn removal(object: u8) -> (&'static str, Request) {
    match object {
        0 => ("removes the manifest", Request::RemoveManifest),
        1 => ("removes file 1", Request::RemoveFile(0)),
        _ => ("removes file 2", Request::RemoveFile(1)),
    }
}
