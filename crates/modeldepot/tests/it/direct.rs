//! Checks of uploads whose parts are sent by others.

use std::time::Duration;

use modeldepot::advice::Advice;
use modeldepot::{Blake3, DirectUpload, Error, ModelStorage, Offer, OfferedFile};

use crate::backend::{Backend, bytes};
use crate::client::http;

fn offer(path: &str, size: u64, blake3: Option<Blake3>) -> Offer {
    let mut file = OfferedFile::new(path.parse().unwrap(), size);
    file.blake3 = blake3;
    Offer::new("m".parse().unwrap(), [file]).version("1".parse().unwrap()).tool("tests")
}

async fn send(upload: &DirectUpload, number: u64, part: &[u8]) {
    let (status, body) = try_to_send(upload, number, part).await;
    assert!(status.contains("200"), "{status} {}", String::from_utf8_lossy(&body));
}

async fn try_to_send(upload: &DirectUpload, number: u64, part: &[u8]) -> (String, Vec<u8>) {
    let path = upload.files().next().unwrap().path.clone();
    let url = upload.part_url(&path, number, Duration::from_secs(60)).await.unwrap();
    http("PUT", &url, part).await
}

async fn leases(b: &Backend) -> usize {
    b.client().list_objects(b.bucket(), ".depot/leases/").await.unwrap().len()
}

pub(crate) async fn parts_that_others_send_become_a_version(b: Backend) {
    let storage = ModelStorage::open(&b.settings).await.unwrap();
    let content = bytes((20 << 20) + 7, 1);
    let upload = storage.begin_upload(offer("m.bin", content.len() as u64, None)).await.unwrap();
    let parts: Vec<&[u8]> = content.chunks(8 << 20).collect();
    send(&upload, 3, parts[2]).await;
    send(&upload, 1, parts[0]).await;
    let missing = upload.complete().await.unwrap_err();
    assert!(is_missing(&missing, 2), "{missing:?}");
    assert!(upload.is_open_after(&missing));
    let busy = storage.begin_upload(offer("m.bin", 1, None)).await.unwrap_err();
    assert!(matches!(busy, Error::VersionBusy { .. }), "{busy:?}");
    send(&upload, 2, parts[1]).await;
    upload.complete().await.unwrap();
    upload.abort().await;
    assert_eq!(leases(&b).await, 0);
    let fetched = b.pull("m@1", "back").await.unwrap();
    assert!(std::fs::read(fetched.model_path).unwrap() == content);
    let taken = storage.begin_upload(offer("m.bin", 1, None)).await.unwrap_err();
    assert!(matches!(taken, Error::VersionExists { .. }), "{taken:?}");
}

/// `rclone serve s3` refuses a part that was already sent.
pub(crate) async fn a_part_that_is_sent_again_is_the_newest(b: Backend) {
    let storage = ModelStorage::open(&b.settings).await.unwrap();
    let content = bytes(9 << 20, 1);
    let upload = storage.begin_upload(offer("m.bin", content.len() as u64, None)).await.unwrap();
    let (first, second) = content.split_at(8 << 20);
    send(&upload, 2, second).await;
    send(&upload, 1, &bytes(8 << 20, 2)).await;
    b.next_second().await;
    send(&upload, 1, first).await;
    upload.complete().await.unwrap();
    upload.abort().await;
    let fetched = b.pull("m@1", "back").await.unwrap();
    assert!(std::fs::read(fetched.model_path).unwrap() == content);
}

pub(crate) async fn the_url_of_a_part_takes_no_other_length(b: Backend) {
    let storage = ModelStorage::open(&b.settings).await.unwrap();
    let upload = storage.begin_upload(offer("m.bin", 100, None)).await.unwrap();
    for other in [bytes(99, 1), bytes(101, 1), bytes(10_000, 1)] {
        let (status, _) = try_to_send(&upload, 1, &other).await;
        assert!(status.contains("403"), "{}: {status}", other.len());
    }
    let missing = upload.complete().await.unwrap_err();
    assert!(is_missing(&missing, 1), "{missing:?}");
    send(&upload, 1, &bytes(100, 1)).await;
    upload.complete().await.unwrap();
    upload.abort().await;
}

/// Makes an upload fail after its object was created.
async fn fail(b: &Backend) {
    let storage = ModelStorage::open(&b.settings).await.unwrap();
    let upload = storage.begin_upload(offer("empty", 0, Some("00".repeat(32).parse().unwrap()))).await.unwrap();
    let other = upload.complete().await.unwrap_err();
    assert!(matches!(other.advice(None), Some(Advice::SendAnnounced)), "{other:?}");
    assert!(!upload.is_open_after(&other));
    upload.abort().await;
    let unknown = storage.describe(&"m@1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(unknown, Error::ModelNotFound { .. }), "{unknown:?}");
}

pub(crate) async fn a_file_that_is_not_what_was_announced_is_not_published(b: Backend) {
    fail(&b).await;
    assert_eq!(leases(&b).await, 0);
}

/// A request may still be in flight, and would overwrite what the next push sends.
pub(crate) async fn a_failed_upload_without_conditions_keeps_its_lease(b: Backend) {
    fail(&b).await;
    assert_eq!(leases(&b).await, 1);
}

fn is_missing(error: &Error, part: u64) -> bool {
    let message = error.to_string();
    message.starts_with(&format!("part {part} of ")) && message.ends_with("was not sent")
}
