//! Checks of what a pull does to a folder: it replaces and removes only files of earlier pulls.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use modeldepot::{Error, ErrorKind, Event, ObstacleKind, Progress, Pull, Result};

use crate::backend::{Backend, bytes, push};

/// All files below a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let (mut names, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}

/// Publishes a version of a few files.
async fn publish(b: &Backend, model: &str, version: &str, files: &[(&str, &[u8])]) {
    let folder = format!("{model}-{version}");
    for (path, bytes) in files {
        b.file(&format!("{folder}/{path}"), bytes);
    }
    b.storage.push(push(model, Some(version), &b.path(&folder), &[]), &Progress::none()).await.unwrap();
}

/// Returns the obstacles to a pull, which then writes nothing.
async fn in_the_way(b: &Backend, selector: &str, folder: &str) -> Vec<(String, ObstacleKind)> {
    let before = b.path(folder).exists().then(|| names(&b.path(folder)));
    // Obstacles are reported at once, without waiting.
    let pulled = tokio::time::timeout(Duration::from_secs(20), b.pull(selector, folder)).await.unwrap();
    let error = pulled.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(b.path(folder).exists().then(|| names(&b.path(folder))), before, "it wrote something");
    match error {
        Error::InTheWay { obstacles, .. } => obstacles.into_iter().map(|one| (one.path, one.what)).collect(),
        other => panic!("{other:?}"),
    }
}

async fn forced(b: &Backend, selector: &str, folder: &str) -> Result<modeldepot::Fetched> {
    let pull = Pull::new(selector.parse().unwrap(), b.path(folder)).force(true);
    b.storage.pull(&pull, &Progress::none()).await
}

pub(crate) async fn what_a_version_no_longer_has_goes(b: Backend) {
    let shards = |n: usize, seed: u64| -> Vec<(String, Vec<u8>)> {
        (1..=n).map(|i| (format!("model-0000{i}-of-0000{n}.bin"), bytes(9 << 20, seed + i as u64))).collect()
    };
    for (version, files) in [("1", shards(3, 1)), ("2", shards(2, 10))] {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
        publish(&b, "m", version, &files).await;
    }
    assert_eq!(b.pull("m@1", "out").await.unwrap().removed, 0);
    b.file("out/notes.txt", b"mine");
    let fetched = b.pull("m@2", "out").await.unwrap();
    assert_eq!((fetched.removed, fetched.left), (3, vec![]));
    let two = ["manifest.json", "model-00001-of-00002.bin", "model-00002-of-00002.bin", "notes.txt"];
    assert_eq!(names(&b.path("out")), two);
    // After a change, it belongs to the user.
    b.file("out/model-00001-of-00002.bin", b"tuned");
    let fetched = b.pull("m@1", "out").await.unwrap();
    assert_eq!((fetched.removed, fetched.left.len()), (1, 1));
    assert_eq!(fs::read(b.path("out/model-00001-of-00002.bin")).unwrap(), b"tuned");
    assert_eq!(names(&b.path("out")).len(), 6);
}

pub(crate) async fn what_no_pull_put_there_is_not_replaced(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", b"weights"), ("train.py", b"theirs"), ("sub/a", b"1"), ("same", b"same")]).await;
    b.file("out/train.py", b"mine");
    b.file("out/sub", b"a file");
    b.file("out/same", b"same");
    let obstacles = in_the_way(&b, "m", "out").await;
    assert_eq!(obstacles, [("sub".to_owned(), ObstacleKind::NotAFolder), ("train.py".to_owned(), ObstacleKind::File)]);
    assert_eq!(forced(&b, "m", "out").await.unwrap_err().kind(), ErrorKind::Conflict, "a file is no folder");
    fs::remove_file(b.path("out/sub")).unwrap();
    assert_eq!(in_the_way(&b, "m", "out").await.len(), 1);
    assert_eq!(fs::read(b.path("out/train.py")).unwrap(), b"mine");
    let fetched = forced(&b, "m", "out").await.unwrap();
    assert_eq!((fs::read(b.path("out/train.py")).unwrap(), fetched.reused), (b"theirs".to_vec(), 4));
    // Now it belongs to a pull.
    b.file("out/train.py", b"changed");
    b.pull("m", "out").await.unwrap();
    assert_eq!(fs::read(b.path("out/train.py")).unwrap(), b"theirs");
    // Invalid manifests.
    for text in ["{}", "no manifest at all", r#"{"model_name": "m", "version": "1", "model_file": "elsewhere"}"#] {
        b.file("other/manifest.json", text.as_bytes());
        assert_eq!(in_the_way(&b, "m", "other").await, [("manifest.json".to_owned(), ObstacleKind::Manifest)]);
    }
    forced(&b, "m", "other").await.unwrap();
    b.pull("m", "other").await.unwrap();
}

