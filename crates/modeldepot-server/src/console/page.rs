//! The layout of a page.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets::ASSETS;
use super::href;
use super::visitor::Visitor;
use crate::auth::Scope;
use crate::problem::Told;
use crate::state::App;

/// The section of the console that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Models,
    Buckets,
    Publish,
    Health,
    Elsewhere,
}

/// The content of a page.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) place: Place,
    /// The breadcrumbs: names and links. The last is the page itself, without a link.
    pub(super) crumbs: Vec<(String, Option<String>)>,
    pub(super) body: String,
    pub(super) status: StatusCode,
    /// Reload interval in seconds, for browsers without JavaScript.
    pub(super) refresh: Option<u32>,
}

impl Page {
    pub(super) fn new(place: Place, title: impl Into<String>, body: Markup) -> Page {
        let (title, body) = (title.into(), body.into_string());
        Page { title, place, crumbs: Vec::new(), body, status: StatusCode::OK, refresh: None }
    }

    /// Adds a breadcrumb.
    pub(super) fn below(mut self, name: impl Into<String>, href: impl Into<String>) -> Page {
        self.crumbs.push((name.into(), Some(href.into())));
        self
    }

    /// Ends the breadcrumbs with the page's own name.
    pub(super) fn here(mut self, name: impl Into<String>) -> Page {
        self.crumbs.push((name.into(), None));
        self
    }

    pub(super) fn status(self, status: StatusCode) -> Page {
        Page { status, ..self }
    }
}

/// Passed through [`framed`], which knows the visitor and adds the layout.
impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Adds the layout to the handlers' pages, and redirects unknown visitors to the login page.
pub(crate) async fn framed(State(app): State<App>, request: Request, next: Next) -> Response {
    let visitor = Visitor::of(&app, request.headers());
    let path = request.uri().path();
    if visitor.is_outside() && path != "/login" && !path.starts_with("/login/oidc") && !path.starts_with("/assets/") {
        let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
        let wanted = if request.method().is_safe() { wanted } else { "/" };
        let mut response = Redirect::to(&href::query("/login", &[("next", wanted)])).into_response();
        let (status, detail) = (StatusCode::UNAUTHORIZED, "not logged in".to_owned());
        response.extensions_mut().insert(Told { status, kind: "denied", detail, guessed: false });
        return response;
    }
    let mut response = next.run(request).await;
    if let Some(page) = response.extensions_mut().remove::<Page>() {
        let told = response.extensions_mut().remove::<Told>();
        response = in_frame(&app, &visitor, &page);
        told.map(|told| response.extensions_mut().insert(told));
    }
    // Headers set by a handler are kept: assets may be cached forever.
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns the page with its layout.
pub(super) fn in_frame(app: &App, visitor: &Visitor, page: &Page) -> Response {
    let bucket = match app.storage.prefix() {
        prefix if prefix.is_empty() => app.storage.bucket().to_string(),
        prefix => format!("{}/{}", app.storage.bucket(), prefix.as_str().trim_end_matches('/')),
    };
    let about = About { endpoint: app.storage.client().endpoint(), bucket: &bucket };
    let document = document(page, visitor, &about).into_string();
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // With `no-referrer`, browsers hide the origin of forms, and the guard would take them for another site's.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (page.status, headers, document).into_response()
}

/// The contents of the footer.
pub(super) struct About<'a> {
    pub(super) endpoint: &'a str,
    pub(super) bucket: &'a str,
}

/// Returns the HTML document.
pub(super) fn document(page: &Page, visitor: &Visitor, about: &About<'_>) -> Markup {
    let places = [
        (Place::Models, "/", "Models"),
        (Place::Buckets, "/buckets", "Buckets"),
        (Place::Publish, "/publish", "Publish"),
        (Place::Health, "/health", "Health"),
    ];
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[visitor.theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(csrf) = visitor.csrf() { meta name="csrf" content=(csrf); }
                @if let Some(seconds) = page.refresh { noscript { meta http-equiv="refresh" content=(seconds); } }
                title { (page.title) " · modeldepot" }
                link rel="icon" href=(ASSETS.icon.href) type="image/svg+xml";
                link rel="stylesheet" href=(ASSETS.style.href);
                script src=(ASSETS.script.href) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { (logo()) "modeldepot" }
                    @if !visitor.is_outside() {
                        nav aria-label="Main" {
                            ul {
                                @for (place, href, name) in places.into_iter().filter(|it| shown_to(it.0, visitor)) {
                                    li { a href=(href) aria-current=[(place == page.place).then_some("page")] { (name) } }
                                }
                                li { a href="/docs" { "API" } }
                            }
                        }
                    }
                    div.tools {
                        button.small type="button" data-theme-switch hidden { "Theme" }
                        @if visitor.is_logged_in {
                            form method="post" action="/logout" {
                                (visitor.token())
                                button.small { "Log out" }
                            }
                        }
                    }
                }
                main id="main" tabindex="-1" {
                    @if !page.crumbs.is_empty() {
                        nav.crumbs aria-label="Breadcrumb" {
                            ol {
                                @for (name, href) in &page.crumbs {
                                    li {
                                        @match href {
                                            Some(href) => a href=(href) { bdi { (name) } },
                                            None => span aria-current="page" { bdi { (name) } },
                                        }
                                    }
                                }
                            }
                        }
                    }
                    (PreEscaped(&page.body))
                }
                footer {
                    div {
                        @if !visitor.is_outside() {
                            span { "Bucket " code { (about.bucket) } " at " code { (about.endpoint) } }
                        }
                        span { "modeldepot " (env!("CARGO_PKG_VERSION")) }
                    }
                }
            }
        }
    }
}

/// Returns true if the visitor may see a section.
fn shown_to(place: Place, visitor: &Visitor) -> bool {
    match place {
        Place::Publish => visitor.may_publish_some(),
        Place::Buckets | Place::Health => visitor.may(Scope::Read, None),
        Place::Models | Place::Elsewhere => true,
    }
}

fn logo() -> Markup {
    html! {
        svg width="22" height="22" viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            path fill="currentColor" d="M12 1.8 21.4 7v10L12 22.2 2.6 17V7z" {}
            path fill="none" stroke="#fff" stroke-width="1.8" stroke-linejoin="round"
                d="M6.4 9.2 12 12.3l5.6-3.1M12 12.3v6.4" {}
        }
    }
}
