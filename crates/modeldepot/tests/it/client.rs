//! Checks of [`S3Client`]'s operations.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use modeldepot::advice::Advice;
use modeldepot::s3::{Created, PresignedMethod, S3Client, UploadOptions};
use modeldepot::{Credentials, Error, ErrorKind, ModelStorage, Progress, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::{Backend, bytes, push};

pub(crate) async fn a_bucket_is_made_once(b: Backend) {
    let bucket = b.settings.buckets.images.as_ref().unwrap();
    assert!(!b.client().bucket_exists(bucket).await.unwrap());
    assert!(b.client().create_bucket(bucket).await.unwrap());
    assert!(!b.client().create_bucket(bucket).await.unwrap());
    assert!(b.client().bucket_exists(bucket).await.unwrap());
}

pub(crate) async fn a_missing_bucket_is_named(b: Backend) {
    let error = b.client().list_objects(b.settings.buckets.data.as_ref().unwrap(), "").await.unwrap_err();
    assert!(
        matches!(&error, Error::BucketNotFound { bucket, .. } if Some(bucket) == b.settings.buckets.data.as_ref()),
        "{error:?}"
    );
    // SeaweedFS creates a bucket on the first write to it, so a push must check before it writes.
    let mut settings = b.settings.clone();
    settings.buckets.models = b.settings.buckets.data.clone().unwrap();
    let storage = ModelStorage::open(&settings).await.unwrap();
    for version in [None, Some("1")] {
        let request = push("m", version, &b.file("f", b"x"), &[]);
        let error = storage.push(request, &Progress::none()).await.unwrap_err();
        assert!(matches!(error, Error::BucketNotFound { .. }), "{error:?}");
    }
    assert!(!b.client().bucket_exists(storage.bucket()).await.unwrap());
}

pub(crate) async fn files_of_every_size_round_trip(b: Backend) {
    const MIB: usize = 1 << 20;
    for size in [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 21 * MIB + 7] {
        let content = bytes(size, size as u64);
        let path = b.file("up", &content);
        let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
        let count = |sum: &AtomicU64, n| _ = sum.fetch_add(n, Ordering::Relaxed);
        let key = format!("dir/ü {size}");
        let plain = UploadOptions::default();
        let stored = b.client().upload_file(&path, b.bucket(), &key, &plain, |n| count(&up, n)).await.unwrap();
        assert_eq!(stored.size, size as u64);
        let fetched = b.client().download_file(b.bucket(), &key, &b.path("down"), |n| count(&down, n)).await.unwrap();
        assert_eq!(fetched, size as u64);
        assert!(std::fs::read(b.path("down")).unwrap() == content, "{size} bytes came back otherwise");
        assert_eq!((up.into_inner(), down.into_inner()), (size as u64, size as u64), "progress adds up");
    }
}

pub(crate) async fn metadata_and_media_type_are_kept(b: Backend) {
    let small = b.file("small", b"{}");
    let large = b.file("large", &bytes(9 << 20, 1));
    let metadata = BTreeMap::from([("checksum".to_owned(), "61be".to_owned()), ("run-id".to_owned(), "7".to_owned())]);
    let options = UploadOptions::default().content_type("application/x-model").metadata(metadata.clone());
    for (path, key) in [(small, "a.json"), (large, "b.bin")] {
        b.client().upload_file(&path, b.bucket(), key, &options, |_| {}).await.unwrap();
        let stored = b.client().get_object_metadata(b.bucket(), key).await.unwrap();
        assert_eq!(stored.metadata, metadata);
        assert_eq!(stored.content_type.as_deref(), Some("application/x-model"));
        assert!(stored.modified.is_some() && !stored.etag.is_empty() && !stored.etag.contains('"'));
    }
    let json = b.file("plain", b"{}");
    b.client().upload_file(&json, b.bucket(), "c.json", &UploadOptions::default(), |_| {}).await.unwrap();
    let stored = b.client().get_object_metadata(b.bucket(), "c.json").await.unwrap();
    assert_eq!(stored.content_type.as_deref(), Some("application/json"), "guessed from the key");
}

pub(crate) async fn listings_go_past_a_thousand_keys(b: Backend) {
    let keys: Vec<String> = (0..1105).map(|n| format!("many/{n:05}")).collect();
    for some in keys.chunks(32) {
        let puts = some.iter().map(|key| b.client().put_if_absent(b.bucket(), key, "x".into(), "text/plain"));
        for put in futures_util::future::join_all(puts).await {
            assert_eq!(put.unwrap(), Created::Now);
        }
    }
    b.put("other", b"x").await;
    let listed = b.client().list_objects(b.bucket(), "many/").await.unwrap();
    assert!(listed.iter().map(|o| &o.key).eq(&keys), "{} keys", listed.len());
    assert!(listed.iter().all(|o| o.size == 1 && !o.etag.is_empty() && o.modified.is_some()));
    b.client().delete_objects(b.bucket(), &keys).await.unwrap();
    assert_eq!(b.keys().await, ["other"]);
    b.client().delete_object(b.bucket(), "other").await.unwrap();
    b.client().delete_object(b.bucket(), "other").await.unwrap();
    assert!(!b.client().object_exists(b.bucket(), "other").await.unwrap());
}

/// Sends one plain HTTP request, as the holder of a URL would, and returns the status line and the body.
pub(crate) async fn http(method: &str, url: &str, body: &[u8]) -> (String, Vec<u8>) {
    http_with(method, url, "", body).await
}

/// Like [`http`], with additional header lines.
pub(crate) async fn http_with(method: &str, url: &str, lines: &str, body: &[u8]) -> (String, Vec<u8>) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    // A bucket with a default retention requires it.
    let md5 = match method {
        "PUT" => {
            format!("Content-MD5: {}\r\n", base64::engine::general_purpose::STANDARD.encode(fast_md5::digest(body)))
        }
        _ => String::new(),
    };
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n{md5}{lines}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    // A server that refuses a body may close the connection before reading it, but sends its answer first.
    let read = stream.read_to_end(&mut answer).await;
    assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
    let cut = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[..cut]).lines().next().unwrap().to_owned();
    (status, answer[cut + 4..].to_vec())
}

