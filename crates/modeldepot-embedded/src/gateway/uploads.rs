//! Multipart uploads.

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use uuid::Uuid;

use super::copies::{READING, check_source, source, source_conditions};
use super::lists::{encoder, query};
use super::objects::announced;
use super::{Gateway, describe, etag, owner, refuse_write_features, size, timestamp};
use crate::body::receive::{Incoming, MAX_BODY, Received, copy, discard, receive};
use crate::body::send::Reader;
use crate::checksum::{Algorithm, Claims, checksum_type, put_sums, sums_of};
use crate::disk::Staged;
use crate::front::xml::check_key;
use crate::head::waits_for_continue;
use crate::index::conditions::Tags;
use crate::index::listing::{Entry, Start};
use crate::index::multipart::{Completion, MAX_PARTS, Target, is_composite};
use crate::index::record::{self, Upload};
use crate::refusal::internal;

fn part_number(number: i32) -> S3Result<u16> {
    u16::try_from(number)
        .ok()
        .filter(|number| (1..=MAX_PARTS).contains(number))
        .ok_or_else(|| s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}

fn initiator() -> Initiator {
    let Owner { display_name, id } = owner();
    Initiator { display_name, id }
}

fn storage_class() -> StorageClass {
    StorageClass::from_static(StorageClass::STANDARD)
}

impl Gateway {
    pub(super) async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut input = req.input;
        check_key(&input.key)?;
        refuse_write_features!(input)?;
        let algorithm = Algorithm::parse_requested(input.checksum_algorithm.as_ref())?;
        let asked = input.checksum_type.as_ref().map(|kind| kind.as_str() == ChecksumType::COMPOSITE);
        let upload = Upload {
            initiated: record::now(),
            algorithm,
            composite: is_composite(algorithm, asked)?,
            description: describe!(input)?,
        };
        // Ids of this kind grow with time, so uploads of the same key list in S3's order.
        let target = Target { bucket: input.bucket, key: input.key, id: Uuid::now_v7().simple().to_string() };
        let output = CreateMultipartUploadOutput {
            bucket: Some(target.bucket.clone()),
            key: Some(target.key.clone()),
            upload_id: Some(target.id.clone()),
            checksum_algorithm: algorithm.map(Into::into),
            checksum_type: algorithm.map(|_| checksum_type(upload.composite)),
            ..Default::default()
        };
        self.run(move |store| store.index.begin_upload(&target, &upload)).await?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = req.input;
        let waits = waits_for_continue(&req.headers);
        let body = input.body.take();
        let target = Target { bucket: input.bucket.clone(), key: input.key.clone(), id: input.upload_id.clone() };
        let prepared = self.prepare_part(&target, &input).await;
        let (number, upload) = match prepared {
            Ok(prepared) => prepared,
            Err(refused) => {
                discard(body, waits).await;
                return Err(refused);
            }
        };
        let claims = Claims {
            md5: input.content_md5.take(),
            sums: sums_of!(input),
            trailers: announced(&req.headers),
            // Completing the upload needs its own checksum, whatever the client sends with the part.
            wanted: Some(upload.algorithm.unwrap_or(Algorithm::Crc64Nvme)),
        };
        let mut asked: Vec<_> = claims.sums.iter().map(|(algorithm, _)| algorithm).collect();
        asked.extend(&claims.trailers);
        asked.extend(upload.algorithm);
        let len = input.content_length.and_then(|len| u64::try_from(len).ok());
        let incoming = Incoming { body, len, claims, trailers: req.trailing_headers, waits };
        let received = receive(&self.store.disk, incoming).await?;
        let part = self.add_part(target, number, received).await?;
        let mut output = UploadPartOutput { e_tag: Some(etag(&part.etag)), ..Default::default() };
        // Only what the client asked for: some clients verify every checksum they receive.
        put_sums!(output, &part.sums.only(&asked));
        Ok(S3Response::new(output))
    }

    async fn prepare_part(&self, target: &Target, input: &UploadPartInput) -> S3Result<(u16, Upload)> {
        super::refuse_unsupported([(input.sse_customer_key.is_some(), "encryption with your key")])?;
        let number = part_number(input.part_number)?;
        let target = target.clone();
        let upload = self.run(move |store| store.index.upload(&target)).await?;
        Ok((number, upload))
    }

    async fn add_part(&self, target: Target, number: u16, received: Received) -> S3Result<record::Part> {
        let Received { staged, len, digests, coded } = received;
        let part = record::Part {
            blob: staged.as_ref().map(Staged::id),
            len,
            coded,
            etag: hex::encode(digests.md5),
            modified: record::now(),
            sums: digests.sums,
        };
        self.run(move |store| {
            let put = store.index.put_part(&target, number, &part);
            store.settle(staged, put.map(|freed| (part, freed)))
        })
        .await
    }

    pub(super) async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let mut input = req.input;
        super::refuse_unsupported([(
            input.sse_customer_key.is_some() || input.copy_source_sse_customer_key.is_some(),
            "encryption with your key",
        )])?;
        let number = part_number(input.part_number)?;
        let from = source(&input.copy_source, &req.headers)?;
        let conditions = source_conditions!(input);
        let range = input.copy_source_range.take();
        let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
        let asked = target.clone();
        let double = self.double.clone();
        let reading = READING.acquire().await.map_err(internal)?;
        let (received, version) = self
            .run(move |store| {
                let _reading = reading;
                let upload = store.index.upload(&asked)?;
                let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
                let (object, segments, pin) = store.hold(&from.0, &from.1, from.2.as_ref())?;
                check_source(&conditions, &object)?;
                double.copies_ranges_of(range.is_some(), object.size)?;
                let range = copy_range(range.as_deref(), object.size)?;
                let reader = Reader::open(pin, &segments, range).map_err(internal)?;
                Ok((copy(&store.disk, reader, algorithm)?, object.stamp.id))
            })
            .await?;
        let part = self.add_part(target, number, received).await?;
        let mut result = CopyPartResult {
            e_tag: Some(etag(&part.etag)),
            last_modified: Some(timestamp(part.modified)),
            ..Default::default()
        };
        put_sums!(result, &part.sums);
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: version,
            ..Default::default()
        }))
    }

    pub(super) async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let max = match input.max_parts {
            None => 1000,
            Some(max) => usize::try_from(max)
                .map_err(|_| s3_error!(InvalidArgument, "max-parts must not be negative"))?
                .min(1000),
        };
        let after = input.part_number_marker.unwrap_or_default();
        let after_number = u16::try_from(after.max(0)).unwrap_or(u16::MAX);
        let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
        let asked = target.clone();
        let (upload, (parts, truncated)) = self
            .run(move |store| Ok((store.index.upload(&asked)?, store.index.parts(&asked, after_number, max)?)))
            .await?;
        let next = parts.last().map_or(after, |(number, _)| i32::from(*number));
        let parts = parts
            .into_iter()
            .map(|(number, part)| {
                let mut listed = Part {
                    part_number: Some(i32::from(number)),
                    e_tag: Some(etag(&part.etag)),
                    size: Some(size(part.len)),
                    last_modified: Some(timestamp(part.modified)),
                    ..Default::default()
                };
                if let Some(algorithm) = upload.algorithm {
                    put_sums!(listed, &part.sums.only(&[algorithm]));
                }
                listed
            })
            .collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(target.bucket),
            key: Some(target.key),
            upload_id: Some(target.id),
            part_number_marker: Some(after),
            next_part_number_marker: Some(next),
            max_parts: Some(max as i32),
            is_truncated: Some(truncated),
            parts: Some(parts),
            initiator: Some(initiator()),
            owner: Some(owner()),
            storage_class: Some(storage_class()),
            checksum_algorithm: upload.algorithm.map(Into::into),
            checksum_type: upload.algorithm.map(|_| checksum_type(upload.composite)),
            ..Default::default()
        }))
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let mut query = query(input.prefix.as_deref(), input.delimiter.as_deref(), input.max_uploads)?;
        let id_marker = input.upload_id_marker.clone().filter(|id| !id.is_empty());
        if let Some(marker) = input.key_marker.clone().filter(|marker| !marker.is_empty()) {
            query.start = if id_marker.is_some() { Start::AfterKey(marker) } else { query.after(marker) };
        }
        let max = query.max;
        let (page, bucket) = self
            .run(move |store| {
                let page = store.index.uploads(&input.bucket, &query, id_marker.as_deref())?;
                Ok((page, input.bucket))
            })
            .await?;
        let last = page.entries.last().filter(|_| page.truncated);
        let next_key_marker = last.map(|entry| encode(entry.name()));
        let next_upload_id_marker = last.and_then(|entry| match entry {
            Entry::Key(_, (id, _)) => Some(id.clone()),
            Entry::CommonPrefix(_) => None,
        });
        let truncated = page.truncated;
        let (mut uploads, mut common_prefixes) = (Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                Entry::CommonPrefix(prefix) => common_prefixes.push(CommonPrefix { prefix: Some(encode(&prefix)) }),
                Entry::Key(key, (id, upload)) => uploads.push(MultipartUpload {
                    key: Some(encode(&key)),
                    upload_id: Some(id),
                    initiated: Some(timestamp(upload.initiated)),
                    initiator: Some(initiator()),
                    owner: Some(owner()),
                    storage_class: Some(storage_class()),
                    checksum_algorithm: upload.algorithm.map(Into::into),
                    checksum_type: upload.algorithm.map(|_| checksum_type(upload.composite)),
                }),
            }
        }
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()).map(encode),
            key_marker: Some(encode(input.key_marker.as_deref().unwrap_or_default())),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            next_key_marker,
            next_upload_id_marker,
            max_uploads: Some(max as i32),
            is_truncated: Some(truncated),
            uploads: Some(uploads),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
        self.run(move |store| store.settle(None, store.index.abort_upload(&target).map(|freed| ((), freed)))).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let mut input = req.input;
        check_key(&input.key)?;
        let completion = Completion {
            sums: sums_of!(input),
            composite: input.checksum_type.as_ref().map(|kind| kind.as_str() == ChecksumType::COMPOSITE),
            size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
            conditions: self.write_conditions(input.if_match.map(Tags::from), input.if_none_match.map(Tags::from))?,
            parts: input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default(),
        };
        let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(target.bucket.clone()),
            key: Some(target.key.clone()),
            location: Some(format!("/{}/{}", target.bucket, target.key)),
            ..Default::default()
        };
        let (object, version) =
            self.run(move |store| store.settle(None, store.index.complete_upload(&target, &completion))).await?;
        output.version_id = version;
        output.e_tag = Some(etag(&object.etag));
        output.checksum_type = object.checksums.kind();
        put_sums!(output, &object.checksums.sums);
        Ok(S3Response::new(output))
    }
}

/// Parses `bytes=first-last`, the only form that S3 accepts here.
fn copy_range(range: Option<&str>, size: u64) -> S3Result<std::ops::Range<u64>> {
    let Some(range) = range else {
        return if size > MAX_BODY { Err(too_large()) } else { Ok(0..size) };
    };
    let parsed = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)))
        .filter(|(first, last)| first <= last);
    let Some((first, last)) = parsed else {
        return Err(s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy"
        ));
    };
    if last >= size {
        return Err(s3_error!(InvalidRange, "Range specified is not valid for source object of size: {}", size));
    }
    if last - first >= MAX_BODY {
        return Err(too_large());
    }
    Ok(first..last + 1)
}

fn too_large() -> S3Error {
    s3_error!(InvalidRequest, "The specified copy source is larger than the maximum allowable size for a copy source")
}
