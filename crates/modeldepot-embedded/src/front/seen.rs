//! What a request asked for and how it ended, for logs.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::{Method, Request};
use modeldepot_listen::Peer;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::head::is_form;

/// The longest access key that is logged in full.
const LONGEST_KEY: usize = 128;

/// Bytes of keys per log line.
const LINE: usize = 2048;

/// A callback for every request, called when its answer begins.
#[derive(Clone)]
pub struct OnRequest(Arc<dyn Fn(&Seen) + Send + Sync>);

impl OnRequest {
    /// Wraps a function. It is called on the threads that serve requests, so it must not block.
    pub fn new(tell: impl Fn(&Seen) + Send + Sync + 'static) -> OnRequest {
        OnRequest(Arc::new(tell))
    }

    pub(crate) fn tell(&self, seen: &Seen) {
        (self.0)(seen);
    }
}

impl fmt::Debug for OnRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRequest(..)")
    }
}

/// A request as logged, without secrets or signatures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its id, which the answer carries too.
    pub request: String,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// The access key that it names. If the request was refused, its sender may not know the secret key.
    pub access_key: Option<String>,
    /// The S3 operation, as far as the request's head tells.
    pub operation: &'static str,
    /// Whether the operation changes something.
    pub changes: bool,
    /// The bucket, if it names one.
    pub bucket: Option<String>,
    /// The keys of the objects concerned.
    pub keys: Vec<String>,
    /// The status of the answer. 0 when the connection ended without one.
    pub status: u16,
}

/// The keys of a request whose head does not name them, and the access key of a form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    keys: Vec<String>,
    access_key: Option<String>,
}

impl Keys {
    pub(crate) fn add<'k>(&self, keys: impl Iterator<Item = &'k str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys.extend(keys.map(str::to_owned));
    }

    /// Records the access key of a form.
    pub(crate) fn sign(&self, credential: Option<&str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).access_key = credential.and_then(key_of);
    }
}

impl Seen {
    /// Reads the head of a request.
    pub(crate) fn of<B>(request: &Request<B>) -> Seen {
        // The protocol layer decodes paths and parameter names before it splits them.
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (bucket, key) = (filled(bucket), filled(key));
        let query = request.uri().query().unwrap_or_default();
        let copies = request.headers().contains_key("x-amz-copy-source");
        let (mut operation, changes) = operation(request.method(), bucket.is_some(), key.is_some(), query, copies);
        if is_form(request) {
            operation = "PostObject";
        }
        Seen {
            request: String::new(),
            remote: request.extensions().get::<Peer>().map(|peer| peer.address.ip()),
            access_key: access_key(request.headers(), query),
            operation,
            changes,
            bucket,
            keys: key.into_iter().collect(),
            status: 0,
        }
    }

    pub(crate) fn ended(mut self, keys: &Keys, request: &str, status: u16) -> Seen {
        let mut told = keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.keys.append(&mut told.keys);
        self.access_key = self.access_key.or_else(|| told.access_key.take());
        drop(told);
        Seen { request: request.to_owned(), status, ..self }
    }

    /// Returns true if the answer is that access is denied.
    pub fn is_refused(&self) -> bool {
        matches!(self.status, 401 | 403 | 421 | 429)
    }

    /// Splits the keys into log lines; returns at least one.
    pub fn lines(&self) -> Vec<&[String]> {
        let (mut lines, mut begin, mut bytes) = (Vec::new(), 0, 0);
        for (at, key) in self.keys.iter().enumerate() {
            if at > begin && bytes + key.len() > LINE {
                lines.push(&self.keys[begin..at]);
                (begin, bytes) = (at, 0);
            }
            bytes += key.len();
        }
        lines.push(&self.keys[begin..]);
        lines
    }
}

/// Returns the name of the operation, and whether it changes something.
fn operation(method: &Method, bucket: bool, key: bool, query: &str, copies: bool) -> (&'static str, bool) {
    let has = |name: &str| form_urlencoded::parse(query.as_bytes()).any(|(found, _)| found == name);
    match (method.as_str(), bucket, key) {
        ("GET", false, _) => ("ListBuckets", false),
        (method @ ("GET" | "PUT" | "DELETE"), true, key) if configures(query, key).is_some() => {
            let [get, put, delete] = configures(query, key).unwrap_or_default();
            match method {
                "GET" => (get, false),
                "PUT" => (put, true),
                _ => (delete, true),
            }
        }
        ("GET", true, false) if has("uploads") => ("ListMultipartUploads", false),
        ("GET", true, false) => ("ListObjects", false),
        ("GET", true, true) if has("uploadId") => ("ListParts", false),
        ("GET", true, true) => ("GetObject", false),
        ("HEAD", true, false) => ("HeadBucket", false),
        ("HEAD", true, true) => ("HeadObject", false),
        ("PUT", true, false) => ("CreateBucket", true),
        ("PUT", true, true) if has("partNumber") && copies => ("UploadPartCopy", true),
        ("PUT", true, true) if has("partNumber") => ("UploadPart", true),
        ("PUT", true, true) if copies => ("CopyObject", true),
        ("PUT", true, true) => ("PutObject", true),
        ("POST", true, false) if has("delete") => ("DeleteObjects", true),
        ("POST", true, true) if has("uploads") => ("CreateMultipartUpload", true),
        ("POST", true, true) if has("uploadId") => ("CompleteMultipartUpload", true),
        ("DELETE", true, false) => ("DeleteBucket", true),
        ("DELETE", true, true) if has("uploadId") => ("AbortMultipartUpload", true),
        ("DELETE", true, true) => ("DeleteObject", true),
        ("OPTIONS", ..) => ("Options", false),
        ("HEAD", false, _) => ("Other", false),
        _ => ("Other", true),
    }
}

