//! The files of a version to publish.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::left_out::LeftOut;
use super::links::absent;
use super::patterns::Malformed;
use crate::error::{Error, Result, SourceError};
use crate::fs::Stamp;
use crate::model::model_file::model_file;
use crate::model::name::ArtifactPath;
use crate::s3::part_size;

/// The files to publish, each at its path in the version.
///
/// [`Source::scan`] and [`Source::from_files`] create it, and make sure that a version can hold the files:
/// - there is at least one file, and each was a regular file when it was checked
/// - paths are relative and valid, no two are equal, and none is both a file and a folder
/// - the model file and the training history are among the files
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    main: ArtifactPath,
    history: Option<ArtifactPath>,
    files: Vec<SourceFile>,
    notes: Notes,
}

/// Notes of a scan, beside the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Notes {
    pub(in crate::store) main_was_chosen: bool,
    pub(in crate::store) left_out: Vec<LeftOut>,
    pub(in crate::store) empty_folders: Vec<String>,
    pub(in crate::store) unmatched: Vec<String>,
    pub(in crate::store) malformed: Vec<Malformed>,
}

/// A file to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceFile {
    /// Its path in the version.
    pub path: ArtifactPath,
    /// Its path on this machine.
    pub local: PathBuf,
    /// Its size in bytes when it was found.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Shows whether it is still the file that was found, under a name that others may change.
    pub(in crate::store) stamp: Option<Stamp>,
}

impl SourceFile {
    /// A file of another program that is not executable.
    pub(in crate::store) fn new(path: ArtifactPath, local: PathBuf, size: u64) -> SourceFile {
        SourceFile { path, local, size, executable: false, stamp: None }
    }

    /// Takes a file that was checked.
    pub(in crate::store) fn found(path: ArtifactPath, local: &Path, found: &fs::Metadata) -> SourceFile {
        let (executable, stamp) = (is_executable(found), Some(Stamp::of_metadata(found)));
        SourceFile { path, local: local.to_owned(), size: found.len(), executable, stamp }
    }

    /// Returns true when the file is sent in several parts.
    pub(in crate::store) fn in_parts(&self) -> bool {
        self.size > part_size(self.size)
    }
}

/// Checks a file to publish.
///
/// # Errors
/// [`SourceError`] when it is missing, or not a regular file.
pub(in crate::store) fn look(local: &Path) -> Result<fs::Metadata> {
    let found = fs::metadata(local).map_err(|error| absent(local, error))?;
    match found.is_file() {
        true => Ok(found),
        false => Err(SourceError::NotAFile { path: local.to_owned() }.into()),
    }
}

/// Returns true when the owner of a file may execute it. Only Unix has such a permission.
fn is_executable(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
    #[cfg(not(unix))]
    let (mode, _) = (0, found);
    mode & 0o100 != 0
}

impl Source {
    /// Takes local files, each with its path in the version. Without `main`, [`model_file`] chooses the model file.
    /// `history` is the path of the training history. Blocks: it checks that every file exists, without reading it.
    ///
    /// # Errors
    /// [`Error::Source`] when a file is missing or not a regular file. [`Error::Other`] of kind
    /// [`crate::ErrorKind::Invalid`] when there are no files, when two have the same path, when one has the path of
    /// another's folder, and when none of them can be the model file; of kind [`crate::ErrorKind::NotFound`] when
    /// `main` or `history` is not among the files.
    pub fn from_files(
        main: Option<&ArtifactPath>,
        history: Option<&ArtifactPath>,
        files: impl IntoIterator<Item = (ArtifactPath, PathBuf)>,
    ) -> Result<Source> {
        let found = files.into_iter().map(|(path, local)| Ok(SourceFile::found(path, &local, &look(&local)?)));
        Source::of(main, history, found.collect::<Result<_>>()?)
    }

