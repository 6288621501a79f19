//! XML that the protocol layer would misread.
//!
//! The protocol layer drops CDATA sections: the prefix of a lifecycle rule would then cover the whole bucket, and the
//! version to delete would be the current one. Request bodies are signed and cannot be rewritten, so a body with a
//! CDATA section is refused.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use hyper::StatusCode;

use super::watch::Watch;

const START: &[u8] = b"<![CDATA[";

pub(crate) const MESSAGE: &str =
    "The XML you provided contains a CDATA section, which is not supported. Escape its text instead, for example &amp;";

/// Returns true if the text contains a CDATA section.
pub(crate) fn is_in(text: &[u8]) -> bool {
    text.windows(START.len()).any(|window| window == START)
}

/// An XML body that fails at a CDATA section.
pub(crate) struct Plain<S> {
    inner: S,
    watch: Watch,
    /// The last bytes seen.
    tail: Vec<u8>,
    found: bool,
}

impl<S> Plain<S> {
    pub(crate) fn new(inner: S, watch: Watch) -> Self {
        Self { inner, watch, tail: Vec::new(), found: false }
    }

    fn holds_one(&mut self, bytes: &[u8]) -> bool {
        // A section may start in one piece and continue in the next.
        let head = &bytes[..bytes.len().min(START.len() - 1)];
        self.tail.extend_from_slice(head);
        let found = is_in(&self.tail) || is_in(bytes);
        if bytes.len() >= START.len() {
            self.tail = bytes[bytes.len() - (START.len() - 1)..].to_vec();
        } else {
            self.tail.drain(..self.tail.len().saturating_sub(START.len() - 1));
        }
        found
    }
}

impl<S, E> Stream for Plain<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.found {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
            Some(Ok(bytes)) if self.holds_one(&bytes) => {
                self.found = true;
                self.watch.note(StatusCode::BAD_REQUEST, "MalformedXML", MESSAGE);
                Some(Err(std::io::Error::other(MESSAGE)))
            }
            Some(Ok(bytes)) => Some(Ok(bytes)),
            Some(Err(error)) => Some(Err(std::io::Error::other(error))),
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    #[tokio::test]
    async fn a_section_is_found_however_it_is_cut() {
        for (text, is_plain) in [("<a><![CDATA[b]]></a>", false), ("<a>&lt;![CDATA[b</a>", true), ("<![CDATA", true)] {
            for size in 1..=text.len() {
                let pieces = text.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece)));
                let inner = stream::iter(pieces.collect::<Vec<Result<_, std::io::Error>>>());
                let watch = Watch::default();
                let read: Vec<_> = Plain::new(inner, watch.clone()).collect().await;
                assert_eq!(read.iter().all(Result::is_ok), is_plain, "{text} by {size}");
                assert_eq!(watch.answer().is_none(), is_plain);
            }
        }
    }
}
