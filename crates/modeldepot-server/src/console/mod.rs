//! The pages.

use axum::Router;

use crate::state::App;

/// Returns the routes of the pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
}
