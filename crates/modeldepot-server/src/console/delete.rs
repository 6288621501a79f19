//! Deleting a version, once its name is typed.

use axum::extract::{Path, State};
use axum::response::Redirect;
use modeldepot::{ModelName, Version};

use super::asked::Asked;
use super::href;
use super::refusal::{Refusal, Result, name};
use super::visitor::MayDelete;
use crate::state::App;

pub(super) async fn post(
    State(app): State<App>,
    Path((model, version)): Path<(String, String)>,
    may: MayDelete,
    body: axum::body::Bytes,
) -> Result<Redirect> {
    let (model, version): (ModelName, Version) = (name(&model)?, name(&version)?);
    let form = Asked::parse(&body);
    may.prove(form.get("csrf"))?;
    let whole = format!("{model}@{version}");
    if form.get("typed") != Some(&whole) {
        let typed = super::shown::short(form.get("typed").unwrap_or_default(), 128);
        return Err(Refusal::invalid(
            format!("`{typed}` was typed, and `{whole}` is to be deleted: nothing was deleted"),
            format!("go back, and type `{whole}`"),
        ));
    }
    // What was begun is finished, whether or not anybody waits for it.
    let (storage, catalog, of) = (app.storage.clone(), app.catalog.clone(), (model.clone(), version.clone()));
    let deleting = tokio::spawn(async move {
        let deleted = storage.delete_model_version(&of.0, &of.1).await;
        catalog.changed(&of.0);
        deleted
    });
    crate::routes::joined(deleting.await)??;
    // The last one takes its model along.
    let to = match app.catalog.versions(&model).await {
        Ok(_) => href::query(&href::model(&model), &[("deleted", version.as_str())]),
        Err(_) => href::query("/", &[("deleted", &whole)]),
    };
    Ok(Redirect::to(&to))
}
