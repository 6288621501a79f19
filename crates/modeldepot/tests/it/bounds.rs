//! Memory is bounded by the request, whatever a server sends.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use modeldepot::{BucketName, Error, ErrorKind, Mismatch, ModelStorage, Progress, Push, S3Client, Scan, Source};

use crate::backend::{Backend, bytes, push};
use crate::misbehaving::{Act, Misbehaving};
use crate::models::sealed;

const MIB: u64 = 1 << 20;

/// Bytes that both ends of a connection may buffer.
const ON_THE_WAY: u64 = 8 * MIB;

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

async fn client(server: &Misbehaving) -> S3Client {
    S3Client::connect(&server.settings(Duration::from_secs(20))).await.unwrap()
}

#[tokio::test]
async fn a_small_object_without_end_is_read_to_its_limit() {
    let server = Misbehaving::alone(|_| Act::Endless(200)).await;
    let error = client(&server).await.get_small(&bucket(), "k", MIB).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { mismatch: Mismatch::Size { expected: MIB, .. }, .. }), "{error:?}");
    assert!(server.given() < MIB + ON_THE_WAY, "{}", server.given());
}

#[tokio::test]
async fn a_listing_or_refusal_without_end_is_not_read_to_its_end() {
    let server = Misbehaving::alone(|_| Act::Endless(200)).await;
    let error = client(&server).await.list_objects(&bucket(), "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error:?}");
    assert!(server.given() < 16 * MIB + ON_THE_WAY, "once, and no more of it: {}", server.given());
    let server = Misbehaving::alone(|_| Act::Endless(403)).await;
    let error = client(&server).await.list_objects(&bucket(), "").await.unwrap_err();
    assert!(matches!(error, Error::NotS3 { .. }), "nothing in it is of S3: {error:?}");
    assert!(server.given() < 2 * ON_THE_WAY, "{}", server.given());
    let server = Misbehaving::alone(|_| Act::Endless(403)).await;
    let error = client(&server).await.get_small(&bucket(), "k", 9).await.unwrap_err();
    assert!(matches!(error, Error::NotS3 { .. }), "{error:?}");
    assert!(server.given() < 2 * ON_THE_WAY, "{}", server.given());
}

/// A server, or a proxy in front of one, that answers every GET with the whole object.
async fn whole(content: &[u8]) -> Misbehaving {
    let content = content.to_vec();
    Misbehaving::alone(move |_| Act::Answer(200, vec![("etag", "\"e\"".to_owned())], content.clone())).await
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_named_and_fills_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let content = bytes(40 << 20, 1);
    let server = whole(&content).await;
    let client = client(&server).await;
    let error = client.download_file(&bucket(), "k", &folder.path().join("f"), |_| {}).await.unwrap_err();
    assert!(matches!(&error, Error::Other(other) if other.code() == Some("it ignores `Range`")), "{error:?}");
    assert!(!folder.path().join("f").exists());
    let before = server.given();
    let opened = client.open_object(&bucket(), "k").await.unwrap();
    let first: Vec<_> = opened.stream(0..100_000).try_collect().await.unwrap();
    assert!(first.concat() == content[..100_000], "what was asked for comes first");
    assert!(server.given() - before < ON_THE_WAY, "and the rest is not read: {}", server.given() - before);
    let error = Box::pin(opened.stream(5..100)).next().await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Other(other) if other.code().is_some()), "{error:?}");
}

#[tokio::test]
async fn a_small_file_needs_no_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let content = bytes(3 << 20, 1);
    let server = whole(&content).await;
    client(&server).await.download_file(&bucket(), "k", &folder.path().join("f"), |_| {}).await.unwrap();
    assert!(std::fs::read(folder.path().join("f")).unwrap() == content);
}

