//! Conditional requests in one table: each request, and the answer that Amazon S3 documents.
//!
//! The same table is tried on MinIO, without the rows in which it is known to differ.

use crate::browsers::md5_of;
use crate::client::{Answer, Client};
use crate::serve::{blocking, running};

const BUCKET: &str = "conditional";
const ETAG: &str = "149603e6c03516362a8da23f624db945";
const CURRENT: &str = "\"149603e6c03516362a8da23f624db945\"";
const WEAK: &str = "W/\"149603e6c03516362a8da23f624db945\"";
const OTHER: &str = "\"00000000000000000000000000000000\"";
const PAST: &str = "Thu, 01 Jan 2015 00:00:00 GMT";
const FUTURE: &str = "Fri, 01 Jan 2038 00:00:00 GMT";

const MATCH: &str = "if-match";
const NONE_MATCH: &str = "if-none-match";
const MODIFIED: &str = "if-modified-since";
const UNMODIFIED: &str = "if-unmodified-since";

/// The operation on a key.
#[derive(Clone, Copy, Debug)]
enum Do {
    Get,
    Head,
    Put,
    Complete,
    /// Copies another object onto the key.
    CopyTo,
    /// Copies the key; condition names get the prefix for a source.
    CopyFrom,
    PartFrom,
    Delete,
    /// Deletes in bulk; the value of `if-match` is the entry's tag.
    DeleteListed,
}
use Do::{Complete, CopyFrom, CopyTo, Delete, DeleteListed, Get, Head, PartFrom, Put};

/// Whether MinIO gives the same answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Minio {
    Agrees,
    Differs,
}
use Minio::{Agrees, Differs};

type Row = (Do, bool, &'static [(&'static str, &'static str)], u16, &'static str, Minio);

