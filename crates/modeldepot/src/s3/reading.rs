//! A file read in order, once, part by part.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::parts::{Limits, part_size, parts};
use crate::digest::{Blake3, Crc64, Md5, Md5Stream, PartDigest, merge};
use crate::error::{Error, Result, SourceError};
use crate::task::blocking;

/// Computes the digests of a file without sending it anywhere.
pub(crate) async fn digest_file(path: &Path) -> Result<(u64, Md5, Blake3, Crc64)> {
    let path = path.to_owned();
    blocking(move || {
        let mut source = Source::open(&path)?;
        let mut digests = Vec::new();
        while let Some((offset, bytes)) = source.next()? {
            digests.push(PartDigest::of(offset, &bytes));
        }
        let (size, md5) = source.finish()?;
        if digests.is_empty() {
            digests.push(PartDigest::of(0, &[]));
        }
        let (blake3, crc64) = merge(&digests);
        Ok((size, md5, blake3, crc64))
    })
    .await
}

/// A part as it was read, with the right to hold it in memory.
pub(super) struct ReadPart {
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    pub(super) memory: OwnedSemaphorePermit,
}

/// Reads a file part by part as memory allows. Ends early, without an error, when nobody takes the parts any more.
pub(super) fn read_parts(
    mut source: Source,
    limits: &Limits,
    runtime: &Handle,
    queue: &mpsc::Sender<ReadPart>,
) -> Result<(u64, Md5)> {
    let mut number = 0;
    loop {
        let memory = runtime.block_on(limits.memory(part_size(source.size)));
        let Some((offset, bytes)) = source.next()? else { return source.finish() };
        number += 1;
        if queue.blocking_send(ReadPart { number, offset, bytes, memory }).is_err() {
            return source.finish();
        }
    }
}

/// A file being read in order, once.
pub(super) struct Source {
    path: PathBuf,
    file: File,
    at_start: Metadata,
    pub(super) size: u64,
    parts: Box<dyn Iterator<Item = (u64, u64)> + Send>,
    md5: Md5Stream,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Source> {
        let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SourceError::Missing { path: path.to_owned() }.into());
            }
            Err(error) => return Err(unreadable(error).into()),
        };
        let at_start = file.metadata().map_err(unreadable)?;
        if at_start.is_dir() {
            return Err(SourceError::Folder { path: path.to_owned() }.into());
        }
        if !at_start.is_file() {
            return Err(SourceError::NotAFile { path: path.to_owned() }.into());
        }
        let size = at_start.len();
        let (path, parts, md5) = (path.to_owned(), Box::new(parts(size)), Md5Stream::default());
        Ok(Source { path, file, at_start, size, parts, md5 })
    }

    pub(super) fn changed(&self) -> Error {
        SourceError::Changed { path: self.path.clone() }.into()
    }

    /// Returns the next part and its offset.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Bytes)>> {
        let Some((offset, len)) = self.parts.next() else { return Ok(None) };
        let mut bytes = vec![0; len as usize];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.changed()),
            Err(source) => return Err(SourceError::Unreadable { path: self.path.clone(), source }.into()),
        }
        self.md5.update(&bytes);
        Ok(Some((offset, Bytes::from(bytes))))
    }

    /// Returns the file's size and MD5, after making sure that nobody wrote to it meanwhile.
    pub(super) fn finish(mut self) -> Result<(u64, Md5)> {
        let unreadable = |source| SourceError::Unreadable { path: self.path.clone(), source };
        let now = self.file.metadata().map_err(unreadable)?;
        let more = self.file.read(&mut [0]).map_err(unreadable)? > 0;
        let rewritten = now.modified().ok() != self.at_start.modified().ok();
        if more || rewritten || now.len() != self.size {
            return Err(self.changed());
        }
        Ok((self.size, self.md5.finish()))
    }
}
