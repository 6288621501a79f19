//! From an object to its place: ranges in parallel, each frame written where it belongs and hashed as it lands.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::answer::{About, status};
use super::client::S3Client;
use super::parts::parts;
use super::ranges::Ranges;
use crate::digest::{Blake3, Crc64, Md5, Md5Stream, PartDigest, PartHasher, merge};
use crate::error::{Error, Result};
use crate::name::BucketName;
use crate::place::{read_at, write_at};
use crate::task::{blocking, joined};

/// Bytes that are gathered before they are hashed and written on a thread that may block.
const BATCH: usize = 1024 * 1024;

/// How often a range is asked for whose body breaks off.
const ATTEMPTS: u32 = 5;

/// Where fetched bytes go.
#[derive(Clone)]
pub(crate) enum Sink {
    /// To their offset in a file, with a list of what has landed if the fetch may be gone on with.
    File(Arc<File>, Option<Arc<Ranges>>),
    /// Nowhere: they are only hashed.
    Nothing,
}

impl S3Client {
    /// Fetches an object of `size` bytes and returns the digests of what came.
    ///
    /// # Errors
    /// [`Error::WrongSize`] when the object has another size; with an `etag`, a failure when it is another object.
    pub(crate) async fn fetch(
        &self,
        bucket: &BucketName,
        key: &str,
        size: u64,
        etag: Option<&str>,
        sink: &Sink,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<(Blake3, Crc64)> {
        if size == 0 {
            let found = self.get_object_metadata(bucket, key).await?.size;
            if found > 0 {
                return Err(Error::WrongSize { path: key.to_owned(), expected: 0, found });
            }
            return Ok(merge(&[PartDigest::of(0, &[])]));
        }
        let mut ranges = JoinSet::new();
        let mut digests: Vec<Option<PartDigest>> = Vec::new();
        for (index, (offset, len)) in parts(size).enumerate() {
            digests.push(None);
            let range = Range {
                client: self.clone(),
                bucket: bucket.clone(),
                key: key.to_owned(),
                etag: etag.map(str::to_owned),
                size,
                offset,
                len,
            };
            // Waiting for the permit here keeps the number of tasks small, whatever the object's size.
            let permit = self.limits.range().await;
            let sink = sink.clone();
            ranges.spawn(async move {
                let digest = range.fetch(&sink).await;
                drop(permit);
                (index, len, digest)
            });
            while let Some(done) = ranges.try_join_next() {
                keep(done, &mut digests, on_bytes)?;
            }
        }
        while let Some(done) = ranges.join_next().await {
            keep(done, &mut digests, on_bytes)?;
        }
        Ok(merge(&digests.into_iter().flatten().collect::<Vec<_>>()))
    }

    /// Reads an object of `size` bytes in order and returns its MD5.
    pub(crate) async fn fetch_md5(
        &self,
        bucket: &BucketName,
        key: &str,
        size: u64,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Md5> {
        let mut md5 = Md5Stream::default();
        let mut found = 0;
        // Range by range, so that a body that breaks off costs one range and not the whole object.
        for (offset, len) in parts(size) {
            let (client, bucket, key) = (self.clone(), bucket.clone(), key.to_owned());
            let range = Range { client, bucket, key, etag: None, size, offset, len };
            let body = range.bytes().await?;
            found += body.len() as u64;
            md5 = blocking(move || {
                md5.update(&body);
                Ok(md5)
            })
            .await?;
            on_bytes(len);
        }
        if size == 0 {
            found = self.get_object_metadata(bucket, key).await?.size;
        }
        if found != size {
            return Err(Error::WrongSize { path: key.to_owned(), expected: size, found });
        }
        Ok(md5.finish())
    }
}

type Fetched = (usize, u64, Result<PartDigest>);

fn keep(
    done: Result<Fetched, tokio::task::JoinError>,
    digests: &mut [Option<PartDigest>],
    on_bytes: &impl Fn(u64),
) -> Result<()> {
    let (index, len, digest) = joined(done);
    digests[index] = Some(digest?);
    on_bytes(len);
    Ok(())
}

/// One range of an object.
struct Range {
    client: S3Client,
    bucket: BucketName,
    key: String,
    etag: Option<String>,
    size: u64,
    offset: u64,
    len: u64,
}

impl Range {
    /// Fetches the range to its place, again from its start when the body breaks off.
    async fn fetch(&self, sink: &Sink) -> Result<PartDigest> {
        if let Some(landed) = self.landed_before(sink).await? {
            return Ok(landed);
        }
        let mut attempt = 1;
        loop {
            match self.land(self.ask().await?, sink).await {
                Err(error) => self.wait_after(error, &mut attempt).await?,
                Ok(digest) => {
                    if let Sink::File(_, Some(ranges)) = sink {
                        ranges.landed(self.offset, self.len, &digest);
                    }
                    return Ok(digest);
                }
            }
        }
    }

    /// Returns the digest of the range if an earlier fetch has brought it and it is still on the disk.
    async fn landed_before(&self, sink: &Sink) -> Result<Option<PartDigest>> {
        let Sink::File(file, Some(ranges)) = sink else { return Ok(None) };
        let (offset, len) = (self.offset, self.len);
        if !ranges.lists(offset, len) {
            return Ok(None);
        }
        let (file, ranges) = (Arc::clone(file), Arc::clone(ranges));
        blocking(move || {
            let mut hasher = PartHasher::new(offset);
            let mut buffer = vec![0; BATCH.min(len as usize)];
            let mut done = 0;
            while done < len {
                let piece = &mut buffer[..(len - done).min(BATCH as u64) as usize];
                if read_at(&file, piece, offset + done).is_err() {
                    return Ok(None);
                }
                hasher.update(piece);
                done += piece.len() as u64;
            }
            let digest = hasher.finish();
            Ok(ranges.holds(offset, len, &digest).then_some(digest))
        })
        .await
    }

    /// Fetches the range into memory.
    async fn bytes(&self) -> Result<Bytes> {
        let mut attempt = 1;
        loop {
            match self.ask().await?.body.collect().await {
                Err(error) => self.wait_after(self.broke_off(&error), &mut attempt).await?,
                Ok(body) => return Ok(body.into_bytes()),
            }
        }
    }

    fn about(&self) -> About<'_> {
        About::object("fetch", &self.bucket, &self.key)
    }

    fn broke_off(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        self.client.broke_off(self.about(), error)
    }

    /// Waits before the next attempt, or gives the error back. The SDK repeats a request that fails; a body that
    /// breaks off comes after that, and is ours to repeat.
    async fn wait_after(&self, error: Error, attempt: &mut u32) -> Result<()> {
        if *attempt == ATTEMPTS || !matches!(error, Error::Unavailable { .. }) {
            return Err(error);
        }
        tracing::debug!(key = self.key, offset = self.offset, %error, "fetching a range again");
        tokio::time::sleep(Duration::from_millis(100 << *attempt)).await;
        *attempt += 1;
        Ok(())
    }

    async fn ask(&self) -> Result<GetObjectOutput> {
        let last = self.offset + self.len - 1;
        let sent = self
            .client
            .sdk
            .get_object()
            .bucket(self.bucket.as_str())
            .key(&self.key)
            .range(format!("bytes={}-{last}", self.offset))
            .set_if_match(self.etag.clone().filter(|etag| !etag.is_empty()).map(|etag| format!("\"{etag}\"")))
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if status(&error) == Some(416) => {
                let found = self.client.get_object_metadata(&self.bucket, &self.key).await?.size;
                return Err(Error::WrongSize { path: self.key.clone(), expected: self.size, found });
            }
            Err(error) => return Err(self.client.failed(self.about(), error)),
        };
        // `bytes 0-99/1234`: the size of the whole object comes with each range.
        let total = answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
        match total {
            Some(found) if found != self.size => {
                Err(Error::WrongSize { path: self.key.clone(), expected: self.size, found })
            }
            _ => Ok(answer),
        }
    }

