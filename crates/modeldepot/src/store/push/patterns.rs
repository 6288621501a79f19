//! Patterns of files to leave out, in the syntax of `.gitignore`.
//!
//! As in git, the last matching pattern decides: those of a deeper `.modeldepotignore` come after those of a shallower
//! one, and those given with the push come last. Git's own ignore files do not count.

use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::left_out::by_name;
use crate::error::{Result, SourceError};

/// The name of the file with a folder's patterns.
pub(in crate::store) const FILE: &str = ".modeldepotignore";

/// A larger pattern file is refused.
const LARGEST: u64 = 1 << 20;

/// The outcome of the patterns for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Said {
    /// Leave it out.
    Out,
    /// Keep it, by a pattern with `!`. With `by_name`, the pattern also overrides the rules on names.
    In { by_name: bool },
}

/// How many malformed patterns of files are reported; further ones are dropped.
const MOST_TOLD: usize = 100;

/// A malformed pattern. It matches nothing, as in git.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Malformed {
    /// The pattern.
    pub pattern: String,
    /// The file that has it, by its path in the folder, and the line; `None` for a pattern given with the push.
    pub line: Option<(String, usize)>,
    /// What is wrong with it.
    pub reason: String,
}

/// The patterns given with a push.
pub(in crate::store) struct Given {
    /// Built one by one, so that each pattern that matches nothing can be reported.
    patterns: Vec<(String, Gitignore, bool)>,
}

impl Given {
    pub(in crate::store) fn new(patterns: &[String], malformed: &mut Vec<Malformed>) -> Given {
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
        Given { patterns: patterns.iter().map(parse).collect() }
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
pub(in crate::store) fn decide(given: &mut Given, files: &[Gitignore], relative: &Path, folder: bool) -> Option<Said> {
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
) -> Result<Option<Gitignore>, SourceError> {
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

/// Translates a pattern from git's syntax: here braces hold alternatives, in git they are literal; and a character
/// class here has no escapes.
fn as_in_git(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                text.push(c);
                text.extend(rest.next());
            }
            '{' | '}' => text.extend(['\\', c]),
            '[' => match class(rest.as_str()) {
                Some((class, after)) => {
                    text.push_str(&class);
                    rest = after.chars();
                }
                // An unclosed class makes the pattern malformed.
                None => text.push(c),
            },
            c => text.push(c),
        }
    }
    text
}

fn backwards(before: &str, after: &str) -> bool {
    let (from, to) = (before.chars().next_back(), after.chars().next());
    from.zip(to).is_some_and(|(from, to)| to < from && !matches!(to, ']' | '[' | '\\'))
}

