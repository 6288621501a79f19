//! The router: the route tables of the API and the console, behind the layers that every request passes.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use modeldepot::{ErrorKind, ModelName};

use crate::middleware::{admit, compression, encoded, guard, panics, record, remote, with_headers};
use crate::problem::Problem;
use crate::state::App;
use crate::table::{Route, Table};
use crate::{api, console};

/// Returns every route of the service, the API first, then the console.
pub fn routes() -> Vec<Route> {
    api::table().routes().chain(console::table().routes()).collect()
}

/// Builds a router from rows, each behind the checks it requires.
#[expect(clippy::disallowed_methods, reason = "this is the one place where routes are added to a router")]
fn rows(table: Table, app: &App) -> Router<App> {
    table.into_rows().into_iter().fold(Router::new(), |router, (route, handler)| {
        let limit = route.takes.limit().map_or_else(DefaultBodyLimit::disable, DefaultBodyLimit::max);
        let admitted = middleware::from_fn_with_state((app.clone(), route), admit);
        router.route(route.path, handler.route_layer(admitted).route_layer(limit))
    })
}

/// Returns the router of everything.
pub(crate) fn router(app: App) -> Router {
    let pages = rows(console::table(), &app).layer(middleware::from_fn_with_state(app.clone(), console::framed));
    let router = rows(api::table(), &app)
        .merge(pages)
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_page)
        .layer(DefaultBodyLimit::max(0))
        .layer(panics())
        .layer(middleware::from_fn_with_state(app.clone(), guard));
    // Outside of `guard`, which judges large responses by their uncompressed size.
    with_headers(router)
        .layer(compression())
        .layer(middleware::from_fn(encoded))
        .layer(middleware::from_fn_with_state(app.clone(), record))
        .layer(middleware::from_fn_with_state(app.clone(), remote))
        .with_state(app)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::invalid(format!("`{}` does not support {method}", uri.path().escape_debug()))
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .hint("`GET /docs` lists all routes")
}

async fn no_such_page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    // Browsers accept HTML; programs get a problem document.
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") && !uri.path().starts_with("/api/") {
        return console::nowhere(&app, &headers);
    }
    let model = uri.path().strip_prefix("/api/v1/models/").map(|rest| rest.trim_end_matches('/'));
    let hint = match model.map(str::parse::<ModelName>) {
        Some(Ok(model)) => format!("`GET /api/v1/models/{model}/versions` lists the versions of a model"),
        _ => "`GET /docs` lists all routes".to_owned(),
    };
    Problem::new(ErrorKind::NotFound, format!("no such path: `{}`", uri.path().escape_debug()))
        .hint(hint)
        .into_response()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::auth::is_of_the_whole;
    use crate::table::Takes;

    /// Returns the table as a documentation page.
    fn document() -> String {
        let mut text = "# Routes and scopes\n\nEvery route of `modeldepot serve` and `modeldepot up`, with the scope that its \
            caller needs. The router is built from this\ntable; the scope is checked from the head of a request, before any of \
            its body is read. Each scope includes those before\nit: `read`, `share`, `publish`, `delete`. `--read-only` refuses \
            every route that needs `publish` or `delete`. Under a session of\na browser, every route but those of `GET` also \
            needs the CSRF token of the session's pages: in the header `x-csrf-token`, or\nin the field `csrf` of a form, which \
            is the first one of a form with files.\n\nWhere it says *for everything*, the grant must be one without a pattern: \
            `read`, not `read:*`.\n"
            .to_owned();
        for (title, page) in [("The REST API", false), ("The console", true)] {
            let _ = write!(text, "\n## {title}\n\n| method | path | scope | body |\n|---|---|---|---|\n");
            for Route { method, path, needs, takes, .. } in routes().into_iter().filter(|route| route.page == page) {
                let needs = needs.map_or_else(|| "none".to_owned(), |scope| format!("`{scope}`"));
                let needs = if is_of_the_whole(path) { format!("{needs} for everything") } else { needs };
                let takes = match takes {
                    Takes::Nothing => "",
                    Takes::Json => "JSON, up to 1 MiB",
                    Takes::Form => "form, up to 16 KiB",
                    Takes::LongForm => "form, up to 1 MiB",
                    Takes::Files => "form with files",
                    Takes::File => "a file",
                };
                let path = path.replace("{*", "{");
                let _ = writeln!(text, "| {method} | `{path}` | {needs} | {takes} |");
            }
        }
        text
    }

    #[test]
    fn generated_table_of_routes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scopes.md");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == document(), "docs/scopes.md is out of date: run `cargo xtask generate`");
    }
}
