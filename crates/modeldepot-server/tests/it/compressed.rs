//! Compression of responses: what is compressed, and what never is.

use std::io::Read as _;

use hyper::Method;
use modeldepot_server::{Grants, Log, LogTarget, Tokens};
use serde_json::{Value, json};

use crate::place::{Answer, Place};

const GZIP: (&str, &str) = ("accept-encoding", "gzip, deflate, br");

fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A service with a version whose document is long, and whose only file is text that would compress well.
async fn place() -> Place {
    let place = Place::new().await;
    let metadata = json!({"note": "a word and another. ".repeat(200)});
    place.push("m", "1", &[("config.json", &b"{\"a\": 1}".repeat(2000))], metadata).await;
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_document_is_compressed_and_can_be_validated() {
    let place = place().await;
    let path = "/api/v1/models/m/versions/1";
    let plain = place.get(path).await.is(200);
    assert_eq!(plain.header("content-encoding"), "", "it was not asked for");
    let packed = place.send(Method::GET, path, &[GZIP], b"").await.is(200);
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert!(packed.body.len() < plain.body.len() / 3);
    assert_eq!(unpacked(&packed), plain.body);
    // Its bytes differ, so its ETag is weak; it is still good for revalidation.
    assert_eq!(packed.header("etag"), format!("W/{}", plain.header("etag")));
    for etag in [packed.header("etag"), plain.header("etag")] {
        place.send(Method::GET, path, &[GZIP, ("if-none-match", etag)], b"").await.is(304);
    }
    let openapi = place.send(Method::GET, "/api/v1/openapi.json", &[GZIP], b"").await.is(200);
    assert_eq!(openapi.header("content-encoding"), "gzip");
    serde_json::from_slice::<Value>(&unpacked(&openapi)).unwrap();
    let head = place.send(Method::HEAD, path, &[GZIP], b"").await.is(200);
    assert_eq!(head.header("content-length"), plain.body.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_pages_and_secrets_are_not_compressed() {
    let place = place().await;
    let path = "/api/v1/models/m/versions/1/files/config.json";
    let file = place.send(Method::GET, path, &[GZIP], b"").await.is(200);
    assert_eq!((file.header("content-encoding"), file.header("content-length")), ("", "16000"));
    assert_eq!((file.header("accept-ranges"), file.body.len()), ("bytes", 16_000));
    let range = [GZIP, ("range", "bytes=0-9999")];
    let part = place.send(Method::GET, path, &range, b"").await.is(206);
    assert_eq!((part.header("content-encoding"), part.body.len()), ("", 10_000));
    let long = format!("/nowhere/{}", "x".repeat(3000));
    // A page with a CSRF token, a secret link, and a problem that repeats the request.
    for path in ["/models/m/versions/1", "/api/v1/models/m/versions/1/link", long.as_str()] {
        let answer = place.send(Method::GET, path, &[GZIP], b"").await;
        assert_eq!(answer.header("content-encoding"), "", "{path}: {answer:?}");
    }
}

/// Success is not reported as a failure because of the encoding of the response.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_accepts_no_known_encoding_can_publish() {
    let place = place().await;
    let headers = [("accept-encoding", "identity;q=0, *;q=0")];
    place.send(Method::PUT, "/api/v1/models/m/versions/2/files/f", &headers, b"x").await.is(201);
    place.send(Method::DELETE, "/api/v1/models/m/versions/2", &headers, b"").await.is(200);
}

/// Whatever encodings a client accepts, refusals are still refusals, content is still sent, and the audit log does
/// not miss a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn an_encoding_that_nobody_can_give_changes_no_answer_and_hides_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, audit) = (folder.path().join("tokens"), folder.path().join("audit.log"));
    let log = Log::open(&LogTarget::File(audit.clone())).unwrap();
    let token = |name: &str, grants: &str| {
        format!("Bearer {}", Tokens::add(&tokens, name, grants.parse::<Grants>().unwrap()).unwrap())
    };
    let (all, other) = (token("all", "delete"), token("other", "publish:soil"));
    let place =
        Place::with(|config| (config.tokens, config.audit_log) = (Some(tokens.clone()), Some(log.clone()))).await;
    place.push("m", "1", &[("f", b"0123456789")], json!({"note": "a word and another. ".repeat(200)})).await;
    let (version, file) = ("/api/v1/models/m/versions/1", "/api/v1/models/m/versions/1/files/f");
    let known = place.send(Method::GET, file, &[("authorization", &all)], b"").await.is(200).header("etag").to_owned();
    type Case<'c> = (u16, &'c str, &'c str, &'c [(&'c str, &'c str)]);
    let cases: &[Case<'_>] = &[
        (200, "/healthz", "", &[]),
        (200, "/login", "", &[]),
        (200, version, &all, &[]),
        (200, "/models/m", &all, &[]),
        (200, file, &all, &[]),
        (206, file, &all, &[("range", "bytes=2-3")]),
        (304, file, &all, &[("if-none-match", &known)]),
        (404, "/api/v1/models/none/versions", &all, &[]),
        (404, "/nowhere", "", &[("accept", "text/html")]),
        (416, file, &all, &[("range", "bytes=20-")]),
        (303, "/models/m", "", &[]),
        (401, version, "", &[]),
        (401, file, "Bearer mdt_guessed", &[]),
        (403, version, &other, &[]),
        (403, "/models/m", &other, &[]),
    ];
    let lines = || {
        assert!(log.flush(std::time::Duration::from_secs(60)));
        std::fs::read_to_string(&audit).unwrap().lines().count()
    };
    for (status, path, token, more) in cases {
        let mut headers = more.to_vec();
        if !token.is_empty() {
            headers.push(("authorization", token));
        }
        let before = lines();
        let plain = place.send(Method::GET, path, &headers, b"").await.is(*status);
        let logged = lines() - before;
        assert_eq!(logged, usize::from(matches!(status, 303 | 401 | 403)), "{status} {path}");
        for encoding in ["identity;q=0", "*;q=0", "identity;q=0, *;q=0", "gzip;q=0, identity;q=0", "br, identity;q=0"] {
            let before = lines();
            headers.push(("accept-encoding", encoding));
            let answer = place.send(Method::GET, path, &headers, b"").await.is(*status);
            headers.pop();
            let said = |answer: &Answer| {
                ["etag", "content-type", "content-length", "location"].map(|name| answer.header(name).to_owned())
            };
            assert_eq!((said(&answer), answer.header("content-encoding")), (said(&plain), ""), "{path} {encoding}");
            assert_eq!(answer.body.len(), plain.body.len(), "{path} {encoding}");
            assert_eq!(lines() - before, logged, "{status} {path} {encoding}: lines of the audit log");
        }
    }
}
