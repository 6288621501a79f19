//! Requests that no normal client sends.

use std::io::Write;

use crate::client::read;
use crate::serve::{blocking, running};

#[tokio::test]
async fn nothing_without_a_signature() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"secret");
        for request in [
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "GET /models/k HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "PUT /models/k HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx",
            "DELETE /models/k HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        ] {
            let mut stream = client.connect().unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let answer = read(stream).unwrap();
            assert_eq!((answer.status, answer.code()), (403, "AccessDenied".into()), "{request}");
        }
        assert_eq!(client.get("/models/k").body, b"secret");
    })
    .await;
}

#[tokio::test]
async fn nonsense_is_answered_or_hung_up_on_and_the_server_lives() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        let form = "POST /models HTTP/1.1\r\nhost: x\r\ncontent-type: Multipart/Form-Data; boundary=b\r\n\
                    content-length: 9\r\nconnection: close\r\n\r\n--b\r\n\r\n\r\n";
        for request in [
            "\0\0\0\0\r\n\r\n",
            "GET models HTTP/1.1\r\n\r\n",
            "GET /%ff%fe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "GET /models?list-type=2&continuation-token=%00 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "PUT /models/k HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "PUT /models/k HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            "GET /models/k HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 Credential=\r\nconnection: close\r\n\r\n",
            "GET /?X-Amz-Signature=x&X-Amz-Expires=-1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            form,
        ] {
            let mut stream = client.connect().unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let answer = read(stream);
            assert!(answer.as_ref().map_or(true, |answer| answer.status >= 400), "{request:?}: {answer:?}");
        }
        assert_eq!(client.put("/models/k", b"x").status, 200);
    })
    .await;
}

#[tokio::test]
async fn signed_nonsense_is_refused_by_name() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"0123456789");
        let send = |method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]| {
            let answer = client.send(method, target, headers, body);
            assert_ne!(answer.status, 500, "{method} {target} {headers:?}: {}", answer.text());
            (answer.status, answer.code())
        };
        let not_implemented = (501, "NotImplemented".to_owned());
        for header in [
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-object-lock-mode", "COMPLIANCE"),
        ] {
            assert_eq!(send("PUT", "/models/k", &[header], b"x"), not_implemented, "{header:?}");
        }
        assert_eq!(send("PUT", "/models/k", &[("x-amz-tagging", "a=1&a=2")], b"x").1, "InvalidTag");
        let big = "v".repeat(2049);
        assert_eq!(send("PUT", "/models/k", &[("x-amz-meta-m", &big)], b"x").1, "MetadataTooLarge");
        assert_eq!(send("GET", "/models?list-type=2&max-keys=-1", &[], b"").1, "InvalidArgument");
        assert_eq!(send("GET", "/models?continuation-token=%21&list-type=2", &[], b"").1, "InvalidArgument");
        assert_eq!(send("GET", "/models?encoding-type=x&list-type=2", &[], b"").1, "InvalidArgument");
        assert_eq!(send("GET", "/models/k?versionId=7", &[], b"").1, "InvalidArgument");
        assert_eq!(send("PUT", "/models/k?partNumber=0&uploadId=x", &[], b"").1, "InvalidArgument");
        assert_eq!(send("PUT", "/models/k?partNumber=1&uploadId=x", &[], b"x").1, "NoSuchUpload");
        assert_eq!(send("PUT", "/models/k?partNumber=99999999999&uploadId=x", &[], b"x").0, 400);
        assert_eq!(send("PUT", "/No_Bucket", &[], b"").1, "InvalidBucketName");
        assert_eq!(send("POST", "/models?delete=", &[], b"<Delete></Delete>").0, 400);
        assert_eq!(send("POST", "/models?delete=", &[], b"not xml").0, 400);
        let of_nothing = ("content-md5", "1B2M2Y8AsgTpgAmy7PhCfg==");
        assert_eq!(send("POST", "/models?delete=", &[of_nothing], b""), (400, "MalformedXML".into()));
        let source = ("x-amz-copy-source", "/models/none");
        assert_eq!(send("PUT", "/models/k2", &[source], b"").1, "NoSuchKey");
        let source = ("x-amz-copy-source", "no slash");
        assert_eq!(send("PUT", "/models/k2", &[source], b"").0, 400);
        // Odd conditions must not prevent a read.
        for value in ["", "*", "\"\"", ",,,", "W/\"", "\"a\", \"b\""] {
            assert!(send("GET", "/models/k", &[("if-none-match", value)], b"").0 < 500, "{value}");
        }
        for value in [
            "bytes=",
            "bytes=a-b",
            "lines=1-2",
            "bytes=5-1",
            "bytes=0-18446744073709551615",
            "bytes=-18446744073709551615",
        ] {
            assert!(send("GET", "/models/k", &[("range", value)], b"").0 < 500, "{value}");
        }
        assert_eq!(client.get("/models/k").body, b"0123456789");
    })
    .await;
}
