//! Buckets: create, delete, list, head.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::keys::Right;
use crate::access::rights;

use super::{Gateway, owner, timestamp};

/// The only region. S3 expresses its location as an empty one.
const REGION: &str = "us-east-1";

impl Gateway {
    pub(super) async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let rights = rights(&req)?.clone();
        let ListBucketsInput { prefix, continuation_token, max_buckets, .. } = req.input;
        let max = match max_buckets {
            None => usize::MAX,
            Some(max @ 1..=10_000) => max as usize,
            Some(_) => return Err(s3_error!(InvalidArgument, "max-buckets must be between 1 and 10000")),
        };
        let wanted = prefix.clone().unwrap_or_default();
        let mut buckets = self.run(|store| store.index.buckets()).await?;
        // The token is the last bucket's name of the previous page.
        buckets.retain(|(name, _)| {
            rights.allow(Right::Read, name)
                && name.starts_with(&wanted)
                && continuation_token.as_ref().is_none_or(|last| name > last)
        });
        let more = buckets.len() > max;
        buckets.truncate(max);
        let next = buckets.last().filter(|_| more).map(|(name, _)| name.clone());
        let buckets = buckets
            .into_iter()
            .map(|(name, created)| Bucket {
                name: Some(name),
                creation_date: Some(timestamp(created)),
                ..Default::default()
            })
            .collect();
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token: next,
            owner: Some(owner()),
            prefix,
        }))
    }

    pub(super) async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        super::refuse_unsupported([(req.input.object_lock_enabled_for_bucket == Some(true), "object lock")])?;
        super::acl::check_acl!(req.input)?;
        let bucket = req.input.bucket;
        let location = Some(format!("/{bucket}"));
        // In us-east-1, creating a bucket that you own succeeds. It is also the best answer to a retry whose first
        // answer was lost.
        self.run(move |store| store.index.create_bucket(&bucket)).await?;
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    pub(super) async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.run(move |store| store.index.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(REGION.into()), ..Default::default() }))
    }

    pub(super) async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.run(move |store| {
            let bucket = &req.input.bucket;
            let delete = || store.settle(None, store.index.delete_bucket(bucket).map(|freed| ((), freed)));
            store.cors.set(bucket, None, |_| delete())
        })
        .await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    pub(super) async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.run(move |store| store.index.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }
}
