//! Who may call which route: all routes of the router's table, with every scope and without a token.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hyper::Method;
use modeldepot_server::{Route, Scope, Takes, Tokens, routes};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::place::{Place, form};

/// Returns a path that a route answers.
pub(crate) fn path_of(route: &Route) -> String {
    [
        ("{model}", "m"),
        ("{version}", "1"),
        ("{*path}", "f"),
        ("{id}", "c82f4b9c-76b2-4161-ab69-c182f826387f"),
        ("{bucket}", "data"),
        ("{what}", "loss.svg"),
        ("{name}", "style.css"),
    ]
    .iter()
    .fold(route.path.to_owned(), |path, (name, value)| path.replace(name, value))
}

fn media_type(takes: Takes) -> &'static str {
    match takes {
        Takes::Json => "application/json",
        Takes::Form | Takes::LongForm => "application/x-www-form-urlencoded",
        Takes::Files => "multipart/form-data; boundary=b",
        Takes::File | Takes::Nothing => "application/octet-stream",
    }
}

/// A service with one token per scope.
struct Closed {
    place: Place,
    file: PathBuf,
    tokens: Vec<(Scope, String)>,
    _folder: tempfile::TempDir,
}

impl Closed {
    async fn new(read_only: bool) -> Closed {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        let tokens: Vec<(Scope, String)> =
            Scope::ALL.into_iter().map(|scope| (scope, token(&file, scope.as_str(), scope))).collect();
        let place = Place::with(|config| {
            config.tokens = Some(file.clone());
            config.read_only = read_only;
        })
        .await;
        place.push("m", "1", &[("f", b"x")], json!({})).await;
        Closed { place, file, tokens, _folder: folder }
    }

    /// Logs in as a browser does, and returns the cookie and the CSRF token of its pages.
    async fn log_in(&self) -> (String, String) {
        let body = format!("token={}", self.tokens.last().unwrap().1);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.place.send(Method::POST, "/login", &kind, body.as_bytes()).await.is(303);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = self.place.send(Method::GET, "/", &[("cookie", &cookie)], b"").await.is(200);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        let csrf = text.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap();
        (cookie, csrf.to_owned())
    }
}

fn token(file: &Path, name: &str, scope: Scope) -> String {
    Tokens::add(file, name, scope).unwrap()
}

/// Sends the head of a request whose body never ends, and returns the status of the answer, which must come before any
/// of the body is sent. Then sends the body until the service does not take any more of it.
async fn endless(place: &Place, route: &Route, headers: &[(&str, &str)]) -> u16 {
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ncontent-type: {}\r\n",
        route.method,
        path_of(route),
        media_type(route.takes)
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    let status = String::from_utf8(answer).unwrap()[9..].parse().unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    // More than both ends of a connection buffer.
    while sent < 64 << 20 && stream.write_all(&chunk).await.is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 64 << 20, "{route:?} takes a body that it refused");
    status
}

