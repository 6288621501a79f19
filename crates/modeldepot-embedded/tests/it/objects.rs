//! Objects are complete or absent, and a read returns one version.

use std::io::{Read, Write};

use crate::client::{Answer, Client, read};
use crate::serve::{Process, blocking, files, running, settle_at};

#[tokio::test]
async fn keys_are_names_and_never_paths() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        let long = format!("/models/{}", "k".repeat(1024));
        let keys =
            ["/models/a", "/models/a/b", "/models/a/b/", "/models/../../escaped", "/models/..", "/models/%7F", &long];
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(client.put(key, &[n as u8]).status, 200, "{key}");
        }
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(client.get(key).body, [n as u8], "{key}");
        }
        assert_eq!(client.put(&format!("{long}k"), b"").code(), "KeyTooLongError");
        assert!(!folder.join("escaped").exists() && !folder.parent().unwrap().join("escaped").exists());
        assert_eq!(files(&folder), keys.len());

        assert_eq!(client.put("/models/empty", b"").status, 200);
        let empty = client.get("/models/empty");
        assert_eq!((empty.status, empty.header("content-length"), empty.body.len()), (200, Some("0"), 0));
        assert_eq!(files(&folder), keys.len(), "no file for no bytes");

        assert_eq!(client.put("/nowhere/k", b"x").code(), "NoSuchBucket");
        assert_eq!(client.get("/nowhere/k").code(), "NoSuchBucket");
        assert_eq!(client.get("/models/none").code(), "NoSuchKey");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_fails_leaves_the_old_object() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        assert_eq!(client.put("/models/k", b"old").status, 200);
        let old = files(&folder);
        for (name, value) in [
            ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-checksum-crc32c", "AAAAAA=="),
            ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
            ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ] {
            let answer = client.send("PUT", "/models/k", &[(name, value)], b"new");
            assert_eq!((answer.status, answer.code()), (400, "BadDigest".into()), "{name}");
        }
        let answer = client.send("PUT", "/models/k", &[("x-amz-checksum-crc32", "AAAA")], b"new");
        assert_eq!(answer.code(), "InvalidRequest");

        // The client disconnects in the middle of the body.
        let mut stream = client.connect().unwrap();
        stream.write_all(client.head("PUT", "/models/k", &[], 3_000_000).as_bytes()).unwrap();
        stream.write_all(&vec![7; 2_500_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = read(stream);
        assert!(answer.as_ref().map_or(true, |answer| answer.status == 400), "{answer:?}");

        assert_eq!(client.get("/models/k").body, b"old");
        settle_at(old, &folder);
    })
    .await;
}

/// Puts `hello world` in two chunks, followed by a trailer.
fn put_with_trailer(client: &Client, announced: &str, trailer: &str, end: &str) -> Answer {
    let body = format!("6\r\nhello \r\n5\r\nworld\r\n{end}{trailer}\r\n");
    let headers = [
        ("content-encoding", "aws-chunked,zstd"),
        ("x-amz-decoded-content-length", "11"),
        ("x-amz-trailer", announced),
    ];
    let head = client.head_of("PUT", "/models/k", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &headers, body.len());
    let mut stream = client.connect().unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    read(stream).unwrap()
}

