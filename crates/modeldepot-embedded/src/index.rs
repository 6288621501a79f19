//! The index: tables and the transactions on buckets and objects.
//!
//! Every change a client asks for is one write transaction, and every condition it sets is decided inside. Write
//! transactions run one after another, so what one of them reads holds until it commits.

#[cfg(test)]
mod laws;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use redb::{Durability, ReadableTable, TableDefinition, WriteTransaction};
use s3s::auth::SecretKey;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::conditions::WriteConditions;
use crate::error::Error;
use crate::opened::Opened;
use crate::record::{BlobId, Object, Segment, now, pack, unpack};
use crate::refusal::{internal, no_such_bucket};
use crate::room::Room;
use crate::settings::console_secret;
use crate::versions::{self, Deleted, Versioning, Which};

/// Bucket name → when it was created.
pub(crate) const BUCKETS: TableDefinition<'static, &str, i64> = TableDefinition::new("buckets");
/// Place → object. The order of this table is the order of every listing.
pub(crate) const OBJECTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("objects");
/// Place → packed segments.
pub(crate) const LAYOUTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("layouts");
/// Blob → how many objects and parts refer to it.
const BLOBS: TableDefinition<'static, u128, u32> = TableDefinition::new("blobs");
/// Place and upload id → upload.
pub(crate) const UPLOADS: TableDefinition<'static, (&[u8], &str), &[u8]> = TableDefinition::new("uploads");
/// Upload id and part number → part.
pub(crate) const PARTS: TableDefinition<'static, (&str, u16), &[u8]> = TableDefinition::new("parts");

/// With this much room, any number of keys is deleted in one transaction.
const PLENTY: u64 = 64 << 20;

/// How many keys are deleted at once where there is less: what the index writes for them fits into the reserve, and what
/// it gave up for them serves the next.
const FEW: usize = 16;

/// The open index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) opened: Opened,
    /// The secret of the owner's own programs.
    pub(crate) console_secret: SecretKey,
    room: Arc<Room>,
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

pub(crate) fn decode_segments(bytes: &[u8]) -> S3Result<Vec<Segment>> {
    unpack(bytes).ok_or_else(|| internal(std::io::Error::other("a list of segments is damaged")))
}

