//! Checks that parts which already exist, on the server or on this machine, are not transferred.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use modeldepot::s3::CopySupport;
use modeldepot::{ModelStorage, Progress};

use crate::backend::{Backend, bytes, push};

const PART: usize = 8 << 20;

/// Slightly more than five parts.
const SIZE: usize = 5 * PART + 12_345;

/// Returns a file that shares all parts with the other generation except the second and the last.
fn next(mut file: Vec<u8>) -> Vec<u8> {
    file[PART + 7] ^= 1;
    *file.last_mut().unwrap() ^= 1;
    file
}

async fn can_copy(b: &Backend) -> bool {
    let found = b.storage.probe().await.unwrap().capabilities.part_copy;
    matches!(found, CopySupport::Checked | CopySupport::Hashed)
}

pub(crate) async fn parts_of_an_earlier_version_are_copied(b: Backend) {
    let copies = can_copy(&b).await;
    let most = |bytes: usize| if copies { bytes as u64 } else { 0 };
    let upload = async |version: &'static str, content: &[u8], copies: bool| {
        let file = b.file("m.bin", content);
        let push = push("m", Some(version), &file, &[]).copies(copies);
        let published = b.storage.push(push, &Progress::none()).await.unwrap();
        b.storage.verify(&format!("m@{version}").parse().unwrap(), &Progress::none()).await.unwrap();
        assert_eq!(b.get(&format!("m/v{version}/m.bin")).await.len(), content.len());
        published.copied
    };
    let first = bytes(SIZE, 1);
    assert_eq!(upload("1", &first, true).await, 0);
    assert_eq!(upload("2", &next(first.clone()), true).await, most(4 * PART), "but the second and the last part");
    assert_eq!(upload("3", &first, true).await, most(SIZE), "from two versions");
    assert_eq!(upload("4", &first, false).await, 0, "nobody asked for it");
    assert_eq!(upload("5", &first[..4 * PART + 1], true).await, most(4 * PART), "the last part is another's beginning");
    let longer = [&first[..], b"and more"].concat();
    assert_eq!(upload("6", &longer, true).await, most(5 * PART));
    let other = b.file("m.bin", &bytes(SIZE, 2));
    let published = b.storage.push(push("m", Some("7"), &other, &[]), &Progress::none()).await.unwrap();
    assert_eq!(published.copied, 0, "nothing of it was there");
}

pub(crate) async fn what_is_damaged_in_an_earlier_version_is_not_copied(b: Backend) {
    let content = bytes(SIZE, 1);
    let file = b.file("m.bin", &content);
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    let mut damaged = content.clone();
    damaged[3 * PART + 5] ^= 1;
    b.put("m/v1/m.bin", &damaged).await;
    let file = b.file("m.bin", &content);
    let published = b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap();
    assert_eq!(published.copied, 0, "all is sent instead");
    b.storage.verify(&"m@2".parse().unwrap(), &Progress::none()).await.unwrap();
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap_err();
    assert_eq!(b.client().list_multipart_uploads(b.bucket(), "m/v2/m.bin").await.unwrap(), []);
}

pub(crate) async fn a_pull_fetches_only_what_differs(b: Backend) {
    let (first, history) = (bytes(SIZE, 1), b.file("h.json", b"{}"));
    for (version, content) in [("1", first.clone()), ("2", next(first.clone()))] {
        let file = b.file("m.bin", &content);
        let with = std::slice::from_ref(&history);
        b.storage.push(push("m", Some(version), &file, with), &Progress::none()).await.unwrap();
    }
    assert_eq!(b.pull("m@1", "out").await.unwrap().reused, 0);
    let fetched = b.pull("m@2", "out").await.unwrap();
    assert_eq!(fetched.reused, 4 * PART as u64 + 2, "and the history");
    assert!(std::fs::read(b.path("out/m.bin")).unwrap() == next(first.clone()));
    assert_eq!(b.pull("m@2", "out").await.unwrap().reused, SIZE as u64 + 2);
    // A file that was changed on disk is repaired.
    b.file("out/m.bin", &next(bytes(SIZE, 3)));
    std::fs::remove_file(b.path("out/h.json")).unwrap();
    assert_eq!(b.pull("m@2", "out").await.unwrap().reused, 0);
    assert!(std::fs::read(b.path("out/m.bin")).unwrap() == next(first));
    let mut names: Vec<_> = std::fs::read_dir(b.path("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["h.json", "m.bin", "manifest.json"]);
}

pub(crate) async fn a_push_without_md5_is_still_verified(b: Backend) {
    let (content, history) = (bytes(SIZE, 1), b.file("h.json", b"{}"));
    let file = b.file("m.bin", &content);
    let push = push("m", Some("1"), &file, &[history]).md5(false);
    let published = b.storage.push(push, &Progress::none()).await.unwrap();
    assert_eq!(published.manifest.checksum, None);
    assert!(published.manifest.files.unwrap().iter().all(|file| file.md5.is_none()));
    b.pull("m@1", "out").await.unwrap();
    assert!(std::fs::read(b.path("out/m.bin")).unwrap() == content);
}

/// A limit applies to both directions. That it is reached is tested by benchmarks.
pub(crate) async fn no_more_than_the_limit_is_moved(b: Backend) {
    let limit = 16_000_000;
    let slow = b.settings.clone().limit_rate(NonZeroU64::new(limit).unwrap());
    let slow = ModelStorage::open(&slow).await.unwrap();
    slow.probe().await.unwrap();
    let file = b.file("m.bin", &bytes(PART * 3 / 2, 1));
    let least = Duration::from_secs_f64((PART as f64 * 1.5 - 2e6) / limit as f64);
    let began = Instant::now();
    slow.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    assert!(began.elapsed() > least, "pushed in {:?}", began.elapsed());
    let began = Instant::now();
    slow.verify(&"m".parse().unwrap(), &Progress::none()).await.unwrap();
    assert!(began.elapsed() > least, "read in {:?}", began.elapsed());
}

/// Neither from a file of the same name with another length, nor, where only its MD5 proves a copied part, from one that
/// is not alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_copied_only_from_what_was_published() {
    let b = Backend::embedded().await;
    let content = bytes(2 * PART + 5, 1);
    let upload = async |storage: &ModelStorage, version: &'static str, content: &[u8]| {
        let file = b.file("m.bin", content);
        let published = storage.push(push("m", Some(version), &file, &[]), &Progress::none()).await.unwrap();
        b.storage.verify(&format!("m@{version}").parse().unwrap(), &Progress::none()).await.unwrap();
        published.copied
    };
    let mut probed = b.storage.probe().await.unwrap();
    assert_eq!(upload(&b.storage, "1", &content).await, 0);
    let mut other = content.clone();
    other[PART] ^= 1;
    probed.capabilities.part_copy = CopySupport::Hashed;
    b.put(".depot/probe.json", &serde_json::to_vec(&probed).unwrap()).await;
    let hashed = ModelStorage::open(&b.settings).await.unwrap();
    assert_eq!(upload(&hashed, "2", &other).await, PART as u64 + 5);
    assert_eq!(upload(&hashed, "3", &bytes(2 * PART + 5, 2)).await, 0);

    for version in ["1", "2", "3"] {
        let key = format!("m/v{version}/m.bin");
        let longer = [&b.get(&key).await[..], b"x"].concat();
        b.put(&key, &longer).await;
    }
    assert_eq!(upload(&b.storage, "4", &content).await, 0);
}
