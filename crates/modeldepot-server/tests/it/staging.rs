//! Uploads in progress: private, within a quota, and without blocking others.

use std::time::Duration;

use hyper::Method;
use modeldepot_server::{Config, Scope, Server, Tokens};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::place::{Place, bytes, form};

const FILE: &str = "/api/v1/models/m/versions/1/files/f";

/// Starts to send a file, and waits until some of it is on the service's disk.
async fn begun(place: &Place, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3\r\n123\r\n");
    let before = place.staged().len();
    stream.write_all(head.as_bytes()).await.unwrap();
    while place.staged().len() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stream
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_on_the_machine_reads_what_is_uploaded() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new().await;
    let _stream = begun(&place, FILE).await;
    let [upload] = &place.staged()[..] else { panic!("{:?}", place.staged()) };
    let file = upload.join("0");
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let modes = [mode(&file), mode(upload), mode(upload.parent().unwrap()), mode(&place.folder.path().join("staging"))];
    assert_eq!(modes, [0o600, 0o700, 0o700, 0o700]);
    // A folder that everyone may change is not safe for uploads.
    let shared = place.folder.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut config =
        Config::new("127.0.0.1:0".parse().unwrap(), modeldepot::Settings::from_variables(|_| None).unwrap());
    config.staging = Some(shared.clone());
    let refused = Server::start(config).await.unwrap_err();
    let told = refused.to_string().replace(shared.to_str().unwrap(), "$SHARED");
    insta::assert_snapshot!(told, @"cannot stage uploads in `$SHARED`");
    insta::assert_snapshot!(std::error::Error::source(&refused).unwrap(), @"every user may rename what is in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_uploads_together_are_within_the_quota() {
    let place = Place::with(|config| config.staging_quota = Some(1_000_000)).await;
    let put =
        async |path: &str, headers: &[(&str, &str)], len| place.send(Method::PUT, path, headers, &bytes(len)).await;
    let refused = put(FILE, &[], 1_000_001).await.is(413).json();
    insta::assert_snapshot!(refused["detail"].as_str().unwrap(), @"the request is larger than the quota for uploads: 1.0 MB");
    insta::assert_snapshot!(refused["hint"].as_str().unwrap(), @"publish it with the `modeldepot` command, or send the files directly to the S3 endpoint with `POST …/uploads`, if the service allows that");
    // One without a declared length ends when the space is used up, in both ways.
    let chunked = [("transfer-encoding", "chunked")];
    let full = put(FILE, &chunked, 1_500_000).await.is(507);
    assert_eq!(full.header("retry-after"), "1");
    let told = full.json();
    insta::assert_snapshot!(told["detail"].as_str().unwrap(), @"uploads in progress have used up their quota of 1.0 MB");
    insta::assert_snapshot!(told["hint"].as_str().unwrap(), @"try again when other uploads have finished, or ask the operator for a larger staging quota");
    let (kind, body) = form(&[("file", Some("a"), &bytes(600_000)), ("file", Some("b"), &bytes(600_000))]);
    let headers = [("content-type", kind.as_str()), chunked[0]];
    place.send(Method::POST, "/api/v1/models/m/versions", &headers, &body).await.is(507);
    let headers = [("content-type", kind.as_str()), chunked[0], ("accept", "text/html")];
    place.storage.client().create_bucket(&"data".parse().unwrap()).await.unwrap();
    let (_, large) = form(&[("file", Some("a"), &bytes(1_100_000))]);
    place.send(Method::POST, "/buckets/data/upload", &headers, &large).await.is(507);
    assert!(place.staged().is_empty());
    // Others' uploads in progress count until they are gone.
    let other = begun(&place, "/api/v1/models/m/versions/2/files/f").await;
    put(FILE, &[], 999_998).await.is(507);
    put(FILE, &[], 999_997).await.is(201);
    drop(other);
    while !place.staged().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    put("/api/v1/models/m/versions/3/files/f", &[], 1_000_000).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_does_not_lock_the_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let [greedy, other] = ["greedy", "other"].map(|name| Tokens::add(&file, name, Scope::Publish).unwrap());
    let place = Place::with(|config| {
        config.tokens = Some(file.clone());
        config.unsafe_upload_urls = true;
    })
    .await;
    let begin = async |token: &str, version: usize| {
        let asked = json!({"version": format!("{version}"), "files": [{"path": "m", "size": 7}]}).to_string();
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        place.send(Method::POST, "/api/v1/models/m/uploads", &headers, asked.as_bytes()).await
    };
    let mut held = 0;
    let refused = loop {
        let answer = begin(&greedy, held).await;
        if answer.status != 201 {
            break answer.is(503).json();
        }
        held += 1;
        assert!(held < 100, "all of them");
    };
    assert_eq!(held, 50);
    insta::assert_snapshot!(refused["detail"].as_str().unwrap(), @"token `greedy` has used its share of the 100 concurrent uploads");
    begin(&other, 1000).await.is(201);
}
