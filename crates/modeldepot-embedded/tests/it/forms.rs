//! Uploads by HTML form, with policies as created by boto3's `generate_presigned_post`.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use modeldepot_embedded::{Config, Keys, Server};
use time::macros::format_description;

use crate::client::{Answer, Client, read};
use crate::links::hmac_sha1;
use crate::serve::{Process, Running, blocking, config, files, running};

/// Returns the fields that sign a form of version 2 with these conditions.
fn signed(client: &Client, conditions: &str, seconds: i64) -> Vec<(String, String)> {
    let end = time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    let end = end.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).unwrap();
    let policy = BASE64.encode(format!("{{\"expiration\":\"{end}\",\"conditions\":[{conditions}]}}"));
    let signature = hmac_sha1(&client.secret_key, &policy);
    [("AWSAccessKeyId", &client.access_key), ("policy", &policy), ("signature", &signature)]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .to_vec()
}

fn form(fields: &[(String, String)], filename: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes());
    }
    body.extend(
        format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\nContent-Type: \
             text/plain\r\n\r\n"
        )
        .into_bytes(),
    );
    body.extend(file);
    body.extend(b"\r\n--XX\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n--XX--\r\n");
    body
}

fn post(client: &Client, path: &str, marks: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: multipart/form-data; \
         boundary=XX\r\ncontent-length: {}\r\n{marks}\r\n",
        client.address,
        body.len()
    );
    client.raw(&head, body)
}

const CONDITIONS: &str = "{\"bucket\":\"models\"},[\"starts-with\",\"$key\",\"in/\"],[\"content-length-range\",2,9]";

/// Posts a form with a policy of these conditions and more, and these fields.
fn upload(client: &Client, conditions: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
    let mut all = signed(client, &format!("{CONDITIONS}{conditions}"), 60);
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    post(client, "/models", "", &form(&all, "C:\\photos\\a b.txt", file))
}

