//! Rules of AWS, and of accounts and buckets on it, tested with a server that enforces them.

use std::time::Duration;

use modeldepot::s3::{CopySupport, PresignedMethod};
use modeldepot::{
    Credentials, Encryption, EncryptionMode, Error, ErrorKind, ModelStorage, Progress, Secret, Settings, Writing,
};
use modeldepot_embedded::{AwsRules, Config, Server};

use crate::backend::{Backend, bytes, push};
use crate::client::http;
use crate::misbehaving::{Act, Misbehaving};
use crate::servers::MINIO;
use crate::unspellable::signed_url;

/// A server with these rules and a bucket, and a storage with these settings.
async fn ruled(rules: AwsRules, change: impl FnOnce(&mut Settings)) -> Backend {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path().join("data"), "minioadmin", "minioadmin");
    let server =
        Server::start(Config { aws_rules: Some(rules), buckets: vec!["models".into()], ..config }).await.unwrap();
    let endpoint = server.endpoint();
    let mut settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| endpoint.clone())).unwrap();
    change(&mut settings);
    Backend::with(settings, folder).await.serving(server)
}

/// Pushes twice, so that parts are copied, then pulls, verifies, deletes and runs gc.
async fn a_whole_round(b: &Backend) {
    let file = b.file("m.bin", &bytes(17 << 20, 1));
    let small = b.file("config.json", b"{}");
    for version in ["1", "2"] {
        let with = std::slice::from_ref(&small);
        b.storage.push(push("m", Some(version), &file, with), &Progress::none()).await.unwrap();
    }
    b.pull("m@2", "out").await.unwrap();
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    assert_eq!(b.storage.versions(&"m".parse().unwrap()).await.unwrap().len(), 1);
}

