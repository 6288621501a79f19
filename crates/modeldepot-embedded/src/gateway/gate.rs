//! The right that each operation needs, and what is refused before its body is read.

use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::{CopyObjectInput, CopySource, CreateMultipartUploadInput, PutObjectInput, UploadPartCopyInput};
use s3s::{S3Request, S3Result, s3_error};

use super::SERVED;
use crate::access::keys::Right;
use crate::access::{Logins, Rights, denied, rights};
use crate::body::bounded::{self, Digested};
use crate::double::Double;

/// Authorizes requests whose signature is valid.
pub(crate) struct Gate(pub(crate) Arc<Logins>, pub(crate) Double);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let credentials = cx.credentials().ok_or_else(denied)?;
        let (_, rights) = self.0.find(&credentials.access_key).ok_or_else(denied)?;
        let operation = cx.s3_op().name();
        if let Some(right) = needed(operation)? {
            rights.require(right, cx.s3_path().get_bucket_name().ok_or_else(denied)?)?;
        }
        if operation == "DeleteObjects" {
            bounded::claims(cx.headers())?;
            let headers = cx.headers();
            let is_empty =
                headers.get(CONTENT_LENGTH).is_none_or(|len| len == "0") && !headers.contains_key(TRANSFER_ENCODING);
            if is_empty {
                return Err(s3_error!(MalformedXML, "The XML you provided was not well-formed"));
            }
            if cx.extensions_mut().get::<Digested>().is_none() {
                return Err(s3_error!(NotImplemented, "Deletes in a chunked body are not implemented"));
            }
        }
        cx.extensions_mut().insert(rights);
        Ok(())
    }

    async fn put_object(&self, req: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        self.1.encrypt(&mut req.input.server_side_encryption, &mut req.input.ssekms_key_id);
        Ok(())
    }

    async fn create_multipart_upload(&self, req: &mut S3Request<CreateMultipartUploadInput>) -> S3Result<()> {
        self.1.encrypt(&mut req.input.server_side_encryption, &mut req.input.ssekms_key_id);
        Ok(())
    }

    async fn copy_object(&self, req: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        self.1.encrypt(&mut req.input.server_side_encryption, &mut req.input.ssekms_key_id);
        check_source(rights(req)?, &req.input.copy_source)
    }

    async fn upload_part_copy(&self, req: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        check_source(rights(req)?, &req.input.copy_source)
    }
}

fn check_source(rights: &Rights, source: &CopySource) -> S3Result<()> {
    match source {
        CopySource::Bucket { bucket, .. } => rights.require(Right::Read, bucket),
        _ => Err(s3_error!(NotImplemented, "Access points are not implemented")),
    }
}

/// Returns the right that an operation needs on its bucket; `None` if the operation checks rights itself.
///
/// # Errors
/// `NotImplemented` for every unsupported operation, for all callers.
fn needed(operation: &str) -> S3Result<Option<Right>> {
    Ok(Some(match operation {
        // Lists only the buckets that the caller may read.
        "ListBuckets" => return Ok(None),
        "HeadBucket" | "GetBucketLocation" | "GetBucketVersioning" => Right::Read,
        "ListObjects" | "ListObjectsV2" | "ListObjectVersions" | "HeadObject" | "GetObject" => Right::Read,
        "ListParts" | "ListMultipartUploads" => Right::Read,
        "GetObjectAttributes" | "GetObjectTagging" | "GetObjectAcl" => Right::Read,
        "GetObjectRetention" | "GetObjectLegalHold" => Right::Read,
        "PutObjectTagging" | "DeleteObjectTagging" | "PutObjectAcl" => Right::Write,
        // Reading a bucket's configuration needs the right to read the bucket. Changing it needs the right to delete
        // the bucket.
        name if name.starts_with("GetBucket") && SERVED.contains(&name) => Right::Read,
        "GetPublicAccessBlock" | "GetObjectLockConfiguration" => Right::Read,
        "PutBucketTagging" | "PutBucketCors" | "PutBucketLifecycleConfiguration" | "PutBucketAcl" => Right::Admin,
        "DeleteBucketTagging" | "DeleteBucketCors" | "DeleteBucketLifecycle" => Right::Admin,
        "DeleteBucketPolicy" | "DeleteBucketEncryption" | "DeleteBucketReplication" => Right::Admin,
        "DeleteBucketWebsite" | "PutPublicAccessBlock" => Right::Admin,
        "PutObject" | "CopyObject" | "DeleteObject" | "DeleteObjects" => Right::Write,
        "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" => Right::Write,
        "AbortMultipartUpload" | "CompleteMultipartUpload" => Right::Write,
        "CreateBucket" | "DeleteBucket" | "PutBucketVersioning" => Right::Admin,
        _ if SERVED.contains(&operation) => Right::Admin,
        "PutBucketPolicy" => {
            return Err(s3_error!(
                NotImplemented,
                "Bucket policies are not implemented: give key pairs rights on buckets with `modeldepot key add`"
            ));
        }
        _ => return Err(s3_error!(NotImplemented, "{} is not implemented", operation)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_that_is_served_needs_a_right_that_is_written_down() {
        let admins: Vec<_> =
            SERVED.iter().filter(|operation| matches!(needed(operation), Ok(Some(Right::Admin)))).collect();
        assert!(
            admins.iter().all(|name| name.contains("Bucket") || **name == "PutPublicAccessBlock"),
            "an operation without a line in the table: {admins:?}"
        );
        let free: Vec<_> = SERVED.iter().filter(|operation| matches!(needed(operation), Ok(None))).collect();
        assert_eq!(free, [&"ListBuckets"]);
        for operation in SERVED {
            let changes = !["Get", "Head", "List"].iter().any(|start| operation.starts_with(start));
            let right = needed(operation).unwrap();
            assert_eq!(changes, right.is_some_and(|right| right >= Right::Write), "{operation}");
        }
        for operation in ["PutBucketPolicy", "PutBucketWebsite", "PostObject", "SelectObjectContent", ""] {
            assert_eq!(needed(operation).unwrap_err().code().as_str(), "NotImplemented", "{operation}");
        }
    }
}
