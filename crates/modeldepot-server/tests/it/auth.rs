//! Authentication.

use hyper::Method;
use modeldepot_server::{Config, Scope, Server, Tokens};
use serde_json::json;

use crate::place::Place;

const VERSION: &str = "/api/v1/models/m/versions/1";

#[tokio::test(flavor = "multi_thread")]
async fn tokens_let_in_as_far_as_their_scope_goes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let [read, publish, delete] =
        [Scope::Read, Scope::Publish, Scope::Delete].map(|scope| Tokens::add(&file, scope.as_str(), scope).unwrap());
    let place = Place::with(|config| config.tokens = Some(file.clone())).await;
    place.push("m", "1", &[("m", b"x")], json!({})).await;
    let ask = async |method: Method, path: &str, token: &str| {
        place.send(method, path, &[("authorization", &format!("Bearer {token}"))], b"x").await
    };
    let refused = place.get(VERSION).await.is(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"modeldepot\"");
    ask(Method::GET, VERSION, "mdt_wrong").await.is(401);
    ask(Method::GET, VERSION, &read).await.is(200);
    ask(Method::PUT, "/api/v1/models/m/versions/2/files/m", &read).await.is(403);
    ask(Method::DELETE, VERSION, &read).await.is(403);
    ask(Method::PUT, "/api/v1/models/m/versions/2/files/m", &publish).await.is(201);
    let refused = ask(Method::DELETE, VERSION, &publish).await.is(403).json();
    assert_eq!(refused["detail"], "token `publish` may not delete model `m`");
    ask(Method::DELETE, VERSION, &delete).await.is(200);
    for path in ["/api/v1/models", "/metrics", "/api/v1/version", "/api/v1/jobs/x", "/api/v1/models/m/compare"] {
        place.get(path).await.is(401);
    }
    place.get("/healthz").await.is(200);
    place
        .send(
            Method::GET,
            "/api/v1/models",
            &[("host", "anything.example"), ("authorization", &format!("bearer {read}"))],
            b"",
        )
        .await
        .is(200);

    // A revoked token is refused once the file has been checked again.
    Tokens::remove(&file, "read").unwrap();
    while ask(Method::GET, "/api/v1/models", &read).await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    ask(Method::GET, "/api/v1/models", &publish).await.is(200);
    std::fs::remove_file(&file).unwrap();
    while ask(Method::GET, "/api/v1/models", &publish).await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = ask(Method::GET, "/api/v1/models", &publish).await.is(503).json();
    assert_eq!(refused["detail"], "the token file cannot be used");
    place.get("/api/v1/models").await.is(401);
}

/// Time and length are unchanged; only the permissions differ.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_tokens_that_everybody_may_write_from_now_on_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let token = Tokens::add(&file, "ci", Scope::Read).unwrap();
    let place = Place::with(|config| config.tokens = Some(file.clone())).await;
    let bearer = format!("Bearer {token}");
    let until = async |mode: u32, status: u16| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        while place.send(Method::GET, "/api/v1/models", &[("authorization", &bearer)], b"").await.status != status {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    until(0o600, 200).await;
    until(0o666, 503).await;
    until(0o600, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_only_this_machine_is_answered_by_its_own_names() {
    let place = Place::new().await;
    let ask = async |host: &str| place.send(Method::GET, "/api/v1/models", &[("host", host)], b"").await;
    ask("localhost:9001").await.is(200);
    ask("127.0.0.1").await.is(200);
    let twice = [("host", "localhost"), ("host", "rebound.example")];
    let told = place.send(Method::GET, "/api/v1/models", &twice, b"").await.is(400).json();
    assert_eq!(told["detail"], "the request has more than one `Host` header");
    assert_eq!(ask("rebound.example:9001").await.is(421).json()["kind"], "denied");
    ask("localhost.rebound.example").await.is(421);
    let settings = modeldepot::Settings::from_variables(|_| None).unwrap();
    let config = Config::new("0.0.0.0:0".parse().unwrap(), settings);
    let refused = Server::start(config).await.unwrap_err();
    insta::assert_snapshot!(refused, @"refused to listen on `0.0.0.0:0` without tokens: everyone who can reach it would have full access");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_change_nothing() {
    let place = Place::new().await;
    let put = async |headers: &[(&str, &str)]| {
        place.send(Method::PUT, "/api/v1/models/m/versions/1/files/m", headers, b"x").await
    };
    put(&[("origin", "https://evil.example")]).await.is(403);
    put(&[("origin", "null")]).await.is(403);
    put(&[("sec-fetch-site", "cross-site")]).await.is(403);
    let own = format!("http://{}", place.address());
    put(&[("origin", &own), ("sec-fetch-site", "same-origin")]).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_only_reads() {
    let place = Place::with(|config| config.read_only = true).await;
    place.push("m", "1", &[("m", b"x")], json!({})).await;
    place.get(VERSION).await.is(200);
    for (method, path) in [
        (Method::DELETE, VERSION),
        (Method::PUT, "/api/v1/models/m/versions/2/files/m"),
        (Method::POST, "/api/v1/models/m/versions"),
        (Method::POST, "/api/v1/models/m/uploads"),
    ] {
        let refused = place.send(method, path, &[], b"x").await.is(403).json();
        assert_eq!(refused["detail"], "this service is read-only");
    }
}