    /// Hashes and writes the body in batches; one batch is worked on while the next one arrives.
    async fn land(&self, answer: GetObjectOutput, sink: &Sink) -> Result<PartDigest> {
        let mut body = answer.body;
        let mut hasher = PartHasher::new(self.offset);
        let mut landing: Option<tokio::task::JoinHandle<Result<PartHasher>>> = None;
        let (mut batch, mut gathered, mut arrived) = (Vec::new(), 0, 0);
        loop {
            let frame = match body.next().await {
                Some(Ok(frame)) => Some(frame),
                Some(Err(error)) => return Err(self.broke_off(&error)),
                None => None,
            };
            let ended = frame.is_none();
            if let Some(frame) = frame {
                gathered += frame.len();
                batch.push(frame);
            }
            if gathered < BATCH && !ended {
                continue;
            }
            if let Some(before) = landing.take() {
                hasher = joined(before.await)?;
            }
            let offset = self.offset + arrived;
            arrived += gathered as u64;
            if arrived > self.len {
                return Err(self.broke_off(&std::io::Error::other("the server sent more than was asked for")));
            }
            let (frames, sink) = (std::mem::take(&mut batch), sink.clone());
            gathered = 0;
            let work = move || place_frames(hasher, &frames, &sink, offset);
            if ended {
                if arrived < self.len {
                    return Err(self.broke_off(&std::io::Error::other("the body ended early")));
                }
                return Ok(blocking(work).await?.finish());
            }
            landing = Some(tokio::task::spawn_blocking(work));
            hasher = PartHasher::new(self.offset);
        }
    }
}

fn place_frames(mut hasher: PartHasher, frames: &[Bytes], sink: &Sink, mut offset: u64) -> Result<PartHasher> {
    for frame in frames {
        hasher.update(frame);
        if let Sink::File(file, _) = sink {
            write_at(file, frame, offset).map_err(Error::io("write", "the file being fetched"))?;
        }
        offset += frame.len() as u64;
    }
    Ok(hasher)
}
