//! Checks of gc and fsck.

use modeldepot::advice::Advice;
use modeldepot::s3::UploadOptions;
use modeldepot::{ErrorKind, Progress};
use time::Duration;

use crate::backend::{Backend, bytes, push};

/// No grace period.
pub(crate) const NOW: Duration = Duration::ZERO;

/// Begins an upload of a large file and interrupts it, like kill -9.
pub(crate) async fn cut_off_upload(b: &Backend, key: &str) {
    let path = b.file("cut-off", &bytes(40 << 20, 9));
    let (client, bucket, key) = (b.client().clone(), b.bucket().clone(), key.to_owned());
    let (first, mut moved) = tokio::sync::mpsc::unbounded_channel();
    let upload = tokio::spawn(async move {
        client.upload_file(&path, &bucket, &key, &UploadOptions::default(), |n| _ = first.send(n)).await
    });
    moved.recv().await.unwrap();
    upload.abort();
    assert!(upload.await.is_err());
}

pub(crate) async fn what_a_dead_push_left_is_found_and_removed(b: Backend) {
    let file = b.file("m.bin", b"whole");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    b.put_own("m/v2/m.bin", b"of a push that died").await;
    b.put_own("other/v1/a/b.bin", b"of another").await;
    let record = ".depot/uploads/m/3/0192f0c1-0000-7000-8000-000000000000.json";
    cut_off_upload(&b, "m/v3/m.bin").await;
    let begun = b.client().list_multipart_uploads(b.bucket(), "m/v3/m.bin").await.unwrap();
    let says = serde_json::json!({"paths": ["m.bin"], "uploads": [begun[0].upload_id]});
    b.put(record, says.to_string().as_bytes()).await;
    let before = b.keys().await;

    let plan = b.storage.plan_gc(None, Duration::hours(24)).await.unwrap();
    assert!(plan.is_empty() && plan.kept.len() == 3, "all of it is too young: {plan:?}");
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    let abandoned: Vec<_> = plan.abandoned.iter().map(|r| format!("{}@{}", r.model, r.version)).collect();
    assert_eq!(abandoned, ["m@2", "other@1"]);
    assert_eq!((plan.uploads.len(), plan.deleted.len(), plan.unknown.len()), (1, 0, 0), "{plan:?}");
    assert_eq!(b.storage.plan_gc(Some(&"m".parse().unwrap()), NOW).await.unwrap().abandoned.len(), 1);
    assert_eq!(b.keys().await, before, "a plan changes nothing");

    let collected = b.storage.gc(&plan).await.unwrap();
    assert_eq!((collected.objects, collected.uploads, collected.spared), (2, 1, 0));
    // Records are removed once nothing can be working on what they name.
    let (records, left): (Vec<_>, Vec<_>) =
        b.keys().await.into_iter().partition(|key| key.starts_with(".depot/uploads/"));
    assert_eq!((records.len(), records.contains(&record.to_owned())), (3, true));
    assert_eq!(
        left,
        [".depot/tombstones/m/2.json", ".depot/tombstones/other/1.json", "m/v1/m.bin", "m/v1/manifest.json"]
    );
    assert!(b.storage.plan_gc(None, NOW).await.unwrap().is_empty());
    assert_eq!(b.client().list_multipart_uploads(b.bucket(), "m/v3/m.bin").await.unwrap(), []);
    let late = b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap_err();
    assert!(matches!(late.advice(None), Some(Advice::VersionIsRetired)), "{late:?}");
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
}

pub(crate) async fn what_is_alive_or_published_or_unknown_is_spared(b: Backend) {
    let file = b.file("m.bin", b"whole");
    b.put("readme.txt", b"somebody's").await;
    b.put("m/notes/x", b"somebody's").await;
    b.put(".depot/future/x.json", b"of a later program").await;
    b.put_own("m/v1/m.bin", b"whole").await;
    b.put_own("m/v2/m.bin", b"whole").await;
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert_eq!(plan.abandoned.len(), 2);
    assert_eq!(plan.unknown, [".depot/future/x.json", "m/notes/x", "readme.txt"]);
    // Since the plan was made, one version was published and a push of the other began.
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    b.put(".depot/leases/m/2/0192f0c1-0000-7000-8000-000000000000.json", b"{}").await;
    let collected = b.storage.gc(&plan).await.unwrap();
    assert_eq!((collected.objects, collected.spared), (0, 2));
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    assert_eq!(b.get("m/v2/m.bin").await, b"whole");
    assert!(!b.keys().await.iter().any(|key| key.contains("/tombstones/") || key.contains("/gc/")));
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert!(plan.is_empty(), "a living lease covers its version: {plan:?}");
}

