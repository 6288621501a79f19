//! Forms with files (`multipart/form-data`): streamed, and bounded in everything except the files.
//!
//! `multer` parses the form. It buffers whatever is available and rescans it with each piece, so its input is kept on a
//! leash: pieces of a few KiB, and no more than [`LONGEST_HEAD`] until the next part has begun.

mod leash;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures_util::Stream;
use multer::{Field, Multipart};

use self::leash::{Leash, Leashed, TooLong};
use crate::auth::{CSRF_FIELD, Caller, CsrfPending, csrf_missing};
use crate::body::broke_off;
use crate::problem::{Problem, Result};

/// The text fields of a form, with their maximum sizes in bytes. Each may occur once.
pub(crate) type Texts = &'static [(&'static str, usize)];

/// How much may precede a part: the form's preamble, or the headers of the part. A path has at most 512 characters.
const LONGEST_HEAD: usize = 16 * 1024;

/// The longest boundary (RFC 2046).
const LONGEST_BOUNDARY: usize = 70;

/// The longest CSRF token that is accepted.
const LONGEST_CSRF: usize = 128;

/// A form being received.
pub(crate) struct Form {
    parts: Multipart<'static>,
    leash: Arc<Leash>,
    texts: Texts,
    /// Text fields received so far.
    given: Vec<&'static str>,
}

/// A part of a form.
pub(crate) enum Part {
    /// A text field.
    Text(&'static str, String),
    /// A file.
    File(Box<File>),
}

/// A file in a form, as a stream of bytes.
pub(crate) struct File {
    field: Field<'static>,
    leash: Arc<Leash>,
}

impl File {
    /// Returns its name, as sent.
    pub(crate) fn name(&self) -> &str {
        self.field.file_name().unwrap_or_default()
    }
}

impl Stream for File {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The file is passed on as it arrives, so it needs no limit.
        self.leash.allow(usize::MAX);
        let next = ready!(Pin::new(&mut self.field).poll_next(cx));
        Poll::Ready(next.map(|came| came.map_err(|error| unreadable(&error))))
    }
}

impl Form {
    /// Takes the form of a request. If the caller has not presented a CSRF token, the first field must contain it;
    /// otherwise nothing more is read.
    ///
    /// # Errors
    /// A problem if the body is not a form, or may come from another site.
    pub(crate) async fn of(request: Request, texts: Texts) -> Result<Form> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| {
            Problem::invalid("the body is not `multipart/form-data`")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .hint("set `Content-Type: multipart/form-data`, with one `file` field for each file")
        })?;
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return Err(Problem::invalid(format!("the form's boundary must have 1 to {LONGEST_BOUNDARY} characters")));
        }
        let extensions = request.extensions();
        let pending = extensions.get::<CsrfPending>().and(extensions.get::<Caller>()).cloned();
        let leash = Arc::new(Leash::default());
        let parts = Multipart::new(Leashed::new(request.into_body().into_data_stream(), Arc::clone(&leash)), boundary);
        let mut form = Form { parts, leash, texts, given: Vec::new() };
        if let Some(caller) = pending {
            let first = form.field().await?.filter(|field| field.name() == Some(CSRF_FIELD));
            let csrf = form.text(first.ok_or_else(csrf_missing)?, CSRF_FIELD, LONGEST_CSRF).await?;
            if !caller.is_own_page(&csrf) {
                return Err(csrf_missing());
            }
        }
        Ok(form)
    }

    /// Returns the next part. The previous file must have been read to its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        loop {
            let Some(field) = self.field().await? else { return Ok(None) };
            let name = field.name().unwrap_or_default();
            if name == "file" {
                return Ok(Some(Part::File(Box::new(File { field, leash: Arc::clone(&self.leash) }))));
            }
            let csrf = (CSRF_FIELD, LONGEST_CSRF);
            let Some((name, most)) = self.texts.iter().chain([&csrf]).find(|known| known.0 == name).copied() else {
                return Err(self.unknown(name));
            };
            if self.given.contains(&name) {
                return Err(Problem::invalid(format!("field `{name}` is given twice")));
            }
            self.given.push(name);
            let text = self.text(field, name, most).await?;
            // The header has been checked.
            if name != CSRF_FIELD {
                return Ok(Some(Part::Text(name, text)));
            }
        }
    }

    fn unknown(&self, name: &str) -> Problem {
        let known: Vec<String> = self.texts.iter().map(|(name, _)| format!("`{name}`")).collect();
        let name: String = name.chars().take(100).collect();
        Problem::invalid(format!("unknown field `{}`", name.escape_debug()))
            .hint(format!("known fields: `file`, {}", known.join(", ")))
    }

    async fn field(&mut self) -> Result<Option<Field<'static>>> {
        self.leash.allow(LONGEST_HEAD);
        self.parts.next_field().await.map_err(|error| unreadable(&error))
    }

    async fn text(&self, mut field: Field<'static>, name: &str, most: usize) -> Result<String> {
        let mut bytes = Vec::new();
        loop {
            self.leash.allow(usize::MAX);
            let Some(came) = field.chunk().await.map_err(|error| unreadable(&error))? else { break };
            if bytes.len() + came.len() > most {
                return Err(Problem::invalid(format!("field `{name}` of the form is longer than {most} bytes"))
                    .status(StatusCode::PAYLOAD_TOO_LARGE));
            }
            bytes.extend_from_slice(&came);
        }
        String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("field `{name}` of the form is not UTF-8")))
    }
}

