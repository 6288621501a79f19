//! Checks of every request (host, origin, rate), and headers of every response.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use modeldepot::ErrorKind;
use modeldepot_listen::Peer;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::answers::{Answers, is_of_a_file};
use crate::auth::Who;
use crate::console;
use crate::logins::{Way, is_callback, is_login};
use crate::problem::{Problem, Told};
use crate::rates::Rates;
use crate::remote::Remote;
use crate::state::App;

/// Requests that are worked on at once.
const REQUESTS: usize = 512;

/// How long an answer to a request that only reads may take to begin.
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// No script, style or picture but our own, nothing inline, in nobody's frame.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Guards the door.
pub(crate) struct Guard {
    /// Whether only names of this machine itself are answered to. Without a login, a name that somebody else's server
    /// resolves to this machine would let his pages in.
    loopback_names: bool,
    /// The address under which the service is reached from outside.
    public: Option<Url>,
    requests: Semaphore,
    answers: Answers,
    rate: Option<Rates>,
}

impl Guard {
    pub(crate) fn new(loopback_names: bool, public: Option<Url>, rate: Option<NonZeroU32>) -> Guard {
        let rate = rate.map(Rates::per_second);
        Guard { loopback_names, public, requests: Semaphore::new(REQUESTS), answers: Answers::default(), rate }
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap, client: Option<IpAddr>) -> Result<(), Problem> {
        if let (Some(rate), Some(client)) = (&self.rate, client)
            && !is_of_health(uri)
            && rate.count(client).is_err()
        {
            return Err(Problem::new(ErrorKind::Unavailable, "too many requests from this address")
                .status(StatusCode::TOO_MANY_REQUESTS)
                .hint("wait a second, and send fewer requests at once"));
        }
        // RFC 9112: what one proxy takes for the name another may not.
        if headers.get_all(header::HOST).iter().nth(1).is_some() {
            return Err(Problem::invalid("the request has more than one `Host` header").hint("send one"));
        }
        let host = uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default();
        if self.loopback_names && !is_loopback_name(host) {
            let host = host.escape_debug();
            return Err(Problem::new(ErrorKind::Denied, format!("this service does not answer to the name `{host}`"))
                .status(StatusCode::MISDIRECTED_REQUEST)
                .hint("use `localhost`; with a token file, the service answers to any name"));
        }
        if !method.is_safe() && !self.is_own_page(headers, host) {
            return Err(Problem::new(ErrorKind::Denied, "this request came from a page of another site")
                .hint("behind a proxy, the operator must configure the public URL of this service"));
        }
        Ok(())
    }

    /// Returns true unless a browser says that a page of another site asks.
    fn is_own_page(&self, headers: &HeaderMap, host: &str) -> bool {
        if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
            return false;
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let origin = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
        let Some(origin) = origin.filter(|origin| origin.has_host()) else { return false };
        let ours =
            |own: &Url| own.host() == origin.host() && own.port_or_known_default() == origin.port_or_known_default();
        let as_asked = Url::parse(&format!("{}://{host}", origin.scheme()));
        as_asked.is_ok_and(|own| ours(&own)) || self.public.as_ref().is_some_and(ours)
    }
}

/// Returns true for a name that every machine keeps for itself, with any port.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}")) else { return false };
    if url.path() != "/" || !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return false;
    }
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Says that there is no room.
fn crowd() -> Problem {
    Problem::new(ErrorKind::Unavailable, "too many requests are in progress")
}

/// Returns true for what asks how the service is. It costs next to nothing, and is answered whatever else goes on: a service
/// that does not answer is taken for dead.
fn is_of_health(uri: &Uri) -> bool {
    matches!(uri.path(), "/healthz" | "/readyz" | "/metrics")
}

/// Works on a request, in one of the places there are.
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

/// Returns whose share a large answer is of: the token's or the person's, else the address's. Where nobody says who they
/// are, it is nobody's.
fn sharer(app: &App, of_a_file: bool, headers: &HeaderMap, client: Option<IpAddr>) -> Option<String> {
    let gate = &app.service.gate;
    if !gate.is_closed() {
        return None;
    }
    // Others are not looked up twice: they are seldom large.
    let caller = of_a_file.then(|| gate.caller(headers).ok()).flatten();
    let known = caller.and_then(|caller| match &caller.who {
        Who::Person(person) => Some(format!("person {} {}", person.issuer, person.subject)),
        who => who.name().map(|name| format!("token {name}")),
    });
    known.or_else(|| client.map(|client| format!("address {}", modeldepot_listen::client(client))))
}

/// Answers with a problem: people who log in with a page.
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
    // Without a login that was begun there is nothing to be wrong with. Pages of other sites make browsers ask for anything.
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
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry("cross-origin-resource-policy").or_insert(HeaderValue::from_static("same-origin"));
    headers.entry("cross-origin-opener-policy").or_insert(HeaderValue::from_static("same-origin"));
    service.metrics.answered(&method, route.as_ref().map(MatchedPath::as_str), response.status(), began.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for good in ["localhost", "localhost:9001", "127.0.0.1:9001", "127.8.9.1", "[::1]:9001", "a.localhost:1"] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x@localhost", "10.0.0.1"] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }

    #[test]
    fn pages_of_other_sites_ask_for_nothing_to_be_done() {
        let guard = Guard::new(true, Some("https://models.example".parse().unwrap()), None);
        let own = |name: &'static str, value: &'static str| {
            let headers = [(header::HeaderName::from_static(name), HeaderValue::from_static(value))];
            guard.is_own_page(&HeaderMap::from_iter(headers), "localhost:9001")
        };
        assert!(
            own("accept", "*/*") && own("origin", "http://localhost:9001") && own("origin", "https://models.example")
        );
        assert!(own("sec-fetch-site", "same-origin") && own("sec-fetch-site", "none"));
        for bad in
            ["http://localhost:9000", "http://localhost", "https://evil.example", "null", "http://models.example"]
        {
            assert!(!own("origin", bad), "{bad}");
        }
        assert!(!own("sec-fetch-site", "cross-site") && !own("sec-fetch-site", "same-site"));
    }
}
