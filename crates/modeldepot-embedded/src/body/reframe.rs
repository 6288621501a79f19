//! Limits the memory that `aws-chunked` bodies take.
//!
//! The protocol layer collects each chunk of such a body before passing it on, and clients choose the size of their
//! chunks: some send the whole object as one. So large unsigned chunks are split before they reach the protocol layer.
//! A signed chunk cannot be split, because its signature covers all of it; these are limited in size, and the larger
//! ones of all requests share a [`Budget`].

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Body as _;
use modeldepot_listen::{BodyError, RequestBody};

use super::budget::{Asked, Budget, FREE, Held};

/// Chunks up to this size are passed on unchanged.
const SMALL: u64 = 1 << 20;

/// The largest signed chunk. Clients that sign chunks use 64 or 128 KiB.
const MAX_SIGNED: u64 = 1 << 20;

/// The longest chunk header.
const MAX_HEAD: usize = 1024;

/// How the message about an oversized signed chunk begins.
pub(crate) const SIGNED: &str = "TooLarge: a signed chunk";

/// Why a body cannot be passed on. The first word of the message selects the answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReframeError {
    #[error("FormatError: a chunk does not end where it should")]
    End,
    #[error("the body ends before its last chunk")]
    Unfinished,
    #[error("TooLarge: the head of a chunk")]
    Head,
    #[error("{SIGNED} of {0} bytes")]
    Signed(u64),
    #[error("a signed chunk comes too slowly")]
    Slow,
    #[error("{0}")]
    Body(String),
}

enum State {
    /// In a chunk header, of which this has been read.
    Head(Vec<u8>),
    /// Waiting for memory for a chunk of this size, whose header is kept.
    Wait(Asked, u64, Vec<u8>),
    /// In a chunk that is passed on unchanged, with this many bytes left, line end included.
    Pass(u64),
    /// In a chunk that is being split, with this many bytes left.
    Cut(u64),
    /// In the line end after a split chunk, of which this many bytes have been read.
    End(usize),
    /// After the last chunk, or in something that the protocol layer will refuse.
    Rest,
}

/// Splits the large chunks of a body.
pub(crate) struct Reframe<S> {
    inner: S,
    budget: &'static Budget,
    /// Memory for the chunk being read, or last passed on.
    held: Option<Held>,
    state: State,
    /// Bytes that have arrived and have not been examined.
    input: Bytes,
    ready: VecDeque<Bytes>,
}

impl<S> Reframe<S> {
    pub(crate) fn new(inner: S, budget: &'static Budget) -> Self {
        let state = State::Head(Vec::new());
        Self { inner, budget, held: None, state, input: Bytes::new(), ready: VecDeque::new() }
    }

