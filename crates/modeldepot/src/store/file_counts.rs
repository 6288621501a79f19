//! Counting the files of listed versions where the listing alone does not tell, and detecting missing ones.
//!
//! A listing shows all objects under a version without reading a manifest. Usually these objects are the version's
//! files. If there are others, the listing shows one of two signs: an object newer than the manifest, which is written
//! last, or a record that the push left because it found other objects. Then the manifest is read. The count of every
//! manifest that was read, for any reason, is cached and compared with later listings.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::ModelStorage;
use super::counts::Counted;
use super::lookup::{Seen, VersionSummary};
use crate::model::name::{ModelName, Version};

/// How many manifests are read at once.
const READS_AT_ONCE: usize = 8;

/// How many manifests one listing reads at most. Beyond that, all objects under a version are counted.
const READS: usize = 256;

/// The longest manifest that is read for a list: some ten thousand files. Beyond that, all objects under a version are
/// counted, as the bucket may hold any number of them.
pub(super) const LONGEST: u64 = 8 * 1024 * 1024;

impl ModelStorage {
    /// Corrects the counts of versions that have other objects beside their files, or missing files. For that it reads
    /// the manifest of each model's highest version, and of versions that look unusual.
    pub(super) async fn count_files(&self, models: &mut BTreeMap<ModelName, BTreeMap<Version, Seen>>) {
        let (mut read, mut others) = (Vec::new(), Vec::new());
        for (model, versions) in models.iter_mut() {
            let highest = versions.iter().rfind(|(_, seen)| seen.is_published()).map(|(version, _)| version.clone());
            for (version, seen) in versions.iter_mut().filter(|(_, seen)| seen.is_published()) {
                let is_long = seen.manifest_len() > LONGEST;
                let kept = self.counts.get(model, version).filter(|(length, _)| *length == seen.manifest_len());
                match kept {
                    Some((_, counted)) if is_long => seen.correct(counted),
                    None if is_long => {}
                    // It may have been repaired since, so read a damaged manifest again.
                    Some((_, Counted::Damaged)) => read.push((model.clone(), version.clone())),
                    Some((_, counted)) => seen.correct(counted),
                    None if highest.as_ref() == Some(version) => read.push((model.clone(), version.clone())),
                    None if seen.is_unusual() => others.push((model.clone(), version.clone())),
                    None => {}
                }
            }
        }
        read.extend(others);
        read.truncate(READS);
        let read: Vec<_> = read.into_iter().map(|(model, version)| self.counted(model, version)).collect();
        let mut read = stream::iter(read).buffer_unordered(READS_AT_ONCE);
        while let Some((model, version)) = read.next().await {
            let seen = models.get_mut(&model).and_then(|versions| versions.get_mut(&version));
            if let (Some(seen), Some((_, counted))) = (seen, self.counts.get(&model, &version)) {
                seen.correct(counted);
            }
        }
    }

    async fn counted(&self, model: ModelName, version: Version) -> (ModelName, Version) {
        // Reading it caches the count. A login that may list but not read gets the listing alone.
        if let Err(error) = self.read_manifest(&model, &version).await {
            tracing::debug!(%error, %model, %version, "cannot count the files of a version");
        }
        (model, version)
    }

    /// Returns true when files of a listed version are missing or have another size, by the listing or by its manifest
    /// if that was read before. Sends nothing.
    pub fn is_known_damaged(&self, model: &ModelName, listed: &VersionSummary) -> bool {
        let kept = self.counts.get(model, &listed.version);
        listed.damaged || kept.is_some_and(|(_, counted)| counted.misses(listed.files, listed.size))
    }
}
