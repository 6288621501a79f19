//! Patterns of files to leave out, in the syntax of `.gitignore`.
//!
//! The last pattern that matches decides, as it does there: those of a deeper `.modeldepotignore` after those of a shallower
//! one, and those that were given with the push after all of them. Git's own ignore files do not count.

use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::left_out::by_name;
use crate::error::{Result, SourceError};

/// The name of the file that says what to leave out of a folder.
pub(super) const FILE: &str = ".modeldepotignore";

/// A larger file of patterns is none.
const LARGEST: u64 = 1 << 20;

/// What the patterns say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// To be left out.
    Out,
    /// To be kept, by a pattern with `!`. With `by_name` the pattern spells what else
    /// would be left out for its name.
    In { by_name: bool },
}

/// The patterns that were given with a push.
pub(super) struct Given {
    /// One each, since each that matches nothing is told.
    patterns: Vec<(String, Gitignore, bool)>,
}

impl Given {
    pub(super) fn new(patterns: &[String]) -> Result<Given, SourceError> {
        let parse = |pattern: &String| -> Result<_, SourceError> {
            let refused = |reason| SourceError::Pattern { pattern: pattern.clone(), reason };
            let mut builder = builder(Path::new(""));
            builder.add_line(None, pattern).map_err(|error| refused(plain(&error)))?;
            let built = builder.build().map_err(|error| refused(plain(&error)))?;
            Ok((pattern.clone(), built, false))
        };
        Ok(Given { patterns: patterns.iter().map(parse).collect::<Result<_, _>>()? })
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
    pub(super) fn unmatched(self) -> Vec<String> {
        self.patterns.into_iter().filter(|(_, _, matched)| !matched).map(|(pattern, ..)| pattern).collect()
    }
}

/// Returns what is said of a path, by what was given and by the files on the way to it, the outermost first.
pub(super) fn decide(given: &mut Given, files: &[Gitignore], relative: &Path, folder: bool) -> Option<Said> {
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

/// Returns true when a pattern itself spells what something is left out for: `!*.pem` does of `a.pem`. `!*`, `!*.*` or
/// `!a.*`, which undo another pattern, must not bring back keys and hidden files.
fn spells(pattern: &str, relative: &Path) -> bool {
    let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
    let last = pattern.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = relative.file_name().unwrap_or_default().to_string_lossy();
    let reason = by_name(&name, false);
    (!name.starts_with('.') || last.starts_with('.'))
        && ["", "x"].iter().any(|text| by_name(&spelled(last, text), false) == reason)
}

/// Returns a name that a pattern matches, with a text for what it leaves open.
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
                // A class of characters: its first one, and none for one that says which not.
                let class: String = rest.by_ref().take_while(|c| *c != ']').collect();
                name.extend(class.chars().next().filter(|c| !matches!(c, '!' | '^')));
            }
            c => name.push(c),
        }
    }
    name
}

/// Reads the file of patterns of a folder, if it has one. `relative` is the folder's path from the root of the push.
pub(super) fn read(folder: &Path, relative: &Path) -> Result<Option<Gitignore>, SourceError> {
    let path = folder.join(FILE);
    let refused = |reason: String| SourceError::IgnoreFile { path: path.clone(), reason };
    let unreadable = |source| SourceError::Unreadable { path: path.clone(), source };
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        Ok(found) if !found.is_file() => return Err(refused("it is not a regular file".to_owned())),
        Ok(found) if found.len() > LARGEST => return Err(refused(format!("it has more than {LARGEST} bytes"))),
        Ok(_) => {}
    }
    let bytes = std::fs::read(&path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    let mut builder = builder(relative);
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let add = builder.add_line(None, line);
        add.map_err(|error| refused(format!("line {} is not a pattern: {}", number + 1, plain(&error))))?;
    }
    builder.build().map(Some).map_err(|error| refused(plain(&error)))
}

fn builder(root: &Path) -> GitignoreBuilder {
    let mut builder = GitignoreBuilder::new(root);
    builder.allow_unclosed_class(false);
    builder
}

/// Returns what is wrong with a pattern, without the pattern.
fn plain(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(patterns: &[&str]) -> Given {
        Given::new(&patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn out(patterns: &[&str], path: &str) -> Option<Said> {
        let folder = path.ends_with('/');
        decide(&mut given(patterns), &[], Path::new(path.trim_end_matches('/')), folder)
    }

    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        for (patterns, path, expected) in [
            (&["*.log"][..], "a.log", Some(Said::Out)),
            (&["*.log"], "deep/er/a.log", Some(Said::Out)),
            (&["/*.log"], "deep/a.log", None),
            (&["logs/**"], "logs/a", Some(Said::Out)),
            (&["logs/**"], "logs/", None),
            (&["logs/"], "logs/", Some(Said::Out)),
            (&["logs/"], "logs", None),
            (&[".git/"], ".git/", Some(Said::Out)),
            (&["logs/x"], "deep/logs/x", None),
            (&["**/logs/x"], "deep/logs/x", Some(Said::Out)),
            (&["*", "!*.bin"], "a.bin", Some(Said::In { by_name: true })),
            (&["!*.bin", "*"], "a.bin", Some(Said::Out)),
            (&["!*"], "a.pem", Some(Said::In { by_name: false })),
            (&["!*.pem"], "a.pem", Some(Said::In { by_name: true })),
            (&["!*.pem"], ".a.pem", Some(Said::In { by_name: false })),
            (&["!.env"], ".env", Some(Said::In { by_name: true })),
            (&["!*env"], ".env", Some(Said::In { by_name: false })),
            (&["!**/"], ".git/", Some(Said::In { by_name: false })),
            (&["\\!odd"], "!odd", Some(Said::Out)),
            (&["# a comment", ""], "# a comment", None),
        ] {
            assert_eq!(out(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn only_what_a_pattern_spells_is_brought_back() {
        for (pattern, path, by_name) in [
            ("!*.*", "server.pem", false),
            ("!*.*", "tls.key", false),
            ("![!_]*", "server.pem", false),
            ("![a-z]*.[a-z]*", "server.pem", false),
            ("!model.*", "model.key", false),
            ("!*e*", "server.pem", false),
            ("!id_*", "id_rsa", false),
            ("!.*", ".env", false),
            ("!.*", ".git/", false),
            ("!.*/", ".git/", false),
            ("!.[!.]*", ".env", false),
            ("!.e*", ".env", false),
            ("!.?*", ".git/", false),
            ("!*~*", "notes.txt~", true),
            ("!.*", ".cache/", true),
            ("!.c*", ".cache/", true),
            ("!.env*", ".env.local", true),
            ("!.env.*", ".env.local", true),
            ("!*.[pP][eE][mM]", "a.pem", true),
            ("!*.pem*", "a.pem", true),
            ("!/keys/server.key", "keys/server.key", true),
            ("!id_rsa*", "id_rsa.pub", true),
            ("!\\.git", ".git/", false),
            ("!.git/", ".git/", true),
            ("!*.pyc", "x.pyc", true),
        ] {
            assert_eq!(out(&[pattern], path), Some(Said::In { by_name }), "{pattern} {path}");
        }
    }

    #[test]
    fn what_matches_nothing_is_known() {
        let mut given = given(&["*.log", "a.log", "!b.log", "*.tmp"]);
        decide(&mut given, &[], Path::new("a.log"), false);
        decide(&mut given, &[], Path::new("c.txt"), false);
        assert_eq!(given.unmatched(), ["!b.log", "*.tmp"]);
        assert!(Given::new(&["[".to_owned()]).is_err());
    }
}