pub(crate) async fn a_folder_holds_one_model(b: Backend) {
    publish(&b, "cats", "1", &[("best_model.pth", b"cats")]).await;
    publish(&b, "dogs", "1", &[("best_model.pth", b"dogs"), ("dogs.txt", b"")]).await;
    b.pull("cats", "out").await.unwrap();
    let error = b.pull("dogs", "out").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("holds the model `cats`"), "{error:?}");
    assert_eq!(fs::read(b.path("out/best_model.pth")).unwrap(), b"cats");
    forced(&b, "dogs", "out").await.unwrap();
    assert_eq!(fs::read(b.path("out/best_model.pth")).unwrap(), b"dogs");
}

pub(crate) async fn names_that_programs_trust_are_refused(b: Backend) {
    let files: [(&str, &[u8]); 4] =
        [("m.bin", b"x"), (".git/config", b"[core]"), (".ENV", b"SECRET=1"), (".envrc", b"rm -rf /")];
    // Published by a tool that accepts any name.
    publish(&b, "m", "1", &[("m.bin", b"x")]).await;
    let stored = b.get("m/v1/manifest.json").await;
    let manifest: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    let entries: Vec<serde_json::Value> = files
        .iter()
        .map(|(path, bytes)| {
            serde_json::json!({"path": path, "size": bytes.len(), "blake3": blake3::hash(bytes).to_hex().as_str()})
        })
        .collect();
    let mut hostile = manifest.clone();
    hostile["files"] = entries.into();
    b.put("m/v1/manifest.json", crate::models::sealed(&serde_json::to_string_pretty(&hostile).unwrap()).as_bytes())
        .await;
    for (path, bytes) in &files {
        b.put(&format!("m/v1/{path}"), bytes).await;
    }
    let refused = in_the_way(&b, "m", "out").await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|(_, what)| *what == ObstacleKind::Sensitive), "{refused:?}");
    assert!(!b.path("out").exists());
    forced(&b, "m", "out").await.unwrap();
    assert_eq!(fs::read(b.path("out/.git/config")).unwrap(), b"[core]");
}

#[cfg(unix)]
pub(crate) async fn pipes_and_links_are_neither_opened_nor_followed(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", b"weights"), ("a/b/c", b"deep"), ("pipe", b"bytes")]).await;
    let fifo = |path: &str| {
        fs::create_dir_all(b.path(path).parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(b.path(path)).status().unwrap().success());
    };
    fifo("out/pipe");
    assert_eq!(in_the_way(&b, "m", "out").await, [("pipe".to_owned(), ObstacleKind::Special)]);
    forced(&b, "m", "out").await.unwrap();
    assert_eq!(fs::read(b.path("out/pipe")).unwrap(), b"bytes");
    // Also where an earlier pull had put a file, and in place of a manifest.
    fs::remove_file(b.path("out/pipe")).unwrap();
    fifo("out/pipe");
    assert_eq!(in_the_way(&b, "m", "out").await, [("pipe".to_owned(), ObstacleKind::Special)]);
    fifo("piped/manifest.json");
    assert_eq!(in_the_way(&b, "m", "piped").await, [("manifest.json".to_owned(), ObstacleKind::Special)]);

    // A link in place of every component of a path, to a folder and to a file outside.
    let outside = b.file("outside/kept", b"theirs");
    for (n, at) in ["m.bin", "a", "a/b", "a/b/c", "manifest.json"].into_iter().enumerate() {
        for to in [outside.clone(), outside.parent().unwrap().to_owned(), b.path("nowhere")] {
            let folder = format!("linked-{n}");
            let link = b.path(&folder).join(at);
            let _ = fs::remove_dir_all(b.path(&folder));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&to, &link).unwrap();
            let refused = in_the_way(&b, "m", &folder).await;
            assert_eq!(refused[0].0, at, "{refused:?}");
            let _ = forced(&b, "m", &folder).await;
            assert_eq!(names(&b.path("outside")), ["kept"], "{at}");
            assert_eq!(fs::read(&outside).unwrap(), b"theirs", "{at}");
            assert!(!b.path("nowhere").exists(), "{at}");
        }
    }
}

