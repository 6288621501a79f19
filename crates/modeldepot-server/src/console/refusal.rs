//! Error pages: what failed, why, and what to do next.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use modeldepot::NameError;

use super::page::{Page, Place};
use super::shown::shown;
use crate::problem::{Problem, Told};

/// The result of a page's handler.
pub(super) type Result<T = Page> = std::result::Result<T, Refusal>;

/// A failure that is shown as a page.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Problem);

impl<E> From<E> for Refusal
where
    Problem: From<E>,
{
    fn from(error: E) -> Refusal {
        Refusal(Problem::from(error))
    }
}

impl Refusal {
    pub(super) fn invalid(detail: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal(Problem::invalid(detail).hint(hint))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal(problem) = self;
        // Not logged when unavailable: callers could fill the log by asking again.
        if problem.status.is_server_error() && problem.status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(status = problem.status.as_u16(), detail = problem.detail, "failed");
        }
        let mut response = page(&problem).into_response();
        response.extensions_mut().insert(Told::of(&problem));
        problem.add_headers(response.headers_mut());
        response
    }
}

/// Returns the error page.
pub(super) fn page(problem: &Problem) -> Page {
    let title = match problem.status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::GONE => "Deleted",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "Not allowed",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::SERVICE_UNAVAILABLE => "Temporarily unavailable",
        StatusCode::BAD_GATEWAY => "Damaged",
        status if status.is_server_error() => "Something went wrong",
        _ => "Invalid request",
    };
    let body = html! {
        div.refusal.card {
            h1 { (title) }
            (notice(problem))
            p { a.button href="/" { "All models" } }
        }
    };
    Page::new(Place::Elsewhere, title, body).status(problem.status)
}

/// Returns a failure as a notice within a page.
pub(super) fn notice(problem: &Problem) -> Markup {
    html! {
        div.notice.bad role="alert" {
            p { (with_code(&problem.detail)) }
            @for cause in &problem.causes { p.muted { "caused by: " (shown(cause)) } }
            @if let Some(hint) = problem.page_hint.as_deref().or(problem.hint.as_deref()) {
                // A question needs no heading.
                @if let Some(rest) = hint.strip_prefix("did you mean") { p { "Did you mean" (with_code(rest)) } }
                @else { p { b { "What to do: " } (with_code(hint)) } }
            }
        }
    }
}

/// Renders text in backticks as code.
pub(super) fn with_code(text: &str) -> Markup {
    let text = shown(text);
    let parts: Vec<&str> = text.split('`').collect();
    // An unpaired backtick, from an untrusted name, starts no code.
    let closed = parts.len() % 2 == 1;
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 && closed { code { (part) } } @else { (part) }
        }
    }
}

/// The page for an address that does not exist.
pub(super) fn nowhere() -> Page {
    let problem = Problem::new(modeldepot::ErrorKind::NotFound, "this page does not exist");
    page(&problem.hint("the home page lists the models"))
}

/// Parses a name in an address.
pub(super) fn name<T: std::str::FromStr<Err = NameError>>(text: &str) -> Result<T> {
    Ok(text.parse::<T>()?)
}
