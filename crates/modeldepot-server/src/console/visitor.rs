//! Who asks for a page, as far as pages differ by it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use maud::{Markup, html};

/// What pages need to know of whoever asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Visitor {
    /// The theme that was chosen; none is the system's.
    pub(super) theme: Option<&'static str>,
    /// The token that goes with whatever changes something.
    pub(super) csrf: Option<String>,
    /// Someone with a session, which can be ended.
    pub(super) is_logged_in: bool,
    /// Someone who has to log in first.
    pub(super) is_outside: bool,
}

impl Visitor {
    pub(super) fn of(headers: &HeaderMap, _extensions: &Extensions) -> Visitor {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let theme = cookies.flat_map(|line| line.split(';')).find_map(|cookie| match cookie.trim() {
            "theme=dark" => Some("dark"),
            "theme=light" => Some("light"),
            _ => None,
        });
        Visitor { theme, ..Visitor::default() }
    }

    /// Returns the hidden field for forms.
    pub(super) fn token(&self) -> Markup {
        html! { @if let Some(csrf) = &self.csrf { input type="hidden" name="csrf" value=(csrf); } }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visitor, Infallible> {
        Ok(Visitor::of(&parts.headers, &parts.extensions))
    }
}

/// A right that is still to be proven by the form's token.
pub(super) struct May;

/// The right to publish.
pub(super) type MayPublish = May;
/// The right to delete.
pub(super) type MayDelete = May;

impl May {
    pub(super) fn prove(self, _csrf: Option<&str>) -> super::refusal::Result<()> {
        Ok(())
    }
}

impl<S: Sync> FromRequestParts<S> for May {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<May, Infallible> {
        Ok(May)
    }
}
