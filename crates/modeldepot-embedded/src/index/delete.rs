//! Transactions that delete: one object or version, or many.

use redb::WriteTransaction;
use s3s::{S3Error, S3Result};

use super::Index;
use super::record::Object;
use super::stamp::{Versioning, Which};
use super::tables::{get, place, require_bucket};
use super::versions::{self, Deleted};
use crate::disk::BlobId;
use crate::refusal::internal;

/// With this much free space, any number of keys is deleted in one transaction.
const PLENTY: u64 = 64 << 20;

/// Keys per transaction when there is less: what the index writes for these fits into the reserve, and the space it
/// frees serves the next batch.
const FEW: usize = 16;

impl Index {
    /// Refuses a delete that would create a marker while the disk is full: it takes space and frees none.
    fn has_room_to_delete(&self, tx: &WriteTransaction, bucket: &str) -> S3Result<()> {
        match versions::versioning(tx, bucket)? {
            Versioning::Off => Ok(()),
            _ => self.room.ensure().map_err(internal),
        }
    }

    /// Deletes an object if `allowed` permits it. A missing one is not an error. Returns what was done, and the blobs
    /// to remove.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        allowed: impl FnOnce(Option<&Object>) -> S3Result<()>,
    ) -> S3Result<(Deleted, Vec<BlobId>)> {
        self.free(|tx| {
            require_bucket(tx, bucket)?;
            let place = place(bucket, key);
            allowed(get(tx, &place)?.as_ref())?;
            self.has_room_to_delete(tx, bucket)?;
            versions::delete(tx, bucket, &place)
        })
    }

    /// Permanently deletes a version if `allowed` permits it. A missing one is not an error.
    pub(crate) fn delete_version(
        &self,
        bucket: &str,
        key: &str,
        which: &Which,
        allowed: impl FnOnce(Option<&Object>) -> S3Result<()>,
    ) -> S3Result<(Deleted, Vec<BlobId>)> {
        self.free(|tx| {
            require_bucket(tx, bucket)?;
            let place = place(bucket, key);
            allowed(versions::named(tx, &place, which)?.as_ref())?;
            versions::delete_version(tx, bucket, &place, which)
        })
    }

    /// Deletes many objects or versions: in one transaction, or in several if space is short. Returns the outcome for
    /// each, and the blobs to remove.
    pub(crate) fn delete_many<'a, F: FnOnce(Option<&Object>) -> S3Result<()>>(
        &self,
        bucket: &str,
        keys: impl Iterator<Item = (&'a str, Option<Which>, F)>,
    ) -> S3Result<(Vec<S3Result<Deleted>>, Vec<BlobId>)> {
        self.delete_while(|_| Ok(()), bucket, keys)
    }

    /// Like [`Index::delete_many`], if `holds` succeeds at the start of each transaction.
    pub(crate) fn delete_while<'a, F: FnOnce(Option<&Object>) -> S3Result<()>>(
        &self,
        holds: impl Fn(&WriteTransaction) -> S3Result<()>,
        bucket: &str,
        keys: impl Iterator<Item = (&'a str, Option<Which>, F)>,
    ) -> S3Result<(Vec<S3Result<Deleted>>, Vec<BlobId>)> {
        let mut keys = keys.peekable();
        let (mut results, mut freed) = (Vec::new(), Vec::new());
        while keys.peek().is_some() {
            let most = if self.room.fits(PLENTY) { usize::MAX } else { FEW };
            let some: Vec<_> = keys.by_ref().take(most).collect();
            let count = some.len();
            match self.delete_some(&holds, bucket, some) {
                Ok((done, blobs)) => {
                    results.extend(done);
                    freed.extend(blobs);
                }
                Err(error) if results.is_empty() => return Err(error),
                // Earlier batches are committed. The remaining keys get this error.
                Err(error) => {
                    let again =
                        || S3Error::with_message(error.code().clone(), error.message().unwrap_or_default().to_owned());
                    results.extend((0..count + keys.by_ref().count()).map(|_| Err(again())));
                }
            }
        }
        Ok((results, freed))
    }

    fn delete_some<F: FnOnce(Option<&Object>) -> S3Result<()>>(
        &self,
        holds: impl Fn(&WriteTransaction) -> S3Result<()>,
        bucket: &str,
        keys: Vec<(&str, Option<Which>, F)>,
    ) -> S3Result<(Vec<S3Result<Deleted>>, Vec<BlobId>)> {
        self.free(|tx| {
            require_bucket(tx, bucket)?;
            holds(tx)?;
            let (mut results, mut freed) = (Vec::new(), Vec::new());
            for (key, which, allowed) in keys {
                let place = place(bucket, key);
                let found = match &which {
                    None => get(tx, &place)?,
                    Some(which) => versions::named(tx, &place, which)?,
                };
                if let Err(refused) = allowed(found.as_ref()) {
                    results.push(Err(refused));
                    continue;
                }
                let (deleted, blobs) = match which {
                    None => {
                        self.has_room_to_delete(tx, bucket)?;
                        versions::delete(tx, bucket, &place)?
                    }
                    Some(which) => versions::delete_version(tx, bucket, &place, &which)?,
                };
                freed.extend(blobs);
                results.push(Ok(deleted));
            }
            Ok((results, freed))
        })
    }
}
