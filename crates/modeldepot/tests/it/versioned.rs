//! A bucket with versioning: everything works as in any other, and deleted objects are hidden, not gone.

use modeldepot::advice::Advice;
use modeldepot::{Error, Progress};

use crate::backend::{Backend, bytes, push};
use crate::servers::MINIO;
use crate::upkeep::NOW;

pub(crate) async fn a_depot_in_a_bucket_that_keeps_versions(b: Backend) {
    assert_eq!(b.client().keeps_versions(b.bucket()).await.unwrap(), Some(false));
    b.client().set_versioning(b.bucket(), true).await.unwrap();
    assert_eq!(b.client().keeps_versions(b.bucket()).await.unwrap(), Some(true));

    let (first, second) = (b.file("m.bin", &bytes(20 << 20, 1)), b.file("n.bin", &bytes(1 << 20, 2)));
    b.storage.push(push("m", Some("1"), &first, &[]), &Progress::none()).await.unwrap();
    b.storage.push(push("m", Some("2"), &second, &[]), &Progress::none()).await.unwrap();
    let again = b.storage.push(push("m", Some("1"), &second, &[]), &Progress::none()).await.unwrap_err();
    assert!(matches!(again, Error::VersionExists { .. }), "{again:?}");
    b.pull("m@1", "out").await.unwrap();
    assert!(std::fs::read(b.path("out/m.bin")).unwrap() == bytes(20 << 20, 1));
    b.storage.verify(&"m@2".parse().unwrap(), &Progress::none()).await.unwrap();

    // A deleted version is gone for every reader, its name is retired, and nothing is left to collect.
    let deleted = b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    assert_eq!((deleted.files, deleted.bytes), (1, 20 << 20));
    assert!(matches!(b.pull("m@1", "gone").await.unwrap_err(), Error::VersionDeleted { .. }));
    let late = b.storage.push(push("m", Some("1"), &first, &[]), &Progress::none()).await.unwrap_err();
    assert!(matches!(late.advice(None), Some(Advice::VersionIsRetired)), "{late:?}");
    assert!(b.storage.plan_gc(None, NOW).await.unwrap().is_empty());

    // Orphans of a dead push are collected, once.
    b.put_own("m/v3/m.bin", b"of a push that died").await;
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert_eq!(b.storage.gc(&plan).await.unwrap().objects, 1);
    assert!(b.storage.plan_gc(None, NOW).await.unwrap().is_empty());
    assert_eq!(b.pull("m", "newest").await.unwrap().manifest.version.as_str(), "2");

    b.client().set_versioning(b.bucket(), false).await.unwrap();
    assert_eq!(b.client().keeps_versions(b.bucket()).await.unwrap(), Some(true), "what it kept stays");
    let third = b.file("o.bin", b"suspended");
    b.storage.push(push("m", Some("4"), &third, &[]), &Progress::none()).await.unwrap();
    b.pull("m@4", "suspended").await.unwrap();
}

#[tokio::test]
async fn versioned_bucket_on_the_embedded_server() {
    a_depot_in_a_bucket_that_keeps_versions(Backend::embedded().await).await;
}

#[ignore = "needs MinIO: run by `cargo xtask test`"]
#[tokio::test]
async fn versioned_bucket_on_minio() {
    a_depot_in_a_bucket_that_keeps_versions(Backend::on(&MINIO).await).await;
}
