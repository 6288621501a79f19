//! Which push continues which, and what a push reports of a version that exists.

use std::path::{Path, PathBuf};

use super::*;
use crate::error::ErrorKind;
use crate::settings::Settings;
use crate::store::Scan;
use crate::store::test_server::{Act, START, TestServer};

/// A storage at this endpoint, bucket and prefix, to which nothing is sent.
async fn storage(endpoint: &str, bucket: &str, prefix: &str) -> ModelStorage {
    let mut settings = Settings::from_variables(|name| match name {
        "S3_ENDPOINT" => Some(endpoint.to_owned()),
        "S3_BUCKET_MODELS" => Some(bucket.to_owned()),
        _ => None,
    })
    .unwrap();
    settings.prefix = prefix.parse().unwrap();
    ModelStorage::open(&settings).await.unwrap()
}

const HERE: (&str, &str, &str) = ("http://127.0.0.1:1", "models", "");

/// An interrupted push continues only as the push of the same model, to the same place: the same version, or the same
/// file where none was named.
#[tokio::test]
async fn a_push_continues_no_other_push() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf {
        let path = folder.path().join("files").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, name).unwrap();
        path
    };
    let push = |model: &str, version: Option<&str>, path: &Path| {
        let source = Source::scan(&Scan::new(path)).unwrap();
        let mut push = Push::new(model.parse().unwrap(), source).state_folder(folder.path().join("state"));
        push.version = version.map(|version| version.parse().unwrap());
        push
    };
    let (a, other) = (file("a/m.bin"), file("b/m.bin"));
    file("a/config.json");
    let whole = a.parent().unwrap();
    let pushes = [
        (HERE, push("m", None, &a)),
        (HERE, push("m", None, &other)),
        (HERE, push("m", Some("1"), &a)),
        (HERE, push("m", Some("2"), &a)),
        (HERE, push("n", None, &a)),
        (("http://127.0.0.1:2", "models", ""), push("m", None, &a)),
        (("http://127.0.0.1:1", "others", ""), push("m", None, &a)),
        (("http://127.0.0.1:1", "models", "team"), push("m", None, &a)),
    ];
    // Each has a state of its own, although all run at the same time.
    let mut running = Vec::new();
    for (number, ((endpoint, bucket, prefix), push)) in pushes.iter().enumerate() {
        let (state, entry) = storage(endpoint, bucket, prefix).await.resume_state(push).await;
        assert_eq!(entry, None, "{number}");
        running.push(state.unwrap_or_else(|| panic!("{number} is taken for another")));
    }
    // Its model file stands for a folder, and a version for all its files. While a push runs, nobody else continues it.
    let here = storage(HERE.0, HERE.1, HERE.2).await;
    for same in [push("m", None, &a), push("m", None, whole), push("m", Some("1"), &other)] {
        assert!(matches!(here.resume_state(&same).await, (None, None)));
    }
    // Without a folder, or in one that cannot be written to, nothing is kept.
    let mut without = push("m", Some("3"), &a);
    without.state_folder = None;
    assert!(matches!(here.resume_state(&without).await, (None, None)));
    assert!(matches!(here.resume_state(&without.clone().state_folder(&a)).await, (None, None)));
}

/// A server on which `m@1` is published, and a push of the same content.
async fn published(folder: &Path) -> (TestServer, ModelStorage, Push) {
    let path = folder.join("w.bin");
    std::fs::write(&path, "weights").unwrap();
    let source = Source::scan(&Scan::new(path)).unwrap();
    let push = Push::new("m".parse().unwrap(), source).version("1".parse().unwrap()).created(START);
    let server = TestServer::start().await;
    let storage = server.storage(true).await;
    assert!(!storage.push(push.clone(), &Progress::none()).await.unwrap().already);
    (server, storage, push)
}

const LOCK: &str = ".depot/gc/m/1/00000000-0000-7000-8000-000000000001.json";

