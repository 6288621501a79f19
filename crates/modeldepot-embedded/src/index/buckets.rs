//! Transactions on buckets.

use redb::ReadableTable as _;
use s3s::{S3Result, s3_error};

use super::Index;
use super::record::now;
use super::tables::{BUCKETS, OBJECTS, UPLOADS, after_bucket, place};
use super::{multipart, subresource, versions};
use crate::disk::BlobId;
use crate::refusal::{internal, no_such_bucket};

impl Index {
    /// Creates a bucket. Returns false if it existed.
    pub(crate) fn create_bucket(&self, bucket: &str) -> S3Result<bool> {
        self.write(|tx| {
            let mut table = tx.open_table(BUCKETS).map_err(internal)?;
            let missing = table.get(bucket).map_err(internal)?.is_none();
            if missing {
                table.insert(bucket, now()).map_err(internal)?;
            }
            Ok(missing)
        })
    }

    /// Deletes an empty bucket and its unfinished uploads. Returns the blobs that are no longer referenced.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> S3Result<Vec<BlobId>> {
        let (start, end) = (place(bucket, ""), after_bucket(bucket));
        self.free(|tx| {
            let known = tx.open_table(BUCKETS).map_err(internal)?.remove(bucket).map_err(internal)?.is_some();
            if !known {
                return Err(no_such_bucket());
            }
            let objects = tx.open_table(OBJECTS).map_err(internal)?;
            if objects.range(start.as_slice()..end.as_slice()).map_err(internal)?.next().is_some() {
                return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
            }
            versions::forget_bucket(tx, bucket)?;
            let mut uploads = Vec::new();
            let table = tx.open_table(UPLOADS).map_err(internal)?;
            for row in table.range((start.as_slice(), "")..(end.as_slice(), "")).map_err(internal)? {
                let row = row.map_err(internal)?;
                let (place, id) = row.0.value();
                uploads.push((place.to_vec(), id.to_owned()));
            }
            drop(table);
            let mut freed = Vec::new();
            for (place, id) in uploads {
                freed.extend(multipart::forget(tx, &place, &id)?);
            }
            subresource::forget(tx, bucket)?;
            Ok(freed)
        })
    }

    /// Returns when a bucket was created.
    pub(crate) fn bucket(&self, bucket: &str) -> S3Result<i64> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BUCKETS).map_err(internal)?;
        let created = table.get(bucket).map_err(internal)?.ok_or_else(no_such_bucket)?;
        Ok(created.value())
    }

    /// Returns all buckets in order of name, with their creation times.
    pub(crate) fn buckets(&self) -> S3Result<Vec<(String, i64)>> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BUCKETS).map_err(internal)?;
        table
            .range::<&str>(..)
            .map_err(internal)?
            .map(|row| row.map(|(name, created)| (name.value().to_owned(), created.value())).map_err(internal))
            .collect()
    }
}
