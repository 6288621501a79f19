//! Reads when the server answers a range wrongly: the bytes are right, or there is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use modeldepot::{BucketName, Error, ErrorKind, Mismatch, ModelStorage, Progress, Pull, S3Client};

use crate::backend::{Backend, bytes, push};
use crate::misbehaving::{Act, Asked, Misbehaving};

/// The length of a part of a small file.
const PART: usize = 8 << 20;

/// How an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    /// All bytes, with status 200.
    IgnoresRange,
    /// More bytes than requested.
    Longer(usize),
    /// Fewer bytes, with a matching length.
    Shorter(usize),
    /// Fewer bytes than the declared length, then the connection ends.
    EndsEarly(usize),
    /// Fewer bytes than the declared length, then silence.
    Stalls(usize),
    /// The right bytes of an object of a larger declared size.
    Total,
    /// Bytes from a later offset.
    Shifted,
    /// Other bytes with the right offset.
    OtherBytes,
    /// All bytes of an object of another size, with status 200.
    WholeOfAnother(usize),
    /// As many bytes as requested, which are an object of that size, with status 200.
    WholeOfThisLength,
    /// The right bytes, and the ETag of another object.
    OtherEtag,
    Refused(u16, &'static str),
    /// Refused with a body that is not S3's, or none.
    RefusedBy(u16, &'static str),
    Html,
}

use Wrong::*;

fn head(content: &[u8], etag: &str) -> Vec<(&'static str, String)> {
    vec![("etag", format!("\"{etag}\"")), ("content-length", content.len().to_string())]
}

/// Answers a request for a range.
fn answer(content: &[u8], asked: &Asked, wrong: Option<Wrong>) -> Act {
    let Some((first, last)) = asked.range() else { return Act::Close(200, head(content, "e"), content.to_vec()) };
    let (first, end) = (first as usize, (last as usize + 1).min(content.len()));
    let range = |first: usize, end: usize, total: usize| {
        let range = format!("bytes {first}-{}/{total}", end.max(1) - 1);
        vec![("etag", "\"e\"".to_owned()), ("content-range", range)]
    };
    let right = content[first..end].to_vec();
    let exact = |headers, body| Act::Answer(206, headers, body);
    let announced = |mut headers: Vec<_>| {
        headers.push(("content-length", right.len().to_string()));
        headers
    };
    let total = content.len();
    match wrong {
        None => exact(range(first, end, total), right),
        Some(IgnoresRange) => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], content.to_vec()),
        Some(Longer(more)) => exact(range(first, end, total), [right, vec![7; more]].concat()),
        Some(Shorter(less)) => {
            let end = end.saturating_sub(less).max(first);
            exact(range(first, end, total), content[first..end].to_vec())
        }
        Some(EndsEarly(less)) => {
            let cut = right.len().saturating_sub(less);
            Act::Close(206, announced(range(first, end, total)), right[..cut].to_vec())
        }
        Some(Stalls(less)) => {
            let cut = right.len().saturating_sub(less);
            Act::Stall(206, announced(range(first, end, total)), right[..cut].to_vec())
        }
        Some(Total) => exact(range(first, end, total + 1), right),
        Some(Shifted) => exact(range(first + 1, end + 1, total), right),
        Some(OtherBytes) => exact(range(first, end, total), right.iter().map(|byte| byte ^ 1).collect()),
        Some(WholeOfAnother(size)) => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], bytes(size, 1)),
        Some(WholeOfThisLength) => {
            Act::Answer(200, vec![("etag", "\"e\"".to_owned())], right.iter().map(|byte| byte ^ 1).collect())
        }
        Some(OtherEtag) => {
            let headers = range(first, end, total).into_iter().filter(|(name, _)| *name != "etag");
            exact(headers.chain([("etag", "\"f\"".to_owned())]).collect(), right)
        }
        Some(Refused(status, code)) => Act::refuse(status, code),
        Some(RefusedBy(status, page)) => Act::Answer(status, Vec::new(), page.as_bytes().to_vec()),
        Some(Html) => Act::Answer(
            200,
            vec![("content-type", "text/html".to_owned())],
            b"<!doctype html><html><body>Please log in</body></html>".to_vec(),
        ),
    }
}