    /// Examines what has arrived until there is something to pass on.
    fn take(&mut self) -> Result<(), ReframeError> {
        let mut input = std::mem::take(&mut self.input);
        while !input.is_empty() && self.ready.is_empty() {
            match &mut self.state {
                State::Wait(..) => break,
                State::Head(head) => {
                    let end = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |at| at + 1);
                    head.extend_from_slice(&input.split_to(end));
                    if head.len() > MAX_HEAD {
                        return Err(ReframeError::Head);
                    }
                    if head.last() == Some(&b'\n') {
                        let head = std::mem::take(head);
                        self.begin(head)?;
                    }
                }
                State::Pass(left) => {
                    let passed = input.split_to(input.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                    *left -= passed.len() as u64;
                    self.ready.push_back(passed);
                    if *left == 0 {
                        self.state = State::Head(Vec::new());
                    }
                }
                State::Cut(left) => {
                    let piece = input.split_to(input.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                    *left -= piece.len() as u64;
                    if *left == 0 {
                        self.state = State::End(0);
                    }
                    self.ready.push_back(format!("{:x}\r\n", piece.len()).into());
                    self.ready.push_back(piece);
                    self.ready.push_back(Bytes::from_static(b"\r\n"));
                }
                State::End(read) => {
                    if b"\r\n".get(*read) != input.split_to(1).first() {
                        return Err(ReframeError::End);
                    }
                    *read += 1;
                    if *read == 2 {
                        self.state = State::Head(Vec::new());
                    }
                }
                State::Rest => self.ready.push_back(std::mem::take(&mut input)),
            }
        }
        self.input = input;
        Ok(())
    }

    fn begin(&mut self, head: Vec<u8>) -> Result<(), ReframeError> {
        let digits = head.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(head.len());
        let size = std::str::from_utf8(&head[..digits]).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let signed = head.get(digits) == Some(&b';');
        self.state = match size {
            None | Some(0) => State::Rest,
            Some(size) if size > MAX_SIGNED && signed => return Err(ReframeError::Signed(size)),
            Some(size) if size > SMALL && !signed => {
                self.state = State::Cut(size);
                return Ok(());
            }
            Some(size) if size > FREE && signed => {
                self.state = State::Wait(self.budget.ask(size), size, head);
                return Ok(());
            }
            // The chunk and the line end after it.
            Some(size) => State::Pass(size + 2),
        };
        self.ready.push_back(head.into());
        Ok(())
    }
}

impl<S, E> Stream for Reframe<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    type Item = Result<Bytes, ReframeError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(ready)));
            }
            let this = &mut *self;
            match &mut this.state {
                // A reader that asks for more has used everything before it.
                State::Head(_) => this.held = None,
                State::Wait(asked, size, head) => {
                    this.held = Some(ready!(asked.poll(cx)));
                    this.ready.push_back(std::mem::take(head).into());
                    this.state = State::Pass(*size + 2);
                    continue;
                }
                _ => {}
            }
            if !this.input.is_empty() {
                if let Err(error) = this.take() {
                    return Poll::Ready(Some(Err(error)));
                }
                continue;
            }
            if this.held.as_mut().is_some_and(|held| held.is_over(cx)) {
                return Poll::Ready(Some(Err(ReframeError::Slow)));
            }
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                // Only a chunk of length zero ends a body. Without it the body may have been cut off unnoticed.
                None if !matches!(self.state, State::Rest) => {
                    self.state = State::Rest;
                    return Poll::Ready(Some(Err(ReframeError::Unfinished)));
                }
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(ReframeError::Body(error.to_string())))),
                Some(Ok(input)) => self.input = input,
            }
        }
    }
}

/// The data frames of a body as they arrive.
pub(crate) struct Frames(pub(crate) RequestBody);

impl Stream for Frames {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    /// Reframes a body that arrives in pieces of this size.
    async fn reframed(body: &[u8], piece: usize) -> Result<Vec<u8>, ReframeError> {
        let pieces: Vec<_> =
            body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        static BUDGET: Budget = Budget::new(8 << 20);
        let mut reframe = Reframe::new(stream::iter(pieces), &BUDGET);
        let mut out = Vec::new();
        while let Some(bytes) = reframe.next().await {
            out.extend_from_slice(&bytes?);
        }
        Ok(out)
    }

    /// Parses the chunks. Returns the data, the size of the largest chunk, and what follows the last.
    fn parse(mut body: &[u8]) -> (Vec<u8>, usize, Vec<u8>) {
        let (mut data, mut largest) = (Vec::new(), 0);
        loop {
            let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
            let head = std::str::from_utf8(&body[..end]).unwrap();
            let size = usize::from_str_radix(head.split(';').next().unwrap(), 16).unwrap();
            body = &body[end + 2..];
            if size == 0 {
                return (data, largest, body.to_vec());
            }
            data.extend_from_slice(&body[..size]);
            largest = largest.max(size);
            assert_eq!(&body[size..size + 2], b"\r\n");
            body = &body[size + 2..];
        }
    }