#[tokio::test]
async fn checksums_in_trailers_decide() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        client.put("/models/k", b"old");
        let sums = [
            ("x-amz-checksum-crc32", "DUoRhQ=="),
            ("x-amz-checksum-crc32c", "yZRlqg=="),
            ("x-amz-checksum-crc64nvme", "jSnVw/bqjr4="),
            ("x-amz-checksum-sha1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
            ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
        ];
        for (name, sum) in sums {
            let wrong = format!("{}{}", if sum.starts_with('A') { "B" } else { "A" }, &sum[1..]);
            for (trailer, end, code) in [
                (format!("{name}:{wrong}\r\n"), "0\r\n", "BadDigest"),
                (format!("{name}:AAAA\r\n"), "0\r\n", "InvalidRequest"),
                ("x-amz-checksum-other:AAAA\r\n".to_owned(), "0\r\n", "MalformedTrailerError"),
                (String::new(), "0\r\n", "MalformedTrailerError"),
                (String::new(), "", "InvalidRequest"),
                (format!("{name}:{sum}\r\n"), "1\r\n!\r\n0\r\n", "IncompleteBody"),
                (format!("{name}:{sum}\r\n"), "zz\r\n", "InvalidRequest"),
            ] {
                let answer = put_with_trailer(&client, name, &trailer, end);
                assert_eq!((answer.status, answer.code().as_str()), (400, code), "{name} {trailer:?} {end:?}");
                assert_eq!(client.get("/models/k").body, b"old", "{name} {trailer:?}");
            }
            let answer = put_with_trailer(&client, name, &format!("{name}:{sum}\r\n"), "0\r\n");
            assert_eq!((answer.status, answer.header(name)), (200, Some(sum)), "{}", answer.text());
            let stored = client.send("GET", "/models/k", &[("x-amz-checksum-mode", "ENABLED")], b"");
            assert_eq!((stored.text().as_str(), stored.header(name)), ("hello world", Some(sum)));
            assert_eq!(stored.header("content-encoding"), Some("zstd"), "how it travelled is not what it is");
            assert_eq!(client.put("/models/k", b"old").status, 200);
        }
        settle_at(1, &folder);
    })
    .await;
}

#[tokio::test]
async fn a_read_ends_with_the_bytes_it_began_with() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        let old: Vec<u8> = (0..40_000_000u32).map(|n| (n / 7) as u8).collect();
        for change in ["PUT", "DELETE"] {
            assert_eq!(client.put("/models/k", &old).status, 200);
            let mut stream = client.connect().unwrap();
            stream.write_all(client.head("GET", "/models/k", &[], 0).as_bytes()).unwrap();
            let mut first = [0; 1];
            stream.read_exact(&mut first).unwrap();
            assert!(client.send(change, "/models/k", &[], b"new").status < 300);
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest.ends_with(&old), "after {change}");
        }
        settle_at(0, &folder);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_among_writers_see_whole_objects() {
    let r = running().await;
    let address = r.server.local_addr();
    let folder = r.folder.path().to_owned();
    blocking(move || {
        let content = |n: u32| n.to_le_bytes().repeat(50_000 + n as usize % 7 * 100_000);
        assert_eq!(Client::new(address).put("/models/k", &content(0)).status, 200);
        let writers = (1..=4).map(|writer| {
            std::thread::spawn(move || {
                for n in 0..15 {
                    assert_eq!(Client::new(address).put("/models/k", &content(writer * 1000 + n)).status, 200);
                }
            })
        });
        let readers = (0..4).map(|_| {
            std::thread::spawn(move || {
                for _ in 0..40 {
                    let body = Client::new(address).get("/models/k").body;
                    let n = u32::from_le_bytes(body[..4].try_into().unwrap());
                    assert!(body == content(n), "a mixture that begins as {n}");
                }
            })
        });
        let threads: Vec<_> = writers.chain(readers).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        settle_at(1, &folder);
    })
    .await;
}

#[tokio::test]
async fn damaged_files_are_errors_and_never_answers() {
    let r = running().await;
    let client = r.client;
    let client = blocking(move || {
        assert_eq!(client.put("/models/k", &vec![7; 3_000_000]).status, 200);
        client
    })
    .await;
    let file = r.server.stored_files("models", "k").unwrap().remove(0);
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(2_999_999).unwrap();
    let client = blocking(move || {
        assert_eq!((client.get("/models/k").status, client.get("/models/k").code()), (500, "InternalError".into()));
        client
    })
    .await;
    std::fs::remove_file(&file).unwrap();
    blocking(move || {
        let answer = client.get("/models/k");
        assert_eq!(answer.status, 500);
        assert!(!answer.text().contains("blobs"), "no paths to clients: {}", answer.text());
        assert_eq!(client.put("/models/k", b"healed").status, 200);
        assert_eq!(client.get("/models/k").body, b"healed");
    })
    .await;
}

