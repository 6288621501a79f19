//! Replacing one version in a folder by another.
//!
//! The order of steps allows the process to die at any of them: before the first file appears, a record of all files of
//! either version is stored beside them, and there is no manifest until all files are in place. At any time the folder
//! therefore holds the old version, the new one, or a mixture whose files the next pull can recognize as its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::fetch::Ready;
use super::local::{Local, look, make_way, unchanged};
use super::owned::{LARGEST_RECORD, MANIFEST, OwnFile, Owned, Present, RECORD, record};
use super::plan::{Plan, Step};
use super::planned;
use crate::error::{Error, Result};
use crate::fs::{Folder, Seen, Staging, Stamp, make_executable};
use crate::model::digest::Blake3;
use crate::model::name::ArtifactPath;
use crate::store::lookup::{Description, StoredFile};

/// Everything needed to put a version in place.
pub(super) struct Switch {
    pub(super) folder: Arc<Folder>,
    pub(super) staging: Arc<Staging>,
    pub(super) found: Arc<Description>,
    /// What was found before the files were fetched.
    pub(super) local: Local,
    pub(super) force: bool,
    pub(super) resume: bool,
    pub(super) sync: bool,
}

/// Makes files of earlier pulls that stay in place executable where the version says so. Fetched files already are.
/// Files that cannot be changed are left as they are.
pub(super) fn keep_executable(folder: &Folder, files: &[StoredFile], plan: &Plan) {
    let kept = |path| plan.steps.get(path) == Some(&Step::Keep) && !plan.theirs.contains(path);
    for file in files.iter().filter(|file| file.executable && kept(&file.path)) {
        if let Err(error) = folder.open(file.path.as_str()).and_then(|file| make_executable(&file)) {
            tracing::warn!(%error, path = %file.path, "cannot make it executable");
        }
    }
}

/// What was done besides putting files in place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) removed: usize,
    pub(super) left: Vec<ArtifactPath>,
}

