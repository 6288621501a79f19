//! Patterns in a library that was built without the feature `globs`: there may be none.

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
    use crate::error::{Error, SourceError};
    use crate::store::push::scan::Scan;
    use crate::store::push::source::Source;

    fn refused(scan: &Scan) -> String {
        match Source::scan(scan) {
            Err(Error::Source(error @ SourceError::WithoutGlobs { .. })) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn patterns_are_refused_and_not_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir_all(model.join("deep/er")).unwrap();
        std::fs::write(model.join("model.bin"), "m").unwrap();
        std::fs::write(model.join("deep/er/secrets.txt"), "s").unwrap();
        assert_eq!(Source::scan(&Scan::new(&model)).unwrap().files().len(), 2);

        for path in [&model, &model.join("model.bin")] {
            let said = refused(&Scan::new(path).exclude(["*.txt"]));
            assert_eq!(said, "cannot apply `*.txt`: this build of modeldepot has no patterns");
        }
        let file = model.join("deep/er/.modeldepotignore");
        std::fs::write(&file, "").unwrap();
        assert!(refused(&Scan::new(&model)).contains("deep/er/.modeldepotignore`"));
        // A file that is named needs no patterns.
        assert_eq!(Source::scan(&Scan::new(model.join("model.bin"))).unwrap().files().len(), 1);
        #[cfg(unix)]
        {
            std::fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink("nowhere", &file).unwrap();
            refused(&Scan::new(&model));
        }
    }
}
