//! The ranges of a file that have landed, written down beside it, so that a fetch that was cut off goes on.
//!
//! A line is not trusted: the range is read again from the disk and must have the checksum that it had when it came.
//! And the whole file must have its digest in the end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::digest::PartDigest;

/// The open, locked list of one file's ranges.
#[derive(Debug)]
pub(crate) struct Ranges {
    path: PathBuf,
    list: Mutex<File>,
    /// Offset to length and CRC64NVME, as an earlier fetch wrote them down.
    known: BTreeMap<u64, (u64, String)>,
    any: AtomicBool,
    kept: AtomicU64,
}

impl Ranges {
    /// Opens the list at `path`, or none while another process has it.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Ranges>> {
        let mut list = crate::place::open_own(path)?;
        if list.try_lock().is_err() {
            return Ok(None);
        }
        let mut text = String::new();
        list.read_to_string(&mut text)?;
        let known: BTreeMap<u64, (u64, String)> = text.lines().filter_map(parse).collect();
        let any = AtomicBool::new(!known.is_empty());
        Ok(Some(Ranges { path: path.to_owned(), list: Mutex::new(list), known, any, kept: AtomicU64::new(0) }))
    }

    /// Returns true when the range is on the list. It is still to be read and compared with [`Ranges::holds`].
    pub(super) fn lists(&self, offset: u64, len: u64) -> bool {
        self.known.get(&offset).is_some_and(|(known, _)| *known == len)
    }

    /// Returns true when what was read from the disk is what once came.
    pub(super) fn holds(&self, offset: u64, len: u64, digest: &PartDigest) -> bool {
        let same = self.known.get(&offset).is_some_and(|(_, crc64)| *crc64 == digest.crc64().to_string());
        if same {
            self.kept.fetch_add(len, Ordering::Relaxed);
        }
        same
    }

    /// Writes down that a range has landed. A line that cannot be written only costs a repetition.
    pub(super) fn landed(&self, offset: u64, len: u64, digest: &PartDigest) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.write_all(format!("{offset} {len} {}\n", digest.crc64()).as_bytes()).is_ok() {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Returns true when a later fetch could go on from here.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Bytes that did not have to be fetched.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    /// Removes the list.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn parse(line: &str) -> Option<(u64, (u64, String))> {
    let mut words = line.split(' ');
    let (offset, len, crc64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    // A line that was cut off has a checksum that is too short, and is none.
    (crc64.len() == 12 && words.next().is_none()).then(|| (offset, (len, crc64.to_owned())))
}
