//! Pushes against a server on which others act between any two requests.

mod files;

use std::time::Duration;

use super::*;
use crate::error::ErrorKind;
use crate::store::push::scan::Scan;
use crate::store::push::source::Source;
use crate::store::test_server::{Act, Bucket, START, TestServer};
use crate::task::settled;

const MANIFEST: &str = "m/v1/manifest.json";
const FILE: &str = "m/v1/w.bin";
const LIST: &str = "LIST m/v1/";
const SEND: &str = "PUT m/v1/w.bin";
const WRITE: &str = "PUT m/v1/manifest.json";
const LOOK: &str = "GET m/v1/manifest.json";

/// A push of one file.
fn push(folder: &tempfile::TempDir, version: Option<&str>, content: &[u8]) -> Push {
    let path = folder.path().join("w.bin");
    std::fs::write(&path, content).unwrap();
    let source = Source::scan(&Scan::new(path)).unwrap();
    Push { version: version.map(|version| version.parse().unwrap()), ..Push::new("m".parse().unwrap(), source) }
        .created(START)
}

/// Pushes `weights` as `m@1` to a server on which this happens.
async fn pushed(
    conditions: bool,
    play: impl FnMut(&str, &mut Bucket) -> Act + Send + 'static,
) -> (TestServer, Result<Published>) {
    let server = TestServer::start().await;
    let mut storage = server.storage(conditions).await;
    storage.times.create_again = Duration::ZERO;
    server.play(play);
    let folder = tempfile::tempdir().unwrap();
    let result = storage.push(push(&folder, Some("1"), b"weights"), &Progress::none()).await;
    settled().await;
    (server, result)
}

/// Does this once the file was sent, just before the next request like this.
fn before(
    request: &'static str,
    act: impl Fn(&mut Bucket) + Send + 'static,
) -> impl FnMut(&str, &mut Bucket) -> Act + Send + 'static {
    let (mut sent, mut done) = (false, false);
    move |asked, bucket| {
        if sent && !done && asked == request {
            done = true;
            act(bucket);
        }
        sent |= asked == SEND;
        Act::Serve
    }
}

