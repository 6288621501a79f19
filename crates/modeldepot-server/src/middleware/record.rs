//! The outermost layer but one: gives each request an id, and writes its lines of the audit log and the access log.

use std::time::Instant;

use axum::RequestPartsExt as _;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::log::{Note, Sent, Unanswered};
use crate::problem::Told;
use crate::state::App;

/// The header with the request's id, as in the logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware.
pub(crate) async fn record(State(app): State<App>, request: Request, next: Next) -> Response {
    let logs = &app.service.logs;
    let began = Instant::now();
    let (mut parts, body) = request.into_parts();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let note = Note::new(logs.clone(), id, &parts);
    if let Ok(params) = parts.extract::<RawPathParams>().await {
        note.params(&params);
    }
    parts.extensions.insert(note.clone());
    let method = parts.method.clone();
    let unanswered = Unanswered::new(note.clone(), began);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    unanswered.answered();
    let told = response.extensions_mut().remove::<Told>();
    note.answered(response.status(), told.as_ref());
    if let Ok(id) = HeaderValue::from_str(note.id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    match logs.access {
        Some(_) => Sent::around(response, note, &method, began),
        None => response,
    }
}
