//! Unknown clients: floods of logins, addresses behind proxies, and what strangers learn.

use std::num::NonZeroU32;
use std::path::PathBuf;

use hyper::Method;
use modeldepot_server::{Config, Scope, Tokens};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::place::{Answer, Place};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A file with a token that may read.
struct Known {
    _folder: TempDir,
    file: PathBuf,
    token: String,
}

impl Known {
    fn new() -> Known {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        let token = Tokens::add(&file, "reader", Scope::Read).unwrap();
        Known { _folder: folder, file, token }
    }

    async fn place(&self, change: impl FnOnce(&mut Config)) -> Place {
        Place::with(|config| {
            config.tokens = Some(self.file.clone());
            change(config);
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_login_ends_the_session_before_it() {
    let known = Known::new();
    let place = known.place(|_| {}).await;
    let cookie = |answer: Answer| answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let first = cookie(log_in(&place, "", &known.token).await.is(303));
    place.send(Method::GET, "/api/v1/models", &[("cookie", &first)], b"").await.is(200);
    let form = format!("token={}", known.token);
    // A failed login ends no session.
    place.send(Method::POST, "/login", &[FORM, ("cookie", &first)], b"token=mdt_wrong").await.is(401);
    place.send(Method::GET, "/api/v1/models", &[("cookie", &first)], b"").await.is(200);
    let second = place.send(Method::POST, "/login", &[FORM, ("cookie", &first)], form.as_bytes()).await;
    let second = cookie(second.is(303));
    place.send(Method::GET, "/api/v1/models", &[("cookie", &first)], b"").await.is(401);
    place.send(Method::GET, "/api/v1/models", &[("cookie", &second)], b"").await.is(200);
}

/// Logs in as a client behind a proxy on this machine.
async fn log_in(place: &Place, client: &str, token: &str) -> Answer {
    let body = format!("token={token}&next=/");
    place.send(Method::POST, "/login", &[FORM, ("x-forwarded-for", client)], body.as_bytes()).await
}

fn behind_a_proxy(config: &mut Config) {
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_logins_keep_nobody_out() {
    let known = Known::new();
    let place = known.place(|_| {}).await;
    let mut stalled = Vec::new();
    for _ in 0..700 {
        let mut stream = TcpStream::connect(place.address()).await.unwrap();
        stream.write_all(b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nto").await.unwrap();
        stalled.push(stream);
    }
    let bearer = format!("Bearer {}", known.token);
    let bearer = [("authorization", bearer.as_str())];
    place.get("/healthz").await.is(200);
    place.get("/readyz").await.is(200);
    place.send(Method::GET, "/metrics", &bearer, b"").await.is(200);
    place.send(Method::GET, "/api/v1/models", &bearer, b"").await.is(200);
    log_in(&place, "", &known.token).await.is(303);
    // None of them was answered meanwhile, so they are all still open.
    for stream in &mut stalled {
        assert!(stream.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_short() {
    let known = Known::new();
    let place = known.place(|_| {}).await;
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    let long = "x".repeat(100_000);
    let head = format!("POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", long.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(long.as_bytes()).await;
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_wrong_too_often_waits_and_nobody_else_does() {
    let known = Known::new();
    let place = known.place(behind_a_proxy).await;
    let mut told = Vec::new();
    for _ in 0..12 {
        told.push(log_in(&place, "192.0.2.1", "mdt_wrong").await);
    }
    assert!(told[..10].iter().all(|answer| answer.status == 401), "{told:?}");
    let refused = told.pop().unwrap().is(429);
    let waits: Vec<_> = refused.headers.get_all("retry-after").iter().collect();
    assert!(waits.len() == 1 && waits[0].to_str().unwrap().parse::<u32>().unwrap() >= 1, "{refused:?}");
    assert!(refused.header("content-type").starts_with("text/html"), "a browser gets a page: {refused:?}");
    // The client's own claim changes nothing.
    log_in(&place, "198.51.100.7, 192.0.2.1", "mdt_wrong").await.is(429);
    log_in(&place, "192.0.2.2", "mdt_wrong").await.is(401);
    // A valid token is not refused because others behind the same address guess.
    log_in(&place, "192.0.2.1", &known.token).await.is(303);
    // In IPv6 a whole network is one client.
    for n in 0..11 {
        log_in(&place, &format!("2001:db8::{n:x}"), "mdt_wrong").await;
    }
    log_in(&place, "2001:db8::ffff", "mdt_wrong").await.is(429);
    log_in(&place, "2001:db8:0:1::1", "mdt_wrong").await.is(401);
    // Programs that keep sending an unknown token get 429; those with a valid token do not.
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "192.0.2.3")];
        place.send(Method::GET, "/api/v1/models", &headers, b"").await.status.as_u16()
    };
    let mut told = Vec::new();
    for _ in 0..12 {
        told.push(ask("mdt_wrong").await);
    }
    assert!(told[..10].iter().all(|status| *status == 401) && told[11] == 429, "{told:?}");
    assert_eq!(ask(&known.token).await, 200);
    // Programs with wrong tokens do not block the login.
    log_in(&place, "192.0.2.3", "mdt_wrong").await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_expired_is_told_so_however_often_it_is_shown() {
    let known = Known::new();
    let past = time::OffsetDateTime::now_utc() - std::time::Duration::from_secs(60);
    let expired = Tokens::add_until(&known.file, "old", Scope::Read, Some(past)).unwrap();
    let place = known.place(|_| {}).await;
    let bearer = format!("Bearer {expired}");
    for _ in 0..30 {
        let told = place.send(Method::GET, "/api/v1/models", &[("authorization", &bearer)], b"").await.is(401).json();
        assert!(told["detail"].as_str().unwrap().starts_with("token `old` expired on "), "{told}");
        log_in(&place, "", &expired).await.is(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_another_site_lock_nobody_out_of_the_login() {
    let known = Known::new();
    let place = known.place(|_| {}).await;
    let picture = [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")];
    for _ in 0..30 {
        place.send(Method::GET, "/login/oidc/callback?code=x&state=y", &picture, b"").await.is(404);
    }
    log_in(&place, "", "mdt_wrong").await.is(401);
    log_in(&place, "", &known.token).await.is(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_behind_a_proxy_have_a_limit_each() {
    let known = Known::new();
    let rate = |config: &mut Config| config.rate = NonZeroU32::new(3);
    let behind = known.place(|config| (rate(config), behind_a_proxy(config)).0).await;
    let ask = async |place: &Place, client: &str| {
        place.send(Method::GET, "/login", &[("x-forwarded-for", client)], b"").await.status.as_u16()
    };
    let mut refused = 0;
    for _ in 0..100 {
        refused += usize::from(ask(&behind, "192.0.2.1").await == 429);
    }
    assert!(refused > 0);
    for n in 0..100 {
        assert_eq!(ask(&behind, &format!("198.51.100.{n}")).await, 200, "another client");
    }
    // Only trusted proxies are believed.
    let direct = known.place(rate).await;
    let mut refused = 0;
    for n in 0..100 {
        refused += usize::from(ask(&direct, &format!("198.51.100.{n}")).await == 429);
    }
    assert!(refused > 0);
    // Health can be requested without limit.
    for path in ["/healthz", "/readyz"] {
        for _ in 0..50 {
            direct.get(path).await.is(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_told_where_the_bucket_is() {
    let known = Known::new();
    let mut place = known.place(|_| {}).await;
    place.get("/readyz").await.is(200);
    let s3 = place.s3.take().unwrap();
    let endpoint = s3.endpoint();
    s3.stop().await.unwrap();
    let mut stranger = place.get("/readyz").await;
    while stranger.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stranger = place.get("/readyz").await;
    }
    let stranger = String::from_utf8(stranger.is(503).body.to_vec()).unwrap();
    let port = endpoint.rsplit(':').next().unwrap();
    for inside in [endpoint.as_str(), "127.0.0.1", port, place.storage.bucket().as_str()] {
        assert!(!stranger.contains(inside), "{stranger}");
    }
    let bearer = format!("Bearer {}", known.token);
    // On a busy machine, the first answers may only say that the server took too long.
    for tries in 0.. {
        let known = place.send(Method::GET, "/readyz", &[("authorization", &bearer)], b"").await.is(503);
        let known = String::from_utf8(known.body.to_vec()).unwrap();
        if known.contains(&endpoint) {
            break;
        }
        assert!(tries < 30, "{known}");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_everybody_is_told_why_the_bucket_does_not_answer() {
    let mut place = Place::new().await;
    let s3 = place.s3.take().unwrap();
    let endpoint = s3.endpoint();
    s3.stop().await.unwrap();
    let told = place.get("/readyz").await.is(503);
    assert!(String::from_utf8(told.body.to_vec()).unwrap().contains(&endpoint), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_to_stay_with_https_where_they_came_by_it() {
    let known = Known::new();
    let place = known.place(behind_a_proxy).await;
    let told = async |headers: &[(&str, &str)]| {
        place.send(Method::GET, "/login", headers, b"").await.is(200).header("strict-transport-security").to_owned()
    };
    let host = ("host", "models.example");
    assert_eq!(told(&[host, ("x-forwarded-proto", "https")]).await, "max-age=31536000");
    assert_eq!(told(&[host, ("x-forwarded-proto", "http")]).await, "");
    assert_eq!(told(&[host]).await, "");
    let form = format!("token={}", known.token);
    for (proto, secure) in [("https", true), ("http", false)] {
        let headers = [host, FORM, ("x-forwarded-proto", proto)];
        let answer = place.send(Method::POST, "/login", &headers, form.as_bytes()).await.is(303);
        assert_eq!(answer.header("set-cookie").contains("; Secure"), secure, "{answer:?}");
    }
    // Every port of this machine would have to support HTTPS from then on.
    assert_eq!(told(&[("host", "localhost:9001"), ("x-forwarded-proto", "https")]).await, "");
}
