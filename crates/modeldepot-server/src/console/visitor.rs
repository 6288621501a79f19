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
    /// The theme that was chosen; none is the system's.
    pub(super) theme: Option<&'static str>,
    /// The token that goes with whatever changes something.
    csrf: String,
    /// What they may do; none has to log in first.
    grants: Option<Grants>,
    /// Whether nobody may publish or delete.
    read_only: bool,
    /// Someone with a session, which can be ended.
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

    /// Returns true for someone who has to log in first.
    pub(super) fn is_outside(&self) -> bool {
        self.grants.is_none()
    }

    /// Returns true when they may do this to a model or, without one, to raw buckets.
    pub(super) fn may(&self, scope: Scope, model: Option<&ModelName>) -> bool {
        !(self.read_only && scope > Scope::Share) && self.grants.as_ref().is_some_and(|it| it.allows(scope, model))
    }

    /// Returns true when there could be a model that they may publish.
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
