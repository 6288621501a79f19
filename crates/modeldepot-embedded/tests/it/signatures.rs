//! Requests with a valid signature that does not cover everything they ask for.

use std::io::Write;

use s3s::crypto::{Checksum as _, Sha256};

use crate::client::{Answer, Client, read};
use crate::serve::{blocking, running};

const NOT_SIGNED: &str = "There were headers present in the request which were not signed";

/// Sends a target with these headers only.
pub(crate) fn ask(client: &Client, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
        client.address,
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    client.raw(&(head + "\r\n"), body)
}

#[tokio::test]
async fn a_link_to_upload_copies_nothing() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        assert_eq!(client.send("PUT", "/secret", &[], b"").status, 200);
        client.put("/secret/k", b"not yours");
        let put = client.link("PUT", "/models/up", "", "600", &[]);
        let begun = client.send("POST", "/models/parts?uploads=", &[], b"");
        let id = begun.element("UploadId").unwrap();
        let part = client.link("PUT", "/models/parts", &format!("partNumber=1&uploadId={id}"), "600", &[]);
        for target in [&put, &part] {
            for header in [
                ("x-amz-copy-source", "/secret/k"),
                ("X-Amz-Copy-Source", "secret/k"),
                ("x-amz-copy-source-range", "bytes=0-1"),
                ("x-amz-meta-a", "b"),
                ("x-amz-tagging", "a=b"),
                ("x-amz-acl", "public-read"),
                ("x-amz-website-redirect-location", "/elsewhere"),
                ("x-amz-storage-class", "GLACIER"),
                ("x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-date", "20261126T000000Z"),
                ("x-amz-invented-tomorrow", "1"),
            ] {
                let answer = ask(&client, "PUT", target, &[header], b"");
                assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{header:?}");
                assert!(answer.text().contains(NOT_SIGNED), "{}", answer.text());
            }
        }
        assert_eq!(client.get("/models/up").status, 404);
        // The link works for its purpose, even with a digest of the body.
        let digest = hex::encode(Sha256::checksum(b"mine"));
        assert_eq!(ask(&client, "PUT", &put, &[("x-amz-content-sha256", &digest)], b"mine").status, 200);
        assert_eq!(ask(&client, "PUT", &put, &[("x-amz-content-sha256", &digest)], b"other").status, 400);
        assert_eq!(ask(&client, "PUT", &put, &[("content-type", "text/x")], b"mine").status, 200);
        assert_eq!(client.get("/models/up").body, b"mine");
        // A link that signs the header may send it.
        let headers = [("x-amz-meta-a", "b")];
        let link = client.link("PUT", "/models/meta", "", "600", &headers);
        assert_eq!(ask(&client, "PUT", &link, &headers, b"x").status, 200);
        assert_eq!(client.get("/models/meta").header("x-amz-meta-a"), Some("b"));
        assert_eq!(ask(&client, "PUT", &link, &[("x-amz-meta-a", "c")], b"x").status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_signed_request_takes_no_header_more() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/from", b"x");
        for (method, header) in [
            ("PUT", "x-amz-copy-source: /models/from"),
            ("PUT", "x-amz-meta-a: b"),
            ("GET", "x-amz-checksum-mode: ENABLED"),
            ("DELETE", "x-amz-bypass-governance-retention: true"),
        ] {
            let (head, _) = client.signed_head(method, "/models/from", "UNSIGNED-PAYLOAD", &[], "s3");
            let answer = client.raw(&format!("{head}content-length: 0\r\n{header}\r\n\r\n"), b"");
            assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{header}");
            assert!(answer.text().contains(NOT_SIGNED), "{}", answer.text());
            // Another spelling of the name is not covered by the signature.
            let head = head.replace("SignedHeaders=host;", "SignedHeaders=X-Amz-Meta-A;host;");
            let answer = client.raw(&format!("{head}content-length: 0\r\nx-amz-meta-a: b\r\n\r\n"), b"");
            assert_eq!(answer.status, 403, "{}", answer.text());
        }
        // Without the host, a signature would be valid on any server.
        let (head, _) = client.signed_head("GET", "/models/from", "UNSIGNED-PAYLOAD", &[], "s3");
        let answer = client.raw(&format!("{}\r\n", head.replace("SignedHeaders=host;", "SignedHeaders=")), b"");
        assert_eq!(answer.status, 403);
        assert_eq!(client.get("/models/from").body, b"x");
    })
    .await;
}

