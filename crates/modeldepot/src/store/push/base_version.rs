//! Files of earlier versions from which parts of a push may be copied.
//!
//! Only an optimization: if anything fails here, the push sends all its bytes.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};

use super::Push;
use super::source::SourceFile;
use crate::error::Result;
use crate::fs::{Stamp, open_to_read};
use crate::model::key::ObjectKey;
use crate::model::manifest::{FileEntry, Manifest};
use crate::model::name::{ArtifactPath, Version};
use crate::s3::{BaseObject, ChecksumSupport, CopySupport, files_at_once};
use crate::store::ModelStorage;
use crate::task::blocking;

/// How many of the newest versions have their manifests read.
const VERSIONS: usize = 3;

/// Pages of a thousand versions that are listed to find the newest. A model with more versions is pushed without
/// copies, which is better than a long wait.
const PAGES: usize = 4;

/// The objects from which each file of a push may be copied.
pub(in crate::store) type BaseFiles = BTreeMap<ArtifactPath, Vec<Arc<BaseObject>>>;

impl ModelStorage {
    /// Finds files of earlier versions to copy from, on servers whose copies can be trusted.
    pub(in crate::store) async fn base_files(&self, push: &Push, version: &Version) -> BaseFiles {
        let large: Vec<&SourceFile> = push.source.files().iter().filter(|file| file.in_parts()).collect();
        if !push.copies || large.is_empty() {
            return BaseFiles::new();
        }
        match self.find_bases(push, version, &large).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "cannot look at earlier versions; sending all");
                BaseFiles::new()
            }
        }
    }

    async fn find_bases(&self, push: &Push, version: &Version, large: &[&SourceFile]) -> Result<BaseFiles> {
        let Some(versions) = self.named_versions(&push.model, PAGES).await? else {
            tracing::debug!(model = %push.model, "too many versions to look for the newest");
            return Ok(BaseFiles::new());
        };
        let others = versions.iter().rev().filter(|found| *found != version);
        let newest = others.take(VERSIONS).map(|version| self.standing(&push.model, version));
        let manifests: Vec<Manifest> = join_all(newest).await.into_iter().flatten().flatten().collect();
        if !large.iter().any(|file| manifests.iter().any(|manifest| like(file, manifest).is_some())) {
            return Ok(BaseFiles::new());
        }
        // Checked last: finding out whether the server copies parts costs more than everything above.
        let hashed = match (self.copy_support().await?, self.capabilities().await?.crc64nvme) {
            (CopySupport::Checked, ChecksumSupport::Verified) => false,
            (CopySupport::Checked | CopySupport::Hashed, _) => true,
            (CopySupport::Unchecked | CopySupport::None | CopySupport::Unknown, _) => return Ok(BaseFiles::new()),
        };
        let of_file = large.iter().map(|file| async {
            let sources = manifests.iter().filter_map(|manifest| Some((manifest, like(file, manifest)?)));
            let found = join_all(sources.map(|(manifest, entry)| self.look_at(file, manifest, entry, hashed))).await;
            (file.path.clone(), found.into_iter().flatten().map(Arc::new).collect())
        });
        Ok(stream::iter(of_file.collect::<Vec<_>>()).buffer_unordered(files_at_once()).collect().await)
    }

    /// Returns a file of an earlier version as it is in the bucket now.
    async fn look_at(
        &self,
        file: &SourceFile,
        manifest: &Manifest,
        entry: &FileEntry,
        hashed: bool,
    ) -> Option<BaseObject> {
        let parts = entry.parts.as_ref()?;
        let (model, version) = (manifest.model_name.clone(), manifest.version.clone());
        let key = ObjectKey::Artifact(model, version, entry.path.clone()).to_string();
        let found = self.depot.get_object_metadata(&self.bucket, &key).await.ok()?;
        if found.size != entry.size || found.etag.is_empty() {
            return None;
        }
        let (part, parts) = (parts.size, parts.blake3.clone());
        let earlier = BaseObject { key, etag: found.etag, part, parts, size: entry.size, hashed };
        if hashed {
            // Costs a second MD5 of every part and the checksum of the whole file, so do it only where a copy is
            // likely.
            let (earlier, local, size, stamp) = (earlier.clone(), file.local.clone(), file.size, file.stamp);
            let like = blocking(move || Ok(opened(&local, stamp).is_some_and(|local| earlier.is_like(&local, size))));
            if !like.await.unwrap_or(false) {
                return None;
            }
        }
        Some(earlier)
    }
}

/// Opens a file, if it is still the one that was found.
fn opened(local: &Path, stamp: Option<Stamp>) -> Option<File> {
    let file = open_to_read(local).ok()?;
    let found = file.metadata().ok().filter(Metadata::is_file)?;
    stamp.is_none_or(|stamp| stamp == Stamp::of_metadata(&found)).then_some(file)
}

/// Returns the file of a version most likely to share parts: the one at the same path, or else one of the same size.
fn like<'a>(file: &SourceFile, manifest: &'a Manifest) -> Option<&'a FileEntry> {
    let entries = || manifest.files.iter().flatten().filter(|entry| entry.parts.is_some());
    let same_path = entries().find(|entry| entry.path == file.path);
    same_path.or_else(|| entries().find(|entry| entry.size == file.size))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PART: u64 = 8 << 20;

    fn manifest(files: &[(&str, u64)]) -> Manifest {
        let blake3 = "0".repeat(64);
        let entry = |&(path, size): &(&str, u64)| {
            let mut entry = serde_json::json!({"path": path, "size": size, "blake3": blake3});
            if size > PART {
                entry["parts"] = serde_json::json!({"size": PART, "blake3": [blake3, blake3]});
            }
            entry
        };
        let files: Vec<_> = files.iter().map(entry).collect();
        let manifest = serde_json::json!({"model_name": "m", "version": "1", "model_file": "m/v1/a", "files": files});
        serde_json::from_value(manifest).unwrap()
    }

    #[test]
    fn parts_are_sought_in_the_file_at_the_same_path_or_of_the_same_size() {
        let alike = |path: &str, size: u64, files: &[(&str, u64)]| {
            let file = SourceFile::new(path.parse().unwrap(), path.into(), size);
            like(&file, &manifest(files)).map(|entry| entry.path.to_string())
        };
        let (longer, other) = (PART + 1, PART + 2);
        assert_eq!(alike("b", longer, &[("a", longer), ("b", other)]).as_deref(), Some("b"));
        assert_eq!(alike("c", longer, &[("a", other), ("b", longer)]).as_deref(), Some("b"));
        assert_eq!(alike("c", longer, &[("a", other), ("b", other)]), None);
        assert_eq!(alike("b", longer, &[("b", 5)]), None, "it has no parts");
        assert_eq!(alike("b", longer, &[("b", 5), ("a", longer)]).as_deref(), Some("a"));
        assert_eq!(alike("b", longer, &[]), None);
    }

    #[test]
    fn only_the_file_that_was_found_is_compared_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("m.bin");
        fs::write(&local, "weights").unwrap();
        let stamp = Stamp::of_metadata(&fs::metadata(&local).unwrap());
        assert!(opened(&local, Some(stamp)).is_some() && opened(&local, None).is_some());
        fs::rename(&local, folder.path().join("moved")).unwrap();
        assert!(opened(&local, None).is_none());
        fs::write(&local, "another").unwrap();
        assert!(opened(&local, Some(stamp)).is_none(), "another file under its name");
        assert!(opened(folder.path(), None).is_none(), "a folder");
    }
}
