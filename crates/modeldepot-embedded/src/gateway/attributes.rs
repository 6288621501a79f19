//! Attributes of an object, without its headers and bytes.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Gateway, etag, refuse_unsupported, size, timestamp};
use crate::checksum::put_sums;
use crate::index::record::Segment;
use crate::index::stamp::Which;

/// The most parts in one answer.
const MAX_PARTS: usize = 1000;

const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

impl Gateway {
    pub(super) async fn get_object_attributes(
        &self,
        req: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        refuse_unsupported([(input.sse_customer_key.is_some(), "encryption with your key")])?;
        // Some clients send one header per attribute, others a single one for all.
        let asked: Vec<String> = input
            .object_attributes
            .iter()
            .flat_map(|names| names.as_str().split(','))
            .map(|name| name.trim().to_owned())
            .collect();
        if let Some(name) = asked.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(s3_error!(InvalidArgument, "Invalid attribute name specified: {}", name));
        }
        let wants = |name: &str| asked.iter().any(|asked| asked == name);
        let max = usize::try_from(input.max_parts.unwrap_or(1000))
            .map_err(|_| s3_error!(InvalidArgument, "max-parts must not be negative"))?
            .min(MAX_PARTS);
        let after = input.part_number_marker.unwrap_or_default();
        let (object, segments) =
            self.run(move |store| store.index.version(&input.bucket, &input.key, which.as_ref(), true)).await?;
        let mut output = GetObjectAttributesOutput {
            last_modified: Some(timestamp(object.modified)),
            e_tag: wants("ETag").then(|| etag(&object.etag)),
            object_size: wants("ObjectSize").then(|| size(object.size)),
            storage_class: wants("StorageClass").then(|| StorageClass::from_static(StorageClass::STANDARD)),
            version_id: object.stamp.id.clone(),
            ..Default::default()
        };
        if wants("Checksum") && !object.checksums.sums.is_empty() {
            let mut checksum = Checksum { checksum_type: object.checksums.kind(), ..Default::default() };
            put_sums!(checksum, &object.checksums.sums);
            output.checksum = Some(checksum);
        }
        if wants("ObjectParts")
            && let Some(total) = object.parts
        {
            output.object_parts = Some(parts(&segments, total, after, max));
        }
        Ok(S3Response::new(output))
    }
}

fn parts(segments: &[Segment], total: u32, after: i32, max: usize) -> GetObjectAttributesParts {
    let mut left = segments.iter().filter(|segment| i32::from(segment.part) > after);
    let page: Vec<_> = left.by_ref().take(max).collect();
    GetObjectAttributesParts {
        is_truncated: Some(left.next().is_some()),
        max_parts: Some(max as i32),
        next_part_number_marker: Some(page.last().map_or(after, |segment| segment.part.into())),
        part_number_marker: Some(after),
        parts: Some(
            page.into_iter()
                .map(|segment| ObjectPart {
                    part_number: Some(segment.part.into()),
                    size: Some(size(segment.len)),
                    ..Default::default()
                })
                .collect(),
        ),
        total_parts_count: Some(total as i32),
    }
}
