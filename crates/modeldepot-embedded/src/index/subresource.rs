//! The configuration of buckets: tags, CORS rules and lifecycle rules, in a table of their own.

use redb::{ReadableTable as _, TableDefinition, WriteTransaction};
use s3s::{S3Result, s3_error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Index;
use super::tables::{BUCKETS, decode, encode, require_bucket};
use crate::refusal::{internal, no_such_bucket};

/// Bucket and kind → configuration.
const SUBRESOURCES: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("subresources");

/// The largest configuration. AWS allows 64 kB of CORS rules.
const LARGEST: usize = 256 << 10;

/// What can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cors,
    Lifecycle,
    Tagging,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Cors, Self::Lifecycle, Self::Tagging];

    fn name(self) -> &'static str {
        match self {
            Self::Cors => "cors",
            Self::Lifecycle => "lifecycle",
            Self::Tagging => "tagging",
        }
    }
}

/// Creates the table.
pub(super) fn prepare(tx: &WriteTransaction) -> Result<(), redb::Error> {
    tx.open_table(SUBRESOURCES)?;
    Ok(())
}

/// Removes the configuration of a deleted bucket.
pub(crate) fn forget(tx: &WriteTransaction, bucket: &str) -> S3Result<()> {
    let mut table = tx.open_table(SUBRESOURCES).map_err(internal)?;
    for kind in Kind::ALL {
        table.remove((bucket, kind.name())).map_err(internal)?;
    }
    Ok(())
}

/// Returns a bucket's configuration, as this transaction sees it.
pub(crate) fn configured<T: DeserializeOwned>(tx: &WriteTransaction, bucket: &str, kind: Kind) -> S3Result<Option<T>> {
    let table = tx.open_table(SUBRESOURCES).map_err(internal)?;
    let found = table.get((bucket, kind.name())).map_err(internal)?;
    found.map(|bytes| decode(bytes.value())).transpose()
}

impl Index {
    /// Returns a bucket's configuration.
    pub(crate) fn subresource<T: DeserializeOwned>(&self, bucket: &str, kind: Kind) -> S3Result<Option<T>> {
        let tx = self.opened.read().map_err(internal)?;
        if tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_none() {
            return Err(no_such_bucket());
        }
        let table = tx.open_table(SUBRESOURCES).map_err(internal)?;
        let found = table.get((bucket, kind.name())).map_err(internal)?;
        found.map(|bytes| decode(bytes.value())).transpose()
    }

    /// Returns the configurations of all buckets.
    pub(crate) fn subresources<T: DeserializeOwned>(&self, kind: Kind) -> S3Result<Vec<(String, T)>> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(SUBRESOURCES).map_err(internal)?;
        let mut found = Vec::new();
        for row in table.range::<(&str, &str)>(..).map_err(internal)? {
            let (at, value) = row.map_err(internal)?;
            let (bucket, name) = at.value();
            if name == kind.name() {
                found.push((bucket.to_owned(), decode(value.value())?));
            }
        }
        Ok(found)
    }

    /// Configures a bucket.
    pub(crate) fn put_subresource(&self, bucket: &str, kind: Kind, value: &impl Serialize) -> S3Result<()> {
        let value = encode(value)?;
        if value.len() > LARGEST {
            return Err(s3_error!(InvalidRequest, "The configuration is larger than {} bytes", LARGEST));
        }
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            let mut table = tx.open_table(SUBRESOURCES).map_err(internal)?;
            table.insert((bucket, kind.name()), value.as_slice()).map_err(internal)?;
            Ok(())
        })
    }

    /// Removes a bucket's configuration.
    pub(crate) fn delete_subresource(&self, bucket: &str, kind: Kind) -> S3Result<()> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            tx.open_table(SUBRESOURCES).map_err(internal)?.remove((bucket, kind.name())).map_err(internal)?;
            Ok(())
        })
    }
}
