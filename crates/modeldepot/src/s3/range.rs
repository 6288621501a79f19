//! One range of an object on its way here.

use std::sync::{Arc, OnceLock};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::answer::{About, status};
use super::attempts::Attempts;
use super::client::{S3Client, bare};
use super::download::{Object, Sink};
use super::writeback;
use crate::digest::{PartDigest, PartExpected, PartHasher};
use crate::error::{Error, Result};
use crate::fs::write_at;
use crate::task::{blocking, joined};

/// Bytes that are gathered before they are hashed and written on a thread that may block.
const BATCH: usize = 256 * 1024;

/// One range of an object.
pub(super) struct Range {
    pub(super) client: S3Client,
    pub(super) object: Arc<Object>,
    /// The ETag of the first answer. Every later one must be of the same object.
    pub(super) etag: Arc<OnceLock<String>>,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) expected: Option<PartExpected>,
    pub(super) with_crc64: bool,
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
    pub(super) async fn fetch(&self, sink: &Sink) -> Result<PartDigest> {
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
            Some(found) if found != expected => Err(Error::WrongPart {
                path: self.object.key.clone(),
                first: self.offset,
                last: self.offset + self.len - 1,
                expected: expected.to_string(),
                found: found.to_string(),
            }),
            _ => Ok(second),
        }
    }

    /// Returns the digest of the range if a file of this machine has it, which is then in its place.
    async fn had(&self, sink: &Sink) -> Result<Option<PartDigest>> {
        let (Sink::File(landing), Some(expected)) = (sink, self.expected) else { return Ok(None) };
        if landing.seeds.is_empty() {
            return Ok(None);
        }
        let (landing, offset, len) = (Arc::clone(landing), self.offset, self.len);
        blocking(move || {
            for seed in &landing.seeds {
                if let Some(digest) = seed.give(offset, len, &expected, &landing.file)? {
                    return Ok(Some(digest));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Fetches the range into memory.
    pub(super) async fn bytes(&self) -> Result<Bytes> {
        let mut attempts = Attempts::default();
        loop {
            let error = match self.ask(0).await {
                Ok(answer) => match answer.body.collect().await.map(|body| body.into_bytes()) {
                    Ok(body) if body.len() as u64 == self.len => return Ok(body),
                    Ok(_) => self.broke_off(&std::io::Error::other("the body has another length than was asked for")),
                    Err(error) => self.broke_off(&error),
                },
                Err(error) => error,
            };
            attempts.again(error).await?;
        }
    }

    fn about(&self) -> About<'_> {
        About::object("fetch", &self.object.bucket, &self.object.key)
    }

    pub(super) fn broke_off(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        self.client.broke_off(self.about(), error)
    }

    /// Asks for what is missing of the range.
    pub(super) async fn ask(&self, landed: u64) -> Result<GetObjectOutput> {
        let (object, last) = (&self.object, self.offset + self.len - 1);
        let sent = self
            .client
            .once
            .get_object()
            .bucket(object.bucket.as_str())
            .key(&object.key)
            .range(format!("bytes={}-{last}", self.offset + landed))
            .set_if_match(self.etag.get().map(|etag| format!("\"{etag}\"")))
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if status(&error) == Some(412) => {
                return Err(Error::ObjectChanged { bucket: object.bucket.clone(), key: object.key.clone() });
            }
            Err(error) if status(&error) == Some(416) => {
                let found = self.client.get_object_metadata(&object.bucket, &object.key).await?.size;
                return Err(Error::WrongSize { path: object.key.clone(), expected: object.size, found });
            }
            Err(error) => {
                self.client.slow_down_after(&error, &self.client.limits.down);
                return Err(self.client.failed(self.about(), error));
            }
        };
        if let Some(etag) = answer.e_tag().filter(|etag| etag.len() > 2) {
            let _ = self.etag.set(bare(Some(etag)));
        }
        // `bytes 0-99/1234`: the size of the whole object comes with each range.
        let total = answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
        match total {
            Some(found) if found != object.size => {
                Err(Error::WrongSize { path: object.key.clone(), expected: object.size, found })
            }
            _ => Ok(answer),
        }
    }

    /// Fetches the range, and goes on from where it broke off as often as it does.
    async fn land(&self, sink: &Sink) -> Result<PartDigest> {
        let _memory = self.client.limits.pool.permit(2 * BATCH as u64).await;
        let hasher = match self.with_crc64 {
            true => PartHasher::new(self.offset),
            false => PartHasher::blake3(self.offset),
        };
        let mut at = Progress { hasher: Box::new(hasher), landed: 0 };
        let mut attempts = Attempts::default();
        loop {
            let (before, result);
            before = at.landed;
            (at, result) = match self.ask(before).await {
                Ok(answer) => self.take(answer, at, sink).await,
                Err(error) => (at, Err(error)),
            };
            if at.landed > before {
                attempts = Attempts::default();
            }
            match result {
                Ok(()) => return Ok(at.hasher.finish()),
                Err(error) => attempts.again(error).await?,
            }
        }
    }

    /// Hashes and writes a body in batches; one batch is worked on while the next one arrives.
    async fn take(&self, answer: GetObjectOutput, at: Progress, sink: &Sink) -> (Progress, Result<()>) {
        let mut body = answer.body;
        let mut worker = Worker::Idle(at);
        let (mut batch, mut gathered) = (Vec::new(), 0);
        let mut left = self.len - worker.landed();
        let end = loop {
            match body.next().await {
                Some(Ok(frame)) if frame.len() as u64 > left => {
                    break Err(self.broke_off(&std::io::Error::other("the server sent more than was asked for")));
                }
                Some(Ok(frame)) => {
                    left -= frame.len() as u64;
                    self.client.limits.down.moved(frame.len() as u64);
                    gathered += frame.len();
                    batch.push(frame);
                }
                Some(Err(error)) if left > 0 => break Err(self.broke_off(&error)),
                None if left > 0 => break Err(self.broke_off(&std::io::Error::other("the body ended early"))),
                None | Some(Err(_)) => break Ok(()),
            }
            if gathered >= BATCH {
                gathered = 0;
                match worker.idle().await {
                    Ok(at) => worker = Worker::Busy(self.work(at, std::mem::take(&mut batch), sink)),
                    Err((at, error)) => return (at, Err(error)),
                }
            }
        };
        // What has come before it broke off counts.
        let at = match worker.idle().await {
            Ok(at) => at,
            Err((at, error)) => return (at, Err(error)),
        };
        let (at, worked) = joined(self.work(at, batch, sink).await);
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

type Worked = (Progress, Result<()>);

/// Who hashes and writes: waiting for a batch, or at one.
enum Worker {
    Idle(Progress),
    Busy(JoinHandle<Worked>),
}

impl Worker {
    fn landed(&self) -> u64 {
        match self {
            Worker::Idle(at) => at.landed,
            Worker::Busy(_) => 0,
        }
    }

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
