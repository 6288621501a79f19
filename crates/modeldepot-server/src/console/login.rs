//! Logging in with a token, and out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::asked::Asked;
use super::page::{Page, Place};
use super::refusal::{Result, notice};
use crate::auth::Reader;
use crate::log::Note;
use crate::problem::{Problem, Told};
use crate::state::App;

pub(super) async fn get(State(app): State<App>, asked: Asked) -> Response {
    if !app.service.gate.is_closed() {
        return Redirect::to("/").into_response();
    }
    page(inside(asked.raw("next")), &html! {}).into_response()
}

pub(super) async fn post(State(app): State<App>, note: Note, body: axum::body::Bytes) -> Response {
    let form = Asked::parse(&body);
    let next = inside(form.raw("next"));
    match app.service.gate.log_in(form.get("token").unwrap_or_default()) {
        Ok((cookie, who)) => {
            note.who(&who);
            ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Err(problem) => {
            let problem =
                Problem::hint(problem, "`modeldepot token add NAME --scope read` makes one, where the service runs");
            let mut response = page(next, &notice(&problem)).status(StatusCode::UNAUTHORIZED).into_response();
            response.extensions_mut().insert(Told::of(&problem));
            response
        }
    }
}

pub(super) async fn log_out(State(app): State<App>, headers: HeaderMap, _: Reader) -> Result<Response> {
    let cookie = app.service.gate.log_out(&headers)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}

/// Returns an address of this service, whatever was asked for.
fn inside(next: Option<&str>) -> &str {
    let plain = |next: &&str| {
        next.starts_with('/')
            && !next[1..].starts_with(['/', '\\'])
            && !next.contains(|letter: char| letter.is_control())
    };
    next.filter(plain).unwrap_or("/")
}

fn page(next: &str, said: &Markup) -> Page {
    let body = html! {
        div.login.card {
            h1 { "Log in" }
            (said)
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="token" { "Token" }
                    input.wide id="token" type="password" name="token" required autocomplete="current-password" autofocus
                        aria-describedby="token-hint";
                    p.hint id="token-hint" { "It begins with " code { "mdt_" } ". Whoever runs the service makes it." }
                }
                button.primary { "Log in" }
            }
        }
    };
    Page::new(Place::Elsewhere, "Log in", body)
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
