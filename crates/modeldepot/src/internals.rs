//! Hot loops, exposed only for this project's benchmarks. Not part of the stable API.

use crate::model::digest::{Md5, PartDigest, merge};
use crate::model::manifest::{FileEntry, Manifest, Parts};
use crate::s3::ListedObject;
use crate::store::survey;

/// Computes BLAKE3 and CRC64NVME of a part.
pub fn part(bytes: &[u8]) -> String {
    merge(&[PartDigest::of(0, bytes)], None).blake3.to_string()
}

/// Computes MD5.
pub fn md5(bytes: &[u8]) -> String {
    Md5::of(bytes).to_string()
}

/// Returns the manifest of a version of `files` files with eight parts each, as stored.
pub fn manifest(files: usize) -> Vec<u8> {
    let whole = |part: usize| PartDigest::of(part as u64 * 1024 * 1024, &[7; 64]);
    let digests = merge(&(0..8).map(whole).collect::<Vec<_>>(), Some(Md5::of(b"")));
    let entry = |n: usize| FileEntry {
        path: format!("shard-{n:05}.safetensors").parse().expect("a path"),
        size: 7 * 1024 * 1024 + 64,
        md5: digests.md5,
        blake3: digests.blake3,
        crc64nvme: digests.crc64,
        parts: Some(Parts { size: 1024 * 1024, blake3: digests.parts.clone() }),
        executable: false,
    };
    let manifest = Manifest {
        model_name: "m".parse().expect("a name"),
        version: "1".parse().expect("a version"),
        model_file: "m/v1/shard-00000.safetensors".to_owned(),
        model_url: String::new(),
        checksum: digests.md5,
        metadata: serde_json::Map::new(),
        created_at: None,
        format_version: Some(crate::FORMAT_VERSION),
        files: Some((0..files).map(entry).collect()),
        write_id: None,
        published_by: None,
        tool: None,
        history: None,
        manifest_blake3: None,
    };
    manifest.sealed().to_json()
}

/// Parses what [`manifest`] returns, and returns the number of its files.
pub fn parse(json: &[u8]) -> usize {
    let (model, version) = ("m".parse().expect("a name"), "1".parse().expect("a version"));
    Manifest::parse(&model, &version, json).expect("a manifest").files.map_or(0, |files| files.len())
}

/// Returns the listing of a model of `versions` versions, with three objects each.
pub fn listing(versions: usize) -> Vec<ListedObject> {
    let names = ["best_model.pth", "manifest.json", "training_history.json"];
    let object = |n: usize| ListedObject {
        key: format!("plant_classifier/v20251028_{:06}/{}", n / 3, names[n % 3]),
        size: 1000,
        etag: "61be1039f61babf7311ee09b3d735920".to_owned(),
        modified: Some(time::OffsetDateTime::UNIX_EPOCH),
    };
    (0..versions * 3).map(object).collect()
}

/// Sorts a listing into versions, and returns their number.
pub fn sort(listing: Vec<ListedObject>) -> usize {
    survey(listing).values().map(|versions| versions.len()).sum()
}