fn is_refused(route: &Route, status: u16, known: bool) -> bool {
    match (known, route.page) {
        (true, _) => status == 403,
        // Pages redirect unknown callers to the login.
        (false, true) => status == 303,
        (false, false) => status == 401,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_refuses_smaller_scopes_before_it_reads_a_body() {
    let closed = Closed::new(false).await;
    let mut refused = 0;
    for route in routes() {
        let Some(needs) = route.needs else { continue };
        let status = endless(&closed.place, &route, &[]).await;
        assert!(is_refused(&route, status, false), "{route:?} without a token: {status}");
        let status = endless(&closed.place, &route, &[("authorization", "Bearer mdt_wrong")]).await;
        // Callers with too many failed logins get 429.
        assert!(status == 429 || is_refused(&route, status, false), "{route:?} with an unknown token: {status}");
        for (scope, token) in &closed.tokens {
            let bearer = format!("Bearer {token}");
            if *scope < needs {
                refused += 1;
                let status = endless(&closed.place, &route, &[("authorization", &bearer)]).await;
                assert!(is_refused(&route, status, true), "{route:?} with {scope}: {status}");
            } else {
                let method: Method = route.method.parse().unwrap();
                let headers = [("authorization", bearer.as_str()), ("content-type", media_type(route.takes))];
                let answer = closed.place.send(method, &path_of(&route), &headers, b"").await;
                assert!(![401, 403].contains(&answer.status.as_u16()), "{route:?} with {scope}: {answer:?}");
            }
        }
    }
    assert!(refused > 20, "{refused}");
    assert!(closed.file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_must_come_from_a_page_of_the_service() {
    let closed = Closed::new(false).await;
    let mut asked = 0;
    for route in routes().into_iter().filter(|route| !route.is_safe() && route.needs.is_some()) {
        // The log-out route ends a session.
        let (cookie, csrf) = closed.log_in().await;
        asked += 1;
        let method: Method = route.method.parse().unwrap();
        let path = path_of(&route);
        let kind = ("content-type", media_type(route.takes));
        let cookie = ("cookie", cookie.as_str());
        let mut forged: Vec<Vec<u8>> = vec![b"csrf=wrong".to_vec(), b"{}".to_vec(), Vec::new()];
        if route.takes == Takes::Files {
            let [late, wrong] = [
                form(&[("file", Some("f"), b"x"), ("csrf", None, csrf.as_bytes())]),
                form(&[("csrf", None, b"wrong"), ("file", Some("f"), b"x")]),
            ];
            let boundary = late.0.split('=').nth(1).unwrap().to_owned();
            forged =
                [late.1, wrong.1].map(|body| String::from_utf8(body).unwrap().replace(&boundary, "b").into()).into();
        }
        for body in forged {
            let answer = closed.place.send(method.clone(), &path, &[cookie, kind], &body).await;
            assert_eq!(answer.status.as_u16(), 403, "{route:?}: {answer:?}");
            let wrong = ("x-csrf-token", "wrong");
            let answer = closed.place.send(method.clone(), &path, &[cookie, kind, wrong], &body).await;
            assert_eq!(answer.status.as_u16(), 403, "{route:?}: {answer:?}");
        }
        // Only a form may carry the CSRF token in its body; all others are refused by their headers.
        if matches!(route.takes, Takes::Nothing | Takes::Json | Takes::File) {
            assert_eq!(endless(&closed.place, &route, &[cookie]).await, 403, "{route:?}");
        }
        let own = ("x-csrf-token", csrf.as_str());
        let answer = closed.place.send(method, &path, &[cookie, kind, own], b"").await;
        assert_ne!(answer.status.as_u16(), 403, "{route:?}: {answer:?}");
    }
    assert!(asked > 10, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_only_reads_refuses_what_publishes_and_deletes() {
    let closed = Closed::new(true).await;
    let bearer = format!("Bearer {}", closed.tokens.last().unwrap().1);
    let mut refused = 0;
    for route in routes() {
        let method: Method = route.method.parse().unwrap();
        let headers = [("authorization", bearer.as_str()), ("content-type", media_type(route.takes))];
        if route.needs > Some(Scope::Share) {
            refused += 1;
            assert_eq!(endless(&closed.place, &route, &[headers[0]]).await, 403, "{route:?}");
        } else {
            let answer = closed.place.send(method, &path_of(&route), &headers, b"").await;
            assert_ne!(answer.status.as_u16(), 403, "{route:?}: {answer:?}");
        }
    }
    assert!(refused > 8, "{refused}");
}

/// Returns the method and path of every operation that the document describes, and whether it needs a token.
fn described() -> BTreeSet<(String, String, bool)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| {
            let open = operation["security"] == json!([{}]);
            (method.to_uppercase(), path.clone(), !open)
        })
    });
    all.collect()
}

#[test]
fn the_table_and_the_description_of_the_api_know_the_same_routes() {
    let of_api = routes().into_iter().filter(|route| !route.page);
    // The document does not describe itself.
    let of_api = of_api.filter(|route| !route.path.starts_with("/docs") && route.path != "/api/v1/openapi.json");
    let table: BTreeSet<_> =
        of_api.map(|route| (route.method.to_owned(), route.path.replace("{*", "{"), route.needs.is_some())).collect();
    assert_eq!(table, described());
}

/// Open routes change nothing, except the login.
#[test]
fn what_is_open_reads() {
    let open: Vec<_> = routes().into_iter().filter(|route| route.needs.is_none() && !route.is_safe()).collect();
    let paths: Vec<_> = open.iter().map(|route| route.path).collect();
    assert_eq!(paths, ["/login"]);
}
