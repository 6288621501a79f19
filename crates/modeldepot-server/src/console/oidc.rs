//! Login through the provider: redirect and return.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{DOCTYPE, Markup, html};

use super::asked::Asked;
use super::assets::ASSETS;
use super::href;
use super::login::inside;
use super::page::{Page, Place};
use super::refusal::{notice, nowhere, page as refused};
use crate::auth::{Who, cookie_value};
use crate::log::Note;
use crate::oidc::{Answer, Failure};
use crate::problem::{Problem, Told};
use crate::state::App;

/// The cookie of a login in progress. Browsers only accept the second from the same host and over HTTPS.
const COOKIES: [&str; 2] = ["modeldepot_login", "__Host-modeldepot_login"];

/// Returns true if the browser has the cookie of a login in progress.
pub(super) fn has_attempt(headers: &HeaderMap) -> bool {
    COOKIES.iter().any(|name| cookie_value(headers, name).is_some_and(|value| !value.is_empty()))
}

/// Sends the browser to the provider.
pub(super) async fn begin(State(app): State<App>, uri: Uri, headers: HeaderMap, asked: Asked) -> Response {
    let Some(provider) = &app.service.oidc else { return nowhere().into_response() };
    let next = inside(asked.raw("next"));
    match provider.begin(host(&uri, &headers), next).await {
        Ok((url, value)) => {
            let cookie = cookie(&app, &value, provider.attempt_seconds());
            (cookie, Redirect::to(url.as_str())).into_response()
        }
        Err(failure) => failed(failure, next),
    }
}

/// Handles the browser's return from the provider.
pub(super) async fn finish(State(app): State<App>, uri: Uri, headers: HeaderMap, note: Note, asked: Asked) -> Response {
    let Some(provider) = &app.service.oidc else { return nowhere().into_response() };
    let part = |name: &str| asked.raw(name).map(str::to_owned);
    let answer = Answer {
        code: part("code"),
        state: part("state"),
        issuer: part("iss"),
        error: part("error"),
        description: part("error_description"),
    };
    let ours = COOKIES[usize::from(app.service.gate.is_secure())];
    let sealed = cookie_value(&headers, ours);
    let (person, next) = match provider.finish(host(&uri, &headers), answer, sealed).await {
        Ok(arrived) => arrived,
        Err(failure) => return failed(failure, "/"),
    };
    tracing::info!(person = person.name, subject = person.subject, grants = %person.grants, "logged in by OpenID Connect");
    let person = Arc::new(person);
    note.who(&Who::Person(Arc::clone(&person)));
    let session = match app.service.gate.welcome(person, &headers) {
        Ok(session) => session,
        Err(problem) => return refused(&problem).into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        // The URL of this page contains the code.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    // It was validated before it was stored in the cookie.
    let next = inside(Some(&next)).to_owned();
    let mut response = (headers, arrived(&next).into_string()).into_response();
    response.headers_mut().append(header::SET_COOKIE, session);
    let [(name, value)] = cookie(&app, "", 0);
    response.headers_mut().append(name, value);
    response
}

/// Returns a page that continues to the requested one. A redirect would not work: the session cookie is
/// `SameSite=Strict`, and browsers do not send it with a navigation that began at the provider's site.
fn arrived(next: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="refresh" content={ "0; url=" (next) };
                title { "Logged in · modeldepot" }
                link rel="icon" href=(ASSETS.icon.href) type="image/svg+xml";
                link rel="stylesheet" href=(ASSETS.style.href);
            }
            body { main { div.login.card {
                h1 { "Logged in" }
                p { a href=(next) { "Continue" } }
            } } }
        }
    }
}

fn failed(failure: Failure, next: &str) -> Response {
    tracing::warn!(result = failure.word(), person = failure.name(), "a login by OpenID Connect failed");
    let problem = Problem::from(failure);
    let body = html! {
        div.refusal.card {
            h1 { "Login failed" }
            (notice(&problem))
            p { a.button href=(href::query("/login", &[("next", next)])) { "Log in again" } }
        }
    };
    let mut response = Page::new(Place::Elsewhere, "Login failed", body).status(problem.status).into_response();
    response.extensions_mut().insert(Told::of(&problem));
    response
}

/// Returns the header that sets the cookie of a login in progress.
fn cookie(app: &App, value: &str, seconds: u64) -> [(HeaderName, HeaderValue); 1] {
    let secure = app.service.gate.is_secure();
    // `Lax`, so that browsers send it when they return from the provider.
    let rest = if secure { "; Path=/; Secure" } else { "; Path=/login/oidc" };
    let name = COOKIES[usize::from(secure)];
    let text = format!("{name}={value}{rest}; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    // The value is base64.
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    [(header::SET_COOKIE, value)]
}

/// Returns the host by which the browser addresses this service.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let named = uri.authority().map(|authority| authority.as_str());
    named.or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default()
}