impl Index {
    /// Opens the index, makes its tables and the buckets that are missing.
    pub(crate) fn open(path: &Path, buckets: &[String], room: Arc<Room>) -> Result<Self, Error> {
        let damaged = |source: redb::Error| Error::Index { path: path.to_owned(), source: source.into() };
        let opened = Opened::new(path, Arc::clone(&room)).map_err(damaged)?;
        let prepare = |tx: WriteTransaction| -> Result<(), redb::Error> {
            tx.open_table(OBJECTS)?;
            tx.open_table(LAYOUTS)?;
            tx.open_table(BLOBS)?;
            tx.open_table(UPLOADS)?;
            tx.open_table(PARTS)?;
            versions::prepare(&tx)?;
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
        opened.write(prepare).and_then(|prepared| prepared).map_err(damaged)?;
        let console_secret = console_secret(&opened, path)?.into();
        Ok(Self { opened, console_secret, room })
    }

    /// Returns every blob that something refers to.
    pub(crate) fn blobs(&self) -> S3Result<HashSet<BlobId>> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BLOBS).map_err(internal)?;
        let mut blobs = HashSet::new();
        for row in table.range::<u128>(..).map_err(internal)? {
            blobs.insert(BlobId(row.map_err(internal)?.0.value()));
        }
        Ok(blobs)
    }

    /// Runs one write transaction that may take room: refused while the disk is full.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&WriteTransaction) -> S3Result<T>) -> S3Result<T> {
        self.room.ensure().map_err(internal)?;
        self.transact(change)
    }

    /// Runs one write transaction that gives room back: committed and durable if `change` succeeds, without a trace if it
    /// does not.
    pub(crate) fn free<T>(&self, change: impl FnOnce(&WriteTransaction) -> S3Result<T>) -> S3Result<T> {
        // As soon as there is room for the reserve again. Until then this may be what makes some.
        let _ = self.room.refill();
        self.transact(change)
    }

    fn transact<T>(&self, change: impl FnOnce(&WriteTransaction) -> S3Result<T>) -> S3Result<T> {
        let work = |mut tx: WriteTransaction| {
            tx.set_durability(Durability::Immediate).map_err(internal)?;
            match change(&tx) {
                Ok(value) => {
                    tx.commit().map_err(internal)?;
                    Ok(value)
                }
                Err(refused) => {
                    // Where the file failed, this does too, and says less.
                    let _ = tx.abort();
                    Err(refused)
                }
            }
        };
        self.opened.write(work).map_err(internal)?
    }

    /// Returns whether anything refers to a blob.
    pub(crate) fn refers(&self, blob: BlobId) -> S3Result<bool> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BLOBS).map_err(internal)?;
        Ok(table.get(blob.0).map_err(internal)?.is_some())
    }

    /// Refuses a delete that would make a marker while the disk is full: it gives no room back, it takes some.
    fn has_room_to_delete(&self, tx: &WriteTransaction, bucket: &str) -> S3Result<()> {
        match versions::versioning(tx, bucket)? {
            Versioning::Off => Ok(()),
            _ => self.room.ensure().map_err(internal),
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
                freed.extend(crate::multipart::forget(tx, &place, &id)?);
            }
            crate::subresource::forget(tx, bucket)?;
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

    /// Returns all buckets by name, with their time of creation.
    pub(crate) fn buckets(&self) -> S3Result<Vec<(String, i64)>> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BUCKETS).map_err(internal)?;
        table
            .range::<&str>(..)
            .map_err(internal)?
            .map(|row| row.map(|(name, created)| (name.value().to_owned(), created.value())).map_err(internal))
            .collect()
    }

    /// Returns an object.
    pub(crate) fn head(&self, bucket: &str, key: &str) -> S3Result<Object> {
        self.version(bucket, key, None, false).map(|(object, _)| object)
    }

    /// Returns an object and where its bytes are, as of one moment.
    pub(crate) fn find(&self, bucket: &str, key: &str) -> S3Result<(Object, Vec<Segment>)> {
        self.version(bucket, key, None, true)
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

    /// Makes an object visible if the conditions hold. Returns the id of its version, if the bucket has versions, and the
    /// blobs that nothing refers to any more.
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

    /// Makes a copy visible that shares its bytes with the source. Returns the copy, what it was made from, the id of its
    /// version and the blobs to remove.
    ///
    /// `make` is given the source as of the transaction, decides on conditions on it, and describes the copy.
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

    /// Deletes an object if `allowed` says so. A missing one is no error. Returns what was done, and the blobs to remove.
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

    /// Deletes one version for good, if `allowed` says so of it. A missing one is no error.
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

    /// Deletes many objects, or versions: in one transaction, or in several where there is little room. Returns for each
    /// what was done or why not, and the blobs to remove.
    pub(crate) fn delete_many<'a, F: FnOnce(Option<&Object>) -> S3Result<()>>(
        &self,
        bucket: &str,
        keys: impl Iterator<Item = (&'a str, Option<Which>, F)>,
    ) -> S3Result<(Vec<S3Result<Deleted>>, Vec<BlobId>)> {
        self.delete_while(|_| Ok(()), bucket, keys)
    }

    /// Does the same as long as something holds, which each transaction looks at first.
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
                // What was deleted is deleted. The rest is told why it was not.
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

/// A copy that was made.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) object: Object,
    /// The id of its version, if its bucket has versions.
    pub(crate) version: Option<String>,
    /// The version that it was made from, if the source's bucket has versions.
    pub(crate) from: Option<String>,
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

pub(crate) fn remove(tx: &WriteTransaction, place: &[u8]) -> S3Result<Vec<BlobId>> {
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
