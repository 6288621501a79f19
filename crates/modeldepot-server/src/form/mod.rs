//! Forms with files (`multipart/form-data`), as they come: never gathered, and bounded in everything but the files.
//!
//! `multer` cuts a form into its parts. It reads as much as there is and searches it again with each piece, so what it is
//! given is kept on a leash: pieces of some KiB, and no more than [`LONGEST_HEAD`] until the next part has begun.

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
use crate::access::{CSRF_FIELD, Unproven, broke_off};
use crate::auth::{Caller, csrf_missing};
use crate::problem::{Problem, Result};

/// The fields of a form that are text, each with the most bytes that it may have. Each may be given once.
pub(crate) type Texts = &'static [(&'static str, usize)];

/// What may come before a part begins: the form's preamble, or what is said of the part. A path is at most 512 characters.
const LONGEST_HEAD: usize = 16 * 1024;

/// The longest boundary (RFC 2046).
const LONGEST_BOUNDARY: usize = 70;

/// The longest CSRF token that is looked at.
const LONGEST_CSRF: usize = 128;

/// A form on its way.
pub(crate) struct Form {
    parts: Multipart<'static>,
    leash: Arc<Leash>,
    texts: Texts,
    /// Texts that were given.
    given: Vec<&'static str>,
}

/// A part of a form.
pub(crate) enum Part {
    /// A text, by the name of its field.
    Text(&'static str, String),
    /// A file.
    File(File),
}

/// A file in a form: a stream of its bytes.
pub(crate) struct File {
    field: Field<'static>,
    leash: Arc<Leash>,
}

impl File {
    /// Returns its name, as it was sent.
    pub(crate) fn name(&self) -> &str {
        self.field.file_name().unwrap_or_default()
    }
}

impl Stream for File {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // What comes is handed on, so there is no end to it.
        self.leash.allow(usize::MAX);
        let next = ready!(Pin::new(&mut self.field).poll_next(cx));
        Poll::Ready(next.map(|came| came.map_err(|error| unreadable(&error))))
    }
}

impl Form {
    /// Takes the form of a request. Where the caller is still to show that it is of a page of this service, its first
    /// field must do so; nothing more is read otherwise.
    ///
    /// # Errors
    /// A problem when it is no form, or comes from elsewhere.
    pub(crate) async fn of(request: Request, texts: Texts) -> Result<Form> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| {
            Problem::invalid("the body is not a form")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .hint("send `multipart/form-data`, as `curl -F file=@best_model.pth` does")
        })?;
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return Err(Problem::invalid(format!("the form's boundary must have 1 to {LONGEST_BOUNDARY} characters")));
        }
        let extensions = request.extensions();
        let unproven = extensions.get::<Unproven>().and(extensions.get::<Caller>()).cloned();
        let leash = Arc::new(Leash::default());
        let parts = Multipart::new(Leashed::new(request.into_body().into_data_stream(), Arc::clone(&leash)), boundary);
        let mut form = Form { parts, leash, texts, given: Vec::new() };
        if let Some(caller) = unproven {
            let first = form.field().await?.filter(|field| field.name() == Some(CSRF_FIELD));
            let csrf = form.text(first.ok_or_else(csrf_missing)?, CSRF_FIELD, LONGEST_CSRF).await?;
            if !caller.is_own_page(&csrf) {
                return Err(csrf_missing());
            }
        }
        Ok(form)
    }

    /// Returns the next part. The file before it must have been read to its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        loop {
            let Some(field) = self.field().await? else { return Ok(None) };
            let name = field.name().unwrap_or_default();
            if name == "file" {
                return Ok(Some(Part::File(File { field, leash: Arc::clone(&self.leash) })));
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
            // Its header was enough.
            if name != CSRF_FIELD {
                return Ok(Some(Part::Text(name, text)));
            }
        }
    }

    fn unknown(&self, name: &str) -> Problem {
        let known: Vec<String> = self.texts.iter().map(|(name, _)| format!("`{name}`")).collect();
        let name: String = name.chars().take(100).collect();
        Problem::invalid(format!("`{}` is no field here", name.escape_debug()))
            .hint(format!("there are `file`, {}", known.join(", ")))
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

/// Says what is wrong with a form.
fn unreadable(error: &multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) if cause.is::<TooLong>() => {
            Problem::invalid(format!("the form cannot be read: {cause}")).status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        multer::Error::StreamReadFailed(_) => broke_off(),
        error => Problem::invalid(format!("the form cannot be read: {error}")),
    }
}
