//! The web console.
//!
//! Pages are rendered on the server and work without JavaScript. Each file is a page or part of one; `page` is the
//! layout.

mod asked;
mod assets;
mod buckets;
mod chart;
mod compare;
mod condition;
mod curves;
mod delete;
mod health;
mod href;
mod login;
mod metric;
mod model;
mod models;
mod oidc;
mod page;
mod pager;
mod publish;
mod refusal;
mod shown;
mod verify;
mod version;
mod visitor;
mod when;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::problem::{Problem, Told};
use crate::state::App;
use crate::table::{DELETE, OPEN, PUBLISH, READ, Table, Takes};

pub(crate) use self::page::framed;

/// Returns the routes of the pages.
pub(crate) fn table() -> Table {
    Table::of_pages()
        .get("/", READ, models::get)
        .get("/models", READ, || async { axum::response::Redirect::permanent("/") })
        .get("/models/{model}", READ, model::get)
        .get("/models/{model}/chart.svg", READ, model::chart_file)
        .get("/models/{model}/versions/{version}", READ, version::get)
        .get("/models/{model}/versions/{version}/curves/{what}", READ, curves::file)
        .post("/models/{model}/versions/{version}/share", READ, Takes::Form, version::share)
        .get("/models/{model}/versions/{version}/verify", READ, verify::get)
        .post("/models/{model}/versions/{version}/verify", READ, Takes::Form, verify::post)
        .post("/models/{model}/versions/{version}/delete", DELETE, Takes::Form, delete::post)
        .get("/publish", PUBLISH, publish::get)
        .get("/compare", READ, compare::get)
        .get("/compare/{what}", READ, compare::file)
        .get("/buckets", READ, buckets::list)
        .get("/buckets/{bucket}", READ, buckets::get)
        .get("/buckets/{bucket}/object", READ, buckets::fetch)
        .get("/buckets/{bucket}/view", READ, buckets::view)
        .post("/buckets/{bucket}/delete", DELETE, Takes::LongForm, buckets::delete)
        .post("/buckets/{bucket}/upload", PUBLISH, Takes::Files, buckets::upload)
        .get("/health", READ, health::get)
        .post("/health/probe", PUBLISH, Takes::Form, health::post)
        .get("/login", OPEN, login::get)
        .post("/login", OPEN, Takes::Form, login::post)
        .post("/logout", READ, Takes::Form, login::log_out)
        .get("/login/oidc", OPEN, oidc::begin)
        .get("/login/oidc/callback", OPEN, oidc::finish)
        .get("/assets/{name}", OPEN, assets::get)
}

/// Answers a refused request to a page.
pub(crate) fn refused(problem: Problem) -> Response {
    refusal::Refusal(problem).into_response()
}

/// Answers a request to a page that does not exist.
pub(crate) fn nowhere(app: &App, headers: &HeaderMap) -> Response {
    page::in_frame(app, &visitor::Visitor::of(app, headers), &refusal::nowhere())
}

/// Answers a visitor who has no access to a page.
pub(crate) fn stopped(app: &App, problem: &Problem) -> Response {
    let mut response = page::in_frame(app, &visitor::Visitor::of(app, &HeaderMap::new()), &refusal::page(problem));
    response.extensions_mut().insert(Told::of(problem));
    problem.add_headers(response.headers_mut());
    response
}

/// Returns true for a browser that has begun to log in at the provider and has not returned.
pub(crate) fn began_login(headers: &HeaderMap) -> bool {
    oidc::has_attempt(headers)
}

/// A chart to download.
struct Svg {
    /// The file name, without extension.
    name: String,
    text: String,
}

impl IntoResponse for Svg {
    fn into_response(self) -> Response {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
        let name: String = self.name.chars().map(plain).collect();
        let headers = [
            (header::CONTENT_TYPE, "image/svg+xml".to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.svg\"")),
        ];
        (headers, self.text).into_response()
    }
}
