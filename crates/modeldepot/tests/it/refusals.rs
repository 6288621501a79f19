//! Refusals of every kind as users see them, each with its meaning and what to do.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use modeldepot::advice::Advice;
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
    let hint = match error.advice(None) {
        Some(Advice::Note(note)) => note.to_string(),
        Some(advice) => format!("{advice:?}"),
        None => "(none)".to_owned(),
    };
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

/// The answer to a HEAD has no body, so there is only a status.
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
async fn a_bulk_delete_reports_the_refusal_of_one_object() {
    let refused =
        "<DeleteResult><Error><Key>k</Key><Code>ObjectLocked</Code><Message>WORM</Message></Error></DeleteResult>";
    let (_server, client) = answered(move |_| Act::Answer(200, Vec::new(), refused.into())).await;
    let error = client.delete_objects(&bucket(), &["k".to_owned()]).await.unwrap_err();
    insta::assert_snapshot!(told(&error, &client), @r"
    conflict: `$ENDPOINT` refused to delete `k` in bucket `models`: the object is under a retention (ObjectLocked)
        hint: it can be deleted when its retention has ended; until then nobody can
    ");
}

/// `Retry-After` is respected up to the longest acceptable pause.
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

#[tokio::test]
async fn what_a_server_says_is_short() {
    let long = "x\n".repeat(30_000);
    let body = format!("<Error><Code>Odd{long}</Code><Message>Odd{long}</Message></Error>");
    for delete in [false, true] {
        let body = if delete { format!("<DeleteResult>{body}</DeleteResult>") } else { body.clone() };
        let status = if delete { 200 } else { 400 };
        let (_server, client) = answered(move |_| Act::Answer(status, Vec::new(), body.clone().into())).await;
        let error = match delete {
            true => client.delete_objects(&bucket(), &["k".to_owned()]).await.unwrap_err(),
            false => client.list_objects(&bucket(), "").await.unwrap_err(),
        };
        let mut told = told(&error, &client);
        modeldepot::causes(&error).iter().for_each(|cause| told += cause);
        assert!(told.contains("Oddx") && told.len() < 2500 && told.lines().count() == 2, "{}: {told}", told.len());
    }
}

/// A length that a proxy removes from the headers is unknown, not zero.
#[tokio::test]
async fn an_object_of_unknown_size_is_not_empty() {
    for (range, body, size) in [
        (vec![("content-range", "bytes 0-0/7".to_owned())], "w", Some(7)),
        (Vec::new(), "weights", Some(7)),
        (vec![("content-range", "bytes 0-0/*".to_owned())], "w", None),
    ] {
        let (_server, client) = answered(move |asked| {
            let tag = || vec![("x-amz-request-id", "1".to_owned()), ("etag", "\"e\"".to_owned())];
            let whole = asked.headers.get("range").is_some_and(|range| range != "bytes=0-0");
            match asked.method.as_str() {
                "HEAD" => Act::Lengthless(tag()),
                _ if whole => {
                    let range = vec![("content-range", "bytes 0-6/7".to_owned())];
                    Act::Answer(206, [tag(), range].concat(), "weights".into())
                }
                _ => {
                    Act::Answer(if range.is_empty() { 200 } else { 206 }, [tag(), range.clone()].concat(), body.into())
                }
            }
        })
        .await;
        let found = client.get_object_metadata(&bucket(), "k").await;
        assert_eq!(found.as_ref().ok().map(|found| found.size), size, "{found:?}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k");
        let fetched = client.download_file(&bucket(), "k", &file, |_| {}).await;
        assert_eq!(fetched.is_ok(), size.is_some(), "{fetched:?}");
        let there = std::fs::read_to_string(&file).ok();
        assert_eq!(there.as_deref(), size.map(|_| "weights"));
    }
    let (_server, client) = answered(|asked| match asked.method.as_str() {
        "HEAD" => Act::Lengthless(vec![("x-amz-request-id", "1".to_owned())]),
        _ => Act::refuse(416, "InvalidRange"),
    })
    .await;
    assert_eq!(client.get_object_metadata(&bucket(), "k").await.unwrap().size, 0, "there is no first byte of nothing");
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_told_from_one_that_is_broken() {
    let minio = "<Error><Code>NotImplemented</Code><Message>Server side encryption specified but KMS is not configured\
                 </Message></Error>";
    let server = Misbehaving::alone(move |_| Act::Answer(501, Vec::new(), minio.into())).await;
    let mut settings = server.settings(Duration::from_secs(20));
    let plain = S3Client::connect(&settings).await.unwrap();
    let error = plain.put_small(&bucket(), "k", "x".into(), "text/plain").await.unwrap_err();
    assert!(!error.to_string().contains("key service"), "nothing was to be encrypted: {error}");
    settings.writing.encryption =
        modeldepot::Settings::from_variables(|name| (name == "S3_SSE").then(|| "AES256".to_owned()))
            .unwrap()
            .writing
            .encryption;
    let client = S3Client::connect(&settings).await.unwrap();
    let error = client.put_small(&bucket(), "k", "x".into(), "text/plain").await.unwrap_err();
    insta::assert_snapshot!(told(&error, &client), @r"
    invalid: `$ENDPOINT` refused to store `k` in bucket `models`: the server has no key service, so it cannot encrypt (KMSNotConfigured)
        hint: DropEncryption
    ");
}
