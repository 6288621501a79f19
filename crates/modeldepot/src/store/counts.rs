//! A cache of the file counts of manifests that were read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::manifest::Manifest;
use crate::model::name::{ModelName, Version};

/// How many counts are kept: a few megabytes.
const KEPT: usize = 20_000;

/// What a manifest says about its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Their number and bytes.
    Files(usize, u64),
    /// It lists none, so that all objects beside it are files; or a newer program wrote it.
    All,
    /// It cannot be used.
    Damaged,
}

impl Counted {
    pub(super) fn of(manifest: &Manifest) -> Counted {
        match (&manifest.files, manifest.size()) {
            (Some(files), Some(bytes)) => Counted::Files(files.len(), bytes),
            _ => Counted::All,
        }
    }

    /// Returns true when this many objects cannot be the files as published.
    pub(super) fn misses(self, objects: usize, bytes: u64) -> bool {
        match self {
            Counted::Files(files, size) => objects < files || objects == files && bytes != size,
            Counted::All => false,
            Counted::Damaged => true,
        }
    }
}

/// File counts by version, each with the length of its manifest: a published manifest never changes, so an entry of
/// another length is ignored.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<HashMap<(ModelName, Version), (u64, Counted)>>);

impl Counts {
    pub(super) fn get(&self, model: &ModelName, version: &Version) -> Option<(u64, Counted)> {
        let of = (model.clone(), version.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&of).copied()
    }

    /// Stores the count of a manifest of this length.
    pub(super) fn keep(&self, model: &ModelName, version: &Version, length: u64, counted: Counted) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert((model.clone(), version.clone()), (length, counted));
    }
}
