//! Put and delete.

use hyper::HeaderMap;
use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::{Gateway, describe, etag, refuse_write_features, size};
use crate::access::keys::Right;
use crate::access::{Rights, denied, rights};
use crate::body::receive::{Incoming, Received, discard, receive};
use crate::checksum::{Algorithm, Checksums, Claims, put_sums, sums_of};
use crate::front::seen::Keys;
use crate::front::xml::check_key;
use crate::head::waits_for_continue;
use crate::index::conditions::{Tags, WriteConditions, seconds};
use crate::index::record::{self, Segment};
use crate::index::stamp::{Versioning, Which};
use crate::refusal::precondition_failed;
use crate::store::Store;

/// The most keys S3 deletes in one request.
const MAX_DELETE: usize = 1000;

impl Gateway {
    pub(super) async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = req.input;
        let waits = waits_for_continue(&req.headers);
        let body = input.body.take();
        let prepared = self.prepare_put(&mut input, &req.headers).await;
        let (claims, description, conditions) = match prepared {
            Ok(prepared) => prepared,
            Err(refused) => {
                discard(body, waits).await;
                return Err(refused);
            }
        };
        let len = input.content_length.and_then(|len| u64::try_from(len).ok());
        let incoming = Incoming { body, len, claims, trailers: req.trailing_headers, waits };
        let Received { staged, len, digests, coded } = receive(&self.store.disk, incoming).await?;

        let object = record::Object {
            size: len,
            etag: hex::encode(digests.md5),
            modified: record::now(),
            parts: None,
            checksums: Checksums { sums: digests.sums, composite: false },
            description,
            stamp: Default::default(),
        };
        let mut output = PutObjectOutput {
            e_tag: Some(etag(&object.etag)),
            checksum_type: object.checksums.kind(),
            ..Default::default()
        };
        put_sums!(output, &object.checksums.sums);
        output.version_id = self
            .run(move |store| {
                let segments: Vec<_> =
                    staged.iter().map(|staged| Segment { blob: staged.id(), len, part: 1, coded }).collect();
                let put = store.index.put(&input.bucket, &input.key, object, &segments, &conditions);
                store.settle(staged, put)
            })
            .await?;
        Ok(S3Response::new(output))
    }

    /// Makes every check of a put that is possible before its body is read.
    async fn prepare_put(
        &self,
        input: &mut PutObjectInput,
        headers: &HeaderMap,
    ) -> S3Result<(Claims, record::Description, WriteConditions)> {
        check_key(&input.key)?;
        refuse_write_features!(input)?;
        super::refuse_unsupported([(input.write_offset_bytes.is_some(), "appending")])?;
        let claims = Claims {
            md5: input.content_md5.take(),
            sums: sums_of!(input),
            trailers: announced(headers),
            wanted: Algorithm::parse_requested(input.checksum_algorithm.as_ref())?,
        };
        let description = describe!(input)?;
        let conditions =
            self.write_conditions(input.if_match.take().map(Tags::from), input.if_none_match.take().map(Tags::from))?;
        let (bucket, key, hint) = (input.bucket.clone(), input.key.clone(), conditions.clone());
        self.run(move |store| store.index.check(&bucket, &key, &hint)).await?;
        Ok((claims, description, conditions))
    }

    pub(super) async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let rights = rights(&req)?.clone();
        let input = req.input;
        // An empty version id must not delete the current object.
        if input.version_id.as_deref() == Some("") {
            return Err(s3_error!(InvalidArgument, "Version id cannot be the empty string"));
        }
        let which = Which::parse(input.version_id.as_deref())?;
        let guard = Guard {
            tags: input.if_match.map(Tags::from),
            modified: input.if_match_last_modified_time.as_ref().map(seconds),
            size: input.if_match_size,
            ignored: self.double.ignores_conditions(),
        };
        let deleted = self
            .run(move |store| {
                let guarded = |object: Option<&record::Object>| guard.check(object);
                let deleted = match which {
                    None => store.index.delete(&input.bucket, &input.key, guarded),
                    Some(which) => {
                        may_delete_versions(store, &rights, &input.bucket)?;
                        store.index.delete_version(&input.bucket, &input.key, &which, guarded)
                    }
                };
                store.settle(None, deleted)
            })
            .await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id: deleted.version,
            ..Default::default()
        }))
    }

    pub(super) async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let rights = rights(&req)?.clone();
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        if delete.objects.is_empty() || delete.objects.len() > MAX_DELETE {
            return Err(s3_error!(MalformedXML, "Between 1 and 1000 keys may be deleted at once"));
        }
        if let Some(seen) = req.extensions.get::<Keys>() {
            seen.add(delete.objects.iter().map(|object| object.key.as_str()));
        }
        let quiet = delete.quiet == Some(true);
        let ignored = self.double.ignores_conditions();
        let results = self
            .run(move |store| {
                let named =
                    delete.objects.iter().any(|object| object.version_id.as_ref().is_some_and(|id| !id.is_empty()));
                let permitted = if named { may_delete_versions(store, &rights, &bucket) } else { Ok(()) };
                let asked = delete.objects.iter().map(|object| {
                    let which = Which::parse(object.version_id.as_deref());
                    let refused = match &which {
                        Ok(None) => None,
                        Ok(Some(_)) => permitted.as_ref().err().map(|_| denied()),
                        Err(error) => Some(S3Error::with_message(
                            error.code().clone(),
                            error.message().unwrap_or_default().to_owned(),
                        )),
                    };
                    let guard = Guard {
                        tags: object.e_tag.as_ref().map(|etag| Tags::parse(etag.value())),
                        modified: object.last_modified_time.as_ref().map(seconds),
                        size: object.size,
                        ignored,
                    };
                    let allowed = move |found: Option<&record::Object>| match refused {
                        Some(refused) => Err(refused),
                        None => guard.check(found),
                    };
                    (object.key.as_str(), which.ok().flatten(), allowed)
                });
                let deleted = store.index.delete_many(&bucket, asked);
                let results = store.settle(None, deleted)?;
                Ok(delete.objects.into_iter().zip(results).collect::<Vec<_>>())
            })
            .await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (object, result) in results {
            let named = object.version_id.filter(|id| !id.is_empty());
            match result {
                Ok(_) if quiet => {}
                // A named version is echoed; a delete marker that was created or deleted has its own fields.
                Ok(done) => deleted.push(DeletedObject {
                    key: Some(object.key),
                    delete_marker: done.marker.then_some(true),
                    delete_marker_version_id: done.version.filter(|_| done.marker),
                    version_id: named,
                }),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    key: Some(object.key),
                    version_id: named,
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None }))
    }
}