    /// Takes files that were already checked, or that another program has.
    pub(in crate::store) fn of(
        main: Option<&ArtifactPath>,
        history: Option<&ArtifactPath>,
        mut files: Vec<SourceFile>,
    ) -> Result<Source> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(two) = files.windows(2).find(|two| two[0].path == two[1].path) {
            return Err(Error::offered_twice(&two[0].path));
        }
        let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        for file in &files {
            let path = file.path.as_str();
            if let Some((cut, _)) = path.match_indices('/').find(|(cut, _)| known.contains(&path[..*cut])) {
                return Err(Error::file_and_folder(&path[..cut]));
            }
        }
        if files.is_empty() {
            return Err(Error::nothing_offered());
        }
        if let Some(absent) = [main, history].into_iter().flatten().find(|named| !known.contains(named.as_str())) {
            return Err(Error::no_such_main(absent));
        }
        let chosen = main.or_else(|| model_file(files.iter().map(|file| (&file.path, file.size))));
        let chosen = chosen.ok_or_else(Error::no_model_file)?.clone();
        let notes = Notes { main_was_chosen: main.is_none() && files.len() > 1, ..Notes::default() };
        Ok(Source { main: chosen, history: history.cloned(), files, notes })
    }

    /// Returns the same files with the model file under another path.
    ///
    /// # Errors
    /// As [`Source::from_files`].
    pub fn with_main_at(self, path: ArtifactPath) -> Result<Source> {
        let Source { main, history, mut files, notes } = self;
        for file in files.iter_mut().filter(|file| file.path == main) {
            file.path = path.clone();
        }
        let history = history.map(|history| if history == main { path.clone() } else { history });
        Ok(Source::of(Some(&path), history.as_ref(), files)?.with_notes(notes))
    }

    pub(in crate::store) fn with_notes(self, notes: Notes) -> Source {
        Source { notes, ..self }
    }

    /// Returns the path of the model file.
    pub fn main(&self) -> &ArtifactPath {
        &self.main
    }

    #[cfg(feature = "history")]
    pub(super) fn set_history(&mut self, path: ArtifactPath) {
        self.history = Some(path);
    }

    /// Returns the path of the training history, if one was named or recognized.
    pub fn history(&self) -> Option<&ArtifactPath> {
        self.history.as_ref()
    }

    /// Returns all files, by path.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Returns true when the model file was chosen automatically among several files.
    pub fn main_was_chosen(&self) -> bool {
        self.notes.main_was_chosen
    }

    /// Returns the entries that a scan left out.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.notes.left_out
    }

    /// Returns the empty folders that a scan found; a version holds only files.
    pub fn empty_folders(&self) -> &[String] {
        &self.notes.empty_folders
    }

    /// Returns the patterns that matched nothing.
    pub fn unmatched(&self) -> &[String] {
        &self.notes.unmatched
    }

    /// Returns the malformed patterns. They match nothing, and are among the [`unmatched`](Source::unmatched).
    pub fn malformed(&self) -> &[Malformed] {
        &self.notes.malformed
    }

    /// Returns the sum of the sizes in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::store::Scan;

    fn path(text: &str) -> ArtifactPath {
        text.parse().unwrap()
    }

    /// Takes local files, all of them the same one.
    fn taken(local: &Path, main: Option<&str>, history: Option<&str>, paths: &[&str]) -> Result<Source> {
        let files = paths.iter().map(|name| (path(name), local.to_owned()));
        Source::from_files(main.map(path).as_ref(), history.map(path).as_ref(), files)
    }

    #[test]
    fn files_are_taken_under_the_paths_given() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("local name");
        fs::write(&local, "1234").unwrap();
        let source = taken(&local, None, Some("log.csv"), &["model.bin", "log.csv", "config/a.json"]).unwrap();
        let paths: Vec<_> = source.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["config/a.json", "log.csv", "model.bin"]);
        assert_eq!((source.main().as_str(), source.main_was_chosen()), ("model.bin", true));
        assert_eq!(source.history().map(ArtifactPath::as_str), Some("log.csv"));
        assert_eq!(source.size(), 12);
        assert!(source.files().iter().all(|file| file.local == local));

        let named = taken(&local, Some("log.csv"), None, &["model.bin", "log.csv"]).unwrap();
        assert_eq!((named.main().as_str(), named.main_was_chosen()), ("log.csv", false));
        assert!(!taken(&local, None, None, &["any"]).unwrap().main_was_chosen(), "there was no choice");
    }

    #[test]
    fn the_model_file_can_be_published_under_another_path() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("x");
        fs::write(&local, "x").unwrap();
        let source = |main, history| taken(&local, Some(main), Some(history), &["a.bin", "b.bin", "log.csv"]).unwrap();
        let paths = |source: &Source| source.files().iter().map(|file| file.path.to_string()).collect::<Vec<_>>();

        let renamed = source("b.bin", "log.csv").with_main_at(path("sub/model.bin")).unwrap();
        assert_eq!(paths(&renamed), ["a.bin", "log.csv", "sub/model.bin"]);
        assert_eq!((renamed.main().as_str(), renamed.history().unwrap().as_str()), ("sub/model.bin", "log.csv"));
        // A file can be both.
        let renamed = source("log.csv", "log.csv").with_main_at(path("z.csv")).unwrap();
        assert_eq!((renamed.main().as_str(), renamed.history().unwrap().as_str()), ("z.csv", "z.csv"));
        for taken in ["a.bin", "a.bin/x"] {
            let error = source("b.bin", "log.csv").with_main_at(path(taken)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }
        // What a scan found stays known.
        fs::write(folder.path().join(".env"), "x").unwrap();
        fs::write(folder.path().join("y"), "y").unwrap();
        let scanned = Source::scan(&Scan::new(folder.path())).unwrap();
        let renamed = scanned.clone().with_main_at(path("model.bin")).unwrap();
        assert_eq!((renamed.left_out(), renamed.main_was_chosen()), (scanned.left_out(), true));
        assert_eq!(renamed.left_out().len(), 1);
    }

    #[test]
    fn a_file_of_one_part_is_sent_whole() {
        let in_parts = |size| SourceFile::new(path("a"), PathBuf::new(), size).in_parts();
        let part = part_size(0);
        assert_eq!(
            [0, 1, part - 1, part, part + 1, 100 * part].map(in_parts),
            [false, false, false, false, true, true]
        );
    }

    #[test]
    fn what_no_version_can_hold_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("file");
        fs::write(&local, "").unwrap();
        for (main, history, paths, kind, message) in [
            (None, None, &[][..], ErrorKind::Invalid, "the version has no file"),
            (None, None, &["a", "a"], ErrorKind::Invalid, "two files would be `a`"),
            (None, None, &["a/b/c", "a/b", "x"], ErrorKind::Invalid, "`a/b`"),
            (None, None, &["optimizer.pt", "scaler.pt"], ErrorKind::Invalid, "none of the files can be the model file"),
            (Some("b"), None, &["a"], ErrorKind::NotFound, "`b` is not among the files"),
            (None, Some("b"), &["a"], ErrorKind::NotFound, "`b` is not among the files"),
        ] {
            let error = taken(&local, main, history, paths).unwrap_err();
            assert!(error.kind() == kind && error.to_string().contains(message), "{paths:?}: {error}");
        }
        let missing = taken(&folder.path().join("missing"), None, None, &["a"]).unwrap_err();
        assert!(matches!(missing, Error::Source(SourceError::Missing { .. })), "{missing:?}");
        let a_folder = taken(folder.path(), None, None, &["a"]).unwrap_err();
        assert!(matches!(a_folder, Error::Source(SourceError::NotAFile { .. })), "{a_folder:?}");
    }
}