/// A folder of the version is swapped with a link while versions are pulled: nothing outside is read or written.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_swapped_with_a_link_during_a_pull_leads_nowhere() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use std::sync::atomic::{AtomicBool, Ordering};

    let b = Backend::embedded().await;
    for version in ["1", "2"] {
        publish(&b, "m", version, &[("a/b/m.bin", version.as_bytes()), ("a/n.bin", b"same")]).await;
    }
    b.file("outside/b/kept", b"theirs");
    b.file("out/a/b/mine", b"mine");
    std::os::unix::fs::symlink(b.path("outside"), b.path("out/link")).unwrap();
    let done = AtomicBool::new(false);
    let (mut pulled, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, b.path("out/a"), CWD, b.path("out/link"), RenameFlags::EXCHANGE);
                std::thread::yield_now();
            }
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for round in 0..100 {
                    match forced(&b, if round % 2 == 0 { "m@1" } else { "m@2" }, "out").await {
                        Ok(_) => pulled += 1,
                        Err(_) => refused += 1,
                    }
                }
            });
        });
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&b.path("outside")), ["b/kept"], "{pulled} pulled, {refused} refused");
    assert_eq!(fs::read(b.path("outside/b/kept")).unwrap(), b"theirs");
}

/// In a folder that others may write to, files planted by them are not used.
#[cfg(unix)]
pub(crate) async fn staged_files_of_others_are_not_used(b: Backend) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let content = bytes(20 << 20, 1);
    publish(&b, "m", "1", &[("m.bin", &content)]).await;
    let name = {
        let published = b.storage.describe(&"m@1".parse().unwrap()).await.unwrap();
        let digest = published.files[0].blake3.unwrap();
        blake3::hash(format!("{digest} m.bin").as_bytes()).to_hex()[..32].to_owned()
    };
    let theirs = Some(4711);
    let traps = [format!("out/.modeldepot-{name}.part"), format!("out/.modeldepot-staging/{name}.part")];
    for trap in &traps {
        b.file(trap, &content);
        fs::set_permissions(b.path(trap), fs::Permissions::from_mode(0o666)).unwrap();
    }
    fs::set_permissions(b.path("out/.modeldepot-staging"), fs::Permissions::from_mode(0o777)).unwrap();
    for path in traps.iter().map(String::as_str).chain(["out/.modeldepot-staging"]) {
        // Without root, they belong to us, in a folder that others may write to.
        let _ = chown(b.path(path), theirs, theirs);
    }
    let fetched = b.pull("m", "out").await.unwrap();
    assert_eq!(fetched.kept, 0);
    let placed = fs::metadata(&fetched.model_path).unwrap();
    assert_eq!((placed.uid(), placed.nlink()), (fs::metadata(b.path("m-1")).unwrap().uid(), 1));
    assert_eq!(placed.mode() & 0o022, 0, "others may write to it");
    for trap in &traps {
        assert!(fs::read(b.path(trap)).unwrap() == content, "{trap} was touched");
    }
}

pub(crate) async fn a_manifest_that_promises_too_much_reserves_nothing(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", &bytes(12_000, 1))]).await;
    let good = String::from_utf8(b.get("m/v1/manifest.json").await).unwrap();
    for size in [3u64 << 30, 11_999, 0, 53_687_091_200_001, u64::MAX] {
        let hostile = crate::models::sealed(&good.replace("\"size\": 12000", &format!("\"size\": {size}")));
        assert_ne!(hostile, good);
        b.put("m/v1/manifest.json", hostile.as_bytes()).await;
        let error = b.pull("m", "out").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{size}: {error:?}");
        assert!(!b.path("out").exists(), "{size}");
        let is_absurd = matches!(error, Error::Manifest { .. });
        assert_eq!(is_absurd, size > 53_687_091_200_000, "{size}: {error:?}");
    }
}

pub(crate) async fn a_complete_folder_is_left_as_it_is(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", &bytes(20 << 20, 1)), ("sub/a", b"")]).await;
    let first = b.pull("m", "out").await.unwrap();
    let all = ["out", "out/sub", "out/m.bin", "out/sub/a", "out/manifest.json"];
    // Of long ago, so that any write shows.
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    all.iter().for_each(|path| fs::File::open(b.path(path)).unwrap().set_modified(before).unwrap());
    let stamps = || all.map(|path| fs::metadata(b.path(path)).unwrap().modified().unwrap());
    let again = b.pull("m", "out").await.unwrap();
    assert_eq!((again.reused, again.kept, again.removed), (first.bytes, 0, 0));
    assert_eq!(stamps(), [before; 5], "something was written");
    // Except the leftovers of a killed pull.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        b.file("out/.modeldepot-staging/x.part", b"left");
        fs::set_permissions(b.path("out/.modeldepot-staging"), fs::Permissions::from_mode(0o700)).unwrap();
        b.pull("m", "out").await.unwrap();
        assert!(!b.path("out/.modeldepot-staging").exists());
    }
}