async fn refused(b: &Backend) -> Error {
    let file = b.file("m.bin", b"weights");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_in_another_region_is_followed_there_and_nowhere_else() {
    let elsewhere = || [("models".to_owned(), "eu-north-1".to_owned())].into();
    for rules in [
        AwsRules { region: "eu-central-1".into(), ..AwsRules::default() },
        AwsRules { elsewhere: elsewhere(), ..AwsRules::default() },
        AwsRules { elsewhere: elsewhere(), temporarily: true, ..AwsRules::default() },
    ] {
        let b = ruled(rules, |_| {}).await;
        a_whole_round(&b).await;
        assert_eq!(b.client().ask(b.bucket()).await.unwrap().status, 200);
    }
    // A server with circular redirects is asked twice, and the error names the region.
    let server = Misbehaving::alone(|_| {
        Act::Answer(
            301,
            vec![("x-amz-bucket-region", "eu-west-1".to_owned()), ("location", "http://127.0.0.1:9/models".to_owned())],
            b"<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>".to_vec(),
        )
    })
    .await;
    let storage = ModelStorage::open(&server.settings(Duration::from_secs(20))).await.unwrap();
    let error = storage.client().list_objects(storage.bucket(), "").await.unwrap_err();
    assert!(matches!(&error, Error::WrongRegion { expected: Some(region), .. } if region == "eu-west-1"), "{error:?}");
    assert_eq!(server.count("GET", "list-type"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_goes_with_every_request_that_needs_it() {
    let writing = Writing::default()
        .request_payer(true)
        .expected_owner("111122223333")
        .encryption(Encryption::new(EncryptionMode::Kms).key("key-1"))
        .storage_class("STANDARD_IA");
    let rules =
        AwsRules { requester_pays: true, encryption: Some("aws:kms".into()), object_lock: true, ..AwsRules::default() };
    let b = ruled(rules.clone(), |settings| settings.writing = writing.clone()).await;
    a_whole_round(&b).await;
    // A link is paid for too, by its signature.
    let url = b.client().presign(b.bucket(), "m/v2/config.json", PresignedMethod::Get, Duration::from_secs(60));
    let (status, body) = http("GET", &url.await.unwrap(), b"").await;
    assert!(status.contains("200") && body == b"{}", "{status}");

    for change in [
        (|writing: &mut Writing| writing.request_payer = false) as fn(&mut Writing),
        |writing| writing.encryption = None,
        |writing| writing.expected_owner = Some("444455556666".to_owned()),
    ] {
        let mut other = writing.clone();
        change(&mut other);
        let b = ruled(rules.clone(), |settings| settings.writing = other).await;
        let error = refused(&b).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_session_is_a_login_that_expired() {
    let rules = AwsRules { expired_tokens: vec!["old".into()], ..AwsRules::default() };
    let b = ruled(rules, |settings| {
        let secret = Secret::new("minioadmin");
        let token = Some(Secret::new("old"));
        settings.credentials = Credentials::Key { access: "minioadmin".to_owned(), secret, token };
    })
    .await;
    let error = b.client().list_objects(b.bucket(), "").await.unwrap_err();
    assert!(matches!(&error, Error::Denied { code, .. } if code == "ExpiredToken"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_tried_when_they_matter_and_old_records_are_not_trusted() {
    let b = ruled(AwsRules::default(), |_| {}).await;
    let known = async || ModelStorage::open(&b.settings).await.unwrap().last_probe().await.unwrap();
    let file = b.file("m.bin", &bytes(9 << 20, 1));
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    assert_eq!(known().await.unwrap().capabilities.part_copy, CopySupport::Unknown, "nothing could be copied");
    let published = b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap();
    assert_eq!(published.copied, 9 << 20);
    assert_eq!(known().await.unwrap().capabilities.part_copy, CopySupport::Checked, "kept for the next push");
    // As written by an earlier modeldepot, which copied six bytes of thirteen.
    let mut record: serde_json::Value = serde_json::from_slice(&b.get(".depot/probe.json").await).unwrap();
    record["part_copy"] = "none".into();
    record.as_object_mut().unwrap().remove("revision");
    b.put(".depot/probe.json", &serde_json::to_vec(&record).unwrap()).await;
    assert_eq!(known().await, None);
}

/// The bucket of the settings on a MinIO, which has a key service, created with a default retention.
async fn retained(mode: &str) -> Backend {
    let b = Backend::on(&MINIO).await;
    let mut settings = b.settings.clone();
    settings.buckets.models = format!("locked-{}", uuid::Uuid::new_v4().simple()).parse().unwrap();
    let url = format!("{}/{}", b.client().endpoint(), settings.buckets.models);
    let locked = Some(("x-amz-bucket-object-lock-enabled", "true"));
    let (status, body) = signed_url("PUT", &url, locked, b"").await;
    assert!(status.contains("200"), "{status} {}", String::from_utf8_lossy(&body));
    let rule = format!("<DefaultRetention><Mode>{mode}</Mode><Days>1</Days></DefaultRetention>");
    let rule = format!(
        "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ObjectLockEnabled>Enabled\
         </ObjectLockEnabled><Rule>{rule}</Rule></ObjectLockConfiguration>"
    );
    let (status, body) = signed_url("PUT", &format!("{url}?object-lock="), None, rule.as_bytes()).await;
    assert!(status.contains("200"), "{status} {}", String::from_utf8_lossy(&body));
    Backend::with(settings, tempfile::tempdir().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
async fn minio_with_a_retention_is_used_as_ever_and_keeps_what_was_deleted() {
    for mode in ["GOVERNANCE", "COMPLIANCE"] {
        let b = retained(mode).await;
        a_whole_round(&b).await;
        b.put_own("m/v9/orphan.bin", b"of a push that failed").await;
        let plan = b.storage.plan_gc(None, time::Duration::ZERO).await.unwrap();
        b.storage.gc(&plan).await.unwrap();
        assert!(!b.keys().await.iter().any(|key| key.starts_with("m/v9/") || key.starts_with("m/v1/")));
        assert!(b.storage.fsck(None, true).await.unwrap().faults.is_empty());
        // Its versions still exist behind a marker, until the retention ends.
        let url = format!("{}/{}?versions=&prefix=m%2Fv1%2F", b.client().endpoint(), b.bucket());
        let (status, body) = signed_url("GET", &url, None, b"").await;
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(status.contains("200") && text.contains("<DeleteMarker>") && text.contains("<Version>"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
async fn minio_encrypts_what_is_stored_and_no_etag_is_taken_for_an_md5() {
    let ours = Encryption::new(EncryptionMode::Kms).key("modeldepot");
    for encryption in [Encryption::new(EncryptionMode::Server), ours] {
        let plain = Backend::on(&MINIO).await;
        let mut settings = plain.settings.clone();
        settings.writing.encryption = Some(encryption);
        let b = Backend::with(settings, tempfile::tempdir().unwrap()).await;
        a_whole_round(&b).await;
        // The same content again, which is compared in the bucket.
        let file = b.file("m.bin", &bytes(17 << 20, 1));
        let small = b.file("config.json", b"{}");
        b.storage.push(push("m", Some("2"), &file, &[small]), &Progress::none()).await.unwrap();
        let url = format!("{}/{}/m/v2/config.json", b.client().endpoint(), b.bucket());
        let (status, _) = signed_url("GET", &url, None, b"").await;
        assert!(status.contains("200"), "{status}");
        assert_ne!(
            b.client().get_object_metadata(b.bucket(), "m/v2/config.json").await.unwrap().etag.len(),
            0,
            "whatever it is"
        );
    }
    // A missing key is reported as such, and not as a policy.
    let plain = Backend::on(&MINIO).await;
    let mut settings = plain.settings.clone();
    let encryption = Encryption::new(EncryptionMode::Kms).key("no-such-key");
    settings.writing.encryption = Some(encryption);
    let b = Backend::with(settings, tempfile::tempdir().unwrap()).await;
    let error = refused(&b).await;
    assert!(error.to_string().contains("encryption key"), "{error:?}");
}
