//! Refusals of every kind, as users hear of them: each with what it means and what to do.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use modeldepot::hint::hint;
use modeldepot::{BucketName, Error, S3Client};

use crate::misbehaving::{Act, Asked, Misbehaving};

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

async fn answered(act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> (Misbehaving, S3Client) {
    let server = Misbehaving::alone(act).await;
    let client = S3Client::connect(&server.settings(Duration::from_secs(20))).await.unwrap();
    (server, client)
}

fn told(error: &Error, client: &S3Client) -> String {
    let hint = hint(error, None).unwrap_or_else(|| "(none)".to_owned());
    format!("{}: {}\n    hint: {hint}", error.kind().word(), error.to_string().replace(client.endpoint(), "$ENDPOINT"))
}

#[tokio::test]
async fn refusals_say_what_is_wrong_and_what_to_do() {
    let mut all = String::new();
    for (status, code) in [
        (403, "AccessDenied"),
        (403, "AllAccessDisabled"),
        (403, "AccountProblem"),
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "RequestTimeTooSkewed"),
        (400, "AuthorizationHeaderMalformed"),
        (301, "PermanentRedirect"),
        (403, "InvalidObjectState"),
        (403, "QuotaExceeded"),
        (400, "XMinioAdminBucketQuotaExceeded"),
        (507, "XMinioStorageFull"),
        (507, "SomethingFull"),
        (400, "KMS.DisabledException"),
        (400, "KMS.NobodyKnowsException"),
        (400, "AccessControlListNotSupported"),
        (400, "KeyTooLongError"),
        (400, "EntityTooLarge"),
        (400, "TooManyBuckets"),
        (400, "InvalidStorageClass"),
        (400, "ObjectLocked"),
        (400, "InvalidRequest"),
        (418, "Teapot"),
    ] {
        let (_server, client) = answered(move |_| Act::refuse(status, code)).await;
        let error = client.list_objects(&bucket(), "").await.unwrap_err();
        writeln!(all, "{status} {code}\n  {}", told(&error, &client)).unwrap();
    }
    insta::assert_snapshot!(all);
}

/// What answers a HEAD has no body, so there is a status and nothing else.
#[tokio::test]
async fn a_status_without_a_reason_is_told_as_that() {
    let mut all = String::new();
    for status in [301, 400, 401, 403, 404, 405, 413, 507] {
        let (_server, client) = answered(move |_| Act::Answer(status, Vec::new(), Vec::new())).await;
        let error = client.get_object_metadata(&bucket(), "k").await.unwrap_err();
        writeln!(all, "{status}\n  {}", told(&error, &client)).unwrap();
    }
    assert!(!all.contains("Unknown"), "{all}");
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn a_delete_of_many_tells_the_refusal_of_one() {
    let refused =
        "<DeleteResult><Error><Key>k</Key><Code>ObjectLocked</Code><Message>WORM</Message></Error></DeleteResult>";
    let (_server, client) = answered(move |_| Act::Answer(200, Vec::new(), refused.into())).await;
    let error = client.delete_objects(&bucket(), &["k".to_owned()]).await.unwrap_err();
    insta::assert_snapshot!(told(&error, &client), @"");
}

/// Between what a server asks for and what anybody waits: `Retry-After` is kept to.
#[tokio::test]
async fn a_server_that_is_too_busy_says_when_to_come_back() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let (server, client) = answered(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => Act::Answer(429, vec![("retry-after", "1".to_owned())], Vec::new()),
        _ => Act::Answer(
            200,
            Vec::new(),
            b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_vec(),
        ),
    })
    .await;
    let begun = std::time::Instant::now();
    client.list_objects(&bucket(), "").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "it came back too early");
    assert_eq!(server.count("GET", "list-type"), 2);
}
