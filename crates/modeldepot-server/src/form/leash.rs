//! Limits how much of a form its parser gets at once, so that it buffers little and rarely rescans bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

/// The least that is passed on at once, except at the end. The parser rescans its buffer with each piece, so single
/// bytes would be costly.
const LEAST: usize = 4 * 1024;

/// The most that is passed on at once.
const MOST: usize = 64 * 1024;

/// How many more bytes may be passed on.
#[derive(Debug, Default)]
pub(super) struct Leash(AtomicUsize);

impl Leash {
    /// Allows this many more bytes from now on.
    pub(super) fn allow(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// More bytes arrived than the leash allows.
#[derive(Debug, thiserror::Error)]
#[error("what comes before a part is too long")]
pub(super) struct TooLong;

/// A body that is passed on piece by piece; after each, the parser gets to work.
pub(super) struct Leashed<S> {
    body: S,
    leash: Arc<Leash>,
    /// Bytes that have arrived and not been passed on.
    held: BytesMut,
    /// Whether the body has ended.
    ended: bool,
    /// Whether a piece was passed on since the parser last worked.
    handed: bool,
}

impl<S> Leashed<S> {
    pub(super) fn new(body: S, leash: Arc<Leash>) -> Self {
        Self { body, leash, held: BytesMut::new(), ended: false, handed: false }
    }
}

impl<S, E> Stream for Leashed<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.handed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while !self.ended && self.held.len() < LEAST {
            match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(came)) => self.held.extend_from_slice(&came),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => self.ended = true,
            }
        }
        if self.held.is_empty() {
            return Poll::Ready(None);
        }
        let allowed = self.leash.0.load(Ordering::Relaxed);
        if allowed == 0 {
            return Poll::Ready(Some(Err(TooLong.into())));
        }
        let most = if allowed < usize::MAX { allowed.min(LEAST) } else { MOST };
        let len = self.held.len().min(most);
        if allowed < usize::MAX {
            self.leash.0.store(allowed - len, Ordering::Relaxed);
        }
        self.handed = true;
        let piece = self.held.split_to(len).freeze();
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    /// The parser searches its buffer after each piece, so the number of pieces determines the work.
    #[tokio::test]
    async fn small_pieces_are_gathered_and_large_ones_cut() {
        for (came, len, pieces) in [(1, 100_000, 25), (5000, 100_000, 20), (1 << 20, 4 << 20, 64)] {
            let body = stream::iter((0..len / came).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![0; came]))));
            let leash = Arc::new(Leash::default());
            leash.allow(usize::MAX);
            let handed: Vec<usize> = Leashed::new(body, leash).map(|piece| piece.unwrap().len()).collect().await;
            assert_eq!((handed.len(), handed.iter().sum()), (pieces, len));
            assert!(handed.iter().all(|len| (1..=MOST).contains(len)));
        }
    }

    #[tokio::test]
    async fn the_leash_holds() {
        let body = stream::iter(std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 1000]))));
        let leash = Arc::new(Leash::default());
        leash.allow(10_000);
        let handed: Vec<_> =
            Leashed::new(body, leash).take_while(|piece| std::future::ready(piece.is_ok())).collect().await;
        assert_eq!(handed.into_iter().map(|piece| piece.unwrap().len()).sum::<usize>(), 10_000);
    }
}
