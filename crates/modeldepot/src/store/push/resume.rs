//! Resume state of a push on this machine, so that an interrupted push continues as the same push.
//!
//! The file is locked while its push runs. A process that gets the lock on a non-empty record knows that the push has
//! ended, without waiting for its lease to go stale.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::name::Version;

/// A push and the version whose lease it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Entry {
    pub(in crate::store) version: Version,
    pub(in crate::store) id: Uuid,
}

/// The open, locked record of one push.
pub(in crate::store) struct ResumeState {
    file: File,
    path: PathBuf,
}

impl ResumeState {
    /// Opens the record of the push that `subject` names, with its entry. Returns `None` while another process runs the
    /// same push.
    pub(in crate::store) fn open(folder: &Path, subject: &str) -> Result<Option<(ResumeState, Option<Entry>)>> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        let mut options = OpenOptions::new();
        // Private: it shows what is pushed, and where to.
        #[cfg(unix)]
        {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        builder.create(folder).map_err(Error::io("create the folder", folder))?;
        let name = blake3::hash(subject.as_bytes()).to_hex();
        let path = folder.join(format!("push-{}.json", &name[..32]));
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let mut text = String::new();
        // A record that is unreadable or was written only in part counts as empty.
        let _ = file.read_to_string(&mut text);
        Ok(Some((ResumeState { file, path }, serde_json::from_str(&text).ok())))
    }

    /// Records which version is leased, before anything is sent.
    pub(in crate::store) fn write(&mut self, entry: &Entry) -> Result<()> {
        let text = serde_json::to_vec(entry).unwrap_or_default();
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.set_len(0))
            .and_then(|()| self.file.write_all(&text))
            .and_then(|()| self.file.sync_data());
        written.map_err(Error::io("write", &self.path))
    }

    /// Deletes the state of a push that is over.
    pub(in crate::store) fn finish(self) {
        // Deleted while locked: a process that opens it meanwhile gets no lock, and continues without a record.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_journal_is_private() {
        use std::os::unix::fs::MetadataExt as _;

        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("state/modeldepot");
        let (state, _) = ResumeState::open(&folder, "a").unwrap().unwrap();
        assert_eq!(state.path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn one_process_at_a_time_and_what_it_left_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let entry = Entry { version: "1".parse().unwrap(), id: Uuid::from_u128(7) };
        let (mut state, nothing) = ResumeState::open(temp.path(), "a").unwrap().unwrap();
        assert_eq!(nothing, None);
        assert!(ResumeState::open(temp.path(), "a").unwrap().is_none());
        assert!(ResumeState::open(temp.path(), "b").unwrap().is_some());
        state.write(&Entry { version: "1.0.0-long-name".parse().unwrap(), ..entry.clone() }).unwrap();
        state.write(&entry).unwrap();
        drop(state);
        let (state, found) = ResumeState::open(temp.path(), "a").unwrap().unwrap();
        assert_eq!(found, Some(entry));
        state.finish();
        assert_eq!(ResumeState::open(temp.path(), "a").unwrap().unwrap().1, None);
    }
}
