//! Uploads when the server answers wrongly: the object is what the file is, or there is an error and no part remains.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use modeldepot::s3::UploadOptions;
use modeldepot::{BucketName, Error, ErrorKind, S3Client};

use crate::backend::{Backend, bytes};
use crate::misbehaving::{Act, Asked, Misbehaving};

const PART: usize = 8 << 20;

/// A file that goes in one request, and one of two parts.
const SIZES: [usize; 2] = [9, PART + 5];

/// A working server, one in front of it that misbehaves, and a client of the latter.
async fn behind(
    answer: Duration,
    play: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> (Backend, Misbehaving, S3Client) {
    let b = Backend::embedded().await;
    let server = Misbehaving::before(b.client().endpoint(), play).await;
    let client = S3Client::connect(&server.settings(answer)).await.unwrap();
    (b, server, client)
}

/// Refuses the first requests of a kind.
fn first(times: usize, which: fn(&Asked) -> bool, act: Act) -> impl Fn(&Asked) -> Act + Send + Sync {
    let refused = AtomicUsize::new(0);
    move |asked| match which(asked) && refused.fetch_add(1, Ordering::Relaxed) < times {
        true => act.clone(),
        false => Act::Pass,
    }
}

const PATIENT: Duration = Duration::from_secs(20);

async fn upload(b: &Backend, client: &S3Client, content: &[u8], options: &UploadOptions) -> Result<(), Error> {
    let path = b.file("f", content);
    client.upload_file(&path, b.bucket(), "k", options, |_| {}).await.map(|_| ())
}

async fn unfinished(b: &Backend) -> usize {
    b.client().list_multipart_uploads(b.bucket(), "").await.unwrap().len()
}

async fn exists(b: &Backend) -> bool {
    b.client().object_exists(b.bucket(), "k").await.unwrap()
}

/// The request that stores a small file, or the last part of a larger one.
fn stores(asked: &Asked) -> bool {
    asked.is("PUT", "PutObject") || asked.is("PUT", "partNumber=2")
}

fn completes(asked: &Asked) -> bool {
    asked.is("POST", "uploadId=")
}

/// The request that makes the object.
fn creates(asked: &Asked) -> bool {
    asked.is("PUT", "PutObject") || completes(asked)
}

fn sent(server: &Misbehaving, which: fn(&Asked) -> bool) -> usize {
    server.all().iter().filter(|asked| which(asked)).count()
}

#[tokio::test]
async fn bytes_that_arrive_damaged_are_sent_three_times_at_most() {
    for size in SIZES {
        let content = bytes(size, 1);
        for (times, stored) in [(2, true), (3, false)] {
            let (b, server, client) = behind(PATIENT, first(times, stores, Act::refuse(400, "BadDigest"))).await;
            let result = upload(&b, &client, &content, &UploadOptions::default()).await;
            assert_eq!(sent(&server, stores), 3, "{size}");
            assert_eq!(result.map_err(|error| error.kind()), if stored { Ok(()) } else { Err(ErrorKind::Unavailable) });
            assert_eq!((exists(&b).await, unfinished(&b).await), (stored, 0), "{size}");
            assert!(!stored || b.get("k").await == content);
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again() {
    for size in SIZES {
        let (b, server, client) = behind(PATIENT, first(9, stores, Act::refuse(403, "AccessDenied"))).await;
        let error = upload(&b, &client, &bytes(size, 1), &UploadOptions::default()).await.unwrap_err();
        assert_eq!((error.kind(), sent(&server, stores)), (ErrorKind::Denied, 1));
        assert_eq!((exists(&b).await, unfinished(&b).await), (false, 0));
    }
}

/// Wherever a server first refuses CRC64NVME, everything goes again, and each request has one checksum.
#[tokio::test]
async fn a_server_that_refuses_crc64nvme_gets_md5() {
    let refuses: [fn(&Asked) -> bool; 3] = [
        |asked| asked.headers.contains_key("x-amz-checksum-algorithm"),
        |asked| stores(asked) && asked.headers.contains_key("x-amz-checksum-crc64nvme"),
        |asked| completes(asked) && asked.headers.contains_key("x-amz-checksum-crc64nvme"),
    ];
    for refused in refuses {
        for size in SIZES {
            let (b, server, client) = behind(PATIENT, first(99, refused, Act::refuse(501, "NotImplemented"))).await;
            let content = bytes(size, 1);
            upload(&b, &client, &content, &UploadOptions::default()).await.unwrap();
            assert!(b.get("k").await == content);
            assert_eq!(unfinished(&b).await, 0);
            assert!(sent(&server, refused) <= 1, "it is not tried again");
            let sums = |asked: &Asked| {
                ["x-amz-checksum-crc64nvme", "content-md5"].map(|name| asked.headers.contains_key(name))
            };
            for asked in server.asked("PUT", "/k") {
                let [crc64, md5] = sums(&asked);
                assert!(crc64 != md5, "{asked:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_gone_when_it_is_completed_is_looked_for() {
    let content = bytes(PART + 5, 1);
    let gone = || Act::refuse(404, "NoSuchUpload");
    let (b, server, client) = behind(PATIENT, first(9, completes, Act::Instead(Box::new(gone())))).await;
    upload(&b, &client, &content, &UploadOptions::default()).await.unwrap();
    assert!(b.get("k").await == content, "the first answer was lost");
    assert_eq!(sent(&server, completes), 1);
    let (b, server, client) = behind(PATIENT, first(9, completes, gone())).await;
    let error = upload(&b, &client, &content, &UploadOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), sent(&server, completes)), (ErrorKind::Unavailable, 1), "somebody aborted it");
    assert_eq!((exists(&b).await, unfinished(&b).await), (false, 0));
}

#[tokio::test]
async fn a_completion_that_fails_for_now_is_repeated() {
    let (b, server, client) = behind(PATIENT, first(2, completes, Act::refuse(503, "SlowDown"))).await;
    let content = bytes(PART + 5, 1);
    upload(&b, &client, &content, &UploadOptions::default()).await.unwrap();
    assert!(b.get("k").await == content);
    assert_eq!(sent(&server, completes), 3);
}

#[tokio::test]
async fn what_is_in_the_way_of_a_create_is_compared() {
    let create = UploadOptions::default().if_absent(true);
    for size in SIZES {
        let (b, _server, client) = behind(PATIENT, |_| Act::Pass).await;
        let content = bytes(size, 1);
        for _ in 0..2 {
            upload(&b, &client, &content, &create).await.unwrap();
        }
        let error = upload(&b, &client, &bytes(size, 2), &create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        assert!(b.get("k").await == content);
        assert_eq!(unfinished(&b).await, 0);
    }
}

/// The same object is there, but that is not why the write failed.
#[tokio::test]
async fn a_write_that_is_refused_for_another_reason_is_no_success() {
    for (if_absent, act) in [(true, Act::refuse(403, "AccessDenied")), (false, Act::refuse(412, "PreconditionFailed"))]
    {
        for size in SIZES {
            let (b, server, client) = behind(PATIENT, first(9, creates, act.clone())).await;
            let content = bytes(size, 1);
            b.put("k", &content).await;
            let options = UploadOptions::default().if_absent(if_absent);
            upload(&b, &client, &content, &options).await.unwrap_err();
            assert_eq!((sent(&server, creates), unfinished(&b).await), (1, 0));
        }
    }
}

/// Parts that nobody will resume cost storage and are seen by nobody.
#[tokio::test]
async fn a_refused_upload_leaves_no_parts_even_if_it_was_to_be_resumed() {
    for which in [stores as fn(&Asked) -> bool, completes] {
        let (b, _server, client) = behind(PATIENT, first(9, which, Act::refuse(403, "AccessDenied"))).await;
        let options = UploadOptions::default().resume(true).keep_parts(true);
        upload(&b, &client, &bytes(PART + 5, 1), &options).await.unwrap_err();
        assert_eq!((unfinished(&b).await, exists(&b).await), (0, false));
    }
}

/// `rclone serve s3` has passed a part on when it answers, and takes no other in its place.
#[tokio::test]
async fn an_interrupted_upload_that_cannot_be_resumed_is_begun_anew() {
    let content = bytes(PART + 5, 1);
    for interrupted in [true, false] {
        let (b, server, client) = behind(PATIENT, first(1, stores, Act::refuse(400, "InvalidPart"))).await;
        if interrupted {
            b.client().begin_multipart_upload(b.bucket(), "k").await.unwrap();
        }
        let result = upload(&b, &client, &content, &UploadOptions::default().resume(true)).await;
        assert_eq!(result.is_ok(), interrupted, "{result:?}");
        assert_eq!((exists(&b).await, unfinished(&b).await), (interrupted, 0));
        assert_eq!(sent(&server, stores), if interrupted { 2 } else { 1 });
    }
}

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

fn xml(root: &str, content: String) -> Act {
    Act::Answer(200, Vec::new(), format!("<{root}>{content}</{root}>").into_bytes())
}

/// A server with two unfinished uploads of `k` and one of another key, of which the newer of `k` has two of three parts.
/// Each listing has two pages, or repeats its first.
async fn listing(content: &[u8], [uploads_end, parts_end]: [bool; 2]) -> Misbehaving {
    let part = |number: usize| {
        let part = &content[(number - 1) * PART..][..PART];
        let md5 = hex::encode(fast_md5::digest(part));
        format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{md5}\"</ETag><Size>{PART}</Size></Part>")
    };
    let begun = |key: &str, id: &str, year: u16| {
        let begun = format!("{year}-01-01T00:00:00.000Z");
        format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{begun}</Initiated></Upload>")
    };
    let parts = [
        part(1) + "<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>",
        part(2) + "<IsTruncated>false</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>",
    ];
    let more = "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>";
    let uploads = [
        begun("k", "new", 2021) + more + "<NextUploadIdMarker>new</NextUploadIdMarker>",
        begun("k", "old", 2020) + &begun("kk", "other", 2022) + "<IsTruncated>false</IsTruncated>",
    ];
    Misbehaving::alone(move |asked| {
        let next = |marker: &str, ends: bool| usize::from(ends && asked.path.contains(marker));
        match asked.method.as_str() {
            "GET" if asked.path.contains("uploadId=new") => {
                xml("ListPartsResult", parts[next("part-number-marker=1", parts_end)].clone())
            }
            "GET" if asked.path.contains("uploads") => {
                xml("ListMultipartUploadsResult", uploads[next("upload-id-marker=new", uploads_end)].clone())
            }
            "DELETE" => Act::Answer(204, Vec::new(), Vec::new()),
            "PUT" => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], Vec::new()),
            "HEAD" => Act::Lengthless(vec![("etag", "\"e-3\"".to_owned()), ("content-length", "5".to_owned())]),
            "POST" => xml("CompleteMultipartUploadResult", "<ETag>\"e-3\"</ETag>".to_owned()),
            _ => Act::refuse(403, "AccessDenied"),
        }
    })
    .await
}

#[tokio::test]
async fn an_upload_is_resumed_whose_listings_have_several_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (path, content) = (folder.path().join("f"), bytes(2 * PART + 5, 1));
    std::fs::write(&path, &content).unwrap();
    let server = listing(&content, [true, true]).await;
    let client = S3Client::connect(&server.settings(PATIENT)).await.unwrap();
    let options = UploadOptions::default().resume(true);
    client.upload_file(&path, &bucket(), "k", &options, |_| {}).await.unwrap();
    assert_eq!((server.count("PUT", "/"), server.count("PUT", "partNumber=3")), (1, 1), "two parts were there");
    assert_eq!((server.count("DELETE", ""), server.count("DELETE", "uploadId=old")), (1, 1), "nobody finishes it");
    assert_eq!(server.count("POST", "uploadId=new"), 1);
    for ends in [[false, true], [true, false]] {
        let server = listing(&content, ends).await;
        let client = S3Client::connect(&server.settings(PATIENT)).await.unwrap();
        let error = client.upload_file(&path, &bucket(), "k", &options, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(server.count("GET", "") <= 6, "it is not asked forever");
    }
}

/// What the server says of an object is enough where it says it; else its bytes are read.
#[tokio::test]
async fn an_object_in_the_way_is_known_by_its_checksum_or_read() {
    let (content, crc64, md5) = (b"123456789", "rosUhgp5mIg=", "25f9e794323b453885f5181f1b624d0b");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, content).unwrap();
    for (size, crc64, etag, served, same, reads) in [
        (9, Some(crc64), "e", content, true, 0),
        (9, Some("AAAAAAAAAAA="), md5, content, false, 0),
        (10, Some(crc64), md5, content, false, 0),
        (9, None, md5, content, true, 0),
        (9, None, "e", content, true, 1),
        (9, None, "e", b"123456780", false, 1),
    ] {
        let server = Misbehaving::alone(move |asked| {
            let mut headers = vec![("etag", format!("\"{etag}\""))];
            match asked.method.as_str() {
                "PUT" => return Act::refuse(412, "PreconditionFailed"),
                "HEAD" => headers.push(("content-length", size.to_string())),
                _ => {
                    headers.push(("content-range", format!("bytes 0-8/{size}")));
                    return Act::Answer(206, headers, served.to_vec());
                }
            }
            headers.extend(crc64.map(|crc64| ("x-amz-checksum-crc64nvme", crc64.to_owned())));
            Act::Lengthless(headers)
        })
        .await;
        let client = S3Client::connect(&server.settings(PATIENT)).await.unwrap();
        let options = UploadOptions::default().if_absent(true);
        let result = client.upload_file(&path, &bucket(), "k", &options, |_| {}).await;
        assert_eq!(
            result.map(|_| ()).map_err(|error| error.kind()),
            if same { Ok(()) } else { Err(ErrorKind::Conflict) }
        );
        assert_eq!(server.ranges().len(), reads, "{size} {crc64:?} {etag}");
        assert_eq!(server.count("PUT", "/"), 1);
    }
}

/// A writer that lost as well: nothing is there, so the next attempt may win.
#[tokio::test]
async fn a_create_that_conflicts_with_nothing_is_tried_again() {
    let (b, server, client) = behind(PATIENT, first(1, creates, Act::refuse(409, "ConditionalRequestConflict"))).await;
    upload(&b, &client, b"123456789", &UploadOptions::default().if_absent(true)).await.unwrap();
    assert_eq!(b.get("k").await, b"123456789");
    assert_eq!(sent(&server, creates), 2);
}
