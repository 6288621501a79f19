//! Finding the files to publish on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::left_out::{LeftOut, Reason, by_name, by_place, is_own};
use super::links::{Links, absent};
use super::patterns::{self, FolderPatterns, Given, Said};
use super::source::{Notes, Source, SourceFile, look};
use crate::error::{Error, Result, SourceError};
use crate::model::model_file::model_file;
use crate::model::name::{ArtifactPath, NameError};
use crate::setters::setters;

/// How many folder entries are read at most. A manifest holds a fifth of that.
const MOST: usize = 1_000_000;

/// What to publish: start with [`Scan::new`], and set other fields with their setters.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scan {
    /// The model: a file, or a folder whose files keep their relative paths.
    pub path: PathBuf,
    /// The model file within a folder; by default [`model_file`](crate::model_file()) chooses it.
    pub main: Option<String>,
    /// Patterns of files in a folder to leave out, in the syntax of `.gitignore`: `*.tmp`, `logs/`, `!logs/keep`. They
    /// override those in `.modeldepotignore`.
    pub exclude: Vec<String>,
    /// Additional files. A file inside the folder keeps its path; any other is placed beside the model under its own
    /// name.
    pub with: Vec<PathBuf>,
    /// The training history; placed like an additional file.
    pub history: Option<PathBuf>,
    /// Whether to publish hidden files and folders too. Names of secrets, and files of repositories, editors or
    /// modeldepot, are still left out.
    pub include_hidden: bool,
    /// Whether symbolic links may lead out of the folder; false by default.
    pub follow_links: bool,
}

impl Scan {
    /// Publishes a file, or the files of a folder.
    pub fn new(path: impl Into<PathBuf>) -> Scan {
        Scan {
            path: path.into(),
            main: None,
            exclude: Vec::new(),
            with: Vec::new(),
            history: None,
            include_hidden: false,
            follow_links: false,
        }
    }
}

setters!(Scan {
    some_into main: String,
    all exclude: String,
    all with: PathBuf,
    some_into history: PathBuf,
    value include_hidden: bool,
    value follow_links: bool,
});

impl Source {
    /// Lists the files to publish. Reads only `.modeldepotignore` and a `manifest.json`. Blocks.
    ///
    /// A file that is named (as the model, `with` or `history`) is always published. Files of a folder that do not
    /// belong in a version are [left out](Source::left_out).
    ///
    /// # Errors
    /// [`SourceError`] for files that cannot be published as they are, and as [`Source::from_files`].
    pub fn scan(scan: &Scan) -> Result<Source> {
        Source::scan_at_most(scan, MOST)
    }

    /// Scans a folder of at most `most` entries.
    fn scan_at_most(scan: &Scan, most: usize) -> Result<Source> {
        let found = fs::metadata(&scan.path).map_err(|error| absent(&scan.path, error))?;
        let mut files = Files::default();
        let mut notes = Notes::default();
        let mut malformed = Vec::new();
        let given = Given::new(&scan.exclude, &mut malformed)?;
        let main = if found.is_dir() {
            let links = Links::of(&scan.path, scan.follow_links)?;
            files.root = Some(links.root().to_owned());
            notes.malformed = malformed;
            let within = vec![links.root().to_owned()];
            let mut walk = Walk { scan, links, given, files, notes, within, ignores: Vec::new(), left: most, most };
            walk.folder(&scan.path, Path::new(""))?;
            Walk { files, notes, .. } = walk;
            notes.unmatched = walk.given.unmatched();
            let in_files = notes.malformed.iter().filter(|malformed| malformed.line.is_some());
            notes.unmatched.extend(in_files.map(|malformed| malformed.pattern.clone()));
            None
        } else {
            notes.unmatched = scan.exclude.clone();
            Some(files.named(&scan.path)?)
        };
        // The model is chosen among the folder's files only, not those beside it.
        let main = match (main, &scan.main) {
            (Some(file), Some(named)) if named != file.as_str() => {
                return Err(SourceError::NoSuchMain { main: named.clone() }.into());
            }
            (Some(file), _) => file,
            (None, named) => {
                // A named file inside the folder counts as one of its files, even if its name would be left out.
                for path in scan.with.iter().chain(&scan.history) {
                    if files.inside(path).is_some() {
                        files.named(path)?;
                    }
                }
                let named_main = named.as_ref().map(|named| scan.path.join(named));
                if let Some(path) = named_main.filter(|path| files.inside(path).is_some() && path.is_file()) {
                    files.named(&path)?;
                }
                if files.files.is_empty() {
                    return Err(SourceError::Empty { path: scan.path.clone() }.into());
                }
                notes.main_was_chosen = named.is_none() && files.files.len() > 1;
                files.main(named.as_deref())?
            }
        };
        for path in &scan.with {
            files.named(path)?;
        }
        let history = scan.history.as_ref().map(|path| files.named(path)).transpose()?;
        notes.left_out.retain(|left| !files.files.keys().any(|path| path.as_str() == left.path));
        notes.left_out.sort();
        let files = files.files.into_values().collect();
        Ok(Source::of(Some(&main), history.as_ref(), files)?.with_notes(notes))
    }
}

/// The files found so far, by path.
#[derive(Default)]
struct Files {
    files: BTreeMap<ArtifactPath, SourceFile>,
    /// The published folder, with links resolved.
    root: Option<PathBuf>,
}

impl Files {
    /// Adds a file that was named explicitly.
    fn named(&mut self, local: &Path) -> Result<ArtifactPath> {
        let found = fs::metadata(local).map_err(|error| absent(local, error))?;
        if found.is_dir() {
            return Err(SourceError::Folder { path: local.to_owned() }.into());
        }
        let path = match (self.inside(local), local.file_name()) {
            (Some(relative), _) => relative,
            (None, Some(name)) => PathBuf::from(name),
            // `..` has no file name of its own, but its target does.
            (None, None) => local.to_owned(),
        };
        self.add(local, &path)
    }

