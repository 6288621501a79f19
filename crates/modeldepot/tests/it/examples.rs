//! The examples do what they say, on the embedded server.

use modeldepot::{Error, ErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::backend::Backend;

#[path = "../../examples/presign.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod presign;
#[path = "../../examples/pull.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod pull;
#[path = "../../examples/push.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod push;

/// Fetches a URL as a browser without credentials would.
async fn get(url: &str) -> Vec<u8> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(body)
}

#[tokio::test]
async fn a_file_is_pushed_pulled_and_linked() {
    let b = Backend::embedded().await;
    let file = b.file("best_model.pth", b"weights");
    let published = push::push(&b.settings, "plant_classifier", &file, Some("1.0")).await.unwrap();
    assert_eq!(published.manifest.metadata["val_accuracy"], 0.95);
    assert!(!published.already);
    assert!(push::push(&b.settings, "plant_classifier", &file, Some("v1.0")).await.unwrap().already);

    let folder = b.path("models");
    let fetched = pull::pull(&b.settings, "plant_classifier@latest", &folder).await.unwrap();
    assert_eq!(fetched.manifest, published.manifest);
    assert_eq!(fetched.model_path, folder.join("best_model.pth"));
    assert_eq!(std::fs::read(&fetched.model_path).unwrap(), b"weights");

    for (selector, path) in [("plant_classifier", None), ("plant_classifier@1.0", Some("best_model.pth"))] {
        let url = presign::presign(&b.settings, selector, path).await.unwrap();
        assert_eq!(get(&url).await, b"weights", "{url}");
    }
}

#[tokio::test]
async fn their_failures_are_those_that_they_explain() {
    let b = Backend::embedded().await;
    let file = b.file("model.bin", b"1");
    let published = push::push(&b.settings, "m", &file, None).await.unwrap();
    let version = published.manifest.version.to_string();
    std::fs::write(&file, b"2").unwrap();
    let taken = push::push(&b.settings, "m", &file, Some(&version)).await.unwrap_err();
    assert!(matches!(taken, Error::VersionExists { .. }), "{taken:?}");

    let absent = pull::pull(&b.settings, "n", &b.path("models")).await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound, "{absent:?}");
    let no_such_file = presign::presign(&b.settings, "m", Some("other.bin")).await.unwrap_err();
    assert!(matches!(no_such_file, Error::FileNotFound { .. }), "{no_such_file:?}");
}
