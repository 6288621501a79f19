//! The index: one file of tables, and the transactions on buckets, objects, versions and uploads.
//!
//! Every change that a client requests is one write transaction, and its conditions are checked inside. Write
//! transactions run one at a time, so what a transaction reads stays true until it commits.

mod buckets;
pub(crate) mod conditions;
mod delete;
#[cfg(test)]
mod laws;
pub(crate) mod listing;
pub(crate) mod multipart;
pub(crate) mod objects;
mod opened;
pub(crate) mod record;
mod settings;
pub(crate) mod stamp;
pub(crate) mod subresource;
pub(crate) mod tables;
pub(crate) mod versions;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use redb::{Durability, ReadableTable, WriteTransaction};
use s3s::S3Result;
use s3s::auth::SecretKey;

use self::opened::Opened;
use self::record::now;
use self::settings::console_secret;
use self::tables::{BLOBS, BUCKETS, LAYOUTS, OBJECTS, PARTS, UPLOADS};
use crate::disk::BlobId;
use crate::disk::room::Room;
use crate::error::Error;
use crate::refusal::internal;

/// The open index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) opened: Opened,
    /// The secret key of the owner's own programs.
    pub(crate) console_secret: SecretKey,
    room: Arc<Room>,
}

impl Index {
    /// Opens the index and creates missing tables and buckets.
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
            subresource::prepare(&tx)?;
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

    /// Returns every referenced blob.
    pub(crate) fn blobs(&self) -> S3Result<HashSet<BlobId>> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BLOBS).map_err(internal)?;
        let mut blobs = HashSet::new();
        for row in table.range::<u128>(..).map_err(internal)? {
            blobs.insert(BlobId(row.map_err(internal)?.0.value()));
        }
        Ok(blobs)
    }

    /// Runs a write transaction that may take disk space: refused while the disk is full.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&WriteTransaction) -> S3Result<T>) -> S3Result<T> {
        self.room.ensure().map_err(internal)?;
        self.transact(change)
    }

    /// Runs a write transaction that frees disk space. It is committed and durable if `change` succeeds, and leaves no
    /// trace otherwise.
    pub(crate) fn free<T>(&self, change: impl FnOnce(&WriteTransaction) -> S3Result<T>) -> S3Result<T> {
        // Restore the reserve if there is space. If not, this transaction may free some.
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
                    // If the file failed, so does aborting, with a less useful error.
                    let _ = tx.abort();
                    Err(refused)
                }
            }
        };
        self.opened.write(work).map_err(internal)?
    }

    /// Returns true if a blob is referenced.
    pub(crate) fn refers(&self, blob: BlobId) -> S3Result<bool> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(BLOBS).map_err(internal)?;
        Ok(table.get(blob.0).map_err(internal)?.is_some())
    }
}
