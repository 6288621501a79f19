//! The steps of a pusher.

use crate::decide::{
    self, Begin, Check, Checked, Contend, Count, Others, Own, Patience, ReadBack, Stage, Standing, Write,
};
use crate::protocol::{Bug, Protocol};
use crate::steps::{Steps, Who};
use crate::world::{Lease, Push, Request, Retired, World};

impl Steps<'_> {
    /// Lists the possible steps of a pusher.
    pub(crate) fn push(&mut self, p: u8) {
        let at = self.world.pushes[p as usize];
        match at {
            Push::Begins => self.begin(p),
            Push::Lists => self.list_leases(p),
            Push::Takes(leases) => self.take_over(p, leases),
            Push::Looks => self.look(p),
            Push::Heeds => self.heed(p),
            Push::Fills(done) => self.fill(p, done),
            Push::LooksAgain => self.look_again(p),
            Push::Counts => self.count(p),
            Push::Vacant => {
                let next = match decide::write(self.protocol.conditions, self.world.manifest.is_some()) {
                    Write::Nothing => Push::ReadsBack,
                    Write::Create | Write::Put => Push::Publishes,
                };
                self.go(p, "looks that there is no manifest", next);
            }
            Push::Publishes => self.publish(p),
            Push::ReadsBack => self.read_back(p),
            Push::Checks | Push::Unlocked | Push::Unretired => self.check(p, at),
            Push::Leaves => {
                let then = |w: &mut World| w.pushes[p as usize] = Push::Over;
                self.send(Who::Pusher(p), "withdraws its lease", Request::Withdraw(self.protocol.lease(p)), then);
            }
            Push::Over => {}
        }
        if self.protocol.keeps_leases() {
            self.renew_or_end(p, at);
        }
    }

    /// The pusher checks something and continues.
    fn go(&mut self, p: u8, what: &'static str, next: Push) {
        let mut world = self.world;
        world.pushes[p as usize] = next;
        self.add(Who::Pusher(p), what, world);
    }

    /// The pusher fails. If leases are worthless this is the same as stalling forever, and needs no state.
    fn fail(&mut self, p: u8, what: &'static str) {
        if self.protocol.keeps_leases() {
            self.go(p, what, self.end_of_failure(p));
        }
    }

    /// What a failed push does with its lease.
    fn end_of_failure(&self, p: u8) -> Push {
        // Requests of an earlier push under the same name may still be in flight.
        let resumed = self.protocol.resumed && p == 1;
        let began = match self.world.pushes[p as usize] {
            Push::Begins | Push::Lists | Push::Takes(_) | Push::Looks | Push::Heeds => None,
            _ => Some(Begin::Send),
        };
        let sent = decide::may_have_sent(resumed, began);
        let withdraws = decide::withdraws(self.protocol.conditions, false, sent);
        if withdraws || self.protocol.has(Bug::WithdrawsOnFailure) { Push::Leaves } else { Push::Over }
    }

    fn begin(&mut self, p: u8) {
        // The interrupted push with the same resume state is dead, but its last requests may still be in flight.
        if self.protocol.resumed && p == 1 && self.world.pushes[0] != Push::Over {
            return;
        }
        if self.standing(p) {
            self.go(p, "finds its content published", Push::Checks);
        }
        if self.protocol.keeps_leases() {
            let then = |w: &mut World| w.pushes[p as usize] = Push::Lists;
            self.send(Who::Pusher(p), "puts its lease", Request::Lease(self.protocol.lease(p)), then);
        } else if self.world.manifest.is_none() {
            self.go(p, "finds no manifest", Push::Heeds);
        }
    }

    /// Whether there is a manifest of the same content. The tombstone is not checked here: the check before success
    /// does that, and a push that starts without it can only do more.
    fn standing(&self, p: u8) -> bool {
        self.world.manifest.is_some_and(|theirs| self.protocol.content(theirs) == self.protocol.content(p))
    }

    fn list_leases(&mut self, p: u8) {
        let own = self.protocol.lease(p);
        let others = |alive: bool| {
            let listed = (0..3u8).filter(|q| *q != own && self.world.leases[*q as usize].alive() == Some(alive));
            listed.fold(0, |bits, q| bits | 1 << q)
        };
        let (living, stale) = (others(true), others(false));
        if self.protocol.has(Bug::NoListing) {
            return self.go(p, "takes itself for alone", Push::Looks);
        }
        let works = if stale == 0 { Push::Looks } else { Push::Takes(stale) };
        for next in self.each(own, living != 0, decide::contend) {
            match next {
                Contend::Work => self.go(p, "holds the version", works),
                // The name of the lease says whether to withdraw, or to wait and list again, which is this step at a
                // later time.
                Contend::Withdraw => self.go(p, "withdraws in favour of another", self.end_of_failure(p)),
                Contend::Wait => {}
            }
        }
    }

    /// Asks for a decision about leases, with every order of names and every stage of the others. No rule of the model
    /// depends on a number, so both orders are valid for any other. `contest` shows how one of them wins.
    fn each<T: PartialEq>(&self, own: u8, others: bool, decide: impl Fn(Own, Others, bool, Patience) -> T) -> Vec<T> {
        let own = match decide::own(self.world.leases[own as usize].age()) {
            // A stale lease does not count: others may already have listed it as stale.
            Own::Stale if self.protocol.has(Bug::TrustsOldLease) => Own::Fresh,
            own => own,
        };
        let stages = [None, Some(Stage::Contending), Some(Stage::Working)];
        let seen =
            stages.iter().flat_map(|lower| stages.iter().map(|higher| Others { lower: *lower, higher: *higher }));
        let seen = seen.filter(|seen| others != (*seen == Others::default()));
        let mut decisions = Vec::new();
        for seen in seen {
            for patience in [Patience::Left, Patience::Over] {
                let next = decide(own, seen, self.protocol.conditions, patience);
                if !decisions.contains(&next) {
                    decisions.push(next);
                }
            }
        }
        decisions
    }

    fn take_over(&mut self, p: u8, leases: u8) {
        let other = leases.trailing_zeros() as u8;
        let rest = leases & (leases - 1);
        let next = if rest == 0 { Push::Looks } else { Push::Takes(rest) };
        let then = |w: &mut World| w.pushes[p as usize] = next;
        self.send(Who::Pusher(p), "deletes a stale lease", Request::Withdraw(other), then);
    }

    fn look(&mut self, p: u8) {
        match decide::begin(true, self.world.manifest.is_some(), self.world.files != [0; 2], false) {
            Begin::Compare if self.standing(p) => self.go(p, "finds its content published", Push::Checks),
            Begin::Compare | Begin::Taken => self.fail(p, "finds another content published"),
            Begin::Locked | Begin::Send => self.go(p, "finds no manifest", Push::Heeds),
        }
    }

    fn heed(&mut self, p: u8) {
        if decide::begin(true, false, self.world.files != [0; 2], self.world.locks != 0) != Begin::Send {
            return self.fail(p, "finds a lock");
        }
        let next = if self.protocol.has(Bug::ManifestFirst) { Push::Publishes } else { Push::Fills(0) };
        if self.protocol.has(Bug::ClearsLeftovers) && self.world.files != [0; 2] {
            let mut world = self.world;
            world.files = [0; 2];
            world.pushes[p as usize] = next;
            self.add(Who::Pusher(p), "removes what lies there", world);
        } else {
            self.go(p, "finds no lock", next);
        }
    }

    /// Stores the files concurrently: in any order.
    fn fill(&mut self, p: u8, done: u8) {
        let creates = self.protocol.conditions && !self.protocol.has(Bug::OverwritesFiles);
        for file in (0..2).filter(|file| done >> file & 1 == 0) {
            let done = done | 1 << file;
            let next = match done {
                3 if self.protocol.has(Bug::NoSecondLook) => after_second_look(self.protocol),
                3 => Push::LooksAgain,
                _ => Push::Fills(done),
            };
            let there = self.world.files[file as usize];
            if !decide::reuses(creates, there != 0) {
                let what = if file == 0 { "stores file 1" } else { "stores file 2" };
                let then = |w: &mut World| w.pushes[p as usize] = next;
                self.send(Who::Pusher(p), what, Request::File(p, file), then);
            } else if there == self.protocol.content(p).files[file as usize] {
                self.go(p, "takes a file that is there", next);
            } else {
                self.fail(p, "finds another file");
            }
        }
    }

    fn look_again(&mut self, p: u8) {
        if self.world.files == self.protocol.content(p).files {
            self.go(p, "sees its files again", after_second_look(self.protocol));
        } else {
            self.fail(p, "misses its files");
        }
    }

    fn count(&mut self, p: u8) {
        let next = if self.protocol.conditions { Push::Publishes } else { Push::Vacant };
        let own = self.protocol.lease(p);
        let others = (0..3).any(|q| q != own as usize && self.world.leases[q].alive() == Some(true));
        for counted in self.each(own, others && !self.protocol.has(Bug::NoListing), decide::count) {
            match counted {
                Count::Publish => self.go(p, "sees its lease", next),
                Count::Fail => self.fail(p, "does not hold the version any more"),
                // This step at a later time.
                Count::Wait => {}
            }
        }
    }

    fn publish(&mut self, p: u8) {
        let request = Request::Manifest(p);
        let done = if self.protocol.has(Bug::ManifestFirst) { Push::Fills(0) } else { Push::Checks };
        let creates = decide::write(self.protocol.conditions, false) == Write::Create;
        let sure = self.protocol.has(Bug::NoReadBack) || creates && self.world.manifest.is_none();
        let next = if sure { done } else { Push::ReadsBack };
        let then = |w: &mut World| w.pushes[p as usize] = next;
        self.send(Who::Pusher(p), "writes the manifest", request, then);
        let lost = if self.protocol.has(Bug::NoReadBack) { done } else { Push::ReadsBack };
        if next != lost {
            let mut world = self.world;
            self.protocol.act(&mut world, request);
            world.pushes[p as usize] = lost;
            self.add(Who::Pusher(p), "writes the manifest and hears nothing", world);
        }
        if let Some(mut world) = self.world.with_late(request, self.protocol.late) {
            world.pushes[p as usize] = lost;
            self.add(Who::Pusher(p), "sends the manifest and hears nothing", world);
        }
    }

    fn read_back(&mut self, p: u8) {
        let done = if self.protocol.has(Bug::ManifestFirst) { Push::Fills(0) } else { Push::Checks };
        let standing = self.world.manifest.map(|theirs| {
            let own = self.protocol.same_write(theirs, p);
            Standing { own, same: self.standing(p) || own && self.protocol.has(Bug::TrustsWriteId) }
        });
        match decide::read_back(standing, true) {
            ReadBack::Published | ReadBack::Already => self.go(p, "reads its manifest back", done),
            ReadBack::Taken => self.fail(p, "reads another manifest back"),
            ReadBack::Nothing => self.fail(p, "reads no manifest back"),
        }
    }

    /// The last checks, and the report of success.
    fn check(&mut self, p: u8, at: Push) {
        let (locked, retired) = (self.world.locks != 0, self.world.retired != Retired::No);
        if self.protocol.has(Bug::NoCheck) {
            return self.tell(p);
        }
        if self.protocol.has(Bug::TombstoneBesideLocks) {
            return match at {
                Push::Unretired if !locked => self.tell(p),
                _ if retired => self.fail(p, "finds a tombstone"),
                Push::Checks => self.go(p, "finds no tombstone", Push::Unretired),
                _ => {}
            };
        }
        let looked = match at {
            Push::Checks => decide::check(decide::FIRST_CHECK, locked),
            _ => decide::check(Check::Tombstone { locked: false }, retired),
        };
        match looked {
            Checked::Look(Check::Tombstone { locked: false }) => self.go(p, "finds no lock", Push::Unlocked),
            // Nothing that happens between two checks could not happen before them, if the second finds nothing.
            Checked::Look(again) if decide::check(again, retired) == Checked::Deleted => {
                self.fail(p, "finds a tombstone")
            }
            // Waiting for a lock is this step at a later time.
            Checked::Look(_) | Checked::Wait => {}
            Checked::Lasts => self.tell(p),
            Checked::Deleted => self.fail(p, "finds a tombstone"),
        }
    }

    fn tell(&mut self, p: u8) {
        let mut world = self.world;
        world.told |= 1 << self.protocol.content_number(p);
        world.pushes[p as usize] = if self.protocol.keeps_leases() { Push::Leaves } else { Push::Over };
        self.add(Who::Pusher(p), "tells of success", world);
    }

    /// What can happen at any step of a pusher whose lease counts: it renews the lease, dies or gives up.
    fn renew_or_end(&mut self, p: u8, at: Push) {
        if matches!(at, Push::Begins | Push::Over) {
            return;
        }
        let own = self.protocol.lease(p) as usize;
        if self.world.leases[own] == Lease::Stale {
            let mut world = self.world;
            world.leases[own] = Lease::Living;
            self.add(Who::Pusher(p), "renews its lease", world);
        }
        self.go(p, "dies", Push::Over);
        if self.protocol.resumed && at == Push::Publishes {
            self.leave_behind(p, "dies before its manifest arrives", Request::Manifest(p), Push::Over);
        }
        let end = self.end_of_failure(p);
        if let Push::Fills(done) = at {
            for file in (0..2).filter(|file| done >> file & 1 == 0) {
                self.leave_behind(p, "gives up before a file arrives", Request::File(p, file), end);
            }
        }
        if !matches!(at, Push::Lists | Push::Takes(_) | Push::Leaves) && end != Push::Over {
            self.go(p, "gives up", end);
        }
    }

    /// The pusher sends a request and does not wait for the result.
    fn leave_behind(&mut self, p: u8, what: &'static str, request: Request, end: Push) {
        if let Some(mut world) = self.world.with_late(request, self.protocol.late) {
            world.pushes[p as usize] = end;
            self.add(Who::Pusher(p), what, world);
        }
    }
}

/// The step after all files are stored.
fn after_second_look(protocol: &Protocol) -> Push {
    match () {
        () if protocol.has(Bug::ManifestFirst) => Push::Checks,
        () if protocol.keeps_leases() => Push::Counts,
        () if protocol.conditions => Push::Publishes,
        () => Push::Vacant,
    }
}
