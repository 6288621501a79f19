//! Authorizes requests from their headers, before the body is read.
//!
//! The one exception is the CSRF token of a form submitted without JavaScript, which is one of its fields. A plain form
//! is small and read here; in a form with files it is the first field, which `form` reads before anything else.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use headers::{ContentLength, HeaderMapExt as _};
use url::form_urlencoded;

use crate::auth::{About, CSRF_FIELD, CSRF_HEADER, Caller, CsrfPending, asking, csrf_missing};
use crate::body::{read, too_large};
use crate::console::refused;
use crate::log::Note;
use crate::problem::Result;
use crate::state::App;
use crate::table::{Route, Takes};

/// The middleware of every route.
pub(crate) async fn admit(State((app, route)): State<(App, Route)>, request: Request, next: Next) -> Response {
    match admitted(&app, &route, request).await {
        Ok(request) => match request.extensions().get::<Caller>().map(|caller| caller.grants.clone()) {
            Some(grants) => asking(grants, next.run(request)).await,
            None => next.run(request).await,
        },
        Err(problem) if route.page => refused(problem),
        Err(problem) => problem.into_response(),
    }
}

async fn admitted(app: &App, route: &Route, mut request: Request) -> Result<Request> {
    if let Some(scope) = route.needs {
        let gate = &app.service.gate;
        let (mut parts, body) = request.into_parts();
        let about = About::of(&mut parts, route.path).await;
        let caller = gate.caller(&parts.headers)?;
        if let Some(note) = parts.extensions.get::<Note>() {
            note.who(&caller.who);
        }
        let caller = gate.allow(caller, scope, &about)?;
        parts.extensions.insert(about);
        request = Request::from_parts(parts, body);
        refuse_large(route, request.headers())?;
        if !route.is_safe() {
            request = from_own_page(route, &caller, request).await?;
        }
        request.extensions_mut().insert(caller);
        return Ok(request);
    }
    refuse_large(route, request.headers())?;
    Ok(request)
}

/// Refuses a body whose declared length is too large. Others are cut off while they are read.
fn refuse_large(route: &Route, headers: &HeaderMap) -> Result<()> {
    match (headers.typed_get::<ContentLength>(), route.takes.limit()) {
        // A body that is never read cannot be too large.
        (Some(ContentLength(length)), Some(limit)) if limit > 0 && length > limit as u64 => Err(too_large()),
        _ => Ok(()),
    }
}

/// Ensures that changes within a session are requested by our own pages.
async fn from_own_page(route: &Route, caller: &Caller, request: Request) -> Result<Request> {
    let header = request.headers().get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    if caller.is_own_page(header.unwrap_or_default()) {
        return Ok(request);
    }
    match route.takes {
        Takes::Form | Takes::LongForm => {
            let (parts, body) = request.into_parts();
            let body = read(body, route.takes.limit().unwrap_or_default()).await?;
            let field = form_urlencoded::parse(&body).find(|(name, _)| name == CSRF_FIELD);
            match caller.is_own_page(&field.map(|(_, value)| value).unwrap_or_default()) {
                true => Ok(Request::from_parts(parts, Body::from(body))),
                false => Err(csrf_missing()),
            }
        }
        Takes::Files => {
            let mut request = request;
            request.extensions_mut().insert(CsrfPending);
            Ok(request)
        }
        Takes::Nothing | Takes::Json | Takes::File => Err(csrf_missing()),
    }
}
