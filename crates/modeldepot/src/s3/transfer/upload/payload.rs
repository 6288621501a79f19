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

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn bytes(len: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..len).map(|_| random.u8(..)).collect()
    }

    fn payload(units: &[&[u8]]) -> Payload {
        Payload::new(units.iter().map(|unit| Bytes::copy_from_slice(unit)).collect())
    }

    #[test]
    fn the_digests_of_units_are_those_of_the_bytes() {
        let content = bytes(300_000);
        let (first, second) = content.split_at(PIECE + 5);
        let units = payload(&[first, second]);
        assert_eq!(units.len(), 300_000);
        assert_eq!(units.md5(), Md5::of(&content));
        let (found, expected) = (units.digest(MIB as u64), PartDigest::of(MIB as u64, &content));
        assert_eq!((found.subtree(), found.crc64()), (expected.subtree(), expected.crc64()));
    }

    /// What it says of its length is what the request declares, and what comes is as long.
    #[tokio::test]
    async fn a_body_is_as_long_as_it_says_at_every_moment() {
        let content = bytes(300_000);
        let (first, second) = content.split_at(PIECE + 5);
        let concurrency = Concurrency::new(1, 1, 1);
        let units = VecDeque::from(payload(&[first, second]).0);
        let mut body = Units { units, left: 300_000, concurrency: Arc::clone(&concurrency) };
        let (mut sent, mut context) = (Vec::new(), Context::from_waker(std::task::Waker::noop()));
        loop {
            let ends = body.is_end_stream();
            assert_eq!(body.size_hint().exact(), Some(300_000 - sent.len() as u64));
            let Poll::Ready(next) = Pin::new(&mut body).poll_frame(&mut context) else { panic!("it is all here") };
            let Some(Ok(frame)) = next else {
                assert!(ends);
                break;
            };
            assert!(!ends, "after {}", sent.len());
            let frame = frame.into_data().unwrap();
            assert!(frame.len() <= PIECE);
            sent.extend_from_slice(&frame);
        }
        assert!(sent == content);
        let body = payload(&[first, second]).into_body(&concurrency);
        assert!(body.collect().await.unwrap().to_vec() == content);
    }

    fn origin(content: &[u8]) -> Arc<Origin> {
        let file = tempfile::tempfile().unwrap();
        crate::fs::write_at(&file, content, 0).unwrap();
        Arc::new(Origin { path: "model.bin".into(), file })
    }

    #[tokio::test]
    async fn a_part_is_read_again_only_if_it_is_what_it_was() {
        let (pool, content) = (Pool::new(), bytes(7 * MIB));
        let part = &content[4 * MIB..][..2 * MIB + 7];
        let was = PartDigest::of(4 * MIB as u64, part);
        let again = async |content: &[u8]| origin(content).again(&pool, 4 * MIB as u64, &was).await;
        assert!(again(&content).await.unwrap().0.concat() == part);
        let mut changed = content.clone();
        changed[6 * MIB + 6] ^= 1;
        for content in [&changed[..], &content[..6 * MIB], &[]] {
            let error = again(content).await.unwrap_err();
            assert!(error.to_string().contains("changed"), "{error}");
        }
    }
}
