//! Copies of whole objects. No bytes are copied: the new object refers to the files of the old one.

use hyper::HeaderMap;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use tokio::sync::Semaphore;

use super::tagging::tags_of_header;
use super::{Gateway, describe, etag, refuse_write_features, timestamp};
use crate::body::send::Reader;
use crate::checksum::{Algorithm, Checksums, Hashes, put_sums};
use crate::front::xml::check_key;
use crate::index::conditions::{ReadConditions, Tags};
use crate::index::objects::Copied;
use crate::index::record;
use crate::index::stamp::Which;
use crate::refusal::{internal, precondition_failed};
use crate::store::Store;

/// How many copies are read at once, for checksums or into a part. Each occupies a blocking thread throughout, and all
/// requests share those threads.
pub(super) static READING: Semaphore = Semaphore::const_new(8);

/// Returns the bucket, key and version that a copy is made from.
pub(super) fn source(source: &CopySource, headers: &HeaderMap) -> S3Result<(String, String, Option<Which>)> {
    // AWS reads a bare plus as a space, so some clients encode keys as in a form. The protocol layer does not decode
    // it.
    let with_plus = headers.get("x-amz-copy-source").and_then(|value| value.to_str().ok());
    let with_plus =
        with_plus.filter(|text| text.contains('+')).map(|text| CopySource::parse(&text.replace('+', "%20")));
    let again = with_plus.transpose().map_err(|_| s3_error!(InvalidArgument, "Invalid copy source"))?;
    match again.as_ref().unwrap_or(source) {
        CopySource::Bucket { bucket, key, version_id } => {
            Ok((bucket.to_string(), key.to_string(), Which::parse(version_id.as_deref())?))
        }
        _ => Err(s3_error!(NotImplemented, "Access points are not implemented")),
    }
}

/// Takes the conditions on the source from an input.
macro_rules! source_conditions {
    ($input:expr) => {
        $crate::index::conditions::ReadConditions {
            if_match: $input.copy_source_if_match.take().map($crate::index::conditions::Tags::from),
            if_none_match: $input.copy_source_if_none_match.take().map($crate::index::conditions::Tags::from),
            if_modified_since: $input.copy_source_if_modified_since.take(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(super) use source_conditions;

/// Checks the conditions on a source: any that does not hold is a failed precondition.
pub(super) fn check_source(conditions: &ReadConditions, object: &record::Object) -> S3Result<()> {
    conditions.check(object).map_err(|_| precondition_failed())
}

/// Computes a checksum of all bytes of an object, which must still have this ETag.
fn checksum(
    store: &Store,
    (bucket, key, which): &(String, String, Option<Which>),
    algorithm: Algorithm,
) -> S3Result<(String, Checksums)> {
    let (object, segments, pin) = store.hold(bucket, key, which.as_ref())?;
    let mut reader = Reader::open(pin, &segments, 0..object.size).map_err(internal)?;
    let mut hashes = Hashes::new(&[algorithm]);
    while let Some(piece) = reader.read().map_err(internal)? {
        hashes.update(&piece);
    }
    Ok((object.etag, Checksums { sums: hashes.finish().sums, composite: false }))
}

impl Gateway {
    pub(super) async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut input = req.input;
        check_key(&input.key)?;
        refuse_write_features!(input)?;
        super::refuse_unsupported([(input.copy_source_sse_customer_key.is_some(), "encryption with your key")])?;
        let from = source(&input.copy_source, &req.headers)?;
        let to = (input.bucket.clone(), input.key.clone());
        let on_source = source_conditions!(input);
        // This version of the protocol layer has no conditions on the target.
        let header = |name| req.headers.get(name).and_then(|value| value.to_str().ok()).map(Tags::parse);
        let on_target = self.write_conditions(header("if-match"), header("if-none-match"))?;
        let description = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
            None | Some(MetadataDirective::COPY) => None,
            Some(MetadataDirective::REPLACE) => Some(describe!(input)?),
            Some(_) => return Err(s3_error!(InvalidArgument, "Unknown metadata directive.")),
        };
        let tags = match input.tagging_directive.as_ref().map(TaggingDirective::as_str) {
            None | Some(TaggingDirective::COPY) => None,
            Some(TaggingDirective::REPLACE) => Some(tags_of_header(input.tagging.as_deref())?),
            Some(_) => return Err(s3_error!(InvalidArgument, "Unknown tagging directive.")),
        };
        // Copying an older version onto its key restores it.
        let onto_itself = from.2.is_none() && (&from.0, &from.1) == (&to.0, &to.1);
        if onto_itself && description.is_none() && tags.is_none() {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let wanted = Algorithm::parse_requested(input.checksum_algorithm.as_ref())?;
        // No work for clients that have disconnected.
        let reading = match wanted {
            Some(_) => Some(READING.acquire().await.map_err(internal)?),
            None => None,
        };
        let Copied { object: copy, version, from } = self
            .run(move |store| {
                // Held by the reading thread, even after the client has disconnected.
                let _reading = reading;
                let computed = match wanted {
                    // A checksum that is already stored needs no reading.
                    Some(algorithm) => {
                        let (head, _) = store.index.version(&from.0, &from.1, from.2.as_ref(), false)?;
                        let kept = !head.checksums.composite && head.checksums.sums.get(algorithm).is_some();
                        if kept { None } else { Some(checksum(store, &from, algorithm)?) }
                    }
                    None => None,
                };
                let source = (from.0.as_str(), from.1.as_str(), from.2.as_ref());
                let copied = store.index.copy(source, (&to.0, &to.1), &on_target, |found| {
                    check_source(&on_source, found)?;
                    let mut copy = found.clone();
                    copy.modified = record::now();
                    if let Some(description) = description {
                        copy.description = description;
                    }
                    // The tags are copied unless others are given, whatever happens to the metadata.
                    copy.description.tags = tags.unwrap_or_else(|| found.description.tags.clone());
                    if let Some((etag, checksums)) = computed {
                        if etag != found.etag {
                            return Err(s3_error!(
                                OperationAborted,
                                "The source was replaced while it was read. Try again."
                            ));
                        }
                        copy.checksums = checksums;
                    }
                    Ok(copy)
                });
                store.settle(None, copied)
            })
            .await?;
        let mut result = CopyObjectResult {
            e_tag: Some(etag(&copy.etag)),
            last_modified: Some(timestamp(copy.modified)),
            checksum_type: copy.checksums.kind(),
            ..Default::default()
        };
        put_sums!(result, &copy.checksums.sums);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            version_id: version,
            copy_source_version_id: from,
            ..Default::default()
        }))
    }
}
