//! Checks of [`ModelStorage`]'s operations.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modeldepot::advice::Advice;
use modeldepot::s3::PresignedMethod;
use modeldepot::{Error, ErrorKind, ModelName, Offer, OfferedFile, Progress, Selector, SourceError};

use crate::backend::{Backend, bytes, push};

fn selector(text: &str) -> Selector {
    text.parse().unwrap()
}

fn model(text: &str) -> ModelName {
    text.parse().unwrap()
}

/// All files below a folder with their bytes, except the manifest.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path != folder.join("manifest.json") {
                files.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

pub(crate) async fn a_folder_round_trips(b: Backend) {
    b.file("m/model.safetensors", &bytes(17 << 20, 1));
    b.file("m/sub/deeper/weights ü.bin", &bytes(100_000, 2));
    b.file("m/empty", b"");
    b.file("m/文件/manifest.json", b"not ours");
    let history = b.file("training_history.json", br#"{"val_loss": [1, 2]}"#);
    let published = b.storage.push(push("m", None, &b.path("m"), &[history]), &Progress::none()).await.unwrap();
    let manifest = &published.manifest;
    assert!(!published.already);
    assert_eq!(manifest.version.as_str(), "20251028_181858");
    assert_eq!(manifest.model_file, "m/v20251028_181858/model.safetensors");
    assert!(manifest.model_url.ends_with("/m/v20251028_181858/model.safetensors"), "{}", manifest.model_url);
    assert_eq!(
        manifest.checksum,
        manifest.files.as_ref().unwrap().iter().find(|f| f.path.as_str() == "model.safetensors").unwrap().md5
    );

    let fetched = b.pull("m", "out").await.unwrap();
    assert_eq!((fetched.files, fetched.manifest), (5, published.manifest.clone()));
    assert_eq!(fetched.model_path, b.path("out/model.safetensors"));
    b.file("m/training_history.json", br#"{"val_loss": [1, 2]}"#);
    assert!(content(&b.path("out")) == content(&b.path("m")), "the folder came back otherwise");
    assert_eq!(fs::read(b.path("out/manifest.json")).unwrap(), b.get("m/v20251028_181858/manifest.json").await);

    let verified = b.storage.verify(&selector("m@v20251028_181858"), &Progress::none()).await.unwrap();
    assert_eq!((verified.files, verified.unverified.len(), verified.bytes), (5, 0, fetched.bytes));
    let models = b.storage.models().await.unwrap();
    assert_eq!((models.len(), models[0].versions, models[0].size), (1, 1, fetched.bytes));
}

pub(crate) async fn automatic_versions_take_the_next_free_second(b: Backend) {
    let file = b.file("m.bin", b"1");
    b.put("m/v20251028_181859/leftover", b"of a push that died").await;
    let mut versions = Vec::new();
    for n in 0..3u8 {
        fs::write(&file, [n]).unwrap();
        let published = b.storage.push(push("m", None, &file, &[]), &Progress::none()).await.unwrap();
        versions.push(published.manifest.version.to_string());
    }
    assert_eq!(versions, ["20251028_181858", "20251028_181900", "20251028_181901"]);
    assert_eq!(b.storage.latest(&model("m")).await.unwrap().as_str(), "20251028_181901");
}

pub(crate) async fn the_same_content_again_is_success(b: Backend) {
    let file = b.file("m.bin", &bytes(9 << 20, 1));
    let first = b.storage.push(push("m", Some("1.0"), &file, &[]), &Progress::none()).await.unwrap();
    let mut again = push("m", Some("v1.0"), &file, &[]);
    again.created = again.created.map(|created| created + Duration::from_secs(60));
    let second = b.storage.push(again, &Progress::none()).await.unwrap();
    assert!(second.already && !first.already);
    assert_eq!(second.manifest, first.manifest, "the first publication stands");
}

pub(crate) async fn other_content_is_a_conflict_and_changes_nothing(b: Backend) {
    let file = b.file("m.bin", b"first");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    let before = (b.keys().await, b.get("m/v1/manifest.json").await);
    for (content, with) in [(&b"other"[..], vec![]), (b"first", vec![b.file("extra", b"x")])] {
        fs::write(&file, content).unwrap();
        let error = b.storage.push(push("m", Some("1"), &file, &with), &Progress::none()).await.unwrap_err();
        assert!(matches!(error, Error::VersionExists { .. }) && error.kind() == ErrorKind::Conflict, "{error:?}");
    }
    assert_eq!((b.keys().await, b.get("m/v1/manifest.json").await), before);
    assert_eq!(b.get("m/v1/m.bin").await, b"first");
}

pub(crate) async fn metadata_is_content_too(b: Backend) {
    let file = b.file("m.bin", b"x");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    let mut other = push("m", Some("1"), &file, &[]);
    other.metadata.insert("val_accuracy".to_owned(), 0.5.into());
    let error = b.storage.push(other, &Progress::none()).await.unwrap_err();
    assert!(matches!(error, Error::VersionExists { .. }), "metadata must not be dropped in silence: {error:?}");
}

pub(crate) async fn the_latest_version_is_the_highest(b: Backend) {
    let file = b.file("m.bin", b"x");
    for version in ["1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "1.2.3"] {
        b.storage.push(push("m", Some(version), &file, &[]), &Progress::none()).await.unwrap();
    }
    // A neighbour whose name starts the same is another model.
    b.storage.push(push("m2", Some("9"), &file, &[]), &Progress::none()).await.unwrap();
    let versions = b.storage.versions(&model("m")).await.unwrap();
    let names: Vec<_> = versions.iter().map(|v| v.version.as_str()).collect();
    assert_eq!(names, ["1.2.3", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0"]);
    assert!(versions.iter().all(|v| v.files == 1 && v.size == 1 && v.published.is_some()));
    let models = b.storage.models().await.unwrap();
    let names: Vec<_> = models.iter().map(|m| (m.model.as_str(), m.latest.as_str(), m.versions)).collect();
    assert_eq!(names, [("m", "2.0.0", 5), ("m2", "9", 1)]);
}

pub(crate) async fn a_deleted_version_is_gone_and_its_name_retired(b: Backend) {
    let file = b.file("m.bin", b"x");
    for version in ["1", "2"] {
        b.storage.push(push("m", Some(version), &file, &[]), &Progress::none()).await.unwrap();
    }
    let (name, version) = (model("m"), "2".parse().unwrap());
    let deleted = b.storage.delete(&name, &version).await.unwrap();
    assert_eq!((deleted.files, deleted.bytes), (1, 1));
    assert_eq!(b.keys().await, [".depot/tombstones/m/2.json", "m/v1/m.bin", "m/v1/manifest.json"]);
    assert_eq!(b.storage.latest(&name).await.unwrap().as_str(), "1");
    for content in [b"x", b"y"] {
        fs::write(&file, content).unwrap();
        let error = b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap_err();
        assert!(matches!(error.advice(None), Some(Advice::VersionIsRetired)), "{error:?}");
    }
    // A late writer's manifest for a retired version does not make it a version.
    b.put_own("m/v2/manifest.json", &b.get("m/v1/manifest.json").await).await;
    assert!(matches!(
        b.storage.describe(&selector("m@2")).await,
        Err(Error::VersionDeleted { .. } | Error::Manifest { .. })
    ));
    assert_eq!(b.storage.versions(&name).await.unwrap().len(), 1);
    // An interrupted delete is completed by the next one.
    b.storage.delete(&name, &version).await.unwrap();
    // The record of the failed push is left for `gc`.
    let keys = || async { b.keys().await.into_iter().filter(|key| !key.contains("/uploads/")).count() };
    assert_eq!(keys().await, 3);
    let unknown = b.storage.delete(&name, &"7".parse().unwrap()).await.unwrap_err();
    assert!(matches!(unknown, Error::VersionNotFound { .. }), "{unknown:?}");
    assert_eq!(keys().await, 3, "no tombstone for what never was");
}

pub(crate) async fn latest_is_no_name_of_a_new_version(b: Backend) {
    let file = b.file("m.bin", b"x");
    for name in ["latest", "Latest", "LATEST"] {
        let error = b.storage.push(push("m", Some(name), &file, &[]), &Progress::none()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert_eq!(error.advice(None), Some(Advice::LeaveVersionOut));
        let offer = Offer::new(model("m"), [OfferedFile::new("m.bin".parse().unwrap(), 1)]);
        let error = b.storage.begin_upload(offer.version(name.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.advice(None), Some(Advice::LeaveVersionOut), "{error:?}");
    }
    assert_eq!(b.keys().await, [""; 0], "nothing was sent");
    for good in ["latest-1", "latest.1", "the-latest"] {
        b.storage.push(push("m", Some(good), &file, &[]), &Progress::none()).await.unwrap();
    }
    let latest = "latest".parse().unwrap();
    let error = b.storage.delete(&model("m"), &latest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    // One that another program published can be read and deleted.
    let manifest = r#"{"model_name": "old", "version": "latest", "model_file": "old/vlatest/m.bin", "model_url": ""}"#;
    b.put("old/vlatest/m.bin", b"x").await;
    b.put("old/vlatest/manifest.json", manifest.as_bytes()).await;
    let exact = Selector::new(model("old")).version(latest.clone());
    assert_eq!(b.storage.describe(&exact).await.unwrap().files.len(), 1);
    assert_eq!(b.storage.delete(&model("old"), &latest).await.unwrap().files, 1);
    let error = b.storage.delete(&model("old"), &latest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}

pub(crate) async fn every_damage_is_found_and_nothing_is_written(b: Backend) {
    let whole = bytes(9 << 20, 1);
    let file = b.file("m.bin", &whole);
    let history = b.file("h.json", b"{\"loss\": [1]}");
    b.storage.push(push("m", Some("1"), &file, &[history]), &Progress::none()).await.unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    let longer = [whole.clone(), vec![0]].concat();
    let damages: Vec<(&str, Option<Vec<u8>>)> = vec![
        ("m.bin", Some(flipped(0))),
        ("m.bin", Some(flipped((8 << 20) + 1))),
        ("m.bin", Some(flipped(whole.len() - 1))),
        ("m.bin", Some(whole[..whole.len() - 1].to_vec())),
        ("m.bin", Some(whole[..5].to_vec())),
        ("m.bin", Some(longer)),
        ("m.bin", Some(Vec::new())),
        ("m.bin", None),
        ("h.json", Some(b"{\"loss\": [2]}".to_vec())),
        ("h.json", None),
    ];
    for (name, damage) in damages {
        let key = format!("m/v1/{name}");
        let before = b.get(&key).await;
        match &damage {
            Some(bytes) => b.put(&key, bytes).await,
            None => b.client().delete_object(b.bucket(), &key).await.unwrap(),
        }
        for error in [
            b.storage.verify(&selector("m"), &Progress::none()).await.unwrap_err(),
            b.pull("m", "out").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(!b.path("out").exists(), "something was left behind");
        b.put(&key, &before).await;
    }
    b.storage.verify(&selector("m"), &Progress::none()).await.unwrap();
    // The version of an earlier pull stays whole when the next pull fails.
    b.pull("m", "out").await.unwrap();
    let old = content(&b.path("out"));
    b.file("m.bin", &bytes(9 << 20, 2));
    b.storage.push(push("m", Some("2"), &b.path("m.bin"), &[]), &Progress::none()).await.unwrap();
    b.put("m/v2/m.bin", &flipped(77)).await;
    b.pull("m@2", "out").await.unwrap_err();
    assert!(content(&b.path("out")) == old && b.path("out/manifest.json").exists());
}

/// Sets the digest of a manifest as its writer would, so that only its content can be wrong.
pub(crate) fn sealed(manifest: &str) -> String {
    let at = manifest.find("\"manifest_blake3\": \"").expect("it has a seal") + 20;
    let unsealed = [&manifest[..at], &"0".repeat(64), &manifest[at + 64..]].concat();
    let seal = blake3::hash(unsealed.as_bytes()).to_hex();
    [&unsealed[..at], seal.as_str(), &unsealed[at + 64..]].concat()
}

pub(crate) async fn hostile_manifests_write_nothing(b: Backend) {
    let file = b.file("m.bin", b"x");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    let good = String::from_utf8(b.get("m/v1/manifest.json").await).unwrap();
    // Setting the digest changes nothing: what is refused below is refused for its content.
    assert_eq!(sealed(&good), good);
    let entry = |path: &str, size: u64| {
        let blake3 = blake3::hash(b"x").to_hex();
        format!("\"files\": [\n    {{\"path\": \"{path}\", \"size\": {size}, \"blake3\": \"{blake3}\"}},")
    };
    let with = |path: &str, size: u64| good.replace("\"files\": [", &entry(path, size));
    let harmless = sealed(&with("other.bin", 1));
    b.put("m/v1/other.bin", b"x").await;
    b.put("m/v1/manifest.json", harmless.as_bytes()).await;
    b.pull("m", "harmless").await.expect("a file more is no reason to refuse");
    let hostile = [
        ("no json".to_owned(), "it is not a manifest"),
        (sealed(&good.replace("\"checksum\": \"", "\"checksum\": \"zz")), "it is not a manifest"),
        (sealed(&good.replace("\"path\": \"m.bin\"", "\"path\": \"../m.bin\"")), "it is not a manifest"),
        (sealed(&good.replace("\"path\": \"m.bin\"", "\"path\": \"/tmp/m.bin\"")), "it is not a manifest"),
        (sealed(&with("../m.bin", 1)), "it is not a manifest"),
        (sealed(&with("m.bin", 1)), "twice"),
        (sealed(&with("m.bin/x", 1)), "both as a file and as a folder"),
        (sealed(&with("manifest.json", 1)), "it is not a manifest"),
        (sealed(&with("huge.bin", u64::MAX)), "more than S3 can store"),
        (sealed(&good.replace("m/v1/m.bin", "m/v1/../../m.bin")), "outside the version"),
        (sealed(&good.replace("m/v1/m.bin", "m/v1/n.bin")), "not among its files"),
        (sealed(&good.replace("\"version\": \"1\"", "\"version\": \"2\"")), "it is the manifest of"),
        (sealed(&good.replace("\"model_name\": \"m\"", "\"model_name\": \"other\"")), "it is the manifest of"),
        (sealed(&good.replace("\"model_file\"", "\"model_fail\"")), "it is not a manifest"),
        (
            good.replace("\"architecture\": \"resnet18\"", "\"architecture\": \"resnet19\""),
            "not those that were published",
        ),
    ];
    for (manifest, why) in hostile {
        assert_ne!(manifest, good);
        b.put("m/v1/manifest.json", manifest.as_bytes()).await;
        let said = modeldepot::causes(&b.pull("m", "out").await.unwrap_err()).join(": ");
        assert!(said.contains(why), "refused for another reason: {said}");
        let error = b.pull("m", "out").await.unwrap_err();
        assert!(matches!(&error, Error::Manifest { key, .. } if key == "m/v1/manifest.json"), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!b.path("out").exists());
    }
    let newer = sealed(&good.replace("\"format_version\": 1", "\"format_version\": 99"));
    b.put("m/v1/manifest.json", newer.as_bytes()).await;
    let error = b.storage.describe(&selector("m")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "a newer layout is not damage: {error:?}");
}

pub(crate) async fn unknown_names_come_with_guesses(b: Backend) {
    let file = b.file("m.bin", b"x");
    for version in ["20251028_181858", "20251029_090000"] {
        b.storage.push(push("plant_classifier", Some(version), &file, &[]), &Progress::none()).await.unwrap();
    }
    match b.storage.describe(&selector("plant_clasifier")).await.unwrap_err() {
        Error::ModelNotFound { similar, .. } => assert_eq!(similar, [model("plant_classifier")]),
        other => panic!("{other:?}"),
    }
    match b.storage.describe(&selector("plant_classifier@20251028_181859")).await.unwrap_err() {
        Error::VersionNotFound { similar, .. } => assert_eq!(similar[0].as_str(), "20251028_181858"),
        other => panic!("{other:?}"),
    }
    match b.storage.describe(&selector("plant_classifier@3.1")).await.unwrap_err() {
        Error::VersionNotFound { similar, .. } => assert_eq!(similar[0].as_str(), "20251029_090000", "the latest"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_version_without_a_manifest_does_not_exist(b: Backend) {
    let file = b.file("m.bin", b"whole");
    b.put_own("m/v1/m.bin", b"half of it").await;
    assert_eq!(b.storage.models().await.unwrap(), []);
    assert!(matches!(b.storage.describe(&selector("m@1")).await, Err(Error::ModelNotFound { .. })));
    // Orphans are never overwritten, since their pusher may come back; the same bytes are reused.
    let error = b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap_err();
    assert!(matches!(error.advice(None), Some(Advice::FinishPush)), "{error:?}");
    b.put("m/v2/m.bin", b"whole").await;
    let published = b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap();
    assert_eq!(published.kept, 5);
    b.storage.verify(&selector("m@2"), &Progress::none()).await.unwrap();
}

pub(crate) async fn shared_links_fetch_and_never_overwrite(b: Backend) {
    let file = b.file("m.bin", b"x");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    let hour = Duration::from_secs(3600);
    let sign = async |selector: &str, file: Option<&str>, method| {
        let file = file.map(|f| f.parse().unwrap());
        b.storage.presign(&selector.parse().unwrap(), file.as_ref(), method, hour).await
    };
    assert!(sign("m", None, PresignedMethod::Get).await.unwrap().contains("/m/v1/m.bin?"));
    assert!(matches!(sign("m", Some("no.bin"), PresignedMethod::Get).await, Err(Error::FileNotFound { .. })));
    assert!(matches!(sign("m@1", Some("m.bin"), PresignedMethod::Put).await, Err(Error::VersionExists { .. })));
    let unnamed = sign("m@2", None, PresignedMethod::Put).await.unwrap_err();
    assert_eq!(unnamed.advice(None), Some(Advice::NameUpload));
    assert!(sign("m@2", Some("m.bin"), PresignedMethod::Put).await.is_ok());
}

pub(crate) async fn a_file_that_changes_is_refused(b: Backend) {
    let path = b.file("m.bin", &bytes(48 << 20, 1));
    let appended = path.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let request = push("m", Some("1"), &path, &[]);
    let writer = std::thread::spawn(move || {
        let mut file = fs::OpenOptions::new().append(true).open(appended).unwrap();
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            file.write_all(b"more").unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let error = b.storage.push(request, &Progress::none()).await.unwrap_err();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    assert!(matches!(error, Error::Source(SourceError::Changed { .. })), "{error:?}");
    assert_eq!(b.storage.models().await.unwrap(), []);
    assert_eq!(b.client().list_multipart_uploads(b.bucket(), "m/v1/m.bin").await.unwrap(), [], "the parts are freed");
}

/// Flips bytes in the server's own files, where no S3 checksum can see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_anywhere_in_a_version_is_caught() {
    let b = Backend::embedded().await;
    let (file, history) = (b.file("m.bin", &bytes(300_000, 1)), b.file("sub/h.json", b"{\"val_loss\": [0.5, 0.25]}"));
    b.storage.push(push("m", Some("1"), &file, &[history]), &Progress::none()).await.unwrap();
    let server = b.server.as_ref().unwrap();
    let mut random = 1u64;
    for name in ["m.bin", "h.json", "manifest.json"] {
        let stored = server.stored_files(b.bucket().as_str(), &format!("m/v1/{name}")).unwrap();
        let whole = fs::read(&stored[0]).unwrap();
        for n in 0..70 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut flipped = whole.clone();
            flipped[(random >> 33) as usize % whole.len()] ^= 1 << (n % 8);
            fs::write(&stored[0], &flipped).unwrap();
            let pulled = b.pull("m@1", "out").await.unwrap_err();
            let verified = b.storage.verify(&selector("m@1"), &Progress::none()).await.unwrap_err();
            let walked = b.storage.fsck(None, true).await.unwrap();
            // A changed byte of `format_version` may make it a newer format, which is refused as well.
            let kinds = [pulled.kind(), verified.kind(), walked.faults[0].error.kind()];
            assert!(kinds.iter().all(|k| matches!(k, ErrorKind::Corrupt | ErrorKind::Invalid)), "{name}: {kinds:?}");
            assert!(!b.path("out").exists(), "{name}: something was left");
        }
        fs::write(&stored[0], &whole).unwrap();
    }
    b.storage.verify(&selector("m@1"), &Progress::none()).await.unwrap();
}
