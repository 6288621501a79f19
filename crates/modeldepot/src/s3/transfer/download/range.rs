//! One range of an object on its way here.

use std::sync::{Arc, OnceLock};

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::ends::Ends;
use super::writeback;
use crate::error::{Error, Mismatch, Result};
use crate::fs::write_at;
use crate::model::digest::{PartDigest, PartExpected, PartHasher};
use crate::s3::client::S3Client;
use crate::s3::error::{About, status, stood_still};
use crate::s3::retry::Retry;
use crate::s3::sdk_values::bare;
use crate::s3::transfer::download::{Object, Sink};
use crate::s3::transfer::memory::PIECE;
use crate::task::{blocking, joined};

/// Bytes that are gathered before they are hashed and written on a thread that may block.
const BATCH: usize = 256 * 1024;

/// The largest part that is read into memory whole: S3's largest object in ten thousand parts has smaller ones.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// One range of an object.
pub(in crate::s3) struct Range {
    pub(in crate::s3) client: S3Client,
    pub(in crate::s3) object: Arc<Object>,
    /// The ETag of the first answer. Every later one must be of the same object.
    pub(in crate::s3) etag: Arc<OnceLock<String>>,
    pub(in crate::s3) offset: u64,
    pub(in crate::s3) len: u64,
    pub(in crate::s3) expected: Option<PartExpected>,
    pub(in crate::s3) with_crc64: bool,
}

/// How far a range has come.
struct Progress {
    /// Two kilobytes, which need not travel from thread to thread.
    hasher: Box<PartHasher>,
    /// Bytes that are hashed and written.
    landed: u64,
}

impl Range {
    /// Fetches the range to its place. What is not as expected is fetched once more.
    pub(in crate::s3) async fn fetch(&self, sink: &Sink) -> Result<PartDigest> {
        if let Some(had) = self.had(sink).await? {
            return Ok(had);
        }
        let first = self.land(sink).await?;
        // Of a file that is one part its reader decides.
        let Some(PartExpected::Inner(expected)) = self.expected.filter(|expected| !first.is(expected)) else {
            return Ok(first);
        };
        tracing::warn!(key = self.object.key, offset = self.offset, len = self.len, "damaged; fetching once more");
        // What was damaged on its way is whole the second time; what is damaged in the bucket is not.
        let second = self.land(sink).await?;
        match second.subtree() {
            Some(found) if found != expected => Err(Error::Damaged {
                path: self.object.key.clone(),
                mismatch: Mismatch::Part {
                    first: self.offset,
                    last: self.offset + self.len - 1,
                    expected: expected.to_string(),
                    found: found.to_string(),
                },
            }),
            _ => Ok(second),
        }
    }

