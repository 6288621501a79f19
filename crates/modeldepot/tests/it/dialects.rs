//! Deviations of some servers from S3 that mean the same. Each was found on a real server, and is simulated here so
//! that a plain `cargo test` covers it too.

use std::time::Duration;

use modeldepot::s3::{CopySupport, UploadOptions};
use modeldepot::{BucketName, Error, ErrorKind, Progress, S3Client};

use crate::backend::{Backend, bytes, push};
use crate::misbehaving::{Act, Misbehaving};

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

async fn client(server: &Misbehaving) -> S3Client {
    S3Client::connect(&server.settings(Duration::from_secs(20))).await.unwrap()
}

/// moto sends `text/html` with empty answers. A page with content is still not an S3 answer.
#[tokio::test]
async fn an_empty_answer_is_no_web_page() {
    let html = |body: &'static str| {
        move |_: &_| {
            let headers = vec![("content-type", "text/html".to_owned()), ("etag", "\"e\"".to_owned())];
            Act::Answer(200, headers, body.as_bytes().to_vec())
        }
    };
    let server = Misbehaving::alone(html("")).await;
    client(&server).await.put_small(&bucket(), "k", "x".into(), "text/plain").await.unwrap();
    client(&server).await.delete_object(&bucket(), "k").await.unwrap();
    let server = Misbehaving::alone(html("<html>log in</html>")).await;
    let stored = client(&server).await.put_small(&bucket(), "k", "x".into(), "text/plain").await.unwrap_err();
    let deleted = client(&server).await.delete_object(&bucket(), "k").await.unwrap_err();
    for error in [stored, deleted] {
        assert!(matches!(error, Error::NotS3 { .. }), "{error:?}");
    }
}

/// versitygw answers an unknown access key with 404.
#[tokio::test]
async fn an_unknown_key_is_denied_whatever_the_status() {
    let server = Misbehaving::alone(|_| Act::refuse(404, "XAdminUserNotFound")).await;
    let client = client(&server).await;
    let listed = client.list_objects(&bucket(), "").await.unwrap_err();
    let fetched = client.get_small(&bucket(), "k", 9).await.unwrap_err();
    for error in [listed, fetched] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(error.to_string().contains("XAdminUserNotFound"), "{error}");
    }
}

/// Ceph URL-encodes the keys of unfinished uploads when asked to, without saying so.
#[tokio::test]
async fn uploads_are_read_as_they_were_asked_for() {
    let page = |keys: [&str; 2]| {
        let uploads = keys.map(|key| format!("<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>")).concat();
        let page = format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>");
        Act::Answer(200, Vec::new(), page.into_bytes())
    };
    let listed = async |plain: [&'static str; 2], spelled: [&'static str; 2]| {
        let play = move |path: &str| page(if path.contains("encoding-type=url") { spelled } else { plain });
        let server = Misbehaving::alone(move |asked| play(&asked.path)).await;
        let uploads = client(&server).await.list_multipart_uploads(&bucket(), "").await.unwrap();
        uploads.into_iter().map(|upload| upload.key).collect::<Vec<_>>()
    };
    let found = listed(["ctl\u{1}x", "v1.0+cu118/a%2Bb"], ["ctl%01x", "v1.0%2Bcu118/a%252Bb"]).await;
    assert_eq!(found, ["ctl\u{1}x", "v1.0+cu118/a%2Bb"]);
    // A page that is readable without encoding is taken as it is.
    let found = listed(["v1.0+cu118/a%2Bb", "k"], ["v1.0%2Bcu118/a%252Bb", "k"]).await;
    assert_eq!(found, ["v1.0+cu118/a%2Bb", "k"]);
}

