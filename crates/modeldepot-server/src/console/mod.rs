//! The pages: what the bucket holds, for people who would rather look.
//!
//! Rendered here, useful without a script. Each file is a page or a part of one; `page` is the frame around them.

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
mod object;
#[cfg(feature = "oidc")]
mod oidc;
mod page;
mod pager;
mod publish;
mod refusal;
mod share;
mod shown;
mod snippets;
mod verify;
mod version;
mod visitor;
mod when;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::state::App;

/// Returns the routes of the pages.
pub(crate) fn router(app: &App) -> Router<App> {
    // These take files, of any size, and hold none of it in memory.
    let uploads =
        Router::new().route("/buckets/{bucket}/upload", post(object::upload)).layer(DefaultBodyLimit::disable());
    let pages = Router::new();
    #[cfg(feature = "oidc")]
    let pages = pages.route("/login/oidc", get(oidc::begin)).route("/login/oidc/callback", get(oidc::finish));
    pages
        .route("/", get(models::get))
        .route("/models", get(|| async { axum::response::Redirect::permanent("/") }))
        .route("/models/{model}", get(model::get))
        .route("/models/{model}/chart.svg", get(model::chart_file))
        .route("/models/{model}/versions/{version}", get(version::get))
        .route("/models/{model}/versions/{version}/curves/{what}", get(curves::file))
        .route("/models/{model}/versions/{version}/share", post(share::post))
        .route("/models/{model}/versions/{version}/verify", get(verify::get).post(verify::post))
        .route("/models/{model}/versions/{version}/delete", post(delete::post))
        .route("/publish", get(publish::get))
        .route("/compare", get(compare::get))
        .route("/compare/{what}", get(compare::file))
        .route("/buckets", get(buckets::list))
        .route("/buckets/{bucket}", get(buckets::get))
        .route("/buckets/{bucket}/object", get(object::get))
        .route("/buckets/{bucket}/view", get(object::view))
        .route("/buckets/{bucket}/delete", post(object::delete))
        .route("/health", get(health::get))
        .route("/login", get(login::get).post(login::post))
        .route("/logout", post(login::log_out))
        .merge(uploads)
        .route("/assets/{name}", get(assets::get))
        .layer(axum::middleware::from_fn_with_state(app.clone(), page::framed))
}

/// Answers what no page has.
pub(crate) fn nowhere(app: &App, headers: &HeaderMap) -> Response {
    page::in_frame(app, &visitor::Visitor::of(app, headers), &refusal::nowhere())
}

/// A chart, to be saved.
struct Svg {
    /// The name of the file, without its ending.
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
