//! What the index stores: objects, uploads, parts, and the files that hold their bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checksum::{Algorithm, Checksums, Sums};
use crate::disk::BlobId;
use crate::index::stamp::Stamp;

/// A segment of an object: one whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) blob: BlobId,
    pub(crate) len: u64,
    /// The part number that it was uploaded with; 1 for an object that was not uploaded in parts.
    pub(crate) part: u16,
    /// Whether the file is compressed.
    pub(crate) coded: bool,
}

/// Marks a packed part number as a compressed file. Part numbers go up to 10,000, so the bit is free.
const CODED: u16 = 1 << 15;

const PACKED: usize = 16 + 8 + 2;

/// Packs segments: an object of 10,000 parts takes 260 kB, a third of JSON's size.
pub(crate) fn pack(segments: &[Segment]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(segments.len() * PACKED);
    for segment in segments {
        packed.extend_from_slice(&segment.blob.0.to_be_bytes());
        packed.extend_from_slice(&segment.len.to_be_bytes());
        let mark = if segment.coded { CODED } else { 0 };
        packed.extend_from_slice(&(segment.part | mark).to_be_bytes());
    }
    packed
}

/// The inverse of [`pack`]; `None` if the bytes are malformed.
pub(crate) fn unpack(packed: &[u8]) -> Option<Vec<Segment>> {
    let (whole, rest) = packed.as_chunks::<PACKED>();
    if !rest.is_empty() {
        return None;
    }
    whole
        .iter()
        .map(|bytes| {
            let part = u16::from_be_bytes(bytes[24..].try_into().ok()?);
            Some(Segment {
                blob: BlobId(u128::from_be_bytes(bytes[..16].try_into().ok()?)),
                len: u64::from_be_bytes(bytes[16..24].try_into().ok()?),
                part: part & !CODED,
                coded: part & CODED != 0,
            })
        })
        .collect()
}

/// The headers that are stored with an object and returned with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Description {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) website_redirect_location: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
}

/// A visible object. Its segments are stored separately, so that listings do not read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) size: u64,
    pub(crate) etag: String,
    /// Seconds since 1970: S3 has no finer times, and conditions compare what it answered.
    pub(crate) modified: i64,
    /// The number of parts it was completed with; `None` if it was not uploaded in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<u32>,
    #[serde(default)]
    pub(crate) checksums: Checksums,
    #[serde(flatten)]
    pub(crate) description: Description,
    /// Its version, in a bucket that keeps versions.
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
}

/// A multipart upload in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// Seconds since 1970.
    pub(crate) initiated: i64,
    /// The checksum that the client requested; by default a CRC64NVME of the whole object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) composite: bool,
    #[serde(flatten)]
    pub(crate) description: Description,
}

/// One uploaded part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// `None` for an empty part, which has no file.
    pub(crate) blob: Option<BlobId>,
    pub(crate) len: u64,
    /// Whether its file is compressed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) coded: bool,
    /// MD5 in hex.
    pub(crate) etag: String,
    /// Seconds since 1970.
    pub(crate) modified: i64,
    pub(crate) sums: Sums,
}

/// Returns the current time in seconds since 1970.
pub(crate) fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_round_trip() {
        let segments: Vec<_> = (1..=3)
            .map(|part| Segment { blob: BlobId::random(), len: u64::MAX - 7, part: part * 1000, coded: part == 2 })
            .collect();
        assert_eq!(unpack(&pack(&segments)), Some(segments.clone()));
        assert_eq!(unpack(&[]), Some(vec![]));
        assert_eq!(unpack(&pack(&segments)[1..]), None);
    }
}
