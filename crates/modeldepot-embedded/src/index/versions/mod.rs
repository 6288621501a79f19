//! Versions of objects, as transactions see them.
//!
//! The object table holds current objects, as in a bucket without versions. A key's other versions, replaced objects
//! and delete markers, are in the version table, newest first. Three laws hold for every key:
//!
//! 1. A row in the object table is newer than all rows in the version table.
//! 2. Without a row in the object table, the newest row in the version table is a delete marker, or there is none.
//! 3. At most one version, in either table, is the null version: the one written while versioning was off or suspended.

#[cfg(test)]
mod laws;
mod listing;
mod read;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use s3s::{S3Result, s3_error};

pub(crate) use self::listing::Marker;
use super::record::{Object, Segment, now};
use super::stamp::{Stamp, Versioning, Which};
use super::tables::{
    LAYOUTS, OBJECTS, after_bucket, decode, decode_segments, encode, get, place, release, remove, replace, retain,
    segments,
};
use crate::disk::BlobId;
use crate::refusal::{internal, is_marker, no_such_key, no_such_version};

/// Bucket → versioning, in S3's words. A bucket that never kept versions has no row.
const VERSIONING: TableDefinition<'static, &str, &str> = TableDefinition::new("versioning");
/// Place and age → object or delete marker. The age falls as the order grows, so the newest comes first.
const VERSIONS: TableDefinition<'static, (&[u8], u64), &[u8]> = TableDefinition::new("versions");
/// Place and age → packed segments.
pub(crate) const VERSION_LAYOUTS: TableDefinition<'static, (&[u8], u64), &[u8]> =
    TableDefinition::new("version layouts");
/// Place → the age of the null version, if it is in the version table.
const NULLS: TableDefinition<'static, &[u8], u64> = TableDefinition::new("null versions");
/// Name → the last number issued.
const COUNTERS: TableDefinition<'static, &str, u64> = TableDefinition::new("counters");

/// The result of a delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The deleted version or the new delete marker; `None` in a bucket without versions.
    pub(crate) version: Option<String>,
    /// Whether that is a delete marker.
    pub(crate) marker: bool,
}

/// Creates the tables.
pub(crate) fn prepare(tx: &WriteTransaction) -> Result<(), redb::Error> {
    tx.open_table(VERSIONING)?;
    tx.open_table(VERSIONS)?;
    tx.open_table(VERSION_LAYOUTS)?;
    tx.open_table(NULLS)?;
    tx.open_table(COUNTERS)?;
    Ok(())
}

fn versioning_of(tx: &ReadTransaction, bucket: &str) -> S3Result<Versioning> {
    let table = tx.open_table(VERSIONING).map_err(internal)?;
    let word = table.get(bucket).map_err(internal)?;
    Ok(word.map_or(Versioning::Off, |word| Versioning::parse(word.value())))
}

/// Returns the stamp for a new version.
fn next(tx: &WriteTransaction, versioning: Versioning) -> S3Result<Stamp> {
    let mut counters = tx.open_table(COUNTERS).map_err(internal)?;
    let order = counters.get("version").map_err(internal)?.map_or(0, |last| last.value()) + 1;
    counters.insert("version", order).map_err(internal)?;
    Ok(Stamp::new(order, versioning))
}

/// Returns whether a bucket keeps versions, as this transaction sees it.
pub(crate) fn versioning(tx: &WriteTransaction, bucket: &str) -> S3Result<Versioning> {
    let table = tx.open_table(VERSIONING).map_err(internal)?;
    let word = table.get(bucket).map_err(internal)?;
    Ok(word.map_or(Versioning::Off, |word| Versioning::parse(word.value())))
}

/// Returns the newest row of a key in the version table, and its age.
fn newest(
    versions: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
    place: &[u8],
) -> S3Result<Option<(u64, Object)>> {
    let mut rows = versions.range((place, 0)..=(place, u64::MAX)).map_err(internal)?;
    let Some(row) = rows.next() else { return Ok(None) };
    let (at, object) = row.map_err(internal)?;
    Ok(Some((at.value().1, decode(object.value())?)))
}

/// Returns a row of the version table, and its age.
fn find(
    versions: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
    nulls: &impl ReadableTable<&'static [u8], u64>,
    place: &[u8],
    which: &Which,
) -> S3Result<Option<(u64, Object)>> {
    let Some(age) = which.age(nulls, place)? else { return Ok(None) };
    let Some(found) = versions.get((place, age)).map_err(internal)? else { return Ok(None) };
    let object: Object = decode(found.value())?;
    Ok(which.is(&object.stamp).then_some((age, object)))
}