pub(crate) async fn presigned_urls_work_without_credentials(b: Backend) {
    let sign = async |method, seconds| {
        let expires = Duration::from_secs(seconds);
        b.client().presign(b.bucket(), "a b/ü.txt", method, expires).await
    };
    let put = sign(PresignedMethod::Put, 60).await.unwrap();
    let (status, body) = http("PUT", &put, b"by url").await;
    assert!(status.contains("200"), "{status} {}", String::from_utf8_lossy(&body));
    assert_eq!(b.get("a b/ü.txt").await, b"by url");
    let get = sign(PresignedMethod::Get, 60).await.unwrap();
    let (status, body) = http("GET", &get, b"").await;
    assert!(status.contains("200") && body == b"by url", "{status}");
    let (status, _) = http("PUT", &get, b"evil").await;
    assert!(status.contains("403"), "a URL to fetch must not store: {status}");
    let short = sign(PresignedMethod::Get, 1).await.unwrap();
    assert!(short.contains("X-Amz-Expires=1&"), "{short}");
    let expires = async || loop {
        let (status, _) = http("GET", &short, b"").await;
        match status.contains("200") {
            true => tokio::time::sleep(Duration::from_millis(50)).await,
            false => return status,
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(120), expires()).await.expect("it expires");
    assert!(status.contains("403") || status.contains("400"), "it should have expired: {status}");
    assert!(sign(PresignedMethod::Get, 7 * 24 * 3600).await.is_ok());
    for seconds in [0, 7 * 24 * 3600 + 1] {
        let refused = sign(PresignedMethod::Get, seconds).await.unwrap_err();
        assert_eq!(refused.advice(None), Some(Advice::ChangeLifetime));
    }
}

pub(crate) async fn racing_creates_have_one_winner(b: Backend) {
    for round in 0..4 {
        let key = format!("race/{round}");
        let race = (0..16).map(|n| {
            let (client, bucket, key) = (b.client().clone(), b.bucket().clone(), key.clone());
            tokio::spawn(async move { client.put_if_absent(&bucket, &key, format!("{n}").into(), "text/plain").await })
        });
        let outcomes = futures_util::future::join_all(race.collect::<Vec<_>>()).await;
        let winners: Vec<_> =
            outcomes.iter().enumerate().filter(|(_, o)| matches!(o, Ok(Ok(Created::Now)))).map(|(n, _)| n).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        assert_eq!(b.get(&key).await, winners[0].to_string().as_bytes());
    }
}

pub(crate) async fn unfinished_uploads_are_found_and_aborted(b: Backend) {
    let path = b.file("large", &bytes(64 << 20, 3));
    let (client, bucket) = (b.client().clone(), b.bucket().clone());
    let (first, mut moved) = tokio::sync::mpsc::unbounded_channel();
    let upload = tokio::spawn(async move {
        client.upload_file(&path, &bucket, "cut/off", &UploadOptions::default(), |n| _ = first.send(n)).await
    });
    moved.recv().await.unwrap();
    upload.abort();
    assert!(upload.await.unwrap_err().is_cancelled());
    assert!(!b.client().object_exists(b.bucket(), "cut/off").await.unwrap());
    // MinIO lists the uploads of one key only.
    let unfinished = b.client().list_multipart_uploads(b.bucket(), "cut/off").await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert!(unfinished[0].key == "cut/off" && unfinished[0].begun.is_some());
    for _ in 0..2 {
        b.client().abort_multipart_upload(b.bucket(), "cut/off", &unfinished[0].upload_id).await.unwrap();
    }
    assert_eq!(b.client().list_multipart_uploads(b.bucket(), "cut/off").await.unwrap(), []);
}

pub(crate) async fn a_wrong_key_is_denied(b: Backend) {
    for (access, secret) in [("minioadmin", "wrong"), ("nobody", "minioadmin")] {
        let secret = Secret::new(secret);
        let mut settings = b.settings.clone();
        settings.credentials = Credentials::Key { access: access.to_owned(), secret, token: None };
        let stranger = S3Client::connect(&settings).await.unwrap();
        let error = stranger.list_objects(b.bucket(), "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(!format!("{error} {error:?}").contains("wrong"));
    }
}

pub(crate) async fn a_missing_object_is_named(b: Backend) {
    let error = b.client().download_file(b.bucket(), "no/such", &b.file("f", b"old"), |_| {}).await.unwrap_err();
    let whole = b.storage.prefix().whole("no/such");
    assert!(matches!(&error, Error::ObjectNotFound { key, .. } if *key == whole), "{error:?}");
    assert_eq!(std::fs::read(b.path("f")).unwrap(), b"old");
    assert_eq!(b.client().get_small(b.bucket(), "no/such", 9).await.unwrap(), None);
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_said_quickly_and_by_its_cause() {
    let b = Backend::embedded().await;
    let settings = b.settings.clone();
    b.server.unwrap().stop().await.unwrap();
    let client = S3Client::connect(&settings).await.unwrap();
    let error = client.list_objects(&settings.buckets.models, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("refused"), "{cause}");
}
