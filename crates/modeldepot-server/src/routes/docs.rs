//! The OpenAPI document, and a page that renders it.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{Modify, OpenApi};

use super::{compare, files, jobs, models, publish, service, uploads, versions};

/// The document, made from the handlers.
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

/// The rules of names, as `modeldepot`'s types have them.
const MODEL: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
pub(super) const VERSION: &str = "^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$";
const PATH: &str = concat!(
    r"^(?![Mm][Aa][Nn][Ii][Ff][Ee][Ss][Tt]\.[Jj][Ss][Oo][Nn][. ]*(/|$))",
    r"(?!\.[Mm][Oo][Dd][Ee][Ll][Dd][Ee][Pp][Oo][Tt])(?!\.{1,2}(/|$))",
    r"[^/\\\u0000-\u001f\u007f-\u009f\ufffe\uffff]{1,255}",
    r"(/(?!\.{1,2}(/|$))[^/\\\u0000-\u001f\u007f-\u009f\ufffe\uffff]{1,255})*$"
);

/// Says of every name, wherever it stands, what it may be.
struct Names;

impl Modify for Names {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let rule = |name: &str| match name {
            "model" => Some(MODEL),
            "version" => Some(VERSION),
            "path" | "file" | "main" | "history" => Some(PATH),
            _ => None,
        };
        let text = |pattern: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).min_length(Some(1));
            if pattern == PATH { text.max_length(Some(512)) } else { text }
        };
        for item in api.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for parameter in operations.into_iter().flatten().flat_map(|one| one.parameters.iter_mut().flatten()) {
                let RefOr::T(parameter) = parameter else { continue };
                // A list that is not optional, which the derive does not tell.
                if parameter.name == "version" {
                    parameter.required = Required::True;
                }
                let several = matches!(parameter.schema, Some(RefOr::T(Schema::Array(_))));
                if let Some(pattern) = rule(&parameter.name).filter(|_| !several) {
                    parameter.schema = Some(text(pattern).into());
                }
            }
        }
        let asked = ["UploadRequest", "FileRequest", "PartsRequest", "VersionForm"];
        for (asked_as, schema) in api
            .components
            .iter_mut()
            .flat_map(|all| &mut all.schemas)
            .filter(|(name, _)| asked.contains(&name.as_str()))
        {
            let RefOr::T(Schema::Object(schema)) = schema else { continue };
            for (name, property) in &mut schema.properties {
                match (property, rule(name)) {
                    (RefOr::T(Schema::Object(property)), Some(pattern)) => {
                        // A browser sends the fields that nobody filled in.
                        let form = asked_as == "VersionForm";
                        property.pattern = Some(if form { format!("^$|{pattern}") } else { pattern.to_owned() });
                    }
                    // Parts are counted from 1.
                    (RefOr::T(Schema::Array(property)), _) if name == "parts" => {
                        let part = ObjectBuilder::new().schema_type(Type::Integer);
                        let part = part.minimum(Some(1)).maximum(Some(10_000));
                        property.items = utoipa::openapi::schema::ArrayItems::RefOrSchema(Box::new(part.into()));
                    }
                    _ => {}
                }
            }
        }
    }
}

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

/// The document.
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// The page.
pub(crate) async fn page() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.as_str()).into_response()
}

/// Its style.
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs.css")).into_response()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Returns prose with its `code` marked.
fn prose(text: &str) -> Markup {
    html! {
        @for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            p {
                @for (index, piece) in paragraph.split('`').enumerate() {
                    @if index % 2 == 1 { code { (piece) } } @else { (piece) }
                }
            }
        }
    }
}

