//! `manifest.json`, the record that makes a version exist.
//!
//! The first seven fields and their meaning are those of the Python pipeline, so that each side can read what the other
//! wrote. Readers ignore unknown fields. `docs/format.md` describes the format in full, and `docs/manifest.schema.json`
//! is generated from the types here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::model::digest::{Blake3, Crc64, Md5, Subtree, root_of};
use crate::model::key::{ObjectKey, version_prefix};
pub(crate) use crate::model::manifest_error::LARGEST;
pub use crate::model::manifest_error::{FORMAT_VERSION, ManifestError};
use crate::model::metadata;
use crate::model::name::{ArtifactPath, ModelName, PublishedBy, Version, shown};

/// Describes one published version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Manifest {
    /// The model.
    pub model_name: ModelName,
    /// The version.
    pub version: Version,
    /// The key of the model file: `<model>/v<version>/<path>`.
    pub model_file: String,
    /// The address of the model file at the endpoint that it was pushed to. For people; no program reads it.
    #[serde(default)]
    pub model_url: String,
    /// The MD5 of the model file. Missing when it was not requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Md5>,
    /// Metadata of the version, chosen by the user: architecture, metrics, hyper-parameters. At most 64 levels deep,
    /// including itself, and 100,000 values.
    #[serde(default, deserialize_with = "metadata::deserialize")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Value>"))]
    pub metadata: Map<String, Value>,
    /// When the version was published, UTC. Missing when it is unknown.
    #[serde(with = "created", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub created_at: Option<OffsetDateTime>,
    /// The version of this format. Missing in manifests of the Python pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_version: Option<u32>,
    /// Every file of the version. Missing in manifests of the Python pipeline: there, all objects beside the manifest
    /// are files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileEntry>>,
    /// The path of the training history, from which curves are drawn. Missing when none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<ArtifactPath>,
    /// The id of the push that wrote this manifest, by which a push whose reply was lost recognizes its own manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_id: Option<String>,
    /// Who published the version: a token's name, `user@host`, or the address of a CI job. Stated by the publisher and
    /// not signed; missing when not stated.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "published_by")]
    pub published_by: Option<PublishedBy>,
    /// The program that wrote the manifest, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The BLAKE3 of the manifest's own bytes, computed with 64 zeros in this field. It detects a manifest that was
    /// changed after publication, such as a single digit of a metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_blake3: Option<Blake3>,
}

/// Describes one file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FileEntry {
    /// The path of the file, relative to the version's folder.
    pub path: ArtifactPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its MD5, as `md5sum` prints it. Missing when it was not requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<Md5>,
    /// Its BLAKE3, as `b3sum` prints it.
    pub blake3: Blake3,
    /// Its CRC64NVME, in base64 as S3 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64>,
    /// Whether it is an executable program or script. Missing when it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Its parts, if it has several. Missing for small files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
}

/// The parts of a file. They show which part is damaged, and which need not be transferred again because another
/// version has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Parts {
    /// The length of every part but the last, in bytes: a power of two of at least 1 MiB.
    pub size: u64,
    /// The digests of the parts, in file order. They merge into the file's `blake3`.
    pub blake3: Vec<Subtree>,
}

/// The largest object that S3 allows: 10,000 parts of 5 GiB. (AWS calls it 50 TB, since December 2025.)
const LARGEST_FILE: u64 = 10_000 * 5 * 1024 * 1024 * 1024;

/// The smallest parts that a manifest may list.
const SMALLEST_PARTS: u64 = 1024 * 1024;

impl FileEntry {
    /// Returns false when the parts do not fit this file.
    fn parts_fit(&self) -> bool {
        self.parts.as_ref().is_none_or(|parts| {
            parts.size.is_power_of_two()
                && parts.size >= SMALLEST_PARTS
                && parts.blake3.len() > 1
                && parts.blake3.len() as u64 == self.size.div_ceil(parts.size)
                && root_of(&parts.blake3) == self.blake3
        })
    }
}

