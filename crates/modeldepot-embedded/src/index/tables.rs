//! The tables of the index, and changes of single rows within a transaction.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3s::S3Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::BlobId;
use crate::index::record::{Object, Segment, pack, unpack};
use crate::refusal::{internal, no_such_bucket};

/// Bucket name → when it was created.
pub(crate) const BUCKETS: TableDefinition<'static, &str, i64> = TableDefinition::new("buckets");
/// Place → object. The order of this table is the order of every listing.
pub(crate) const OBJECTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("objects");
/// Place → packed segments.
pub(crate) const LAYOUTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("layouts");
/// Blob → number of objects and parts that refer to it.
pub(super) const BLOBS: TableDefinition<'static, u128, u32> = TableDefinition::new("blobs");
/// Place and upload id → upload.
pub(crate) const UPLOADS: TableDefinition<'static, (&[u8], &str), &[u8]> = TableDefinition::new("uploads");
/// Upload id and part number → part.
pub(crate) const PARTS: TableDefinition<'static, (&str, u16), &[u8]> = TableDefinition::new("parts");

/// The place of an object: bucket, a zero byte (which no bucket name contains), key.
pub(crate) fn place(bucket: &str, key: &str) -> Vec<u8> {
    let mut place = Vec::with_capacity(bucket.len() + 1 + key.len());
    place.extend_from_slice(bucket.as_bytes());
    place.push(0);
    place.extend_from_slice(key.as_bytes());
    place
}

/// The first place after those of a bucket.
pub(crate) fn after_bucket(bucket: &str) -> Vec<u8> {
    let mut end = bucket.as_bytes().to_vec();
    end.push(1);
    end
}

pub(crate) fn encode(record: &impl Serialize) -> S3Result<Vec<u8>> {
    serde_json::to_vec(record).map_err(internal)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> S3Result<T> {
    serde_json::from_slice(bytes).map_err(internal)
}

pub(crate) fn decode_segments(bytes: &[u8]) -> S3Result<Vec<Segment>> {
    unpack(bytes).ok_or_else(|| internal(std::io::Error::other("a list of segments is damaged")))
}

pub(crate) fn require_bucket(tx: &WriteTransaction, bucket: &str) -> S3Result<()> {
    let known = tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_some();
    if known { Ok(()) } else { Err(no_such_bucket()) }
}

/// Returns the object at a place, as this transaction sees it.
pub(crate) fn get(tx: &WriteTransaction, place: &[u8]) -> S3Result<Option<Object>> {
    let table = tx.open_table(OBJECTS).map_err(internal)?;
    let found = table.get(place).map_err(internal)?;
    found.map(|bytes| decode(bytes.value())).transpose()
}

pub(crate) fn segments(tx: &WriteTransaction, place: &[u8]) -> S3Result<Vec<Segment>> {
    let table = tx.open_table(LAYOUTS).map_err(internal)?;
    let found = table.get(place).map_err(internal)?;
    found.map_or_else(|| Ok(Vec::new()), |bytes| decode_segments(bytes.value()))
}

/// Puts an object at a place, replacing any existing one.
pub(crate) fn replace(
    tx: &WriteTransaction,
    place: &[u8],
    object: &Object,
    segments: &[Segment],
) -> S3Result<Vec<BlobId>> {
    // Add the new references before dropping the old: an object copied onto itself must not lose its bytes in between.
    retain(tx, segments.iter().map(|segment| segment.blob))?;
    let freed = remove(tx, place)?;
    let object = encode(object)?;
    tx.open_table(OBJECTS).map_err(internal)?.insert(place, object.as_slice()).map_err(internal)?;
    tx.open_table(LAYOUTS).map_err(internal)?.insert(place, pack(segments).as_slice()).map_err(internal)?;
    Ok(freed)
}

pub(crate) fn remove(tx: &WriteTransaction, place: &[u8]) -> S3Result<Vec<BlobId>> {
    tx.open_table(OBJECTS).map_err(internal)?.remove(place).map_err(internal)?;
    let layout = {
        let mut table = tx.open_table(LAYOUTS).map_err(internal)?;
        let removed = table.remove(place).map_err(internal)?;
        removed.map(|bytes| decode_segments(bytes.value())).transpose()?.unwrap_or_default()
    };
    release(tx, layout.into_iter().map(|segment| segment.blob))
}

/// Adds a reference to each blob.
pub(crate) fn retain(tx: &WriteTransaction, blobs: impl Iterator<Item = BlobId>) -> S3Result<()> {
    let mut table = tx.open_table(BLOBS).map_err(internal)?;
    for blob in blobs {
        let count = table.get(blob.0).map_err(internal)?.map_or(0, |count| count.value());
        table.insert(blob.0, count + 1).map_err(internal)?;
    }
    Ok(())
}

/// Drops a reference to each blob. Returns those without any left.
pub(crate) fn release(tx: &WriteTransaction, blobs: impl Iterator<Item = BlobId>) -> S3Result<Vec<BlobId>> {
    let mut table = tx.open_table(BLOBS).map_err(internal)?;
    let mut freed = Vec::new();
    for blob in blobs {
        let count = table.get(blob.0).map_err(internal)?.map_or(0, |count| count.value());
        if count > 1 {
            table.insert(blob.0, count - 1).map_err(internal)?;
        } else {
            table.remove(blob.0).map_err(internal)?;
            freed.push(blob);
        }
    }
    Ok(freed)
}
