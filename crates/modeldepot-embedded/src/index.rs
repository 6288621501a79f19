//! The index: tables and the transactions on buckets and objects.
//!
//! Every change a client asks for is one write transaction, and every condition it sets is decided inside. Write
//! transactions run one after another, so what one of them reads holds until it commits.

#[cfg(test)]
mod laws;

use std::collections::HashSet;
use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use s3s::auth::SecretKey;
use s3s::{S3ErrorCode, S3Result, s3_error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::conditions::WriteConditions;
use crate::error::Error;
use crate::record::{BlobId, Object, Segment, now, pack, unpack};
use crate::refusal::{internal, no_such_bucket, no_such_key};
use crate::settings::console_secret;

/// Bucket name → when it was created.
pub(crate) const BUCKETS: TableDefinition<'static, &str, i64> = TableDefinition::new("buckets");
/// Place → object. The order of this table is the order of every listing.
pub(crate) const OBJECTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("objects");
/// Place → packed segments.
const LAYOUTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("layouts");
/// Blob → how many objects and parts refer to it.
const BLOBS: TableDefinition<'static, u128, u32> = TableDefinition::new("blobs");
/// Place and upload id → upload.
pub(crate) const UPLOADS: TableDefinition<'static, (&[u8], &str), &[u8]> = TableDefinition::new("uploads");
/// Upload id and part number → part.
pub(crate) const PARTS: TableDefinition<'static, (&str, u16), &[u8]> = TableDefinition::new("parts");

/// The index needs no large cache: the system caches its file anyway, and memory is promised to stay small.
const CACHE: usize = 32 << 20;

/// The open index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) db: Database,
    /// The secret of the owner's own programs.
    pub(crate) console_secret: SecretKey,
}

/// Spells where an object is: bucket, a zero byte (no bucket name has one), key.
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

fn decode_segments(bytes: &[u8]) -> S3Result<Vec<Segment>> {
    unpack(bytes).ok_or_else(|| internal(std::io::Error::other("a list of segments is damaged")))
}

impl Index {
    /// Opens the index, makes its tables and the buckets that are missing.
    pub(crate) fn open(path: &Path, buckets: &[String]) -> Result<Self, Error> {
        let damaged = |source: redb::Error| Error::Index { path: path.to_owned(), source: source.into() };
        let db = Database::builder().set_cache_size(CACHE).create(path).map_err(|e| damaged(e.into()))?;
        let prepare = || -> Result<(), redb::Error> {
            let tx = db.begin_write()?;
            tx.open_table(OBJECTS)?;
            tx.open_table(LAYOUTS)?;
            tx.open_table(BLOBS)?;
            tx.open_table(UPLOADS)?;
            tx.open_table(PARTS)?;
            Self::prepare_subresources(&tx)?;
            {
                let mut table = tx.open_table(BUCKETS)?;
                for bucket in buckets {
                    if table.get(bucket.as_str())?.is_none() {
                        table.insert(bucket.as_str(), now())?;
                    }
                }
            }
            tx.commit()?;
            Ok(())
        };
        prepare().map_err(damaged)?;
        let console_secret = console_secret(&db, path)?.into();
        Ok(Self { db, console_secret })
    }

    /// Returns every blob that something refers to.
    pub(crate) fn blobs(&self) -> S3Result<HashSet<BlobId>> {
        let tx = self.db.begin_read().map_err(internal)?;
        let table = tx.open_table(BLOBS).map_err(internal)?;
        let mut blobs = HashSet::new();
        for row in table.range::<u128>(..).map_err(internal)? {
            blobs.insert(BlobId(row.map_err(internal)?.0.value()));
        }
        Ok(blobs)
    }

