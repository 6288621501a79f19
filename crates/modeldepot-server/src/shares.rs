//! Places that callers share fairly: each may hold as many as are still free.
//!
//! So one caller gets half of the places, the next half of the rest, and a caller without any gets one as long as there
//! is one. Without authentication all requests count as one caller, which may hold every place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A number of places.
pub(crate) struct Shares {
    most: usize,
    held: Mutex<HashMap<Option<String>, usize>>,
    freed: Notify,
}

/// A place, released when dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    by: Option<String>,
}

impl Shares {
    pub(crate) fn new(most: usize) -> Arc<Shares> {
        Arc::new(Shares { most, held: Mutex::default(), freed: Notify::new() })
    }

    /// Returns the number of free places.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.most - self.held.lock().unwrap_or_else(PoisonError::into_inner).values().sum::<usize>()
    }

    /// Takes a place, if there is one for this caller.
    pub(crate) fn try_enter(self: &Arc<Self>, by: Option<&str>) -> Option<Place> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.most.saturating_sub(held.values().sum());
        let by = by.map(str::to_owned);
        let mine = held.get(&by).copied().unwrap_or_default();
        if free == 0 || by.is_some() && mine > 0 && mine >= free {
            return None;
        }
        held.insert(by.clone(), mine + 1);
        Some(Place { shares: Arc::clone(self), by })
    }

    /// Waits for a place for this caller.
    pub(crate) async fn enter(self: &Arc<Self>, by: Option<&str>) -> Place {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // From here on, no release is missed.
            freed.as_mut().enable();
            if let Some(place) = self.try_enter(by) {
                return place;
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.by) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.by);
            }
        }
        drop(held);
        self.shares.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_and_a_newcomer_finds_room() {
        let shares = Shares::new(100);
        let take = |by: &str| std::iter::from_fn(|| shares.try_enter(Some(by))).collect::<Vec<_>>();
        let (first, second) = (take("a"), take("b"));
        assert_eq!((first.len(), second.len()), (50, 25));
        let others: Vec<_> = ["c", "d", "e", "f"].iter().map(|by| take(by)).collect();
        assert!(others.iter().all(|places| !places.is_empty()));
        drop(first);
        assert!(shares.try_enter(Some("g")).is_some());
        drop((second, others));
        let all: Vec<_> = std::iter::from_fn(|| shares.try_enter(None)).collect();
        assert_eq!(all.len(), 100, "where nobody says who they are");
    }

    #[test]
    fn there_is_one_place_for_somebody_at_least() {
        let shares = Shares::new(1);
        let place = shares.try_enter(Some("a")).unwrap();
        assert!(shares.try_enter(Some("a")).is_none() && shares.try_enter(Some("b")).is_none());
        drop(place);
        assert!(shares.try_enter(Some("b")).is_some());
        assert!(shares.held.lock().unwrap().is_empty(), "callers who hold nothing are not remembered");
    }

    #[tokio::test]
    async fn who_waits_gets_what_is_freed() {
        let shares = Shares::new(2);
        let places = [shares.try_enter(None).unwrap(), shares.try_enter(None).unwrap()];
        let waiting: Vec<_> = (0..10)
            .map(|by| {
                let shares = Arc::clone(&shares);
                tokio::spawn(async move { drop(shares.enter(Some(&by.to_string())).await) })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(places);
        for waited in waiting {
            waited.await.unwrap();
        }
    }
}