/// Returns an object and its segments, the current one or another version, as this transaction sees it.
pub(crate) fn source(tx: &WriteTransaction, place: &[u8], which: Option<&Which>) -> S3Result<(Object, Vec<Segment>)> {
    let current = get(tx, place)?;
    if let Some(object) = current
        && which.is_none_or(|which| which.is(&object.stamp))
    {
        return Ok((object, segments(tx, place)?));
    }
    let Some(which) = which else { return Err(no_such_key()) };
    let (versions, nulls) = (tx.open_table(VERSIONS).map_err(internal)?, tx.open_table(NULLS).map_err(internal)?);
    let (age, object) = find(&versions, &nulls, place, which)?.ok_or_else(no_such_version)?;
    if object.stamp.marker {
        return Err(s3_error!(
            InvalidRequest,
            "The source of a copy request may not specifically refer to a delete marker by version id."
        ));
    }
    let layouts = tx.open_table(VERSION_LAYOUTS).map_err(internal)?;
    let packed = layouts.get((place, age)).map_err(internal)?;
    let segments = packed.map_or_else(|| Ok(Vec::new()), |packed| decode_segments(packed.value()))?;
    Ok((object, segments))
}

/// Puts an object at a place. An existing object becomes a version or is removed, depending on the bucket.
///
/// Returns the new version's id, if the bucket has versions, and the blobs that are no longer referenced.
pub(crate) fn put(
    tx: &WriteTransaction,
    bucket: &str,
    place: &[u8],
    object: &mut Object,
    segments: &[Segment],
) -> S3Result<(Option<String>, Vec<BlobId>)> {
    let versioning = versioning(tx, bucket)?;
    if versioning == Versioning::Off {
        object.stamp = Stamp::default();
        return Ok((None, replace(tx, place, object, segments)?));
    }
    object.stamp = next(tx, versioning)?;
    // Add the new references before dropping the old. `replace` adds its own.
    retain(tx, segments.iter().map(|segment| segment.blob))?;
    let mut freed = if versioning == Versioning::Suspended { drop_null(tx, place)? } else { Vec::new() };
    retire(tx, place)?;
    freed.extend(replace(tx, place, object, segments)?);
    freed.extend(release(tx, segments.iter().map(|segment| segment.blob))?);
    Ok((Some(object.stamp.shown()), freed))
}

/// Deletes the current object: permanently, or by adding a delete marker, depending on the bucket.
pub(crate) fn delete(tx: &WriteTransaction, bucket: &str, place: &[u8]) -> S3Result<(Deleted, Vec<BlobId>)> {
    let versioning = versioning(tx, bucket)?;
    if versioning == Versioning::Off {
        return Ok((Deleted::default(), remove(tx, place)?));
    }
    let stamp = next(tx, versioning)?.of_marker();
    let freed = if versioning == Versioning::Suspended { drop_null(tx, place)? } else { Vec::new() };
    retire(tx, place)?;
    let deleted = Deleted { version: Some(stamp.shown()), marker: true };
    let marker = Object {
        size: 0,
        etag: String::new(),
        modified: now(),
        parts: None,
        checksums: Default::default(),
        description: Default::default(),
        stamp,
    };
    keep(tx, place, &marker, None)?;
    Ok((deleted, freed))
}

/// Returns a version or delete marker by its id, as this transaction sees it.
pub(crate) fn named(tx: &WriteTransaction, place: &[u8], which: &Which) -> S3Result<Option<Object>> {
    if let Some(current) = get(tx, place)?.filter(|current| which.is(&current.stamp)) {
        return Ok(Some(current));
    }
    let (versions, nulls) = (tx.open_table(VERSIONS).map_err(internal)?, tx.open_table(NULLS).map_err(internal)?);
    Ok(find(&versions, &nulls, place, which)?.map(|(_, object)| object))
}

/// Permanently deletes a version. If it was the current one, the version before it becomes current.
pub(crate) fn delete_version(
    tx: &WriteTransaction,
    bucket: &str,
    place: &[u8],
    which: &Which,
) -> S3Result<(Deleted, Vec<BlobId>)> {
    let named = (versioning(tx, bucket)? != Versioning::Off).then(|| which.text().to_owned());
    let mut deleted = Deleted { version: named, marker: false };
    if get(tx, place)?.is_some_and(|current| which.is(&current.stamp)) {
        let freed = remove(tx, place)?;
        promote(tx, place)?;
        return Ok((deleted, freed));
    }
    let found = {
        let (versions, nulls) = (tx.open_table(VERSIONS).map_err(internal)?, tx.open_table(NULLS).map_err(internal)?);
        find(&versions, &nulls, place, which)?
    };
    let Some((age, object)) = found else { return Ok((deleted, Vec::new())) };
    deleted.marker = object.stamp.marker;
    let (_, segments) = take(tx, place, age)?;
    let freed = release(tx, segments.into_iter().map(|segment| segment.blob))?;
    promote(tx, place)?;
    Ok((deleted, freed))
}

