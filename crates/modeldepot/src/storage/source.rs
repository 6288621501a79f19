//! What is to be pushed: one file, or a folder, and additional files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use crate::error::{Error, Result, SourceError};
use crate::name::ArtifactPath;

/// Names what is to be pushed.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The model: a file, or a folder whose files keep their relative paths.
    pub path: PathBuf,
    /// The model file within a folder; none takes the largest, and of equal ones the first by name.
    pub main: Option<String>,
    /// Patterns of files in a folder to leave out, as `*.tmp`, `logs/**`.
    pub exclude: Vec<String>,
    /// Additional files; each lies beside the model under its own name.
    pub with: Vec<PathBuf>,
}

/// The files to push, each at its path in the version. Made by [`Source::scan`] and [`Source::of`] only, which hold them to
/// the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The model file.
    pub main: ArtifactPath,
    /// All files with the model file, by path.
    pub files: Vec<SourceFile>,
}

/// A file to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path in the version.
    pub path: ArtifactPath,
    /// Where it lies on this machine.
    pub local: PathBuf,
    /// Its size in bytes, as it was found.
    pub size: u64,
}

impl Source {
    /// Looks at what is there; reads no file. Blocks.
    ///
    /// # Errors
    /// [`SourceError`], for whatever could not be pushed as it is: nothing is left out in silence.
    pub fn scan(scan: &Scan) -> Result<Source> {
        let found = fs::metadata(&scan.path).map_err(|error| absent(&scan.path, error))?;
        let mut files = Files::default();
        let main = if found.is_dir() {
            files.add_folder(&scan.path, &patterns(&scan.exclude)?)?;
            files.main(scan)?
        } else {
            let main = files.add_file(&scan.path)?;
            if let Some(named) = scan.main.as_ref().filter(|named| named.as_str() != main.as_str()) {
                return Err(SourceError::NoSuchMain { main: named.clone() }.into());
            }
            main
        };
        for path in &scan.with {
            files.add_file(path)?;
        }
        Ok(Source { main, files: files.0.into_values().collect() })
    }

    /// Takes files that lie anywhere, each with its path in the version. None as `main` takes the largest.
    ///
    /// # Errors
    /// [`Error::NothingOffered`], [`Error::OfferedTwice`], [`Error::FileAndFolder`], [`Error::NoSuchMain`].
    pub fn of(main: Option<&ArtifactPath>, mut files: Vec<SourceFile>) -> Result<Source> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(two) = files.windows(2).find(|two| two[0].path == two[1].path) {
            return Err(Error::OfferedTwice { path: two[0].path.clone() });
        }
        let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        for file in &files {
            let path = file.path.as_str();
            if let Some((cut, _)) = path.match_indices('/').find(|(cut, _)| known.contains(&path[..*cut])) {
                return Err(Error::FileAndFolder { path: path[..cut].to_owned() });
            }
        }
        let found = match main {
            Some(main) => files.iter().find(|file| file.path == *main),
            None => files.iter().rev().max_by_key(|file| file.size),
        };
        match (found, main) {
            (Some(found), _) => Ok(Source { main: found.path.clone(), files }),
            (None, Some(main)) if !files.is_empty() => Err(Error::NoSuchMain { path: main.clone() }),
            (None, _) => Err(Error::NothingOffered),
        }
    }

    /// Returns the sum of the sizes in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

#[derive(Default)]
struct Files(BTreeMap<ArtifactPath, SourceFile>);

impl Files {
    /// Adds one file under its own name.
    fn add_file(&mut self, local: &Path) -> Result<ArtifactPath> {
        let found = fs::metadata(local).map_err(|error| absent(local, error))?;
        if found.is_dir() {
            return Err(SourceError::Folder { path: local.to_owned() }.into());
        }
        // `..` has no name of its own, but what it leads to has.
        let named = match local.file_name() {
            Some(name) => PathBuf::from(name),
            None => local.to_owned(),
        };
        self.add(local, &named)
    }