/// A server with one object, which answers the reads selected by `wrong`, by number, in that way.
async fn server(content: &[u8], wrong: impl Fn(usize, &Asked) -> Option<Wrong> + Send + Sync + 'static) -> Misbehaving {
    let (content, reads) = (content.to_vec(), AtomicUsize::new(0));
    Misbehaving::alone(move |asked| match asked.method.as_str() {
        "HEAD" => Act::Lengthless(head(&content, "e")),
        _ => answer(&content, asked, wrong(reads.fetch_add(1, Ordering::Relaxed), asked)),
    })
    .await
}

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

/// Downloads the object into a file, and streams it.
async fn both(server: &Misbehaving, answer: Duration) -> [Result<Vec<u8>, Error>; 2] {
    let client = S3Client::connect(&server.settings(answer)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let downloaded = client.download_file(&bucket(), "k", &path, |_| {}).await;
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, usize::from(downloaded.is_ok()), "nothing half done stays behind");
    let downloaded = downloaded.map(|_| std::fs::read(&path).unwrap());
    let opened = client.open_object(&bucket(), "k").await.unwrap();
    let size = opened.metadata().size;
    let streamed: Result<Vec<_>, _> = Box::pin(opened.stream(0..size)).try_collect().await;
    [downloaded, streamed.map(|frames| frames.concat())]
}

/// Answers every read in this way, and expects an error that `fits`.
async fn always(content: &[u8], wrong: Wrong, fits: impl Fn(&Error) -> bool) {
    let server = server(content, move |_, _| Some(wrong)).await;
    for result in both(&server, Duration::from_millis(200)).await {
        let Err(error) = result else { panic!("{wrong:?} was taken for an object") };
        assert!(fits(&error), "{wrong:?}: {error:?}");
    }
}

fn is_changed(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.to_string().contains("was replaced while it was read")
}

#[tokio::test]
async fn a_body_that_ends_early_is_fetched_from_where_it_ended() {
    let content = bytes(300_000, 1);
    for wrong in [Shorter(100_000), EndsEarly(100_000), Shorter(299_999), EndsEarly(1)] {
        let server = server(&content, move |n, _| (n % 2 == 0).then_some(wrong)).await;
        for result in both(&server, Duration::from_secs(20)).await {
            assert!(result.unwrap() == content, "{wrong:?}");
        }
        let (Shorter(less) | EndsEarly(less)) = wrong else { unreachable!() };
        let again = (300_000 - less as u64, 299_999);
        let ranges: Vec<_> = server.ranges().iter().map(|asked| asked.range().unwrap()).collect();
        assert_eq!(ranges, [(0, 299_999), again, (0, 299_999), again], "{wrong:?}");
    }
}

#[tokio::test]
async fn a_body_that_always_ends_early_is_no_whole_one() {
    let unavailable = |error: &Error| error.kind() == ErrorKind::Unavailable;
    always(&bytes(10, 1), Shorter(10), |error| ends_at(error, 0, 10)).await;
    always(&bytes(10, 1), EndsEarly(10), |error| ends_at(error, 0, 10)).await;
    always(&bytes(300_000, 1), Stalls(300_000), unavailable).await;
}

fn ends_at(error: &Error, at: u64, of: u64) -> bool {
    matches!(error, Error::Damaged { mismatch: Mismatch::EndsAt { byte, size, .. }, .. } if (*byte, *size) == (at, of))
}

/// Reads stop at this byte of a part of so many.
fn up_to(end: u64) -> impl Fn(usize, &Asked) -> Option<Wrong> + Send + Sync {
    move |_, asked| {
        let (first, last) = asked.range()?;
        (last >= end).then(|| EndsEarly((last + 1 - first.max(end)) as usize))
    }
}

