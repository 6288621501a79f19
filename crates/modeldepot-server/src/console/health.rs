//! What `doctor` finds, as a page.

use axum::extract::State;
use maud::html;

use super::page::{Page, Place};
use super::refusal::Result;
use crate::state::App;

pub(super) async fn get(State(_app): State<App>) -> Result {
    let body = html! { div.head { div { h1 { "Health" } } } };
    Ok(Page::new(Place::Health, "Health", body))
}
