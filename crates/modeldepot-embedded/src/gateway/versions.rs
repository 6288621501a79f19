//! Versions: versioning of a bucket, and listing its versions.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::lists::{encoder, query};
use super::{Gateway, etag, owner, refuse_unsupported, size, timestamp};
use crate::index::listing::{Entry, Start};
use crate::index::stamp::{Versioning, Which};
use crate::index::versions::Marker;
use crate::refusal::{custom, internal};

impl Gateway {
    pub(super) async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let versioning = self.run(move |store| store.index.versioning(&req.input.bucket)).await?;
        let status = versioning.word().map(BucketVersioningStatus::from_static);
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        req: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let PutBucketVersioningInput { bucket, mfa, versioning_configuration: asked, .. } = req.input;
        let asks_mfa = mfa.is_some() || asked.mfa_delete.is_some_and(|mfa| mfa.as_str() == MFADelete::ENABLED);
        refuse_unsupported([(asks_mfa, "MFA delete")])?;
        let versioning = match asked.status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => {
                let message = "The Versioning element must be specified: Enabled or Suspended".to_owned();
                let status = hyper::StatusCode::BAD_REQUEST;
                return Err(custom("IllegalVersioningConfigurationException", status, message));
            }
        };
        self.run(move |store| {
            store.index.bucket(&bucket)?;
            store.disk.raise_format().map_err(internal)?;
            store.index.set_versioning(&bucket, versioning)
        })
        .await?;
        Ok(S3Response::new(PutBucketVersioningOutput::default()))
    }

    pub(super) async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = req.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let mut query = query(input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys)?;
        let key_marker = input.key_marker.clone().filter(|key| !key.is_empty());
        let marker = match (&key_marker, Which::parse(input.version_id_marker.as_deref())?) {
            (None, Some(_)) => {
                return Err(s3_error!(
                    InvalidArgument,
                    "A version-id marker cannot be specified without a key marker."
                ));
            }
            (Some(key), Some(version)) => Some(Marker { key: key.clone(), version }),
            (key, None) => {
                query.start = key.as_ref().map_or(Start::First, |key| query.after(key.clone()));
                None
            }
        };
        let max = query.max;
        let (page, bucket) = self
            .run(move |store| {
                let page = store.index.list_versions(&input.bucket, &query, marker.as_ref())?;
                Ok((page, input.bucket))
            })
            .await?;
        let last = page.entries.last().filter(|_| page.truncated);
        let next_key_marker = last.map(|entry| encode(entry.name()));
        let next_version_id_marker = last.and_then(|entry| match entry {
            Entry::Key(_, listed) => Some(listed.object.stamp.shown()),
            Entry::CommonPrefix(_) => None,
        });
        let truncated = page.truncated;
        let (mut versions, mut markers, mut common_prefixes) = (Vec::new(), Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                Entry::CommonPrefix(prefix) => common_prefixes.push(CommonPrefix { prefix: Some(encode(&prefix)) }),
                Entry::Key(key, listed) if listed.object.stamp.marker => markers.push(DeleteMarkerEntry {
                    key: Some(encode(&key)),
                    version_id: Some(listed.object.stamp.shown()),
                    is_latest: Some(listed.is_latest),
                    last_modified: Some(timestamp(listed.object.modified)),
                    owner: Some(owner()),
                }),
                Entry::Key(key, listed) => versions.push(ObjectVersion {
                    key: Some(encode(&key)),
                    version_id: Some(listed.object.stamp.shown()),
                    is_latest: Some(listed.is_latest),
                    last_modified: Some(timestamp(listed.object.modified)),
                    e_tag: Some(etag(&listed.object.etag)),
                    size: Some(size(listed.object.size)),
                    checksum_type: listed.object.checksums.kind(),
                    checksum_algorithm: Some(listed.object.checksums.sums.iter().map(|(a, _)| a.into()).collect()),
                    owner: Some(owner()),
                    storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
                    ..Default::default()
                }),
            }
        }
        Ok(S3Response::new(ListObjectVersionsOutput {
            name: Some(bucket),
            prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
            delimiter: input.delimiter.as_deref().map(encode),
            key_marker: Some(encode(input.key_marker.as_deref().unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            next_key_marker,
            next_version_id_marker,
            max_keys: Some(max as i32),
            is_truncated: Some(truncated),
            versions: Some(versions),
            delete_markers: Some(markers),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }
}
