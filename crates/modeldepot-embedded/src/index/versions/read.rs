//! Reading the current or another version, and the versioning state of a bucket.

use s3s::S3Result;

use super::{NULLS, VERSION_LAYOUTS, VERSIONING, VERSIONS, find, newest, versioning_of};
use crate::index::Index;
use crate::index::record::{Object, Segment};
use crate::index::stamp::{NULL, Versioning, Which};
use crate::index::tables::{BUCKETS, LAYOUTS, OBJECTS, decode, decode_segments, place, require_bucket};
use crate::refusal::{deleted, internal, is_marker, no_such_bucket, no_such_key, no_such_version};

impl Index {
    /// Returns whether a bucket keeps versions.
    pub(crate) fn versioning(&self, bucket: &str) -> S3Result<Versioning> {
        let tx = self.opened.read().map_err(internal)?;
        if tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_none() {
            return Err(no_such_bucket());
        }
        versioning_of(&tx, bucket)
    }

    /// Enables or suspends versioning.
    pub(crate) fn set_versioning(&self, bucket: &str, versioning: Versioning) -> S3Result<()> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            if let Some(word) = versioning.word() {
                tx.open_table(VERSIONING).map_err(internal)?.insert(bucket, word).map_err(internal)?;
            }
            Ok(())
        })
    }

    /// Returns an object or another version, and its segments, from one transaction.
    ///
    /// In a bucket with versions its id is as clients see it, `null` included.
    pub(crate) fn version(
        &self,
        bucket: &str,
        key: &str,
        which: Option<&Which>,
        with_segments: bool,
    ) -> S3Result<(Object, Vec<Segment>)> {
        let place = place(bucket, key);
        let place = place.as_slice();
        let tx = self.opened.read().map_err(internal)?;
        let objects = tx.open_table(OBJECTS).map_err(internal)?;
        let current = objects.get(place).map_err(internal)?.map(|bytes| decode::<Object>(bytes.value())).transpose()?;
        let layout = |packed: Option<redb::AccessGuard<'_, &[u8]>>| match packed {
            Some(packed) if with_segments => decode_segments(packed.value()),
            _ => Ok(Vec::new()),
        };
        if let Some(mut object) = current
            && which.is_none_or(|which| which.is(&object.stamp))
        {
            let layouts = tx.open_table(LAYOUTS).map_err(internal)?;
            let segments = layout(layouts.get(place).map_err(internal)?)?;
            if object.stamp.id.is_none() && versioning_of(&tx, bucket)? != Versioning::Off {
                object.stamp.id = Some(NULL.to_owned());
            }
            return Ok((object, segments));
        }
        if tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_none() {
            return Err(no_such_bucket());
        }
        let versions = tx.open_table(VERSIONS).map_err(internal)?;
        let Some(which) = which else {
            // By the second law it is a delete marker.
            let newest = newest(&versions, place)?;
            return Err(newest.map_or_else(no_such_key, |(_, object)| deleted(&object.stamp.shown())));
        };
        let nulls = tx.open_table(NULLS).map_err(internal)?;
        let (age, mut object) = find(&versions, &nulls, place, which)?.ok_or_else(no_such_version)?;
        if object.stamp.marker {
            return Err(is_marker(&object.stamp.shown(), object.modified));
        }
        let layouts = tx.open_table(VERSION_LAYOUTS).map_err(internal)?;
        let segments = layout(layouts.get((place, age)).map_err(internal)?)?;
        object.stamp.id = Some(object.stamp.shown());
        Ok((object, segments))
    }
}
