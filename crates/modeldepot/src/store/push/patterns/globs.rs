//! Matching paths with patterns.

use std::path::Path;

use ignore::Match;
pub(in crate::store) use ignore::gitignore::Gitignore as FolderPatterns;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::as_in_git;
use super::{FILE, Malformed, Said};
use crate::error::{Result, SourceError};
use crate::store::push::left_out::by_name;
use crate::store::push::links::absent;

/// A larger pattern file is refused.
const LARGEST: u64 = 1 << 20;

/// How many malformed patterns of files are reported; further ones are dropped.
const MOST_TOLD: usize = 100;

/// The patterns given with a push.
pub(in crate::store) struct Given {
    /// Built one by one, so that each pattern that matches nothing can be reported.
    patterns: Vec<(String, Gitignore, bool)>,
}

impl Given {
    pub(in crate::store) fn new(patterns: &[String], malformed: &mut Vec<Malformed>) -> Result<Given, SourceError> {
        let parse = |pattern: &String| {
            let mut builder = GitignoreBuilder::new("");
            let added = add(&mut builder, pattern);
            let built = added.and_then(|()| builder.build().map_err(|error| plain(&error)));
            let built = built.unwrap_or_else(|reason| {
                malformed.push(Malformed { pattern: pattern.clone(), line: None, reason });
                Gitignore::empty()
            });
            (pattern.clone(), built, false)
        };
        Ok(Given { patterns: patterns.iter().map(parse).collect() })
    }

    fn said(&mut self, relative: &Path, folder: bool) -> Option<Said> {
        let mut last = None;
        for (_, pattern, matched) in &mut self.patterns {
            if let Some(said) = said(pattern, relative, folder) {
                *matched = true;
                last = Some(said);
            }
        }
        last
    }

    /// Returns the patterns that have matched nothing.
    pub(in crate::store) fn unmatched(self) -> Vec<String> {
        self.patterns.into_iter().filter(|(_, _, matched)| !matched).map(|(pattern, ..)| pattern).collect()
    }
}

/// Applies the given patterns to a path, then those of the folders that contain it, innermost first. `files` lists them
/// outermost first.
pub(in crate::store) fn decide(
    given: &mut Given,
    files: &[FolderPatterns],
    relative: &Path,
    folder: bool,
) -> Option<Said> {
    let given = given.said(relative, folder);
    given.or_else(|| files.iter().rev().find_map(|file| said(file, relative, folder)))
}

fn said(patterns: &Gitignore, relative: &Path, folder: bool) -> Option<Said> {
    match patterns.matched(relative, folder) {
        Match::None => None,
        Match::Ignore(_) => Some(Said::Out),
        Match::Whitelist(glob) => Some(Said::In { by_name: spells(glob.original(), relative) }),
    }
}

/// Returns true when the pattern itself spells the reason for leaving a name out, as `!*.pem` does for `a.pem`. `!*`,
/// `!*.*` and `!a.*`, meant to undo another pattern, must not bring back keys and hidden files.
fn spells(pattern: &str, relative: &Path) -> bool {
    let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
    let last = pattern.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = relative.file_name().unwrap_or_default().to_string_lossy();
    let reason = by_name(&name, false, false);
    (!name.starts_with('.') || last.starts_with('.'))
        && ["", "x"].iter().any(|text| by_name(&spelled(last, text), false, false) == reason)
}

/// Returns a name that a pattern matches, with `text` for each wildcard.
fn spelled(pattern: &str, text: &str) -> String {
    let mut name = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' if name.is_empty() => name.push('x'),
            '*' => name.push_str(text),
            '?' => name.push('x'),
            '\\' => name.extend(rest.next()),
            '[' => {
                // The first character of a class; none of a negated class.
                let class: String = rest.by_ref().take_while(|c| *c != ']').collect();
                name.extend(class.chars().next().filter(|c| !matches!(c, '!' | '^')));
            }
            c => name.push(c),
        }
    }
    name
}

/// Reads the pattern file of a folder, if there is one. `relative` is the folder's path from the root of the push.
pub(in crate::store) fn read(
    folder: &Path,
    relative: &Path,
    malformed: &mut Vec<Malformed>,
) -> Result<Option<FolderPatterns>, SourceError> {
    let path = folder.join(FILE);
    let refused = |reason: String| SourceError::IgnoreFile { path: path.clone(), reason };
    let unreadable = |source| SourceError::Unreadable { path: path.clone(), source };
    match std::fs::metadata(&path).map_err(|error| absent(&path, error)) {
        Err(SourceError::Missing { .. }) => return Ok(None),
        // A link that leads nowhere counts: to ignore it would publish what its patterns leave out.
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => return Err(refused("it is not a regular file".to_owned())),
        Ok(found) if found.len() > LARGEST => return Err(refused(format!("it has more than {LARGEST} bytes"))),
        Ok(_) => {}
    }
    let bytes = std::fs::read(&path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    let mut builder = GitignoreBuilder::new(relative);
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if let Err(reason) = add(&mut builder, line)
            && malformed.len() < MOST_TOLD
        {
            let place = (relative.join(FILE).to_string_lossy().into_owned(), number + 1);
            malformed.push(Malformed { pattern: line.to_owned(), line: Some(place), reason });
        }
    }
    builder.build().map(Some).map_err(|error| refused(plain(&error)))
}

fn add(builder: &mut GitignoreBuilder, line: &str) -> Result<(), String> {
    builder.allow_unclosed_class(false);
    builder.add_line(None, &as_in_git(line)).map(drop).map_err(|error| plain(&error))
}

/// Returns what is wrong with a pattern, without the pattern.
fn plain(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}
