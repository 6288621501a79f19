//! HTML forms with a file: `multipart/form-data`, read as a stream.
//!
//! The fields before the file are kept, within limits; the file is passed on piece by piece. S3 ignores what follows
//! it.

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use memchr::memmem;

/// The largest total size of the fields before the file, names and headers included. S3 allows 20 kB.
const MAX_FIELDS: usize = 64 << 10;

/// The most fields.
const MAX_PARTS: usize = 100;

/// The longest head of a part.
const MAX_HEAD: usize = 8 << 10;

/// The longest boundary that RFC 2046 allows.
const MAX_BOUNDARY: usize = 70;

/// How much may follow the file. It is read, so that the client gets to read the answer.
const MAX_REST: usize = 64 << 10;

/// How long a client may pause.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a form cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FormError {
    #[error("The form has no boundary that RFC 2046 allows")]
    Boundary,
    #[error("The body of your POST request is not well-formed multipart/form-data.")]
    Malformed,
    #[error("Your POST request fields preceding the upload file were too large.")]
    TooLarge,
    #[error("The field {0} is given twice")]
    Twice(String),
    #[error("POST requires exactly one file upload per request.")]
    NoFile,
    #[error("The form ends before its last boundary")]
    Unfinished,
    #[error("The form comes too slowly")]
    Slow,
    #[error("{0}")]
    Body(String),
}

/// A form up to its file.
#[derive(Debug)]
pub(crate) struct Form<S> {
    /// Fields by lowercase name.
    pub(crate) fields: Vec<(String, String)>,
    /// The file's name on the sender's system.
    pub(crate) filename: String,
    pub(crate) file: FileBody<S>,
}

/// The bytes of the file.
#[derive(Debug)]
pub(crate) struct FileBody<S> {
    inner: S,
    /// Finds CRLF, two dashes and the boundary.
    delimiter: memmem::Finder<'static>,
    buffer: BytesMut,
    state: State,
    rest: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Data,
    Rest,
    Done,
}

/// Returns the boundary in a content type.
pub(crate) fn boundary(content_type: &str) -> Result<String, FormError> {
    let mut parameters = content_type.split(';');
    let kind = parameters.next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Err(FormError::Boundary);
    }
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("boundary")
            && (1..=MAX_BOUNDARY).contains(&value.len())
            && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        {
            return Ok(value.to_owned());
        }
    }
    Err(FormError::Boundary)
}

impl<S, E> Form<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    /// Reads a form up to its file.
    pub(crate) async fn read(inner: S, boundary: &str) -> Result<Self, FormError> {
        let delimiter = format!("\r\n--{boundary}");
        // A form begins with a boundary, and every boundary with a line end.
        let mut body = FileBody {
            inner,
            delimiter: memmem::Finder::new(delimiter.as_bytes()).into_owned(),
            buffer: BytesMut::from(&b"\r\n"[..]),
            state: State::Data,
            rest: 0,
        };
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut size = 0;
        if !body.until(MAX_HEAD).await?.is_empty() {
            return Err(FormError::Malformed);
        }
        loop {
            if body.is_last().await? {
                return Err(FormError::NoFile);
            }
            let head = body.head().await?;
            size += head.len();
            let (name, filename) = disposition(&head).ok_or(FormError::Malformed)?;
            if name == "file" {
                let filename = filename.unwrap_or_default();
                return Ok(Self { fields, filename, file: body });
            }
            let value = body.until(MAX_FIELDS.saturating_sub(size)).await?;
            size += value.len();
            if size > MAX_FIELDS || fields.len() == MAX_PARTS {
                return Err(FormError::TooLarge);
            }
            let value = String::from_utf8(value.to_vec()).map_err(|_| FormError::Malformed)?;
            if fields.iter().any(|(found, _)| *found == name) {
                return Err(FormError::Twice(name));
            }
            fields.push((name, value));
        }
    }
}

