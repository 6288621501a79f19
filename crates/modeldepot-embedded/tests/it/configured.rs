//! Configuration of buckets and objects: tags, attributes, ACLs, CORS and lifecycle rules.

use modeldepot_embedded::{Keys, Server, Swept};

use crate::client::{Answer, Client};
use crate::serve::{blocking, config, running};

const DAY: i64 = 24 * 60 * 60;

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn tagging(tags: &[(&str, &str)]) -> String {
    let tags: String =
        tags.iter().map(|(name, value)| format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>")).collect();
    format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
}

#[tokio::test]
async fn tags_go_with_objects() {
    let r = running().await;
    let folder = r.folder;
    let client = r.client;
    let client = blocking(move || {
        let tags = |key: &str| client.get(&format!("/models/{key}?tagging=")).text();
        assert_eq!(client.send("PUT", "/models/k", &[("x-amz-tagging", "a=1&b=x%20y")], b"x").status, 200);
        assert!(tags("k").contains("<Tag><Key>b</Key><Value>x y</Value></Tag>"), "{}", tags("k"));
        for method in ["GET", "HEAD"] {
            let answer = client.send(method, "/models/k", &[], b"");
            assert_eq!(answer.header("x-amz-tagging-count"), Some("2"), "{method}");
        }
        let before = client.get("/models/k").header("last-modified").unwrap().to_owned();
        let put = client.send("PUT", "/models/k?tagging=", &[], tagging(&[("c", "3")]).as_bytes());
        assert_eq!(put.status, 200, "{}", put.text());
        assert!(tags("k").contains("<Key>c</Key>") && !tags("k").contains("<Key>a</Key>"));
        assert_eq!(client.get("/models/k").header("last-modified"), Some(&*before));
        // Copies keep the tags unless others are given.
        let copy = |to: &str, more: &[(&str, &str)]| {
            let headers = [&[("x-amz-copy-source", "/models/k")], more].concat();
            let answer = client.send("PUT", &format!("/models/{to}"), &headers, b"");
            assert_eq!(answer.status, 200, "{}", answer.text());
        };
        copy("copied", &[]);
        copy("replaced", &[("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "d=4")]);
        copy("described", &[("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-a", "b")]);
        assert!(tags("copied").contains("<Key>c</Key>") && tags("described").contains("<Key>c</Key>"));
        assert!(tags("replaced").contains("<Key>d</Key>") && !tags("replaced").contains("<Key>c</Key>"));
        let begun = client.send("POST", "/models/up?uploads=", &[("x-amz-tagging", "e=5")], b"");
        let id = begun.element("UploadId").unwrap();
        let part = client.put(&format!("/models/up?partNumber=1&uploadId={id}"), b"x");
        let etag = part.header("etag").unwrap();
        let parts = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        );
        assert_eq!(client.send("POST", &format!("/models/up?uploadId={id}"), &[], parts.as_bytes()).status, 200);
        assert!(tags("up").contains("<Key>e</Key>"));
        // A put without tags removes them.
        client.put("/models/copied", b"y");
        assert!(!tags("copied").contains("<Key>"));
        assert_eq!(client.send("DELETE", "/models/k?tagging=", &[], b"").status, 204);
        assert!(!tags("k").contains("<Key>") && client.get("/models/k").header("x-amz-tagging-count").is_none());
        for (put, code) in [
            (tagging(&[("a", "1"), ("a", "2")]), "InvalidTag"),
            (tagging(&[("aws:x", "1")]), "InvalidTag"),
            (tagging(&[("", "1")]), "InvalidTag"),
            ("<Tagging>".into(), "MalformedXML"),
        ] {
            assert_eq!(client.send("PUT", "/models/k?tagging=", &[], put.as_bytes()).code(), code, "{put}");
        }
        assert_eq!(client.get("/models/none?tagging=").code(), "NoSuchKey");
        assert_eq!(client.send("PUT", "/models/none?tagging=", &[], tagging(&[]).as_bytes()).code(), "NoSuchKey");

        assert_eq!(client.get("/models?tagging=").code(), "NoSuchTagSet");
        let many: Vec<_> = (0..51).map(|n| (format!("k{n}"), "v")).collect();
        let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let put = |tags: &[(&str, &str)]| client.send("PUT", "/models?tagging=", &[], tagging(tags).as_bytes());
        assert_eq!(put(&many).code(), "BadRequest");
        assert_eq!(put(&many[..50]).status, 200);
        client
    })
    .await;
    r.server.stop().await.unwrap();
    let server = Server::start(config(folder.path())).await.unwrap();
    let client = Client { address: server.local_addr(), ..client };
    blocking(move || {
        assert!(client.get("/models?tagging=").text().contains("<Key>k49</Key>"));
        assert!(client.get("/models/up?tagging=").text().contains("<Key>e</Key>"));
        assert_eq!(client.send("DELETE", "/models?tagging=", &[], b"").status, 204);
        assert_eq!(client.get("/models?tagging=").code(), "NoSuchTagSet");
        // A recreated bucket has nothing of the previous one.
        client.send("PUT", "/again", &[], b"");
        assert_eq!(client.send("PUT", "/again?tagging=", &[], tagging(&[("a", "b")]).as_bytes()).status, 200);
        assert_eq!(client.send("DELETE", "/again", &[], b"").status, 204);
        client.send("PUT", "/again", &[], b"");
        assert_eq!(client.get("/again?tagging=").code(), "NoSuchTagSet");
    })
    .await;
}

#[tokio::test]
async fn attributes_and_acls() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"hello");
        let attributes = |key: &str, names: &str| {
            client.send("GET", &format!("/models/{key}?attributes="), &[("x-amz-object-attributes", names)], b"")
        };
        let all = attributes("k", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize");
        assert_eq!(all.status, 200, "{}", all.text());
        assert_eq!(all.element("ObjectSize").as_deref(), Some("5"));
        assert_eq!(all.element("StorageClass").as_deref(), Some("STANDARD"));
        assert_eq!(all.element("ETag").as_deref(), Some("5d41402abc4b2a76b9719d911017c592"));
        assert!(all.element("ChecksumCRC64NVME").is_some() && all.element("ObjectParts").is_none());
        assert!(all.header("last-modified").is_some());
        let some = attributes("k", "ObjectSize");
        assert!(some.element("ETag").is_none() && some.element("Checksum").is_none(), "{}", some.text());
        assert_eq!(attributes("k", "Colour").code(), "InvalidArgument");
        assert_eq!(attributes("none", "ETag").code(), "NoSuchKey");
        let id = client.send("POST", "/models/up?uploads=", &[], b"").element("UploadId").unwrap();
        let large = vec![b'x'; 5 << 20];
        let mut parts = String::new();
        for (number, body) in [(2, &large[..]), (7, b"end")] {
            let part = client.put(&format!("/models/up?partNumber={number}&uploadId={id}"), body);
            let etag = part.header("etag").unwrap();
            parts += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        let parts = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        assert_eq!(client.send("POST", &format!("/models/up?uploadId={id}"), &[], parts.as_bytes()).status, 200);
        let page = client.send(
            "GET",
            "/models/up?attributes=",
            &[("x-amz-max-parts", "1"), ("x-amz-object-attributes", "ObjectParts")],
            b"",
        );
        for (name, value) in
            [("PartsCount", "2"), ("PartNumber", "2"), ("NextPartNumberMarker", "2"), ("IsTruncated", "true")]
        {
            assert_eq!(page.element(name).as_deref(), Some(value), "{}", page.text());
        }

        for target in ["/models?acl=", "/models/k?acl="] {
            let acl = client.get(target);
            assert_eq!(acl.element("Permission").as_deref(), Some("FULL_CONTROL"), "{}", acl.text());
            // What was read can be written back.
            assert_eq!(client.send("PUT", target, &[], &acl.body).status, 200, "{target}");
            assert_eq!(client.send("PUT", target, &[("x-amz-acl", "private")], b"").status, 200, "{target}");
            for header in [
                ("x-amz-acl", "public-read"),
                ("x-amz-grant-read", "uri=http://acs.amazonaws.com/groups/global/AllUsers"),
            ] {
                let refused = client.send("PUT", target, &[header], b"");
                assert_eq!(
                    (refused.status, refused.code()),
                    (400, "AccessControlListNotSupported".into()),
                    "{header:?}"
                );
            }
            let everyone = String::from_utf8(acl.body.clone()).unwrap().replacen("<ID>owner</ID>", "<ID>all</ID>", 9);
            assert_eq!(client.send("PUT", target, &[], everyone.as_bytes()).code(), "AccessControlListNotSupported");
        }
        for (method, target) in [("PUT", "/models/p"), ("PUT", "/public"), ("POST", "/models/p?uploads=")] {
            let refused = client.send(method, target, &[("x-amz-acl", "public-read")], b"");
            assert_eq!(refused.code(), "AccessControlListNotSupported", "{method} {target}");
            let kept = client.send(method, target, &[("x-amz-acl", "private")], b"");
            assert_eq!(kept.status, 200, "{method} {target}");
        }
        let full = [("x-amz-acl", "bucket-owner-full-control")];
        assert_eq!(client.send("PUT", "/models/p", &full, b"").status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_is_never_set_is_answered_as_aws_answers_it() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        for (target, status, code) in [
            ("/models?policy=", 404, "NoSuchBucketPolicy"),
            ("/models?policyStatus=", 404, "NoSuchBucketPolicy"),
            ("/models?encryption=", 404, "ServerSideEncryptionConfigurationNotFoundError"),
            ("/models?replication=", 404, "ReplicationConfigurationNotFoundError"),
            ("/models?website=", 404, "NoSuchWebsiteConfiguration"),
            ("/models?cors=", 404, "NoSuchCORSConfiguration"),
            ("/models?lifecycle=", 404, "NoSuchLifecycleConfiguration"),
            ("/models?tagging=", 404, "NoSuchTagSet"),
            ("/models?object-lock=", 404, "ObjectLockConfigurationNotFoundError"),
            ("/models/k?retention=", 400, "InvalidRequest"),
            ("/models/k?legal-hold=", 400, "InvalidRequest"),
            ("/models?logging=", 200, ""),
            ("/models?notification=", 200, ""),
            ("/models?accelerate=", 200, ""),
            ("/models?requestPayment=", 200, ""),
            ("/models?location=", 200, ""),
            ("/models?ownershipControls=", 200, ""),
            ("/models?publicAccessBlock=", 200, ""),
            ("/none?policy=", 404, "NoSuchBucket"),
            ("/none?cors=", 404, "NoSuchBucket"),
            ("/none?lifecycle=", 404, "NoSuchBucket"),
            ("/none?acl=", 404, "NoSuchBucket"),
        ] {
            let answer = client.get(target);
            assert_eq!((answer.status, answer.code()), (status, code.into()), "{target}");
        }
        assert_eq!(client.get("/models?requestPayment=").element("Payer").as_deref(), Some("BucketOwner"));
        let policy = client.send("PUT", "/models?policy=", &[], b"{}");
        assert_eq!((policy.status, policy.code()), (501, "NotImplemented".into()));
        assert!(policy.text().contains("modeldepot key add"), "{}", policy.text());
        let block = client.get("/models?publicAccessBlock=").body;
        assert_eq!(client.send("PUT", "/models?publicAccessBlock=", &[], &block).status, 200);
        let open = String::from_utf8(block).unwrap().replace("true", "false");
        assert_eq!(client.send("PUT", "/models?publicAccessBlock=", &[], open.as_bytes()).code(), "NotImplemented");
    })
    .await;
}

const CORS: &str = "<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example</AllowedOrigin>\
                    <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader>\
                    <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>";

fn browse(client: &Client, method: &str, target: &str, marks: &str) -> Answer {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 0\r\n{marks}\r\n",
        client.address
    );
    client.raw(&head, b"")
}

#[tokio::test]
async fn cors_rules_let_pages_ask_and_signatures_decide() {
    let r = running().await;
    let client = r.client;
    let client = blocking(move || {
        client.put("/models/k", b"x");
        client.send("PUT", "/other", &[], b"");
        client.put("/other/k", b"x");
        let link = client.link("GET", "/models/k", "", "600", &[]);
        let page = "origin: https://app.example\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: cors\r\n";
        let asks =
            format!("{page}access-control-request-method: PUT\r\naccess-control-request-headers: content-type\r\n");
        assert_eq!(browse(&client, "GET", &link, page).status, 403);
        let put = client.send("PUT", "/models?cors=", &[], CORS.as_bytes());
        assert_eq!(put.status, 200, "{}", put.text());
        assert_eq!(client.get("/models?cors=").element("ExposeHeader").as_deref(), Some("ETag"));
        let preflight = browse(&client, "OPTIONS", "/models/k", &asks);
        assert_eq!(preflight.status, 200, "{}", preflight.text());
        for (name, value) in [
            ("access-control-allow-origin", "https://app.example"),
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "content-type"),
            ("access-control-max-age", "60"),
        ] {
            assert_eq!(preflight.header(name), Some(value), "{}", preflight.head);
        }
        let got = browse(&client, "GET", &link, page);
        assert_eq!((got.status, got.header("access-control-allow-origin")), (200, Some("https://app.example")));
        assert_eq!(got.header("access-control-expose-headers"), Some("ETag"));
        assert!(got.header("access-control-allow-credentials").is_none());
        // A rule does not replace a signature, and does not apply to another bucket, origin or method.
        let unsigned = browse(&client, "GET", "/models/k", page);
        assert_eq!((unsigned.status, unsigned.code()), (403, "AccessDenied".into()));
        assert_eq!(browse(&client, "GET", &client.link("GET", "/other/k", "", "600", &[]), page).status, 403);
        assert_eq!(browse(&client, "DELETE", &client.link("DELETE", "/models/k", "", "600", &[]), page).status, 403);
        let other = asks.replace("app.example", "evil.example");
        assert_eq!(browse(&client, "OPTIONS", "/models/k", &other).code(), "AccessForbidden");
        assert_eq!(browse(&client, "OPTIONS", "/models/k", &asks.replace("PUT", "DELETE")).code(), "AccessForbidden");
        assert_eq!(browse(&client, "GET", &link, &page.replace("app", "evil")).status, 403);
        client
    })
    .await;
    let folder = r.folder;
    r.server.stop().await.unwrap();
    let server = Server::start(config(folder.path())).await.unwrap();
    let client = Client { address: server.local_addr(), ..client };
    blocking(move || {
        let page = "origin: https://app.example\r\nsec-fetch-site: cross-site\r\n";
        let link = client.link("GET", "/models/k", "", "600", &[]);
        assert_eq!(browse(&client, "GET", &link, page).status, 200, "rules outlive a restart");
        // With the default login, a rule for any origin allows nothing.
        let any = CORS.replace("https://app.example", "*");
        assert_eq!(client.send("PUT", "/models?cors=", &[], any.as_bytes()).status, 200);
        assert_eq!(browse(&client, "GET", &link, page).status, 403);
        assert_eq!(client.send("PUT", "/models?cors=", &[], CORS.as_bytes()).status, 200);
        assert_eq!(client.send("DELETE", "/models?cors=", &[], b"").status, 204);
        assert_eq!(browse(&client, "GET", &link, page).status, 403);
        assert_eq!(
            client.send("PUT", "/models?cors=", &[], CORS.replace("PUT", "PATCH").as_bytes()).code(),
            "InvalidRequest"
        );
    })
    .await;
}

