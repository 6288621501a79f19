//! Error responses (RFC 9457 problem documents), by the library's error kinds.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use modeldepot::{ErrorKind, LONGEST_MESSAGE, NameError, causes, shortened};
use serde::Serialize;

use crate::auth::sees;
use crate::hint::{hint, page_hint};

/// The media type of a problem document.
const MEDIA_TYPE: &str = "application/problem+json";

/// An error response.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) kind: ErrorKind,
    pub(crate) detail: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    /// What to do next for a visitor of the console, where that differs.
    pub(crate) page_hint: Option<Box<str>>,
    /// Whether an unknown token was presented: a guess, unlike an expired one.
    guessed: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A summary of a problem for the logs, in the extensions of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The status of the problem. A layer outside may have answered with another.
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    /// Whether an unknown token was presented.
    pub(crate) guessed: bool,
}

impl Told {
    pub(crate) fn of(problem: &Problem) -> Told {
        Told {
            status: problem.status,
            kind: problem.kind.word(),
            detail: problem.detail.clone(),
            guessed: problem.guessed,
        }
    }
}

/// A result of a handler.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

/// A problem document (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Documentation of the kind, relative to the service.
    #[serde(rename = "type")]
    #[schema(example = "/docs#not_found")]
    of: String,
    /// The reason phrase of the status.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What failed, and on what.
    #[schema(example = "model `plant_clasifier` does not exist")]
    detail: String,
    /// What to do: `invalid` (fix the input), `not_found` (check the name), `conflict` (choose another version),
    /// `denied` (fix credentials or policy), `unavailable` (try again), `corrupt` (do not use it; publish again),
    /// `unverified` (no digest was published to verify it against), `io` (the service's disk), `internal` (report it).
    kind: &'static str,
    /// Causes, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "did you mean `plant_classifier`?")]
    hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Problem {
        Problem {
            status: status(kind),
            kind,
            detail: bounded(detail.into()),
            causes: Vec::new(),
            hint: None,
            page_hint: None,
            guessed: false,
            headers: Vec::new(),
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(ErrorKind::Invalid, detail)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Problem {
        Problem { hint: Some(bounded(hint.into())), page_hint: None, ..self }
    }

    /// Marks the problem as caused by an unknown token.
    pub(crate) fn guessed(self) -> Problem {
        Problem { guessed: true, ..self }
    }

    pub(crate) fn status(self, status: StatusCode) -> Problem {
        Problem { status, ..self }
    }

    pub(crate) fn because(self, causes: Vec<String>) -> Problem {
        Problem { causes: causes.into_iter().map(bounded).collect(), ..self }
    }

    pub(crate) fn value(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Problem {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Problem {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Adds the problem's headers to an answer, once each.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        let again = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS, StatusCode::INSUFFICIENT_STORAGE];
        if again.contains(&self.status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// Bounds a text that may repeat what was sent, or what is in the bucket: it is answered and logged.
fn bounded(text: String) -> String {
    match shortened(&text, LONGEST_MESSAGE) {
        Cow::Owned(short) => short,
        Cow::Borrowed(_) => text,
    }
}

/// Returns the HTTP status of each kind.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Corrupt => StatusCode::BAD_GATEWAY,
        ErrorKind::Unverified => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Io | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<modeldepot::Error> for Problem {
    fn from(error: modeldepot::Error) -> Problem {
        Problem::from(&error)
    }
}

impl From<&modeldepot::Error> for Problem {
    fn from(error: &modeldepot::Error) -> Problem {
        let problem = match error {
            // The caller did not choose the endpoint, so nothing in the request is wrong.
            modeldepot::Error::NotS3 { .. } => {
                Problem::new(ErrorKind::Unavailable, error.to_string()).status(StatusCode::BAD_GATEWAY)
            }
            modeldepot::Error::VersionDeleted { .. } => {
                Problem::new(error.kind(), error.to_string()).status(StatusCode::GONE)
            }
            _ => Problem::new(error.kind(), error.to_string()),
        };
        Problem {
            causes: causes(error),
            hint: suggested(error),
            page_hint: page_hint(error).map(String::into_boxed_str),
            ..problem
        }
    }
}

/// Returns a hint. It suggests no model that the caller may not see.
fn suggested(error: &modeldepot::Error) -> Option<String> {
    let modeldepot::Error::ModelNotFound { model, similar, .. } = error else { return hint(error) };
    let similar = similar.iter().filter(|model| sees(model)).cloned().collect();
    hint(&modeldepot::Error::model_not_found(model.clone(), similar))
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Problem {
        Problem::from(modeldepot::Error::from(error))
    }
}

impl Problem {
    /// Returns the document.
    pub(crate) fn document(&self) -> Document {
        Document {
            of: format!("/docs#{}", self.kind.word()),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            kind: self.kind.word(),
            causes: self.causes.clone(),
            hint: self.hint.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Not logged when unavailable: callers could fill the log by asking again.
        if self.status.is_server_error() && self.status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(status = self.status.as_u16(), detail = self.detail, causes = ?self.causes, "failed");
        }
        let mut response = (self.status, Json(self.document())).into_response();
        response.extensions_mut().insert(Told::of(&self));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.add_headers(headers);
        response
    }
}
