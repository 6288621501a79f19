//! Objects on their way up and down: parts, memory, concurrency and checksums.

pub(super) mod checksum;
pub(super) mod concurrency;
pub(super) mod download;
pub(super) mod limits;
pub(super) mod memory;
pub(super) mod upload;
