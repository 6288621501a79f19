//! Memory for what the protocol layer gathers before it uses it: signed chunks, and requests in XML.
//!
//! Each is bounded by itself; many at once are bounded by a budget that they share. What is small is free. What is larger
//! takes its size from the budget before it is read, and waits while others have it. It waits with nothing in its hands, and
//! has only so much time once it has its part, so those that wait always get theirs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::{Sleep, sleep};

/// What is no larger takes nothing. A client's chunk mostly is 64 KiB.
pub(crate) const FREE: u64 = 64 << 10;

/// How long what took a part of the budget may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one permit stands for.
const UNIT: u64 = 1 << 10;

/// For signed chunks.
pub(crate) static CHUNKS: Budget = Budget::new(64 << 20);

/// For requests in XML. Parsed, one takes a few times its size.
pub(crate) static XML: Budget = Budget::new(32 << 20);

/// So much memory.
#[derive(Debug)]
pub(crate) struct Budget(Semaphore);

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self(Semaphore::const_new(bytes / UNIT as usize))
    }

    /// Asks for so many bytes, which are no more than there are in all.
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

/// A part of a budget that was asked for.
pub(crate) struct Asked(Pin<Box<Acquire>>);

impl Asked {
    /// Waits until others have given back enough.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Held> {
        // Nobody closes a budget.
        let permit = ready!(self.0.as_mut().poll(cx)).ok();
        Poll::Ready(Held { _permit: permit, end: Box::pin(sleep(PATIENCE)) })
    }
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _permit: Option<SemaphorePermit<'static>>,
    end: Pin<Box<Sleep>>,
}

impl Held {
    /// Returns true once what it is for should long have arrived.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.end.as_mut().poll(cx).is_ready()
    }
}
