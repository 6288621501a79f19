//! Trying a presigned URL, as a client without credentials would.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use modeldepot::{Error, ErrorKind, S3Client};

use crate::backend::Backend;
use crate::misbehaving::{Act, Asked, Misbehaving};

/// How long a server may take that answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries the URL of an object of a million bytes on a server that answers it with `play`.
async fn tried(
    answer: Duration,
    play: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> (Result<u16, Error>, Misbehaving) {
    let b = Backend::embedded().await;
    b.put("large", &vec![7; 1_000_000]).await;
    let server = Misbehaving::before(b.client().endpoint(), play).await;
    let client = S3Client::connect(&server.settings(answer)).await.unwrap();
    (client.try_presigned_url(b.bucket(), "large").await, server)
}

#[tokio::test]
async fn only_the_url_is_shown_to_the_server() {
    let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let (status, _server) = tried(PATIENCE, move |asked| {
        noted.lock().unwrap().push(asked.clone());
        Act::Pass
    })
    .await;
    assert_eq!(status.unwrap(), 206);
    let seen = seen.lock().unwrap();
    let [asked] = &seen[..] else { panic!("{seen:?}") };
    assert!(asked.is("GET", "X-Amz-Signature="), "{asked:?}");
    assert_eq!(asked.range(), Some((0, 0)));
    let signs = |name: &String| name == "authorization" || name.starts_with("x-amz-");
    assert!(!asked.headers.keys().any(signs), "the signature is in the URL alone: {asked:?}");
}

#[tokio::test]
async fn a_server_that_ignores_the_range() {
    let (status, server) = tried(PATIENCE, |_| Act::Endless(200)).await;
    assert_eq!(status.unwrap(), 200);
    let given = server.given();
    assert!(given < 64 << 20, "the rest is not read: {given}");
}

#[tokio::test]
async fn a_url_that_does_not_work() {
    let (refused, _server) = tried(PATIENCE, |_| Act::refuse(403, "SignatureDoesNotMatch")).await;
    let refused = refused.unwrap_err();
    assert!(matches!(&refused, Error::Denied { code, .. } if code == "SignatureDoesNotMatch"), "{refused:?}");
    assert!(refused.to_string().contains("fetch by presigned URL `large`"), "{refused}");
    assert!(!format!("{refused:?} {refused}").contains("X-Amz-"), "the URL is a permission: {refused:?}");
    let elsewhere = || Act::Answer(302, vec![("location", "http://127.0.0.1:1/".to_owned())], Vec::new());
    let (moved, server) = tried(PATIENCE, move |_| elsewhere()).await;
    assert!(moved.is_err(), "{moved:?}");
    assert!(server.count("GET", "large") >= 1);
    let (silent, _server) = tried(Duration::from_secs(1), |_| Act::Reset).await;
    assert_eq!(silent.unwrap_err().kind(), ErrorKind::Unavailable);
}