impl<S, E> FileBody<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    async fn more(&mut self) -> Result<(), FormError> {
        match tokio::time::timeout(PATIENCE, self.inner.next()).await {
            Err(_) => Err(FormError::Slow),
            Ok(None) => Err(FormError::Unfinished),
            Ok(Some(Err(error))) => Err(FormError::Body(error.to_string())),
            Ok(Some(Ok(bytes))) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(())
            }
        }
    }

    /// Takes what precedes the next boundary, and consumes the boundary.
    async fn until(&mut self, most: usize) -> Result<Bytes, FormError> {
        // No byte is searched twice, however small the pieces.
        let mut searched = 0;
        loop {
            if let Some(at) = self.delimiter.find(&self.buffer[searched..]).map(|at| searched + at) {
                let before = self.buffer.split_to(at).freeze();
                let _boundary = self.buffer.split_to(self.delimiter.needle().len());
                return if before.len() > most { Err(FormError::TooLarge) } else { Ok(before) };
            }
            if self.buffer.len() > most + self.delimiter.needle().len() {
                return Err(FormError::TooLarge);
            }
            searched = (self.buffer.len() + 1).saturating_sub(self.delimiter.needle().len());
            self.more().await?;
        }
    }

    /// Consumes the rest of a boundary's line. Returns true after the last boundary.
    async fn is_last(&mut self) -> Result<bool, FormError> {
        while self.buffer.len() < 2 {
            self.more().await?;
        }
        match &self.buffer.split_to(2)[..] {
            b"--" => Ok(true),
            b"\r\n" => Ok(false),
            _ => Err(FormError::Malformed),
        }
    }

    /// Takes the head of a part.
    async fn head(&mut self) -> Result<String, FormError> {
        let mut searched = 0;
        loop {
            if let Some(at) = memmem::find(&self.buffer[searched..], b"\r\n\r\n").map(|at| searched + at) {
                let head = self.buffer.split_to(at + 4);
                if head.len() > MAX_HEAD {
                    return Err(FormError::TooLarge);
                }
                return String::from_utf8(head[..at].to_vec()).map_err(|_| FormError::Malformed);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(FormError::TooLarge);
            }
            searched = self.buffer.len().saturating_sub(3);
            self.more().await?;
        }
    }

    /// Reads at most `most` bytes of the remainder, so that the client gets to read the answer.
    pub(crate) async fn drain(&mut self, most: u64) {
        let mut read = 0;
        while read < most {
            match tokio::time::timeout(PATIENCE, self.inner.next()).await {
                Ok(Some(Ok(bytes))) => read += bytes.len() as u64,
                _ => return,
            }
        }
    }
}

impl<S, E> Stream for FileBody<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    type Item = Result<Bytes, FormError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.state {
                State::Done => return Poll::Ready(None),
                State::Data => {
                    if let Some(at) = this.delimiter.find(&this.buffer) {
                        let data = this.buffer.split_to(at).freeze();
                        this.state = State::Rest;
                        if !data.is_empty() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                        continue;
                    }
                    // The last bytes may be the start of a boundary.
                    let sure = (this.buffer.len() + 1).saturating_sub(this.delimiter.needle().len());
                    if sure > 0 {
                        return Poll::Ready(Some(Ok(this.buffer.split_to(sure).freeze())));
                    }
                }
                State::Rest => {
                    // Do not wait for more than may follow a file.
                    this.rest += this.buffer.len();
                    this.buffer.clear();
                    if this.rest > MAX_REST {
                        this.state = State::Done;
                        continue;
                    }
                }
            }
            match ready!(Pin::new(&mut this.inner).poll_next(cx)) {
                None if this.state == State::Rest => this.state = State::Done,
                None => {
                    this.state = State::Done;
                    return Poll::Ready(Some(Err(FormError::Unfinished)));
                }
                Some(Err(error)) => {
                    this.state = State::Done;
                    return Poll::Ready(Some(Err(FormError::Body(error.to_string()))));
                }
                Some(Ok(bytes)) => this.buffer.extend_from_slice(&bytes),
            }
        }
    }
}

/// Returns a field's name in lowercase, and the name of its file.
fn disposition(head: &str) -> Option<(String, Option<String>)> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (kind, mut rest) = line.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut filename) = (None, None);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            break;
        }
        let (key, after) = rest.split_once('=')?;
        let value;
        (value, rest) = quoted(after)?;
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" => filename = Some(value),
            _ => {}
        }
    }
    Some((name?.to_ascii_lowercase(), filename))
}

/// Takes a value with or without quotes. Browsers escape a quote as `%22`, other clients with a backslash.
fn quoted(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value.replace("%22", "\""), &inner[at + 1..])),
            // Clients that send Windows paths do not escape the backslashes.
            '\\' if inner[at + 1..].starts_with('"') => {
                chars.next();
                value.push('"');
            }
            c => value.push(c),
        }
    }
    None
}