    fn add_folder(&mut self, root: &Path, exclude: &GlobSet) -> Result<()> {
        let inside = fs::canonicalize(root).map_err(|error| absent(root, error))?;
        for entry in
            WalkDir::new(root).follow_links(true).min_depth(1).sort_by_file_name().into_iter().filter_entry(|entry| {
                let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
                !exclude.is_match(relative)
            })
        {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(root).to_owned();
                let source = match error.loop_ancestor() {
                    Some(ancestor) => std::io::Error::other(format!("it links back to `{}`", ancestor.display())),
                    None => error.into_io_error().unwrap_or_else(|| std::io::Error::other("unknown")),
                };
                SourceError::Unreadable { path, source }
            })?;
            if entry.path_is_symlink() {
                let target = fs::canonicalize(entry.path()).map_err(|error| absent(entry.path(), error))?;
                if !target.starts_with(&inside) {
                    return Err(SourceError::LeavesTheTree { path: entry.path().to_owned() }.into());
                }
            }
            if !entry.file_type().is_dir() {
                let relative = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned();
                self.add(entry.path(), &relative)?;
            }
        }
        if self.0.is_empty() {
            return Err(SourceError::Empty { path: root.to_owned() }.into());
        }
        Ok(())
    }

    fn add(&mut self, local: &Path, relative: &Path) -> Result<ArtifactPath> {
        let found = fs::metadata(local).map_err(|error| absent(local, error))?;
        if !found.is_file() {
            return Err(SourceError::NotAFile { path: local.to_owned() }.into());
        }
        let mut text = String::new();
        for segment in relative.components() {
            let segment = segment.as_os_str().to_str();
            let segment = segment.ok_or_else(|| SourceError::NotUtf8 { path: local.to_owned() })?;
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(segment);
        }
        let path: ArtifactPath = text.parse().map_err(|source| SourceError::Name { path: local.to_owned(), source })?;
        let file = SourceFile { path: path.clone(), local: local.to_owned(), size: found.len() };
        if let Some(first) = self.0.insert(path.clone(), file) {
            // The same file named twice is no contradiction.
            if fs::canonicalize(&first.local).ok() != fs::canonicalize(local).ok() {
                let (first, second) = (first.local, local.to_owned());
                return Err(SourceError::Twice { path, first, second }.into());
            }
        }
        Ok(path)
    }

    fn main(&self, scan: &Scan) -> Result<ArtifactPath> {
        match &scan.main {
            Some(named) => {
                let given = named.strip_prefix("./").unwrap_or(named);
                let found = self.0.keys().find(|path| path.as_str() == given);
                Ok(found.cloned().ok_or_else(|| SourceError::NoSuchMain { main: named.clone() })?)
            }
            None => {
                let largest = self.0.values().rev().max_by_key(|file| file.size);
                let empty = || SourceError::Empty { path: scan.path.clone() };
                Ok(largest.ok_or_else(empty)?.path.clone())
            }
        }
    }
}

fn absent(path: &Path, source: std::io::Error) -> SourceError {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing { path },
        _ => SourceError::Unreadable { path, source },
    }
}

fn patterns(exclude: &[String]) -> Result<GlobSet, SourceError> {
    let mut set = GlobSetBuilder::new();
    for pattern in exclude {
        let refused =
            |error: globset::Error| SourceError::Pattern { pattern: pattern.clone(), reason: error.kind().to_string() };
        set.add(Glob::new(pattern).map_err(refused)?);
        // As everywhere else, a bare name means that name in any folder.
        if !pattern.contains('/') {
            set.add(Glob::new(&format!("**/{pattern}")).map_err(refused)?);
        }
    }
    set.build().map_err(|error| SourceError::Pattern { pattern: exclude.join(" "), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, usize)]) -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        for (path, size) in files {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; *size]).unwrap();
        }
        temp
    }

    fn paths(source: &Source) -> Vec<&str> {
        source.files.iter().map(|f| f.path.as_str()).collect()
    }

    #[test]
    fn a_folder_keeps_its_paths_and_its_largest_file_is_the_model() {
        let temp = tree(&[
            ("config.json", 3),
            ("weights/a.safetensors", 9),
            ("weights/b.safetensors", 9),
            ("tmp/x", 50),
            (".git/HEAD", 99),
        ]);
        let exclude = vec!["tmp".to_owned(), ".git".to_owned()];
        let scan = Scan { path: temp.path().to_owned(), exclude, ..Scan::default() };
        let source = Source::scan(&scan).unwrap();
        assert_eq!(paths(&source), ["config.json", "weights/a.safetensors", "weights/b.safetensors"]);
        assert_eq!(source.main.as_str(), "weights/a.safetensors");
        assert_eq!(source.size(), 21);
        let scan = Scan { main: Some("./config.json".to_owned()), ..scan };
        assert_eq!(Source::scan(&scan).unwrap().main.as_str(), "config.json");
        let scan = Scan { main: Some("nope".to_owned()), ..scan };
        assert!(matches!(Source::scan(&scan).unwrap_err(), crate::Error::Source(SourceError::NoSuchMain { .. })));
    }

    #[test]
    fn one_path_has_one_file() {
        let temp = tree(&[("m.bin", 1), ("a/h.json", 1), ("b/h.json", 2)]);
        let file = |name: &str| temp.path().join(name);
        let scan = Scan { path: file("m.bin"), with: vec![file("a/h.json"), file("a/h.json")], ..Scan::default() };
        assert_eq!(paths(&Source::scan(&scan).unwrap()), ["h.json", "m.bin"]);
        let scan = Scan { with: vec![file("a/h.json"), file("b/h.json")], ..scan };
        assert!(matches!(Source::scan(&scan).unwrap_err(), crate::Error::Source(SourceError::Twice { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_may_stay_inside_and_nowhere_else() {
        use std::os::unix::fs::symlink;
        let temp = tree(&[("in/blobs/1", 4), ("secret", 1)]);
        let scan = Scan { path: temp.path().join("in"), ..Scan::default() };
        symlink("blobs/1", temp.path().join("in/model.bin")).unwrap();
        assert_eq!(paths(&Source::scan(&scan).unwrap()), ["blobs/1", "model.bin"]);
        symlink("../secret", temp.path().join("in/evil")).unwrap();
        assert!(matches!(Source::scan(&scan).unwrap_err(), crate::Error::Source(SourceError::LeavesTheTree { .. })));
        fs::remove_file(temp.path().join("in/evil")).unwrap();
        symlink(".", temp.path().join("in/loop")).unwrap();
        assert!(matches!(Source::scan(&scan).unwrap_err(), crate::Error::Source(SourceError::Unreadable { .. })));
    }
}
