//! What a push does about each file: what it sends, takes as it is, or leaves alone.

use std::sync::{Arc, Mutex};

use super::*;

/// A small folder of two files, `w.bin` and `config`.
fn push_of_two(folder: &tempfile::TempDir) -> Push {
    std::fs::write(folder.path().join("config"), b"layers").unwrap();
    let of_one = push(folder, Some("1"), b"weights");
    let source = Source::scan(&Scan::new(folder.path().join("w.bin")).with([folder.path().join("config")])).unwrap();
    Push { source, ..of_one }
}

/// What an interrupted push or another tool left at the key of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    Own(&'static [u8]),
    Foreign(&'static [u8]),
}

/// With create-if-absent nothing is replaced. Without it only what a push left is.
#[tokio::test]
async fn an_object_in_the_way_is_taken_replaced_or_left_alone() {
    for (conditions, left, ends_well, kept) in [
        (true, Left::Own(b"weights"), true, 7),
        (true, Left::Own(b"another"), false, 0),
        (true, Left::Foreign(b"weights"), true, 7),
        (true, Left::Foreign(b"another"), false, 0),
        (false, Left::Own(b"weights"), true, 0),
        (false, Left::Own(b"another"), true, 0),
        (false, Left::Foreign(b"weights"), true, 7),
        (false, Left::Foreign(b"another"), false, 0),
    ] {
        let (mut there, mut found) = (false, Vec::new());
        let (body, metadata) = match left {
            Left::Own(body) => (body, mark(Uuid::from_u128(7), FILE)),
            Left::Foreign(body) => (body, BTreeMap::new()),
        };
        found.extend_from_slice(body);
        let (server, result) = pushed(conditions, move |_, bucket| {
            if !std::mem::replace(&mut there, true) {
                bucket.put_with(FILE, &found, metadata.clone());
            }
            Act::Serve
        })
        .await;
        let stored = server.bucket().objects[FILE].body.clone();
        match result {
            Ok(published) => {
                assert!(ends_well, "conditions {conditions}, {left:?}");
                assert_eq!((published.kept, &stored[..]), (kept, &b"weights"[..]), "conditions {conditions}, {left:?}");
            }
            Err(error) => {
                assert!(
                    !ends_well && error.kind() == ErrorKind::Conflict,
                    "conditions {conditions}, {left:?}: {error:?}"
                );
                assert_eq!((&stored[..], server.bucket().objects.contains_key(MANIFEST)), (body, false));
            }
        }
    }
}

#[tokio::test]
async fn what_is_taken_of_all_files_is_counted() {
    let server = TestServer::start().await;
    server.bucket().put(FILE, b"weights");
    server.bucket().put("m/v1/config", b"layers");
    let folder = tempfile::tempdir().unwrap();
    let published = server.storage(true).await.push(push_of_two(&folder), &Progress::none()).await.unwrap();
    assert_eq!((published.kept, published.copied), (7 + 6, 0));
}

#[tokio::test]
async fn a_file_that_appears_while_it_is_sent_is_not_replaced() {
    let (server, result) = pushed(true, while_sending(|bucket| bucket.put(FILE, b"another"))).await;
    let expected = Error::pushed_by_another(&"m".parse().unwrap(), &"1".parse().unwrap(), &"w.bin".parse().unwrap());
    assert_eq!(result.unwrap_err().to_string(), expected.to_string());
    assert_eq!(server.bucket().objects[FILE].body, b"another");
    assert!(!server.bucket().objects.contains_key(MANIFEST));
}

#[tokio::test]
async fn whatever_a_push_stores_carries_its_mark() {
    let server = TestServer::start().await;
    let (storage, folder) = (server.storage(true).await, tempfile::tempdir().unwrap());
    let manifest = storage.push(push_of_two(&folder), &Progress::none()).await.unwrap().manifest;
    for key in [FILE, "m/v1/config", MANIFEST] {
        let by = storage.pushed_by(key).await.unwrap();
        assert_eq!(by.map(|by| by.to_string()), manifest.write_id, "{key}");
    }
}

#[tokio::test]
async fn each_file_is_reported_as_it_begins_moves_and_ends() {
    // Sent, and taken as it is.
    for there in [false, true] {
        let server = TestServer::start().await;
        if there {
            server.bucket().put(FILE, b"weights");
        }
        let (storage, folder) = (server.storage(true).await, tempfile::tempdir().unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let progress = Progress::new(move |event| seen.lock().unwrap().push(event));
        storage.push(push(&folder, Some("1"), b"weights"), &progress).await.unwrap();
        let path = || "w.bin".parse().unwrap();
        let expected = [
            Event::Planned { files: 1, bytes: 7 },
            Event::Begun { path: path(), bytes: 7 },
            Event::Moved { path: path(), bytes: 7 },
            Event::Finished { path: path() },
        ];
        assert_eq!(*events.lock().unwrap(), expected, "there {there}");
    }
}

#[tokio::test]
async fn a_manifest_has_an_md5_only_if_it_is_wanted() {
    for wanted in [true, false] {
        let server = TestServer::start().await;
        let (storage, folder) = (server.storage(true).await, tempfile::tempdir().unwrap());
        let request = push(&folder, Some("1"), b"weights").md5(wanted);
        let manifest = storage.push(request, &Progress::none()).await.unwrap().manifest;
        assert_eq!(manifest.checksum.is_some(), wanted);
    }
}

/// A record of uploads takes two requests, so files of one part have none.
#[tokio::test]
async fn a_file_of_one_part_needs_no_record_of_uploads() {
    let one_part = usize::try_from(part_size(1)).unwrap();
    for size in [7, one_part] {
        let server = TestServer::start().await;
        let (storage, folder) = (server.storage(true).await, tempfile::tempdir().unwrap());
        let request = push(&folder, Some("1"), &vec![0; size]).md5(false);
        storage.push(request, &Progress::none()).await.unwrap();
        assert_eq!(server.bucket().count("PUT .depot/uploads/"), 0, "{size} bytes");
        assert_eq!(server.bucket().objects[FILE].body.len(), size);
    }
}
