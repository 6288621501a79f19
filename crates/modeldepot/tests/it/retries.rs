//! Transient failures are retried by one policy, and others are not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use modeldepot::{BucketName, ErrorKind, S3Client};

use crate::misbehaving::{Act, Asked, Misbehaving};

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

const EMPTY: &[u8] = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

fn good(asked: &Asked) -> Act {
    match asked.method.as_str() {
        "GET" if asked.path.contains("list-type") => Act::Answer(200, Vec::new(), EMPTY.to_vec()),
        "DELETE" => Act::Answer(204, Vec::new(), Vec::new()),
        _ => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], b"abc".to_vec()),
    }
}

/// Returns true for the request that lists the buckets.
fn is_a_look(asked: &Asked) -> bool {
    asked.path == "/"
}

/// A server that fails `times` times in this way, and a client of it.
async fn failing(times: usize, how: Act) -> (Misbehaving, S3Client) {
    let failed = AtomicUsize::new(0);
    let server = Misbehaving::alone(move |asked| {
        if !is_a_look(asked) && failed.fetch_add(1, Ordering::Relaxed) < times { how.clone() } else { good(asked) }
    })
    .await;
    let client = S3Client::connect(&server.settings(Duration::from_secs(20))).await.unwrap();
    (server, client)
}

fn passing() -> Vec<Act> {
    let mut acts = vec![Act::Reset, Act::refuse(503, "SlowDown"), Act::refuse(400, "RequestTimeout")];
    acts.extend([429, 500, 502, 503, 504].map(|status| Act::Answer(status, Vec::new(), b"busy".to_vec())));
    acts
}

#[tokio::test]
async fn what_may_pass_is_tried_again_by_every_small_request() {
    for how in passing() {
        let (server, client) = failing(2, how.clone()).await;
        client.list_objects(&bucket(), "").await.unwrap_or_else(|error| panic!("{how:?}: {error:?}"));
        assert_eq!(server.count("GET", "list-type"), 3, "{how:?}");
    }
    for how in [Act::Reset, Act::refuse(503, "SlowDown")] {
        let (server, client) = failing(2, how.clone()).await;
        client.get_object_metadata(&bucket(), "k").await.unwrap();
        assert_eq!(server.count("HEAD", "/models/k"), 3);
        let (server, client) = failing(2, how.clone()).await;
        assert_eq!(client.get_small(&bucket(), "k", 9).await.unwrap().unwrap(), "abc");
        assert_eq!(server.count("GET", "/models/k"), 3);
        let (server, client) = failing(2, how.clone()).await;
        client.put_small(&bucket(), "k", "abc".into(), "text/plain").await.unwrap();
        assert_eq!(server.count("PUT", "/models/k"), 3);
        let (server, client) = failing(2, how.clone()).await;
        client.delete_object(&bucket(), "k").await.unwrap();
        assert_eq!(server.count("DELETE", "/models/k"), 3);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_by_transfers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, b"abc").unwrap();
    for how in passing() {
        let (server, client) = failing(2, how.clone()).await;
        client.upload_file(&path, &bucket(), "k", &Default::default(), |_| {}).await.unwrap();
        assert_eq!(server.count("PUT", "/models/k"), 3, "{how:?}");
        let failed = AtomicUsize::new(0);
        let server = Misbehaving::alone(move |asked| match asked.method.as_str() {
            "GET" if !is_a_look(asked) && failed.fetch_add(1, Ordering::Relaxed) < 2 => how.clone(),
            _ => good(asked),
        });
        let server = server.await;
        let client = S3Client::connect(&server.settings(Duration::from_secs(20))).await.unwrap();
        client.download_file(&bucket(), "k", &folder.path().join("g"), |_| {}).await.unwrap();
        assert_eq!(server.count("GET", "/models/k"), 3);
    }
}

#[tokio::test]
async fn it_ends() {
    let (server, client) = failing(usize::MAX, Act::refuse(500, "InternalError")).await;
    let error = client.list_objects(&bucket(), "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.count("GET", "list-type"), 8, "the one policy, and no other beneath it");
}

#[tokio::test]
async fn what_does_not_pass_is_said_at_once() {
    for how in [Act::refuse(403, "AccessDenied"), Act::refuse(501, "NotImplemented"), Act::unknown()] {
        let (server, client) = failing(usize::MAX, how).await;
        assert_ne!(client.list_objects(&bucket(), "").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(server.count("GET", "list-type"), 1);
    }
}

#[tokio::test]
async fn a_create_is_sent_once_unless_nothing_was_decided() {
    for how in [Act::Reset, Act::refuse(500, "InternalError"), Act::refuse(503, "SlowDown")] {
        let (server, client) = failing(1, how.clone()).await;
        let error = client.put_if_absent(&bucket(), "k", "abc".into(), "text/plain").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(server.count("PUT", "/models/k"), 1, "{how:?}: it may have been stored");
    }
    let (server, client) = failing(3, Act::refuse(409, "ConditionalRequestConflict")).await;
    client.put_if_absent(&bucket(), "k", "abc".into(), "text/plain").await.unwrap();
    assert_eq!(server.count("PUT", "/models/k"), 4);
}

#[tokio::test]
async fn the_pause_is_the_one_that_the_server_asks_for() {
    for asked in ["2".to_owned(), "Thu, 26 Nov 2026 12:00:02 GMT".to_owned()] {
        let date = ("date", "Thu, 26 Nov 2026 12:00:00 GMT".to_owned());
        let busy = Act::Answer(503, vec![("retry-after", asked), date], Vec::new());
        let (_server, client) = failing(1, busy).await;
        let begun = Instant::now();
        client.list_objects(&bucket(), "").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
    // A server that asks for a day gets no more and no longer requests than others.
    let failed = AtomicUsize::new(0);
    let server = Misbehaving::alone(move |_| {
        failed.fetch_add(1, Ordering::Relaxed);
        Act::Answer(503, vec![("retry-after", "86400".to_owned())], Vec::new())
    });
    let server = server.await;
    let client = S3Client::connect(&server.settings(Duration::from_secs(1))).await.unwrap();
    let begun = Instant::now();
    let error = client.list_objects(&bucket(), "").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains(" failed to "), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
