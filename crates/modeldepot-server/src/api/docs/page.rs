//! The page that renders the OpenAPI document.

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Renders prose with `code` in backticks.
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

/// Renders a document as a page.
pub(super) fn render(api: &Value) -> Markup {
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

/// The problem kinds, with what to do about each.
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

/// Returns the type in a schema as a word.
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
