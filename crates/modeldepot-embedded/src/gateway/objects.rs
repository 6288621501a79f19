//! Put and delete.

use hyper::HeaderMap;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Gateway, describe, etag, refuse_version, refuse_write_features, size};
use crate::checksum::{Algorithm, Checksums, Claims, put_sums, sums_of};
use crate::conditions::{Tags, WriteConditions, seconds};
use crate::receive::{Incoming, Received, discard, receive, waits_for_continue};
use crate::record::{self, Segment};
use crate::refusal::precondition_failed;
use crate::seen::Keys;
use crate::xml::check_key;

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
        let incoming = Incoming { body, len, claims, trailers: req.trailing_headers };
        let Received { staged, len, digests } = receive(&self.store.disk, incoming).await?;

        let object = record::Object {
            size: len,
            etag: hex::encode(digests.md5),
            modified: record::now(),
            parts: None,
            checksums: Checksums { sums: digests.sums, composite: false },
            description,
        };
        let mut output = PutObjectOutput {
            e_tag: Some(etag(&object.etag)),
            checksum_type: object.checksums.kind(),
            ..Default::default()
        };
        put_sums!(output, &object.checksums.sums);
        self.run(move |store| {
            let segments: Vec<_> = staged.iter().map(|staged| Segment { blob: staged.id(), len, part: 1 }).collect();
            let put = store.index.put(&input.bucket, &input.key, &object, &segments, &conditions);
            store.settle(staged, put.map(|freed| ((), freed)))
        })
        .await?;
        Ok(S3Response::new(output))
    }

    /// Does everything about a put that can be refused before its body is read.
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
            self.write_conditions(input.if_match.take().map(Tags::from), input.if_none_match.take().map(Tags::from));
        let (bucket, key, hint) = (input.bucket.clone(), input.key.clone(), conditions.clone());
        self.run(move |store| store.index.check(&bucket, &key, &hint)).await?;
        Ok((claims, description, conditions))
    }

    pub(super) async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        refuse_version(input.version_id.as_deref())?;
        let guard = Guard {
            tags: input.if_match.map(Tags::from),
            modified: input.if_match_last_modified_time.as_ref().map(seconds),
            size: input.if_match_size,
            ignored: self.double.ignores_conditions(),
        };
        self.run(move |store| {
            let deleted = store.index.delete(&input.bucket, &input.key, |object| guard.check(object));
            store.settle(None, deleted.map(|freed| ((), freed)))
        })
        .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
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
                let asked = delete.objects.iter().map(|object| {
                    let version = refuse_version(object.version_id.as_deref());
                    let guard = Guard {
                        tags: object.e_tag.as_ref().map(|etag| Tags::parse(etag.value())),
                        modified: object.last_modified_time.as_ref().map(seconds),
                        size: object.size,
                        ignored,
                    };
                    (object.key.as_str(), move |found: Option<&record::Object>| {
                        version?;
                        guard.check(found)
                    })
                });
                let deleted = store.index.delete_many(&bucket, asked);
                let results = store.settle(None, deleted)?;
                Ok(delete.objects.into_iter().map(|object| object.key).zip(results).collect::<Vec<_>>())
            })
            .await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (key, result) in results {
            match result {
                Ok(()) if quiet => {}
                Ok(()) => deleted.push(DeletedObject { key: Some(key), ..Default::default() }),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    key: Some(key),
                    version_id: None,
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None }))
    }
}

/// What must hold of an object that is deleted.
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
            // Deleting nothing succeeds, unless the client says that there is something.
            let conditions = WriteConditions { if_match: self.tags, if_none_match: None };
            return conditions.check(None);
        };
        WriteConditions { if_match: self.tags, if_none_match: None }.check(Some(object))?;
        let same_time = self.modified.is_none_or(|modified| modified == object.modified);
        let same_size = self.size.is_none_or(|said| said == size(object.size));
        if same_time && same_size { Ok(()) } else { Err(precondition_failed()) }
    }
}

/// Returns the checksums that the client announces to send after the body.
pub(super) fn announced(headers: &HeaderMap) -> Vec<Algorithm> {
    headers
        .get_all("x-amz-trailer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| Algorithm::of_header(name.trim()))
        .collect()
}
