//! What else a server allows the holder of a presigned upload URL.

use modeldepot::advice::Advice;
use modeldepot::s3::UnsignedHeaders;
use modeldepot::{Error, ModelStorage};

use crate::backend::Backend;
use crate::misbehaving::{Act, Asked, Misbehaving};

/// The object that the probe tries to have copied.
const SOURCE: &[u8] = b"an object that the URL does not name";

/// Returns true for a request by presigned URL with such an unsigned header.
fn unsigned(asked: &Asked, name: &str) -> bool {
    asked.path.contains("X-Amz-Signature=") && asked.headers.keys().any(|header| header.starts_with(name))
}

fn stored() -> Act {
    Act::Answer(200, vec![("etag", "\"9dd4e461268c8034f5c8564e155c67a6\"".to_owned())], Vec::new())
}

/// Returns the probe's result for a server that answers some requests with `play`, and otherwise works.
async fn found(play: impl Fn(&Asked) -> Option<Act> + Send + Sync + 'static) -> (UnsignedHeaders, Result<(), Error>) {
    let b = Backend::embedded().await;
    let server = Misbehaving::before(b.client().endpoint(), move |asked| play(asked).unwrap_or(Act::Pass)).await;
    let mut settings = server.settings(std::time::Duration::from_secs(30));
    settings.buckets = b.settings.buckets.clone();
    let storage = ModelStorage::open(&settings).await.unwrap();
    let found = storage.probe().await.unwrap().capabilities.unsigned_headers;
    assert_eq!(b.keys().await, [""; 0], "the probe cleans up");
    let checked = ModelStorage::open(&settings).await.unwrap().check_upload_urls().await;
    (found, checked)
}

/// The answer of a server that follows S3.
fn as_s3(asked: &Asked) -> Option<Act> {
    unsigned(asked, "x-amz-").then(|| Act::refuse(403, "AccessDenied"))
}

#[tokio::test]
async fn a_server_that_refuses_unsigned_headers() {
    let (found, checked) = found(as_s3).await;
    assert_eq!(found, UnsignedHeaders::Refused);
    checked.unwrap();
}

#[tokio::test]
async fn a_server_that_ignores_unsigned_headers() {
    let (found, checked) = found(|asked| unsigned(asked, "x-amz-").then(stored)).await;
    assert_eq!(found, UnsignedHeaders::Ignored);
    checked.unwrap();
}

#[tokio::test]
async fn a_server_that_stores_unsigned_metadata() {
    let (found, checked) = found(|asked| {
        if asked.is("HEAD", "by-url-marked") {
            let headers = vec![("etag", "\"x\"".to_owned()), ("x-amz-meta-added", "unsigned".to_owned())];
            return Some(Act::Answer(200, headers, Vec::new()));
        }
        if unsigned(asked, "x-amz-meta-") { Some(stored()) } else { as_s3(asked) }
    })
    .await;
    assert_eq!(found, UnsignedHeaders::Obeyed);
    checked.unwrap();
}

#[tokio::test]
async fn a_server_that_copies_an_object_that_nobody_signed() {
    let (found, checked) = found(|asked| {
        if unsigned(asked, "x-amz-copy-source") && !asked.path.contains("partNumber") {
            return Some(Act::Answer(200, Vec::new(), b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>".to_vec()));
        }
        if asked.is("GET", "by-url-copied?") || asked.is("GET", "by-url-copied") {
            return Some(Act::Answer(200, Vec::new(), SOURCE.to_vec()));
        }
        as_s3(asked)
    })
    .await;
    assert_eq!(found, UnsignedHeaders::Copied);
    let refused = checked.unwrap_err();
    assert!(refused.to_string().contains("can copy any object"), "{refused:?}");
    assert!(
        refused.to_string().contains("anyone with such a URL can copy any object that its signer can read"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_copies_into_a_part_only() {
    let (found, checked) = found(|asked| {
        if unsigned(asked, "x-amz-copy-source") && asked.path.contains("partNumber=2") {
            return Some(Act::Answer(200, Vec::new(), b"<CopyPartResult><ETag>e</ETag></CopyPartResult>".to_vec()));
        }
        if asked.is("GET", "by-url-part") {
            let part = |number, size| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>e</ETag><Size>{size}</Size></Part>")
            };
            let parts = part(1, 11) + &part(2, SOURCE.len());
            let list = format!("<ListPartsResult>{parts}<IsTruncated>false</IsTruncated></ListPartsResult>");
            return Some(Act::Answer(200, Vec::new(), list.into_bytes()));
        }
        as_s3(asked)
    })
    .await;
    assert_eq!(found, UnsignedHeaders::Copied);
    assert!(checked.as_ref().is_err_and(|error| error.advice(None) == Some(Advice::AvoidUploadUrls)), "{checked:?}");
}

/// A wrong clock must not look like a server that refuses the header.
#[tokio::test]
async fn a_server_that_accepts_no_presigned_url() {
    let (found, checked) =
        found(|asked| asked.path.contains("X-Amz-Signature=").then(|| Act::refuse(403, "RequestTimeTooSkewed"))).await;
    assert_eq!(found, UnsignedHeaders::Unknown);
    let refused = checked.unwrap_err();
    assert!(refused.to_string().contains("accepts no presigned URL"), "{refused:?}");
}
