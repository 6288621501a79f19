//! Effects whose replies are lost or not understood: the client checks what happened.

use modeldepot::s3::UploadOptions;
use modeldepot::{ErrorKind, Progress, S3Client, Settings};

use crate::backend::{Backend, bytes, push};
use crate::misbehaving::{Act, Asked, Misbehaving};

const PART: usize = 8 << 20;

/// A server that works, one in front of it that does not, and the settings of the latter.
async fn behind(play: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> (Backend, Misbehaving, Settings) {
    let b = Backend::embedded().await;
    let server = Misbehaving::before(b.settings.endpoint.as_ref().unwrap().as_str(), play).await;
    let settings = b.settings.clone().endpoint(server.endpoint().parse().unwrap());
    (b, server, settings)
}

fn replaced(when: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> impl Fn(&Asked) -> Act + Send + Sync {
    move |asked| if when(asked) { Act::Instead(Box::new(Act::unknown())) } else { Act::Pass }
}

fn completes(asked: &Asked) -> bool {
    asked.is("POST", "uploadId=")
}

#[tokio::test]
async fn a_completion_that_is_not_understood_is_looked_at() {
    let (b, server, settings) = behind(replaced(completes)).await;
    let client = S3Client::connect(&settings).await.unwrap();
    let content = bytes(2 * PART + 5, 1);
    let path = b.file("f", &content);
    for if_absent in [true, false] {
        let options = UploadOptions::default().if_absent(if_absent);
        client.upload_file(&path, b.bucket(), "k", &options, |_| {}).await.unwrap();
        assert!(b.get("k").await == content);
    }
    assert!(server.count("POST", "uploadId=") <= 3, "an existing bucket is not created again");
    let storage = modeldepot::ModelStorage::open(&settings).await.unwrap();
    storage.push(push("m", Some("1"), &path, &[]), &Progress::none()).await.unwrap();
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    assert!(b.client().list_multipart_uploads(b.bucket(), "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_success_that_is_none_is_not_believed() {
    let (b, server, mut settings) = behind(|asked| match completes(asked) {
        true => Act::unknown(),
        false => Act::Pass,
    })
    .await;
    settings.timeouts.answer = std::time::Duration::from_millis(400);
    let client = S3Client::connect(&settings).await.unwrap();
    let path = b.file("f", &bytes(2 * PART, 1));
    let error = client.upload_file(&path, b.bucket(), "k", &UploadOptions::default(), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(!b.client().object_exists(b.bucket(), "k").await.unwrap());
    assert!(server.count("POST", "uploadId=") > 1);
    // A login page answers everything with 200.
    let page = Act::Answer(200, vec![("content-type", "text/html".to_owned())], b"<html>log in</html>".to_vec());
    let (b, _server, settings) =
        behind(move |asked| if asked.method == "PUT" { page.clone() } else { Act::Pass }).await;
    let client = S3Client::connect(&settings).await.unwrap();
    let path = b.file("f", b"abc");
    let error = client.upload_file(&path, b.bucket(), "k", &UploadOptions::default(), |_| {}).await.unwrap_err();
    assert!(matches!(error, modeldepot::Error::NotS3 { .. }), "{error:?}");
}

#[tokio::test]
async fn a_small_file_that_is_stored_without_a_word_is_looked_at() {
    let silent = Act::Instead(Box::new(Act::Answer(200, Vec::new(), Vec::new())));
    let (b, server, settings) =
        behind(move |asked| if asked.is("PUT", "/k") { silent.clone() } else { Act::Pass }).await;
    let client = S3Client::connect(&settings).await.unwrap();
    let path = b.file("f", b"abc");
    for if_absent in [true, false] {
        let options = UploadOptions::default().if_absent(if_absent);
        client.upload_file(&path, b.bucket(), "k", &options, |_| {}).await.unwrap();
    }
    assert_eq!(b.get("k").await, b"abc");
    assert_eq!(server.count("PUT", "/k"), 2);
}

#[tokio::test]
async fn a_deletion_of_many_that_is_not_understood_is_done_one_by_one() {
    for done in [true, false] {
        let (b, _server, settings) = behind(move |asked| match (asked.is("POST", "?delete"), done) {
            (true, true) => Act::Instead(Box::new(Act::unknown())),
            (true, false) => Act::unknown(),
            _ => Act::Pass,
        })
        .await;
        let client = S3Client::connect(&settings).await.unwrap();
        let keys = ["a", "b", "c"].map(str::to_owned);
        for key in &keys {
            b.put(key, b"x").await;
        }
        client.delete_objects(b.bucket(), &keys[..2]).await.unwrap();
        assert_eq!(b.keys().await, ["c"], "and no other");
    }
}

#[tokio::test]
async fn a_copy_that_is_not_understood_is_sent() {
    let (b, server, settings) = behind(replaced(|asked| asked.headers.contains_key("x-amz-copy-source"))).await;
    let content = bytes(3 * PART, 1);
    let path = b.file("m.bin", &content);
    b.storage.push(push("m", Some("1"), &path, &[]), &Progress::none()).await.unwrap();
    // Probed without the misbehaving server, so that copies are tried.
    b.storage.probe().await.unwrap();
    let storage = modeldepot::ModelStorage::open(&settings).await.unwrap();
    let mut changed = content.clone();
    changed[0] ^= 1;
    let path = b.file("m.bin", &changed);
    let published = storage.push(push("m", Some("2"), &path, &[]), &Progress::none()).await.unwrap();
    assert_eq!(published.copied, 0);
    assert!(server.count("PUT", "uploadId=") > 3, "copies were tried, and then all was sent");
    b.storage.verify(&"m@2".parse().unwrap(), &Progress::none()).await.unwrap();
    assert!(b.client().list_multipart_uploads(b.bucket(), "").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_whose_name_is_lost_is_an_error_that_says_so() {
    let (b, _server, settings) = behind(replaced(|asked| asked.is("POST", "?uploads"))).await;
    let client = S3Client::connect(&settings).await.unwrap();
    let path = b.file("f", &bytes(2 * PART, 1));
    let error = client.upload_file(&path, b.bucket(), "k", &UploadOptions::default(), |_| {}).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains(" failed to "), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("does not name the upload"), "{cause}");
}

fn page() -> Act {
    Act::Answer(200, vec![("content-type", "text/html".to_owned())], b"<html>log in</html>".to_vec())
}

/// A proxy that answers with a page of its own has neither stored nor deleted anything.
#[tokio::test]
async fn a_web_page_is_no_success() {
    for which in ["manifest.json", "/tombstones/", "DELETE"] {
        let (b, _server, mut settings) = behind(move |asked| {
            let hit = if which == "DELETE" { asked.method == which } else { asked.is("PUT", which) };
            if hit { page() } else { Act::Pass }
        })
        .await;
        settings.timeouts.answer = std::time::Duration::from_millis(400);
        let storage = modeldepot::ModelStorage::open(&settings).await.unwrap();
        let path = b.file("f", b"abc");
        let request = push("m", Some("1"), &path, &[]);
        if which == "manifest.json" {
            let error = storage.push(request, &Progress::none()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(b.storage.versions(&"m".parse().unwrap()).await.is_err(), "nothing was published");
            continue;
        }
        b.storage.push(request, &Progress::none()).await.unwrap();
        let (model, version) = ("m".parse().unwrap(), "1".parse().unwrap());
        let error = storage.delete(&model, &version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{which}: {error:?}");
        // What was not deleted still exists, or is known to be deleted: its name is never free again.
        let again = b.storage.push(push("m", Some("1"), &b.file("g", b"other"), &[]), &Progress::none()).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict, "{which}");
    }
}

/// Requests to a busy server are repeated, including the manifest: its files are all stored.
#[tokio::test]
async fn a_manifest_that_a_busy_server_refuses_is_created_again() {
    let refused = std::sync::atomic::AtomicUsize::new(0);
    let (b, server, settings) = behind(move |asked| {
        let hit = asked.is("PUT", "/v1/manifest.json");
        match hit && refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
            true => Act::refuse(503, "SlowDown"),
            false => Act::Pass,
        }
    })
    .await;
    let storage = modeldepot::ModelStorage::open(&settings).await.unwrap();
    let path = b.file("f", b"abc");
    let published = storage.push(push("m", Some("1"), &path, &[]), &Progress::none()).await.unwrap();
    assert!(!published.already);
    assert_eq!(server.count("PUT", "/v1/manifest.json"), 3);
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
}
