//! Uploads whose parts others sent, when the server lists or completes them wrongly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use modeldepot::{DirectUpload, Error, ErrorKind, ModelStorage, Offer, OfferedFile};

use crate::backend::{Backend, bytes};
use crate::client::http;
use crate::misbehaving::{Act, Asked, Misbehaving};

const PART: usize = 8 << 20;

fn completes(asked: &Asked) -> bool {
    asked.is("POST", "uploadId=") && asked.path.contains("/m.bin")
}

fn lists(asked: &Asked) -> bool {
    asked.is("GET", "uploadId=") && asked.path.contains("/m.bin")
}

fn count(server: &Misbehaving, which: fn(&Asked) -> bool) -> usize {
    server.all().iter().filter(|asked| which(asked)).count()
}

/// An upload of a file of this content, with all its parts sent, to a server that misbehaves.
async fn sent(
    content: &[u8],
    play: impl Fn(&Asked) -> Option<Act> + Send + Sync + 'static,
) -> (Backend, Misbehaving, DirectUpload) {
    let b = Backend::embedded().await;
    let server = Misbehaving::before(b.client().endpoint(), move |asked| play(asked).unwrap_or(Act::Pass)).await;
    let settings = b.settings.clone().endpoint(server.endpoint().parse().unwrap());
    let storage = ModelStorage::open(&settings).await.unwrap();
    let file = OfferedFile::new("m.bin".parse().unwrap(), content.len() as u64);
    let offer = Offer::new("m".parse().unwrap(), [file]).version("1".parse().unwrap()).tool("tests");
    let upload = storage.begin_upload(offer).await.unwrap();
    for (number, part) in (1..).zip(content.chunks(PART)) {
        let path = upload.files().next().unwrap().path.clone();
        let url = upload.part_url(&path, number, Duration::from_secs(60)).await.unwrap();
        let (status, _) = http("PUT", &url, part).await;
        assert!(status.contains("200"), "{status}");
    }
    (b, server, upload)
}

/// Answers completions of models' files one after the other, the last of these ways from then on.
fn one_by_one(acts: Vec<Act>) -> impl Fn(&Asked) -> Option<Act> + Send + Sync {
    let completed = AtomicUsize::new(0);
    move |asked| completes(asked).then(|| acts[completed.fetch_add(1, Ordering::Relaxed).min(acts.len() - 1)].clone())
}

fn executed(act: Act) -> Act {
    Act::Instead(Box::new(act))
}

fn gone() -> Act {
    Act::refuse(404, "NoSuchUpload")
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_is_found() {
    let failed = || executed(Act::refuse(500, "InternalError"));
    let exists = || Act::refuse(412, "PreconditionFailed");
    for acts in [vec![executed(Act::unknown())], vec![failed(), gone()], vec![failed(), exists()]] {
        let (b, server, upload) = sent(b"123456789", one_by_one(acts.clone())).await;
        upload.complete().await.unwrap();
        upload.abort().await;
        assert_eq!(count(&server, completes), acts.len());
        assert_eq!(b.get("m/v1/m.bin").await, b"123456789");
        b.pull("m@1", "back").await.unwrap();
    }
}

/// The first answer may be about an upload of somebody else. Only of a repeated completion it is known whose it is.
#[tokio::test]
async fn a_completion_that_finds_no_upload_can_be_repeated() {
    let (b, _server, upload) = sent(b"123456789", one_by_one(vec![executed(gone()), gone()])).await;
    let error = upload.complete().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && upload.is_open_after(&error), "{error:?}");
    upload.complete().await.unwrap();
    upload.abort().await;
    b.pull("m@1", "back").await.unwrap();
}

#[tokio::test]
async fn a_refused_completion_is_no_conflict() {
    let (_b, _server, upload) = sent(b"123456789", one_by_one(vec![Act::refuse(403, "AccessDenied")])).await;
    let error = upload.complete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    upload.abort().await;
}

/// It has the right size, and only the mark shows that it is another's.
#[tokio::test]
async fn the_object_of_somebody_else_is_not_taken_for_the_upload() {
    let (b, _server, upload) = sent(b"123456789", one_by_one(vec![Act::unknown(), Act::Pass])).await;
    b.put("m/v1/m.bin", b"987654321").await;
    let error = upload.complete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    upload.abort().await;
    assert_eq!(b.get("m/v1/m.bin").await, b"987654321");
}

/// Lists two parts on a page each, or the first page again and again.
async fn listed(content: &[u8], ends: bool) -> (Result<(), Error>, usize) {
    let parts: Vec<String> = (1..)
        .zip(content.chunks(PART))
        .map(|(number, part)| {
            let (etag, size) = (hex::encode(fast_md5::digest(part)), part.len());
            let part =
                format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag><Size>{size}</Size></Part>");
            let more = format!("<IsTruncated>{}</IsTruncated>", number == 1);
            format!(
                "<ListPartsResult>{part}{more}<NextPartNumberMarker>{number}</NextPartNumberMarker></ListPartsResult>"
            )
        })
        .collect();
    let (b, server, upload) = sent(content, move |asked| {
        let next = usize::from(ends && asked.path.contains("part-number-marker="));
        lists(asked).then(|| Act::Answer(200, Vec::new(), parts[next].clone().into_bytes()))
    })
    .await;
    let completed = upload.complete().await.map(|_| ());
    upload.abort().await;
    if completed.is_ok() {
        assert!(b.get("m/v1/m.bin").await == content);
    }
    (completed, count(&server, lists))
}

#[tokio::test]
async fn parts_are_found_on_every_page() {
    let content = bytes(PART + 5, 1);
    let (completed, asked) = listed(&content, true).await;
    completed.unwrap();
    assert!(asked >= 2, "{asked}");
    let (completed, asked) = listed(&content, false).await;
    assert_eq!(completed.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(asked <= 4, "it is not asked forever: {asked}");
}
