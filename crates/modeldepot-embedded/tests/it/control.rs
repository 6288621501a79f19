//! Keys and headers with characters that an answer cannot contain.

use modeldepot_embedded::Server;

use crate::browsers::md5_of;
use crate::client::{Answer, Client};
use crate::serve::{blocking, config, running};

/// Every character that XML 1.0 cannot express, percent-encoded.
fn unwritable() -> impl Iterator<Item = String> {
    let low = (0u8..0x20).filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r')).map(|byte| format!("%{byte:02X}"));
    low.chain(["%EF%BF%BE".into(), "%EF%BF%BF".into()])
}

/// Fails unless an answer is XML that any parser accepts.
fn check_xml(answer: &Answer) {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let bad = text.chars().find(|c| matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'));
    assert_eq!(bad, None, "{text:?}");
    for (at, _) in text.match_indices("&#") {
        let reference = &text[at..];
        assert!(["&#9;", "&#10;", "&#13;", "&#xd;", "&#xD;"].iter().any(|good| reference.starts_with(good)), "{text}");
    }
}

#[tokio::test]
async fn keys_that_no_listing_can_show_are_refused() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/good", b"x");
        for c in unwritable() {
            let key = format!("/models/a{c}b");
            let source = [("x-amz-copy-source", "/models/good")];
            for answer in [
                client.put(&key, b"x"),
                client.send("PUT", &key, &source, b""),
                client.send("POST", &format!("{key}?uploads="), &[], b""),
                client.send("POST", &format!("{key}?uploadId=x"), &[], b"<CompleteMultipartUpload/>"),
            ] {
                assert_eq!((answer.status, answer.code()), (400, "InvalidArgument".into()), "{c}");
                assert!(answer.text().contains("U+"), "{}", answer.text());
                check_xml(&answer);
            }
        }
        for (key, plain) in
            [("tab%09", "tab\t"), ("line%0A", "line\n"), ("return%0D", "return&#13;"), ("%7F%C2%85", "\u{7f}\u{85}")]
        {
            assert_eq!(client.put(&format!("/models/{key}"), b"x").status, 200, "{key}");
            let listed = client.get("/models?list-type=2");
            check_xml(&listed);
            assert!(listed.text().contains(&format!("<Key>{plain}</Key>")), "{}", listed.text());
            assert!(client.get("/models?encoding-type=url&list-type=2").text().contains(&format!("<Key>{key}</Key>")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_has_such_keys_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(config(folder.path())).await.unwrap();
    let client = Client::new(server.local_addr());
    blocking(move || {
        for key in ["a-good", "b", "z-good"] {
            assert_eq!(client.put(&format!("/models/{key}"), key.as_bytes()).status, 200);
        }
        assert_eq!(client.send("POST", "/models/up?uploads=", &[], b"").status, 200);
    })
    .await;
    server.stop().await.unwrap();
    // As an older build would have stored them.
    rename(folder.path(), "b", "b\u{1}\u{fffe}/c");
    rename_upload(folder.path(), "up", "up\u{2}");
    let server = Server::start(config(folder.path())).await.unwrap();
    let client = Client::new(server.local_addr());
    blocking(move || {
        for (target, encoded) in [
            ("/models?list-type=2", false),
            ("/models", false),
            ("/models?encoding-type=url&list-type=2", true),
            ("/models?encoding-type=url", true),
            ("/models?encoding-type=url&list-type=2&max-keys=1&prefix=b", true),
        ] {
            let listed = client.get(target);
            assert_eq!(listed.status, 200);
            check_xml(&listed);
            let text = listed.text();
            let name = if encoded { "b%01%EF%BF%BE/c" } else { "b\u{fffd}\u{fffd}/c" };
            assert!(text.contains(&format!("<Key>{name}</Key>")), "{text}");
            if !target.contains("prefix") {
                assert!(text.contains("<Key>a-good</Key>") && text.contains("<Key>z-good</Key>"), "{text}");
            }
        }
        let grouped = client.get("/models?delimiter=%2F&list-type=2");
        check_xml(&grouped);
        assert!(grouped.text().contains("<Prefix>b\u{fffd}\u{fffd}/</Prefix>"), "{}", grouped.text());
        let uploads = client.get("/models?uploads=");
        check_xml(&uploads);
        assert!(uploads.text().contains("<Key>up\u{fffd}</Key>"), "{}", uploads.text());
        assert!(client.get("/models?encoding-type=url&uploads=").text().contains("<Key>up%02</Key>"));
        // An error that repeats the request.
        check_xml(&client.get("/models?list-type=2&prefix=%01"));
        check_xml(&client.get("/models?delimiter=%01&list-type=2"));
        // It can be read, copied away and removed.
        assert_eq!(client.get("/models/b%01%EF%BF%BE/c").body, b"b");
        let source = [("x-amz-copy-source", "/models/b%01%EF%BF%BE/c")];
        assert_eq!(client.send("PUT", "/models/rescued", &source, b"").status, 200);
        let delete = "<Delete><Object><Key>b\u{1}\u{fffe}/c</Key></Object></Delete>";
        let answer = client.send("POST", "/models?delete=", &[("content-md5", &md5_of(delete))], delete.as_bytes());
        check_xml(&answer);
        assert_eq!(client.send("DELETE", "/models/b%01%EF%BF%BE/c", &[], b"").status, 204);
        assert!(!client.get("/models?list-type=2").text().contains('\u{fffd}'));
    })
    .await;
}

/// Changes the key of an object directly in the index.
fn rename(folder: &std::path::Path, from: &str, to: &str) {
    use redb::{ReadableTable as _, TableDefinition};

    let place = |key: &str| [b"models\0", key.as_bytes()].concat();
    let db = redb::Database::open(folder.join("index.redb")).unwrap();
    let tx = db.begin_write().unwrap();
    for name in ["objects", "layouts"] {
        let mut table = tx.open_table(TableDefinition::<&[u8], &[u8]>::new(name)).unwrap();
        let value = table.remove(&*place(from)).unwrap().unwrap().value().to_vec();
        table.insert(&*place(to), &*value).unwrap();
        assert!(table.get(&*place(to)).unwrap().is_some());
    }
    tx.commit().unwrap();
}

fn rename_upload(folder: &std::path::Path, from: &str, to: &str) {
    use redb::{ReadableTable as _, TableDefinition};

    let place = |key: &str| [b"models\0", key.as_bytes()].concat();
    let db = redb::Database::open(folder.join("index.redb")).unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table(TableDefinition::<(&[u8], &str), &[u8]>::new("uploads")).unwrap();
        let (id, value) = {
            let row = table.first().unwrap().unwrap();
            assert_eq!(row.0.value().0, place(from));
            (row.0.value().1.to_owned(), row.1.value().to_vec())
        };
        table.remove((&*place(from), &*id)).unwrap();
        table.insert((&*place(to), &*id), &*value).unwrap();
    }
    tx.commit().unwrap();
}

#[tokio::test]
async fn headers_that_no_answer_can_hold_are_refused() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        for name in ["type", "disposition", "language", "encoding"].map(|end| format!("response-content-{end}")) {
            for value in ["a%0D%0Aset-cookie%3A%20b", "a%0Ab", "a%00", "%7F"] {
                for method in ["GET", "HEAD"] {
                    let answer = client.send(method, &format!("/models/k?{name}={value}"), &[], b"");
                    assert_eq!(answer.status, 400, "{method} {name}={value}: {}", answer.head);
                    assert_eq!(answer.header("set-cookie"), None);
                }
            }
            assert_eq!(client.get(&format!("/models/k?{name}=a%20b")).status, 200, "{name}");
        }
        assert_eq!(client.get("/models/k?response-cache-control=a%0D%0Ab").status, 400);
        // All metadata that could be stored can be read.
        for value in
            ["=?UTF-8?B?YQ0KYg==?=", "=?UTF-8?Q?a=00=0D=0Ab?=", "=?UTF-8?B?AQ==?=", "tab\there", "=?x?=", "\u{fc}"]
        {
            let stored =
                client.send("PUT", "/models/m", &[("x-amz-meta-a", value), ("content-type", value)], b"x").status;
            for method in ["GET", "HEAD"] {
                let answer = client.send(method, "/models/m", &[], b"");
                assert!(answer.status < 500, "{value:?} was stored with {stored}: {}", answer.head);
                assert!(stored >= 400 || answer.status == 200, "{value:?}: {}", answer.head);
            }
            client.send("DELETE", "/models/m", &[], b"");
        }
        // An object's bytes are unchanged, whatever its type says.
        let body = b"<K>a\x01\r\n\xef\xbf\xbe</K>";
        client.send("PUT", "/models/x.xml", &[("content-type", "application/xml")], body);
        assert_eq!(client.get("/models/x.xml").body, body);
    })
    .await;
}
