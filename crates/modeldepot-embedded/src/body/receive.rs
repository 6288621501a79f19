//! Receives a body into a file.
//!
//! Frames are collected into batches of about 1 MiB. Each batch is hashed and written in a single hop to a blocking
//! thread while the next one arrives. At most two batches are in memory, whatever the size of the object, and no thread
//! waits for a slow client.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::StatusCode;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders, s3_error};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::body::reframe;
use crate::body::send::Reader;
use crate::body::share::Transfers;
use crate::checksum::{Algorithm, Claims, Digests, Hashes, check_form};
use crate::disk::coding::{self, Encoder};
use crate::disk::{Disk, Staged};
use crate::refusal::{custom, internal, is_no_room, no_room};

/// The largest batch. Many simultaneous uploads use smaller ones.
const BATCH: usize = 1 << 20;

/// Frames below this size are copied.
const SMALL: usize = 16 << 10;

/// What the batches of all uploads together may hold, even if their clients stall.
static WRITERS: Transfers = Transfers::new(8 << 20);

/// Batches being written at once. A body that waits for a permit reads no further.
static TURNS: Semaphore = Semaphore::const_new(32);

/// The largest body that S3 accepts in one request.
pub(crate) const MAX_BODY: u64 = 5 << 30;

/// How much is read of a body that does not fit on the disk, so that the client gets to read the error.
const FEW: u64 = 64 << 20;

/// How long a client may pause in the middle of a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// A body to receive.
pub(crate) struct Incoming {
    pub(crate) body: Option<StreamingBlob>,
    /// The length that the client announced, without `aws-chunked` framing.
    pub(crate) len: Option<u64>,
    pub(crate) claims: Claims,
    pub(crate) trailers: Option<TrailingHeaders>,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) waits: bool,
}

/// A body that arrived completely, matches its digests and is durable.
pub(crate) struct Received {
    /// `None` if there were no bytes: an empty object needs no file.
    pub(crate) staged: Option<Staged>,
    pub(crate) len: u64,
    pub(crate) digests: Digests,
    /// Whether the file is compressed.
    pub(crate) coded: bool,
}

/// Receives a body into a new file, which is removed on any error.
///
/// A body that does not fit on the disk is refused, if possible before it is read.
pub(crate) async fn receive(disk: &Arc<Disk>, mut incoming: Incoming) -> S3Result<Received> {
    let (mut body, waits) = (incoming.body.take(), incoming.waits);
    let received = receive_from(disk, &mut body, incoming).await;
    if received.as_ref().is_err_and(is_no_room) {
        disk.room.note_full();
        discard_at_most(body, waits, FEW).await;
    }
    received
}

async fn receive_from(disk: &Arc<Disk>, body: &mut Option<StreamingBlob>, incoming: Incoming) -> S3Result<Received> {
    let Incoming { len, mut claims, trailers, .. } = incoming;
    claims.check_form()?;
    if len.is_some_and(|len| len > MAX_BODY) {
        return Err(S3ErrorCode::EntityTooLarge.into());
    }
    if len.is_some_and(|len| len > 0 && !disk.room.fits(len)) {
        return Err(no_room());
    }
    let mut writer = Writing::Idle(Writer::new(disk, claims.hashes()));
    let share = WRITERS.begin();
    let mut batch = Batch::default();
    let mut total = 0u64;
    if let Some(body) = body {
        while let Some(frame) = next_frame(body).await? {
            total += frame.len() as u64;
            if total > len.unwrap_or(MAX_BODY) {
                return Err(match len {
                    Some(_) => s3_error!(IncompleteBody, "The body is longer than its Content-Length"),
                    None => S3ErrorCode::EntityTooLarge.into(),
                });
            }
            batch.push(frame);
            if batch.len >= share.size(BATCH) {
                let writing = writer.ready().await?;
                let turn = TURNS.acquire().await.map_err(internal)?;
                writer = Writing::Busy(writing.write(batch.take(), turn));
            }
        }
    }
    if len.is_some_and(|len| len != total) {
        return Err(S3ErrorCode::IncompleteBody.into());
    }
    take_trailers(&mut claims, trailers)?;
    let writer = writer.ready().await?;
    tokio::task::spawn_blocking(move || {
        let mut writer = writer;
        writer.append(&batch.take())?;
        writer.finish(&claims)
    })
    .await
    .map_err(internal)?
}

/// Frames that are written together.
#[derive(Default)]
struct Batch {
    frames: Vec<Bytes>,
    /// Consecutive small frames, copied: each frame would keep alive the whole buffer it was read into, and a client
    /// may send one byte at a time.
    small: BytesMut,
    len: usize,
}

