//! Presigned URLs of signature version 2, as created by boto3 and the `aws` command for custom endpoints.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use modeldepot_embedded::{Config, Keys, Server};

use crate::client::Client;
use crate::serve::{blocking, config, running};
use crate::signatures::ask;

pub(crate) fn hmac_sha1(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

pub(crate) fn in_a_minute() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp() + 60
}

/// Returns the target of a link. `resource` is the path with the signed parameters, `signed` the lines of the signed
/// headers.
fn link(client: &Client, method: &str, resource: &str, signed: &str, expires: i64) -> String {
    let text = format!("{method}\n\n\n{expires}\n{signed}{resource}");
    let signature = hmac_sha1(&client.secret_key, &text).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let sign = if resource.contains('?') { '&' } else { '?' };
    format!("{resource}{sign}AWSAccessKeyId={}&Signature={signature}&Expires={expires}", client.access_key)
}

#[tokio::test]
async fn each_verb_works_by_a_link_of_version_2() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let of = |method: &str, resource: &str| link(&client, method, resource, "", in_a_minute());
        let put = ask(&client, "PUT", &of("PUT", "/models/a%20k"), &[], b"by link");
        assert_eq!(put.status, 200, "{}", put.text());
        assert_eq!(ask(&client, "GET", &of("GET", "/models/a%20k"), &[], b"").body, b"by link");
        assert_eq!(ask(&client, "GET", &of("GET", "/models/a%20k"), &[("range", "bytes=0-1")], b"").body, b"by");
        assert_eq!(ask(&client, "HEAD", &of("HEAD", "/models/a%20k"), &[], b"").status, 200);
        // Answer headers are signed, and so are the part and the upload.
        let named = of("GET", "/models/a%20k?response-content-type=text/x");
        assert_eq!(ask(&client, "GET", &named, &[], b"").header("content-type"), Some("text/x"));
        let id = client.send("POST", "/models/up?uploads=", &[], b"").element("UploadId").unwrap();
        let part = of("PUT", &format!("/models/up?partNumber=1&uploadId={id}"));
        assert_eq!(ask(&client, "PUT", &part, &[], b"part").status, 200);
        // The SDKs add the name of the operation, which has no effect.
        let named = format!("{}&x-id=GetObject", of("GET", "/models/a%20k"));
        assert_eq!(ask(&client, "GET", &named, &[], b"").status, 200);
        assert_eq!(ask(&client, "DELETE", &of("DELETE", "/models/a%20k"), &[], b"").status, 204);
        assert_eq!(client.get("/models/a%20k").status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_link_of_version_2_opens_only_what_was_signed() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        client.send("PUT", "/secret", &[], b"");
        client.put("/secret/k", b"not yours");
        let put = link(&client, "PUT", "/models/k", "", in_a_minute());
        let get = link(&client, "GET", "/models/k", "", in_a_minute());
        for (method, target, headers, code) in [
            ("PUT", put.clone(), ("x-amz-copy-source", "/secret/k"), "SignatureDoesNotMatch"),
            ("PUT", put.clone(), ("x-amz-acl", "private"), "SignatureDoesNotMatch"),
            ("PUT", put.clone(), ("content-type", "text/html"), "SignatureDoesNotMatch"),
            ("PUT", put.clone(), ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), "SignatureDoesNotMatch"),
            ("PUT", format!("{put}&tagging"), ("a", "b"), "SignatureDoesNotMatch"),
            ("PUT", format!("{put}&legal-hold"), ("a", "b"), "AccessDenied"),
            ("GET", format!("{get}&attributes"), ("x-amz-object-attributes", "ETag"), "AccessDenied"),
            ("GET", get.replace("/models/k", "/secret/k"), ("a", "b"), "SignatureDoesNotMatch"),
            ("GET", format!("{get}&versionId=1"), ("a", "b"), "SignatureDoesNotMatch"),
            ("GET", format!("{get}&versionId=1&versionId=2"), ("a", "b"), "InvalidArgument"),
            ("DELETE", get.clone(), ("a", "b"), "SignatureDoesNotMatch"),
            ("GET", get.replace("minioadmin", "nobody"), ("a", "b"), "InvalidAccessKeyId"),
            ("GET", get.replace("Expires=", "Expires=1"), ("a", "b"), "AuthorizationQueryParametersError"),
            ("GET", link(&client, "GET", "/models/k", "", in_a_minute() - 61), ("a", "b"), "AccessDenied"),
            ("GET", link(&client, "GET", "/models?list-type=2", "", in_a_minute()), ("a", "b"), "AccessDenied"),
        ] {
            let answer = ask(&client, method, &target, &[headers], b"");
            assert_eq!(answer.code(), code, "{method} {target} {headers:?}");
            assert!(answer.status == 403 || answer.status == 400);
        }
        assert_eq!(client.get("/models/k").body, b"x");
        // It may send what it signs.
        let signed = link(&client, "PUT", "/models/k", "x-amz-meta-a:b\n", in_a_minute());
        assert_eq!(ask(&client, "PUT", &signed, &[("x-amz-meta-a", "b")], b"y").status, 200);
        assert_eq!(client.get("/models/k").header("x-amz-meta-a"), Some("b"));
        // In the header, nothing limits how long a signature of version 2 is valid.
        let date = "Thu, 26 Nov 2026 00:00:00 GMT";
        let signature = hmac_sha1("minioadmin", &format!("GET\n\n\n{date}\n/models/k"));
        let old = ask(
            &client,
            "GET",
            "/models/k",
            &[("date", date), ("authorization", &format!("AWS minioadmin:{signature}"))],
            b"",
        );
        assert_eq!((old.status, old.code()), (400, "InvalidRequest".into()));
        assert!(old.text().contains("presigned URLs only"), "{}", old.text());
    })
    .await;
}

#[tokio::test]
async fn rights_of_key_pairs_hold_for_links_of_version_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let reader = Keys::add(&file, "reader", vec!["models=read".parse().unwrap()]).unwrap();
    let server = Server::start(Config { keys: Some(file), ..config(folder.path().join("data")) }).await.unwrap();
    let client = Client::new(server.local_addr()).signing_with(&reader.access_key, reader.secret_key());
    let (access_key, secret_key) = server.owner_keys();
    let owner = client.signing_with(access_key, secret_key);
    blocking(move || {
        owner.put("/models/k", b"x");
        let of = |method: &str| link(&client, method, "/models/k", "", in_a_minute());
        assert_eq!(ask(&client, "GET", &of("GET"), &[], b"").status, 200);
        for method in ["PUT", "DELETE"] {
            let answer = ask(&client, method, &of(method), &[], b"");
            assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{method}");
        }
        let other = link(&client.signing_with("minioadmin", "minioadmin"), "GET", "/models/k", "", in_a_minute());
        assert_eq!(ask(&client, "GET", &other, &[], b"").code(), "InvalidAccessKeyId");
        // A browser opens such a link like one of version 4.
        let tab = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(ask(&client, "GET", &of("GET"), &tab, b"").status, 200);
        assert_eq!(ask(&client, "GET", &of("GET"), &tab[..2], b"").status, 403);
    })
    .await;
}
