//! Who asks for a page, as far as pages differ by it, and what they may do.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use maud::{Markup, html};

use crate::auth::Scope;
use crate::state::App;

/// What pages need to know of whoever asks.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// The theme that was chosen; none is the system's.
    pub(super) theme: Option<&'static str>,
    /// The token that goes with whatever changes something.
    csrf: String,
    /// What they may do; none has to log in first.
    scope: Option<Scope>,
    /// Someone with a session, which can be ended.
    pub(super) is_logged_in: bool,
}

impl Visitor {
    pub(super) fn of(app: &App, headers: &HeaderMap) -> Visitor {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let theme = cookies.flat_map(|line| line.split(';')).find_map(|cookie| match cookie.trim() {
            "theme=dark" => Some("dark"),
            "theme=light" => Some("light"),
            _ => None,
        });
        let gate = &app.service.gate;
        match gate.caller(headers) {
            Ok(caller) => {
                let scope = if gate.read_only { Scope::Read } else { caller.scope };
                Visitor { theme, csrf: caller.csrf, scope: Some(scope), is_logged_in: caller.name.is_some() }
            }
            Err(_) => Visitor { theme, csrf: String::new(), scope: None, is_logged_in: false },
        }
    }

    /// Returns true for someone who has to log in first.
    pub(super) fn is_outside(&self) -> bool {
        self.scope.is_none()
    }

    pub(super) fn may_publish(&self) -> bool {
        self.scope >= Some(Scope::Publish)
    }

    pub(super) fn may_delete(&self) -> bool {
        self.scope >= Some(Scope::Delete)
    }

    pub(super) fn csrf(&self) -> Option<&str> {
        Some(self.csrf.as_str()).filter(|csrf| !csrf.is_empty())
    }

    /// Returns the hidden field for forms. It is the first of a form: what follows may be long.
    pub(super) fn token(&self) -> Markup {
        html! { @if let Some(csrf) = self.csrf() { input type="hidden" name="csrf" value=(csrf); } }
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Visitor, Infallible> {
        Ok(Visitor::of(app, &parts.headers))
    }
}