#[tokio::test]
async fn another_range_than_was_asked_for_is_none() {
    let server = Misbehaving::alone(|asked| match asked.method.as_str() {
        "HEAD" => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], vec![0; 100]),
        _ => Act::Answer(206, vec![("content-range", "bytes 50-149/100".to_owned())], vec![0; 100]),
    })
    .await;
    let client = S3Client::connect(&server.settings(Duration::from_millis(100))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = client.download_file(&bucket(), "k", &folder.path().join("f"), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn a_manifest_that_names_a_huge_file_reserves_nothing_for_it() {
    let b = Backend::embedded().await;
    let path = b.file("m.bin", b"weights");
    b.storage.push(push("m", Some("1"), &path, &[]), &modeldepot::Progress::none()).await.unwrap();
    let manifest = String::from_utf8(b.get("m/v1/manifest.json").await).unwrap();
    for size in ["7000000000000000", "40000000000", "9007199254740000"] {
        // With a new digest, or it would be refused for that alone.
        let claimed = manifest.replacen("\"size\": 7", &format!("\"size\": {size}"), 1);
        assert_ne!(claimed, manifest);
        b.put("m/v1/manifest.json", sealed(&claimed).as_bytes()).await;
        let opened = b.storage.open_file(&"m@1".parse().unwrap(), None).await;
        // A size larger than S3 can store is refused when the manifest is parsed.
        let error = match opened {
            Ok(opened) => opened.read(|_| {}).await.unwrap_err(),
            Err(error) => {
                assert_ne!(size, "40000000000", "a size that S3 knows");
                error
            }
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    }
}

/// A server that does not support continuation starts over each time.
#[tokio::test]
async fn a_listing_that_repeats_itself_ends() {
    let page = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated>\
        <NextContinuationToken>TOKEN</NextContinuationToken>\
        <Contents><Key>m/v1/a</Key><Size>1</Size></Contents></ListBucketResult>";
    for same in [true, false] {
        let pages = std::sync::atomic::AtomicUsize::new(0);
        let server = Misbehaving::alone(move |_| {
            let n = pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let token = if same { "next".to_owned() } else { format!("next-{n}") };
            Act::Answer(200, vec![("content-type", "application/xml".to_owned())], page.replace("TOKEN", &token).into())
        })
        .await;
        let client = S3Client::connect(&server.settings(Duration::from_secs(5))).await.unwrap();
        let error = client.list_objects(&"models".parse::<BucketName>().unwrap(), "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(server.count("GET", "") <= 3);
    }
}

/// A list of models does not read manifests of any size: what is not read is counted by the listing.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_no_long_manifest() {
    let b = crate::backend::Backend::embedded().await;
    let metadata = |length: usize| serde_json::json!({"note": "x".repeat(length), "n": 7}).as_object().unwrap().clone();
    for (model, length) in [("short", 1_000_000), ("long", 9 << 20)] {
        let path = b.file(&format!("{model}/model.bin"), b"weights");
        let source = Source::scan(&Scan::new(path)).unwrap();
        let push = Push::new(model.parse().unwrap(), source).version("1".parse().unwrap()).metadata(metadata(length));
        b.storage.push(push, &Progress::none()).await.unwrap();
        b.client().put_small(b.bucket(), &format!("{model}/v1/foreign"), "other".into(), "x/y").await.unwrap();
    }
    // Nothing is known of what was pushed elsewhere.
    let elsewhere = ModelStorage::open(&b.settings).await.unwrap();
    let files = async |model: &str| elsewhere.versions(&model.parse().unwrap()).await.unwrap()[0].files;
    assert_eq!((files("short").await, files("long").await), (1, 2));
    let models = elsewhere.models().await.unwrap();
    assert_eq!(
        models.iter().map(|model| (model.model.as_str(), model.damaged)).collect::<Vec<_>>(),
        [("long", 0), ("short", 0)]
    );
    let read = async |model: &str| elsewhere.metadata_of(&model.parse().unwrap(), &"1".parse().unwrap()).await;
    assert_eq!(read("short").await.unwrap().unwrap()["n"], 7);
    let error = read("long").await.unwrap_err();
    insta::assert_snapshot!(std::error::Error::source(&error).unwrap().to_string().replace(char::is_numeric, ""), @"it has  bytes, too many to be read for a list");
    // By itself it is read, and counted from then on.
    assert_eq!(elsewhere.describe(&"long@1".parse().unwrap()).await.unwrap().files.len(), 1);
    assert_eq!(files("long").await, 1);
}
