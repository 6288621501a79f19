//! A range of an object that passes through: handed on as it comes, in constant memory.
//!
//! Parts that are known are hashed on the way. The last bytes of each are held back until its digest is right, so what is
//! damaged never arrives whole. What has left cannot be fetched again: where [`super::part`] asks twice, this ends.

use std::ops;

use bytes::Bytes;
use futures_util::stream::{self, Stream};

use super::ends::Ends;
use super::part::Pieces;
use super::range::{Arrived, Range};
use crate::error::Result;
use crate::model::digest::{Md5, Md5Stream, PartExpected, PartHasher};
use crate::s3::retry::Retry;

/// A range on its way.
struct Passing {
    pieces: Pieces,
    /// Where the next byte that is handed on lies.
    at: u64,
    end: u64,
    body: Option<Arrived>,
    /// Received, and not yet returned to the caller.
    pending: Bytes,
    /// The part that is being hashed, and where it ends.
    part: Option<(PartHasher, PartExpected, u64)>,
    /// The digest of the whole, where the original wrote it and the range is the whole.
    md5: Option<(Md5Stream, Md5)>,
    retry: Retry,
    ends: Ends,
}

impl Pieces {
    /// Returns the bytes of a range as they come. Every part that lies in it whole is verified, and so is the file by its
    /// MD5 where that is all that was published and the range is the whole of it.
    pub(crate) fn passing(
        &self,
        range: ops::Range<u64>,
        md5: Option<Md5>,
    ) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
        let end = range.end.min(self.size());
        let whole = range.start == 0 && end == self.size();
        let passing = Passing {
            pieces: self.clone(),
            at: range.start.min(end),
            end,
            body: None,
            pending: Bytes::new(),
            part: None,
            md5: md5.filter(|_| whole).map(|md5| (Md5Stream::default(), md5)),
            retry: self.retry(),
            ends: Ends::default(),
        };
        stream::try_unfold(
            passing,
            |mut passing| async move { Ok(passing.next().await?.map(|bytes| (bytes, passing))) },
        )
    }
}

impl Passing {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.at == self.end {
            return Ok(None);
        }
        if self.pending.is_empty() {
            self.pending = self.arrive().await?;
        }
        self.begin_part();
        // A frame may hold the end of one part and the beginning of the next.
        let here = self.part.as_ref().map_or(self.end, |(.., end)| *end) - self.at;
        let take = usize::try_from(here).unwrap_or(usize::MAX).min(self.pending.len());
        let bytes = self.pending.split_to(take);
        if let Some((hasher, ..)) = &mut self.part {
            hasher.update(&bytes);
        }
        if let Some((hasher, _)) = &mut self.md5 {
            hasher.update(&bytes);
        }
        self.at += bytes.len() as u64;
        self.prove()?;
        Ok(Some(bytes))
    }

    fn begin_part(&mut self) {
        let cut = self.pieces.part_size();
        if self.part.is_none() && self.at.is_multiple_of(cut) {
            let end = (self.at + cut).min(self.pieces.size());
            let expected = self.pieces.expected(self.at / cut);
            self.part = expected.filter(|_| end <= self.end).map(|it| (PartHasher::blake3(self.at), it, end));
        }
    }

    /// Says whether what was handed on until now may be followed by the bytes that complete it.
    fn prove(&mut self) -> Result<()> {
        if let Some((hasher, expected, end)) = self.part.take_if(|(.., end)| *end == self.at) {
            let (found, offset) = (hasher.finish(), (end - 1) / self.pieces.part_size() * self.pieces.part_size());
            if !found.is(&expected) {
                return Err(self.pieces.wrong(offset, end - offset, &expected, &found));
            }
        }
        match self.md5.take_if(|_| self.at == self.end).map(|(hasher, expected)| (hasher.finish(), expected)) {
            Some((found, expected)) if found != expected => Err(self.pieces.wrong_md5(expected, found)),
            _ => Ok(()),
        }
    }

    /// Returns what comes next, from where it broke off if it did.
    async fn arrive(&mut self) -> Result<Bytes> {
        let came = self.at;
        loop {
            let range = self.pieces.range(came, self.end - came);
            let error = match self.frame(&range).await {
                Ok(bytes) => {
                    self.retry.moved(bytes.len() as u64, range.left(bytes.len() as u64));
                    return Ok(bytes);
                }
                Err(error) => error,
            };
            let body = self.body.take();
            let error = match &body {
                // It was asked for from where the last one ended.
                Some(body) => range.judged(&mut self.ends, body, error),
                None => error,
            };
            self.retry.again(error).await?;
        }
    }

    async fn frame(&mut self, range: &Range) -> Result<Bytes> {
        let body = match &mut self.body {
            Some(body) => body,
            None => self.body.insert(range.ask(0).await?),
        };
        match body.next().await {
            Some(came) => came.map_err(|error| range.broke_off(&*error)),
            None => Err(range.broke_off(&std::io::Error::other("the body ended early"))),
        }
    }
}
