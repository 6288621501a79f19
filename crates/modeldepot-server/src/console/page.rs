//! A page, and the frame around it.

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

/// Where in the console a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Models,
    Buckets,
    Publish,
    Health,
    Elsewhere,
}

/// A page without its frame.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) place: Place,
    /// The way to it: names and addresses. The page's own name is the last, without an address.
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

    /// Adds a step of the way.
    pub(super) fn below(mut self, name: impl Into<String>, href: impl Into<String>) -> Page {
        self.crumbs.push((name.into(), Some(href.into())));
        self
    }

    /// Ends the way with the page's own name.
    pub(super) fn here(mut self, name: impl Into<String>) -> Page {
        self.crumbs.push((name.into(), None));
        self
    }

    pub(super) fn status(self, status: StatusCode) -> Page {
        Page { status, ..self }
    }
}

/// The frame is put around it by [`framed`], which knows who asks.
impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Puts the frame around what the handlers return, and redirects unknown visitors to the login page.
pub(crate) async fn framed(State(app): State<App>, request: Request, next: Next) -> Response {
    let visitor = Visitor::of(&app, request.headers());
    let path = request.uri().path();
    if visitor.is_outside() && path != "/login" && !path.starts_with("/login/oidc") && !path.starts_with("/assets/") {
        let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
        let wanted = if request.method().is_safe() { wanted } else { "/" };
        let mut response = Redirect::to(&href::query("/login", &[("next", wanted)])).into_response();
        response.extensions_mut().insert(Told { kind: "denied", detail: "not logged in".to_owned(), guessed: false });
        return response;
    }
    let mut response = next.run(request).await;
    if let Some(page) = response.extensions_mut().remove::<Page>() {
        let told = response.extensions_mut().remove::<Told>();
        response = in_frame(&app, &visitor, &page);
        told.map(|told| response.extensions_mut().insert(told));
    }
    // What a handler says of its own answer stays: an asset is kept for ever.
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns the page in its frame.
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
        // Without a referrer a browser hides where a form comes from, and the guard takes it for another site's.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (page.status, headers, document).into_response()
}

/// What the foot of every page says.
pub(super) struct About<'a> {
    pub(super) endpoint: &'a str,
    pub(super) bucket: &'a str,
}

/// Returns the whole document.
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

/// Returns true for a place that the visitor may see.
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