fn render(api: &Value) -> Markup {
    let none = serde_json::Map::new();
    let paths = api["paths"].as_object().unwrap_or(&none);
    let operations = || {
        paths.iter().flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
        })
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "modeldepot REST API" }
                link rel="stylesheet" href="/docs/style.css";
            }
            body {
                header {
                    h1 { "modeldepot REST API" }
                    (prose(text(&api["info"], "description")))
                    p { a href="/api/v1/openapi.json" { "OpenAPI document" } " · " a href="/" { "console" } }
                }
                nav aria-label="Contents" {
                    @for tag in api["tags"].as_array().into_iter().flatten() {
                        h2 { (text(tag, "name")) }
                        ul {
                            @for (path, method, operation) in operations().filter(|(.., it)| it["tags"][0] == tag["name"]) {
                                li { a href={ "#" (method) "-" (path) } { (text(operation, "summary")) } }
                            }
                        }
                    }
                    h2 { a href="#kinds" { "problems" } }
                    h2 { a href="#schemas" { "schemas" } }
                }
                main {
                    @for tag in api["tags"].as_array().into_iter().flatten() {
                        section {
                            h2 { (text(tag, "name")) }
                            (prose(text(tag, "description")))
                            @for (path, method, operation) in operations().filter(|(.., it)| it["tags"][0] == tag["name"]) {
                                (operation_of(path, method, operation))
                            }
                        }
                    }
                    section id="kinds" {
                        h2 { "problems" }
                        p { "The " code { "kind" } " of a problem document says what to do." }
                        dl {
                            @for (kind, what) in KINDS { dt id=(kind) { code { (kind) } } dd { (what) } }
                        }
                    }
                    section id="schemas" {
                        h2 { "schemas" }
                        @for (name, schema) in api["components"]["schemas"].as_object().unwrap_or(&none) {
                            article id={ "schema-" (name) } {
                                h3 { code { (name) } }
                                (prose(text(schema, "description")))
                                (properties(schema))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The kinds, with what to do about each.
const KINDS: [(&str, &str); 9] = [
    ("invalid", "Fix the input (400)."),
    ("not_found", "Check the name (404)."),
    ("conflict", "Choose another version (409)."),
    ("denied", "Authentication or authorization failed: fix the credentials or the policy (403; 401 without a token)."),
    ("unavailable", "Try again (503; 429 when rate-limited)."),
    ("corrupt", "Do not use it; publish it again (502)."),
    ("unverified", "No digest was published to verify it against; use it at your own risk (422)."),
    ("io", "Fix the disk of the service (500)."),
    ("internal", "Report it (500)."),
];

fn operation_of(path: &str, method: &str, operation: &Value) -> Markup {
    html! {
        article id={ (method) "-" (path) } {
            h3 { (text(operation, "summary")) }
            p.call { code.method { (method.to_uppercase()) } " " code { (path) } }
            (prose(text(operation, "description")))
            @if let Some(parameters) = operation["parameters"].as_array() {
                table {
                    caption { "Parameters" }
                    thead { tr { th { "name" } th { "in" } th { "type" } th { "meaning" } } }
                    tbody {
                        @for parameter in parameters {
                            tr {
                                td { code { (text(parameter, "name")) } @if parameter["required"] == true { " (required)" } }
                                td { (text(parameter, "in")) }
                                td { (kind(&parameter["schema"])) }
                                td { (prose(text(parameter, "description"))) }
                            }
                        }
                    }
                }
            }
            @if let Some(content) = operation["requestBody"]["content"].as_object() {
                p { "Body: " @for (media, body) in content { code { (media) } " " (kind(&body["schema"])) } }
            }
            ul.answers {
                @for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                    @if status.starts_with(['2', '3']) {
                        li {
                            code { (status) } " " (text(answer, "description")) " "
                            @for (media, body) in answer["content"].as_object().into_iter().flatten() {
                                code { (media) } " " (kind(&body["schema"]))
                            }
                        }
                    }
                }
                li { "else a " a href="#kinds" { "problem document" } }
            }
        }
    }
}

/// Returns the type that a schema says, in a word.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    if let Some(all) = schema["oneOf"].as_array() {
        return html! { @for one in all { (kind(one)) " " } };
    }
    let word = match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    html! { (word) @if word == "array" { " of " (kind(&schema["items"])) } }
}

fn properties(schema: &Value) -> Markup {
    html! {
        @if let Some(properties) = schema["properties"].as_object() {
            table {
                thead { tr { th { "field" } th { "type" } th { "meaning" } } }
                tbody {
                    @for (name, property) in properties {
                        tr {
                            td { code { (name) } }
                            td { (kind(property)) }
                            td { (prose(text(property, "description"))) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