    /// Returns the path of a file within the published folder, if it is inside.
    fn inside(&self, local: &Path) -> Option<PathBuf> {
        let root = self.root.as_ref()?;
        // The folder may be spelled in several ways. A link counts as being where it is, not where it leads.
        let folder = local.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).ok()?;
        Some(folder.strip_prefix(root).ok()?.join(local.file_name()?))
    }

    fn add(&mut self, local: &Path, relative: &Path) -> Result<ArtifactPath> {
        let found = look(local)?;
        let path: ArtifactPath =
            text(local, relative)?.parse().map_err(|source| SourceError::Name { path: local.to_owned(), source })?;
        let file = SourceFile::found(path.clone(), local, &found);
        if let Some(first) = self.files.insert(path.clone(), file) {
            // Naming the same file twice is no conflict.
            if fs::canonicalize(&first.local).ok() != fs::canonicalize(local).ok() {
                let (first, second) = (first.local, local.to_owned());
                return Err(SourceError::Twice { path, first, second }.into());
            }
        }
        Ok(path)
    }

    fn main(&self, named: Option<&str>) -> Result<ArtifactPath> {
        match named {
            Some(named) => {
                let given = named.strip_prefix("./").unwrap_or(named);
                let found = self.files.keys().find(|path| path.as_str() == given);
                Ok(found.cloned().ok_or_else(|| SourceError::NoSuchMain { main: named.to_owned() })?)
            }
            None => {
                let chosen = model_file(self.files.values().map(|file| (&file.path, file.size)));
                Ok(chosen.ok_or_else(Error::no_model_file)?.clone())
            }
        }
    }
}

/// A walk through a folder.
struct Walk<'s> {
    scan: &'s Scan,
    links: Links,
    given: Given,
    files: Files,
    notes: Notes,
    /// The folders that contain the current one, with links resolved.
    within: Vec<PathBuf>,
    /// The patterns of those folders.
    ignores: Vec<FolderPatterns>,
    /// How many entries are read at most, and how many more.
    most: usize,
    left: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, relative: &Path) -> Result<()> {
        let unreadable = |source| SourceError::Unreadable { path: folder.to_owned(), source };
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let too_many = || SourceError::TooMany { path: self.scan.path.clone(), limit: self.most };
            self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
            entries.push(entry.map_err(unreadable)?);
        }
        if entries.is_empty() && relative != Path::new("") {
            self.notes.empty_folders.push(relative.to_string_lossy().into_owned());
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        let ignores = self.ignores.len();
        self.ignores.extend(patterns::read(folder, relative, &mut self.notes.malformed)?);
        for entry in entries {
            self.entry(&entry, &relative.join(entry.file_name()))?;
        }
        self.ignores.truncate(ignores);
        Ok(())
    }

    fn entry(&mut self, entry: &fs::DirEntry, relative: &Path) -> Result<()> {
        // Spelled as the user spelled the folder, not as the system lists it, so that messages are recognizable.
        let local = entry.path();
        let kind = entry.file_type().map_err(|source| SourceError::Unreadable { path: local.clone(), source })?;
        let folder = kind.is_dir() || (kind.is_symlink() && local.is_dir());
        if let Some(reason) = self.why_not(&local, relative, folder) {
            self.leave_out(relative, folder, reason);
            return Ok(());
        }
        let mut target = None;
        if kind.is_symlink() {
            let found = self.links.follow(&local, &self.within)?;
            // A link must not publish under a plain name what the names on the path to its target leave out.
            if let Some(reason) = by_place(self.links.way_to(&found)) {
                self.leave_out(relative, folder, reason);
                return Ok(());
            }
            target = Some(found);
        }
        if !folder {
            self.files.add(&local, relative)?;
            return Ok(());
        }
        // Deeper than the path of any file can be.
        if relative.as_os_str().len() > 512 {
            let source = NameError { what: "artifact path", text: text(&local, relative)?, rule: "use 1 to 512 bytes" };
            return Err(SourceError::Name { path: local, source }.into());
        }
        let place = match (target, self.within.last()) {
            (Some(target), _) => target,
            (None, Some(around)) => around.join(entry.file_name()),
            (None, None) => local.clone(),
        };
        self.within.push(place);
        self.folder(&local, relative)?;
        self.within.pop();
        Ok(())
    }

    /// Returns why an entry is left out.
    fn why_not(&mut self, local: &Path, relative: &Path, folder: bool) -> Option<Reason> {
        let name = relative.file_name().unwrap_or_default().to_string_lossy();
        let said = patterns::decide(&mut self.given, &self.ignores, relative, folder);
        if is_own(relative, &name, folder, local) {
            return Some(Reason::Own);
        }
        match said {
            Some(Said::Out) => Some(Reason::Excluded),
            Some(Said::In { by_name: true }) => None,
            Some(Said::In { by_name: false }) | None => by_name(&name, folder, self.scan.include_hidden),
        }
    }

    fn leave_out(&mut self, relative: &Path, folder: bool, reason: Reason) {
        self.notes.left_out.push(LeftOut { path: relative.to_string_lossy().into_owned(), folder, reason });
    }
}

/// Returns a path as spelled in a version.
fn text(local: &Path, relative: &Path) -> Result<String> {
    let mut text = String::new();
    for segment in relative.components() {
        let segment = segment.as_os_str().to_str();
        let segment = segment.ok_or_else(|| SourceError::NotUtf8 { path: local.to_owned() })?;
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(segment);
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
