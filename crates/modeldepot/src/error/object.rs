//! Failures of buckets and objects.

use super::{Cause, Error, ErrorKind, Mark, OtherError};
use crate::advice::{Advice, note};
use crate::model::name::BucketName;
use crate::s3::{UnsignedHeaders, codes};

impl Error {
    /// The bucket's name belongs to somebody else.
    pub(crate) fn bucket_taken(bucket: &BucketName) -> Error {
        let advice = Advice::RenameBucket { bucket: bucket.clone(), setting: None };
        OtherError::new(ErrorKind::Conflict, format!("bucket `{bucket}` belongs to another account"))
            .advise(advice)
            .into()
    }

    /// Something is stored where nothing was to be.
    pub(crate) fn object_exists(bucket: &BucketName, key: &str) -> Error {
        let advice = Advice::ShowObject { bucket: bucket.clone(), key: key.to_owned() };
        OtherError::new(ErrorKind::Conflict, format!("another object `{key}` exists in bucket `{bucket}`"))
            .advise(advice)
            .marked(Mark::ObjectExists)
            .into()
    }

    /// An object was replaced by another while it was read.
    pub(crate) fn object_changed(bucket: &BucketName, key: &str) -> Error {
        OtherError::new(ErrorKind::Unavailable, format!("`{key}` in bucket `{bucket}` was replaced while it was read"))
            .advise(note!("try again when its writer is done"))
            .into()
    }

    /// The key may not write, where something was to be published.
    fn read_only_key(bucket: &BucketName, endpoint: &str, code: &str) -> Error {
        let message = format!("this key may not write to bucket `{bucket}` at `{endpoint}`: {code}");
        OtherError::new(ErrorKind::Denied, message)
            .advise(note!(
                "this key can only pull and verify; to push, use one that may put and delete objects (s3:PutObject, \
                 s3:DeleteObject)"
            ))
            .into()
    }

    /// A URL for an upload would allow more than that upload on this server.
    pub(crate) fn upload_urls(endpoint: &str, found: UnsignedHeaders) -> Error {
        let why = match found {
            UnsignedHeaders::Copied => {
                "the server obeys unsigned headers, so anyone with such a URL can copy any object that its signer can \
                 read"
            }
            _ => "the server accepts no presigned URL, so what else one would permit cannot be tested",
        };
        let message = format!("upload URLs are not safe at `{endpoint}`: {why}");
        OtherError::new(ErrorKind::Denied, message).advise(Advice::AvoidUploadUrls).into()
    }

    /// The server refused for a reason of its own, or answered what nobody expected.
    pub(crate) fn refused(action: &str, endpoint: &str, code: String, source: impl Into<Cause>) -> Error {
        let advice = codes::advice(&code).unwrap_or(Advice::Trace(crate::advice::Traced::Response));
        let message = format!("`{endpoint}` refused to {action}: {}", codes::said(&code));
        OtherError::new(codes::kind(&code), message).because(source).advise(advice).marked(Mark::Refused(code)).into()
    }

    /// Says of a first write that was denied what that means. What is not known of the key is left as it is.
    pub(crate) fn first_write(self, bucket: &BucketName) -> Error {
        match self {
            Error::Denied { endpoint, code, .. } if code == "AccessDenied" || code == "AllAccessDisabled" => {
                Error::read_only_key(bucket, &endpoint, &code)
            }
            // The object is one of ours, of which nobody has heard.
            Error::Denied { endpoint, code, .. } => {
                Error::Denied { action: format!("write to bucket `{bucket}`"), endpoint, code }
            }
            other => other,
        }
    }
}
