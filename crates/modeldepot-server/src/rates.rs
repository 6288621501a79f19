//! Rate limits per client.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use modeldepot_listen::client;

/// The most clients that are tracked by their own address.
const CLIENTS: usize = 50_000;

/// The number of slots that further clients share.
const SHARED: usize = 1024;

/// How often clients are removed whose allowance has fully recovered.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The rate limit of each client.
pub(crate) struct Rates<C: Clock = DefaultClock> {
    limiter: RateLimiter<Ask, Table, C, NoOpMiddleware<C::Instant>>,
    swept: Mutex<Instant>,
}

/// A check of a client's allowance.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Ask {
    client: IpAddr,
    /// Whether it uses up the allowance.
    counts: bool,
}

impl Rates {
    /// Allows this many requests per second, and twice as many at once.
    pub(crate) fn per_second(rate: NonZeroU32) -> Rates {
        Rates::new(Quota::per_second(rate).allow_burst(rate.saturating_mul(TWO)), DefaultClock::default())
    }

    /// Allows one request per interval, and `burst` at once.
    pub(crate) fn one_in(time: Duration, burst: NonZeroU32) -> Rates {
        // A zero interval is no limit.
        let quota = Quota::with_period(time.max(Duration::from_nanos(1)));
        let quota = quota.unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX));
        Rates::new(quota.allow_burst(burst), DefaultClock::default())
    }
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

impl<C: Clock> Rates<C> {
    fn new(quota: Quota, clock: C) -> Rates<C> {
        Rates { limiter: RateLimiter::new(quota, Table::default(), clock), swept: Mutex::new(Instant::now()) }
    }

    /// Counts a request of a client.
    ///
    /// # Errors
    /// How long the client must wait, if it has used up its allowance.
    pub(crate) fn count(&self, address: IpAddr) -> Result<(), Duration> {
        self.ask(address, true)
    }

    /// Checks whether a client may send a request, without counting one.
    ///
    /// # Errors
    /// How long the client must wait.
    pub(crate) fn look(&self, address: IpAddr) -> Result<(), Duration> {
        self.ask(address, false)
    }

    fn ask(&self, address: IpAddr, counts: bool) -> Result<(), Duration> {
        if self.limiter.len() >= CLIENTS {
            self.sweep();
        }
        let ask = Ask { client: client(address), counts };
        self.limiter.check_key(&ask).map_err(|not_until| not_until.wait_time_from(self.limiter.clock().now()))
    }

    fn sweep(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.elapsed() >= SWEEP_EVERY {
            *swept = Instant::now();
            self.limiter.retain_recent();
        }
    }
}

/// The state of all clients. It never exceeds its size and forgets no client that is being limited: if it were cleared
/// when full, anyone with many addresses could clear it. When it is full, new clients share slots.
#[derive(Default)]
struct Table {
    cells: Mutex<Cells>,
    places: RandomState,
}

#[derive(Default)]
struct Cells {
    clients: HashMap<IpAddr, Nanos>,
    shared: HashMap<usize, Nanos>,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Table {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let cells = &mut *self.lock();
        let own = cells.clients.contains_key(&ask.client) || cells.clients.len() < CLIENTS;
        let place = (self.places.hash_one(ask.client) % SHARED as u64) as usize;
        let before = if own { cells.clients.get(&ask.client) } else { cells.shared.get(&place) };
        let (value, after) = decide(before.copied())?;
        if ask.counts {
            match own {
                true => cells.clients.insert(ask.client, after),
                false => cells.shared.insert(place, after),
            };
        }
        Ok(value)
    }
}

impl ShrinkableKeyedStateStore<Ask> for Table {
    fn retain_recent(&self, drop_below: Nanos) {
        let cells = &mut *self.lock();
        cells.clients.retain(|_, at| *at > drop_below);
        cells.shared.retain(|_, at| *at > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().clients.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rates(clock: &FakeRelativeClock) -> Rates<FakeRelativeClock> {
        let ten = NonZeroU32::new(10).unwrap();
        Rates::new(Quota::per_second(ten).allow_burst(ten.saturating_mul(TWO)), clock.clone())
    }

    fn nth(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + n).into()
    }

    #[test]
    fn a_client_has_its_rate_and_no_more() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let allowed = |address: &str| (0..100).filter(|_| rates.count(address.parse().unwrap()).is_ok()).count();
        assert_eq!(allowed("10.0.0.1"), 20);
        assert_eq!(allowed("10.0.0.2"), 20, "another has its own");
        assert_eq!(allowed("2001:db8::1"), 20);
        assert_eq!(allowed("2001:db8::ffff:2"), 0, "a client of IPv6 has a whole network");
        let waits = rates.count("10.0.0.1".parse().unwrap()).unwrap_err();
        assert!(waits > Duration::ZERO && waits <= Duration::from_millis(100), "{waits:?}");
        clock.advance(Duration::from_millis(501));
        assert_eq!(allowed("10.0.0.1"), 5);
        // Checking uses up nothing.
        clock.advance(Duration::from_millis(100));
        for _ in 0..100 {
            rates.look("10.0.0.1".parse().unwrap()).unwrap();
        }
        rates.count("10.0.0.1".parse().unwrap()).unwrap();
        rates.look("10.0.0.1".parse().unwrap()).unwrap_err();
    }

    #[test]
    fn nobody_clears_the_table_with_many_addresses() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        while rates.count(nth(0)).is_ok() {}
        for n in 1..2 * CLIENTS as u32 {
            let _ = rates.count(nth(n));
        }
        assert!(rates.count(nth(0)).is_err(), "it had to wait, and still has");
        assert_eq!(rates.limiter.len(), CLIENTS);
        assert!(rates.limiter.into_state_store().lock().shared.len() <= SHARED);
    }

    #[test]
    fn who_has_not_asked_for_long_is_forgotten_when_there_are_many() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        for n in 0..CLIENTS as u32 {
            rates.count(nth(n)).unwrap();
        }
        clock.advance(Duration::from_secs(10));
        *rates.swept.lock().unwrap() = Instant::now().checked_sub(SWEEP_EVERY).unwrap();
        rates.count(nth(CLIENTS as u32)).unwrap();
        assert!(rates.limiter.len() < 10);
    }
}
