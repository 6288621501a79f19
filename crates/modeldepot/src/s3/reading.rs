//! A file read in order, once, part by part.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, mpsc as threads};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::parts::parts;
use super::payload::{Origin, Payload};
use super::pool::Pool;
use crate::digest::{Digests, Md5, Md5Stream, PartDigest, PartHasher, merge};
use crate::error::{Error, Result, SourceError};
use crate::task::{blocking, joined};

/// Computes the digests of a file without sending it anywhere. MD5, which takes longer than all else, only if asked.
pub(crate) async fn digest_file(path: &Path, with_md5: bool) -> Result<Digests> {
    /// Read at once: enough for the file system, and still in the processor's cache when it is hashed.
    const PIECE: usize = 256 * 1024;
    let path = path.to_owned();
    blocking(move || {
        let mut source = Source::open(&path)?;
        let mut md5 = with_md5.then(Md5Stream::default);
        let mut digests = Vec::new();
        let mut piece = vec![0; PIECE];
        for (offset, len) in parts(source.size) {
            let mut hasher = PartHasher::new(offset);
            let mut left = len as usize;
            while left > 0 {
                let piece = &mut piece[..left.min(PIECE)];
                source.read(piece)?;
                hasher.update(piece);
                if let Some(md5) = &mut md5 {
                    md5.update(piece);
                }
                left -= piece.len();
            }
            digests.push(hasher.finish());
        }
        source.finish()?;
        if digests.is_empty() {
            digests.push(PartDigest::of(0, &[]));
        }
        Ok(merge(&digests, md5.map(Md5Stream::finish)))
    })
    .await
}

/// A part as it was read.
pub(super) struct ReadPart {
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) payload: Payload,
}

/// Reads a file part by part as memory allows. Ends early, without an error, when nobody takes the parts any more.
///
/// MD5 is serial, and slower than the rest together. It follows on a thread of its own, from the same buffers, so that a
/// part goes on its way before its MD5 is done.
pub(super) fn read_parts(
    mut source: Source,
    with_md5: bool,
    pool: &Arc<Pool>,
    runtime: &Handle,
    queue: &mpsc::Sender<ReadPart>,
) -> Result<Option<Md5>> {
    // The pool's budget bounds it.
    let (to_md5, read) = threads::channel::<Bytes>();
    let md5 = with_md5.then(|| {
        runtime.spawn_blocking(move || {
            let mut md5 = Md5Stream::default();
            read.iter().for_each(|bytes| md5.update(&bytes));
            md5.finish()
        })
    });
    for (number, (offset, len)) in (1..).zip(parts(source.size)) {
        let mut units = Vec::new();
        for mut buffer in runtime.block_on(pool.buffers(len)) {
            source.read(buffer.room())?;
            let unit = buffer.share();
            if md5.is_some() {
                let _ = to_md5.send(unit.clone());
            }
            units.push(unit);
        }
        if queue.blocking_send(ReadPart { number, offset, payload: Payload::new(units) }).is_err() {
            return Ok(None);
        }
    }
    drop(to_md5);
    source.finish()?;
    Ok(md5.map(|md5| joined(runtime.block_on(md5))))
}

/// A file being read in order, once.
pub(super) struct Source {
    pub(super) origin: Arc<Origin>,
    at_start: Metadata,
    pub(super) size: u64,
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
        let origin = Arc::new(Origin { path: path.to_owned(), file });
        Ok(Source { origin, size: at_start.len(), at_start })
    }

    pub(super) fn changed(&self) -> Error {
        SourceError::Changed { path: self.origin.path.clone() }.into()
    }

    /// Fills `room` with the bytes that come next.
    pub(super) fn read(&mut self, room: &mut [u8]) -> Result<()> {
        match (&self.origin.file).read_exact(room) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed()),
            Err(source) => Err(SourceError::Unreadable { path: self.origin.path.clone(), source }.into()),
        }
    }

    /// Makes sure that nobody wrote to the file meanwhile.
    pub(super) fn finish(self) -> Result<()> {
        let Origin { path, file } = &*self.origin;
        let unreadable = |source| SourceError::Unreadable { path: path.clone(), source };
        let now = file.metadata().map_err(unreadable)?;
        // Known before it has been read to its end, if it was not.
        let more = now.len() != self.size || (&*file).read(&mut [0]).map_err(unreadable)? > 0;
        if more || now.modified().ok() != self.at_start.modified().ok() {
            return Err(self.changed());
        }
        Ok(())
    }
}
