//! The training history among the files of a push.

use std::io::Read as _;

use super::source::{Source, SourceFile};
use crate::error::{Error, Result, SourceError, causes};
use crate::fs::open_found;
use crate::model::history::{History, MAX_BYTES, history_file};

impl Source {
    /// Reads the training history: the one that was named, or else one that is recognized by its name, which then becomes
    /// the version's history. `notes` receives the notes of the history, or why a recognized file is none: it is then
    /// published as an ordinary file. Blocks.
    ///
    /// # Errors
    /// When a history that was named cannot be read.
    pub fn read_history(&mut self, notes: &mut Vec<String>) -> Result<Option<History>> {
        let named = self.history().is_some();
        let path = match self.history() {
            Some(path) => Some(path),
            // A history that is published as the model itself says nothing about another model.
            None => {
                history_file(self.files().iter().map(|file| (&file.path, file.size))).filter(|it| *it != self.main())
            }
        };
        let Some(file) = self.files().iter().find(|file| Some(&file.path) == path) else { return Ok(None) };
        match read(file) {
            Ok(history) => {
                notes.extend(history.notes());
                self.set_history(file.path.clone());
                Ok(Some(history))
            }
            Err(error) if named => Err(error),
            Err(error) => {
                let why: Vec<String> = [error.to_string()].into_iter().chain(causes(&error)).collect();
                notes.push(format!("{}; published as an ordinary file", why.join(": ")));
                Ok(None)
            }
        }
    }
}

fn read(file: &SourceFile) -> Result<History> {
    let (opened, _) = open_found(&file.local, file.stamp)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the parser reports an oversized file without all of it being read.
    let read = opened.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|source| SourceError::Unreadable { path: file.local.clone(), source })?;
    History::parse(file.path.file_name(), &bytes).map_err(|source| Error::history(file.path.as_str(), source))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::store::Scan;

    const CURVE: &str = r#"{"val_accuracy": [0.7, 0.9, 0.8]}"#;

    #[test]
    fn a_recognized_history_is_read_unless_it_is_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training_history.json");
        std::fs::write(&path, CURVE).unwrap();
        let mut notes = Vec::new();
        let mut alone = Source::scan(&Scan::new(&path)).unwrap();
        assert!(alone.read_history(&mut notes).unwrap().is_none());
        std::fs::write(folder.path().join("m.bin"), "weights").unwrap();
        let mut source = Source::scan(&Scan::new(folder.path())).unwrap();
        let history = source.read_history(&mut notes).unwrap().unwrap();
        assert_eq!(history.metadata()["best_epoch"], 2);
        assert_eq!(source.history().unwrap().as_str(), "training_history.json");
    }

    /// A folder with a model and this file, which is named as the history.
    fn named(name: &str, text: &str) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.bin"), "weights").unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let source = Source::scan(&Scan::new(folder.path()).history(path)).unwrap();
        (folder, source)
    }

    #[test]
    fn a_history_that_was_named_must_be_one() {
        let (_folder, mut source) = named("any name.json", CURVE);
        assert_eq!(source.read_history(&mut Vec::new()).unwrap().unwrap().metadata()["best_epoch"], 2);
        let (_folder, mut source) = named("training_history.json", "no history");
        let error = source.read_history(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    }

    #[test]
    fn a_file_that_is_too_large_is_said_to_be() {
        let (folder, _) = named("training_history.json", "");
        let path = folder.path().join("training_history.json");
        std::fs::File::create(&path).unwrap().set_len(MAX_BYTES as u64 + 1).unwrap();
        let mut source = Source::scan(&Scan::new(folder.path()).history(path)).unwrap();
        let error = source.read_history(&mut Vec::new()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("a training history is at most"), "{cause}");
    }

    #[test]
    fn a_history_that_is_replaced_after_the_scan_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training_history.json");
        std::fs::write(&path, CURVE).unwrap();
        std::fs::write(folder.path().join("m.bin"), "weights").unwrap();
        let mut source = Source::scan(&Scan::new(folder.path())).unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(outside.path(), CURVE).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(outside.path(), &path).unwrap();
        let mut notes = Vec::new();
        assert!(source.read_history(&mut notes).unwrap().is_none());
        assert!(notes[0].contains("changed") && notes[0].ends_with("; published as an ordinary file"), "{notes:?}");
    }
}