/// Describes what is wrong with a form.
fn unreadable(error: &multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) if cause.is::<TooLong>() => {
            Problem::invalid(format!("cannot read the form: {cause}")).status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        multer::Error::StreamReadFailed(_) => broke_off(),
        error => Problem::invalid(format!("cannot read the form: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Body;
    use futures_util::{StreamExt as _, TryStreamExt as _, stream};

    use super::*;

    const TEXTS: Texts = &[("version", 1024), ("metadata", 1 << 20)];

    /// A request whose form arrives in pieces, and the number of bytes read from it.
    fn request(boundary: &str, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> (Request, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let body = stream::iter(pieces.map(Ok::<_, std::io::Error>)).inspect_ok(move |piece| {
            counted.fetch_add(piece.len(), Ordering::Relaxed);
        });
        let kind = format!("multipart/form-data; boundary={boundary}");
        (Request::builder().header(header::CONTENT_TYPE, kind).body(Body::from_stream(body)).unwrap(), taken)
    }

    /// Reads a form to its end: its texts, and the contents of its files.
    async fn read(request: Request) -> Result<Vec<(String, Vec<u8>)>> {
        let mut form = Form::of(request, TEXTS).await?;
        let mut read = Vec::new();
        while let Some(part) = form.next().await? {
            read.push(match part {
                Part::Text(name, text) => (name.to_owned(), text.into_bytes()),
                Part::File(file) => (file.name().to_owned(), file.map(|came| came.map(Vec::from)).try_concat().await?),
            });
        }
        Ok(read)
    }

    const FILE: &[u8] = b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n";

    /// All kinds of endless forms, with their beginning and the bytes that repeat.
    fn shapes() -> Vec<(&'static str, Vec<u8>, Vec<u8>, u16)> {
        let text = |name: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes();
        let head = b"--b\r\ncontent-disposition: form-data; name=\"".to_vec();
        vec![
            ("a preamble", Vec::new(), vec![b'x'; 8192], 413),
            ("a preamble of line ends", Vec::new(), b"\r\n".repeat(4096), 413),
            ("a preamble of boundaries that are none", Vec::new(), b"\r\n--a".repeat(2000), 413),
            ("headers of a part", FILE.to_vec(), b"x: y\r\n".repeat(1000), 413),
            ("a header of a part", FILE.to_vec(), vec![b'x'; 8192], 413),
            ("the name of a field", head, vec![b'x'; 8192], 413),
            ("blanks after a boundary", b"--b".to_vec(), vec![b' '; 8192], 413),
            ("a text", text("version"), vec![b'x'; 8192], 413),
            ("the longest text", text("metadata"), vec![b'x'; 8192], 413),
            ("the same text", Vec::new(), [text("version"), b"1\r\n".to_vec()].concat(), 400),
            ("fields that are none", Vec::new(), [text("other"), b"1\r\n".to_vec()].concat(), 400),
            ("CSRF tokens", Vec::new(), [text("csrf"), b"1\r\n".to_vec()].concat(), 400),
            ("nothing but ends", Vec::new(), b"--b\r\n".repeat(1000), 413),
        ]
    }

    #[tokio::test]
    async fn what_never_ends_is_refused_before_much_of_it_came() {
        for (what, first, again, status) in shapes() {
            let (request, taken) = request("b", std::iter::once(first).chain(std::iter::repeat_n(again, 8192)));
            let refused = read(request).await.unwrap_err();
            let (taken, most) =
                (taken.load(Ordering::Relaxed), if what == "the longest text" { 2 << 20 } else { 128 << 10 });
            assert_eq!(refused.status.as_u16(), status, "{what}: {refused:?}");
            assert!(taken < most, "{what}: {taken} bytes were taken");
        }
    }

    /// With single bytes, the parser would rescan its buffer for each.
    #[tokio::test]
    async fn what_comes_byte_by_byte_is_refused_as_well() {
        for (what, first, again, status) in shapes() {
            let bytes = std::iter::once(first).chain(std::iter::repeat_n(again, 1000)).flatten().map(|byte| vec![byte]);
            let (request, taken) = request("b", bytes);
            let refused = read(request).await.unwrap_err();
            assert_eq!(refused.status.as_u16(), status, "{what}: {refused:?}");
            assert!(taken.load(Ordering::Relaxed) < 2 << 20, "{what}");
        }
    }

    #[tokio::test]
    async fn files_come_as_they_are_however_they_are_cut() {
        // Full of bytes that resemble the boundary.
        let pieces = [b"\r\n--b".as_slice(), b"\r\n--boundar", b"\r", b"\n", b"--boundary\r\n", b"\r\n--", b"x", b"\0"];
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..60 {
            let files: Vec<Vec<u8>> = (0..3)
                .map(|_| {
                    (0..next(if round % 3 == 0 { 20_000 } else { 30 }))
                        .flat_map(|_| pieces[next(pieces.len())])
                        .copied()
                        .collect()
                })
                .collect();
            let mut body = b"preamble\r\n".to_vec();
            for (index, file) in files.iter().enumerate() {
                body.extend(
                    format!(
                        "--boundaryX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{index}\"\r\n\r\n"
                    )
                    .bytes(),
                );
                body.extend(file);
                body.extend(b"\r\n");
            }
            body.extend(
                b"--boundaryX\r\ncontent-disposition: form-data; name=\"version\"\r\n\r\n1\r\n--boundaryX--\r\n",
            );
            let mut cut = Vec::new();
            while !body.is_empty() {
                let len = (1 + next([3, 100, 100_000][round % 3])).min(body.len());
                cut.push(body.drain(..len).collect());
            }
            let (request, _) = request("boundaryX", cut.into_iter());
            let mut wanted: Vec<_> =
                files.into_iter().enumerate().map(|(index, file)| (index.to_string(), file)).collect();
            wanted.push(("version".to_owned(), b"1".to_vec()));
            assert!(read(request).await.unwrap() == wanted, "round {round}");
        }
    }

    #[tokio::test]
    async fn what_is_no_form() {
        for (boundary, status) in [("", 400), (&*"x".repeat(71), 400)] {
            let (request, taken) = request(boundary, std::iter::repeat(vec![b'x'; 8192]));
            assert_eq!(read(request).await.unwrap_err().status.as_u16(), status);
            assert_eq!(taken.load(Ordering::Relaxed), 0);
        }
        let begun = [FILE, b"\r\nbytes"].concat();
        let (request, _) = request("b", std::iter::once(begun));
        assert_eq!(read(request).await.unwrap_err().status.as_u16(), 400, "it ends too early");
    }
}
