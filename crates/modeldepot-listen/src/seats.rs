//! The open connections, and which one is closed when there are too many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::network::client;

/// What all connections together may read at once. Each may hold a few times that.
const ROOM: usize = 8 << 20;

/// The smallest read that is worth its overhead.
const LEAST: usize = 8 << 10;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Waiting for the head of a request.
    Head,
    /// Its request was answered; the client may send another.
    Idle,
    /// A request is in progress: receiving its body, being handled, or sending its answer.
    Busy,
}

/// The state of a connection, shared between its task, its socket and its bodies.
#[derive(Debug)]
pub(crate) struct Activity {
    phase: AtomicU8,
    /// When the phase began, in milliseconds since `begun`.
    since: AtomicU64,
    begun: Instant,
    /// Whether the client may still be sending the body of a request.
    sending: AtomicBool,
    end: Notify,
    /// How many connections there are.
    count: Arc<AtomicUsize>,
}

impl Activity {
    fn new(begun: Instant, count: Arc<AtomicUsize>) -> Self {
        let activity = Activity {
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU64::new(0),
            begun,
            sending: AtomicBool::new(false),
            end: Notify::new(),
            count,
        };
        activity.enter(Phase::Head);
        activity
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            phase if phase == Phase::Head as u8 => Phase::Head,
            phase if phase == Phase::Idle as u8 => Phase::Idle,
            _ => Phase::Busy,
        }
    }

    /// Returns when the current phase began.
    pub(crate) fn since(&self) -> Instant {
        self.begun + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since.store(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns how many bytes may be read at once: fewer, the more connections there are.
    pub(crate) fn room(&self) -> usize {
        (ROOM / self.count.load(Ordering::Relaxed).max(1)).max(LEAST)
    }

    /// Records that bytes arrived.
    pub(crate) fn came(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    pub(crate) fn set_sending(&self, sending: bool) {
        self.sending.store(sending, Ordering::Relaxed);
    }

    /// Returns true while the client may be sending bytes that nobody will read.
    pub(crate) fn is_sending(&self) -> bool {
        self.phase() == Phase::Head || self.sending.load(Ordering::Relaxed)
    }

    /// Waits until the connection has to make room for another.
    pub(crate) async fn ended(&self) {
        self.end.notified().await;
    }
}

/// The open connections.
#[derive(Debug)]
pub(crate) struct Seats {
    connections: usize,
    each: usize,
    crowded: usize,
    proxies: Vec<crate::Network>,
    begun: Instant,
    taken: Mutex<Taken>,
    count: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The number of the next connection. Numbers only grow.
    next: u64,
    all: HashMap<u64, Occupant>,
    clients: HashMap<IpAddr, usize>,
    crowded: usize,
}

#[derive(Debug)]
struct Occupant {
    client: IpAddr,
    crowded: bool,
    activity: Arc<Activity>,
}

/// The place of one connection.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    pub(crate) crowded: bool,
    pub(crate) activity: Arc<Activity>,
}

impl Seats {
    pub(crate) fn new(limits: &Limits) -> Self {
        Seats {
            connections: limits.connections,
            each: limits.each,
            crowded: limits.crowded,
            proxies: limits.proxies.clone(),
            begun: Instant::now(),
            taken: Mutex::default(),
            count: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection, closing another one if necessary.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let client = client(address);
        let shared = address.to_canonical().is_loopback() || self.proxies.iter().any(|proxy| proxy.contains(address));
        let mut taken = self.lock();
        let has = taken.clients.get(&client).copied().unwrap_or_default();
        if !shared && has >= self.each && !taken.end_oldest(|one| one.client == client && one.is_waiting()) {
            return None;
        }
        let full = taken.all.len() - taken.crowded >= self.connections;
        let crowded = full && !taken.end_oldest(|one| !one.crowded && one.is_waiting());
        if crowded && taken.crowded >= self.crowded && !taken.end_oldest(|one| one.crowded) {
            return None;
        }
        let number = taken.next;
        taken.next += 1;
        taken.crowded += usize::from(crowded);
        *taken.clients.entry(client).or_default() += 1;
        let activity = Arc::new(Activity::new(self.begun, Arc::clone(&self.count)));
        taken.all.insert(number, Occupant { client, crowded, activity: Arc::clone(&activity) });
        self.count.store(taken.all.len(), Ordering::Relaxed);
        Some(Seat { seats: Arc::clone(self), number, crowded, activity })
    }

    /// Closes the connection that has waited longest for a request, if there is one.
    pub(crate) fn relieve(&self) {
        self.lock().end_oldest(Occupant::is_waiting);
    }
}

impl Occupant {
    fn is_waiting(&self) -> bool {
        self.activity.phase() != Phase::Busy
    }
}

impl Taken {
    /// Closes the matching connection that has been in its phase longest.
    fn end_oldest(&mut self, which: impl Fn(&Occupant) -> bool) -> bool {
        let found = self.all.iter().filter(|(_, one)| which(one));
        let Some(number) =
            found.min_by_key(|(number, one)| (one.activity.since(), **number)).map(|(number, _)| *number)
        else {
            return false;
        };
        if let Some(ended) = self.remove(number) {
            ended.activity.end.notify_one();
        }
        true
    }

    fn remove(&mut self, number: u64) -> Option<Occupant> {
        let removed = self.all.remove(&number)?;
        self.crowded -= usize::from(removed.crowded);
        if let Some(count) = self.clients.get_mut(&removed.client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&removed.client);
            }
        }
        Some(removed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.remove(self.number);
        self.seats.count.store(taken.all.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn seats(connections: usize, each: usize) -> Arc<Seats> {
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Arc::new(Seats::new(&Limits { connections, each, crowded: 2, proxies, ..Limits::default() }))
    }

    fn is_ended(seat: &Seat) -> bool {
        !seat.seats.lock().all.contains_key(&seat.number)
    }

    fn enter(seats: &Arc<Seats>, address: &str) -> Option<Seat> {
        seats.enter(address.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_longest_makes_room() {
        let seats = seats(3, 100);
        let mut all = Vec::new();
        for n in 0..3 {
            all.push(enter(&seats, "127.0.0.1").unwrap());
            tokio::time::advance(Duration::from_secs(n)).await;
        }
        all[0].activity.enter(Phase::Busy);
        let more = enter(&seats, "127.0.0.1").unwrap();
        assert!(!more.crowded && !is_ended(&all[0]) && is_ended(&all[1]) && !is_ended(&all[2]));
        all[1].activity.ended().await;
        // A request in between restarts its wait.
        tokio::time::advance(Duration::from_secs(9)).await;
        all[2].activity.enter(Phase::Idle);
        enter(&seats, "127.0.0.1").unwrap().activity.enter(Phase::Busy);
        assert!(is_ended(&more) && !is_ended(&all[2]));
    }

    #[tokio::test]
    async fn who_works_stays_and_the_next_is_told_that_it_is_crowded() {
        let seats = seats(2, 100);
        let busy: Vec<_> = (0..2).map(|_| enter(&seats, "127.0.0.1").unwrap()).collect();
        busy.iter().for_each(|seat| seat.activity.enter(Phase::Busy));
        let crowd: Vec<_> = (0..3).map(|_| enter(&seats, "127.0.0.1").unwrap()).collect();
        assert!(busy.iter().all(|seat| !seat.crowded && !is_ended(seat)));
        assert!(crowd.iter().all(|seat| seat.crowded));
        assert_eq!(crowd.iter().map(is_ended).collect::<Vec<_>>(), [true, false, false]);
        drop(busy);
        assert!(!enter(&seats, "127.0.0.1").unwrap().crowded);
        drop(crowd);
        assert!(seats.lock().all.is_empty() && seats.lock().clients.is_empty() && seats.lock().crowded == 0);
    }

    #[tokio::test]
    async fn a_client_has_its_share_but_not_this_machine_nor_a_proxy() {
        let seats = seats(100, 2);
        for (address, other, shares) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("127.0.0.1", "127.0.0.1", false),
            ("10.0.0.7", "10.0.0.7", false),
        ] {
            let waiting = enter(&seats, address).unwrap();
            let busy = enter(&seats, address).unwrap();
            busy.activity.enter(Phase::Busy);
            let third = enter(&seats, other).unwrap();
            third.activity.enter(Phase::Busy);
            assert_eq!(is_ended(&waiting), shares, "{address}");
            assert_eq!(enter(&seats, other).is_none(), shares, "{address}");
            assert!(!is_ended(&busy) && enter(&seats, "203.0.113.9").is_some());
        }
    }
}