/// As of an object that is damaged on the server's disk.
#[tokio::test]
async fn a_body_that_ends_at_the_same_byte_each_time_is_damaged() {
    let content = bytes(300_000, 1);
    let server = server(&content, up_to(100_000)).await;
    for result in both(&server, Duration::from_secs(20)).await {
        let error = result.unwrap_err();
        assert!(ends_at(&error, 100_000, 300_000), "{error:?}");
    }
    assert_eq!(server.ranges().len(), 2 * 4, "it is not asked any longer");
}

#[tokio::test]
async fn a_body_that_brings_one_more_byte_each_time_is_complete() {
    let content = bytes(12, 1);
    let one = |_, asked: &Asked| asked.range().map(|(first, last)| EndsEarly((last - first) as usize));
    let server = server(&content, one).await;
    for result in both(&server, Duration::from_secs(20)).await {
        assert!(result.unwrap() == content);
    }
}

/// One file that cannot be read keeps nobody from learning of the others.
#[tokio::test]
async fn fsck_reports_what_cannot_be_read_and_continues() {
    let content = bytes(300_000, 1);
    let (b, _server, storage) = published(&content, Duration::from_secs(20), up_to(100_000)).await;
    b.storage.push(push("n", Some("1"), &b.file("n.bin", b"n"), &[]), &Progress::none()).await.unwrap();
    b.storage.push(push("o", Some("1"), &b.file("o.bin", b"o"), &[]), &Progress::none()).await.unwrap();
    b.put("n/v1/n.bin", b"m").await;
    let report = storage.fsck(None, true).await.unwrap();
    let faults: Vec<_> = report.faults.iter().map(|fault| fault.error.to_string()).collect();
    let said =
        "`m.bin` cannot be read: the server stops at byte 100000 of 300000 each time; its copy is probably damaged";
    assert_eq!((report.versions, faults.len(), faults[0].as_str()), (3, 2, said));
    assert!(faults[1].starts_with("`n.bin` is damaged"), "{faults:?}");
    let verified = storage.verify(&"m".parse().unwrap(), &Progress::none()).await.unwrap_err();
    assert_eq!((verified.to_string().as_str(), verified.kind()), (said, ErrorKind::Corrupt));
    assert!(
        matches!(storage.pull(&Pull::new("m".parse().unwrap(), b.path("out")), &Progress::none()).await, Err(error) if ends_at(&error, 100_000, 300_000))
    );
}

