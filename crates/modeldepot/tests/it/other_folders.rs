//! A shared bucket: the models are in a folder of it, and nothing outside the folder is touched.

use modeldepot::s3::PresignedMethod;
use modeldepot::{ModelStorage, Progress};

use crate::backend::{Backend, push};
use crate::client::http;

/// A second depot in the same bucket.
async fn at(b: &Backend, prefix: &str) -> ModelStorage {
    let settings = b.settings.clone().prefix(prefix.parse().unwrap());
    ModelStorage::open(&settings).await.unwrap()
}

async fn keys(b: &Backend) -> Vec<String> {
    let listed = b.storage.client().list_objects(b.bucket(), "").await.unwrap();
    listed.into_iter().map(|object| object.key).filter(|key| !key.ends_with(".depot/probe.json")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depots_side_by_side_do_not_see_each_other() {
    let b = Backend::embedded().await;
    let file = b.file("m.bin", b"weights");
    let depots = [at(&b, "").await, at(&b, "a").await, at(&b, "a/b").await, at(&b, "ab").await];
    for (n, depot) in depots.iter().enumerate() {
        for version in ["1", "2"] {
            depot.push(push(&format!("m{n}"), Some(version), &file, &[]), &Progress::none()).await.unwrap();
        }
    }
    let all = keys(&b).await;
    assert!(all.contains(&"a/b/m2/v1/manifest.json".to_owned()), "{all:?}");
    for (n, depot) in depots.iter().enumerate() {
        let models = depot.models().await.unwrap();
        let names: Vec<_> = models.iter().map(|found| found.model.to_string()).collect();
        assert_eq!(names, [format!("m{n}")]);
        let report = depot.fsck(None, true).await.unwrap();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
    depots[1].delete(&"m1".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    let left = keys(&b).await;
    let gone: Vec<_> = all.iter().filter(|key| !left.contains(key)).collect();
    assert_eq!(gone, ["a/m1/v1/m.bin", "a/m1/v1/manifest.json"]);
    assert!(left.contains(&"a/.depot/tombstones/m1/1.json".to_owned()), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_verbs_leave_the_versions_of_every_depot_alone() {
    use modeldepot::Change::{Delete, Store};
    let b = Backend::embedded().await;
    let file = b.file("m.bin", b"weights");
    let depots = [at(&b, "").await, at(&b, "a").await, at(&b, "a/b/v1").await];
    for depot in &depots {
        depot.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    }
    depots[0].delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    b.put("a/webapp/v1/manifest.json", br#"{"name": "My PWA"}"#).await;
    b.put("a/m/v1/notes.txt", b"somebody's").await;
    for depot in &depots {
        let refused = async |key, change| depot.refuse_change(b.bucket(), key, change).await.is_err();
        for (key, change) in [
            ("a/m/v1/m.bin", Delete),
            ("a/m/v1/manifest.json", Store),
            ("a/m/v1/new.txt", Store),
            ("a/b/v1/m/v1/m.bin", Delete),
            ("a/.depot/probe.json", Delete),
            (".depot/tombstones/m/1.json", Delete),
            ("elsewhere/.depot/tombstones/m/1.json", Store),
        ] {
            assert!(refused(key, change).await, "{} {key} {change:?}", depot.prefix());
        }
        for (key, change) in [
            ("m/v1/m.bin", Store),
            ("a/m/v2/m.bin", Store),
            ("a/m/v1/notes.txt", Delete),
            ("a/webapp/v1/manifest.json", Delete),
            ("a/b/v1/notes.txt", Store),
            ("data/m/v1/m.bin", Store),
        ] {
            assert!(!refused(key, change).await, "{} {key} {change:?}", depot.prefix());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gc_stays_in_its_folder() {
    let mut b = Backend::embedded().await;
    // Orphans of a dead push, in each of two depots of the bucket, and an object of another tool beside them.
    b.put_own("m/v1/w.bin", b"orphan").await;
    b.settings.prefix = "team".parse().unwrap();
    b.storage = ModelStorage::open(&b.settings).await.unwrap();
    b.put_own("m/v1/w.bin", b"orphan").await;
    b.put("notes.txt", b"somebody's").await;
    let inner = at(&b, "team/x").await;
    let upload = inner.depot().begin_multipart_upload(b.bucket(), "m/v9/w.bin").await.unwrap();
    let plan = b.storage.plan_gc(None, time::Duration::ZERO).await.unwrap();
    b.storage.gc(&plan).await.unwrap();
    let left = keys(&b).await;
    assert!(left.contains(&"m/v1/w.bin".to_owned()), "the bucket's own depot: {left:?}");
    assert!(left.contains(&"team/notes.txt".to_owned()), "{left:?}");
    assert!(!left.contains(&"team/m/v1/w.bin".to_owned()), "{left:?}");
    let uploads = inner.depot().list_multipart_uploads(b.bucket(), "").await.unwrap();
    assert_eq!(
        uploads.iter().map(|found| (&*found.key, &found.upload_id)).collect::<Vec<_>>(),
        [("m/v9/w.bin", &upload)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_and_addresses_name_the_folder() {
    let b = Backend::in_a_folder().await;
    let file = b.file("m.bin", b"weights");
    let done = b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    assert_eq!(done.manifest.model_file, "m/v1/m.bin", "a depot can be copied to another folder");
    let address = format!("{}/{}/team%20a/ml+%C3%A9/m/v1/m.bin", b.client().endpoint(), b.bucket());
    assert_eq!(done.manifest.model_url, address);
    let life = std::time::Duration::from_secs(60);
    let link = b.storage.presign(&"m".parse().unwrap(), None, PresignedMethod::Get, life).await.unwrap();
    let (status, body) = http("GET", &link, b"").await;
    assert!(status.contains("200"), "{status}");
    assert_eq!(body, b"weights");
}
