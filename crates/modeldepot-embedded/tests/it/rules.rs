//! AWS's rules: each refuses as AWS does, and accepts a request that complies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use modeldepot_embedded::{AwsRules, Server};

use crate::client::{Answer, Client};
use crate::serve::{Running, blocking, config};

async fn ruled(rules: AwsRules) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.aws_rules = Some(rules);
    let server = Server::start(config).await.unwrap();
    let client = Client::new(server.local_addr());
    Running { server, client, folder }
}

/// Starts a server with these rules and sends one request.
async fn asked(rules: AwsRules, ask: impl FnOnce(&Client) -> Answer + Send + 'static) -> (u16, String, Answer) {
    let r = ruled(rules).await;
    let client = r.client;
    let answer = blocking(move || ask(&client)).await;
    (answer.status, answer.code(), answer)
}

fn put(client: &Client, headers: &[(&str, &str)]) -> Answer {
    client.send("PUT", "/models/k", headers, b"bytes")
}

fn md5(body: &[u8]) -> String {
    BASE64.encode(fast_md5::digest(body))
}

#[tokio::test]
async fn another_region_is_named_in_head_and_body() {
    let there = || AwsRules { region: "eu-central-1".into(), ..AwsRules::default() };
    let (status, code, answer) = asked(there(), |client| client.get("/models/k")).await;
    assert_eq!((status, code.as_str()), (400, "AuthorizationHeaderMalformed"));
    assert_eq!(answer.element("Region").as_deref(), Some("eu-central-1"));
    let (status, _, answer) = asked(there(), |client| client.send("HEAD", "/models/k", &[], b"")).await;
    assert_eq!((status, answer.header("x-amz-bucket-region")), (400, Some("eu-central-1")));

    for (temporarily, status, code) in [(false, 301, "PermanentRedirect"), (true, 307, "TemporaryRedirect")] {
        let elsewhere = [("models".to_owned(), "eu-north-1".to_owned())].into();
        let rules = AwsRules { elsewhere, temporarily, ..AwsRules::default() };
        let (found, named, answer) = asked(rules, |client| put(client, &[])).await;
        assert_eq!((found, named.as_str()), (status, code));
        assert_eq!(answer.header("x-amz-bucket-region"), Some("eu-north-1"));
    }
}

#[tokio::test]
async fn what_accounts_and_buckets_demand_is_refused_without_and_done_with_it() {
    let denied = (403, "AccessDenied".to_owned());
    let owned = AwsRules { owner: "444455556666".into(), ..AwsRules::default() };
    let paid = AwsRules { requester_pays: true, ..AwsRules::default() };
    let encrypted = AwsRules { encryption: Some("aws:kms".into()), ..AwsRules::default() };
    let expired = AwsRules { expired_tokens: vec!["old".into()], ..AwsRules::default() };
    let expects = |owner| move |client: &Client| put(client, &[("x-amz-expected-bucket-owner", owner)]);
    let (status, code, _) = asked(owned.clone(), expects("111122223333")).await;
    assert_eq!((status, code), denied);
    assert_eq!(asked(owned, expects("444455556666")).await.0, 200);
    let (status, code, _) = asked(paid.clone(), |client| put(client, &[])).await;
    assert_eq!((status, code), denied);
    assert_eq!(asked(paid, |client| put(client, &[("x-amz-request-payer", "requester")])).await.0, 200);
    let (status, code, _) = asked(encrypted.clone(), |client| put(client, &[])).await;
    assert_eq!((status, code), denied);
    let with = |client: &Client| put(client, &[("x-amz-server-side-encryption", "aws:kms")]);
    assert_eq!(asked(encrypted, with).await.0, 200);
    let (status, code, _) = asked(expired, |client| put(client, &[("x-amz-security-token", "old")])).await;
    assert_eq!((status, code.as_str()), (400, "ExpiredToken"));
}

#[tokio::test]
async fn a_retention_and_a_delete_of_many_ask_for_a_checksum() {
    let r = ruled(AwsRules { object_lock: true, ..AwsRules::default() }).await;
    let client = r.client;
    blocking(move || {
        let answer = put(&client, &[]);
        assert_eq!((answer.status, answer.code()), (400, "InvalidRequest".into()));
        assert_eq!(put(&client, &[("content-md5", &md5(b"bytes"))]).status, 200);
        let list = b"<Delete><Object><Key>k</Key></Object></Delete>";
        let answer = client.send("POST", "/models?delete=", &[], list);
        assert_eq!((answer.status, answer.code()), (400, "InvalidRequest".into()));
        assert_eq!(client.send("POST", "/models?delete=", &[("content-md5", &md5(list))], list).status, 200);
        assert_eq!(client.get("/models/k").status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_range_is_copied_only_from_what_is_larger_than_five_mebibytes() {
    let r = ruled(AwsRules::default()).await;
    let client = r.client;
    blocking(move || {
        for (len, expected) in [(5 << 20, 400), ((5 << 20) + 1, 200)] {
            assert_eq!(client.send("PUT", "/models/source", &[], &vec![7; len]).status, 200);
            let id = client.send("POST", "/models/copy?uploads=", &[], b"").element("UploadId").unwrap();
            let target = format!("/models/copy?partNumber=1&uploadId={id}");
            let range = [("x-amz-copy-source", "models/source"), ("x-amz-copy-source-range", "bytes=2-7")];
            assert_eq!(client.send("PUT", &target, &range, b"").status, expected, "{len}");
            // A whole object may be copied whatever its size.
            assert_eq!(client.send("PUT", &target, &range[..1], b"").status, 200, "{len}");
        }
    })
    .await;
}
