//! Answers to invalid requests: one table, for this server and for a real MinIO.
//!
//! The answers are AWS's. Where MinIO differs, the row says how.

use crate::client::{Answer, Client};
use crate::serve::{blocking, running};

/// How a request is signed.
#[derive(Clone, Copy, Debug)]
enum Sign {
    Right,
    /// Not at all.
    None,
    /// With another secret.
    Wrong,
    /// With an unknown access key.
    Unknown,
    /// With this text in place of the `Authorization` header.
    Header(&'static str),
    /// Correctly, but with this date everywhere.
    Date(&'static str),
    /// Correctly, but without sending this header.
    Without(&'static str),
}

struct Row {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    sign: Sign,
    status: u16,
    code: &'static str,
    /// MinIO's answer, if it differs.
    minio: Option<(u16, &'static str)>,
}

const fn row(
    name: &'static str,
    (method, target): (&'static str, &'static str),
    status: u16,
    code: &'static str,
) -> Row {
    Row { name, method, target, headers: &[], body: "", sign: Sign::Right, status, code, minio: None }
}

impl Row {
    const fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    const fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    const fn sign(mut self, sign: Sign) -> Self {
        self.sign = sign;
        self
    }

    const fn minio(mut self, status: u16, code: &'static str) -> Self {
        self.minio = Some((status, code));
        self
    }

    fn send(&self, client: &Client, upload: &str) -> Answer {
        let target = self.target.replace("UPLOAD", upload);
        let body = self.body.as_bytes();
        let client = match self.sign {
            Sign::Wrong => client.signing_with(&client.access_key, "another secret"),
            Sign::Unknown => client.signing_with("nobody", &client.secret_key),
            _ => client.signing_with(&client.access_key, &client.secret_key),
        };
        let length = format!("content-length: {}\r\n", body.len());
        let plain: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let bare = |authorization: String| {
            format!(
                "{} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{authorization}{length}{plain}\r\n",
                self.method, client.address
            )
        };
        let signed = || client.head(self.method, &target, self.headers, body.len());
        let head = match self.sign {
            Sign::None => bare(String::new()),
            Sign::Header(value) => bare(format!("authorization: {value}\r\n")),
            Sign::Date(date) => {
                let stamp =
                    signed().lines().find_map(|line| Some(line.strip_prefix("x-amz-date: ")?.to_owned())).unwrap();
                let dated = signed().replace(&stamp, date);
                if date.len() == stamp.len() { dated.replace(&stamp[..8], &date[..8]) } else { dated }
            }
            Sign::Without(name) => {
                let start = format!("{name}:");
                signed().split_inclusive("\r\n").filter(|line| !line.starts_with(&start)).collect()
            }
            _ => signed(),
        };
        // In one write: a server that refuses by the head may close before more arrives.
        client.raw(&(head + self.body), b"")
    }
}

const MD5_OF_X: &str = "ndTkYSaMgDT1yFZOFVxnpg==";

const TABLE: &[Row] = &[
    // Credentials.
    row("not signed", ("GET", "/errors/k"), 403, "AccessDenied").sign(Sign::None),
    row("a listing not signed", ("GET", "/errors"), 403, "AccessDenied").sign(Sign::None),
    row("a put not signed", ("PUT", "/errors/k"), 403, "AccessDenied").sign(Sign::None).body("x"),
    row("buckets not signed", ("GET", "/"), 403, "AccessDenied").sign(Sign::None),
    row("another secret", ("GET", "/errors/k"), 403, "SignatureDoesNotMatch").sign(Sign::Wrong),
    row("an unknown key", ("GET", "/errors/k"), 403, "InvalidAccessKeyId").sign(Sign::Unknown),
    row("no scheme", ("GET", "/errors/k"), 400, "InvalidArgument").sign(Sign::Header("Bearer x")).minio(403, "AccessDenied"),
    row("nothing signed", ("GET", "/errors/k"), 400, "AuthorizationHeaderMalformed")
        .sign(Sign::Header("AWS4-HMAC-SHA256 nonsense")).minio(400, "AccessDenied"),
    row("no credential", ("GET", "/errors/k"), 400, "AuthorizationHeaderMalformed")
        .sign(Sign::Header("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=0")).minio(400, "AccessDenied"),
    row("an old date", ("GET", "/errors/k"), 403, "RequestTimeTooSkewed").sign(Sign::Date("20200101T000000Z")),
    row("a date to come", ("GET", "/errors/k"), 403, "RequestTimeTooSkewed").sign(Sign::Date("20990101T000000Z")),
    row("no date", ("GET", "/errors/k"), 403, "AccessDenied").sign(Sign::Without("x-amz-date")).minio(400, "AccessDenied"),
    row("a date that is none", ("GET", "/errors/k"), 403, "AccessDenied").sign(Sign::Date("yesterday")).minio(400, "MalformedDate"),
    row("no digest of the body", ("PUT", "/errors/k"), 400, "InvalidRequest")
        .sign(Sign::Without("x-amz-content-sha256"))
        .body("x").minio(400, "AccessDenied"),
    row("an old link", ("GET", "/errors/k?AWSAccessKeyId=minioadmin&Expires=1&Signature=AAAA"), 403, "AccessDenied")
        .sign(Sign::None),
    row("a link without an end", ("GET", "/errors/k?AWSAccessKeyId=minioadmin&Signature=AAAA"), 403, "AccessDenied")
        .sign(Sign::None).minio(400, "AuthorizationQueryParametersError"),
    // Buckets and keys.
    row("no bucket", ("GET", "/none-such"), 404, "NoSuchBucket"),
    row("no bucket of an object", ("GET", "/none-such/k"), 404, "NoSuchBucket"),
    row("no bucket for a put", ("PUT", "/none-such/k"), 404, "NoSuchBucket").body("x"),
    row("no bucket to delete", ("DELETE", "/none-such"), 404, "NoSuchBucket"),
    row("a bucket with objects", ("DELETE", "/errors"), 409, "BucketNotEmpty"),
    row("a name too short", ("PUT", "/ab"), 400, "InvalidBucketName"),
    row("a name with a capital", ("PUT", "/Errors"), 400, "InvalidBucketName"),
    row("a name with an underscore", ("PUT", "/er_rors"), 400, "InvalidBucketName"),
    row("a name that is an address", ("PUT", "/192.168.0.1"), 400, "InvalidBucketName"),
    row("no object", ("GET", "/errors/none"), 404, "NoSuchKey"),
    row("no object to copy", ("PUT", "/errors/copy"), 404, "NoSuchKey").with(&[("x-amz-copy-source", "/errors/none")]),
    row("a copy onto itself", ("PUT", "/errors/k"), 400, "InvalidRequest").with(&[("x-amz-copy-source", "/errors/k")]),
    row("a control character", ("PUT", "/errors/a%01b"), 400, "InvalidArgument").body("x").minio(200, ""),
    // Bodies.
    row("no MD5", ("PUT", "/errors/new"), 400, "InvalidDigest").with(&[("content-md5", "nonsense")]).body("x"),
    row("another MD5", ("PUT", "/errors/new"), 400, "BadDigest").with(&[("content-md5", "1B2M2Y8AsgTpgAmy7PhCfg==")]).body("x"),
    row("the right MD5", ("PUT", "/errors/new"), 200, "").with(&[("content-md5", MD5_OF_X)]).body("x"),
    row("another checksum", ("PUT", "/errors/new"), 400, "BadDigest")
        .with(&[("x-amz-checksum-crc32", "AAAAAA==")])
        .body("x")
        .minio(400, "XAmzContentChecksumMismatch"),
    row("no checksum", ("PUT", "/errors/new"), 400, "InvalidRequest")
        .with(&[("x-amz-checksum-crc32", "nonsense")])
        .body("x")
        .minio(400, "InvalidArgument"),
    row("no length", ("PUT", "/errors/new"), 411, "MissingContentLength").sign(Sign::Without("content-length")).minio(200, ""),
    row("an ACL without a length", ("PUT", "/errors/k?acl="), 200, "")
        .with(&[("x-amz-acl", "private")])
        .sign(Sign::Without("content-length")),
    row("no XML", ("POST", "/errors?delete="), 400, "MalformedXML").with(&[("content-md5", "THV08NZiSlvx6ru/kQXNJQ==")]).body("not xml"),
    row("tags that are none", ("PUT", "/errors/k?tagging="), 400, "MalformedXML").body("<Tagging>"),
    row("tags twice", ("PUT", "/errors/new"), 400, "InvalidTag").with(&[("x-amz-tagging", "a=1&a=2")]).body("x"),
    row("eleven tags", ("PUT", "/errors/new"), 400, "BadRequest")
        .with(&[("x-amz-tagging", "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=")])
        .body("x"),
    row("a public object", ("PUT", "/errors/new"), 400, "AccessControlListNotSupported")
        .with(&[("x-amz-acl", "public-read")])
        .body("x")
        .minio(200, ""),
    // Ranges and conditions.
    row("a range behind the end", ("GET", "/errors/k"), 416, "InvalidRange").with(&[("range", "bytes=9-")]),
    row("the last no bytes", ("GET", "/errors/k"), 416, "InvalidRange").with(&[("range", "bytes=-0")]),
    row("a range that is none", ("GET", "/errors/k"), 200, "").with(&[("range", "lines=1-2")]),
    row("a range from behind", ("GET", "/errors/k"), 200, "").with(&[("range", "bytes=3-1")]).minio(416, "InvalidRange"),
    row("a date of no condition", ("GET", "/errors/k"), 200, "").with(&[("if-modified-since", "yesterday")]),
    row("another tag", ("GET", "/errors/k"), 412, "PreconditionFailed").with(&[("if-match", "\"x\"")]),
    row("a copy of another tag", ("PUT", "/errors/copy"), 412, "PreconditionFailed")
        .with(&[("x-amz-copy-source", "/errors/k"), ("x-amz-copy-source-if-match", "\"x\"")]),
    // Parameters.
    row("fewer than no keys", ("GET", "/errors?list-type=2&max-keys=-1"), 400, "InvalidArgument"),
    row("a number of keys that is none", ("GET", "/errors?list-type=2&max-keys=x"), 400, "InvalidArgument"),
    row("an unknown encoding", ("GET", "/errors?encoding-type=x&list-type=2"), 400, "InvalidArgument"),
    row("a part number of zero", ("PUT", "/errors/up?partNumber=0&uploadId=UPLOAD"), 400, "InvalidArgument").body("x").minio(400, "InvalidPart"),
    row("a part number too high", ("PUT", "/errors/up?partNumber=10001&uploadId=UPLOAD"), 400, "InvalidArgument").body("x"),
    row("a part number that is none", ("PUT", "/errors/up?partNumber=x&uploadId=UPLOAD"), 400, "InvalidArgument").body("x").minio(400, "InvalidPart"),
    row("no such version", ("GET", "/errors/k?versionId=01890f6e-0000-4000-8000-000000000000"), 404, "NoSuchVersion"),
    row("an unknown attribute", ("GET", "/errors/k?attributes="), 400, "InvalidArgument")
        .with(&[("x-amz-object-attributes", "Colour")]),
    // Uploads in parts.
    row("no upload", ("PUT", "/errors/up?partNumber=1&uploadId=none"), 404, "NoSuchUpload").body("x"),
    row("no upload to list", ("GET", "/errors/up?uploadId=none"), 404, "NoSuchUpload"),
    row("no upload to abort", ("DELETE", "/errors/up?uploadId=none"), 404, "NoSuchUpload").minio(204, ""),
    row("no such part", ("POST", "/errors/up?uploadId=UPLOAD"), 400, "InvalidPart")
        .body("<CompleteMultipartUpload><Part><PartNumber>9</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"),
    row("another part", ("POST", "/errors/up?uploadId=UPLOAD"), 400, "InvalidPart")
        .body("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"),
    row("parts out of order", ("POST", "/errors/up?uploadId=UPLOAD"), 400, "InvalidPartOrder").body(
        "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>\"9dd4e461268c8034f5c8564e155c67a6\"</ETag></Part>\
         <Part><PartNumber>1</PartNumber><ETag>\"9dd4e461268c8034f5c8564e155c67a6\"</ETag></Part></CompleteMultipartUpload>",
    ),
    row("a part too small", ("POST", "/errors/up?uploadId=UPLOAD"), 400, "EntityTooSmall").body(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"9dd4e461268c8034f5c8564e155c67a6\"</ETag></Part>\
         <Part><PartNumber>2</PartNumber><ETag>\"9dd4e461268c8034f5c8564e155c67a6\"</ETag></Part></CompleteMultipartUpload>",
    ),
    row("no parts", ("POST", "/errors/up?uploadId=UPLOAD"), 400, "MalformedXML")
        .body("<CompleteMultipartUpload></CompleteMultipartUpload>").minio(400, "InvalidRequest"),
    // Methods, and things that do not exist.
    row("a method that is none of S3", ("PATCH", "/errors/k"), 405, "MethodNotAllowed").minio(400, "BadRequest"),
    row("a put to all buckets", ("PUT", "/"), 405, "MethodNotAllowed").minio(400, "BadRequest"),
    row("a post to an object", ("POST", "/errors/k"), 405, "MethodNotAllowed").minio(400, "BadRequest"),
    row("no policy", ("GET", "/errors?policy="), 404, "NoSuchBucketPolicy"),
    row("a policy", ("PUT", "/errors?policy="), 501, "NotImplemented").body("{}").minio(400, "MalformedPolicy"),
    row("no encryption", ("GET", "/errors?encryption="), 404, "ServerSideEncryptionConfigurationNotFoundError"),
    row("no lifecycle", ("GET", "/errors?lifecycle="), 404, "NoSuchLifecycleConfiguration"),
    row("no object lock", ("GET", "/errors?object-lock="), 404, "ObjectLockConfigurationNotFoundError"),
    row("no replication", ("GET", "/errors?replication="), 404, "ReplicationConfigurationNotFoundError"),
    row("no CORS rules", ("GET", "/errors?cors="), 404, "NoSuchCORSConfiguration"),
    row("no tags of a bucket", ("GET", "/errors?tagging="), 404, "NoSuchTagSet"),
    row("no website", ("GET", "/errors?website="), 404, "NoSuchWebsiteConfiguration"),
];

fn prepare(client: &Client) -> String {
    client.send("PUT", "/errors", &[], b"");
    assert_eq!(client.put("/errors/k", b"hello").status, 200);
    let id = client.send("POST", "/errors/up?uploads=", &[], b"").element("UploadId").unwrap();
    for number in [1, 2] {
        assert_eq!(client.put(&format!("/errors/up?partNumber={number}&uploadId={id}"), b"x").status, 200);
    }
    id
}

fn compare(client: &Client, is_ours: bool) {
    let upload = prepare(client);
    let mut wrong = Vec::new();
    for row in TABLE {
        let answer = row.send(client, &upload);
        let expected = row.minio.filter(|_| !is_ours).unwrap_or((row.status, row.code));
        if (answer.status, answer.code().as_str()) != expected {
            let (status, code) = (answer.status, answer.code());
            wrong.push(format!("{}: {status} {code} instead of {expected:?}: {}", row.name, answer.text()));
        }
        if is_ours && answer.status >= 400 {
            let id = answer.header("x-amz-request-id").unwrap().to_owned();
            let named = answer.element("RequestId") == Some(id)
                && answer.header("x-amz-id-2").is_some()
                && answer.element("HostId").is_some()
                && answer.element("Message").is_some_and(|message| message.len() > 8)
                && answer.element("Resource").as_deref() == row.target.split('?').next();
            if !named {
                wrong.push(format!("{} is not about the request: {}", row.name, answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let r = running().await;
    blocking(move || compare(&r.client, true)).await;
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_answers_the_same_table() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").unwrap();
    let client = Client::new(endpoint.strip_prefix("http://").unwrap().parse().unwrap());
    compare(&client, false);
}

#[tokio::test]
async fn a_head_has_no_body_and_says_what_is_wrong_by_its_status() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"hello");
        for (target, status) in [("/models/none", 404), ("/none", 404), ("/models/k", 200), ("/Bad_Name", 400)] {
            let answer = client.send("HEAD", target, &[], b"");
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{target}");
            assert!(answer.header("x-amz-request-id").is_some());
        }
        // Requests that end early have an id, too.
        let answer = client.raw("GET /models/k HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n", b"");
        assert_eq!(answer.status, 403);
        assert_eq!(answer.element("RequestId").as_deref(), answer.header("x-amz-request-id"));
    })
    .await;
}

#[tokio::test]
async fn keys_with_every_character_come_back_as_they_are() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let keys = [
            ("a%20b", "a b"),
            ("a%2Bb", "a+b"),
            ("100%25", "100%"),
            ("%252F", "%2F"),
            ("%C3%BC%E2%82%AC%F0%9F%98%80", "ü€😀"),
            ("a//b", "a//b"),
            ("a/./b", "a/./b"),
            ("a/../b", "a/../b"),
            ("./a", "./a"),
            ("/leading", "/leading"),
            ("trailing/", "trailing/"),
            ("q%3Fx%3D1", "q?x=1"),
            ("hash%23", "hash#"),
            ("%26%3C%3E%22%27", "&<>\"'"),
            ("tab%09line%0A", "tab\tline\n"),
            ("~tilde%2A", "~tilde*"),
        ];
        for (encoded, key) in keys {
            let put = client.put(&format!("/models/{encoded}"), key.as_bytes());
            assert_eq!(put.status, 200, "{key}: {}", put.text());
        }
        for (encoded, key) in keys {
            assert_eq!(client.get(&format!("/models/{encoded}")).body, key.as_bytes(), "{key}");
            let copy =
                client.send("PUT", "/models/copied", &[("x-amz-copy-source", &format!("/models/{encoded}"))], b"");
            assert_eq!(copy.status, 200, "{key}: {}", copy.text());
            assert_eq!(client.get("/models/copied").body, key.as_bytes(), "{key}");
        }
        assert_eq!(client.send("DELETE", "/models/copied", &[], b"").status, 204);
        let listed = client.get("/models?list-type=2");
        assert_eq!(listed.element("KeyCount"), Some(keys.len().to_string()));
        let long = "k".repeat(1025);
        assert_eq!(client.put(&format!("/models/{long}"), b"x").code(), "KeyTooLongError");
        assert_eq!(client.put(&format!("/models/{}", &long[..1024]), b"x").status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_listing_echoes_what_was_asked_and_no_more() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/a/b", b"x");
        for target in [
            "/models",
            "/models?list-type=2",
            "/models?uploads=",
            "/models?delimiter=",
            "/models?delimiter=&list-type=2",
        ] {
            let text = client.get(target).text();
            assert!(!text.contains("<Delimiter") && !text.contains("<EncodingType"), "{target}: {text}");
            assert!(text.contains("<Prefix>") || text.contains("<Prefix/>"), "{target}: {text}");
        }
        let asked = client.get("/models?delimiter=%2F&encoding-type=url&list-type=2&prefix=a");
        assert_eq!(asked.element("Delimiter").as_deref(), Some("/"), "{}", asked.text());
        assert_eq!(asked.element("EncodingType").as_deref(), Some("url"));
        assert_eq!(client.get("/models?marker=a").element("Marker").as_deref(), Some("a"));
    })
    .await;
}