impl Switch {
    /// Puts all files in place, writes the manifest, and removes files that the version does not have. Blocks.
    ///
    /// Each file is synced first, so that old and new files coexist only for the time of a few renames. Without `sync`,
    /// the system decides when bytes reach the disk.
    pub(super) fn run(self, mut files: Vec<Ready>) -> Result<Done> {
        let (folder, found) = (&*self.folder, &*self.found);
        let model = &found.manifest.model_name;
        if self.sync {
            self.staging.sync(files.iter().map(|file| &file.staged))?;
        }
        // Read before the lock is taken, so that others wait less.
        let mut known = BTreeMap::new();
        if let Ok(owned) = Owned::read(folder, found, self.force)
            && let Ok(plan) = planned(&self.local, Some(&owned), found, self.force, folder.root())
        {
            for path in plan.obsolete {
                let files = owned.files.get(&path).map(Vec::as_slice).unwrap_or_default();
                known.extend(unchanged(folder, &path, files)?.map(|stamp| (path, stamp)));
            }
        }
        // Others may have pulled into the folder in the meantime: its current content decides.
        let _lock = folder.lock()?;
        let owned = Owned::read(folder, found, self.force)?;
        let mut local = Local::new();
        for file in &found.files {
            local.insert(file.path.clone(), look(folder, file, &owned, &self.local, true)?);
        }
        make_way(folder, &owned, &mut local)?;
        let mut plan = planned(&local, Some(&owned), found, self.force, folder.root())?;
        if !self.resume {
            plan.anew();
        }
        let came: BTreeMap<ArtifactPath, Option<Blake3>> =
            files.iter().map(|ready| (ready.file.path.clone(), ready.file.blake3)).collect();
        if plan.steps.iter().any(|(path, step)| *step != Step::Keep && !came.contains_key(path)) {
            // What was found there before has changed.
            return Err(Error::folder_busy(folder.root()));
        }
        let mut done = Done::default();
        let (mut obsolete, mut vanished) = (Vec::new(), Vec::new());
        for path in &plan.obsolete {
            let files = owned.files.get(path).map(Vec::as_slice).unwrap_or_default();
            match (folder.look(path.as_str())?, known.get(path)) {
                (Seen::Absent | Seen::Behind { .. }, _) => vanished.push(path.clone()),
                (Seen::File { stamp, .. }, Some(known)) if stamp == *known => obsolete.push((path.clone(), stamp)),
                _ => match unchanged(folder, path, files)? {
                    Some(stamp) => obsolete.push((path.clone(), stamp)),
                    None => done.left.push(path.clone()),
                },
            }
        }

        // From here on, the record says which files are ours.
        let own = |file: &StoredFile| OwnFile {
            path: file.path.clone(),
            size: Some(file.size),
            blake3: file.blake3.or_else(|| came.get(&file.path).copied().flatten()),
            md5: file.md5,
        };
        let ours: Vec<OwnFile> = found.files.iter().map(own).collect();
        let theirs = not_yet_ours(&owned, &plan);
        self.write_record(owned.record(model, &ours, theirs))?;
        let kept = owned.manifest == Present::Manifest(found.record.to_vec())
            && plan.steps.values().all(|step| *step == Step::Keep);
        if !kept && owned.manifest != Present::Absent {
            folder.remove(MANIFEST)?;
        }
        let mut folders = BTreeSet::from([String::new()]);
        if self.sync {
            folder.sync(&folders)?;
        }
        for path in &plan.cleared {
            folder.remove(path.as_str())?;
        }
        plan.folders.iter().try_for_each(|path| folder.remove_folder(path))?;
        for ready in &mut files {
            let step = plan.steps.get(&ready.file.path).copied().unwrap_or(Step::Create);
            // Otherwise another pull has put the same bytes there.
            if step != Step::Keep {
                folders.extend(ready.staged.place(&ready.file.path, step == Step::Replace)?);
            }
        }
        keep_executable(folder, &found.files, &plan);
        if self.sync {
            // Before the manifest claims that they exist.
            folder.sync(&folders)?;
        }
        if !kept {
            self.staging.write(MANIFEST, &found.record, self.sync)?;
        }
        done.removed = self.remove(&obsolete)?;
        vanished.iter().for_each(|path| folder.prune(path.as_str()));
        // A manifest that lists its files, all of them from pulls, needs no record beside it.
        match found.manifest.files {
            Some(_) if plan.theirs.is_empty() => folder.remove(RECORD)?,
            Some(_) => self.write_record(record(model, Vec::new(), plan.theirs))?,
            None => self.write_record(record(model, ours, plan.theirs))?,
        }
        if self.sync {
            folder.sync(&BTreeSet::from([String::new()]))?;
        }
        drop(files);
        self.staging.sweep();
        Ok(done)
    }

    /// Writes a record small enough for a later pull to read.
    pub(super) fn write_record(&self, record: Vec<u8>) -> Result<()> {
        if record.len() as u64 > LARGEST_RECORD {
            let what = io::Error::new(io::ErrorKind::FileTooLarge, "too many files of earlier pulls");
            return Err(Error::io("write", self.folder.shown(RECORD))(what));
        }
        self.staging.write(RECORD, &record, self.sync)
    }

    /// Removes files that have not changed since they were read, and folders that become empty.
    fn remove(&self, obsolete: &[(ArtifactPath, Stamp)]) -> Result<usize> {
        let mut removed = 0;
        for (path, known) in obsolete {
            if let Seen::File { stamp, .. } = self.folder.look(path.as_str())?
                && stamp == *known
            {
                self.folder.remove(path.as_str())?;
                removed += 1;
            }
            self.folder.prune(path.as_str());
        }
        Ok(removed)
    }
}

/// Returns the files that belong to the user during the switch, whatever both manifests list: those of the old version
/// that stay theirs, and those of the new one until the pull has put its own in their place.
fn not_yet_ours(owned: &Owned, plan: &Plan) -> BTreeSet<ArtifactPath> {
    let created = |path: &&ArtifactPath| plan.steps.get(*path) == Some(&Step::Create);
    let paths = owned.theirs.iter().chain(plan.steps.keys());
    paths.filter(|path| !created(path) && !owned.files.contains_key(*path)).cloned().collect()
}
