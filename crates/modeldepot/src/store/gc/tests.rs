//! Plans and their execution against a server whose clock and whose other clients are the test.

use super::*;
use crate::store::ownership::mark;
use crate::store::test_server::{Act, Bucket, START, TestServer};

const ID: Uuid = Uuid::from_u128(7);

fn model(name: &str) -> ModelName {
    name.parse().unwrap()
}

fn version() -> Version {
    "1".parse().unwrap()
}

fn lease() -> String {
    ObjectKey::Lease(model("m"), version(), ID).to_string()
}

fn uploads() -> String {
    ObjectKey::Uploads(model("m"), version(), ID).to_string()
}

/// An upload of `m@1` that its record names.
fn begin_upload(bucket: &mut Bucket, key: &str) {
    bucket.uploads.insert((key.to_owned(), "u1".to_owned()), Some(bucket.now));
    bucket.put(&uploads(), br#"{"paths": ["w.bin"], "uploads": ["u1"]}"#);
}

/// A server on which a push of `m@1` left this, long ago.
async fn left(leave: impl FnOnce(&mut Bucket)) -> (TestServer, ModelStorage) {
    let server = TestServer::start().await;
    leave(&mut server.bucket());
    server.passes(700);
    let storage = server.storage(true).await;
    (server, storage)
}

async fn planned(storage: &ModelStorage) -> GcPlan {
    storage.plan_gc(None, Duration::ZERO).await.unwrap()
}

#[test]
fn a_plan_is_empty_when_there_is_nothing_to_remove() {
    let object = ListedObject { key: "k".to_owned(), size: 1, etag: String::new(), modified: None };
    let orphans = Orphans { model: model("m"), version: version(), objects: vec![object.clone()] };
    let upload = UnfinishedUpload { key: "k".to_owned(), upload_id: "u".to_owned(), begun: None };
    let empty = GcPlan {
        without_manifest: vec![orphans.clone()],
        kept: vec![Kept { key: "k".to_owned(), why: KeptWhy::Push, until: None }],
        foreign: vec![orphans.clone()],
        foreign_uploads: vec![upload.clone()],
        unknown: vec!["k".to_owned()],
        ..GcPlan::default()
    };
    assert!(empty.is_empty() && GcPlan::default().is_empty());
    for plan in [
        GcPlan { abandoned: vec![orphans.clone()], ..empty.clone() },
        GcPlan { deleted: vec![orphans], ..empty.clone() },
        GcPlan { uploads: vec![upload], ..empty.clone() },
        GcPlan { records: vec![object], ..empty },
    ] {
        assert!(!plan.is_empty(), "{plan:?}");
    }
}

#[test]
fn the_bytes_of_orphans_are_those_of_all() {
    let object = |size| ListedObject { key: "k".to_owned(), size, etag: String::new(), modified: None };
    let orphans = |objects| Orphans { model: model("m"), version: version(), objects };
    assert_eq!(orphans(vec![object(40), object(2)]).bytes(), 42);
    assert_eq!(orphans(vec![object(u64::MAX), object(2)]).bytes(), u64::MAX);
    assert_eq!(orphans(vec![]).bytes(), 0);
}

/// Between its listing and its removal, a record may be renewed or removed by its owner.
#[tokio::test]
async fn a_record_that_was_renewed_since_is_spared() {
    type Meanwhile = fn(&mut Bucket, &str);
    let meanwhile: [(Meanwhile, usize, usize); 3] = [
        (|_, _| {}, 1, 0),
        (|bucket, key| bucket.put(key, b"{}"), 0, 1),
        (|bucket, key| _ = bucket.objects.remove(key), 0, 0),
    ];
    for key in [lease(), ".depot/probe/x".to_owned(), ".depot/doctor/x".to_owned(), uploads()] {
        for (meanwhile, removed, spared) in meanwhile {
            let (server, storage) = left(|bucket| {
                // A listing may have finer times than the answer to a HEAD.
                bucket.now += Duration::milliseconds(300);
                bucket.put(&key, b"{}");
            })
            .await;
            let plan = planned(&storage).await;
            assert_eq!(plan.records.iter().map(|record| &record.key).collect::<Vec<_>>(), [&key]);
            let of = key.clone();
            server.play(move |asked, bucket| {
                if asked == format!("HEAD {of}") {
                    meanwhile(bucket, &of);
                }
                Act::Serve
            });
            let collected = storage.gc(&plan).await.unwrap();
            assert_eq!((collected.objects, collected.spared), (removed, spared), "{key}");
            assert_eq!(server.bucket().keys().len(), spared, "{key}");
        }
    }
}

#[tokio::test]
async fn an_upload_is_aborted_unless_a_push_has_begun_since() {
    for leased in [false, true] {
        let (server, storage) = left(|bucket| begin_upload(bucket, "m/v1/w.bin")).await;
        let plan = planned(&storage).await;
        assert_eq!(plan.uploads.len(), 1);
        if leased {
            server.bucket().put(&lease(), b"{}");
        }
        let collected = storage.gc(&plan).await.unwrap();
        assert_eq!((collected.uploads, collected.spared), (usize::from(!leased), 2 * usize::from(leased)));
        assert_eq!(server.bucket().uploads.len(), usize::from(leased));
        assert_eq!(
            server.bucket().objects.contains_key(&uploads()),
            leased,
            "the record is needed as long as the upload"
        );
    }
}

/// The record of uploads goes last. Without it nobody would know whose an upload is.
#[tokio::test]
async fn a_record_of_uploads_stays_while_it_may_be_needed() {
    for (leased, upload) in [(true, false), (false, true), (true, true), (false, false)] {
        let (server, storage) =
            left(|bucket| bucket.put(&uploads(), br#"{"paths": ["w.bin"], "uploads": ["u1"]}"#)).await;
        let plan = planned(&storage).await;
        assert_eq!(plan.records.len(), 1);
        if leased {
            server.bucket().put(&lease(), b"{}");
        }
        if upload {
            server.bucket().uploads.insert(("m/v1/w.bin".to_owned(), "u1".to_owned()), Some(START));
        }
        let collected = storage.gc(&plan).await.unwrap();
        let spared = leased || upload;
        assert_eq!((collected.objects, collected.spared), (usize::from(!spared), usize::from(spared)));
        assert_eq!(server.bucket().objects.contains_key(&uploads()), spared, "leased {leased}, upload {upload}");
    }
}

#[tokio::test]
async fn a_plan_for_one_model_is_of_no_other() {
    let (_server, storage) = left(|bucket| {
        begin_upload(bucket, "m/v1/w.bin");
        for id in ["foreign", "u1"] {
            bucket.uploads.insert(("other/v1/w.bin".to_owned(), id.to_owned()), Some(bucket.now));
        }
        bucket.put("other/v1/x", b"x");
    })
    .await;
    let plan = storage.plan_gc(Some(&model("m")), Duration::ZERO).await.unwrap();
    assert_eq!(plan.uploads.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["m/v1/w.bin"]);
    assert!(plan.foreign_uploads.is_empty() && plan.foreign.is_empty(), "{plan:?}");
    let plan = storage.plan_gc(Some(&model("other")), Duration::ZERO).await.unwrap();
    assert_eq!((plan.uploads.len(), plan.foreign_uploads.len(), plan.foreign.len()), (0, 2, 1));
    assert!(storage.plan_gc(Some(&model("nothing")), Duration::ZERO).await.is_err());
}

/// What is not removed yet is named, with the reason and the time from which it may be.
#[tokio::test]
async fn what_is_kept_says_why_and_until_when() {
    let marked = |key: &str| mark(ID, key);
    let grace = Duration::hours(1);
    // A push may be at work: until its lease is stale.
    let (server, storage) = left(|bucket| {
        bucket.put_with("m/v1/a", b"a", marked("m/v1/a"));
        begin_upload(bucket, "m/v1/w.bin");
    })
    .await;
    let renewed = server.bucket().now;
    server.bucket().put(&lease(), b"{}");
    let plan = storage.plan_gc(None, Duration::ZERO).await.unwrap();
    assert!(plan.is_empty(), "{plan:?}");
    let until = Some(renewed + Duration::minutes(10));
    for key in ["m/v1/a", "m/v1/w.bin"] {
        let kept = Kept { key: key.to_owned(), why: KeptWhy::Push, until };
        assert!(plan.kept.contains(&kept), "{plan:?}");
    }
    // The grace period counts from the youngest file.
    let (server, storage) = left(|bucket| {
        bucket.put_with("m/v1/a", b"a", marked("m/v1/a"));
        bucket.put(&uploads(), b"{}");
    })
    .await;
    let youngest = server.bucket().now;
    server.bucket().put_with("m/v1/b", b"b", marked("m/v1/b"));
    let plan = storage.plan_gc(None, grace).await.unwrap();
    let kept = |key: &str| Kept { key: key.to_owned(), why: KeptWhy::Grace, until: Some(youngest + grace) };
    assert!(plan.is_empty() && plan.kept == [kept("m/v1/a"), kept("m/v1/b")], "{plan:?}");
    // A record is kept for ten minutes even without a grace period.
    let (server, storage) = left(|_| {}).await;
    let written = server.bucket().now;
    server.bucket().put(".depot/probe/x", b"x");
    let plan = storage.plan_gc(None, Duration::ZERO).await.unwrap();
    let until = Some(written + Duration::minutes(10));
    assert_eq!(plan.kept, [Kept { key: ".depot/probe/x".to_owned(), why: KeptWhy::Record, until }]);
    let plan = storage.plan_gc(None, grace).await.unwrap();
    let until = Some(written + grace);
    assert_eq!(plan.kept, [Kept { key: ".depot/probe/x".to_owned(), why: KeptWhy::Grace, until }]);
    // Where the server does not say when a lease was written, nobody knows.
    let (server, storage) = left(|bucket| {
        bucket.put_with("m/v1/a", b"a", marked("m/v1/a"));
        bucket.put(&lease(), b"{}");
        bucket.objects.get_mut(&lease()).unwrap().modified = None;
    })
    .await;
    let plan = storage.plan_gc(None, Duration::ZERO).await.unwrap();
    assert!(plan.kept.contains(&Kept { key: "m/v1/a".to_owned(), why: KeptWhy::Push, until: None }), "{plan:?}");
    drop(server);
}
