//! Multipart uploads: what is assembled, refused and left over.

use std::slice::from_ref;

use crate::client::{Answer, Client};
use crate::serve::{blocking, files, running};

const MIB: usize = 1 << 20;

fn begin(client: &Client, key: &str, headers: &[(&str, &str)]) -> String {
    let answer = client.send("POST", &format!("/models/{key}?uploads="), headers, b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.element("UploadId").unwrap()
}

fn part(client: &Client, key: &str, id: &str, number: u32, body: &[u8]) -> (u32, String) {
    let answer = client.put(&format!("/models/{key}?partNumber={number}&uploadId={id}"), body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    (number, answer.header("etag").unwrap().to_owned())
}

fn complete(client: &Client, key: &str, id: &str, parts: &[(u32, String)], headers: &[(&str, &str)]) -> Answer {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    client.send("POST", &format!("/models/{key}?uploadId={id}"), headers, body.as_bytes())
}

#[tokio::test]
async fn completing_moves_no_bytes() {
    let r = running().await;
    let client = r.client;
    let (first, last) = (vec![1; 5 * MIB], vec![2; 10]);
    let folder = r.folder.path().to_owned();
    let sent = (first.clone(), last.clone());
    let left = blocking(move || {
        let id = begin(&client, "k", &[]);
        // Numbers may have gaps, and parts may be sent again or left out.
        let one = part(&client, "k", &id, 3, b"replaced");
        assert_ne!(one, part(&client, "k", &id, 3, &sent.0));
        let one = part(&client, "k", &id, 3, &sent.0);
        part(&client, "k", &id, 5, b"left out");
        let two = part(&client, "k", &id, 9000, &sent.1);
        let before: Vec<_> = std::fs::read_dir(folder.join("blobs")).unwrap().collect();
        assert_eq!((before.len(), files(&folder)), (256, 3));

        let other = begin(&client, "other", &[]);
        assert_eq!(complete(&client, "other", &id, from_ref(&one), &[]).code(), "NoSuchUpload", "bound to its key");
        assert_eq!(complete(&client, "k", &other, from_ref(&one), &[]).code(), "NoSuchUpload");
        assert_eq!(complete(&client, "k", &id, &[], &[]).status, 400);
        let swapped = [two.clone(), one.clone()];
        assert_eq!(complete(&client, "k", &id, &swapped, &[]).code(), "InvalidPartOrder");
        let wrong = [(3, two.1.clone())];
        assert_eq!(complete(&client, "k", &id, &wrong, &[]).code(), "InvalidPart");
        assert_eq!(complete(&client, "k", &id, &[(4, one.1.clone())], &[]).code(), "InvalidPart");
        let parts = [one, two];
        let size = [("x-amz-mp-object-size", "7")];
        assert_eq!(complete(&client, "k", &id, &parts, &size).code(), "InvalidRequest");
        let crc = [("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")];
        assert_eq!(complete(&client, "k", &id, &parts, &crc).code(), "BadDigest");
        assert_eq!(client.get("/models/k").status, 404);

        let size = [("x-amz-mp-object-size", "5242890"), ("if-none-match", "*")];
        let done = complete(&client, "k", &id, &parts, &size);
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.element("ETag").unwrap().contains("-2"), "{}", done.text());
        assert!(done.element("ChecksumCRC64NVME").is_some(), "{}", done.text());
        assert_eq!(complete(&client, "k", &id, &parts, &[]).code(), "NoSuchUpload");
        assert_eq!(client.get("/models/k").body, [sent.0, sent.1].concat());
        let across = client.send("GET", "/models/k", &[("range", "bytes=5242879-5242881")], b"");
        assert_eq!(across.body, [1, 2, 2]);
        let second = client.get("/models/k?partNumber=9000");
        assert_eq!(
            (second.status, second.body, second.head.contains("x-amz-mp-parts-count: 2")),
            (206, vec![2; 10], true)
        );
        assert_eq!(client.send("DELETE", &format!("/models/other?uploadId={other}"), &[], b"").status, 204);
        files(&folder)
    })
    .await;
    assert_eq!(left, 2, "the part that was left out is gone");
    let stored = r.server.stored_files("models", "k").unwrap();
    let bytes: Vec<_> = stored.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(bytes, [first, last]);
}

#[tokio::test]
async fn small_parts_aborts_and_conditions() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        let id = begin(&client, "k", &[]);
        let parts = [part(&client, "k", &id, 1, b"small"), part(&client, "k", &id, 2, b"last")];
        assert_eq!(complete(&client, "k", &id, &parts, &[]).code(), "EntityTooSmall");
        assert_eq!(complete(&client, "k", &id, &parts[..1], &[("if-match", "\"x\"")]).code(), "NoSuchKey");
        client.put("/models/k", b"there first");
        assert_eq!(complete(&client, "k", &id, &parts[..1], &[("if-none-match", "*")]).code(), "PreconditionFailed");
        assert_eq!(client.get("/models/k").body, b"there first");
        assert_eq!(files(&folder), 3, "a refused completion loses nothing");
        assert_eq!(client.send("DELETE", &format!("/models/k?uploadId={id}"), &[], b"").status, 204);
        assert_eq!(client.send("DELETE", &format!("/models/k?uploadId={id}"), &[], b"").code(), "NoSuchUpload");
        assert_eq!(files(&folder), 1);
        assert_eq!(complete(&client, "k", &id, &parts[..1], &[]).code(), "NoSuchUpload");

        let id = begin(&client, "k", &[]);
        let parts = [part(&client, "k", &id, 1, b"")];
        assert_eq!(complete(&client, "k", &id, &parts, &[]).status, 200);
        assert_eq!((client.get("/models/k").body.len(), files(&folder)), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn copies_share_bytes_and_outlive_each_other() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        client.send("PUT", "/models/a", &[("x-amz-meta-m", "1"), ("content-type", "text/plain")], b"bytes");
        let source = ("x-amz-copy-source", "/models/a");
        assert_eq!(client.send("PUT", "/models/b", &[source], b"").status, 200);
        assert_eq!(files(&folder), 1);
        let itself = client.send("PUT", "/models/a", &[source], b"");
        assert_eq!(itself.code(), "InvalidRequest");
        let replace = [source, ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-m", "2")];
        assert_eq!(client.send("PUT", "/models/a", &replace, b"").status, 200);
        let a = client.get("/models/a");
        assert_eq!((a.header("x-amz-meta-m"), a.header("content-type")), (Some("2"), Some("binary/octet-stream")));
        assert_eq!(client.send("DELETE", "/models/a", &[], b"").status, 204);
        let b = client.get("/models/b");
        assert_eq!((b.body, files(&folder)), (b"bytes".to_vec(), 1));
        assert!(b.head.contains("x-amz-meta-m: 1") && b.head.contains("content-type: text/plain"), "{}", b.head);
        assert_eq!(client.send("DELETE", "/models/b", &[], b"").status, 204);
        assert_eq!(files(&folder), 0);
    })
    .await;
}

#[tokio::test]
async fn a_bucket_is_deleted_only_when_empty_and_takes_unfinished_uploads_along() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        client.put("/models/k", b"x");
        let id = begin(&client, "k", &[]);
        part(&client, "k", &id, 1, b"part");
        assert_eq!(client.send("DELETE", "/models", &[], b"").code(), "BucketNotEmpty");
        assert_eq!(client.send("DELETE", "/models/k", &[], b"").status, 204);
        assert_eq!(client.send("DELETE", "/models", &[], b"").status, 204);
        assert_eq!(client.send("DELETE", "/models", &[], b"").code(), "NoSuchBucket");
        assert_eq!(files(&folder), 0);
        assert_eq!(client.put("/models", b"").status, 200);
        assert_eq!(client.put("/models", b"").status, 200, "creating one's own bucket again is no error");
        assert_eq!(client.get(&format!("/models/k?uploadId={id}")).code(), "NoSuchUpload");
    })
    .await;
}
