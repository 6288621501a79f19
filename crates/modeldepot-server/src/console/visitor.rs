//! The visitor of a page and their permissions.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use maud::{Markup, html};
use modeldepot::ModelName;

use crate::auth::{Grants, Scope, cookie_value};
use crate::state::App;

/// What pages need to know about the visitor.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// The chosen theme; `None` follows the system.
    pub(super) theme: Option<&'static str>,
    /// The CSRF token for everything that changes something.
    csrf: String,
    /// What they may do; `None` if they have to log in first.
    grants: Option<Grants>,
    /// Whether publishing and deleting are disabled.
    read_only: bool,
    /// Whether they have a session, which can be ended.
    pub(super) is_logged_in: bool,
}

impl Visitor {
    pub(super) fn of(app: &App, headers: &HeaderMap) -> Visitor {
        let theme = match cookie_value(headers, "theme") {
            Some("dark") => Some("dark"),
            Some("light") => Some("light"),
            _ => None,
        };
        let gate = &app.service.gate;
        match gate.caller(headers) {
            Ok(caller) => {
                let is_logged_in = caller.who.name().is_some();
                let (grants, read_only) = (Some(caller.grants), gate.read_only);
                Visitor { theme, csrf: caller.csrf, grants, read_only, is_logged_in }
            }
            Err(_) => {
                let read_only = gate.read_only;
                Visitor { theme, csrf: String::new(), grants: None, read_only, is_logged_in: false }
            }
        }
    }

    /// Returns true if the visitor has to log in first.
    pub(super) fn is_outside(&self) -> bool {
        self.grants.is_none()
    }

    /// Returns true if they have a scope for a model or, without one, for buckets and objects.
    pub(super) fn may(&self, scope: Scope, model: Option<&ModelName>) -> bool {
        !(self.read_only && scope > Scope::Share) && self.grants.as_ref().is_some_and(|it| it.allows(scope, model))
    }

    /// Returns true if there is some model name that they may publish.
    pub(super) fn may_publish_some(&self) -> bool {
        !self.read_only && self.grants.as_ref().is_some_and(|grants| grants.allows_some(Scope::Publish))
    }

    /// Returns true when they may see a model.
    pub(super) fn sees(&self, model: &ModelName) -> bool {
        self.may(Scope::Read, Some(model))
    }

    pub(super) fn csrf(&self) -> Option<&str> {
        Some(self.csrf.as_str()).filter(|csrf| !csrf.is_empty())
    }

    /// Returns the hidden field for forms. It comes first, because what follows may be long.
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