#[tokio::test]
async fn a_signature_without_the_host_is_refused() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        let answer = client.raw(&client.head_without_host("/models/k"), b"");
        assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{}", answer.text());
        assert!(answer.text().contains(&format!("{NOT_SIGNED}: host")), "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn one_signature_in_one_place() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        let link = client.link("GET", "/models/k", "", "600", &[]);
        assert_eq!(ask(&client, "GET", &link, &[], b"").status, 200);
        let (head, _) = client.signed_head("GET", "/models/k", "UNSIGNED-PAYLOAD", &[], "s3");
        let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap().to_owned();
        let answer = ask(&client, "GET", &link, &[("authorization", &authorization)], b"");
        assert_eq!((answer.status, answer.code()), (400, "InvalidArgument".into()));
        let answer = ask(&client, "GET", &link, &[("authorization", "Bearer x")], b"");
        assert_eq!((answer.status, answer.code()), (400, "InvalidArgument".into()));
        let (other, _) = client.signed_head("GET", "/models/k", "UNSIGNED-PAYLOAD", &[], "sts");
        assert_eq!(client.raw(&format!("{other}\r\n"), b"").status, 400, "a signature for another service");
    })
    .await;
}

#[tokio::test]
async fn what_no_signature_can_be_right_for_waits_for_no_body() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        for key in ["modeldepot-console", "minioadmin", "unknown"] {
            let other = client.signing_with(key, "no secret");
            let (head, _) = other.signed_head("POST", "/", "UNSIGNED-PAYLOAD", &[], "sts");
            // This length is announced, but nothing is sent.
            let answer = client.raw(&format!("{head}content-length: 8000\r\n\r\n"), b"");
            assert_eq!((answer.status, answer.code()), (400, "AuthorizationHeaderMalformed".into()), "{key}");
            let head = head.replace("x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n", "");
            let answer = client.raw(&format!("{head}content-length: 8000\r\n\r\n"), b"");
            assert_eq!((answer.status, answer.code()), (400, "AuthorizationHeaderMalformed".into()), "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_that_lives_no_time_or_too_long_is_refused() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        for (expires, status) in
            [("1", 200), ("604800", 200), ("604801", 400), ("0", 400), ("-1", 400), ("x", 400), ("", 400)]
        {
            let link = client.link("GET", "/models/k", "", expires, &[]);
            let answer = ask(&client, "GET", &link, &[], b"");
            // The shortest may have expired by the time a busy machine sends it.
            assert!(
                answer.status == status || (matches!(expires, "0" | "1") && answer.status == 403),
                "{expires}: {}",
                answer.text()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_signed_body_needs_its_last_chunk() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let put = |chunks: &[&[u8]], spoil: fn(&mut Vec<u8>)| {
            let len: usize = chunks.iter().map(|chunk| chunk.len()).sum();
            let len = len.to_string();
            let headers = [("x-amz-decoded-content-length", &*len)];
            let kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
            let (head, mut seed) = client.signed_head("PUT", "/models/k", kind, &headers, "s3");
            let mut body: Vec<u8> = chunks.iter().flat_map(|chunk| seed.chunk(chunk)).collect();
            spoil(&mut body);
            let head = format!("{head}content-encoding: aws-chunked\r\ncontent-length: {}\r\n\r\n", body.len());
            let answer = client.raw(&head, &body);
            (answer.status, answer.code())
        };
        assert_eq!(put(&[b"hello", b""], |_| ()), (200, String::new()));
        assert_eq!(client.get("/models/k").body, b"hello");
        assert_eq!(put(&[b"other"], |_| ()), (400, "IncompleteBody".into()));
        assert_eq!(put(&[], |_| ()), (400, "IncompleteBody".into()));
        assert_eq!(put(&[b"other", b""], |body| body.truncate(body.len() - 90)).0, 400);
        let forged = |body: &mut Vec<u8>| {
            let at = body.len() - 5;
            body[at] ^= 1;
        };
        assert!(
            matches!(put(&[b"other", b""], forged).0, 400 | 403),
            "a last chunk with a signature that is not right"
        );
        assert_eq!(client.get("/models/k").body, b"hello");
    })
    .await;
}

#[tokio::test]
async fn signed_chunks_have_a_size_that_clients_use() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let large = vec![7; (1 << 20) + 1];
        let put = |data: &[u8]| {
            let len = data.len().to_string();
            let headers = [("x-amz-decoded-content-length", &*len)];
            let kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
            let (head, mut seed) = client.signed_head("PUT", "/models/k", kind, &headers, "s3");
            let body = [seed.chunk(data), seed.chunk(b"")].concat();
            client.raw(&format!("{head}content-length: {}\r\n\r\n", body.len()), &body)
        };
        for size in [1, 64 << 10, 128 << 10, 1 << 20] {
            assert_eq!(put(&large[..size]).status, 200, "{size}");
            assert_eq!(client.get("/models/k").body, &large[..size]);
        }
        let refused = put(&large);
        assert_eq!((refused.status, refused.code()), (400, "InvalidRequest".into()));
        assert!(refused.text().contains("maximum of 1 MiB"), "{}", refused.text());
    })
    .await;
}