impl Batch {
    fn push(&mut self, frame: Bytes) {
        self.len += frame.len();
        if frame.len() < SMALL {
            self.small.extend_from_slice(&frame);
        } else {
            self.settle();
            self.frames.push(frame);
        }
    }

    fn settle(&mut self) {
        if !self.small.is_empty() {
            self.frames.push(std::mem::take(&mut self.small).freeze());
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.settle();
        self.len = 0;
        std::mem::take(&mut self.frames)
    }
}

async fn next_frame(body: &mut StreamingBlob) -> S3Result<Option<Bytes>> {
    match timeout(PATIENCE, body.next()).await {
        Err(_) => Err(too_slow()),
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame)),
        Ok(Some(Err(error))) => Err(body_error(error)),
    }
}

fn too_slow() -> S3Error {
    s3_error!(
        RequestTimeout,
        "Your socket connection to the server was not read from or written to within the timeout period."
    )
}

/// Maps the protocol layer's body errors. Their types are private, so they are recognized by name.
fn body_error(error: StdError) -> S3Error {
    let text = error.to_string();
    let code = if text.contains("too slowly") {
        return too_slow();
    } else if text.contains(reframe::SIGNED) {
        let message = "A signed chunk of the body is larger than the maximum of 1 MiB: send smaller chunks";
        return S3Error::with_message(S3ErrorCode::InvalidRequest, message);
    } else if text.contains("SignatureMismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else if text.contains("Sha256Mismatch") {
        return custom(
            "XAmzContentSHA256Mismatch",
            StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.".into(),
        );
    } else if text.contains("FormatError") || text.contains("TooLarge") || text.contains("TooMany") {
        S3ErrorCode::InvalidRequest
    } else {
        S3ErrorCode::IncompleteBody
    };
    S3Error::with_source(code, error)
}

/// Adds the checksums in the trailers to those that the client announced.
fn take_trailers(claims: &mut Claims, trailers: Option<TrailingHeaders>) -> S3Result<()> {
    if claims.trailers.is_empty() {
        return Ok(());
    }
    let map = trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
    for algorithm in &claims.trailers {
        let value = map.get(algorithm.header()).and_then(|value| value.to_str().ok()).ok_or_else(|| {
            let message = format!("The trailer {} is missing", algorithm.header());
            custom("MalformedTrailerError", StatusCode::BAD_REQUEST, message)
        })?;
        check_form(*algorithm, value)?;
        claims.sums.set(*algorithm, value.to_owned());
    }
    Ok(())
}

/// Reads the body of a refused request, so that the client gets to read the answer.
///
/// Many clients report a broken connection if the server answers and closes while they are still sending. Clients that
/// wait for `100 Continue` have sent nothing yet.
pub(crate) async fn discard(body: Option<StreamingBlob>, waits_for_continue: bool) {
    discard_at_most(body, waits_for_continue, MAX_BODY).await;
}

/// Reads at most `most` bytes. A client that sends more gets its answer at once and may fail to read it.
async fn discard_at_most(body: Option<StreamingBlob>, waits_for_continue: bool, most: u64) {
    let Some(mut body) = body else { return };
    if waits_for_continue {
        return;
    }
    let mut read = 0;
    while let Ok(Some(frame)) = next_frame(&mut body).await {
        read += frame.len() as u64;
        if read > most {
            return;
        }
    }
}

/// Copies an object's bytes to a new file, which is removed on any error.
pub(crate) fn copy(disk: &Arc<Disk>, mut reader: Reader, algorithm: Algorithm) -> S3Result<Received> {
    let mut writer = Writer::new(disk, Hashes::new(&[algorithm]));
    while let Some(piece) = reader.read().map_err(internal)? {
        writer.append(&[piece])?;
    }
    writer.finish(&Claims::default())
}

/// The file being written.
struct Target {
    staged: Staged,
    file: File,
    /// Present if compressing pays.
    encoder: Option<Encoder>,
}

impl Target {
    fn new(disk: &Arc<Disk>, sample: &[Bytes]) -> S3Result<Self> {
        let (staged, file) = disk.create().map_err(internal)?;
        let encoder = (disk.compress && coding::pays(sample)).then(Encoder::default);
        Ok(Self { staged, file, encoder })
    }

    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        match &mut self.encoder {
            Some(encoder) => encoder.write(&self.file, batch),
            None => batch.iter().try_for_each(|bytes| self.file.write_all(bytes)),
        }
    }

    /// Returns the file once its bytes are durable, and whether it is compressed.
    fn finish(self) -> io::Result<(Staged, bool)> {
        let coded = self.encoder.is_some();
        if let Some(encoder) = self.encoder {
            encoder.finish(&self.file)?;
        }
        self.staged.sync(&self.file)?;
        Ok((self.staged, coded))
    }
}

