//! A file read in order, once, part by part.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::payload::{Origin, Payload};
use crate::error::{Error, Result, SourceError};
use crate::fs::{Stamp, open_found};
use crate::model::digest::{Digests, Md5, Md5Stream, PartDigest, PartHasher, merge};
use crate::s3::client::S3Client;
use crate::s3::transfer::limits::parts;
use crate::s3::transfer::memory::PIECE;
use crate::s3::transfer::memory::{Buffer, Pool};
use crate::task::{blocking, joined};

impl S3Client {
    /// Computes the digests of a file without sending it anywhere. MD5, which takes longer than all else, only if asked.
    pub(crate) async fn digest_file(&self, path: &Path, stamp: Option<Stamp>, with_md5: bool) -> Result<Digests> {
        let path = path.to_owned();
        let mut source = blocking(move || Source::open(&path, stamp)).await?;
        let mut md5 = with_md5.then(Md5Stream::default);
        let mut digests = Vec::new();
        for (offset, len) in parts(source.size) {
            let reading = self.limits.local().await;
            let (read, digest, summed) = blocking(move || {
                let digest = source.digest(offset, len, md5.as_mut())?;
                drop(reading);
                Ok((source, digest, md5))
            })
            .await?;
            (source, md5) = (read, summed);
            digests.push(digest);
        }
        blocking(move || source.finish()).await?;
        if digests.is_empty() {
            digests.push(PartDigest::of(0, &[]));
        }
        Ok(merge(&digests, md5.map(Md5Stream::finish)))
    }
}

/// A part as it was read.
pub(in crate::s3) struct ReadPart {
    pub(in crate::s3) number: i32,
    pub(in crate::s3) offset: u64,
    pub(in crate::s3) payload: Payload,
}

/// Reads a file part by part as memory allows. Ends early, without an error, when nobody takes the parts any more.
///
/// Memory and the queue are waited for here, never on a thread that may block: those are few, and what gives memory back
/// needs one of them. MD5 is serial, and slower than the rest together. It follows in jobs of its own, one after the
/// other, from the same buffers, so that a part goes on its way before its MD5 is done.
pub(in crate::s3) async fn read_parts(
    mut source: Source,
    with_md5: bool,
    pool: &Arc<Pool>,
    queue: &mpsc::Sender<ReadPart>,
) -> Result<Option<Md5>> {
    let mut md5 = with_md5.then(|| tokio::spawn(async { Md5Stream::default() }));
    for (number, (offset, len)) in (1..).zip(parts(source.size)) {
        let buffers = pool.buffers(len).await;
        let (read, units) = blocking(move || {
            let units: Result<Vec<Bytes>> = buffers.into_iter().map(|buffer| source.fill(buffer)).collect();
            Ok((source, units?))
        })
        .await?;
        source = read;
        md5 = md5.map(|before| tokio::spawn(followed(before, units.clone())));
        if queue.send(ReadPart { number, offset, payload: Payload::new(units) }).await.is_err() {
            return Ok(None);
        }
    }
    blocking(move || source.finish()).await?;
    Ok(match md5 {
        Some(md5) => Some(joined(md5.await).finish()),
        None => None,
    })
}

/// Takes the bytes that come next into an MD5, when all before are in it.
async fn followed(before: JoinHandle<Md5Stream>, units: Vec<Bytes>) -> Md5Stream {
    let mut md5 = joined(before.await);
    let hashed = tokio::task::spawn_blocking(move || {
        // One by one, so that each goes back to the pool as soon as it may.
        units.into_iter().for_each(|unit| md5.update(&unit));
        md5
    });
    joined(hashed.await)
}

/// A file being read in order, once.
pub(in crate::s3) struct Source {
    pub(in crate::s3) origin: Arc<Origin>,
    at_start: Metadata,
    pub(in crate::s3) size: u64,
}

impl Source {
    /// Opens a file as [`open_found`] does.
    pub(in crate::s3) fn open(path: &Path, stamp: Option<Stamp>) -> Result<Source> {
        let (file, at_start) = open_found(path, stamp)?;
        let origin = Arc::new(Origin { path: path.to_owned(), file });
        Ok(Source { origin, size: at_start.len(), at_start })
    }

    /// Tells this file from others that may be under its name later.
    pub(in crate::s3) fn stamp(&self) -> Stamp {
        Stamp::of_metadata(&self.at_start)
    }

    pub(in crate::s3) fn changed(&self) -> Error {
        SourceError::Changed { path: self.origin.path.clone() }.into()
    }

    /// Fills `room` with the bytes that come next.
    pub(in crate::s3) fn read(&mut self, room: &mut [u8]) -> Result<()> {
        match (&self.origin.file).read_exact(room) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed()),
            Err(source) => Err(SourceError::Unreadable { path: self.origin.path.clone(), source }.into()),
        }
    }

    /// Fills a buffer with the bytes that come next. Blocks.
    fn fill(&mut self, mut buffer: Buffer) -> Result<Bytes> {
        self.read(buffer.room())?;
        Ok(buffer.share())
    }

    /// Digests the `len` bytes that come next. Blocks.
    fn digest(&mut self, offset: u64, len: u64, mut md5: Option<&mut Md5Stream>) -> Result<PartDigest> {
        let (mut hasher, mut left) = (PartHasher::new(offset), len);
        let mut piece = vec![0; PIECE.min(len as usize)];
        while left > 0 {
            let piece = &mut piece[..left.min(PIECE as u64) as usize];
            self.read(piece)?;
            hasher.update(piece);
            if let Some(md5) = &mut md5 {
                md5.update(piece);
            }
            left -= piece.len() as u64;
        }
        Ok(hasher.finish())
    }

    /// Makes sure that nobody wrote to the file meanwhile.
    pub(in crate::s3) fn finish(self) -> Result<()> {
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

#[cfg(test)]
mod tests;
