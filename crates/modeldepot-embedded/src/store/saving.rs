//! What compression saves.

use std::collections::HashMap;

use redb::ReadableTable;
use s3s::S3Result;

use crate::disk::{BlobId, Disk};
use crate::index::Index;
use crate::index::record::Part;
use crate::index::tables::{LAYOUTS, PARTS, decode, decode_segments};
use crate::index::versions::VERSION_LAYOUTS;
use crate::refusal::internal;

/// The compressed files of a data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saving {
    /// How many there are.
    pub files: u64,
    /// Their uncompressed size in bytes.
    pub bytes: u64,
    /// Their size on disk in bytes.
    pub stored: u64,
}

/// Adds up all compressed files; files that several objects share count once.
pub(crate) fn measure(disk: &Disk, index: &Index) -> S3Result<Saving> {
    let mut coded: HashMap<BlobId, u64> = HashMap::new();
    let tx = index.opened.read().map_err(internal)?;
    let mut add = |packed: &[u8]| -> S3Result<()> {
        coded.extend(decode_segments(packed)?.iter().filter(|s| s.coded).map(|segment| (segment.blob, segment.len)));
        Ok(())
    };
    for row in tx.open_table(LAYOUTS).map_err(internal)?.iter().map_err(internal)? {
        add(row.map_err(internal)?.1.value())?;
    }
    for row in tx.open_table(VERSION_LAYOUTS).map_err(internal)?.iter().map_err(internal)? {
        add(row.map_err(internal)?.1.value())?;
    }
    for row in tx.open_table(PARTS).map_err(internal)?.iter().map_err(internal)? {
        let part: Part = decode(row.map_err(internal)?.1.value())?;
        coded.extend(part.blob.filter(|_| part.coded).map(|blob| (blob, part.len)));
    }
    let mut saving = Saving::default();
    for (blob, len) in coded {
        // A file removed meanwhile does not count.
        if let Ok(found) = disk.path(blob).metadata() {
            saving.files += 1;
            saving.bytes += len;
            saving.stored += found.len();
        }
    }
    Ok(saving)
}
