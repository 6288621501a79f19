//! The memory of all transfers of a client: one budget, and buffers that are used again.
//!
//! A fresh buffer of 8 MiB costs as much time in page faults as it takes to fill it, so each goes back to the pool when
//! the last who looks at its bytes is done: the hashing, the connection, a repetition.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Bytes of parts in memory at once, over all transfers and both ways.
///
/// Five parts of the usual size: two on the wire, one being hashed, one being read, one for the MD5 that lags behind.
/// With the program itself it stays below 64 MiB.
pub(super) const BUDGET: u64 = 40 * MIB;

/// Buffers below this size are not worth keeping.
const WORTH_KEEPING: usize = MIB as usize;

/// Hands out buffers.
#[derive(Debug)]
pub(super) struct Pool {
    /// In KiB.
    budget: Arc<Semaphore>,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { budget: Arc::new(Semaphore::new((BUDGET / KIB) as usize)), free: Mutex::default() })
    }

    /// Waits for the right to hold `bytes` in memory. What is larger than the whole budget waits for all of it, so such
    /// parts go one by one.
    pub(super) async fn permit(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = bytes.min(BUDGET).div_ceil(KIB).max(1);
        // The semaphore is never closed.
        Arc::clone(&self.budget).acquire_many_owned(units as u32).await.expect("open")
    }

    /// Waits for a buffer of `len` bytes. What is in it is whatever was.
    pub(super) async fn buffer(self: &Arc<Self>, len: u64) -> Buffer {
        let permit = self.permit(len).await;
        let len = len as usize;
        let found = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let at = free.iter().position(|bytes| bytes.len() >= len && len >= WORTH_KEEPING);
            at.map(|at| free.swap_remove(at))
        };
        Buffer { bytes: found.unwrap_or_else(|| vec![0; len]), len, pool: Arc::clone(self), _permit: permit }
    }

    fn take_back(&self, bytes: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = free.iter().map(Vec::len).sum();
        if bytes.len() >= WORTH_KEEPING && (kept + bytes.len()) as u64 <= BUDGET {
            free.push(bytes);
        }
    }
}

/// A part of the budget, with room for bytes.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Buffer {
    /// Returns the room, to be filled.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Returns the bytes, to be shared. The room goes back to the pool with the last of them.
    pub(super) fn share(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.take_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn the_budget_holds_until_the_last_look_at_the_bytes() {
        let pool = Pool::new();
        let mut buffers = Vec::new();
        for _ in 0..5 {
            buffers.push(pool.buffer(8 * MIB).await);
        }
        let mut first = buffers.remove(0);
        first.room()[0] = 7;
        let shared = first.share();
        let part = shared.slice(..1);
        drop(shared);
        assert!(timeout(Duration::from_millis(20), pool.buffer(1)).await.is_err(), "a slice of it is still in use");
        assert_eq!(part[0], 7);
        drop(part);
        assert_eq!(pool.buffer(8 * MIB).await.room()[0], 7, "the same room, used again");
        assert_eq!(pool.buffer(3).await.as_ref().len(), 3);
    }

    #[tokio::test]
    async fn a_part_larger_than_the_budget_goes_alone() {
        let pool = Pool::new();
        let large = pool.buffer(BUDGET + MIB).await;
        assert!(timeout(Duration::from_millis(20), pool.buffer(1)).await.is_err());
        drop(large);
        assert!(pool.free.lock().unwrap().is_empty(), "it is not kept");
        drop(pool.buffer(1).await);
    }
}