impl Manifest {
    /// Parses the manifest found at the key of `model` and `version`.
    ///
    /// # Errors
    /// [`ManifestError`] when the bytes are not a manifest, or one that must not be used: for another model or version,
    /// with a path outside the version's folder, or with one path twice or inside another.
    pub fn parse(model: &ModelName, version: &Version, bytes: &[u8]) -> Result<Manifest, ManifestError> {
        if bytes.len() as u64 > LARGEST {
            return Err(ManifestError::TooLarge { bytes: bytes.len() as u64 });
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(ManifestError::syntax)?;
        let wrong = |what: String| Err(ManifestError::Inconsistent(what));
        if let Some(format) = manifest.format_version.filter(|format| *format > FORMAT_VERSION) {
            return Err(ManifestError::TooNew(format));
        }
        if manifest.model_name != *model || manifest.version != *version {
            return wrong(format!("it is the manifest of `{}@{}`", manifest.model_name, manifest.version));
        }
        let main = manifest.main()?;
        // These three fields are ours and come together. If one is missing it was lost, which would change the meaning
        // of the others.
        let ours = [manifest.format_version.is_some(), manifest.files.is_some(), manifest.manifest_blake3.is_some()];
        let Some(files) = manifest.files.as_ref().filter(|_| ours == [true; 3]) else {
            return if ours == [false; 3] {
                Ok(manifest)
            } else {
                wrong("it has some of `format_version`, `files` and `manifest_blake3`, and not all".to_owned())
            };
        };
        let mut seen = BTreeSet::new();
        for file in files {
            if !seen.insert(file.path.as_str()) {
                return wrong(format!("it lists `{}` twice", file.path));
            }
        }
        if let Some(file) = files.iter().find(|file| file.size > LARGEST_FILE) {
            return wrong(format!("it says that `{}` has {} bytes, more than S3 can store", file.path, file.size));
        }
        if files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.size)).is_none() {
            return wrong("the sizes of its files are beyond all measure".to_owned());
        }
        for path in &seen {
            let inside = |(cut, _): &(usize, &str)| seen.contains(&path[..*cut]);
            if let Some((cut, _)) = path.match_indices('/').find(inside) {
                return wrong(format!("it lists `{}` both as a file and as a folder", &path[..cut]));
            }
        }
        if let Some(file) = files.iter().find(|file| !file.parts_fit()) {
            return wrong(format!("the parts that it lists of `{}` are not those of the file", file.path));
        }
        if let Some(history) = manifest.history.as_ref().filter(|history| !seen.contains(history.as_str())) {
            return wrong(format!("its training history `{history}` is not among its files"));
        }
        match files.iter().find(|file| file.path == main) {
            None => wrong(format!("its model file `{main}` is not among its files")),
            Some(entry) if manifest.checksum.is_some() && entry.md5.is_some() && manifest.checksum != entry.md5 => {
                wrong(format!("it gives two MD5 checksums for `{main}`"))
            }
            Some(_) if !manifest.is_sealed(bytes) => {
                wrong("its bytes are not those that were published: `manifest_blake3` is of others".to_owned())
            }
            Some(_) => Ok(manifest),
        }
    }

    /// Returns the manifest with its own digest set.
    pub fn sealed(mut self) -> Manifest {
        self.manifest_blake3 = Some(Blake3::ZEROS);
        self.manifest_blake3 = Some(Blake3::of(&self.to_json()));
        self
    }

    fn is_sealed(&self, bytes: &[u8]) -> bool {
        let Some(seal) = self.manifest_blake3.map(|seal| seal.to_string()) else { return false };
        let Some(at) = bytes.windows(seal.len()).rposition(|window| window == seal.as_bytes()) else { return false };
        let mut unsealed = bytes.to_vec();
        unsealed[at..at + seal.len()].fill(b'0');
        Blake3::of(&unsealed).to_string() == seal
    }

    /// Returns the path of the model file within the version's folder.
    ///
    /// # Errors
    /// [`ManifestError::Inconsistent`] when `model_file` is outside the version's folder.
    pub fn main(&self) -> Result<ArtifactPath, ManifestError> {
        let outside = || {
            ManifestError::Inconsistent(format!("its model file `{}` is outside the version", shown(&self.model_file)))
        };
        let path =
            self.model_file.strip_prefix(&version_prefix(&self.model_name, &self.version)).ok_or_else(outside)?;
        path.parse().map_err(|_| outside())
    }

    /// Returns the key of the manifest.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::Manifest(self.model_name.clone(), self.version.clone())
    }

    /// Returns the total size of the files in bytes, if the manifest lists them.
    pub fn size(&self) -> Option<u64> {
        self.files.as_ref().map(|files| files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size)))
    }

    /// Returns the bytes to store.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Returns true when both publish the same files with the same metadata, no matter who pushed them and when.
    pub fn same_content(&self, other: &Manifest) -> bool {
        let files = |m: &Manifest| -> Option<BTreeSet<(ArtifactPath, u64, String, bool)>> {
            let file = |f: &FileEntry| (f.path.clone(), f.size, f.blake3.to_string(), f.executable);
            Some(m.files.as_ref()?.iter().map(file).collect())
        };
        self.model_file == other.model_file
            && self.history == other.history
            && self.metadata == other.metadata
            && match (files(self), files(other)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            }
    }
}

/// Reads the publisher. An invalid value is ignored, so that the version stays usable.
fn published_by<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<PublishedBy>, D::Error> {
    let text = Option::<Value>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.as_str()?.parse().ok()))
}

/// Reads both forms of `created_at`, RFC 3339 and the Python pipeline's without a time zone; writes RFC 3339 with `Z`.
mod created {
    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use time::format_description::well_known::{Iso8601, Rfc3339};
    use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

    use crate::model::name::shown;

    pub(super) fn serialize<S: Serializer>(time: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(time) = time else { return serializer.serialize_none() };
        let text = time.to_offset(UtcOffset::UTC).format(&Rfc3339).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .or_else(|_| PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc))
            .map(|time| Some(time.to_offset(UtcOffset::UTC)))
            .map_err(|_| de::Error::custom(format!("`{}` is not a time", shown(&text))))
    }
}

#[cfg(test)]
mod tests;
