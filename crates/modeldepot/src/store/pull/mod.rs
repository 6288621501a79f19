//! Pulling a version into a folder: planned before anything is fetched, verified before it is in place.

mod fetch;
mod local;
mod obstacle;
mod owned;
mod place;
mod plan;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::ModelStorage;
use super::lookup::{Description, StoredFile};
use crate::error::{Error, Result};
use crate::fs::{Folder, Staging, Stamp, sweep_complete};
use crate::model::manifest::Manifest;
use crate::model::name::{ArtifactPath, Selector};
use crate::progress::{Event, Progress};
use crate::s3::files_at_once;
use crate::setters::setters;
use crate::task::blocking;
use local::Local;
pub use obstacle::{Obstacle, ObstacleKind};
use owned::{MANIFEST, Owned, Present};
use place::{Switch, keep_executable};
use plan::{Found, Plan, Step, plan};

/// A version to fetch: start with [`Pull::new`], and set other fields with their setters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pull {
    /// The version.
    pub selector: Selector,
    /// The target folder; created if it does not exist.
    pub folder: PathBuf,
    /// Whether to reuse local data, of an interrupted pull of the same version and of an older version in the folder,
    /// and to keep data for the next pull to resume from. True by default.
    pub resume: bool,
    /// Whether files are synced to disk before they appear; true by default. Without it, a power failure may leave
    /// files with other bytes than were fetched.
    pub sync: bool,
    /// Whether to replace files that earlier pulls did not create or that were changed since, and to write under names
    /// such as `.git` and `.env`; false by default.
    pub force: bool,
    /// Whether to refuse a version with files published without a digest; false by default.
    pub require_digests: bool,
}

impl Pull {
    /// A pull with the defaults: resuming, durable, and replacing only unchanged files of earlier pulls.
    pub fn new(selector: Selector, folder: impl Into<PathBuf>) -> Self {
        Self { selector, folder: folder.into(), resume: true, sync: true, force: false, require_digests: false }
    }
}

setters!(Pull {
    value resume: bool,
    value sync: bool,
    value force: bool,
    value require_digests: bool,
});

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fetched {
    /// The version's manifest, which is now in the folder as well.
    pub manifest: Manifest,
    /// The folder.
    pub folder: PathBuf,
    /// The path of the model file.
    pub model_path: PathBuf,
    /// Files of the version, not counting the manifest.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// Of these, bytes reused from an interrupted pull.
    pub kept: u64,
    /// Of these, bytes reused from files that the folder already had under the same names.
    pub reused: u64,
    /// Files of an earlier version that were removed because this version does not have them.
    pub removed: usize,
    /// Files of an earlier version that this one does not have, kept because they were changed.
    pub left: Vec<ArtifactPath>,
    /// Files published without a digest, whose bytes could not be verified.
    pub unverified: Vec<ArtifactPath>,
}

/// The state of a folder, and what is to be done in it.
struct Survey {
    /// `None` when it does not exist.
    folder: Option<Arc<Folder>>,
    local: Local,
    plan: Plan,
    /// Whether everything is in place and nothing has to be written.
    complete: bool,
}

