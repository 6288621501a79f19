//! The memory of all transfers of a client: one budget, and buffers that are used again.
//!
//! A part lies in units of a mebibyte. Each goes back to the pool when the last who looks at its bytes is done, so on a
//! slow connection a part gives its memory away while it is sent, and the next one can begin. A fresh buffer costs as much
//! time in page faults as it takes to fill it; these have been touched before.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Read from a file at once, in bytes.
pub(in crate::s3) const PIECE: usize = 256 * 1024;

/// Bytes of parts in memory at once, over all transfers and both ways. With the program itself it stays below 64 MiB.
pub(in crate::s3) const BUDGET: u64 = 40 * MIB;

/// The length of a buffer.
const UNIT: usize = MIB as usize;

/// A file below this size gets a buffer of its own length, which is not kept.
const SMALL: u64 = 256 * KIB;

/// Hands out buffers.
#[derive(Debug)]
pub(in crate::s3) struct Pool {
    /// In KiB.
    budget: Arc<Semaphore>,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    pub(in crate::s3) fn new() -> Arc<Self> {
        Arc::new(Self { budget: Arc::new(Semaphore::new((BUDGET / KIB) as usize)), free: Mutex::default() })
    }

    /// Waits for the right to hold `bytes` in memory. What is larger than the whole budget waits for all of it, so such
    /// parts go one by one.
    pub(in crate::s3) async fn permit(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = bytes.min(BUDGET).div_ceil(KIB).max(1);
        // The semaphore is never closed.
        Arc::clone(&self.budget).acquire_many_owned(units as u32).await.expect("open")
    }

    /// Waits for buffers of `len` bytes together, all at once: a task that had some and waited for more could wait for
    /// somebody who does the same. What is in them is whatever was.
    pub(in crate::s3) async fn buffers(self: &Arc<Self>, len: u64) -> Vec<Buffer> {
        let mut permit = self.permit(len).await;
        let mut left = len;
        let mut buffers = Vec::new();
        while left > 0 {
            let len = left.min(UNIT as u64);
            left -= len;
            let kib = len.div_ceil(KIB) as usize;
            // Of a part beyond the budget there are permits for its beginning only.
            let part = permit.split(kib.min(permit.num_permits()));
            let bytes = if len < SMALL && buffers.is_empty() { vec![0; len as usize] } else { self.unit() };
            buffers.push(Buffer { bytes, len: len as usize, pool: Arc::clone(self), _permit: part });
        }
        buffers
    }

    fn unit(&self) -> Vec<u8> {
        let found = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        found.unwrap_or_else(|| vec![0; UNIT])
    }

    fn take_back(&self, bytes: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() == UNIT && ((free.len() + 1) * UNIT) as u64 <= BUDGET {
            free.push(bytes);
        }
    }
}

/// A part of the budget, with room for bytes.
#[derive(Debug)]
pub(in crate::s3) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    pool: Arc<Pool>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Buffer {
    /// Returns the room, to be filled.
    pub(in crate::s3) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Returns the bytes, to be shared. The room goes back to the pool with the last of them.
    pub(in crate::s3) fn share(self) -> Bytes {
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

    async fn waits(pool: &Arc<Pool>, bytes: u64) -> bool {
        timeout(Duration::from_millis(20), pool.buffers(bytes)).await.is_err()
    }

    #[tokio::test]
    async fn the_budget_holds_until_the_last_look_at_the_bytes() {
        let pool = Pool::new();
        let mut buffers = pool.buffers(BUDGET).await;
        assert_eq!(buffers.len(), 40);
        let mut first = buffers.remove(0);
        first.room()[0] = 7;
        let shared = first.share();
        let part = shared.slice(..1);
        drop(shared);
        assert!(waits(&pool, 1).await, "a slice of it is still in use");
        assert_eq!(part[0], 7);
        drop(part);
        assert!(waits(&pool, 2 * MIB).await, "but one of them is free");
        assert_eq!(pool.buffers(MIB).await[0].room()[0], 7, "the same room, used again");
        assert_eq!(pool.buffers(3).await[0].as_ref().len(), 3);
        drop(buffers);
        let lens: Vec<usize> = pool.buffers(2 * MIB + 5).await.iter().map(|buffer| buffer.as_ref().len()).collect();
        assert_eq!(lens, [UNIT, UNIT, 5]);
    }

    #[tokio::test]
    async fn a_small_file_takes_no_more_memory_than_its_bytes() {
        let pool = Pool::new();
        let mut taken = Vec::new();
        for len in [1, SMALL - 1, SMALL, MIB + 1] {
            taken.push(pool.buffers(len).await.iter().map(|buffer| buffer.bytes.capacity()).collect::<Vec<_>>());
        }
        assert_eq!(taken, [vec![1], vec![SMALL as usize - 1], vec![UNIT], vec![UNIT, UNIT]]);
    }

    #[tokio::test]
    async fn a_part_larger_than_the_budget_goes_alone() {
        let pool = Pool::new();
        let large = pool.buffers(BUDGET + 2 * MIB).await;
        assert_eq!(large.len(), 42);
        assert!(waits(&pool, 1).await);
        drop(large);
        assert!(pool.free.lock().unwrap().len() <= 40, "what is beyond the budget is not kept");
        drop(pool.buffers(1).await);
    }
}