    #[tokio::test]
    async fn large_chunks_are_cut_and_all_else_passes() {
        let large: Vec<u8> = (0..(SMALL as usize + 70_000)).map(|n| (n * 7) as u8).collect();
        let body = [
            b"5\r\nhello\r\n",
            format!("{:X}\r\n", large.len()).as_bytes(),
            &large,
            b"\r\n3;chunk-signature=abc\r\nend\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
        ]
        .concat();
        for piece in [1, 7, 65_536, body.len()] {
            let (data, largest, rest) = parse(&reframed(&body, piece).await.unwrap());
            assert!(data == [b"hello", &large[..], b"end"].concat(), "pieces of {piece}");
            assert!(largest <= piece.max(5), "a chunk of {largest} from pieces of {piece}");
            assert_eq!(rest, b"x-amz-checksum-crc32:AAAA\r\n\r\n");
        }
        for body in ["zz\r\nwhat", "0\r\n\r\n", "0;chunk-signature=abc\r\n\r\n"] {
            assert_eq!(reframed(body.as_bytes(), 2).await.unwrap(), body.as_bytes(), "{body}");
        }
        for body in ["", "5\r\nhel", "5", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0"] {
            assert!(matches!(reframed(body.as_bytes(), 2).await, Err(ReframeError::Unfinished)), "{body}");
        }
    }

    #[tokio::test]
    async fn what_would_fill_the_memory_is_refused() {
        let head = format!("{:x};chunk-signature=abc\r\n", MAX_SIGNED + 1);
        assert!(matches!(reframed(head.as_bytes(), 9).await, Err(ReframeError::Signed(_))));
        assert!(matches!(reframed(&[b'1'; 2000], 100).await, Err(ReframeError::Head)));
        let body = [format!("{:x}\r\n", SMALL + 1).as_bytes(), &vec![0; SMALL as usize + 1], b"xx"].concat();
        assert!(matches!(reframed(&body, 1000).await, Err(ReframeError::End)));
    }

    #[tokio::test]
    async fn large_signed_chunks_wait_for_memory_and_give_it_back() {
        static BUDGET: Budget = Budget::new(256 << 10);
        let chunk = |size: usize| {
            [format!("{size:x};chunk-signature=abc\r\n").into_bytes(), vec![b'x'; size], b"\r\n".to_vec()].concat()
        };
        let body = |chunks: &[usize]| {
            let body =
                [chunks.iter().flat_map(|size| chunk(*size)).collect(), b"0;chunk-signature=abc\r\n\r\n".to_vec()];
            Box::pin(stream::iter([Ok::<_, std::io::Error>(Bytes::from(body.concat()))]))
        };
        let large = 200 << 10;
        let mut first = Reframe::new(body(&[large, large, 5]), &BUDGET);
        let mut second = Reframe::new(body(&[large]), &BUDGET);
        let mut small = Reframe::new(body(&[FREE as usize]), &BUDGET);
        // The chunk's header, then the chunk.
        assert!(first.next().await.is_some() && first.next().await.unwrap().unwrap().len() == large + 2);
        assert_eq!(BUDGET.left(), 56 << 10);
        // Another large chunk waits before any of its bytes are passed on. A small one does not.
        assert!(second.next().now_or_never().is_none());
        assert_eq!(small.by_ref().count().await, 4);
        // A reader that asks for more has used what it had, so the first gets no memory before those that wait.
        assert!(first.next().now_or_never().is_none());
        assert!(second.next().await.is_some());
        assert_eq!(second.by_ref().count().await, 3);
        drop(second);
        assert!(first.next().await.is_some());
        assert_eq!(first.by_ref().count().await, 5);
        assert_eq!(BUDGET.left(), 256 << 10);
        // A dropped body returns its memory.
        let mut third = Reframe::new(body(&[large]), &BUDGET);
        assert!(third.next().await.is_some() && BUDGET.left() < 256 << 10);
        drop(third);
        assert_eq!(BUDGET.left(), 256 << 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signed_chunk_that_stands_still_does_not_keep_its_memory() {
        static BUDGET: Budget = Budget::new(1 << 20);
        let head = Bytes::from_static(b"100000;chunk-signature=abc\r\n");
        let body = stream::iter([Ok::<_, std::io::Error>(head)]).chain(stream::pending());
        let mut reframe = Reframe::new(body, &BUDGET);
        assert!(reframe.next().await.unwrap().is_ok());
        assert!(matches!(reframe.next().await, Some(Err(ReframeError::Slow))));
    }
}
