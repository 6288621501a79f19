//! The bytes of a part, in memory as long as they are needed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::error::{Result, SourceError};
use crate::fs::read_at;
use crate::model::digest::{Md5, Md5Stream, PartDigest, PartHasher};
use crate::s3::transfer::concurrency::Concurrency;
use crate::s3::transfer::memory::Pool;
use crate::task::blocking;

/// Hashed at once: small enough to be still in the processor's cache for the second hash. And sent at once.
const PIECE: usize = 128 * 1024;

/// Bytes in units that go back to the pool one by one.
#[derive(Debug, Clone)]
pub(in crate::s3) struct Payload(Vec<Bytes>);

impl Payload {
    pub(in crate::s3) fn new(units: Vec<Bytes>) -> Self {
        Self(units)
    }

    pub(in crate::s3) fn len(&self) -> u64 {
        self.0.iter().map(|unit| unit.len() as u64).sum()
    }

    /// Returns both digests of the bytes as a part at `offset`. Blocks.
    pub(in crate::s3) fn digest(&self, offset: u64) -> PartDigest {
        let mut hasher = PartHasher::new(offset);
        self.0.iter().flat_map(|unit| unit.chunks(PIECE)).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    /// Returns the MD5 of the bytes. Blocks.
    pub(in crate::s3) fn md5(&self) -> Md5 {
        let mut md5 = Md5Stream::default();
        self.0.iter().for_each(|unit| md5.update(unit));
        md5.finish()
    }

    /// Makes a body of the bytes, which gives each unit away as soon as it is sent.
    /// Bytes are counted as they go.
    pub(in crate::s3) fn into_body(self, concurrency: &Arc<Concurrency>) -> ByteStream {
        let left = self.len();
        ByteStream::new(SdkBody::from_body_1_x(Units {
            units: self.0.into(),
            left,
            concurrency: Arc::clone(concurrency),
        }))
    }
}

struct Units {
    units: VecDeque<Bytes>,
    left: u64,
    concurrency: Arc<Concurrency>,
}

impl Body for Units {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(unit) = self.units.front_mut() else { return Poll::Ready(None) };
        let piece = unit.split_to(unit.len().min(PIECE));
        if unit.is_empty() {
            self.units.pop_front();
        }
        self.left -= piece.len() as u64;
        self.concurrency.moved(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.units.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A file that parts are read from once more, when they must be sent once more.
#[derive(Debug)]
pub(in crate::s3) struct Origin {
    pub(in crate::s3) path: PathBuf,
    pub(in crate::s3) file: File,
}

impl Origin {
    /// Reads the part at `offset` again.
    ///
    /// # Errors
    /// [`SourceError::Changed`] when it is not what it was.
    pub(in crate::s3) async fn again(
        self: &Arc<Self>,
        pool: &Arc<Pool>,
        offset: u64,
        was: &PartDigest,
    ) -> Result<Payload> {
        let mut buffers = pool.buffers(was.len()).await;
        let (origin, was) = (Arc::clone(self), was.clone());
        blocking(move || {
            let changed = || SourceError::Changed { path: origin.path.clone() };
            let mut at = offset;
            for buffer in &mut buffers {
                read_at(&origin.file, buffer.room(), at).map_err(|_| changed())?;
                at += buffer.as_ref().len() as u64;
            }
            let payload = Payload::new(buffers.into_iter().map(|buffer| buffer.share()).collect());
            if payload.digest(offset).subtree() == was.subtree() { Ok(payload) } else { Err(changed().into()) }
        })
        .await
    }
}
