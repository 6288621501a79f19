//! What can happen next in a world.
//!
//! A step of a process is one request, at the moment when the server carries it out, with what the process makes of
//! the answer. A process that may stall before any step needs no step for stalling, and for safety none for dying either:
//! a process that died is one that never takes another step, and a request of its that acts after its death is a step
//! that it took before. A pusher that is started again is one more pusher of the same content. What remains are
//! requests that act although their process has continued without them: see [`World::late`].

use crate::protocol::{Leases, Protocol, Stalls};
use crate::world::{Lease, Push, Request, World};

/// Who does something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Pusher(u8),
    Cleaner(u8),
    User,
    /// The server, with a request that it had for a while.
    Late(Request),
    /// Time.
    Clock,
}

/// What somebody does, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) who: Who,
    pub(crate) what: &'static str,
}

/// The steps that lead on from one world.
pub(crate) struct Steps<'a> {
    pub(crate) protocol: &'a Protocol,
    pub(crate) world: World,
    pub(crate) next: Vec<(Step, World)>,
}

impl<'a> Steps<'a> {
    /// Lists every step from a world.
    pub(crate) fn from(protocol: &'a Protocol, world: World, next: Vec<(Step, World)>) -> Vec<(Step, World)> {
        let mut steps = Steps { protocol, world, next };
        steps.next.clear();
        for pusher in 0..protocol.contents.len() as u8 {
            steps.push(pusher);
        }
        for cleaner in 0..protocol.cleaners as u8 {
            steps.clean(cleaner);
        }
        if protocol.deleter {
            steps.delete();
        }
        steps.arrive();
        steps.age();
        steps.next
    }

    /// Somebody does something, and this is the world after it.
    pub(crate) fn add(&mut self, who: Who, what: &'static str, world: World) {
        self.next.push((Step { who, what }, world));
    }

    /// Somebody sends a request that changes the bucket and hears the answer. It may have been sent twice, the first
    /// time without an answer: then the first one may still be on its way.
    pub(crate) fn send(&mut self, who: Who, what: &'static str, request: Request, then: impl Fn(&mut World)) {
        let mut world = self.world;
        self.protocol.act(&mut world, request);
        then(&mut world);
        self.add(who, what, world);
        if let Some(twice) = world.with_late(request, self.protocol.late) {
            self.add(who, what, twice);
        }
    }

    /// A late request acts.
    fn arrive(&mut self) {
        for place in 0..self.protocol.late {
            if let Some(request) = self.world.late[place] {
                let mut world = self.world.without_late(place);
                self.protocol.act(&mut world, request);
                self.add(Who::Late(request), "arrives", world);
            }
        }
    }

    /// A lease goes stale.
    fn age(&mut self) {
        let Leases::Kept(stalls) = self.protocol.leases else { return };
        let pushers = 0..self.protocol.contents.len() as u8;
        for lease in pushers.clone() {
            let mut owners = pushers.clone().filter(|p| self.protocol.lease(*p) == lease);
            let over = |p: u8| {
                let pending = self.world.late.iter().flatten().any(|late| is_of(*late, p));
                let at = self.world.pushes[p as usize];
                at == Push::Over && !pending || at == Push::Begins
            };
            let may = match stalls {
                _ if owners.clone().all(over) => true,
                Stalls::Never => false,
                Stalls::Before(step) => owners.any(|p| step(self.world.pushes[p as usize])),
            };
            if may && self.world.leases[lease as usize] == Lease::Living {
                let mut world = self.world;
                world.leases[lease as usize] = Lease::Stale;
                self.add(Who::Clock, "a lease goes stale", world);
            }
        }
    }
}

/// Returns true for a request that a pusher sent for its push.
fn is_of(request: Request, pusher: u8) -> bool {
    match request {
        Request::Lease(p) | Request::File(p, _) | Request::Manifest(p) => p == pusher,
        _ => false,
    }
}
