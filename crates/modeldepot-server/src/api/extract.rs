//! Extractors of requests; their rejections are problem documents.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use modeldepot::{ModelName, visible};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::problem::{Problem, Result};
use crate::state::App;

/// The parameters of a path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        match axum::extract::Path::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(refusal) => Err(Problem::invalid(format!("cannot read the path: {}", refusal.body_text()))),
        }
    }
}

/// The path parameters of everything that belongs to a version.
#[derive(Deserialize)]
pub(crate) struct OfVersion {
    model: String,
    version: String,
}

impl OfVersion {
    pub(crate) fn model(&self) -> Result<ModelName> {
        Ok(self.model.parse()?)
    }

    /// Returns the version as written, which may be `latest`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        match axum::Json::from_request(request, app).await {
            Ok(axum::Json(value)) => Ok(Json(value)),
            Err(refusal) => Err(refused(&refusal)),
        }
    }
}

fn refused(refusal: &JsonRejection) -> Problem {
    let status = match refusal.status() {
        // JSON of the wrong shape is a bad request, like malformed JSON.
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::invalid("the body is not JSON").hint("send it with `Content-Type: application/json`")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::invalid("the body is too large"),
        _ => Problem::invalid("the body does not match the expected JSON").because(vec![reason(refusal)]),
    }
    .status(status)
}

/// Returns what is wrong with a body, with the place: the innermost cause, which axum's own message repeats in full.
fn reason(refusal: &JsonRejection) -> String {
    let mut reason: &dyn std::error::Error = refusal;
    while let Some(cause) = reason.source() {
        reason = cause;
    }
    said(&reason.to_string())
}

/// Rewords the parser's message about text that is not JSON at all.
pub(super) fn said(reason: &str) -> String {
    let reason = visible(reason);
    match reason.strip_prefix("expected ident") {
        Some(place) => format!("this is not JSON{place}"),
        None => reason.into_owned(),
    }
}

/// The pairs of a query, in order.
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    /// Refuses unknown names: a misspelled filter must not seem to match everything.
    pub(crate) fn only(self, names: &[&str]) -> Result<Query> {
        match self.0.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(self),
            Some((name, _)) => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let problem = Problem::invalid(format!("unknown parameter `{}`", name.escape_debug()));
                Err(match names.is_empty() {
                    true => problem,
                    false => problem.hint(format!("known parameters: {}", names.join(", "))),
                })
            }
        }
    }

    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a name that may occur once.
    pub(crate) fn one<'q>(&'q self, name: &'q str) -> Result<Option<&'q str>> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Problem::invalid(format!("`{name}` is given twice"))),
            (value, None) => Ok(value),
        }
    }

    /// Returns an integer within bounds.
    pub(crate) fn number(&self, name: &str, default: usize, bounds: std::ops::RangeInclusive<usize>) -> Result<usize> {
        let Some(text) = self.one(name)? else { return Ok(default) };
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| plain && bounds.contains(number)).ok_or_else(|| {
            let (least, most) = (bounds.start(), bounds.end());
            Problem::invalid(format!("`{name}` must be a whole number from {least} to {most}"))
        })
    }

    /// Returns a flag: `?stream` and `?stream=true` are both true. [`flag_schema`] says so in the description of the API.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.one(name)? {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(_) => Err(Problem::invalid(format!("`{name}` must be `true` or `false`"))),
        }
    }
}

/// Describes a flag: true, false, or nothing after its name.
pub(crate) fn flag_schema() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
    let kinds = SchemaType::Array(vec![Type::Boolean, Type::String]);
    let values = [true.into(), false.into(), serde_json::Value::from("")];
    ObjectBuilder::new().schema_type(kinds).enum_values(Some(values)).build()
}
