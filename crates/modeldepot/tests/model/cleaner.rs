//! The steps of a cleaner, and of the user's delete.

use crate::decide::{self, Fate, Listed};
use crate::protocol::Bug;
use crate::steps::{Steps, Who};
use crate::world::{Clean, Delete, Request, Spent, World};

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
                if self.world.spent == Spent::No {
                    self.send(who, "puts its mark", Request::Mark(c), go(Clean::Lists));
                }
                // What looks unpublished is looked at again under the mark; what looks deleted is removed.
                if decide::fate(self.listed()) == Fate::Deleted {
                    self.see(who, "finds the remains of a deleted version", go(Clean::Removes(0)));
                }
            }
            Clean::Lists => {
                let living = self.alive();
                for leased in [true, false] {
                    // If leases are worthless, either answer is possible.
                    if leased != living && (self.protocol.keeps_claims() || living) {
                        continue;
                    }
                    match decide::retires(leased, false) {
                        false => self.see(who, "lists a living lease", go(Clean::Unmarks)),
                        true => self.see(who, "lists no living lease", go(Clean::Looks)),
                    }
                }
            }
            Clean::Looks if !decide::retires(false, self.world.manifest.is_some()) => {
                self.see(who, "finds a manifest", go(Clean::Unmarks));
            }
            Clean::Looks if hasty => self.see(who, "finds no manifest", go(Clean::Removes(1))),
            Clean::Looks => self.see(who, "finds no manifest", go(Clean::Spends)),
            Clean::Spends => {
                let next = if hasty { Clean::Unmarks } else { Clean::Removes(0) };
                self.send(who, "spends the name", Request::Spend(Spent::ByCleaner), go(next));
            }
            Clean::Removes(object) => {
                let (what, request) = removal(object);
                let next = match object {
                    2 if hasty && self.world.spent == Spent::No => Clean::Spends,
                    2 => Clean::Unmarks,
                    _ => Clean::Removes(object + 1),
                };
                self.send(who, what, request, go(next));
            }
            Clean::Unmarks => self.send(who, "takes its mark away", Request::Unmark(c), go(Clean::Over)),
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
            retired: self.world.spent != Spent::No,
            alive: self.alive(),
        }
    }

    /// Removes the mark of another cleaner, which may be dead or not. Once the name is spent nobody needs marks.
    fn sweep(&mut self, c: u8) {
        let others = self.world.marks & !(1 << c);
        let may = decide::lock_is_idle(self.world.spent != Spent::No) || self.protocol.has(Bug::SweepsMarks);
        if others != 0 && may && !self.protocol.has(Bug::SharedMark) {
            let other = others.trailing_zeros() as u8;
            let mut world = self.world;
            self.protocol.act(&mut world, Request::Unmark(other));
            self.add(Who::Cleaner(c), "removes the mark of another", world);
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
            Delete::Begins if self.world.manifest.is_some() && self.world.spent == Spent::No => {
                self.send(Who::User, "spends the name", Request::Spend(Spent::ByUser), go(Delete::Removes(0)));
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