/// moto names the root of a list of parts `ListPartsResponse`.
#[tokio::test]
async fn parts_that_cannot_be_listed_are_sent_again() {
    let b = Backend::embedded().await;
    let odd = "<ListPartsResponse><UploadId>u</UploadId></ListPartsResponse>";
    let play = move |asked: &crate::misbehaving::Asked| match asked.is("GET", "uploadId=") {
        true => Act::Answer(200, Vec::new(), odd.as_bytes().to_vec()),
        false => Act::Pass,
    };
    let server = Misbehaving::before(b.settings.endpoint.as_ref().unwrap().as_str(), play).await;
    let settings = b.settings.clone().endpoint(server.endpoint().parse().unwrap());
    let client = S3Client::connect(&settings).await.unwrap();
    let content = bytes(20 << 20, 1);
    let path = b.file("f", &content);
    client.begin_multipart_upload(b.bucket(), "k").await.unwrap();
    let options = UploadOptions::default().resume(true);
    client.upload_file(&path, b.bucket(), "k", &options, |_| {}).await.unwrap();
    assert!(b.get("k").await == content);
    assert_eq!(
        b.client().list_multipart_uploads(b.bucket(), "").await.unwrap(),
        [],
        "what was begun before is aborted"
    );
}

/// moto's checksums of parts are four bytes long.
#[tokio::test]
async fn a_checksum_of_another_length_is_none() {
    let head = |checksum: &'static str| {
        move |_: &_| Act::Answer(200, vec![("x-amz-checksum-crc64nvme", checksum.to_owned())], Vec::new())
    };
    for (checksum, known) in [("V4gkqw==", false), ("AAAAAAAAAAA=-3", false), ("AAAAAAAAAAA=", true)] {
        let server = Misbehaving::alone(head(checksum)).await;
        let found = client(&server).await.get_object_metadata(&bucket(), "k").await.unwrap();
        assert_eq!(found.crc64nvme.is_some(), known, "{checksum}");
    }
}

/// Ceph refuses to copy a part (411) if the request does not declare an empty body.
#[tokio::test]
async fn a_request_without_a_body_says_so() {
    let b = Backend::embedded().await;
    let play = |asked: &crate::misbehaving::Asked| match asked.method.as_str() {
        "PUT" | "POST" if !asked.headers.contains_key("content-length") => Act::refuse(411, "MissingContentLength"),
        _ => Act::Pass,
    };
    let server = Misbehaving::before(b.settings.endpoint.as_ref().unwrap().as_str(), play).await;
    let settings = b.settings.clone().endpoint(server.endpoint().parse().unwrap());
    let probed = modeldepot::ModelStorage::open(&settings).await.unwrap().probe().await.unwrap();
    assert_eq!(probed.capabilities, b.on.does);
    assert!(server.count("PUT", "UploadPartCopy") > 0, "a part was copied");
}

/// Some servers take no checksum of the whole with a copied part. Its ETag, an MD5, shows that the right bytes were copied.
#[tokio::test]
async fn a_copy_is_verified_by_its_md5_where_checksums_are_refused() {
    let working = Backend::embedded().await;
    let play = |asked: &crate::misbehaving::Asked| {
        let checksums = ["x-amz-checksum-algorithm", "x-amz-checksum-crc64nvme"];
        match checksums.iter().any(|name| asked.headers.contains_key(*name)) {
            true => Act::refuse(501, "NotImplemented"),
            false => Act::Pass,
        }
    };
    let server = Misbehaving::before(working.client().endpoint(), play).await;
    let settings = working.settings.clone().endpoint(server.endpoint().parse().unwrap());
    let b = Backend::with(settings, tempfile::tempdir().unwrap()).await;
    assert_eq!(b.storage.probe().await.unwrap().capabilities.part_copy, CopySupport::Hashed);
    let part = 8 << 20;
    let mut content = bytes(2 * part + 5, 1);
    let mut copied = Vec::new();
    for version in ["1", "2", "3"] {
        if version == "3" {
            let damaged = [&bytes(part, 2)[..], &content[part..]].concat();
            b.put("m/v1/m.bin", &damaged).await;
            b.put("m/v2/m.bin", &damaged).await;
        }
        *content.last_mut().unwrap() ^= 1;
        let push = push("m", Some(version), &b.file("m.bin", &content), &[]);
        copied.push(b.storage.push(push, &Progress::none()).await.unwrap().copied);
        b.storage.verify(&format!("m@{version}").parse().unwrap(), &Progress::none()).await.unwrap();
    }
    assert_eq!(copied, [0, 2 * part as u64, 0], "what is damaged is not copied");
}