    /// Runs one write transaction: committed and durable if `change` succeeds, without a trace if it does not.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&WriteTransaction) -> S3Result<T>) -> S3Result<T> {
        let mut tx = self.db.begin_write().map_err(internal)?;
        tx.set_durability(Durability::Immediate).map_err(internal)?;
        match change(&tx) {
            Ok(value) => {
                tx.commit().map_err(internal)?;
                Ok(value)
            }
            Err(refused) => {
                tx.abort().map_err(internal)?;
                Err(refused)
            }
        }
    }

    /// Creates a bucket. Returns whether it was missing.
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

    /// Deletes an empty bucket and its unfinished uploads. Returns the blobs that nothing refers to any more.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> S3Result<Vec<BlobId>> {
        let (start, end) = (place(bucket, ""), after_bucket(bucket));
        self.write(|tx| {
            let known = tx.open_table(BUCKETS).map_err(internal)?.remove(bucket).map_err(internal)?.is_some();
            if !known {
                return Err(no_such_bucket());
            }
            let objects = tx.open_table(OBJECTS).map_err(internal)?;
            if objects.range(start.as_slice()..end.as_slice()).map_err(internal)?.next().is_some() {
                return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
            }
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
                freed.extend(crate::multipart::forget(tx, &place, &id)?);
            }
            crate::subresource::forget(tx, bucket)?;
            Ok(freed)
        })
    }

    /// Returns when a bucket was created.
    pub(crate) fn bucket(&self, bucket: &str) -> S3Result<i64> {
        let tx = self.db.begin_read().map_err(internal)?;
        let table = tx.open_table(BUCKETS).map_err(internal)?;
        let created = table.get(bucket).map_err(internal)?.ok_or_else(no_such_bucket)?;
        Ok(created.value())
    }

    /// Returns all buckets by name, with their time of creation.
    pub(crate) fn buckets(&self) -> S3Result<Vec<(String, i64)>> {
        let tx = self.db.begin_read().map_err(internal)?;
        let table = tx.open_table(BUCKETS).map_err(internal)?;
        table
            .range::<&str>(..)
            .map_err(internal)?
            .map(|row| row.map(|(name, created)| (name.value().to_owned(), created.value())).map_err(internal))
            .collect()
    }

    /// Returns an object.
    pub(crate) fn head(&self, bucket: &str, key: &str) -> S3Result<Object> {
        let tx = self.db.begin_read().map_err(internal)?;
        let table = tx.open_table(OBJECTS).map_err(internal)?;
        let Some(bytes) = table.get(place(bucket, key).as_slice()).map_err(internal)? else {
            return match tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)? {
                Some(_) => Err(no_such_key()),
                None => Err(no_such_bucket()),
            };
        };
        decode(bytes.value())
    }

    /// Returns an object and where its bytes are, as of one moment.
    pub(crate) fn find(&self, bucket: &str, key: &str) -> S3Result<(Object, Vec<Segment>)> {
        let place = place(bucket, key);
        let tx = self.db.begin_read().map_err(internal)?;
        let objects = tx.open_table(OBJECTS).map_err(internal)?;
        let layouts = tx.open_table(LAYOUTS).map_err(internal)?;
        let (object, layout) =
            (objects.get(place.as_slice()).map_err(internal)?, layouts.get(place.as_slice()).map_err(internal)?);
        let (Some(object), Some(layout)) = (object, layout) else {
            return match tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)? {
                Some(_) => Err(no_such_key()),
                None => Err(no_such_bucket()),
            };
        };
        Ok((decode(object.value())?, decode_segments(layout.value())?))
    }

    /// Returns whether a write would be refused right now. Only a hint: [`Index::put`] decides.
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

    /// Makes an object visible if the conditions hold. Returns the blobs that nothing refers to any more.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        object: &Object,
        segments: &[Segment],
        conditions: &WriteConditions,
    ) -> S3Result<Vec<BlobId>> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            let place = place(bucket, key);
            conditions.check(get(tx, &place)?.as_ref())?;
            replace(tx, &place, object, segments)
        })
    }

    /// Makes a copy visible that shares its bytes with the source. Returns the copy and the blobs to remove.
    ///
    /// `make` is given the source as of the transaction, decides on conditions on it, and describes the copy.
    pub(crate) fn copy(
        &self,
        source: (&str, &str),
        target: (&str, &str),
        conditions: &WriteConditions,
        make: impl FnOnce(&Object) -> S3Result<Object>,
    ) -> S3Result<(Object, Vec<BlobId>)> {
        self.write(|tx| {
            require_bucket(tx, source.0)?;
            require_bucket(tx, target.0)?;
            let from = place(source.0, source.1);
            let found = get(tx, &from)?.ok_or_else(no_such_key)?;
            let segments = segments(tx, &from)?;
            let copy = make(&found)?;
            let to = place(target.0, target.1);
            conditions.check(get(tx, &to)?.as_ref())?;
            let freed = replace(tx, &to, &copy, &segments)?;
            Ok((copy, freed))
        })
    }

    /// Deletes an object if `allowed` says so. A missing one is no error. Returns the blobs to remove.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        allowed: impl FnOnce(Option<&Object>) -> S3Result<()>,
    ) -> S3Result<Vec<BlobId>> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            let place = place(bucket, key);
            allowed(get(tx, &place)?.as_ref())?;
            remove(tx, &place)
        })
    }

    /// Deletes many objects in one transaction. Returns for each whether it was refused, and the blobs to remove.
    pub(crate) fn delete_many<'a, F: FnOnce(Option<&Object>) -> S3Result<()>>(
        &self,
        bucket: &str,
        keys: impl Iterator<Item = (&'a str, F)>,
    ) -> S3Result<(Vec<S3Result<()>>, Vec<BlobId>)> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            let (mut results, mut freed) = (Vec::new(), Vec::new());
            for (key, allowed) in keys {
                let place = place(bucket, key);
                let verdict = allowed(get(tx, &place)?.as_ref());
                if verdict.is_ok() {
                    freed.extend(remove(tx, &place)?);
                }
                results.push(verdict);
            }
            Ok((results, freed))
        })
    }
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

