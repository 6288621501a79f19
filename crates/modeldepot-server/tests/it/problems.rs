//! Every problem document, word by word.

use std::fmt::Write as _;

use hyper::Method;
use modeldepot_server::{Scope, Tokens};
use serde_json::json;

use crate::place::{Answer, Place, form, urlencoded};

/// Formats an answer, without values that change from run to run.
fn told(place: &Place, what: &str, answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status.as_u16(), "{what}");
    let mut text = format!("{what}\n  {} {}: {}\n", problem["status"], problem["kind"], problem["detail"]);
    for cause in problem["causes"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "  because {cause}");
    }
    if let Some(hint) = problem["hint"].as_str() {
        assert!(!hint.contains(" -") && !hint.contains("`-"), "a caller has no command line: {hint}");
        let _ = writeln!(text, "  hint: {hint}");
    }
    let bucket = place.storage.bucket().as_str();
    text.replace(place.storage.client().endpoint(), "$ENDPOINT").replace(bucket, "$BUCKET")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_says_what_to_do() {
    let place = Place::new().await;
    place.push("plant", "1.0", &[("model.bin", b"x")], json!({})).await;
    let body = bytes::Bytes::from_static(b"{}");
    place.storage.client().put_small(place.storage.bucket(), "plant/v2/manifest.json", body, "x/y").await.unwrap();
    let mut all = String::new();
    let mut ask = async |method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = place.send(method.clone(), path, headers, body).await;
        all += &told(&place, &format!("{method} {path}"), &answer);
    };
    let get = Method::GET;
    let versions = "/api/v1/models/plant/versions";
    for path in [
        "/nothing",
        "/api/v1/models/plant",
        "/api/v1/models/plnt/versions",
        "/api/v1/models/_x/versions",
        "/api/v1/models/plant/versions/1.1",
        "/api/v1/models/plant/versions/2",
        "/api/v1/models/plant/versions/1.0/files/model.bim",
        "/api/v1/models/plant/versions/1.0/files/..%2Fx",
        "/api/v1/models/plant/versions/1.0/history",
        "/api/v1/models/plant/versions/1.0/link?expires=0",
        "/api/v1/models/plant/versions?page=0",
        "/api/v1/models/plant/versions?pages=1",
        "/api/v1/models/plant/versions?sort=",
        "/api/v1/models/plant/compare?version=1.0",
        "/api/v1/jobs/7",
        "/api/v1/uploads/7/parts",
    ] {
        ask(get.clone(), path, &[], b"").await;
    }
    ask(get.clone(), &format!("{versions}?filter={}", urlencoded("val_accuracy")), &[], b"").await;
    ask(get.clone(), &format!("{versions}/1.0/files/model.bin"), &[("range", "bytes=5-")], b"").await;
    ask(get.clone(), &format!("{versions}/1.0/files/model.bin"), &[("if-match", "\"x\"")], b"").await;
    ask(get.clone(), "/api/v1/models", &[("host", "evil.example")], b"").await;
    ask(Method::DELETE, &format!("{versions}/latest"), &[], b"").await;
    ask(Method::DELETE, &format!("{versions}/1.0"), &[("origin", "https://evil.example")], b"").await;
    ask(Method::PUT, &format!("{versions}/1.0/files/model.bin"), &[], b"other").await;
    ask(Method::PUT, &format!("{versions}/3/files/manifest.json"), &[], b"x").await;
    ask(Method::POST, versions, &[("content-type", "text/plain")], b"x").await;
    let (kind, body) = form(&[("version", None, b"3")]);
    ask(Method::POST, versions, &[("content-type", &kind)], &body).await;
    let json = [("content-type", "application/json")];
    ask(Method::POST, "/api/v1/models/plant/uploads", &json, b"{\"files\": [").await;
    ask(Method::POST, "/api/v1/models/plant/uploads", &json, b"files").await;
    ask(Method::POST, "/api/v1/models/plant/uploads", &json, b"{\"files\": []}").await;
    ask(Method::POST, "/api/v1/models/plant/uploads", &[], b"{}").await;
    let two = br#"{"files": [{"path": "m", "size": 1}, {"path": "m", "size": 2}]}"#;
    ask(Method::POST, "/api/v1/models/plant/uploads", &json, two).await;
    insta::assert_snapshot!(all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_matches_nothing_names_the_known_fields() {
    let place = Place::new().await;
    place.push("plant", "1.0", &[("model.bin", b"x")], json!({"val_accuracy": 0.9, "<b>": 1})).await;
    let path = format!("/models/plant?filter={}", urlencoded("val_acc>0.9"));
    let page = place.send(Method::GET, &path, &[("accept", "text/html")], b"").await;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    let text: String = page.split(['<', '>']).step_by(2).collect();
    assert!(text.contains("No version matches val_acc&gt;0.9"), "{text}");
    assert!(text.contains("Known fields: version, published, size, files, &lt;b&gt;, val_accuracy"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_or_a_token() {
    let mut place = Place::new().await;
    let endpoint = place.s3.as_ref().unwrap().endpoint();
    let port = endpoint.rsplit(':').next().unwrap();
    place.s3.take().unwrap().stop().await.unwrap();
    let mut all = told(&place, "no server", &place.get("/readyz").await);
    all = all.replace(&format!("port {port}:"), "port [PORT]:");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let token = Tokens::add(&file, "ana", Scope::Read).unwrap();
    let place = Place::with(|config| config.tokens = Some(file)).await;
    all += &told(&place, "no token", &place.get("/api/v1/models").await);
    let bearer = format!("Bearer {token}");
    let ask = async |token: &str| {
        place.send(Method::DELETE, "/api/v1/models/m/versions/1", &[("authorization", token)], b"").await
    };
    all += &told(&place, "another's token", &ask("Bearer x").await);
    all += &told(&place, "a token of too small a scope", &ask(&bearer).await);
    let place = Place::with(|config| config.read_only = true).await;
    let refused = place.send(Method::DELETE, "/api/v1/models/m/versions/1", &[], b"").await;
    all += &told(&place, "a service that only reads", &refused);
    insta::assert_snapshot!(all);
}

/// Answers every connection with the same bytes.
async fn answering(answer: &'static str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 8192]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_s3() {
    let mut all = String::new();
    for (what, answer) in [
        (
            "a web page",
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<title>Sign in</title>",
        ),
        (
            "a redirect",
            "HTTP/1.1 302 Found\r\nLocation: /login?token=secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            "a console",
            "HTTP/1.1 200 OK\r\nServer: MinIO Console\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>",
        ),
        ("TLS", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
        ("SSH", "SSH-2.0-OpenSSH_9.6\r\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::without_a_bucket(&answering(answer).await, folder, |_| {}).await;
        for path in ["/api/v1/models", "/api/v1/models/m/versions/1"] {
            all += &told(&place, &format!("{what}: {path}"), &place.get(path).await);
        }
    }
    // Ports differ from run to run.
    let mut steady = String::new();
    let mut rest = all.as_str();
    while let Some(at) = rest.find("127.0.0.1:") {
        steady += &rest[..at + 10];
        rest = rest[at + 10..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    insta::assert_snapshot!(steady + rest);
}