/// A pull that reuses no local data leaves files alone that no pull put there.
pub(crate) async fn a_pull_that_begins_anew_leaves_what_is_the_users(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", b"weights"), ("run.sh", b"#!/bin/sh")]).await;
    b.file("out/run.sh", b"#!/bin/sh");
    fs::hard_link(b.path("out/run.sh"), b.path("linked")).unwrap();
    let before = fs::metadata(b.path("out/run.sh")).unwrap().modified().unwrap();
    for _ in 0..2 {
        let pull = Pull::new("m".parse().unwrap(), b.path("out")).resume(false);
        b.storage.pull(&pull, &Progress::none()).await.unwrap();
        assert_eq!(fs::metadata(b.path("out/run.sh")).unwrap().modified().unwrap(), before);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&fs::metadata(b.path("out/run.sh")).unwrap()), 2);
    }
    assert_eq!(fs::read(b.path("out/m.bin")).unwrap(), b"weights");
}

/// Neither of the version itself nor of an older one in the folder.
#[tokio::test]
async fn a_pull_that_begins_anew_reuses_nothing() {
    let b = Backend::embedded().await;
    let first = bytes(20 << 20, 1);
    let second = [&first[..16 << 20], &bytes(4 << 20, 2)].concat();
    publish(&b, "m", "1", &[("m.bin", &first), ("same", b"same")]).await;
    publish(&b, "m", "2", &[("m.bin", &second), ("same", b"same")]).await;
    b.pull("m@1", "out").await.unwrap();
    for (version, content) in [("1", &first), ("2", &second)] {
        let pull = Pull::new(format!("m@{version}").parse().unwrap(), b.path("out")).resume(false);
        let fetched = b.storage.pull(&pull, &Progress::none()).await.unwrap();
        assert_eq!((fetched.reused, fetched.kept), (0, 0), "{version}");
        assert!(fs::read(b.path("out/m.bin")).unwrap() == *content, "{version}");
    }
    assert_eq!(names(&b.path("out")), ["m.bin", "manifest.json", "same"]);
}

#[cfg(unix)]
#[tokio::test]
async fn programs_can_be_run_where_they_are_pulled() {
    use std::os::unix::fs::PermissionsExt as _;
    let b = Backend::embedded().await;
    let mode = |path: &str, mode| fs::set_permissions(b.path(path), fs::Permissions::from_mode(mode)).unwrap();
    let executable = |path: &str| fs::metadata(b.path(path)).unwrap().permissions().mode() & 0o111 != 0;
    b.file("m-1/run.sh", b"#!/bin/sh");
    mode("m-1/run.sh", 0o755);
    publish(&b, "m", "1", &[("m.bin", b"weights")]).await;
    b.pull("m", "out").await.unwrap();
    assert_eq!((executable("out/run.sh"), executable("out/m.bin")), (true, false));
    // Also where everything else is in place.
    mode("out/run.sh", 0o644);
    b.pull("m", "out").await.unwrap();
    assert_eq!((executable("out/run.sh"), executable("out/m.bin")), (true, false));
}

pub(crate) async fn pulls_side_by_side_into_one_folder_all_succeed(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", &bytes(20 << 20, 1)), ("sub/a", b"1"), ("b", b"2")]).await;
    publish(&b, "m", "2", &[("m.bin", &bytes(20 << 20, 2)), ("sub/c", b"3")]).await;
    for version in ["1", "2"] {
        let pulls = (0..6).map(|_| {
            let (storage, pull) =
                (b.storage.clone(), Pull::new(format!("m@{version}").parse().unwrap(), b.path("out")));
            tokio::spawn(async move { storage.pull(&pull, &Progress::none()).await })
        });
        for pulled in futures_util::future::join_all(pulls.collect::<Vec<_>>()).await {
            pulled.unwrap().unwrap();
        }
        let expected: &[&str] = if version == "1" {
            &["b", "m.bin", "manifest.json", "sub/a"]
        } else {
            &["m.bin", "manifest.json", "sub/c"]
        };
        assert_eq!(names(&b.path("out")), expected);
    }
}