/// Refuses to delete versions permanently with a key that may only write: versions are kept to protect against
/// such a key. On Amazon S3 it is a separate right, too.
fn may_delete_versions(store: &Store, rights: &Rights, bucket: &str) -> S3Result<()> {
    if rights.allow(Right::Admin, bucket) || store.index.versioning(bucket)? == Versioning::Off {
        return Ok(());
    }
    Err(denied())
}

/// The conditions on an object to delete.
struct Guard {
    tags: Option<Tags>,
    modified: Option<i64>,
    size: Option<i64>,
    ignored: bool,
}

impl Guard {
    fn check(self, object: Option<&record::Object>) -> S3Result<()> {
        if self.ignored {
            return Ok(());
        }
        let Some(object) = object else {
            // Deleting a missing object succeeds, unless the client says that it exists.
            let conditions = WriteConditions { if_match: self.tags, if_none_match: None };
            return conditions.check(None);
        };
        WriteConditions { if_match: self.tags, if_none_match: None }.check(Some(object))?;
        let same_time = self.modified.is_none_or(|modified| modified == object.modified);
        let same_size = self.size.is_none_or(|said| said == size(object.size));
        if same_time && same_size { Ok(()) } else { Err(precondition_failed()) }
    }
}

/// Returns the checksums that the client announced to send after the body.
pub(super) fn announced(headers: &HeaderMap) -> Vec<Algorithm> {
    headers
        .get_all("x-amz-trailer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| Algorithm::of_header(name.trim()))
        .collect()
}
