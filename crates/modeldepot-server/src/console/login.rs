//! Logging in with a token, and logging out.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::asked::Asked;
use super::href;
use super::page::{Page, Place};
use super::refusal::{Result, notice};
use crate::auth::{Reader, Who};
use crate::log::Note;
use crate::problem::Told;
use crate::state::App;

pub(super) async fn get(State(app): State<App>, asked: Asked) -> Response {
    if !app.service.gate.is_closed() {
        return Redirect::to("/").into_response();
    }
    page(&app, inside(asked.raw("next")), &logged_out(&app, &asked)).into_response()
}

pub(super) async fn post(State(app): State<App>, note: Note, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let form = Asked::parse(&body);
    let next = inside(form.raw("next"));
    match app.service.gate.log_in(form.get("token").unwrap_or_default(), &headers) {
        Ok((cookie, who)) => {
            note.who(&who);
            ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Err(problem) => {
            let mut response = page(&app, next, &notice(&problem)).status(problem.status).into_response();
            response.extensions_mut().insert(Told::of(&problem));
            response
        }
    }
}

pub(super) async fn log_out(State(app): State<App>, headers: HeaderMap, caller: Reader) -> Result<Response> {
    let cookie = app.service.gate.log_out(&headers)?;
    let to = if matches!(caller.0.who, Who::Person(_)) { "/login?logged_out=1" } else { "/login" };
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response())
}

/// Tells visitors who have logged out that they are still logged in at the provider, so that the next login may not ask
/// for a password. It is a link, because our forms may not lead to other sites.
fn logged_out(app: &App, asked: &Asked) -> Markup {
    let provider = app.service.oidc.as_ref().filter(|_| asked.get("logged_out").is_some());
    html! {
        @if let Some(provider) = provider {
            div.notice role="status" {
                p { "You are logged out here. You may still be logged in at " b { (provider.host()) } "." }
                @if let Some(url) = provider.logout_url() {
                    p { a href=(url) rel="noreferrer" { "Log out of " (provider.host()) " too" } }
                }
            }
        }
    }
}

/// Returns a path within this service, whatever was requested.
pub(super) fn inside(next: Option<&str>) -> &str {
    let plain = |next: &&str| {
        next.starts_with('/')
            && !next[1..].starts_with(['/', '\\'])
            && !next.contains(|letter: char| letter.is_control())
    };
    next.filter(plain).unwrap_or("/")
}

fn page(app: &App, next: &str, said: &Markup) -> Page {
    let body = html! {
        div.login.card {
            h1 { "Log in" }
            (said)
            @if let Some(provider) = &app.service.oidc {
                p { a.button.primary href=(href::query("/login/oidc", &[("next", next)])) { "Log in with " (provider.host()) } }
            }
            @if app.service.gate.has_tokens() { (with_token(next)) }
        }
    };
    Page::new(Place::Elsewhere, "Log in", body)
}

fn with_token(next: &str) -> Markup {
    html! {
        form method="post" action="/login" {
            input type="hidden" name="next" value=(next);
            div.field {
                label for="token" { "Token" }
                input.wide id="token" type="password" name="token" required autocomplete="current-password" autofocus
                    aria-describedby="token-hint";
                p.hint id="token-hint" { "It starts with " code { "mdt_" } ". Ask the operator of this service for one." }
            }
            button.primary { "Log in" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stays_here_after_logging_in() {
        assert_eq!(inside(Some("/models/m?sort=-size")), "/models/m?sort=-size");
        for other in ["//evil.example", "/\\evil.example", "https://evil.example", "", "models", "/a\r\nb"] {
            assert_eq!(inside(Some(other)), "/", "{other}");
        }
    }
}
