//! Patterns in a library that was built without the feature `globs`: there may be none. Tests of any build include them.

use std::path::Path;

use super::{FILE, Malformed, Said};
use crate::error::{Result, SourceError};

/// The patterns of a folder, of which there is never one.
pub(in crate::store) enum FolderPatterns {}

/// The patterns given with a push: none.
pub(in crate::store) struct Given(());

impl Given {
    pub(in crate::store) fn new(patterns: &[String], _: &mut Vec<Malformed>) -> Result<Given, SourceError> {
        match patterns.first() {
            Some(pattern) => Err(SourceError::WithoutGlobs { patterns: pattern.clone() }),
            None => Ok(Given(())),
        }
    }

    pub(in crate::store) fn unmatched(self) -> Vec<String> {
        Vec::new()
    }
}

pub(in crate::store) fn decide(_: &mut Given, _: &[FolderPatterns], _: &Path, _: bool) -> Option<Said> {
    None
}

/// Refuses a folder that has a pattern file, whatever it holds.
pub(in crate::store) fn read(
    folder: &Path,
    _: &Path,
    _: &mut Vec<Malformed>,
) -> Result<Option<FolderPatterns>, SourceError> {
    let path = folder.join(FILE);
    // A link counts as well, wherever it leads.
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SourceError::Unreadable { path, source }),
        Ok(_) => Err(SourceError::WithoutGlobs { patterns: path.display().to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_refused_and_not_ignored() {
        let mut told = Vec::new();
        let error = Given::new(&["*.txt".to_owned()], &mut told).err().unwrap();
        assert_eq!(error.to_string(), "cannot apply `*.txt`: this build of modeldepot has no patterns");
        let mut given = Given::new(&[], &mut told).unwrap();
        assert_eq!(decide(&mut given, &[], Path::new("a.txt"), false), None);
        assert_eq!((given.unmatched().len(), told.len()), (0, 0));

        let folder = tempfile::tempdir().unwrap();
        let mut found = || read(folder.path(), Path::new(""), &mut told);
        assert!(found().unwrap().is_none());
        let file = folder.path().join(".modeldepotignore");
        std::fs::write(&file, "").unwrap();
        let refused = |found: Result<Option<FolderPatterns>, SourceError>| match found {
            Err(SourceError::WithoutGlobs { patterns }) => assert_eq!(patterns, file.display().to_string()),
            other => panic!("{:?}", other.err()),
        };
        refused(found());
        #[cfg(unix)]
        {
            std::fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink("nowhere", &file).unwrap();
            refused(found());
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, "").unwrap();
            // A folder that cannot be looked into may have patterns.
            let unreadable = read(&file, Path::new(""), &mut Vec::new());
            assert!(matches!(unreadable, Err(SourceError::Unreadable { .. })));
        }
    }
}
