//! Checks before anything is sent that the version could be read again.

use time::macros::datetime;
use uuid::Uuid;

use super::Push;
use super::source::SourceFile;
use crate::error::{Error, Result};
use crate::model::digest::{Blake3, Crc64, Md5, Subtree, root_of};
use crate::model::manifest::{FileEntry, Manifest, Parts};
use crate::model::metadata;
use crate::model::name::Version;
use crate::s3::part_size;
use crate::store::ModelStorage;

impl ModelStorage {
    /// Makes sure that the version this push would publish could be read again. Sends nothing; every push starts with
    /// it.
    ///
    /// A manifest with placeholder digests of the same length passes through the reader that every pull uses. What that
    /// reader refuses is therefore never uploaded, and no version name is retired for it.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Invalid`] when the version is named `latest` or `v`, when the metadata is too
    /// large or nested too deeply, or when the reader refuses the manifest: its error is the cause.
    pub fn check_push(&self, push: &Push) -> Result<()> {
        if let Some(version) = push.version.as_ref().filter(|version| version.is_latest()) {
            return Err(Error::named_latest(&push.model, version));
        }
        if let Some(version) = push.version.as_ref().filter(|version| version.as_str().eq_ignore_ascii_case("v")) {
            return Err(Error::named_v(version));
        }
        // Checked before serializing, which also recurses once per level.
        metadata::check(&push.metadata)?;
        // All digits of a second, and as long as any version chosen automatically.
        let created = datetime!(2000-01-01 00:00:00.123456789 UTC);
        let version = push.version.clone().unwrap_or_else(|| Version::at(created));
        let files = push.source.files().iter().map(|file| stand_in(file, push.md5)).collect();
        let manifest = self.manifest_of(push, version, Uuid::max(), files, Some(created));
        read_back(&manifest).map(drop)
    }
}

/// Returns the bytes of a manifest after checking that the reader accepts them.
///
/// # Errors
/// [`Error::Other`] of kind [`crate::ErrorKind::Invalid`].
pub(in crate::store) fn read_back(manifest: &Manifest) -> Result<Vec<u8>> {
    let bytes = manifest.to_json();
    match Manifest::parse(&manifest.model_name, &manifest.version, &bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(Error::unreadable_manifest(source)),
    }
}

/// Returns an entry for a file that has not been read yet: the right length, with placeholder digests.
fn stand_in(file: &SourceFile, md5: bool) -> FileEntry {
    let part = part_size(file.size);
    let count = usize::try_from(file.size.div_ceil(part)).unwrap_or(usize::MAX);
    let parts = (count > 1).then(|| Parts { size: part, blake3: vec![Subtree::ZEROS; count] });
    FileEntry {
        path: file.path.clone(),
        size: file.size,
        md5: md5.then_some(Md5::ZEROS),
        blake3: parts.as_ref().map_or(Blake3::ZEROS, |parts| root_of(&parts.blake3)),
        crc64nvme: Some(Crc64::ZERO),
        executable: file.executable,
        parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in for a file that was not read is as long as the real entry.
    #[test]
    fn a_file_is_stood_in_for_with_as_many_parts() {
        let part = part_size(0);
        for (size, count) in [(0, None), (1, None), (part, None), (part + 1, Some(2)), (3 * part, Some(3))] {
            let file = SourceFile::new("m.bin".parse().unwrap(), "m.bin".into(), size);
            for md5 in [true, false] {
                let entry = stand_in(&file, md5);
                let parts = entry.parts.as_ref().map(|parts| (parts.size, parts.blake3.len()));
                assert_eq!(parts, count.map(|count| (part, count)), "{size}");
                assert_eq!((entry.size, entry.md5.is_some()), (size, md5));
            }
        }
    }
}