/// Neither does one that fails otherwise. What it is, its kind says.
#[tokio::test]
async fn fsck_reports_what_the_server_refuses_and_continues() {
    for (wrong, kind) in
        [(Refused(403, "AccessDenied"), ErrorKind::Denied), (Refused(500, "InternalError"), ErrorKind::Unavailable)]
    {
        let (b, _server, storage) = published(b"m", Duration::from_millis(300), move |_, _| Some(wrong)).await;
        b.storage.push(push("n", Some("1"), &b.file("n.bin", b"n"), &[]), &Progress::none()).await.unwrap();
        b.put("n/v1/n.bin", b"m").await;
        let report = storage.fsck(None, true).await.unwrap();
        let kinds: Vec<_> = report.faults.iter().map(|fault| fault.error.kind()).collect();
        assert_eq!(kinds, [kind, ErrorKind::Corrupt]);
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_fetched_from_where_it_stopped() {
    let content = bytes(300_000, 1);
    let server = server(&content, |n, _| (n % 2 == 0).then_some(Stalls(1000))).await;
    for result in both(&server, Duration::from_secs(1)).await {
        assert!(result.unwrap() == content);
    }
}

#[tokio::test]
async fn more_than_was_asked_for_is_an_error() {
    for more in [1, 70_000] {
        let fits = |error: &Error| {
            error.kind() == ErrorKind::Unavailable && said(error).contains("the server sent more than was asked for")
        };
        always(&bytes(100_000, 1), Longer(more), fits).await;
    }
}

/// The error and its causes.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn an_object_of_another_size_is_named_as_that() {
    let content = bytes(100_000, 1);
    let fits = |error: &Error| {
        matches!(error, Error::Damaged { mismatch: Mismatch::Size { expected: 100_000, found: 100_001, .. }, .. })
    };
    always(&content, Total, fits).await;
}

#[tokio::test]
async fn the_wrong_place_and_a_page_are_no_bytes_of_the_object() {
    let content = bytes(100_000, 1);
    always(&content, Shifted, |error| said(error).contains("another range than it was asked for")).await;
    always(&content, Html, |error| error.kind() != ErrorKind::Internal).await;
    let large = bytes(PART + 1, 1);
    let server = server(&large, |_, _| Some(IgnoresRange)).await;
    let [downloaded, _] = both(&server, Duration::from_secs(20)).await;
    assert!(said(&downloaded.unwrap_err()).contains("ignores `Range`"));
}

#[tokio::test]
async fn a_refused_condition_means_that_the_object_changed() {
    let content = bytes(100_000, 1);
    always(&content, Refused(412, "PreconditionFailed"), is_changed).await;
    let server = server(&content, |_, _| None).await;
    for result in both(&server, Duration::from_secs(20)).await {
        assert!(result.unwrap() == content);
    }
    // The condition itself: every read, including the first, must be for the object that was found.
    for read in server.ranges() {
        assert_eq!(read.headers.get("if-match").map(String::as_str), Some("\"e\""), "{}", read.path);
    }
}

/// A server that does not know ranges sends the object whole, and then its length is the object's size.
#[tokio::test]
async fn a_whole_object_of_another_size_is_no_range() {
    let content = bytes(100_000, 1);
    for size in [100_001, 300_000, 99_999, 1] {
        let fits = |error: &Error| matches!(error, Error::Damaged { mismatch: Mismatch::Size { expected: 100_000, found, .. }, .. } if *found == size as u64);
        always(&content, WholeOfAnother(size), fits).await;
    }
    // The object has two parts, and the response to the first is neither that part nor the object.
    let large = bytes(PART + 5, 1);
    let server = server(&large, |_, asked| (asked.range()?.0 == 0).then_some(WholeOfAnother(PART + 6))).await;
    for result in both(&server, Duration::from_secs(20)).await {
        let error = result.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Damaged { mismatch: Mismatch::Size { expected: 8_388_613, found: 8_388_614, .. }, .. }
            ),
            "{error:?}"
        );
    }
}

/// Without `Content-Range` nothing says that these are the bytes that were asked for.
#[tokio::test]
async fn a_whole_object_as_long_as_what_is_missing_is_no_range() {
    let content = bytes(300_000, 1);
    let wrong = |_, asked: &Asked| match asked.range()?.0 {
        0 => Some(EndsEarly(100_000)),
        _ => Some(WholeOfThisLength),
    };
    let middle = server(&content, wrong).await;
    for result in both(&middle, Duration::from_secs(20)).await {
        assert!(said(&result.unwrap_err()).contains("ignores `Range`"));
    }
    assert_eq!(middle.ranges().len(), 4, "each read went on once from where it broke off");
    let large = bytes(PART + 5, 1);
    let first = server(&large, |_, asked| (asked.range()?.0 == 0).then_some(WholeOfThisLength)).await;
    let [downloaded, _] = both(&first, Duration::from_secs(20)).await;
    let error = downloaded.unwrap_err();
    assert!(
        matches!(error, Error::Damaged { mismatch: Mismatch::Size { expected: 8_388_613, found: 8_388_608, .. }, .. }),
        "{error:?}"
    );
}

/// Without a word of S3: a proxy may answer conditions itself, and moto leaves the body out.
#[tokio::test]
async fn a_refused_condition_without_a_code_means_that_the_object_changed() {
    let content = bytes(100_000, 1);
    for page in ["", "<html><head><title>412 Precondition Failed</title></head></html>", "no"] {
        always(&content, RefusedBy(412, page), is_changed).await;
    }
}

