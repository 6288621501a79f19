//! Sends the bytes of an object.
//!
//! Files are read in large pieces on blocking threads, one piece ahead of the socket. A connection holds at most two
//! pieces.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin as Pinned;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::task::JoinHandle;

use crate::body::share::{Share, Transfers};
use crate::disk::BlobId;
use crate::disk::Pin;
use crate::disk::coding::Decoder;
use crate::index::record::Segment;

/// The largest piece. Many simultaneous downloads use smaller ones.
const PIECE: usize = 512 << 10;

/// What the pieces of all downloads together may hold, besides what waits in socket buffers.
static READERS: Transfers = Transfers::new(2 << 20);

/// A range of a file that is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    blob: BlobId,
    offset: u64,
    len: u64,
    /// The uncompressed size of the file, if it is compressed.
    coded: Option<u64>,
}

/// Returns the file ranges that make up a range of an object.
fn stretches(segments: &[Segment], range: Range<u64>) -> VecDeque<Stretch> {
    let mut start = 0;
    let mut found = VecDeque::new();
    for segment in segments {
        let end = start + segment.len;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            found.push_back(Stretch {
                blob: segment.blob,
                offset: from - start,
                len: to - from,
                coded: segment.coded.then_some(segment.len),
            });
        }
        start = end;
    }
    found
}

/// The file being read.
enum Open {
    Plain(File),
    Coded(Decoder),
}

/// Reads a range of an object, piece after piece.
pub(crate) struct Reader {
    pin: Arc<Pin>,
    left: VecDeque<Stretch>,
    open: Option<Open>,
    share: Share,
}

impl Reader {
    /// Opens the first file, so that missing bytes are reported before the answer begins.
    pub(crate) fn open(pin: Pin, segments: &[Segment], range: Range<u64>) -> io::Result<Self> {
        let mut reader =
            Self { pin: Arc::new(pin), left: stretches(segments, range), open: None, share: READERS.begin() };
        reader.seek()?;
        Ok(reader)
    }

    fn seek(&mut self) -> io::Result<()> {
        self.open = match self.left.front() {
            None => None,
            Some(stretch) => {
                let mut file = self.pin.open(stretch.blob)?;
                if let Some(whole) = stretch.coded {
                    let range = stretch.offset..stretch.offset + stretch.len;
                    self.open = Some(Open::Coded(Decoder::open(file, whole, range)?));
                    return Ok(());
                }
                if file.metadata()?.len() < stretch.offset + stretch.len {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file of this object was cut short"));
                }
                file.seek(SeekFrom::Start(stretch.offset))?;
                Some(Open::Plain(file))
            }
        };
        Ok(())
    }

    fn remaining(&self) -> u64 {
        self.left.iter().map(|stretch| stretch.len).sum()
    }

    /// Reads the next piece; `None` at the end.
    pub(crate) fn read(&mut self) -> io::Result<Option<Bytes>> {
        let (Some(stretch), Some(open)) = (self.left.front_mut(), &mut self.open) else { return Ok(None) };
        let len = stretch.len.min(self.share.size(PIECE) as u64);
        let piece = match open {
            Open::Plain(file) => {
                let mut piece = Vec::with_capacity(len as usize);
                file.take(len).read_to_end(&mut piece)?;
                if piece.len() as u64 != len {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                piece.into()
            }
            Open::Coded(decoder) => decoder.read(len as usize)?,
        };
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        stretch.len -= piece.len() as u64;
        if stretch.len == 0 {
            self.left.pop_front();
            self.seek()?;
        }
        Ok(Some(piece))
    }
}

/// A [`Reader`] as a body.
pub(crate) struct Outgoing {
    remaining: u64,
    reading: Option<JoinHandle<(Reader, io::Result<Option<Bytes>>)>>,
}

impl Outgoing {
    /// Starts reading. Must be called inside the runtime.
    pub(crate) fn new(reader: Reader) -> Self {
        let remaining = reader.remaining();
        Self { remaining, reading: (remaining > 0).then(|| start(reader)) }
    }
}

fn start(mut reader: Reader) -> JoinHandle<(Reader, io::Result<Option<Bytes>>)> {
    tokio::task::spawn_blocking(move || {
        let piece = reader.read();
        (reader, piece)
    })
}

impl Stream for Outgoing {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let done = ready!(Pinned::new(reading).poll(cx));
        self.reading = None;
        let piece = match done {
            Err(error) => Err(error.into()),
            Ok((_, Err(error))) => {
                tracing::error!(%error, "cannot read an object's file");
                Err(error.into())
            }
            Ok((_, Ok(None))) => return Poll::Ready(None),
            Ok((reader, Ok(Some(piece)))) => {
                self.remaining -= piece.len() as u64;
                if self.remaining > 0 {
                    self.reading = Some(start(reader));
                }
                Ok(piece)
            }
        };
        Poll::Ready(Some(piece))
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.remaining).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_fall_into_stretches_of_files() {
        let blobs: Vec<_> = (0..3).map(BlobId).collect();
        let segments: Vec<_> = [10, 5, 20]
            .into_iter()
            .zip(&blobs)
            .map(|(len, blob)| Segment { blob: *blob, len, part: 1, coded: false })
            .collect();
        let cut = |range: Range<u64>| -> Vec<_> {
            stretches(&segments, range).into_iter().map(|s| (s.blob.0, s.offset, s.len)).collect()
        };
        assert_eq!(cut(0..35), [(0, 0, 10), (1, 0, 5), (2, 0, 20)]);
        assert_eq!(cut(9..16), [(0, 9, 1), (1, 0, 5), (2, 0, 1)]);
        assert_eq!(cut(10..15), [(1, 0, 5)]);
        assert_eq!(cut(34..35), [(2, 19, 1)]);
        assert_eq!(cut(7..7), []);
    }
}