#[tokio::test]
async fn an_unsigned_chunked_body_needs_its_last_chunk() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")];
        let put = |body: &[u8]| {
            let kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
            let head = client.head_of("PUT", "/models/k", kind, &headers, body.len());
            client.raw(&head, body).status
        };
        assert_eq!(put(b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), 200);
        assert_eq!(put(b"5\r\nother\r\n"), 400);
        assert_eq!(put(b"5\r\nother"), 400);
        assert_eq!(client.get("/models/k").body, b"hello");
    })
    .await;
}

#[tokio::test]
async fn xml_that_is_too_long_or_cut_short_is_the_clients_fault() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let md5 = ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==");
        let begun = client.send("POST", "/models/parts?uploads=", &[], b"");
        let complete = format!("/models/parts?uploadId={}", begun.element("UploadId").unwrap());
        let long = vec![b' '; (8 << 20) + 1];
        for (method, target) in [("POST", "/models?delete="), ("POST", &*complete), ("PUT", "/fresh-bucket")] {
            let answer = client.raw(&client.head(method, target, &[md5], long.len()), b"");
            assert_eq!((answer.status, answer.code()), (400, "MaxMessageLengthExceeded".into()), "{method} {target}");
            let mut stream = client.connect().unwrap();
            stream.write_all(client.head(method, target, &[md5], 100).as_bytes()).unwrap();
            stream.write_all(b"<Delete>").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // The connection may be closed already.
            if let Ok(answer) = read(stream) {
                assert_eq!(answer.status, 400, "{method} {target}: {}", answer.text());
            }
        }
        // The body is not the one whose digest was signed.
        let other = "0".repeat(64);
        for (method, target) in [("POST", "/models?delete="), ("POST", &*complete), ("PUT", "/fresh-bucket")] {
            let (head, _) = client.signed_head(method, target, &other, &[], "s3");
            let head = format!("{head}content-md5: dMUQeJS7ZMDtgzpeOI9G+g==\r\ncontent-length: 3\r\n\r\n");
            let answer = client.raw(&head, b"<a>");
            assert_eq!((answer.status, answer.code()), (400, "XAmzContentSHA256Mismatch".into()), "{method} {target}");
        }
        // Without a length, the bytes are counted.
        let (head, _) = client.signed_head("POST", "/models?delete=", "UNSIGNED-PAYLOAD", &[], "s3");
        let head = format!("{head}content-md5: {}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", md5.1, long.len());
        let answer = client.raw(&head, &[&long[..], b"\r\n0\r\n\r\n"].concat());
        assert!((400..500).contains(&answer.status), "{}", answer.text());
    })
    .await;
}