fn segments(tx: &WriteTransaction, place: &[u8]) -> S3Result<Vec<Segment>> {
    let table = tx.open_table(LAYOUTS).map_err(internal)?;
    let found = table.get(place).map_err(internal)?;
    found.map_or_else(|| Ok(Vec::new()), |bytes| decode_segments(bytes.value()))
}

/// Puts an object at a place, instead of what may be there.
pub(crate) fn replace(
    tx: &WriteTransaction,
    place: &[u8],
    object: &Object,
    segments: &[Segment],
) -> S3Result<Vec<BlobId>> {
    // First the new references, then the old: an object copied onto itself must not lose its bytes in between.
    retain(tx, segments.iter().map(|segment| segment.blob))?;
    let freed = remove(tx, place)?;
    let object = encode(object)?;
    tx.open_table(OBJECTS).map_err(internal)?.insert(place, object.as_slice()).map_err(internal)?;
    tx.open_table(LAYOUTS).map_err(internal)?.insert(place, pack(segments).as_slice()).map_err(internal)?;
    Ok(freed)
}

fn remove(tx: &WriteTransaction, place: &[u8]) -> S3Result<Vec<BlobId>> {
    tx.open_table(OBJECTS).map_err(internal)?.remove(place).map_err(internal)?;
    let layout = {
        let mut table = tx.open_table(LAYOUTS).map_err(internal)?;
        let removed = table.remove(place).map_err(internal)?;
        removed.map(|bytes| decode_segments(bytes.value())).transpose()?.unwrap_or_default()
    };
    release(tx, layout.into_iter().map(|segment| segment.blob))
}

/// Counts one more reference to each blob.
pub(crate) fn retain(tx: &WriteTransaction, blobs: impl Iterator<Item = BlobId>) -> S3Result<()> {
    let mut table = tx.open_table(BLOBS).map_err(internal)?;
    for blob in blobs {
        let count = table.get(blob.0).map_err(internal)?.map_or(0, |count| count.value());
        table.insert(blob.0, count + 1).map_err(internal)?;
    }
    Ok(())
}

/// Counts one reference less to each blob. Returns those that have none left.
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
