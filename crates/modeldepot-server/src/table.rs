//! The route table: method, path, scope and kind of body of every route.
//!
//! The router is built from it and from nothing else, so every route says who may call it. `admit` enforces this before
//! a handler runs and before any of a body is read.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::auth::Scope;
use crate::state::App;

/// Needs no token.
pub(crate) const OPEN: Option<Scope> = None;
/// Needs the scope `read`.
pub(crate) const READ: Option<Scope> = Some(Scope::Read);
/// Needs the scope `publish`.
pub(crate) const PUBLISH: Option<Scope> = Some(Scope::Publish);
/// Needs the scope `delete`.
pub(crate) const DELETE: Option<Scope> = Some(Scope::Delete);

/// A route of the service: how it is called, and what its caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The method. A route of `GET` answers `HEAD` too.
    pub method: &'static str,
    /// The path, its parameters in braces.
    pub path: &'static str,
    /// The scope that the caller needs. `None` is open to everyone.
    pub needs: Option<Scope>,
    /// The body of its requests.
    pub takes: Takes,
    /// True for a page of the console: failures are answered with pages, and unknown callers with the login.
    pub page: bool,
}

/// The kind of body that a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None. A body is not read.
    Nothing,
    /// JSON of up to 1 MiB.
    Json,
    /// A form (`application/x-www-form-urlencoded`) of up to 16 KiB.
    Form,
    /// A form of many fields, of up to 1 MiB.
    LongForm,
    /// A form with files (`multipart/form-data`) of any size; its text fields are bounded.
    Files,
    /// The bytes of one file, of any size.
    File,
}

impl Takes {
    /// Returns the largest body size; `None` if the handler decides.
    pub fn limit(self) -> Option<usize> {
        match self {
            Takes::Nothing => Some(0),
            Takes::Json | Takes::LongForm => Some(1 << 20),
            Takes::Form => Some(16 * 1024),
            Takes::Files | Takes::File => None,
        }
    }
}

impl Route {
    /// Returns true for a route that only reads.
    pub fn is_safe(&self) -> bool {
        self.method == "GET"
    }
}

/// Routes being collected for the router.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(Route, MethodRouter<App>)>,
    page: bool,
}

impl Table {
    /// Returns a table for pages of the console.
    pub(crate) fn of_pages() -> Table {
        Table { rows: Vec::new(), page: true }
    }

    /// Adds a route that reads.
    pub(crate) fn get<T: 'static>(
        self,
        path: &'static str,
        needs: Option<Scope>,
        handler: impl Handler<T, App>,
    ) -> Table {
        self.add("GET", path, needs, Takes::Nothing, on(MethodFilter::GET, handler))
    }

    /// Adds a route that performs an action.
    pub(crate) fn post<T: 'static>(
        self,
        path: &'static str,
        needs: Option<Scope>,
        takes: Takes,
        handler: impl Handler<T, App>,
    ) -> Table {
        self.add("POST", path, needs, takes, on(MethodFilter::POST, handler))
    }

    /// Adds a route that stores something under its own path.
    pub(crate) fn put<T: 'static>(
        self,
        path: &'static str,
        needs: Option<Scope>,
        takes: Takes,
        handler: impl Handler<T, App>,
    ) -> Table {
        self.add("PUT", path, needs, takes, on(MethodFilter::PUT, handler))
    }

    /// Adds a route that deletes something.
    pub(crate) fn delete<T: 'static>(
        self,
        path: &'static str,
        needs: Option<Scope>,
        handler: impl Handler<T, App>,
    ) -> Table {
        self.add("DELETE", path, needs, Takes::Nothing, on(MethodFilter::DELETE, handler))
    }

    fn add(
        mut self,
        method: &'static str,
        path: &'static str,
        needs: Option<Scope>,
        takes: Takes,
        handler: MethodRouter<App>,
    ) -> Table {
        self.rows.push((Route { method, path, needs, takes, page: self.page }, handler));
        self
    }

    /// Returns the routes.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> {
        self.rows.iter().map(|(route, _)| *route)
    }

    /// Returns the rows, each with its handler.
    pub(crate) fn into_rows(self) -> Vec<(Route, MethodRouter<App>)> {
        self.rows
    }
}