pub(crate) async fn a_delete_that_was_cut_off_is_finished(b: Backend) {
    let file = b.file("m.bin", b"x");
    for version in ["1", "2"] {
        b.storage.push(push("m", Some(version), &file, &[]), &Progress::none()).await.unwrap();
    }
    b.put(".depot/tombstones/m/1.json", b"{}").await;
    let plan = b.storage.plan_gc(None, Duration::hours(24)).await.unwrap();
    assert_eq!((plan.deleted.len(), plan.deleted[0].objects.len()), (1, 2));
    b.storage.gc(&plan).await.unwrap();
    assert_eq!(b.keys().await, [".depot/tombstones/m/1.json", "m/v2/m.bin", "m/v2/manifest.json"]);
}

pub(crate) async fn fsck_reports_what_is_wrong_with_every_version(b: Backend) {
    let (file, history) = (b.file("m.bin", &bytes(9 << 20, 1)), b.file("h.json", b"{}"));
    for version in ["1-good", "2-flipped", "3-missing", "4-short", "5-no-json", "6-hostile"] {
        let with = [history.clone()];
        b.storage.push(push("m", Some(version), &file, &with), &Progress::none()).await.unwrap();
    }
    let sound = b.storage.fsck(None, true).await.unwrap();
    assert_eq!((sound.versions, sound.files, sound.faults.len()), (6, 12, 0));
    assert_eq!(sound.bytes, 6 * ((9 << 20) + 2));
    let mut flipped = bytes(9 << 20, 1);
    flipped[5] ^= 1;
    b.put("m/v2-flipped/m.bin", &flipped).await;
    b.client().delete_object(b.bucket(), "m/v3-missing/h.json").await.unwrap();
    b.put("m/v4-short/m.bin", b"short").await;
    b.put("m/v5-no-json/manifest.json", b"{").await;
    let hostile = String::from_utf8(b.get("m/v6-hostile/manifest.json").await).unwrap();
    b.put("m/v6-hostile/manifest.json", hostile.replace("\"path\": \"h.json\"", "\"path\": \"../h.json\"").as_bytes())
        .await;
    let faults = async |deep| -> Vec<String> {
        let report = b.storage.fsck(Some(&"m".parse().unwrap()), deep).await.unwrap();
        assert_eq!(report.versions, 6);
        assert!(report.faults.iter().all(|fault| fault.error.kind() == ErrorKind::Corrupt));
        report.faults.iter().map(|fault| format!("{}: {}", fault.version, fault.error)).collect()
    };
    let shallow = faults(false).await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(shallow.join("\n"), @r"
        3-missing: `h.json` of `m@3-missing` is missing from the bucket
        4-short: `m.bin` of `m@4-short` is damaged: the bucket holds 5 bytes where 9437184 were published
        5-no-json: the manifest `m/v5-no-json/manifest.json` cannot be used
        6-hostile: the manifest `m/v6-hostile/manifest.json` cannot be used
        ");
    }
    let read = b.storage.fsck(Some(&"m".parse().unwrap()), true).await.unwrap().bytes;
    // The first part of the damaged file was read as well.
    assert!(read > (9 << 20) + 2 && read <= 2 * ((9 << 20) + 2), "{read}");
    let deep = faults(true).await;
    assert_eq!(deep.len(), 5);
    assert!(
        deep[0].starts_with("2-flipped: `m.bin` of `m@2-flipped` is damaged: the BLAKE3 of bytes 0 to 8388607 is "),
        "{}",
        deep[0]
    );
}