/// Hashes bytes and writes them to a file, which is created at the first write.
struct Writer {
    disk: Arc<Disk>,
    target: Option<Target>,
    /// Boxed: a kilobyte that would otherwise move with the writer.
    hashes: Box<Hashes>,
    len: u64,
}

enum Writing {
    Idle(Writer),
    Busy(JoinHandle<S3Result<Writer>>),
}

impl Writing {
    async fn ready(self) -> S3Result<Writer> {
        match self {
            Self::Idle(writer) => Ok(writer),
            Self::Busy(task) => task.await.map_err(internal)?,
        }
    }
}

impl Writer {
    fn new(disk: &Arc<Disk>, hashes: Hashes) -> Self {
        Self { disk: Arc::clone(disk), target: None, hashes: Box::new(hashes), len: 0 }
    }

    fn write(mut self, batch: Vec<Bytes>, turn: SemaphorePermit<'static>) -> JoinHandle<S3Result<Self>> {
        tokio::task::spawn_blocking(move || {
            self.append(&batch)?;
            drop((batch, turn));
            Ok(self)
        })
    }

    fn append(&mut self, batch: &[Bytes]) -> S3Result<()> {
        let len: usize = batch.iter().map(Bytes::len).sum();
        if len == 0 {
            return Ok(());
        }
        let target = match &mut self.target {
            Some(target) => target,
            none => none.insert(Target::new(&self.disk, batch)?),
        };
        batch.iter().for_each(|bytes| self.hashes.update(bytes));
        self.len += len as u64;
        target.write(batch).map_err(internal)
    }

    fn finish(self, claims: &Claims) -> S3Result<Received> {
        let digests = self.hashes.finish();
        claims.verify(&digests)?;
        let (staged, coded) = match self.target {
            Some(target) => target.finish().map(|(staged, coded)| (Some(staged), coded)).map_err(internal)?,
            None => (None, false),
        };
        Ok(Received { staged, len: self.len, digests, coded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(frames: &[&'static [u8]], len: u64) -> Incoming {
        let frames: Vec<_> = frames.iter().map(|frame| Ok::<_, std::io::Error>(Bytes::from_static(frame))).collect();
        Incoming {
            body: Some(StreamingBlob::wrap(futures_util::stream::iter(frames))),
            len: Some(len),
            claims: Claims::default(),
            trailers: None,
            waits: false,
        }
    }

    fn files(folder: &std::path::Path) -> usize {
        (0..=255).map(|n| folder.join(format!("blobs/{n:02x}")).read_dir().unwrap().count()).sum()
    }

    #[tokio::test]
    async fn a_whole_body_is_kept_and_anything_else_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(folder.path()).unwrap());

        let received = receive(&disk, incoming(&[b"hel", b"", b"lo"], 5)).await.unwrap();
        assert_eq!((received.len, hex::encode(received.digests.md5)), (5, "5d41402abc4b2a76b9719d911017c592".into()));
        assert!(received.digests.sums.get(Algorithm::Crc64Nvme).is_some());
        assert_eq!(files(folder.path()), 1);
        drop(received);
        assert_eq!(files(folder.path()), 0);

        let empty = receive(&disk, incoming(&[], 0)).await.unwrap();
        assert!(empty.staged.is_none());

        let code = |result: S3Result<Received>| result.err().unwrap().code().as_str().to_owned();
        assert_eq!(code(receive(&disk, incoming(&[b"hel"], 5)).await), "IncompleteBody");
        assert_eq!(code(receive(&disk, incoming(&[b"hello", b"!"], 5)).await), "IncompleteBody");
        let mut wrong = incoming(&[b"hello"], 5);
        wrong.claims.md5 = Some("AAAAAAAAAAAAAAAAAAAAAA==".into());
        assert_eq!(code(receive(&disk, wrong).await), "BadDigest");
        let mut missing = incoming(&[b"hello"], 5);
        missing.claims.trailers = vec![Algorithm::Crc32];
        assert_eq!(code(receive(&disk, missing).await), "MalformedTrailerError");
        assert_eq!(files(folder.path()), 0);
    }
}
