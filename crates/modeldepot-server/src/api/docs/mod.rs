//! The OpenAPI document, and a page that renders it.

mod page;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use self::page::render;
use super::names::Names;
use super::{compare, files, jobs, models, publish, service, uploads, versions};

/// The OpenAPI document, generated from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "modeldepot",
        description = "Publishes, verifies and fetches trained models on an S3 bucket.\n\nA failure is a problem \
            document (RFC 9457) of one of nine kinds. Where the service has tokens, send `Authorization: Bearer TOKEN`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        models::list,
        versions::list,
        versions::one,
        versions::history,
        versions::delete,
        compare::compare,
        files::get,
        files::link,
        publish::form,
        publish::put,
        uploads::begin,
        uploads::parts,
        uploads::complete,
        uploads::abort,
        jobs::begin,
        jobs::one,
        jobs::events,
        service::version,
        service::health,
        service::ready,
        service::metrics,
    ),
    components(schemas(crate::problem::Document, versions::EpochDocument)),
    modifiers(&Bearer, &Names),
    security(("token" = []), ()),
    tags(
        (name = "models", description = "Models in the bucket."),
        (name = "versions", description = "Versions are immutable, and version names are never reused."),
        (name = "files", description = "The files of a version."),
        (name = "publish", description = "A version appears once all its files are stored, or not at all."),
        (name = "verify", description = "Compares stored files with their published digests."),
        (name = "service", description = "The service itself."),
    ),
)]
pub(crate) struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        api.components.get_or_insert_default().add_security_scheme("token", token);
    }
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = Api::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

static PAGE: LazyLock<String> =
    LazyLock::new(|| render(&serde_json::from_str(&DOCUMENT).unwrap_or_default()).into_string());

/// Serves the document.
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// Serves the page.
pub(crate) async fn get() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.as_str()).into_response()
}

/// Serves its stylesheet.
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs.css")).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn generated_openapi_document() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, DOCUMENT.as_str()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == *DOCUMENT, "docs/openapi.json is out of date: run `cargo xtask generate`");
    }

    #[test]
    fn the_page_shows_every_operation() {
        let api: Value = serde_json::from_str(&DOCUMENT).unwrap();
        for (path, methods) in api["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                assert!(PAGE.contains(&format!("id=\"{method}-{path}\"")), "{method} {path}");
            }
        }
        assert!(!PAGE.contains("style=") && !PAGE.contains("<script") && !PAGE.contains("http://"));
    }
}