/// Operation, whether the object exists, conditions, status, code.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Reads: all spellings of tags.
    (Get, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (Get, true, &[(MATCH, ETAG)], 200, "", Agrees),
    (Get, true, &[(MATCH, "*")], 200, "", Agrees),
    (Get, true, &[(MATCH, WEAK)], 412, "PreconditionFailed", Agrees),
    (Get, true, &[(MATCH, "\"*\"")], 412, "PreconditionFailed", Agrees),
    (Get, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Agrees),
    (Get, true, &[(MATCH, "\"x\", \"149603e6c03516362a8da23f624db945\"")], 200, "", Differs),
    (Get, true, &[(NONE_MATCH, CURRENT)], 304, "", Agrees),
    (Get, true, &[(NONE_MATCH, ETAG)], 304, "", Agrees),
    (Get, true, &[(NONE_MATCH, "*")], 304, "", Agrees),
    (Get, true, &[(NONE_MATCH, WEAK)], 304, "", Differs),
    (Get, true, &[(NONE_MATCH, OTHER)], 200, "", Agrees),
    (Get, false, &[(MATCH, CURRENT)], 404, "NoSuchKey", Agrees),
    (Get, false, &[(NONE_MATCH, "*")], 404, "NoSuchKey", Agrees),
    // Reads: dates, and which of two conditions takes precedence.
    (Get, true, &[(MODIFIED, PAST)], 200, "", Agrees),
    (Get, true, &[(MODIFIED, FUTURE)], 304, "", Differs),
    (Get, true, &[(UNMODIFIED, PAST)], 412, "PreconditionFailed", Agrees),
    (Get, true, &[(UNMODIFIED, FUTURE)], 200, "", Agrees),
    (Get, true, &[(MATCH, CURRENT), (UNMODIFIED, PAST)], 200, "", Agrees),
    (Get, true, &[(MATCH, OTHER), (UNMODIFIED, FUTURE)], 412, "PreconditionFailed", Agrees),
    (Get, true, &[(NONE_MATCH, CURRENT), (MODIFIED, PAST)], 304, "", Agrees),
    (Get, true, &[(NONE_MATCH, OTHER), (MODIFIED, FUTURE)], 200, "", Differs),
    (Get, true, &[(MATCH, CURRENT), (NONE_MATCH, CURRENT)], 304, "", Agrees),
    (Get, true, &[(MATCH, OTHER), (NONE_MATCH, CURRENT)], 412, "PreconditionFailed", Differs),
    (Head, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (Head, true, &[(MATCH, OTHER)], 412, "", Agrees),
    (Head, true, &[(NONE_MATCH, CURRENT)], 304, "", Agrees),
    (Head, true, &[(UNMODIFIED, PAST)], 412, "", Agrees),
    (Head, true, &[(MODIFIED, PAST)], 200, "", Agrees),
    (Head, false, &[(MATCH, CURRENT)], 404, "", Agrees),
    // Writes.
    (Put, false, &[(NONE_MATCH, "*")], 200, "", Agrees),
    (Put, true, &[(NONE_MATCH, "*")], 412, "PreconditionFailed", Agrees),
    (Put, true, &[(NONE_MATCH, OTHER)], 501, "NotImplemented", Differs),
    (Put, false, &[(NONE_MATCH, CURRENT)], 501, "NotImplemented", Differs),
    (Put, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (Put, true, &[(MATCH, ETAG)], 200, "", Agrees),
    (Put, true, &[(MATCH, WEAK)], 412, "PreconditionFailed", Agrees),
    (Put, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Agrees),
    (Put, false, &[(MATCH, CURRENT)], 404, "NoSuchKey", Agrees),
    (Put, true, &[(MATCH, "*")], 501, "NotImplemented", Differs),
    (Complete, false, &[(NONE_MATCH, "*")], 200, "", Agrees),
    (Complete, true, &[(NONE_MATCH, "*")], 412, "PreconditionFailed", Agrees),
    (Complete, true, &[(NONE_MATCH, OTHER)], 501, "NotImplemented", Differs),
    (Complete, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (Complete, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Agrees),
    (Complete, false, &[(MATCH, CURRENT)], 404, "NoSuchKey", Agrees),
    (CopyTo, false, &[(NONE_MATCH, "*")], 200, "", Agrees),
    (CopyTo, true, &[(NONE_MATCH, "*")], 412, "PreconditionFailed", Differs),
    (CopyTo, true, &[(NONE_MATCH, OTHER)], 501, "NotImplemented", Differs),
    (CopyTo, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (CopyTo, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Differs),
    (CopyTo, false, &[(MATCH, CURRENT)], 404, "NoSuchKey", Differs),
    // The source of a copy.
    (CopyFrom, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (CopyFrom, true, &[(MATCH, ETAG)], 200, "", Agrees),
    (CopyFrom, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Agrees),
    (CopyFrom, true, &[(NONE_MATCH, CURRENT)], 412, "PreconditionFailed", Agrees),
    (CopyFrom, true, &[(NONE_MATCH, OTHER)], 200, "", Agrees),
    (CopyFrom, true, &[(MODIFIED, PAST)], 200, "", Agrees),
    (CopyFrom, true, &[(MODIFIED, FUTURE)], 412, "PreconditionFailed", Differs),
    (CopyFrom, true, &[(UNMODIFIED, PAST)], 412, "PreconditionFailed", Agrees),
    (CopyFrom, true, &[(UNMODIFIED, FUTURE)], 200, "", Agrees),
    (CopyFrom, true, &[(MATCH, CURRENT), (UNMODIFIED, PAST)], 200, "", Differs),
    (CopyFrom, true, &[(NONE_MATCH, CURRENT), (MODIFIED, PAST)], 412, "PreconditionFailed", Agrees),
    (CopyFrom, false, &[(MATCH, CURRENT)], 404, "NoSuchKey", Agrees),
    (PartFrom, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (PartFrom, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Agrees),
    (PartFrom, true, &[(NONE_MATCH, CURRENT)], 412, "PreconditionFailed", Agrees),
    (PartFrom, true, &[(UNMODIFIED, PAST)], 412, "PreconditionFailed", Agrees),
    // Deletes.
    (Delete, true, &[(MATCH, CURRENT)], 204, "", Agrees),
    (Delete, true, &[(MATCH, "*")], 204, "", Agrees),
    (Delete, true, &[(MATCH, OTHER)], 412, "PreconditionFailed", Differs),
    (Delete, false, &[(MATCH, CURRENT)], 404, "NoSuchKey", Differs),
    (Delete, false, &[(MATCH, "*")], 404, "NoSuchKey", Differs),
    (Delete, false, &[], 204, "", Agrees),
    (Delete, true, &[("x-amz-if-match-size", "3")], 204, "", Agrees),
    (Delete, true, &[("x-amz-if-match-size", "4")], 412, "PreconditionFailed", Differs),
    (Delete, false, &[("x-amz-if-match-size", "3")], 204, "", Agrees),
    (Delete, true, &[("x-amz-if-match-last-modified-time", PAST)], 412, "PreconditionFailed", Differs),
    (DeleteListed, true, &[(MATCH, CURRENT)], 200, "", Agrees),
    (DeleteListed, true, &[(MATCH, ETAG)], 200, "", Agrees),
    (DeleteListed, true, &[(MATCH, "*")], 200, "", Agrees),
    (DeleteListed, true, &[(MATCH, OTHER)], 200, "PreconditionFailed", Differs),
    (DeleteListed, false, &[(MATCH, CURRENT)], 200, "NoSuchKey", Differs),
];

/// Sends a row's request to an existing or missing key, and returns the answer and whether the key is unchanged.
fn ask(client: &Client, row: &Row) -> (Answer, bool) {
    let (what, exists, conditions, ..) = *row;
    let key = format!("/{BUCKET}/key");
    let other = format!("/{BUCKET}/other");
    client.send("DELETE", &key, &[], b"");
    client.send("DELETE", &other, &[], b"");
    if exists {
        assert_eq!(client.put(&key, b"old").header("etag"), Some(CURRENT));
    }
    let begin = || client.send("POST", &format!("{key}?uploads="), &[], b"").element("UploadId").unwrap();
    let answer = match what {
        Get => client.send("GET", &key, conditions, b""),
        Head => client.send("HEAD", &key, conditions, b""),
        Put => client.send("PUT", &key, conditions, b"new"),
        Delete => client.send("DELETE", &key, conditions, b""),
        Complete => {
            let id = begin();
            let tag = client.put(&format!("{key}?partNumber=1&uploadId={id}"), b"new");
            let body = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
                tag.header("etag").unwrap()
            );
            client.send("POST", &format!("{key}?uploadId={id}"), conditions, body.as_bytes())
        }
        CopyTo => {
            client.put(&other, b"new");
            let headers = [&[("x-amz-copy-source", other.as_str())], conditions].concat();
            client.send("PUT", &key, &headers, b"")
        }
        CopyFrom | PartFrom => {
            let named: Vec<_> =
                conditions.iter().map(|(name, value)| (format!("x-amz-copy-source-{name}"), *value)).collect();
            let mut headers = vec![("x-amz-copy-source", key.as_str())];
            headers.extend(named.iter().map(|(name, value)| (name.as_str(), *value)));
            match what {
                CopyFrom => client.send("PUT", &other, &headers, b""),
                _ => client.send("PUT", &format!("{key}?partNumber=1&uploadId={}", begin()), &headers, b""),
            }
        }
        DeleteListed => {
            let body = format!("<Delete><Object><Key>key</Key><ETag>{}</ETag></Object></Delete>", conditions[0].1);
            client.send("POST", &format!("/{BUCKET}?delete="), &[("content-md5", &md5_of(&body))], body.as_bytes())
        }
    };
    let now = client.get(&key);
    let same = if exists { now.text() == "old" } else { now.status == 404 };
    (answer, same)
}

fn try_all(client: &Client, rows: impl Iterator<Item = &'static Row>) {
    // On a shared server it may exist from an earlier run.
    assert!(matches!(client.put(&format!("/{BUCKET}"), b"").status, 200 | 409));
    let mut wrong = String::new();
    for row in rows {
        let (what, exists, conditions, status, code, _) = *row;
        let (answer, same) = ask(client, row);
        let refused = status >= 300 || !code.is_empty();
        let writes = !matches!(what, Get | Head | CopyFrom | PartFrom);
        // Deleting a missing key changes nothing.
        let changes = writes && !refused && (exists || !matches!(what, Delete | DeleteListed));
        if (answer.status, answer.code().as_str(), same) != (status, code, !changes) {
            wrong.push_str(&format!(
                "{what:?} exists={exists} {conditions:?}: {} {:?}, unchanged: {same}\n",
                answer.status,
                answer.code()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_answer_as_documented() {
    let r = running().await;
    let client = r.client;
    blocking(move || try_all(&client, TABLE.iter())).await;
}

#[ignore = "needs MinIO: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread")]
async fn minio_answers_conditions_alike() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").unwrap();
    let client = Client::new(endpoint.trim_start_matches("http://").trim_end_matches('/').parse().unwrap());
    blocking(move || try_all(&client, TABLE.iter().filter(|row| row.5 == Minio::Agrees))).await;
}
