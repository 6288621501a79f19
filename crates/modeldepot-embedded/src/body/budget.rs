//! Memory for what the protocol layer collects before using it: signed chunks and XML requests.
//!
//! Each is limited in size; together they share a budget. Small ones are free. A larger one takes its size from the
//! budget before it is read and waits while there is too little left. While waiting it holds nothing, and once it has
//! its share it must arrive in limited time, so no request waits forever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::{Sleep, sleep};

/// Anything up to this size takes nothing from the budget. Clients mostly use chunks of 64 KiB.
pub(crate) const FREE: u64 = 64 << 10;

/// How long a body that holds a share of the budget may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bytes that one permit stands for.
const UNIT: u64 = 1 << 10;

/// For signed chunks.
pub(crate) static CHUNKS: Budget = Budget::new(64 << 20);

/// For XML requests. A parsed one takes several times its size.
pub(crate) static XML: Budget = Budget::new(32 << 20);

/// An amount of memory that requests share.
#[derive(Debug)]
pub(crate) struct Budget(Semaphore);

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self(Semaphore::const_new(bytes / UNIT as usize))
    }

    /// Asks for memory: for at most the whole budget.
    pub(crate) fn ask(&'static self, bytes: u64) -> Asked {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Asked(Box::pin(self.0.acquire_many(units)))
    }

    #[cfg(test)]
    pub(crate) fn left(&self) -> u64 {
        self.0.available_permits() as u64 * UNIT
    }
}

type Acquire = dyn Future<Output = Result<SemaphorePermit<'static>, AcquireError>> + Send + Sync;

/// A request for a share of a budget.
pub(crate) struct Asked(Pin<Box<Acquire>>);

impl Asked {
    /// Waits until enough has been returned.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Held> {
        // The semaphore is never closed.
        let permit = ready!(self.0.as_mut().poll(cx)).ok();
        Poll::Ready(Held { _permit: permit, end: Box::pin(sleep(PATIENCE)) })
    }
}

/// A share of a budget; dropping it returns the memory.
#[derive(Debug)]
pub(crate) struct Held {
    _permit: Option<SemaphorePermit<'static>>,
    end: Pin<Box<Sleep>>,
}

impl Held {
    /// Returns true once the body should have arrived long ago.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.end.as_mut().poll(cx).is_ready()
    }
}
