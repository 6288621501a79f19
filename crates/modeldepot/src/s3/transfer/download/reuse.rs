//! Files of this machine that may have parts of an object already: what a fetch that was cut off left, or an older
//! version in the same folder.
//!
//! Nothing of them is believed: a part counts when it is read here and has the digest that was published.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::Expected;
use crate::error::{Error, Result};
use crate::fs::{read_at, write_at};
use crate::model::digest::{PartDigest, PartExpected, PartHasher};
use crate::s3::client::S3Client;
use crate::s3::transfer::memory::PIECE;
use crate::task::{blocking, joined};

/// Read first. Where it is empty, the rest is not looked at: nothing has landed there, or it is fetched once more.
const FIRST: usize = 4 * 1024;

/// A file that may have parts.
#[derive(Debug)]
pub(crate) struct ReusableFile {
    /// None is the file that bytes land in: what it has is in its place.
    other: Option<Arc<File>>,
    gave: AtomicU64,
}

impl ReusableFile {
    /// The file that bytes land in, with what an earlier fetch left there.
    pub(crate) fn own() -> Self {
        Self { other: None, gave: AtomicU64::new(0) }
    }

    /// Another file.
    pub(crate) fn other(file: Arc<File>) -> Self {
        Self { other: Some(file), gave: AtomicU64::new(0) }
    }

    pub(in crate::s3) fn is_own(&self) -> bool {
        self.other.is_none()
    }

    /// Returns the bytes that it has given so far.
    pub(in crate::s3) fn gave(&self) -> u64 {
        self.gave.load(Ordering::Relaxed)
    }

    /// Puts a part to its place in `target` if this file has it.
    pub(in crate::s3) fn give(
        &self,
        offset: u64,
        len: u64,
        expected: &PartExpected,
        target: &File,
    ) -> Result<Option<PartDigest>> {
        let file = self.other.as_deref().unwrap_or(target);
        let (mut hasher, mut piece) = (PartHasher::blake3(offset), vec![0; PIECE.min(len as usize)]);
        let mut done = 0;
        while done < len {
            let most = if done == 0 { FIRST } else { PIECE } as u64;
            let piece = &mut piece[..(len - done).min(most) as usize];
            // It may be shorter, or on a disk that is failing: then the bucket has the part.
            if read_at(file, piece, offset + done).is_err() || (done == 0 && piece.iter().all(|byte| *byte == 0)) {
                return Ok(None);
            }
            hasher.update(piece);
            if self.other.is_some() {
                write_at(target, piece, offset + done).map_err(wrote)?;
            }
            done += piece.len() as u64;
        }
        let digest = hasher.finish();
        if !digest.is(expected) {
            return Ok(None);
        }
        self.gave.fetch_add(len, Ordering::Relaxed);
        Ok(Some(digest))
    }
}

fn wrote(error: io::Error) -> Error {
    Error::io("write", "the file being fetched")(error)
}

impl S3Client {
    /// Returns true when a file is what it should be, by its size and digests. Parts are read side by side.
    pub(crate) async fn holds(&self, file: &Arc<File>, size: u64, expected: &Expected) -> Result<bool> {
        let (cut, parts) = (expected.cut(size), expected.all_parts(size));
        if parts.len() as u64 != size.div_ceil(cut).max(1) {
            return Ok(false);
        }
        let opened = Arc::clone(file);
        if blocking(move || Ok(opened.metadata().map_or(0, |found| found.len()))).await? != size {
            return Ok(false);
        }
        let mut reading = JoinSet::new();
        for (index, expected) in parts.into_iter().enumerate() {
            // Waiting here keeps the number of tasks small, whatever the file's size.
            let permit = self.limits.local().await;
            let (file, offset) = (Arc::clone(file), index as u64 * cut);
            reading.spawn_blocking(move || {
                let len = cut.min(size - offset);
                let found = digest_part(&file, offset, len, &mut vec![0; PIECE.min(len as usize)]);
                drop(permit);
                found.is_ok_and(|found| found.is(&expected))
            });
            while let Some(done) = reading.try_join_next() {
                if !joined(done) {
                    return Ok(false);
                }
            }
        }
        while let Some(done) = reading.join_next().await {
            if !joined(done) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

pub(in crate::s3) fn digest_part(file: &File, offset: u64, len: u64, piece: &mut [u8]) -> io::Result<PartDigest> {
    let mut hasher = PartHasher::blake3(offset);
    let mut done = 0;
    while done < len {
        let most = piece.len() as u64;
        let piece = &mut piece[..(len - done).min(most) as usize];
        read_at(file, piece, offset + done)?;
        hasher.update(piece);
        done += piece.len() as u64;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests;