impl ModelStorage {
    /// Fetches a version into a folder: the model file, the additional files and the manifest, at their relative paths.
    ///
    /// The folder is checked before anything is fetched. Unchanged files of earlier pulls are replaced, and removed if
    /// this version does not have them. Nothing else is touched unless [`Pull::force`](field@Pull::force) is set.
    ///
    /// Every file is verified before any appears under its name. A damaged file is fetched once more; if it is damaged
    /// again, nothing of the version is put in place. Interrupted pulls keep their data in a hidden folder, and the
    /// next pull resumes from there. A file that the folder already has is not fetched, and of one that differs only
    /// the parts that differ.
    ///
    /// # Errors
    /// As [`ModelStorage::verify`]; [`Error::InTheWay`] when the folder has files that no earlier pull created, or that
    /// were changed since; [`Error::Other`] of kind [`crate::ErrorKind::Conflict`] when it holds another model, and of kind
    /// [`crate::ErrorKind::Unverified`] for files without a digest, with
    /// [`Pull::require_digests`](field@Pull::require_digests); and [`Error::Io`] when the folder cannot be written.
    pub async fn pull(&self, pull: &Pull, progress: &Progress) -> Result<Fetched> {
        let found = Box::pin(self.describe(&pull.selector)).await?;
        let main = found.main()?;
        let unverified = found.unverified();
        if pull.require_digests && !unverified.is_empty() {
            return Err(Error::unverified(&found.manifest.model_name, &found.manifest.version, &unverified));
        }
        // Fetch nothing of an incomplete version.
        found.whole()?;
        progress.send(Event::Planned { files: found.files.len(), bytes: found.size() });
        let found = Arc::new(found);
        let survey = Box::pin(self.survey(&found, pull)).await?;
        for file in found.files.iter().filter(|file| survey.keeps(&file.path)) {
            progress.send(Event::Begun { path: file.path.clone(), bytes: file.size });
            progress.send(Event::Moved { path: file.path.clone(), bytes: file.size });
            progress.send(Event::Finished { path: file.path.clone() });
        }
        let mut fetched = Fetched {
            folder: pull.folder.clone(),
            model_path: pull.folder.join(main.as_str()),
            files: found.files.len(),
            bytes: found.size(),
            kept: 0,
            reused: found.files.iter().filter(|file| survey.keeps(&file.path)).map(|file| file.size).sum(),
            removed: 0,
            left: Vec::new(),
            unverified,
            manifest: found.manifest.clone(),
        };
        let Survey { folder, local, plan, complete } = survey;
        if let Some(folder) = folder.clone().filter(|_| complete) {
            let done = blocking(move || {
                keep_executable(&folder, &found.files, &plan);
                sweep_complete(&folder);
                Ok(())
            });
            return done.await.map(|()| fetched);
        }
        let (root, resume) = (pull.folder.clone(), pull.resume);
        let (folder, staging) = blocking(move || {
            let folder = folder.map_or_else(|| Folder::make(&root).map(Arc::new), Ok)?;
            let staging = Staging::open(Arc::clone(&folder), resume)?;
            Ok((folder, staging))
        })
        .await?;
        let fetch = Box::pin(self.fetch_files(&found, &folder, &staging, &plan, pull, progress));
        let files = match fetch.await {
            Ok(files) => files,
            Err(error) => {
                // A task that was still placing a file when the pull was cancelled removes it itself.
                for _ in 0..200 {
                    if Arc::strong_count(&staging) == 1 {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                return Err(error);
            }
        };
        for file in &files {
            fetched.kept += file.kept;
            fetched.reused += file.reused;
        }
        let switch = Switch { folder, staging, found, local, force: pull.force, resume, sync: pull.sync };
        let done = blocking(move || switch.run(files)).await?;
        (fetched.removed, fetched.left) = (done.removed, done.left);
        Ok(fetched)
    }

    /// Looks at the path of a file, and compares a regular file there with the published digest, unless `before` has
    /// the result and it has not changed.
    async fn look(
        &self,
        folder: &Arc<Folder>,
        file: &StoredFile,
        owned: &Arc<Owned>,
        before: &Local,
        force: bool,
    ) -> Result<(ArtifactPath, (Found, Option<Stamp>))> {
        let (here, of, known) = (Arc::clone(folder), file.clone(), Arc::clone(owned));
        let before: Local =
            before.get_key_value(&file.path).map(|(path, at)| (path.clone(), at.clone())).into_iter().collect();
        let expected = file.expected();
        let read = expected.is_none();
        let (mut found, stamp, opened) = blocking(move || {
            let (found, stamp) = local::look(&here, &of, &known, &before, read)?;
            let compared = before.get(&of.path).is_some_and(|(_, before)| *before == stamp);
            let opened = match found {
                Found::File if !compared => here.open(of.path.as_str()).ok(),
                _ => None,
            };
            Ok((found, stamp, opened))
        })
        .await?;
        if let (Some(expected), Some(opened)) = (expected, opened)
            && self.depot.holds(&Arc::new(opened), file.size, &expected).await?
        {
            found = Found::Same;
        }
        if found == Found::File && !force {
            let (here, path, known) = (Arc::clone(folder), file.path.clone(), Arc::clone(owned));
            found = blocking(move || local::recognized(&here, &path, &known, (found, stamp))).await?.0;
        }
        Ok((file.path.clone(), (found, stamp)))
    }

    /// Checks the folder, reads files that may belong to the version, and plans. Writes nothing.
    async fn survey(&self, found: &Arc<Description>, pull: &Pull) -> Result<Survey> {
        let mut seen = Local::new();
        match self.survey_once(found, pull, &mut seen).await {
            // Another pull may have been putting its files in place, which then looked like obstacles.
            Err(Error::InTheWay { .. } | Error::Io { .. }) => {}
            surveyed => return surveyed,
        }
        let root = pull.folder.clone();
        let _lock = blocking(move || Folder::find(&root)?.map(|folder| folder.lock()).transpose()).await?;
        self.survey_once(found, pull, &mut seen).await
    }

    /// Checks the folder, and stores what was found in `seen`.
    async fn survey_once(&self, found: &Arc<Description>, pull: &Pull, seen: &mut Local) -> Result<Survey> {
        let (root, of, force) = (pull.folder.clone(), Arc::clone(found), pull.force);
        let opened = blocking(move || {
            let Some(folder) = Folder::find(&root)? else { return Ok(None) };
            let owned = Owned::read(&folder, &of, force)?;
            Ok(Some((Arc::new(folder), Arc::new(owned))))
        })
        .await?;
        let Some((folder, owned)) = opened else {
            let local: Local = found.files.iter().map(|file| (file.path.clone(), (Found::Absent, None))).collect();
            let plan = planned(&local, None, found, pull.force, &pull.folder)?;
            return Ok(Survey { folder: None, local, plan, complete: false });
        };
        // By index: a stream over a borrowing closure would make the whole future `!Send`.
        let before = &*seen;
        let looks =
            stream::iter(0..found.files.len()).map(|n| self.look(&folder, &found.files[n], &owned, before, pull.force));
        let mut local: Local = looks.buffer_unordered(files_at_once()).try_collect().await?;
        seen.clone_from(&local);
        let (here, known) = (Arc::clone(&folder), Arc::clone(&owned));
        let local = blocking(move || local::make_way(&here, &known, &mut local).map(|()| local)).await?;
        let mut plan = planned(&local, Some(&owned), found, pull.force, &pull.folder)?;
        if !pull.resume {
            plan.anew();
        }
        let complete = is_complete(&plan, &owned, found);
        Ok(Survey { folder: Some(folder), local, plan, complete })
    }
}

impl Survey {
    fn keeps(&self, path: &ArtifactPath) -> bool {
        self.plan.steps.get(path) == Some(&Step::Keep)
    }
}

/// Returns true when a folder has the version, with nothing to write and nothing to remove.
fn is_complete(plan: &Plan, owned: &Owned, version: &Description) -> bool {
    plan.steps.values().all(|step| *step == Step::Keep)
        && plan.obsolete.is_empty()
        && !(owned.stale && version.manifest.files.is_some())
        // An untrusted manifest needs no record of the user's files.
        && (owned.anothers || owned.theirs == plan.theirs)
        && owned.manifest == Present::Manifest(version.record.to_vec())
}

/// Plans, and reports all obstacles.
fn planned(
    local: &Local,
    owned: Option<&Owned>,
    version: &Description,
    force: bool,
    folder: &std::path::Path,
) -> Result<Plan> {
    let in_the_way = |obstacles| Error::InTheWay { folder: folder.to_owned(), obstacles };
    // Only the same manifest may be written again.
    let anothers = |owned: &&Owned| owned.anothers && owned.manifest != Present::Manifest(version.record.to_vec());
    if owned.filter(anothers).is_some() && !force {
        return Err(in_the_way(vec![Obstacle { path: MANIFEST.to_owned(), what: ObstacleKind::OtherUser }]));
    }
    let found = local.iter().map(|(path, (found, _))| (path.clone(), found.clone())).collect();
    let owned = owned.map(Owned::paths).unwrap_or_default();
    plan(&found, &owned, force).map_err(in_the_way)
}
