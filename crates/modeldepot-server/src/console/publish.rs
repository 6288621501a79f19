//! Publishing a model by dropping its files on a page.

use axum::extract::State;
use maud::html;

use super::asked::Asked;
use super::page::{Page, Place};
use super::refusal::{Refusal, Result};
use super::visitor::Visitor;
use crate::auth::Scope;
use crate::problem::Problem;
use crate::state::App;

pub(super) async fn get(State(app): State<App>, visitor: Visitor, asked: Asked) -> Result {
    let models = app.catalog.models().await?;
    if !visitor.may_publish_some() {
        let problem = Problem::new(modeldepot::ErrorKind::Denied, "you are not allowed to publish");
        return Err(Refusal(
            problem.hint("log in with a token with scope `publish`, on a service that is not read-only"),
        ));
    }
    let body = html! {
        div.head { div { h1 { "Publish a version" } } }
        form method="post" action="/publish" enctype="multipart/form-data" data-publish {
            (visitor.token())
            div.sided {
                div.stack {
                    div.drop data-drop {
                        label for="files" { "Files of the version" }
                        input id="files" type="file" name="file" multiple required;
                        p.hint data-drop-hint hidden { "or drop them here" }
                        ul.chosen data-chosen {}
                    }
                    p.hint {
                        "A training history among them, " code { "training_history.json" } " or " code { "training_history.csv" }
                        ", becomes metadata, and its curves are drawn."
                    }
                    div.progress hidden { progress max="1" value="0" aria-label="Upload" {} p role="status" aria-live="polite" {} }
                }
                div.card {
                    div.field {
                        label for="model" { "Model" }
                        input.wide id="model" type="text" name="model" required list="models" autocomplete="off" autocapitalize="off"
                            spellcheck="false" value=[asked.get("model")] pattern="[A-Za-z0-9][A-Za-z0-9._\\-]{0,127}"
                            title="letters, digits, . _ and -, the first one a letter or digit; no blanks"
                            placeholder="plant_classifier" aria-describedby="model-hint";
                        datalist id="models" { @for model in models.iter().filter(|it| visitor.may(Scope::Publish, Some(&it.model))).take(500) { option value=(model.model) {} } }
                        p.hint id="model-hint" { "Letters, digits, " code { "." } " " code { "_" } " " code { "-" } "; a new name creates a new model." }
                    }
                    div.field {
                        label for="version" { "Version" }
                        input.wide id="version" type="text" name="version" autocomplete="off" autocapitalize="off" spellcheck="false"
                            pattern="[A-Za-z0-9][A-Za-z0-9._+\\-]{0,127}"
                            title="letters, digits, . _ + and -, the first one a letter or digit; no blanks" placeholder="the UTC second" aria-describedby="version-hint";
                        p.hint id="version-hint" { "If empty, the time of publication, such as " code { "20251028_181858" } "." }
                    }
                    div.field hidden {
                        label for="main-file" { "Model file" }
                        select.wide id="main-file" name="main" {}
                    }
                    div.field {
                        label for="metadata" { "Metadata" }
                        textarea id="metadata" name="metadata" rows="4" spellcheck="false" aria-describedby="metadata-hint"
                            placeholder="architecture=resnet18\nnum_classes=2" {}
                        p.hint id="metadata-hint" { "One " code { "name=value" } " a line, or a JSON object." }
                    }
                    button.primary { "Publish" }
                    noscript {
                        p.notice.warn { "Uploading here needs JavaScript. From a terminal: "
                            code { "modeldepot push MODEL PATH" } "." }
                    }
                }
            }
        }
    };
    Ok(Page::new(Place::Publish, "Publish a version", body))
}