/// A file that another pull is about to replace is no obstacle, though the manifest that lists it is missing for a
/// moment.
pub(crate) async fn a_switch_under_way_is_no_conflict(b: Backend) {
    publish(&b, "m", "1", &[("m.bin", b"1"), ("a", b"a file"), ("c", b"1")]).await;
    publish(&b, "m", "2", &[("m.bin", b"2"), ("a/b", b"in a folder"), ("c", b"placed")]).await;
    b.pull("m@1", "out").await.unwrap();
    let (manifest, away) = (b.path("out/manifest.json"), b.path("away.json"));
    let folder = fs::File::open(b.path("out")).unwrap();
    folder.lock().unwrap();
    fs::rename(&manifest, &away).unwrap();
    let (storage, pull) = (b.storage.clone(), Pull::new("m@2".parse().unwrap(), b.path("out")));
    let (planned, mut wait) = tokio::sync::mpsc::unbounded_channel();
    let progress = Progress::new(move |event| {
        if let Event::Planned { .. } = event {
            let _ = planned.send(());
        }
    });
    let pulled = tokio::spawn(async move { storage.pull(&pull, &progress).await });
    // It knows the version, and is about to look at the folder. Nothing tells when it waits for the lock.
    wait.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The other pull has put one file in place.
    fs::rename(b.file("fetched", b"placed"), b.path("out/c")).unwrap();
    fs::rename(&away, &manifest).unwrap();
    drop(folder);
    let fetched = pulled.await.unwrap().unwrap();
    assert_eq!(fetched.reused, "placed".len() as u64, "it is compared again");
    assert_eq!(names(&b.path("out")), ["a/b", "c", "m.bin", "manifest.json"]);
}

/// A version as published by the Python pipeline, or by anyone who writes three lines of JSON.
pub(crate) async fn what_has_no_digest_is_not_verified(b: Backend) {
    let manifest = r#"{"model_name": "m", "version": "1", "model_file": "m/v1/m.bin"}"#;
    b.put("m/v1/m.bin", b"weights").await;
    b.put("m/v1/h.json", b"{}").await;
    b.put("m/v1/manifest.json", manifest.as_bytes()).await;
    let none = ["h.json", "m.bin"].map(|path| path.parse().unwrap());
    let verified = b.storage.verify(&"m".parse().unwrap(), &Progress::none()).await.unwrap();
    assert_eq!((verified.is_intact(), &verified.unverified[..]), (false, &none[..]));
    assert_eq!(b.storage.fsck(None, true).await.unwrap().unverified, 2);
    let strict = Pull::new("m".parse().unwrap(), b.path("out")).require_digests(true);
    let error = b.storage.pull(&strict, &Progress::none()).await.unwrap_err();
    assert!(error.to_string().ends_with("digest: `h.json`, `m.bin`"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unverified);
    assert!(!b.path("out").exists(), "something was put in place");
    assert_eq!(b.pull("m", "out").await.unwrap().unverified, none);
    // The folder knows its own files, though the manifest does not list them.
    b.put("m/v1/h.json", b"{\"more\": 1}").await;
    b.pull("m", "out").await.unwrap();
    assert_eq!(fs::read(b.path("out/h.json")).unwrap(), b"{\"more\": 1}");
    publish(&b, "m", "2", &[("other.bin", b"x")]).await;
    let fetched = b.pull("m@2", "out").await.unwrap();
    assert_eq!((fetched.removed, fetched.left.len(), fetched.unverified.len()), (2, 0, 0));
    assert_eq!(names(&b.path("out")), ["manifest.json", "other.bin"]);

    // With an MD5 of the model file, only that file is verified.
    let with = manifest.replace("\"m/v1/m.bin\"", "\"m/v1/m.bin\", \"checksum\": \"900150983cd24fb0d6963f7d28e17f72\"");
    b.put("m/v1/manifest.json", with.as_bytes()).await;
    b.put("m/v1/m.bin", b"abc").await;
    let verified = b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    assert_eq!(verified.unverified, [none[0].clone()]);
    assert_eq!(b.storage.fsck(None, true).await.unwrap().unverified, 1);
    b.client().delete_object(b.bucket(), "m/v1/h.json").await.unwrap();
    assert!(b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap().is_intact());
    // And it is complete in its folder like any other.
    b.pull("m@1", "md5").await.unwrap();
    let before = fs::metadata(b.path("md5")).unwrap().modified().unwrap();
    assert_eq!(b.pull("m@1", "md5").await.unwrap().reused, 3);
    assert_eq!(fs::metadata(b.path("md5")).unwrap().modified().unwrap(), before);
}
