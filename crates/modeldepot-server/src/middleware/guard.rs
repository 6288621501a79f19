//! Checks every request before it is handled, and limits how many are handled at once.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use modeldepot::ErrorKind;
use modeldepot_listen::Peer;
use tokio::sync::Semaphore;

use crate::answers::is_of_a_file;
use crate::auth::Who;
use crate::console;
use crate::guard::is_of_health;
use crate::logins::{Way, is_callback, is_login};
use crate::problem::{Problem, Told};
use crate::remote::Remote;
use crate::state::App;

/// How long a read-only request may take until its answer begins.
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// The error response when the service is full.
fn crowd() -> Problem {
    Problem::new(ErrorKind::Unavailable, "too many requests are in progress")
}

/// Handles a request in one of the available places.
async fn work(places: &Semaphore, request: Request, next: Next) -> Response {
    if is_of_health(request.uri()) {
        return next.run(request).await;
    }
    let Ok(_place) = places.try_acquire() else { return crowd().into_response() };
    if !request.method().is_safe() {
        return next.run(request).await;
    }
    let answer = tokio::time::timeout(READ_PATIENCE, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        Problem::new(ErrorKind::Unavailable, "the S3 server did not answer in time").into_response()
    })
}

/// Returns whose share a large answer counts against: the token's or the person's, else the address's. Without
/// authentication, nobody's.
fn sharer(app: &App, of_a_file: bool, headers: &HeaderMap, client: Option<IpAddr>) -> Option<String> {
    let gate = &app.service.gate;
    if !gate.is_closed() {
        return None;
    }
    // Other requests are seldom large and need no second lookup.
    let caller = of_a_file.then(|| gate.caller(headers).ok()).flatten();
    let known = caller.and_then(|caller| match &caller.who {
        Who::Person(person) => Some(format!("person {} {}", person.issuer, person.subject)),
        who => who.name().map(|name| format!("token {name}")),
    });
    known.or_else(|| client.map(|client| format!("address {}", modeldepot_listen::client(client))))
}

/// Answers with a problem, or with a page for people who log in.
fn refuse(app: &App, page: bool, problem: Problem) -> Response {
    if page { console::stopped(app, &problem) } else { problem.into_response() }
}

/// The middleware.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let client = request.extensions().get::<Remote>().map(|remote| remote.0);
    let crowded = request.extensions().get::<Peer>().is_some_and(|peer| peer.crowded);
    let service = &app.service;
    let is_login = is_login(&request);
    // Only counts if a login was begun: pages of other sites can make browsers request any URL.
    let returns = service.oidc.is_some() && is_callback(&request) && console::began_login(request.headers());
    let checked = service.guard.check(&method, request.uri(), request.headers(), client);
    let checked = match checked {
        Ok(()) if crowded && !is_of_health(request.uri()) => Err(crowd()),
        Ok(()) if is_login => service.logins.whole(request).await,
        Ok(()) if returns => service.logins.may_return(client).map(|()| request),
        checked => checked.map(|()| request),
    };
    let checked = match checked {
        Ok(request) => {
            let of_a_file = is_of_a_file(&method, route.as_ref().map(MatchedPath::as_str));
            let by = sharer(&app, of_a_file, request.headers(), client);
            service.guard.answers.begin(of_a_file, by).await.map(|begun| (request, begun))
        }
        Err(problem) => Err(problem),
    };
    let mut response = match checked {
        Err(problem) => refuse(&app, is_login || returns, problem),
        Ok((request, begun)) => service.guard.answers.pass(begun, work(&service.guard.requests, request, next).await),
    };
    let guessed = response.extensions().get::<Told>().is_some_and(|told| told.guessed);
    let wrong = match response.status() {
        StatusCode::UNAUTHORIZED if guessed && is_login => Some(Way::Form),
        StatusCode::UNAUTHORIZED if guessed => Some(Way::Bearer),
        status if returns && status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Some(Way::Provider),
        _ => None,
    };
    if let Some((way, client)) = wrong.zip(client)
        && let Err(problem) = service.logins.was_wrong(way, client)
    {
        response = refuse(&app, way != Way::Bearer, problem);
    }
    service.metrics.answered(&method, route.as_ref().map(MatchedPath::as_str), response.status(), began.elapsed());
    response
}