/// Returns the operations that read, set and delete the subresource in a query.
fn configures(query: &str, key: bool) -> Option<[&'static str; 3]> {
    form_urlencoded::parse(query.as_bytes()).find_map(|(name, _)| match (&*name, key) {
        ("tagging", true) => Some(["GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"]),
        ("acl", true) => Some(["GetObjectAcl", "PutObjectAcl", "Other"]),
        ("attributes", true) => Some(["GetObjectAttributes", "Other", "Other"]),
        ("tagging", false) => Some(["GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"]),
        ("acl", false) => Some(["GetBucketAcl", "PutBucketAcl", "Other"]),
        ("cors", false) => Some(["GetBucketCors", "PutBucketCors", "DeleteBucketCors"]),
        ("lifecycle", false) => Some(["GetBucketLifecycle", "PutBucketLifecycle", "DeleteBucketLifecycle"]),
        ("policy", false) => Some(["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"]),
        ("versioning", false) => Some(["GetBucketVersioning", "PutBucketVersioning", "Other"]),
        (
            "encryption" | "replication" | "website" | "notification" | "logging" | "accelerate" | "requestPayment"
            | "ownershipControls" | "publicAccessBlock" | "object-lock" | "policyStatus" | "location",
            false,
        ) => Some(["GetBucketConfiguration", "PutBucketConfiguration", "DeleteBucketConfiguration"]),
        _ => None,
    })
}

/// Returns the access key in a header or a presigned URL.
fn access_key(headers: &hyper::HeaderMap, query: &str) -> Option<String> {
    let header = headers.get(hyper::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.split("Credential=").nth(1));
    let in_query = || {
        let own = |name: &str| matches!(name, "X-Amz-Credential" | "AWSAccessKeyId");
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| own(name))
    };
    let scope = header.map(Cow::Borrowed).or_else(|| in_query().map(|(_, value)| value))?;
    key_of(&scope)
}

fn key_of(scope: &str) -> Option<String> {
    Some(scope.split(['/', ',', ' ']).next()?.chars().take(LONGEST_KEY).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: &str, uri: &str, headers: &[(&str, &str)]) -> Seen {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(uri), |request, (name, value)| request.header(*name, *value));
        Seen::of(&request.body(()).unwrap())
    }

    #[test]
    fn a_head_says_who_asks_what_and_holds_no_signature() {
        let header =
            "AWS4-HMAC-SHA256 Credential=ana/20261126/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=secret";
        let put = seen("PUT", "/models/a%20b/c?partNumber=1&uploadId=x", &[("authorization", header)]);
        assert_eq!((put.operation, put.changes, put.access_key.as_deref()), ("UploadPart", true, Some("ana")));
        assert_eq!((put.bucket.as_deref(), put.keys.as_slice()), (Some("models"), &["a b/c".to_owned()][..]));
        let get = seen("GET", "/models/k?X-Amz-Credential=bo%2F20261126%2Fx&X-Amz-Signature=secret", &[]);
        assert_eq!((get.operation, get.changes, get.access_key.as_deref()), ("GetObject", false, Some("bo")));
        assert!(!format!("{put:?}{get:?}").contains("secret"));
        assert_eq!(seen("POST", "/models?delete&x-id=DeleteObjects", &[]).operation, "DeleteObjects");
        assert_eq!(seen("GET", "/", &[]).operation, "ListBuckets");
        assert_eq!(seen("PUT", "/models/k", &[("x-amz-copy-source", "/a/b")]).operation, "CopyObject");
        // Percent-encoding makes no difference.
        let odd = seen("DELETE", "/models%2Fa%2fvictim?X-Amz-%43redential=bo%2Fx&upload%49d=7", &[]);
        assert_eq!((odd.operation, odd.access_key.as_deref()), ("AbortMultipartUpload", Some("bo")));
        assert_eq!((odd.bucket.as_deref(), odd.keys.as_slice()), (Some("models"), &["a/victim".to_owned()][..]));
        // Unknown operations count as changes.
        assert_eq!(
            (seen("PATCH", "/models/k", &[]).operation, seen("PATCH", "/models/k", &[]).changes),
            ("Other", true)
        );
    }
}