/// Changes the description of an object or another version in place. Its version stays the same.
///
/// Returns its id, if the bucket has versions.
pub(crate) fn change(
    tx: &WriteTransaction,
    bucket: &str,
    place: &[u8],
    which: Option<&Which>,
    change: impl FnOnce(&mut Object),
) -> S3Result<Option<String>> {
    let shown = |stamp: &Stamp| Ok((versioning(tx, bucket)? != Versioning::Off).then(|| stamp.shown()));
    if let Some(mut object) = get(tx, place)?
        && which.is_none_or(|which| which.is(&object.stamp))
    {
        change(&mut object);
        let record = encode(&object)?;
        tx.open_table(OBJECTS).map_err(internal)?.insert(place, record.as_slice()).map_err(internal)?;
        return shown(&object.stamp);
    }
    let Some(which) = which else { return Err(no_such_key()) };
    let found = {
        let (versions, nulls) = (tx.open_table(VERSIONS).map_err(internal)?, tx.open_table(NULLS).map_err(internal)?);
        find(&versions, &nulls, place, which)?
    };
    let (age, mut object) = found.ok_or_else(no_such_version)?;
    if object.stamp.marker {
        return Err(is_marker(&object.stamp.shown(), object.modified));
    }
    change(&mut object);
    let record = encode(&object)?;
    tx.open_table(VERSIONS).map_err(internal)?.insert((place, age), record.as_slice()).map_err(internal)?;
    shown(&object.stamp)
}

/// Fails if a bucket holds any version; otherwise removes its versioning state.
pub(crate) fn forget_bucket(tx: &WriteTransaction, bucket: &str) -> S3Result<()> {
    let (start, end) = (place(bucket, ""), after_bucket(bucket));
    let versions = tx.open_table(VERSIONS).map_err(internal)?;
    if versions.range((start.as_slice(), 0)..(end.as_slice(), 0)).map_err(internal)?.next().is_some() {
        return Err(s3_error!(
            BucketNotEmpty,
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
        ));
    }
    tx.open_table(VERSIONING).map_err(internal)?.remove(bucket).map_err(internal)?;
    Ok(())
}

/// Moves the current object to the version table. It keeps its bytes.
fn retire(tx: &WriteTransaction, place: &[u8]) -> S3Result<()> {
    let removed =
        tx.open_table(OBJECTS).map_err(internal)?.remove(place).map_err(internal)?.map(|o| o.value().to_vec());
    let Some(bytes) = removed else { return Ok(()) };
    let layout = tx.open_table(LAYOUTS).map_err(internal)?.remove(place).map_err(internal)?.map(|l| l.value().to_vec());
    keep(tx, place, &decode(&bytes)?, layout.as_deref())
}

/// Adds a row to the version table.
fn keep(tx: &WriteTransaction, place: &[u8], object: &Object, layout: Option<&[u8]>) -> S3Result<()> {
    let age = object.stamp.age();
    let record = encode(object)?;
    tx.open_table(VERSIONS).map_err(internal)?.insert((place, age), record.as_slice()).map_err(internal)?;
    if let Some(layout) = layout {
        tx.open_table(VERSION_LAYOUTS).map_err(internal)?.insert((place, age), layout).map_err(internal)?;
    }
    if object.stamp.id.is_none() {
        tx.open_table(NULLS).map_err(internal)?.insert(place, age).map_err(internal)?;
    }
    Ok(())
}

/// Removes a row from the version table. The references to its blobs stay.
fn take(tx: &WriteTransaction, place: &[u8], age: u64) -> S3Result<(Option<Object>, Vec<Segment>)> {
    let object: Option<Object> = {
        let mut table = tx.open_table(VERSIONS).map_err(internal)?;
        let removed = table.remove((place, age)).map_err(internal)?;
        removed.map(|bytes| decode(bytes.value())).transpose()?
    };
    let segments = {
        let mut table = tx.open_table(VERSION_LAYOUTS).map_err(internal)?;
        let removed = table.remove((place, age)).map_err(internal)?;
        removed.map(|packed| decode_segments(packed.value())).transpose()?.unwrap_or_default()
    };
    if object.as_ref().is_some_and(|object| object.stamp.id.is_none()) {
        tx.open_table(NULLS).map_err(internal)?.remove(place).map_err(internal)?;
    }
    Ok((object, segments))
}

/// Permanently deletes the null version, in either table. Nothing is promoted, because a newer version follows.
fn drop_null(tx: &WriteTransaction, place: &[u8]) -> S3Result<Vec<BlobId>> {
    if get(tx, place)?.is_some_and(|current| current.stamp.id.is_none()) {
        return remove(tx, place);
    }
    let age = tx.open_table(NULLS).map_err(internal)?.get(place).map_err(internal)?.map(|age| age.value());
    let Some(age) = age else { return Ok(Vec::new()) };
    let (_, segments) = take(tx, place, age)?;
    release(tx, segments.into_iter().map(|segment| segment.blob))
}

/// Restores the second law: the newest version becomes the current object, unless it is a delete marker.
fn promote(tx: &WriteTransaction, place: &[u8]) -> S3Result<()> {
    if get(tx, place)?.is_some() {
        return Ok(());
    }
    let newest = newest(&tx.open_table(VERSIONS).map_err(internal)?, place)?;
    let Some((age, object)) = newest.filter(|(_, object)| !object.stamp.marker) else { return Ok(()) };
    let (_, segments) = take(tx, place, age)?;
    // `replace` adds references to the blobs, so drop those of the removed row.
    let mut freed = replace(tx, place, &object, &segments)?;
    freed.extend(release(tx, segments.into_iter().map(|segment| segment.blob))?);
    debug_assert!(freed.is_empty(), "a promotion frees nothing");
    Ok(())
}