/// Does this while the file is sent.
fn while_sending(act: impl Fn(&mut Bucket) + Send + 'static) -> impl FnMut(&str, &mut Bucket) -> Act + Send + 'static {
    move |asked, bucket| {
        if asked == SEND {
            act(bucket);
        }
        Act::Serve
    }
}

/// The manifest of another push, of this content.
async fn anothers(content: &[u8]) -> Vec<u8> {
    let server = TestServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let storage = server.storage(true).await;
    storage.push(push(&folder, Some("1"), content), &Progress::none()).await.unwrap();
    server.bucket().objects[MANIFEST].body.clone()
}

#[tokio::test]
async fn a_push_publishes_what_it_sent_and_withdraws_its_lease() {
    for conditions in [true, false] {
        let (server, result) = pushed(conditions, |_, _| Act::Serve).await;
        let published = result.unwrap();
        assert!(!published.already && published.foreign.is_empty());
        let bucket = server.bucket();
        assert_eq!(bucket.keys(), [MANIFEST, FILE], "conditions {conditions}");
        let stored: Manifest = serde_json::from_str(&bucket.text(MANIFEST)).unwrap();
        assert_eq!(stored, published.manifest);
        assert_eq!(bucket.objects[FILE].body, b"weights");
    }
}

/// The manifest is the only visible effect, and it says that each file is as it was sent.
#[tokio::test]
async fn nothing_is_published_over_files_that_another_changed() {
    type Change = fn(&mut Bucket);
    let changes: [(&str, Change); 3] = [
        ("removed", |bucket| _ = bucket.objects.remove(FILE)),
        ("another length", |bucket| bucket.put(FILE, b"weights2")),
        ("the same length", |bucket| bucket.put(FILE, b"weighty")),
    ];
    for (what, change) in changes {
        for conditions in [true, false] {
            let (server, result) = pushed(conditions, before(LIST, change)).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict, "{what}, conditions {conditions}");
            assert!(!server.bucket().objects.contains_key(MANIFEST), "{what}, conditions {conditions}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_listed_with_another_etag_or_none_is_the_same_if_its_bytes_are() {
    for etag in ["", "another", "d41d8cd98f00b204e9800998ecf8427e-1"] {
        let list = move |bucket: &mut Bucket| bucket.objects.get_mut(FILE).unwrap().etag = etag.to_owned();
        let (server, result) = pushed(true, before(LIST, list)).await;
        assert!(!result.unwrap().already, "{etag}");
        assert!(server.bucket().objects.contains_key(MANIFEST));
    }
}

#[tokio::test]
async fn nothing_is_published_without_the_lease() {
    for conditions in [true, false] {
        let remove = |bucket: &mut Bucket| bucket.objects.retain(|key, _| !key.starts_with(".depot/leases/"));
        let (server, result) = pushed(conditions, while_sending(remove)).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict, "conditions {conditions}");
        assert!(!server.bucket().objects.contains_key(MANIFEST));
    }
}

#[tokio::test]
async fn objects_of_others_beside_the_version_are_reported_and_recorded() {
    let add = |bucket: &mut Bucket| {
        bucket.put("m/v1/notes.txt", b"mine");
        bucket.put("m/v1/z", b"mine, too");
    };
    let (server, result) = pushed(true, while_sending(add)).await;
    let foreign = result.unwrap().foreign;
    assert_eq!((foreign.objects, foreign.bytes), (2, 13));
    assert_eq!(foreign.paths, ["notes.txt", "z"]);
    let record = ObjectKey::ForeignObjects("m".parse().unwrap(), "1".parse().unwrap()).to_string();
    assert_eq!(server.bucket().text(&record), "{\"objects\": 2}\n");
}

/// Whatever becomes of the request that writes the manifest.
#[tokio::test]
async fn a_manifest_whose_answer_is_lost_is_looked_for() {
    // A busy server's answer, and one that has no ETag and therefore says nothing.
    for (conditions, status) in [(true, 503), (true, 200), (false, 200)] {
        let (server, result) = pushed(conditions, move |asked, _| match asked == WRITE {
            true => Act::ServeBut(status, "SlowDown"),
            false => Act::Serve,
        })
        .await;
        let published = result.unwrap();
        assert!(!published.already, "it is our own");
        assert_eq!(server.bucket().keys(), [MANIFEST, FILE], "conditions {conditions}");
        assert!(!conditions || server.bucket().count(WRITE) == 1, "it is not created twice");
    }
}

#[tokio::test]
async fn a_manifest_that_a_busy_server_does_not_take_is_sent_again_for_a_while() {
    for (refused, ends_well) in [(3, true), (CREATES, true), (CREATES + 1, false), (1000, false)] {
        let mut left = refused;
        let (server, result) = pushed(true, move |asked, _| match asked == WRITE && left > 0 {
            true => {
                left -= 1;
                Act::Refuse(503, "SlowDown")
            }
            false => Act::Serve,
        })
        .await;
        assert_eq!(server.bucket().count(WRITE), refused.min(CREATES) as usize + 1, "{refused} refused");
        assert_eq!(server.bucket().objects.contains_key(MANIFEST), ends_well);
        match result {
            Ok(published) => assert!(ends_well && !published.already),
            Err(error) => assert!(!ends_well && error.kind() == ErrorKind::Unavailable, "{error:?}"),
        }
    }
}

/// A refusal is final. It is not looked at, nor repeated.
#[tokio::test]
async fn a_manifest_that_is_refused_is_not_sent_again() {
    for conditions in [true, false] {
        let (server, result) = pushed(conditions, |asked, _| match asked == WRITE {
            true => Act::Refuse(403, "AccessDenied"),
            false => Act::Serve,
        })
        .await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Denied);
        let bucket = server.bucket();
        assert_eq!(bucket.count(WRITE), 1);
        let after = bucket.asked.iter().skip_while(|asked| *asked != WRITE);
        assert_eq!(after.filter(|asked| *asked == LOOK).count(), 0, "conditions {conditions}");
    }
}

/// A server without a manifest refuses to create one: another push is between two of its steps.
#[tokio::test]
async fn a_create_that_is_refused_without_a_manifest_is_anothers() {
    let (server, result) = pushed(true, |asked, _| match asked == WRITE {
        true => Act::Refuse(412, "PreconditionFailed"),
        false => Act::Serve,
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(!server.bucket().objects.contains_key(MANIFEST));
}

/// Another push publishes just before ours: its manifest is never replaced, and is a success only with the same content.
#[tokio::test]
async fn the_manifest_of_another_push_is_never_replaced() {
    let (same, other) = (anothers(b"weights").await, anothers(b"another").await);
    for (theirs, is_same) in [(same, true), (other, false)] {
        for (conditions, when) in [(true, WRITE), (true, LIST), (false, LIST)] {
            let appears = theirs.clone();
            let (server, result) = pushed(conditions, before(when, move |bucket| bucket.put(MANIFEST, &appears))).await;
            assert_eq!(server.bucket().objects[MANIFEST].body, theirs, "conditions {conditions}, before {when}");
            match result {
                Ok(published) => assert!(is_same && published.already),
                Err(error) => assert!(!is_same && matches!(error, Error::VersionExists { .. }), "{error:?}"),
            }
        }
    }
}

/// Without create-if-absent, only the bucket shows who wrote last.
#[tokio::test]
async fn a_manifest_that_another_replaced_is_no_success_of_ours() {
    let (same, other) = (anothers(b"weights").await, anothers(b"another").await);
    for (theirs, is_same) in [(same, true), (other, false)] {
        let mut written = false;
        let (_, result) = pushed(false, move |asked, bucket| {
            if written && asked == LOOK {
                bucket.put(MANIFEST, &theirs);
            }
            written |= asked == WRITE;
            Act::Serve
        })
        .await;
        match result {
            Ok(published) => assert!(is_same && published.already),
            Err(error) => assert!(!is_same && matches!(error, Error::VersionExists { .. }), "{error:?}"),
        }
    }
}

/// A push that names no version needs one of its own, even if another has the same content.
#[tokio::test]
async fn a_push_without_a_version_takes_the_next_one_instead_of_anothers() {
    let server = TestServer::start().await;
    let storage = server.storage(true).await;
    let folder = tempfile::tempdir().unwrap();
    let first = storage.push(push(&folder, None, b"weights"), &Progress::none()).await.unwrap().manifest;
    let second = storage.push(push(&folder, None, b"weights"), &Progress::none()).await.unwrap();
    assert!(!second.already);
    assert_eq!(first.version, Version::at(START));
    assert_eq!(second.manifest.version, Version::at(START + time::Duration::SECOND));
}
