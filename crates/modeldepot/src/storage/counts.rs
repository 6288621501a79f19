//! How many files a listed version has, where the listing alone does not tell.
//!
//! A listing shows all objects under a version, and costs no read of a manifest. Where nothing else lies there, its objects
//! are its files. Otherwise one of two things shows in the listing: an object that is newer than the manifest, which is
//! written last, or a record that the push left because it found other objects. Only then the manifest is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};

use super::ModelStorage;
use super::catalog::Seen;
use crate::error::Error;
use crate::name::{ModelName, Version};

/// Manifests that one listing reads at most. Beyond that, all objects under a version are counted.
const READS: usize = 256;

/// Manifests that are read at once.
const READS_AT_ONCE: usize = 8;

/// Counts that are kept.
const KEPT: usize = 4096;

/// What a manifest says of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Their number and bytes.
    Files(usize, u64),
    /// It lists none: all objects beside it are files.
    All,
    /// It cannot be used.
    Damaged,
}

/// What manifests said, by their key and ETag: a listing that is asked for every second reads each of them once.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<HashMap<(ModelName, Version, String), Counted>>);

impl Counts {
    fn get(&self, of: &(ModelName, Version, String)) -> Option<Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(of).copied()
    }

    fn keep(&self, of: (ModelName, Version, String), counted: Counted) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        // A server that lists no ETag does not say whether the manifest is the same still.
        if !of.2.is_empty() {
            kept.insert(of, counted);
        }
    }
}

impl ModelStorage {
    /// Corrects what a listing says of versions beside whose files other objects lie.
    pub(super) async fn count_files(&self, models: &mut BTreeMap<ModelName, BTreeMap<Version, Seen>>) {
        let mut read = Vec::new();
        for (model, versions) in models.iter_mut() {
            for (version, seen) in versions.iter_mut().filter(|(_, seen)| seen.is_unusual()) {
                let of = (model.clone(), version.clone(), seen.manifest_etag().to_owned());
                match self.counts.get(&of) {
                    Some(counted) => seen.correct(counted),
                    None => read.push(self.count(of)),
                }
            }
        }
        read.truncate(READS);
        let mut read = stream::iter(read).buffer_unordered(READS_AT_ONCE);
        while let Some((model, version, counted)) = read.next().await {
            let seen = models.get_mut(&model).and_then(|versions| versions.get_mut(&version));
            if let (Some(seen), Some(counted)) = (seen, counted) {
                seen.correct(counted);
            }
        }
    }

    async fn count(&self, of: (ModelName, Version, String)) -> (ModelName, Version, Option<Counted>) {
        let (model, version) = (of.0.clone(), of.1.clone());
        let counted = match self.read_manifest(&model, &version).await {
            Ok(Some((manifest, _))) => match (&manifest.files, manifest.size()) {
                (Some(files), Some(bytes)) => Counted::Files(files.len(), bytes),
                _ => Counted::All,
            },
            Err(Error::Manifest { .. } | Error::WrongSize { .. }) => Counted::Damaged,
            // Whoever may list and not read gets the listing.
            Ok(None) => return (model, version, None),
            Err(error) => {
                tracing::debug!(%error, %model, %version, "cannot count the files of a version");
                return (model, version, None);
            }
        };
        self.counts.keep(of, counted);
        (model, version, Some(counted))
    }
}
