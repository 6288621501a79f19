//! The possible next steps in a world.
//!
//! A step of a process is one request, at the moment when the server executes it, and what the process concludes from
//! the answer. Since a process may stall before any step, stalling needs no step of its own. For safety, neither does
//! dying: a dead process takes no further steps, and its requests that take effect after its death are steps that it
//! took before. A restarted pusher is one more pusher of the same content. What remains are requests that take effect
//! although their process has continued without them: see [`World::late`].

use crate::protocol::{Leases, Protocol, Stalls};
use crate::world::{Lease, Push, Request, World};

/// The actor of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Pusher(u8),
    Cleaner(u8),
    User,
    /// The server, executing a late request.
    Late(Request),
    /// The passage of time.
    Clock,
}

/// A step, described for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) who: Who,
    pub(crate) what: &'static str,
}

/// The steps that follow from one world.
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

    /// Adds a step and the world after it.
    pub(crate) fn add(&mut self, who: Who, what: &'static str, world: World) {
        self.next.push((Step { who, what }, world));
    }

    /// An actor sends a request that changes the bucket and gets the answer. It may have been sent twice, the first
    /// time without an answer: then the first may still be in flight.
    pub(crate) fn send(&mut self, who: Who, what: &'static str, request: Request, then: impl Fn(&mut World)) {
        let mut world = self.world;
        self.protocol.act(&mut world, request);
        then(&mut world);
        self.add(who, what, world);
        if let Some(twice) = world.with_late(request, self.protocol.late) {
            self.add(who, what, twice);
        }
    }

    /// A late request takes effect.
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

/// Returns true for a request that belongs to a pusher's push.
fn is_of(request: Request, pusher: u8) -> bool {
    match request {
        Request::Lease(p) | Request::File(p, _) | Request::Manifest(p) => p == pusher,
        _ => false,
    }
}
