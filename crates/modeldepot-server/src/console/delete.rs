//! Deleting a version, after its name was typed.

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use modeldepot::{ModelName, Version, units};

use super::asked::Asked;
use super::href;
use super::refusal::{Refusal, Result, name};
use crate::auth::Deleter;
use crate::log::Note;
use crate::problem::Problem;
use crate::state::App;
use crate::tasks::joined;

pub(super) async fn post(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
    _: Deleter,
    note: Note,
    body: axum::body::Bytes,
) -> Result<Redirect> {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    let form = Asked::parse(&body);
    let whole = format!("{model}@{version}");
    if form.get("typed") != Some(&whole) {
        let typed = super::shown::short(form.get("typed").unwrap_or_default(), 128);
        return Err(Refusal::invalid(
            format!("`{typed}` does not match `{whole}`: nothing was deleted"),
            format!("go back, and type `{whole}`"),
        ));
    }
    // Once begun, a delete is finished even if the visitor leaves.
    let (storage, catalog, of) = (app.storage.clone(), app.catalog.clone(), (model.clone(), version.clone()));
    let deleting = tokio::spawn(async move {
        let deleted = storage.delete(&of.0, &of.1).await;
        catalog.changed(&of.0);
        let deleted = deleted.map_err(Problem::from);
        note.ended(deleted.as_ref().map(drop));
        deleted
    });
    let deleted = joined(deleting.await)??;
    let left = deleted.foreign.objects.to_string();
    // Without its last version, the model is gone.
    let to = match app.catalog.versions(&model).await {
        Ok(versions) if !versions.is_empty() => {
            href::query(&href::model(&model), &[("deleted", version.as_str()), ("left", &left)])
        }
        _ => href::query("/", &[("deleted", &whole), ("left", &left)]),
    };
    Ok(Redirect::to(&to))
}

/// Says how many objects a delete has left in place, if any.
pub(super) fn left(asked: &Asked) -> Markup {
    let left: usize = asked.get("left").and_then(|left| left.parse().ok()).unwrap_or_default();
    html! {
        @if left > 0 {
            p { (units::plural(left, "object")) " under its prefix " (if left == 1 { "was" } else { "were" })
                " left: modeldepot did not create " (if left == 1 { "it" } else { "them" }) "." }
        }
    }
}
