//! Objects that are compressed on disk, invisibly to clients.

use modeldepot_embedded::{Config, Saving, Server};

use crate::client::Client;
use crate::serve::{blocking, config};
use crate::versions::{id, set};

fn json(len: usize, seed: usize) -> Vec<u8> {
    (seed..)
        .flat_map(|n| format!("{{\"epoch\": {n}, \"val_loss\": 0.{:06}}}\n", n * 7919 % 999_983).into_bytes())
        .take(len)
        .collect()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 99u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    })
    .take(len)
    .collect()
}

async fn compressing(folder: &std::path::Path) -> (Server, Client) {
    let server = Server::start(Config { compress: true, ..config(folder) }).await.unwrap();
    let client = Client::new(server.local_addr());
    (server, client)
}

/// Sends the same requests to a server that compresses and to one that does not, and compares all answers.
#[tokio::test(flavor = "multi_thread")]
async fn clients_notice_nothing() {
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, with) = compressing(folders.0.path()).await;
    let plain = Server::start(config(folders.1.path())).await.unwrap();
    let without = Client::new(plain.local_addr());
    blocking(move || {
        let answers = |client: &Client| {
            let mut all = Vec::new();
            let mut keep = |answer: crate::client::Answer| {
                let headers =
                    ["etag", "content-length", "content-range", "x-amz-checksum-crc64nvme", "x-amz-mp-parts-count"];
                let headers = headers.map(|name| answer.header(name).map(str::to_owned));
                let body = if answer.head.contains("application/xml") { Vec::new() } else { answer.body };
                all.push((answer.status, headers, body));
            };
            keep(client.put("/models/log.jsonl", &json(3_000_001, 0)));
            keep(client.put("/models/small.json", &json(600, 0)));
            keep(client.put("/models/weights.pth", &noise(2_000_000)));
            keep(client.put("/models/mixed", &[json(1_500_000, 5), noise(1_500_000)].concat()));
            let begun = client.send("POST", "/models/parts?uploads=", &[], b"").element("UploadId").unwrap();
            let mut listed = String::new();
            for (number, body) in [json(5 << 20, 1), noise(5 << 20), json(70_000, 2)].iter().enumerate() {
                let target = format!("/models/parts?partNumber={}&uploadId={begun}", number + 1);
                let tag = client.put(&target, body).header("etag").unwrap().to_owned();
                listed.push_str(&format!("<Part><PartNumber>{}</PartNumber><ETag>{tag}</ETag></Part>", number + 1));
            }
            let copy = [("x-amz-copy-source", "/models/log.jsonl"), ("x-amz-copy-source-range", "bytes=99999-2999999")];
            let copied = client.send("PUT", &format!("/models/parts?partNumber=4&uploadId={begun}"), &copy, b"");
            let tag = copied.element("ETag").unwrap().replace("&quot;", "\"");
            listed = listed.replace("<Part><PartNumber>3</PartNumber>", "<Skip><PartNumber>3</PartNumber>");
            listed = match listed.split_once("<Skip>") {
                Some((kept, _)) => format!("{kept}<Part><PartNumber>4</PartNumber><ETag>{tag}</ETag></Part>"),
                None => listed,
            };
            let body = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
            let done = client.send("POST", &format!("/models/parts?uploadId={begun}"), &[], body.as_bytes());
            assert_eq!(done.status, 200, "{}", done.text());
            let source = [("x-amz-copy-source", "/models/log.jsonl"), ("x-amz-checksum-algorithm", "SHA256")];
            assert_eq!(client.send("PUT", "/models/copy", &source, b"").status, 200);
            for key in ["log.jsonl", "small.json", "weights.pth", "mixed", "parts", "copy"] {
                let target = format!("/models/{key}");
                keep(client.send("GET", &target, &[("x-amz-checksum-mode", "ENABLED")], b""));
                keep(client.send("HEAD", &target, &[], b""));
                for range in ["bytes=0-0", "bytes=262143-262145", "bytes=100000-1500000", "bytes=-7", "bytes=599-"] {
                    keep(client.send("GET", &target, &[("range", range)], b""));
                }
                keep(client.get(&format!("{target}?partNumber=2")));
            }
            all
        };
        let (expected, found) = (answers(&without), answers(&with));
        assert_eq!(expected.len(), found.len());
        for (n, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!((&expected.0, &expected.1), (&found.0, &found.1), "answer {n}");
            assert!(expected.2 == found.2, "the bytes of answer {n}");
        }
    })
    .await;
    let saving = server.saving().unwrap();
    assert!(saving.bytes > 8_000_000 && saving.stored * 3 < saving.bytes, "{saving:?}");
    assert_eq!(plain.saving().unwrap(), Saving::default());
    // Noise is stored unchanged; the log is not.
    let files = |key: &str| server.stored_files("models", key).unwrap();
    assert!(std::fs::read(&files("weights.pth")[0]).unwrap() == noise(2_000_000));
    assert!(files("log.jsonl")[0].metadata().unwrap().len() < 1_000_000);
    assert_eq!(files("copy"), files("log.jsonl"), "a copy shares its bytes");
}

#[tokio::test]
async fn a_folder_with_compressed_objects_opens_without_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = compressing(folder.path()).await;
    let version = blocking(move || {
        set(&client, "models", "Enabled");
        let version = id(&client.put("/models/log", &json(400_000, 0)));
        client.put("/models/log", &noise(1000));
        version
    })
    .await;
    let saving = server.saving().unwrap();
    assert_eq!((saving.files, saving.bytes), (1, 400_000), "versions count as well");
    server.stop().await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("format")).unwrap(), "modeldepot-embedded 2\n");

    let server = Server::start(config(folder.path())).await.unwrap();
    assert_eq!(server.saving().unwrap(), saving);
    let client = Client::new(server.local_addr());
    blocking(move || {
        assert!(client.get(&format!("/models/log?versionId={version}")).body == json(400_000, 0));
        client.put("/models/more", &json(400_000, 0));
    })
    .await;
    assert_eq!(server.saving().unwrap(), saving, "nothing new is compressed");
}

#[tokio::test]
async fn a_compressed_object_that_is_damaged_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = compressing(folder.path()).await;
    blocking(move || {
        client.put("/models/log", &json(400_000, 0));
        let path = server.stored_files("models", "log").unwrap().remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(client.try_send("GET", "/models/log", &[], b"").is_err(), "it breaks off");
        bytes.truncate(bytes.len() - 1);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(client.get("/models/log").status, 500);
        assert_eq!(client.put("/models/log", b"whole again").status, 200);
    })
    .await;
}