/// A server may ignore the condition: the answer says which object it is of.
#[tokio::test]
async fn an_answer_with_another_etag_is_of_another_object() {
    let content = bytes(100_000, 1);
    always(&content, OtherEtag, is_changed).await;
    // From the second range on, of an object whose first ETag only the first range tells.
    let large = bytes(PART + 5, 1);
    let other = |_, asked: &Asked| (asked.range()?.0 == PART as u64).then_some(OtherEtag);
    let (b, _server, storage) = published(&large, Duration::from_secs(20), other).await;
    let pull = Pull::new("m@1".parse().unwrap(), b.path("out"));
    let error = storage.pull(&pull, &Progress::none()).await.unwrap_err();
    assert!(is_changed(&error), "{error:?}");
    assert!(!b.path("out/m.bin").exists());
    let reader = storage.open_file(&"m@1".parse().unwrap(), None).await.unwrap();
    let error = reader.read(|_| {}).await.unwrap_err();
    assert!(is_changed(&error), "{error:?}");
}

/// An object that became shorter between two looks is told from a server that is broken.
#[tokio::test]
async fn a_range_beyond_the_end_means_another_size() {
    let (content, looks) = (bytes(100_000, 1), AtomicUsize::new(0));
    let server = Misbehaving::alone(move |asked| match asked.method.as_str() {
        // The first HEAD of each read finds the object as it was.
        "HEAD" if looks.fetch_add(1, Ordering::Relaxed) % 2 == 0 => Act::Lengthless(head(&content, "e")),
        "HEAD" => Act::Lengthless(head(&content[..5], "e")),
        _ => Act::refuse(416, "InvalidRange"),
    })
    .await;
    for result in both(&server, Duration::from_secs(20)).await {
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::Damaged { mismatch: Mismatch::Size { expected: 100_000, found: 5, .. }, .. }),
            "{error:?}"
        );
    }
}

/// Of an empty object there is no range to ask for, so it is looked at once more.
#[tokio::test]
async fn an_object_that_is_empty_no_longer_is_of_another_size() {
    let looks = AtomicUsize::new(0);
    let server = Misbehaving::alone(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
        0 => Act::Lengthless(head(b"", "e")),
        _ => Act::Lengthless(head(b"12345", "e")),
    })
    .await;
    let client = S3Client::connect(&server.settings(Duration::from_secs(20))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = client.download_file(&bucket(), "k", &folder.path().join("f"), |_| {}).await.unwrap_err();
    assert!(
        matches!(error, Error::Damaged { mismatch: Mismatch::Size { expected: 0, found: 5, .. }, .. }),
        "{error:?}"
    );
}

/// An ETag without a character in it says nothing, and keeps nobody from reading.
#[tokio::test]
async fn an_empty_etag_is_none() {
    let content = bytes(100, 1);
    let served = content.clone();
    let server = Misbehaving::alone(move |asked| match asked.method.as_str() {
        "HEAD" => Act::Lengthless(head(&served, "e")),
        _ => {
            Act::Answer(206, vec![("etag", "\"\"".into()), ("content-range", "bytes 0-99/100".into())], served.clone())
        }
    })
    .await;
    for result in both(&server, Duration::from_secs(20)).await {
        assert!(result.unwrap() == content);
    }
}

/// A published version behind a server that answers reads of its model file in such a way, by number.
async fn published(
    content: &[u8],
    answer: Duration,
    wrong: impl Fn(usize, &Asked) -> Option<Wrong> + Send + Sync + 'static,
) -> (Backend, Misbehaving, ModelStorage) {
    let b = Backend::embedded().await;
    let file = b.file("m.bin", content);
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    let (content, reads) = (content.to_vec(), AtomicUsize::new(0));
    let server = Misbehaving::before(b.client().endpoint(), move |asked| match asked.is("GET", "/m.bin") {
        true => self::answer(&content, asked, wrong(reads.fetch_add(1, Ordering::Relaxed), asked)),
        false => Act::Pass,
    })
    .await;
    let mut settings = b.settings.clone().timeouts(server.settings(answer).timeouts);
    settings.endpoint = server.settings(answer).endpoint;
    let storage = ModelStorage::open(&settings).await.unwrap();
    (b, server, storage)
}