/// The version that was found may be about to be removed.
#[tokio::test]
async fn a_push_waits_for_a_gc_that_decides_about_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut storage, push) = published(folder.path()).await;
    server.bucket().put(LOCK, b"{}");
    let mut looked = 0;
    server.play(move |asked, bucket| {
        looked += usize::from(asked.starts_with("LIST .depot/gc/m/1/"));
        if looked == 2 {
            bucket.objects.remove(LOCK);
        }
        Act::Serve
    });
    assert!(storage.push(push.clone(), &Progress::none()).await.unwrap().already);

    server.bucket().put(LOCK, b"{}");
    server.play(|_, _| Act::Serve);
    storage.times.cleaning = std::time::Duration::from_millis(300);
    let error = storage.push(push.clone(), &Progress::none()).await.unwrap_err();
    assert_eq!(error.to_string(), Error::gc_locked(&push.model, &"1".parse().unwrap()).to_string());
    assert!(server.bucket().count("LIST .depot/gc/m/1/") >= 4, "it looks again while it waits");

    // While it waited, gc has deleted the version.
    server.bucket().put(".depot/tombstones/m/1.json", b"{}");
    let error = storage.push(push.clone(), &Progress::none()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.to_string(), Error::version_retired(&push.model, &"1".parse().unwrap()).to_string());
}

#[tokio::test]
async fn a_manifest_describes_the_model_file_and_not_another() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.bin"), "weights").unwrap();
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let source = Source::scan(&Scan::new(folder.path())).unwrap();
    let push = Push::new("m".parse().unwrap(), source).version("1".parse().unwrap()).created(START);
    let server = TestServer::start().await;
    let manifest = server.storage(true).await.push(push, &Progress::none()).await.unwrap().manifest;
    assert_eq!(manifest.model_file, "m/v1/model.bin");
    let md5 = |name: &str| manifest.files.iter().flatten().find(|file| file.path.as_str() == name).unwrap().md5;
    assert!(manifest.checksum.is_some() && manifest.checksum == md5("model.bin") && md5("a.txt") != md5("model.bin"));
    assert!(manifest.files.iter().flatten().all(|file| file.parts.is_none()), "none has several parts");
}

/// No lease is taken and nothing is sent: a key that can only read is enough to check that a version is published.
#[tokio::test]
async fn a_push_of_what_is_published_only_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (server, storage, push) = published(folder.path()).await;
    let before = server.bucket().asked.len();
    let state = folder.path().join("state");
    assert!(storage.push(push.clone().state_folder(&state), &Progress::none()).await.unwrap().already);
    std::fs::write(folder.path().join("w.bin"), "others!").unwrap();
    let source = Source::scan(&Scan::new(folder.path().join("w.bin"))).unwrap();
    let other = Push { source, ..push }.state_folder(&state);
    let error = storage.push(other, &Progress::none()).await.unwrap_err();
    assert!(matches!(error, Error::VersionExists { .. }), "{error:?}");
    let asked = server.bucket().asked.split_off(before);
    assert!(asked.iter().all(|asked| ["GET", "HEAD", "LIST"].iter().any(|read| asked.starts_with(read))), "{asked:?}");
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0, "a push that is over is not continued");
}

#[tokio::test]
async fn a_push_without_a_version_takes_the_first_free_second() {
    let folder = tempfile::tempdir().unwrap();
    let (server, storage, mut push) = published(folder.path()).await;
    push.version = None;
    let second = |n: i64| Version::at(START + Duration::seconds(n));
    server.bucket().put(&format!(".depot/tombstones/m/{}.json", second(0)), b"{}");
    server.bucket().put(&format!("m/v{}/x", second(1)), b"somebody's");
    let taken = storage.push(push, &Progress::none()).await.unwrap().manifest.version;
    assert_eq!(taken, second(2));
    for n in [0, 1] {
        assert_eq!(server.bucket().count(&format!("PUT .depot/leases/m/{}/", second(n))), 0, "it is not contended for");
    }
}