#[tokio::test]
async fn a_rule_lets_a_page_into_its_own_bucket_alone() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.send("PUT", "/other", &[], b"");
        client.put("/other/secret", b"secret");
        client.put("/models/k", b"x");
        assert_eq!(client.send("PUT", "/models?cors=", &[], CORS.as_bytes()).status, 200);
        let copy = |source: &str| {
            let page =
                [("origin", "https://app.example"), ("sec-fetch-site", "cross-site"), ("x-amz-copy-source", source)];
            client.send("PUT", "/models/copy", &page, b"").status
        };
        assert_eq!(copy("/models/k"), 200);
        for source in ["/other/secret", "other/secret", "other%2Fsecret", "/other/secret?versionId=null"] {
            assert_eq!(copy(source), 403, "{source}");
        }
        assert_eq!(client.get("/models/copy").body, b"x");
        assert_eq!(client.send("PUT", "/other?cors=", &[], CORS.as_bytes()).status, 200);
        assert_eq!(copy("/other/secret"), 200);
        // Configuring the bucket remains the owner's right.
        let page = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
        let any = CORS.replace("app.example", "evil.example");
        assert_eq!(client.send("PUT", "/models?cors=", &page, any.as_bytes()).status, 403);
        // Every site has frames with this origin.
        let null = CORS.replace("https://app.example", "null");
        assert_eq!(client.send("PUT", "/models?cors=", &[], null.as_bytes()).status, 200);
        let page = [("origin", "null"), ("sec-fetch-site", "cross-site")];
        assert_eq!(client.send("GET", "/models/k", &page, b"").status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_rule_for_every_origin_counts_where_keys_are_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let admin = Keys::add(&file, "admin", vec!["*=admin".parse().unwrap()]).unwrap();
    let writer = Keys::add(&file, "writer", vec!["*=write".parse().unwrap()]).unwrap();
    let config = modeldepot_embedded::Config { keys: Some(file), ..config(folder.path().join("data")) };
    let server = Server::start(config).await.unwrap();
    let client = Client::new(server.local_addr()).signing_with(&admin.access_key, admin.secret_key());
    let writer = client.signing_with(&writer.access_key, writer.secret_key());
    blocking(move || {
        client.put("/models/k", b"x");
        let any = CORS.replace("https://app.example", "*");
        assert_eq!(writer.send("PUT", "/models?cors=", &[], any.as_bytes()).code(), "AccessDenied");
        assert_eq!(client.send("PUT", "/models?cors=", &[], any.as_bytes()).status, 200);
        assert_eq!(writer.get("/models?cors=").status, 200);
        let page = "origin: https://any.example\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: cors\r\n";
        let got = browse(&client, "GET", &writer.link("GET", "/models/k", "", "600", &[]), page);
        assert_eq!((got.status, got.header("access-control-allow-origin")), (200, Some("*")));
        assert_eq!(browse(&client, "GET", "/models/k", page).status, 403);
        for (target, body) in [("/models?tagging=", tagging(&[("a", "b")])), ("/models?lifecycle=", lifecycle("", ""))]
        {
            assert_eq!(writer.send("PUT", target, &[], body.as_bytes()).code(), "AccessDenied", "{target}");
            assert_eq!(writer.send("DELETE", target, &[], b"").code(), "AccessDenied", "{target}");
        }
        assert_eq!(writer.send("PUT", "/models/k?tagging=", &[], tagging(&[("a", "b")]).as_bytes()).status, 200);
    })
    .await;
}