/// The client sends a large body as a single chunk: memory stays bounded in any case.
#[test]
fn one_chunk_of_any_size_takes_no_memory() {
    const LEN: usize = 600_000_000;
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path());
    let client = server.client();
    let len = LEN.to_string();
    let head = format!("{LEN:x}\r\n");
    let tail = "\r\n0\r\n\r\n";
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", len.as_str()),
        ("x-amz-trailer", "x-amz-none"),
    ];
    let total = head.len() + LEN + tail.len();
    let mut stream = client.connect().unwrap();
    let request = client.head_of("PUT", "/models/k", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &headers, total);
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..LEN / 1_000_000 {
        stream.write_all(&[7; 1_000_000]).unwrap();
    }
    stream.write_all(tail.as_bytes()).unwrap();
    let answer = read(stream).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stored = client.send("HEAD", "/models/k", &[], b"");
    assert_eq!(stored.header("content-length"), Some(len.as_str()));
    if let Some(peak) = server.peak_memory() {
        assert!(peak < 200 << 20, "the server held {} MiB", peak >> 20);
    }
}

#[tokio::test]
async fn ranges() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"0123456789");
        client.put("/models/empty", b"");
        let get = |key: &str, range: &str| {
            let answer = client.send("GET", key, &[("range", range)], b"");
            (answer.status, answer.header("content-range").unwrap_or_default().to_owned(), answer.text())
        };
        let part = |range: &str, text: &str| (206, format!("bytes {range}/10"), text.to_owned());
        assert_eq!(get("/models/k", "bytes=2-4"), part("2-4", "234"));
        assert_eq!(get("/models/k", "bytes=7-99"), part("7-9", "789"));
        assert_eq!(get("/models/k", "bytes=9-"), part("9-9", "9"));
        assert_eq!(get("/models/k", "bytes=-3"), part("7-9", "789"));
        assert_eq!(get("/models/k", "bytes=-99"), part("0-9", "0123456789"));
        for (key, range) in [
            ("/models/k", "bytes=10-"),
            ("/models/k", "bytes=-0"),
            ("/models/empty", "bytes=0-0"),
            ("/models/empty", "bytes=-5"),
        ] {
            let answer = client.send("GET", key, &[("range", range)], b"");
            assert_eq!((answer.status, answer.code()), (416, "InvalidRange".into()), "{key} {range}");
        }
        let head = client.send("HEAD", "/models/k", &[("range", "bytes=2-4")], b"");
        assert_eq!((head.status, head.header("content-length")), (206, Some("3")));
    })
    .await;
}

/// A client that resumes a download of another object than it began must get all of this one.
#[tokio::test]
async fn a_range_of_another_object_is_answered_with_the_whole() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        assert_eq!(client.put("/models/o", b"0123456789").status, 200);
        let head = client.send("HEAD", "/models/o", &[], b"");
        let (etag, date) = (head.header("etag").unwrap(), head.header("last-modified").unwrap());
        let weak = format!("W/{etag}");
        for (given, is_part) in [
            (etag, true),
            (date, true),
            ("\"00000000000000000000000000000000\"", false),
            (&*weak, false),
            ("Tue, 01 Jan 2019 00:00:00 GMT", false),
            ("Fri, 01 Jan 2038 00:00:00 GMT", false),
            ("*", false),
            ("nonsense", false),
        ] {
            let headers = [("if-range", given), ("range", "bytes=5-")];
            let got = client.send("GET", "/models/o", &headers, b"");
            let expected = if is_part { (206, "56789") } else { (200, "0123456789") };
            assert_eq!((got.status, &*got.text()), expected, "{given}");
            assert_eq!(got.header("content-range").is_some(), is_part, "{given}");
            let head = client.send("HEAD", "/models/o", &headers, b"");
            assert_eq!(
                (head.status, head.header("content-length").unwrap()),
                (got.status, if is_part { "5" } else { "10" })
            );
        }
        // A range beyond the end of another object is not an error either.
        let headers = [("if-range", "\"other\""), ("range", "bytes=99-")];
        assert_eq!(client.send("GET", "/models/o", &headers, b"").status, 200);
    })
    .await;
}