/// A pull and a read by parts fail with the same error, and the pull leaves no file behind.
async fn neither(content: &[u8], wrong: Wrong, fits: impl Fn(&Error) -> bool) {
    let (b, _server, storage) = published(content, Duration::from_millis(300), move |_, _| Some(wrong)).await;
    let pull = Pull::new("m@1".parse().unwrap(), b.path("out"));
    let pulled = storage.pull(&pull, &Progress::none()).await.unwrap_err();
    assert!(fits(&pulled), "{wrong:?}: {pulled:?}");
    assert!(!b.path("out/m.bin").exists(), "{wrong:?}");
    let reader = storage.open_file(&"m@1".parse().unwrap(), None).await.unwrap();
    let read = reader.read(|_| {}).await.unwrap_err();
    assert!(fits(&read), "{wrong:?}: {read:?}");
}

#[tokio::test]
async fn a_pull_and_a_read_take_no_wrong_answer() {
    let content = bytes(100_000, 1);
    let unavailable = |error: &Error| error.kind() == ErrorKind::Unavailable;
    neither(&content, Shorter(100_000), |error| ends_at(error, 0, 100_000)).await;
    neither(&content, Longer(1), unavailable).await;
    neither(&content, Total, |error| error.kind() == ErrorKind::Corrupt).await;
    neither(&content, OtherBytes, |error| error.kind() == ErrorKind::Corrupt).await;
    neither(&content, Refused(412, "PreconditionFailed"), is_changed).await;
}

/// A damaged part is fetched once more in full, which repairs damage in transit.
#[tokio::test]
async fn a_part_that_was_damaged_on_its_way_is_fetched_once_more() {
    let content = bytes(2 * PART + 5, 1);
    let damaged = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&damaged);
    let wrong = move |_, asked: &Asked| {
        let first = asked.range()?.0 == PART as u64;
        (first && count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)).then_some(OtherBytes)
    };
    let (b, server, storage) = published(&content, Duration::from_secs(20), wrong).await;
    let pull = Pull::new("m@1".parse().unwrap(), b.path("out"));
    storage.pull(&pull, &Progress::none()).await.unwrap();
    assert!(std::fs::read(b.path("out/m.bin")).unwrap() == content);
    assert_eq!(server.count("GET", "/m.bin"), 4, "one part of three came twice");
    let reader = storage.open_file(&"m@1".parse().unwrap(), None).await.unwrap();
    assert!(reader.read(|_| {}).await.unwrap() == content);
    assert_eq!(damaged.load(Ordering::Relaxed), 4);
}

/// Damage in the bucket is reported with the position of the part.
#[tokio::test]
async fn a_part_that_is_damaged_twice_is_named() {
    let content = bytes(2 * PART + 5, 1);
    let wrong = |_, asked: &Asked| (asked.range()?.0 == 2 * PART as u64).then_some(OtherBytes);
    let (b, _server, storage) = published(&content, Duration::from_secs(20), wrong).await;
    let pull = Pull::new("m@1".parse().unwrap(), b.path("out"));
    let error = storage.pull(&pull, &Progress::none()).await.unwrap_err();
    assert!(error.to_string().contains("the BLAKE3 of bytes 16777216 to 16777220 is "), "{error}");
}

/// A file that is replaced while it is read in parts is never assembled from both.
#[tokio::test]
async fn another_object_in_mid_file_is_noticed() {
    let content = bytes(PART + 5, 1);
    let answered = AtomicUsize::new(0);
    let served = content.clone();
    let server = Misbehaving::alone(move |asked| match asked.method.as_str() {
        "HEAD" => Act::Lengthless(head(&served, "e")),
        // From the second read on there is another object, with another ETag.
        _ if answered.fetch_add(1, Ordering::Relaxed) % 2 == 1 => match asked.headers.contains_key("if-match") {
            true => Act::refuse(412, "PreconditionFailed"),
            false => answer(&served, asked, Some(OtherBytes)),
        },
        _ => answer(&served, asked, Some(EndsEarly(5))),
    })
    .await;
    for result in both(&server, Duration::from_secs(20)).await {
        let error = result.unwrap_err();
        assert!(is_changed(&error), "{error:?}");
    }
}