/// Returns a character class without escapes, and the text after it. `text` starts after the opening bracket.
fn class(text: &str) -> Option<(String, &str)> {
    let negated = text.starts_with(['!', '^']);
    let (mut plain, mut odd) = (String::new(), [false; 4]);
    let odd_ones = [']', '!', '^', '-'];
    let mut rest = text.get(usize::from(negated)..)?.chars();
    let mut first = true;
    loop {
        match rest.next()? {
            ']' if first => odd[0] = true,
            ']' => break,
            '\\' => match rest.next()? {
                c if odd_ones.contains(&c) => odd.iter_mut().zip(odd_ones).for_each(|(odd, one)| *odd |= one == c),
                c => plain.push(c),
            },
            // A named class such as `[:digit:]` has a bracket of its own.
            '[' if rest.as_str().starts_with(':') && rest.as_str().contains(":]") => {
                let (name, after) = rest.as_str().split_once(":]")?;
                plain.extend(["[", name, ":]"]);
                rest = after.chars();
            }
            // Of a reversed range, git takes the first character.
            '-' if backwards(&plain, rest.as_str()) => drop(rest.next()),
            c => plain.push(c),
        }
        first = false;
    }
    // Where special characters are literal: the closing bracket first, the hyphen last, the others in between.
    let [closing, not, caret, hyphen] = odd.map(|odd| if odd { 1 } else { 0 });
    let middle = format!("{plain}{}{}", "!".repeat(not), "^".repeat(caret));
    let whole = format!("{}{middle}{}", "]".repeat(closing), "-".repeat(hyphen));
    let whole = match (negated, whole.as_str()) {
        (true, _) => format!("[!{whole}]"),
        (false, "!" | "^") => format!("\\{whole}"),
        (false, _) => format!("[{whole}]"),
    };
    Some((whole, rest.as_str()))
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
        Given::new(&patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>(), &mut Vec::new())
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
            (&["{a,b}.log"], "{a,b}.log", Some(Said::Out)),
            (&["{a,b}.log"], "a.log", None),
            (&["{a"], "{a", Some(Said::Out)),
            (&["a}"], "a}", Some(Said::Out)),
            (&["\\{a}"], "{a}", Some(Said::Out)),
            (&["[{]a"], "{a", Some(Said::Out)),
            (&["[\\]]a"], "]a", Some(Said::Out)),
            (&["[a\\]]b"], "]b", Some(Said::Out)),
            (&["[]a]b"], "]b", Some(Said::Out)),
            (&["[\\!]b"], "!b", Some(Said::Out)),
            (&["[a\\-c]d"], "bd", None),
            (&["[a\\-c]d"], "-d", Some(Said::Out)),
            (&["[a-c]d"], "bd", Some(Said::Out)),
            (&["[!a]b"], "ab", None),
            (&["[[:digit:]]b"], "7b", Some(Said::Out)),
            // Malformed patterns.
            (&["["], "[", None),
            (&["a["], "a[", None),
            (&["[]"], "[]", None),
            (&["abc\\"], "abc\\", None),
            (&["[z-a]"], "b", None),
            (&["[z-a]"], "z", Some(Said::Out)),
            (&["[z-ab]"], "b", Some(Said::Out)),
        ] {
            assert_eq!(out(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        let mut malformed = Vec::new();
        let patterns = ["*.log", "[", "{a", "abc\\", "[z-a]", ""].map(str::to_owned);
        Given::new(&patterns, &mut malformed);
        let told: Vec<_> = malformed.iter().map(|one| one.pattern.as_str()).collect();
        assert_eq!(told, ["[", "abc\\"]);
    }

    /// Compares with git itself, where it is installed.
    #[cfg(unix)]
    #[test]
    fn git_agrees() {
        use std::process::Command;
        let folder = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| Command::new("git").arg("-C").arg(folder.path()).args(args).output();
        if !git(&["init", "-q"]).is_ok_and(|done| done.status.success()) {
            return;
        }
        let names =
            ["{a,b}", "a", "b", "{a", "a}", "]", "[", "-", "!", "^", "7", "a]", "[]", "c", "z", "abc", "{", "}", ","];
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for pattern in [
            "{a,b}",
            "{a",
            "a}",
            "\\{a",
            "[{]",
            "[{}]",
            "[]]",
            "[\\]]",
            "[a\\]]",
            "[]-]",
            "[!a]",
            "[^a]",
            "[a-c]",
            "[a\\-c]",
            "[\\!]",
            "[\\^]",
            "[[:digit:]]",
            "[[:alpha:]]*",
            "[![:alpha:]]",
            "[",
            "[a",
            "[]",
            "a[",
            "abc\\",
            "[z-a]",
            "[z-ab]",
            "[!]",
            "[a]]",
            "[[]",
            "[]",
            "\\[",
            "\\]",
            "[\\\\]",
            "{a,[b}",
            "*}",
            "{*",
            "?",
            "[-a]",
            "[a-]",
            "[!-a]",
            "[,]",
        ] {
            std::fs::write(folder.path().join(".gitignore"), format!("{pattern}\n")).unwrap();
            for name in names {
                let ignored =
                    git(&["check-ignore", "-q", "--no-index", &format!("./{name}")]).unwrap().status.success();
                assert_eq!(out(&[pattern], name).is_some(), ignored, "{pattern} {name}");
            }
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
    }
}