#[tokio::test]
async fn a_form_uploads_what_its_policy_allows() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let plain = upload(&client, "", &[("key", "in/${filename}")], b"hello");
        assert_eq!(plain.status, 204, "{}", plain.text());
        assert!(plain.header("location").unwrap().ends_with("/models/in/a%20b.txt"), "{}", plain.head);
        let got = client.get("/models/in/a%20b.txt");
        assert_eq!((&*got.body, got.header("content-type")), (&b"hello"[..], Some("binary/octet-stream")));
        assert_eq!(plain.header("etag"), got.header("etag"));

        let conditions = ",[\"eq\",\"$Content-Type\",\"text/x\"],[\"starts-with\",\"$x-amz-meta-who\",\"\"],\
                          {\"success_action_status\":\"201\"},[\"starts-with\",\"$tagging\",\"\"],{\"acl\":\"private\"}";
        let tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
        let fields = [
            ("key", "in/k&<"),
            ("Content-Type", "text/x"),
            ("x-amz-meta-who", "me"),
            ("success_action_status", "201"),
            ("tagging", tagging),
            ("acl", "private"),
        ];
        let created = upload(&client, conditions, &fields, b"hello");
        assert_eq!(created.status, 201, "{}", created.text());
        assert_eq!(created.element("Key").as_deref(), Some("in/k&amp;&lt;"));
        let got = client.get("/models/in/k%26%3C");
        assert_eq!((got.header("x-amz-meta-who"), got.header("content-type")), (Some("me"), Some("text/x")));
        assert_eq!(got.header("x-amz-tagging-count"), Some("1"));

        let there = ",[\"starts-with\",\"$success_action_redirect\",\"https://app.example/\"]";
        let fields = [("key", "in/r"), ("success_action_redirect", "https://app.example/done?a=b")];
        let redirected = upload(&client, there, &fields, b"hello");
        assert_eq!(redirected.status, 303, "{}", redirected.text());
        let location = redirected.header("location").unwrap();
        assert!(location.starts_with("https://app.example/done?a=b&bucket=models&key=in%2Fr&etag="), "{location}");
        // If the policy leaves the host open, or the address is invalid, there is no redirect.
        for (condition, address) in [
            (",[\"starts-with\",\"$success_action_redirect\",\"\"]", "https://evil.example/"),
            (",[\"starts-with\",\"$success_action_redirect\",\"https://app.example\"]", "https://app.example.evil/"),
            (",[\"starts-with\",\"$success_action_redirect\",\"javascript://x/\"]", "javascript://x/%0aalert(1)"),
            (",[\"starts-with\",\"$success_action_redirect\",\"https://a.example/\"]", "https://a.example/\r\nX: y"),
        ] {
            let answer = upload(&client, condition, &[("key", "in/r"), ("success_action_redirect", address)], b"hello");
            assert!(answer.header("x").is_none() && !answer.head.contains("evil"), "{}", answer.head);
            assert!(answer.status == 204 || answer.header("location").unwrap().starts_with("https://a.example/"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_form_uploads_nothing_else() {
    let r = running().await;
    let Running { client, folder, .. } = r;
    blocking(move || {
        let of = |conditions: &str, fields: &[(&str, &str)], file: &[u8]| {
            let answer = upload(&client, conditions, fields, file);
            (answer.status, answer.code())
        };
        let key = ("key", "in/k");
        for (name, answer, status, code) in [
            ("another key", of("", &[("key", "out/k")], b"hello"), 403, "AccessDenied"),
            ("no key", of("", &[], b"hello"), 403, "AccessDenied"),
            ("too small", of("", &[key], b"x"), 400, "EntityTooSmall"),
            ("too large", of("", &[key], b"0123456789"), 400, "EntityTooLarge"),
            ("a field more", of("", &[key, ("x-amz-meta-a", "b")], b"hello"), 403, "AccessDenied"),
            ("another bucket", of("", &[key, ("bucket", "other")], b"hello"), 403, "AccessDenied"),
            (
                "public",
                of(",{\"acl\":\"public-read\"}", &[key, ("acl", "public-read")], b"hello"),
                400,
                "AccessControlListNotSupported",
            ),
            (
                "encryption",
                of(
                    ",{\"x-amz-server-side-encryption\":\"AES256\"}",
                    &[key, ("x-amz-server-side-encryption", "AES256")],
                    b"hello",
                ),
                501,
                "NotImplemented",
            ),
            (
                "a checksum",
                of(",{\"x-amz-checksum-crc32\":\"AAAAAA==\"}", &[key, ("x-amz-checksum-crc32", "AAAAAA==")], b"hello"),
                400,
                "BadDigest",
            ),
            (
                "an id",
                of(",{\"x-amz-nonsense\":\"1\"}", &[key, ("x-amz-nonsense", "1")], b"hello"),
                501,
                "NotImplemented",
            ),
            (
                "no name of a header",
                of(",[\"starts-with\",\"$x-amz-meta-a b\",\"\"]", &[key, ("x-amz-meta-a b", "c")], b"hello"),
                400,
                "InvalidArgument",
            ),
            ("a control", of("", &[("key", "in/\u{1}")], b"hello"), 400, "InvalidArgument"),
        ] {
            assert_eq!(answer, (status, code.into()), "{name}");
        }
        let fields = |client: &Client, seconds| {
            let mut fields = signed(client, CONDITIONS, seconds);
            fields.push(("key".into(), "in/k".into()));
            fields
        };
        let good = fields(&client, 60);
        let without = |name: &str| -> Vec<_> { good.iter().filter(|(field, _)| field != name).cloned().collect() };
        let wrong = |secret: &str| fields(&client.signing_with("minioadmin", secret), 60);
        for (name, fields, code) in [
            ("unsigned", without("signature"), "AccessDenied"),
            ("no key pair", without("AWSAccessKeyId"), "InvalidArgument"),
            ("no policy", without("policy"), "InvalidArgument"),
            ("wrong", wrong("other"), "SignatureDoesNotMatch"),
            ("unknown", fields(&client.signing_with("nobody", "minioadmin"), 60), "InvalidAccessKeyId"),
            ("expired", fields(&client, -1), "AccessDenied"),
            ("eternal", fields(&client, 8 * 24 * 3600), "AccessDenied"),
            ("twice", [good.clone(), good[..1].to_vec()].concat(), "InvalidArgument"),
        ] {
            let answer = post(&client, "/models", "", &form(&fields, "f", b"hello"));
            assert_eq!(answer.code(), code, "{name}: {}", answer.text());
            assert!(matches!(answer.status, 400 | 403), "{name}");
        }
        let body = form(&good, "f", b"hello");
        assert_eq!(post(&client, "/models/k", "", &body).code(), "MethodNotAllowed");
        assert_eq!(post(&client, "/", "", &body).code(), "MethodNotAllowed");
        assert_eq!(post(&client, "/models?delete", "", &body).code(), "InvalidArgument");
        assert_eq!(post(&client, "/models", "authorization: AWS a:b\r\n", &body).code(), "InvalidArgument");
        assert_eq!(post(&client, "/models", "", b"nonsense").code(), "IncompleteBody");
        assert_eq!(post(&client, "/models", "", b"--XX--\r\n").code(), "IncorrectNumberOfFilesInPostRequest");
        assert_eq!(post(&client, "/models", "", &body[..body.len() / 2]).code(), "IncompleteBody");
        // A form that is cut off inside its file leaves nothing.
        let cut = body.len() - 100;
        let head = post(&client, "/models", "", &body[..cut]);
        assert_eq!(head.code(), "IncompleteBody", "{}", head.text());
        assert_eq!(client.get("/models?list-type=2").element("KeyCount").as_deref(), Some("0"));
        crate::serve::settle_at(0, folder.path());
        assert_eq!(files(folder.path()), 0);
        assert_eq!(post(&client, "/models/", "", &body).status, 204);
    })
    .await;
}

#[tokio::test]
async fn forms_are_for_pages_of_other_sites_where_the_key_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let writer = Keys::add(&file, "writer", vec!["models=write".parse().unwrap()]).unwrap();
    let reader = Keys::add(&file, "reader", vec!["models=read".parse().unwrap()]).unwrap();
    let server = Server::start(Config { keys: Some(file), ..config(folder.path().join("data")) }).await.unwrap();
    let client = Client::new(server.local_addr());
    let open = running().await;
    blocking(move || {
        let body = |client: &Client| {
            let mut fields = signed(client, CONDITIONS, 60);
            fields.push(("key".into(), "in/k".into()));
            form(&fields, "f", b"hello")
        };
        let writer = client.signing_with(&writer.access_key, writer.secret_key());
        let reader = client.signing_with(&reader.access_key, reader.secret_key());
        for marks in [
            "origin: https://app.example\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: \
             document\r\n",
            "origin: null\r\n",
            "sec-fetch-site: cross-site\r\n",
        ] {
            let answer = post(&writer, "/models", marks, &body(&writer));
            assert_eq!(answer.status, 204, "{marks}: {}", answer.text());
            assert_eq!(post(&reader, "/models", marks, &body(&reader)).code(), "AccessDenied", "{marks}");
            // With the default login any page could sign one.
            let refused = post(&open.client, "/models", marks, &body(&open.client));
            assert_eq!(refused.status, 403, "{marks}");
            assert!(refused.text().contains("web page of another origin"), "{}", refused.text());
        }
    })
    .await;
}

#[test]
fn a_large_file_of_a_form_is_not_held_in_memory() {
    const MEGABYTES: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path());
    let client = server.client();
    let mut fields = signed(&client, "{\"bucket\":\"models\"},{\"key\":\"large\"}", 600);
    fields.push(("key".into(), "large".into()));
    let body = form(&fields, "f", b"FILE");
    let at = body.windows(4).position(|four| four == b"FILE").unwrap();
    let mut stream = client.connect().unwrap();
    let head = format!(
        "POST /models HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: multipart/form-data; \
         boundary=XX\r\ncontent-length: {}\r\n\r\n",
        client.address,
        body.len() - 4 + MEGABYTES * 1_000_000
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..at]).unwrap();
    // Bytes that resemble the start of a boundary belong to the file until it is complete.
    let mut piece = vec![b'\r'; 1_000_000];
    piece[500_000..500_004].copy_from_slice(b"\n--X");
    for _ in 0..MEGABYTES {
        stream.write_all(&piece).unwrap();
    }
    stream.write_all(&body[at + 4..]).unwrap();
    let answer = read(stream).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
    let stored = client.send("HEAD", "/models/large", &[], b"");
    assert_eq!(stored.header("content-length"), Some(&*(MEGABYTES * 1_000_000).to_string()));
    if let Some(peak) = server.peak_memory() {
        assert!(peak < 200 << 20, "the server held {} MiB", peak >> 20);
    }
}

#[tokio::test]
async fn who_sends_too_much_gets_to_read_why() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let large = vec![b'x'; 8_000_000];
        let too_large = upload(&client, "", &[("key", "in/k")], &large);
        assert_eq!((too_large.status, too_large.code()), (400, "EntityTooLarge".into()));
        let elsewhere = upload(&client, "", &[("key", "out/k")], &large);
        assert_eq!((elsewhere.status, elsewhere.code()), (403, "AccessDenied".into()));
        assert!(elsewhere.text().contains("starts-with"), "{}", elsewhere.text());
    })
    .await;
}
