//! Files: whole, by range, redirected, damaged.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use hyper::Method;
use modeldepot_server::Redirect;
use serde_json::json;

use crate::place::{Place, begin, bytes};

const LARGE: usize = 17 << 20;

async fn with_files() -> (Place, Vec<u8>) {
    let place = Place::new().await;
    let large = bytes(LARGE);
    let files: [(&str, &[u8]); 3] = [("model.bin", &large), ("a/modèle \"x\".txt", b"0123456789"), ("empty", b"")];
    place.push("m", "1", &files, json!({})).await;
    (place, large)
}

const FILES: &str = "/api/v1/models/m/versions/1/files";
const SMALL: &str = "/api/v1/models/m/versions/1/files/a/mod%C3%A8le%20%22x%22.txt";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_whole_and_by_range() {
    let (place, large) = with_files().await;
    let whole = place.get(&format!("{FILES}/model.bin?stream")).await.is(200);
    assert!(whole.body == large);
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("content-disposition"), "attachment; filename=\"model.bin\"");
    assert_eq!(whole.header("content-security-policy"), "default-src 'none'; sandbox");
    let small = place.get(SMALL).await.is(200);
    assert_eq!(small.header("content-type"), "text/plain; charset=utf-8");
    let saved = "attachment; filename=\"mod_le _x_.txt\"; filename*=UTF-8''mod%C3%A8le%20%22x%22.txt";
    assert_eq!(small.header("content-disposition"), saved);
    assert!(place.get(&format!("{FILES}/empty")).await.is(200).body.is_empty());
    // Within a part, across two parts, and at the end.
    let ranges = [(0, 10), (8 << 20, 100), ((8 << 20) - 50, 100), ((4 << 20) + 7, 9 << 20), (LARGE - 5, 5)];
    for (from, len) in ranges {
        let range = format!("bytes={from}-{}", from + len - 1);
        let path = format!("{FILES}/model.bin?stream=true");
        let part = place.send(Method::GET, &path, &[("range", &range)], b"").await.is(206);
        assert!(part.body == large[from..from + len], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{LARGE}", from + len - 1));
    }
    let beyond = place.send(Method::GET, SMALL, &[("range", "bytes=10-")], b"").await.is(416);
    assert_eq!(beyond.header("content-range"), "bytes */10");
    let several = place.send(Method::GET, SMALL, &[("range", "bytes=0-1,4-5")], b"").await.is(200);
    assert_eq!(several.body, "0123456789", "several are answered with all");
}

