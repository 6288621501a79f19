//! Symbolic links in a published folder: which are followed, and where they may lead.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Result, SourceError};

/// Limits on where the links of a folder may lead.
pub(in crate::store) struct Links {
    /// The folder itself, with links resolved.
    root: PathBuf,
    /// The blobs folder of a Hugging Face cache, when the published folder is one of its snapshots, which are made of
    /// links into it.
    blobs: Option<PathBuf>,
    /// Whether links may lead anywhere.
    anywhere: bool,
}

impl Links {
    pub(in crate::store) fn of(root: &Path, anywhere: bool) -> Result<Links, SourceError> {
        let root = fs::canonicalize(root).map_err(|error| absent(root, error))?;
        let blobs = blobs_of(&root);
        Ok(Links { root, blobs, anywhere })
    }

    /// Returns the folder itself, with links resolved.
    pub(in crate::store) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the target of a link, with links resolved. `within` lists the folders that contain the link.
    pub(in crate::store) fn follow(&self, link: &Path, within: &[PathBuf]) -> Result<PathBuf, SourceError> {
        let target = fs::canonicalize(link).map_err(|error| absent(link, error))?;
        if within.contains(&target) {
            return Err(SourceError::LinkLoop { path: link.to_owned(), target: pointed_to(link) });
        }
        let blob = self.blobs.as_ref().is_some_and(|blobs| target.starts_with(blobs) && target.is_file());
        if self.anywhere || blob || target.starts_with(&self.root) {
            Ok(target)
        } else {
            Err(SourceError::LeavesTheTree { path: link.to_owned() })
        }
    }

    /// Returns the part of the path to a link's target that differs from the path to the folder.
    pub(in crate::store) fn way_to<'t>(&self, target: &'t Path) -> &'t Path {
        let mut way = target.components();
        for step in self.root.components() {
            let whole = way.clone();
            if way.next() != Some(step) {
                return whole.as_path();
            }
        }
        way.as_path()
    }
}

/// Returns the blobs folder of a Hugging Face cache snapshot: `models--ORG--NAME/snapshots/REVISION` is made of links
/// into `models--ORG--NAME/blobs`.
fn blobs_of(root: &Path) -> Option<PathBuf> {
    let named =
        |folder: &Path, fits: fn(&str) -> bool| folder.file_name().and_then(|name| name.to_str()).is_some_and(fits);
    let snapshots = root.ancestors().find(|folder| named(folder, |name| name == "snapshots"))?;
    let repository = snapshots.parent()?;
    let kinds = |name: &str| ["models--", "datasets--", "spaces--"].iter().any(|kind| name.starts_with(kind));
    let blobs = repository.join("blobs");
    (named(repository, kinds) && blobs.is_dir()).then_some(blobs)
}

fn pointed_to(link: &Path) -> PathBuf {
    fs::read_link(link).unwrap_or_default()
}

/// Explains why a path cannot be read.
pub(in crate::store) fn absent(path: &Path, source: std::io::Error) -> SourceError {
    let path = path.to_owned();
    let link = || fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory if link() => {
            SourceError::Dangling { target: pointed_to(&path), path }
        }
        ErrorKind::NotFound => SourceError::Missing { path },
        // This kind has no stable name in the standard library yet.
        #[cfg(unix)]
        _ if source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            SourceError::LinkLoop { target: pointed_to(&path), path }
        }
        _ => SourceError::Unreadable { path, source },
    }
}

#[cfg(test)]
mod tests;