fn lifecycle(filter: &str, actions: &str) -> String {
    format!(
        "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter>{filter}</Filter>{actions}</Rule>\
         </LifecycleConfiguration>"
    )
}

#[tokio::test]
async fn objects_expire_and_uploads_are_given_up() {
    let r = running().await;
    let client = r.client;
    let client = blocking(move || {
        for key in ["tmp/a", "tmp/b", "keep/a"] {
            client.put(&format!("/models/{key}"), b"x");
        }
        client.send("PUT", "/models/tmp/tagged", &[("x-amz-tagging", "keep=no")], b"x");
        client.send("POST", "/models/tmp/up?uploads=", &[], b"");
        client.send("POST", "/models/keep/up?uploads=", &[], b"");
        let and = "<And><Prefix>tmp/</Prefix><Tag><Key>keep</Key><Value>no</Value></Tag></And>";
        let expire = "<Expiration><Days>2</Days></Expiration>";
        let rules = lifecycle(and, expire);
        let put = client.send("PUT", "/models?lifecycle=", &[], rules.as_bytes());
        assert_eq!(put.status, 200, "{}", put.text());
        let got = client.get("/models?lifecycle=");
        assert_eq!(got.element("And").as_deref(), Some(&and["<And>".len()..and.len() - "</And>".len()]));
        client
    })
    .await;
    assert_eq!(r.server.sweep_as_of(now() + DAY).await.unwrap(), Swept::default());
    assert_eq!(r.server.sweep_as_of(now() + 4 * DAY).await.unwrap(), Swept { expired: 1, aborted: 0 });
    let client = blocking(move || {
        assert_eq!(client.get("/models/tmp/tagged").status, 404);
        assert_eq!(client.get("/models/tmp/a").status, 200);
        let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
                     </AbortIncompleteMultipartUpload>";
        let rules = lifecycle("<Prefix>tmp/</Prefix>", &format!("<Expiration><Days>1</Days></Expiration>{abort}"));
        assert_eq!(client.send("PUT", "/models?lifecycle=", &[], rules.as_bytes()).status, 200);
        client
    })
    .await;
    assert_eq!(r.server.sweep_as_of(now()).await.unwrap(), Swept::default());
    assert_eq!(r.server.sweep_as_of(now() + 3 * DAY).await.unwrap(), Swept { expired: 2, aborted: 1 });
    let client = blocking(move || {
        assert_eq!(client.get("/models/keep/a").status, 200);
        let uploads = client.get("/models?uploads=").text();
        assert!(uploads.contains("keep/up") && !uploads.contains("tmp/up"), "{uploads}");
        let disabled = lifecycle("", "<Expiration><Days>1</Days></Expiration>").replace("Enabled", "Disabled");
        assert_eq!(client.send("PUT", "/models?lifecycle=", &[], disabled.as_bytes()).status, 200);
        client
    })
    .await;
    assert_eq!(r.server.sweep_as_of(now() + 9 * DAY).await.unwrap(), Swept::default());
    blocking(move || {
        // The deprecated form is returned as it was given.
        let legacy =
            lifecycle("", "<Expiration><Days>1</Days></Expiration>").replace("<Filter></Filter>", "<Prefix>a</Prefix>");
        assert_eq!(client.send("PUT", "/models?lifecycle=", &[], legacy.as_bytes()).status, 200);
        let got = client.get("/models?lifecycle=").text();
        assert!(got.contains("<Prefix>a</Prefix>") && !got.contains("<Filter>"), "{got}");
        for (rules, code) in [
            (lifecycle("", ""), "InvalidRequest"),
            (lifecycle("", "<Expiration><Days>0</Days></Expiration>"), "InvalidArgument"),
            (lifecycle("", "<Expiration></Expiration>"), "MalformedXML"),
            (lifecycle("", "<Expiration><Date>2026-11-26T01:00:00Z</Date></Expiration>"), "InvalidArgument"),
            (
                lifecycle("", "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
                "NotImplemented",
            ),
            (
                lifecycle(
                    "<Prefix>a</Prefix><Tag><Key>a</Key><Value>b</Value></Tag>",
                    "<Expiration><Days>1</Days></Expiration>",
                ),
                "MalformedXML",
            ),
            ("<LifecycleConfiguration></LifecycleConfiguration>".into(), "MalformedXML"),
            ("nonsense".into(), "MalformedXML"),
        ] {
            let answer = client.send("PUT", "/models?lifecycle=", &[], rules.as_bytes());
            assert_eq!(answer.code(), code, "{rules}: {}", answer.text());
        }
        assert_eq!(client.send("DELETE", "/models?lifecycle=", &[], b"").status, 204);
        assert_eq!(client.get("/models?lifecycle=").code(), "NoSuchLifecycleConfiguration");
    })
    .await;
}

#[tokio::test]
async fn many_objects_expire_page_by_page() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        for n in 0..30 {
            client.put(&format!("/models/{n}"), b"x");
        }
        let rules = lifecycle("<Prefix></Prefix>", "<Expiration><Date>2026-11-27T00:00:00Z</Date></Expiration>");
        assert_eq!(client.send("PUT", "/models?lifecycle=", &[], rules.as_bytes()).status, 200);
    })
    .await;
    assert_eq!(r.server.sweep_as_of(1_795_737_599).await.unwrap(), Swept::default(), "a second before");
    assert_eq!(r.server.sweep_as_of(1_795_737_600).await.unwrap(), Swept { expired: 30, aborted: 0 });
    crate::serve::settle_at(0, r.folder.path());
}
