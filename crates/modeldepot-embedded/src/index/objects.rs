//! Transactions that read, put and copy an object.

use s3s::{S3ErrorCode, S3Result};

use super::Index;
use super::conditions::WriteConditions;
use super::record::{Object, Segment};
use super::stamp::{Versioning, Which};
use super::tables::{get, place, require_bucket};
use super::versions;
use crate::disk::BlobId;

/// The result of a copy.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) object: Object,
    /// Its version id, if its bucket has versions.
    pub(crate) version: Option<String>,
    /// The version it was copied from, if the source's bucket has versions.
    pub(crate) from: Option<String>,
}

impl Index {
    /// Returns an object.
    pub(crate) fn head(&self, bucket: &str, key: &str) -> S3Result<Object> {
        self.version(bucket, key, None, false).map(|(object, _)| object)
    }

    /// Returns an object and its segments, from one transaction.
    pub(crate) fn find(&self, bucket: &str, key: &str) -> S3Result<(Object, Vec<Segment>)> {
        self.version(bucket, key, None, true)
    }

    /// Returns an error if a write would be refused now. Only a hint: [`Index::put`] decides.
    pub(crate) fn check(&self, bucket: &str, key: &str, conditions: &WriteConditions) -> S3Result<()> {
        self.bucket(bucket)?;
        if *conditions == WriteConditions::default() {
            return Ok(());
        }
        match self.head(bucket, key) {
            Ok(object) => conditions.check(Some(&object)),
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey => conditions.check(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an object visible if the conditions hold. Returns its version id, if the bucket has versions, and the
    /// blobs that are no longer referenced.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        mut object: Object,
        segments: &[Segment],
        conditions: &WriteConditions,
    ) -> S3Result<(Option<String>, Vec<BlobId>)> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            let place = place(bucket, key);
            conditions.check(get(tx, &place)?.as_ref())?;
            versions::put(tx, bucket, &place, &mut object, segments)
        })
    }

    /// Makes a copy visible that shares its files with the source.
    ///
    /// `make` gets the source as seen by the transaction, checks the conditions on it, and returns the copy.
    pub(crate) fn copy(
        &self,
        source: (&str, &str, Option<&Which>),
        target: (&str, &str),
        conditions: &WriteConditions,
        make: impl FnOnce(&Object) -> S3Result<Object>,
    ) -> S3Result<(Copied, Vec<BlobId>)> {
        self.write(|tx| {
            require_bucket(tx, source.0)?;
            require_bucket(tx, target.0)?;
            let (found, segments) = versions::source(tx, &place(source.0, source.1), source.2)?;
            let mut copy = make(&found)?;
            let to = place(target.0, target.1);
            conditions.check(get(tx, &to)?.as_ref())?;
            let (version, freed) = versions::put(tx, target.0, &to, &mut copy, &segments)?;
            let has_versions = versions::versioning(tx, source.0)? != Versioning::Off;
            let from = has_versions.then(|| found.stamp.shown());
            Ok((Copied { object: copy, version, from }, freed))
        })
    }
}