    /// Returns the digest of the range if a file of this machine has it, which is then in its place.
    async fn had(&self, sink: &Sink) -> Result<Option<PartDigest>> {
        let (Sink::File(landing), Some(expected)) = (sink, self.expected) else { return Ok(None) };
        if landing.reusable.is_empty() {
            return Ok(None);
        }
        let (landing, offset, len) = (Arc::clone(landing), self.offset, self.len);
        let memory = self.client.limits.pool.permit(PIECE as u64).await;
        blocking(move || {
            let _memory = memory;
            for file in &landing.reusable {
                if let Some(digest) = file.give(offset, len, &expected, &landing.file)? {
                    return Ok(Some(digest));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Fetches the range into memory.
    pub(in crate::s3) async fn bytes(&self) -> Result<Bytes> {
        if self.len > LARGEST {
            let error = std::io::Error::other(format!("a part of {} bytes does not fit into memory", self.len));
            return Err(Error::io("fetch", &self.object.key)(error));
        }
        // Nobody who has memory waits for a permit of those that the caller may have.
        let _memory = self.client.limits.pool.permit(self.len).await;
        let mut retry = Retry::transfer(self.client.timeouts());
        let mut ends = Ends::default();
        loop {
            let error = match self.ask(0).await {
                Ok(mut answer) => match self.gather(&mut answer).await {
                    Ok(body) => return Ok(body),
                    Err(error) => self.judged(&mut ends, &answer, error),
                },
                Err(error) => error,
            };
            retry.again(error).await?;
        }
    }

    /// Returns the error of a body, once it is known whether another one would end at the same byte.
    pub(super) fn judged(&self, ends: &mut Ends, body: &Arrived, error: Error) -> Error {
        let at = self.offset + self.len - body.left;
        match body.ended {
            true => ends.judge(at, self.object.size, &self.object.key, error),
            false => error,
        }
    }

    async fn gather(&self, answer: &mut Arrived) -> Result<Bytes> {
        let mut bytes = Vec::new();
        while let Some(came) = answer.next().await {
            let came = came.map_err(|error| self.broke_off(&*error))?;
            if bytes.is_empty() && bytes.try_reserve_exact(self.len as usize).is_err() {
                return Err(Error::io("fetch", &self.object.key)(std::io::ErrorKind::OutOfMemory.into()));
            }
            bytes.extend_from_slice(&came);
        }
        Ok(bytes.into())
    }

    fn about(&self) -> About<'_> {
        About::object("fetch", &self.object.bucket, &self.object.key)
    }

    pub(in crate::s3) fn broke_off(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        self.client.broke_off(self.about(), error)
    }

    /// Returns how many bytes are missing when so many have come.
    pub(super) fn left(&self, came: u64) -> u64 {
        self.len - came
    }

    /// Asks for what is missing of the range.
    pub(in crate::s3) async fn ask(&self, landed: u64) -> Result<Arrived> {
        let (object, first, last) = (&self.object, self.offset + landed, self.offset + self.len - 1);
        let sent = self
            .client
            .sdk
            .reading
            .get_object()
            .bucket(object.bucket.as_str())
            .key(&object.key)
            .range(format!("bytes={first}-{last}"))
            .set_if_match(self.etag.get().map(|etag| format!("\"{etag}\"")))
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if status(&error) == Some(412) => {
                return Err(Error::object_changed(&object.bucket, &object.key));
            }
            Err(error) if status(&error) == Some(416) => {
                let found = self.client.get_object_metadata(&object.bucket, &object.key).await?.size;
                return Err(Error::wrong_size(&object.key, object.size, found));
            }
            Err(error) => {
                self.client.slow_down_after(&error, &self.client.limits.down);
                return Err(self.client.failed(self.about(), error));
            }
        };
        let etag = bare(answer.e_tag());
        // A server that ignores `If-Match`, or ranges asked for at the same time: the object was replaced in between.
        if !etag.is_empty() && *self.etag.get_or_init(|| etag.clone()) != etag {
            return Err(Error::object_changed(&object.bucket, &object.key));
        }
        let wrong_size = |found| Error::wrong_size(&object.key, object.size, found);
        let left = self.left(landed);
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let whole = match answer.content_range().and_then(ranged) {
            // The size of the whole object comes with each range.
            Some((_, Some(found))) if found != object.size => return Err(wrong_size(found)),
            Some((begins, _)) if begins != first => {
                return Err(self.client.not_understood(self.about(), "it sent another range than it was asked for"));
            }
            Some(_) => false,
            // It ignores `Range` and sends an object whole, even if its length happens to be that of the range. What was
            // asked for comes first: the rest is not read.
            None if first == 0 => match length {
                Some(found) if found != object.size => return Err(wrong_size(found)),
                _ => true,
            },
            None => return Err(self.client.ignores_range(self.about())),
        };
        Ok(Arrived { body: answer.body, left, whole, ended: false })
    }

    /// Fetches the range, and goes on from where it broke off as often as it does.
    async fn land(&self, sink: &Sink) -> Result<PartDigest> {
        let _memory = self.client.limits.pool.permit(2 * BATCH as u64).await;
        let hasher = match self.with_crc64 {
            true => PartHasher::new(self.offset),
            false => PartHasher::blake3(self.offset),
        };
        let mut at = Progress { hasher: Box::new(hasher), landed: 0 };
        let mut retry = Retry::transfer(self.client.timeouts());
        let mut ends = Ends::default();
        loop {
            let (before, result);
            before = at.landed;
            (at, result) = match self.ask(before).await {
                Ok(mut answer) => {
                    let (at, taken) = self.take(&mut answer, at, sink).await;
                    (at, taken.map_err(|error| self.judged(&mut ends, &answer, error)))
                }
                Err(error) => (at, Err(error)),
            };
            retry.moved(at.landed - before, self.left(at.landed));
            match result {
                Ok(()) => return Ok(at.hasher.finish()),
                Err(error) => retry.again(error).await?,
            }
        }
    }

    /// Hashes and writes a body in batches; one batch is worked on while the next one arrives.
    async fn take(&self, answer: &mut Arrived, at: Progress, sink: &Sink) -> (Progress, Result<()>) {
        let mut worker = Worker::Idle(at);
        let mut batch = Batch::default();
        let end = loop {
            let full = match answer.next().await {
                Some(Ok(frame)) => {
                    self.client.limits.down.moved(frame.len() as u64);
                    batch.add(frame)
                }
                Some(Err(error)) => break Err(self.broke_off(&*error)),
                None => break Ok(()),
            };
            if let Some(frames) = full {
                match worker.idle().await {
                    Ok(at) => worker = Worker::Busy(self.work(at, frames, sink)),
                    Err((at, error)) => return (at, Err(error)),
                }
            }
        };
        // What has come before it broke off counts.
        let at = match worker.idle().await {
            Ok(at) => at,
            Err((at, error)) => return (at, Err(error)),
        };
        let (at, worked) = joined(self.work(at, batch.frames, sink).await);
        (at, worked.and(end))
    }

    fn work(&self, mut at: Progress, frames: Vec<Bytes>, sink: &Sink) -> JoinHandle<Worked> {
        let (sink, start, before) = (sink.clone(), self.offset, at.landed);
        tokio::task::spawn_blocking(move || {
            for frame in &frames {
                if let Sink::File(landing) = &sink
                    && let Err(error) = write_at(&landing.file, frame, start + at.landed)
                {
                    return (at, Err(Error::io("write", "the file being fetched")(error)));
                }
                at.hasher.update(frame);
                at.landed += frame.len() as u64;
            }
            if let Sink::File(landing) = &sink
                && landing.sync
            {
                writeback::begin(&landing.file, start, before, at.landed);
            }
            (at, Ok(()))
        })
    }
}

/// Bytes that have arrived and wait to be hashed and written.
#[derive(Default)]
struct Batch {
    frames: Vec<Bytes>,
    len: usize,
}

impl Batch {
    /// Adds what arrived. Returns all of it once there is enough: what waits here is in memory.
    fn add(&mut self, frame: Bytes) -> Option<Vec<Bytes>> {
        self.len += frame.len();
        self.frames.push(frame);
        (self.len >= BATCH).then(|| std::mem::take(self).frames)
    }
}

/// The bytes that were asked for, on their way.
pub(in crate::s3) struct Arrived {
    body: ByteStream,
    left: u64,
    /// Whether more comes than was asked for, because the server does not know ranges.
    whole: bool,
    /// Whether the body ended before all was there.
    ended: bool,
}

impl Arrived {
    /// Returns what comes next; none once all is there. Never more than was asked for.
    pub(in crate::s3) async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            if self.left == 0 && self.whole {
                return None;
            }
            return match self.body.next().await {
                Some(Ok(frame)) if frame.is_empty() => continue,
                Some(Ok(mut frame)) if frame.len() as u64 > self.left => {
                    if !self.whole {
                        return Some(Err("the server sent more than was asked for".into()));
                    }
                    frame.truncate(self.left as usize);
                    self.left = 0;
                    Some(Ok(frame))
                }
                Some(Ok(frame)) => {
                    self.left -= frame.len() as u64;
                    Some(Ok(frame))
                }
                // What was asked for is here.
                None | Some(Err(_)) if self.left == 0 => None,
                Some(Err(error)) => {
                    // A body that stands still has not ended.
                    self.ended = !stood_still(&error);
                    Some(Err(error.into()))
                }
                None => {
                    self.ended = true;
                    Some(Err("the body ended early".into()))
                }
            };
        }
    }
}

/// Reads `bytes 0-99/1234`: where the bytes begin, and the size of the whole if it is known.
pub(in crate::s3) fn ranged(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Worked = (Progress, Result<()>);

/// Who hashes and writes: waiting for a batch, or at one.
enum Worker {
    Idle(Progress),
    Busy(JoinHandle<Worked>),
}

impl Worker {
    async fn idle(self) -> Result<Progress, (Progress, Error)> {
        match self {
            Worker::Idle(at) => Ok(at),
            Worker::Busy(working) => match joined(working.await) {
                (at, Ok(())) => Ok(at),
                (at, Err(error)) => Err((at, error)),
            },
        }
    }
}

#[cfg(test)]
mod laws;