/// What the description of the API allows for a flag is taken, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_flag_is_taken_as_it_is_described() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let operation = &document["paths"]["/api/v1/models/{model}/versions/{version}/files/{path}"]["get"];
    let parameters = operation["parameters"].as_array().unwrap();
    let flag = parameters.iter().find(|parameter| parameter["name"] == "stream").unwrap();
    assert_eq!(flag["schema"]["type"], serde_json::json!(["boolean", "string"]));
    let (place, _) = with_files().await;
    for value in flag["schema"]["enum"].as_array().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        place.get(&format!("{FILES}/empty?stream={text}")).await.is(200);
    }
    place.get(&format!("{FILES}/empty?stream")).await.is(200);
    for other in ["1", "yes", "TRUE", "true&stream=true"] {
        place.get(&format!("{FILES}/empty?stream={other}")).await.is(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions() {
    let (place, _) = with_files().await;
    let head = place.send(Method::HEAD, SMALL, &[], b"").await.is(200);
    let etag = head.header("etag").to_owned();
    assert_eq!((head.header("content-length"), head.body.len()), ("10", 0));
    assert_eq!(etag, format!("\"{}\"", blake3::hash(b"0123456789")), "what the file is");
    let ask = async |headers: &[(&str, &str)]| place.send(Method::GET, SMALL, headers, b"").await;
    let weak = format!("W/{etag}, \"other\"");
    assert_eq!(ask(&[("if-none-match", &etag)]).await.is(304).header("etag"), etag);
    ask(&[("if-none-match", &weak)]).await.is(304);
    ask(&[("if-none-match", "*")]).await.is(304);
    ask(&[("if-none-match", "\"other\"")]).await.is(200);
    ask(&[("if-match", "\"other\"")]).await.is(412);
    ask(&[("if-match", &etag)]).await.is(200);
    assert_eq!(ask(&[("range", "bytes=2-3"), ("if-range", &etag)]).await.is(206).body, "23");
    ask(&[("range", "bytes=2-3"), ("if-range", "\"other\"")]).await.is(200);
    assert_eq!(place.get(&format!("{FILES}/nope")).await.is(404).json()["kind"], "not_found");
}

/// Only GET has ranges (RFC 9110, section 14.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_of_the_whole_file_whatever_range_it_asks_for() {
    let (place, _) = with_files().await;
    let plain = place.send(Method::HEAD, SMALL, &[], b"").await.is(200);
    for range in ["bytes=2-3", "bytes=-1", "bytes=10-", "bytes=0-1,4-5", "nonsense"] {
        let etag = plain.header("etag").to_owned();
        for headers in [&[("range", range)][..], &[("range", range), ("if-range", &etag)]] {
            let head = place.send(Method::HEAD, SMALL, headers, b"").await.is(200);
            assert_eq!((head.header("content-length"), head.header("content-range")), ("10", ""), "{range}");
        }
    }
}

/// A version of the Python pipeline has digests of its model file only; its other files have no ETag, and conditions
/// count all the same.
#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_a_file_without_an_etag() {
    let place = Place::new().await;
    let manifest = json!({
        "model_name": "old", "version": "1", "model_file": "old/v1/m.bin", "model_url": "", "metadata": {},
        "checksum": "0cc175b9c0f1b6a831c399e269772661", "created_at": "2025-10-28T18:18:58",
    });
    let manifest = manifest.to_string();
    for (name, text) in [("m.bin", "a"), ("notes.txt", "0123456789"), ("manifest.json", &manifest)] {
        let (key, body) = (format!("old/v1/{name}"), text.to_owned().into());
        place.storage.client().put_small(place.storage.bucket(), &key, body, "x/y").await.unwrap();
    }
    let path = "/api/v1/models/old/versions/1/files/notes.txt";
    assert_eq!(place.get(path).await.is(200).header("etag"), "");
    for method in [Method::GET, Method::HEAD] {
        let ask = async |name: &str, value: &str| place.send(method.clone(), path, &[(name, value)], b"").await;
        ask("if-match", "\"x\"").await.is(412);
        ask("if-match", "\"x\", \"y\"").await.is(412);
        ask("if-match", "*").await.is(200);
        ask("if-none-match", "*").await.is(304);
        ask("if-none-match", "\"x\"").await.is(200);
    }
    let headers = [("range", "bytes=2-3"), ("if-range", "\"x\"")];
    place.send(Method::GET, path, &headers, b"").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_come_from_the_endpoint_itself() {
    let (place, large) = with_files().await;
    let path = format!("{FILES}/model.bin");
    let moved = place.get(&path).await.is(302);
    let url: url::Url = moved.header("location").parse().unwrap();
    let s3 = url.socket_addrs(|| None).unwrap()[0];
    let signed = format!("{}?{}", url.path(), url.query().unwrap());
    let fetched = crate::place::send(s3, Method::GET, &signed, &[], b"").await.is(200);
    assert!(fetched.body == large);
    assert_eq!(moved.header("cache-control"), "no-store");
    let proxied = place.send(Method::GET, &path, &[("x-forwarded-for", "203.0.113.9")], b"").await.is(200);
    assert!(proxied.body == large, "whom a proxy speaks for cannot reach an endpoint on this machine");
    place.get(SMALL).await.is(200);
    let link = place.get("/api/v1/models/m/versions/latest/link?expires=60").await.is(200).json();
    assert!(link["url"].as_str().unwrap().contains("X-Amz-Expires=60"), "{link}");
    place.get("/api/v1/models/m/versions/latest/link?expires=604801").await.is(400);
    place.get("/api/v1/models/m/versions/latest/link?file=nope").await.is(404);

    let never = Place::with(|config| config.redirect = Redirect::Never).await;
    never.push("m", "1", &[("model.bin", &large)], json!({})).await;
    assert!(never.get(&path).await.is(200).body == large);
    let always = Place::with(|config| config.redirect = Redirect::Always).await;
    always.push("m", "1", &[("model.bin", b"small")], json!({})).await;
    always.get(&path).await.is(302);
}

/// Changes a byte of an object on the server's disk.
fn damage(place: &Place, key: &str, at: u64) {
    let files = place.s3.as_ref().unwrap().stored_files(place.storage.bucket().as_str(), key).unwrap();
    let mut at = at;
    for path in files {
        let size = fs::metadata(&path).unwrap().len();
        if at < size {
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(b"!").unwrap();
            return;
        }
        at -= size;
    }
    panic!("no such byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_never_comes_whole() {
    let (place, large) = with_files().await;
    damage(&place, "m/v1/a/modèle \"x\".txt", 3);
    damage(&place, "m/v1/model.bin", (8 << 20) + 5);
    let refused = place.get(SMALL).await.is(502);
    assert_eq!(refused.json()["kind"], "corrupt", "a small one is proven before the answer begins");
    let mut body =
        begin(place.address(), Method::GET, &format!("{FILES}/model.bin?stream"), &[], b"").await.into_body();
    let (mut came, mut broke) = (0, false);
    loop {
        let frame = std::future::poll_fn(|cx| http_body::Body::poll_frame(std::pin::Pin::new(&mut body), cx)).await;
        match frame {
            Some(Ok(frame)) => came += frame.into_data().unwrap().len(),
            Some(Err(_)) => broke = true,
            None => break,
        }
        if broke {
            break;
        }
    }
    assert!(broke && came < 16 << 20, "{came} bytes came, and the damaged part ends at 16 MiB");
    // The undamaged parts can still be read.
    let path = format!("{FILES}/model.bin?stream");
    let first = place.send(Method::GET, &path, &[("range", "bytes=0-8388607")], b"").await.is(206);
    assert!(first.body == large[..8 << 20]);
    place.storage.client().delete_object(place.storage.bucket(), "m/v1/model.bin").await.unwrap();
    assert_eq!(place.get(&path).await.is(502).json()["kind"], "corrupt", "what is missing is said in words");
}
