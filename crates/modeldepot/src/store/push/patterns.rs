//! Patterns of files to leave out, in the syntax of `.gitignore`.
//!
//! As in git, the last matching pattern decides: those of a deeper `.modeldepotignore` come after those of a shallower
//! one, and those given with the push come last. Git's own ignore files do not count.
//!
//! Without the feature `globs` nothing here can match a path, so a push with patterns is refused: to ignore them would
//! publish what they leave out.

#[cfg(feature = "globs")]
mod git;
#[cfg(feature = "globs")]
mod globs;
#[cfg(any(test, not(feature = "globs")))]
mod none;
#[cfg(feature = "globs")]
#[cfg(test)]
mod tests;

#[cfg(feature = "globs")]
pub(in crate::store) use self::globs::{FolderPatterns, Given, decide, read};
#[cfg(not(feature = "globs"))]
pub(in crate::store) use self::none::{FolderPatterns, Given, decide, read};

/// The name of the file with a folder's patterns.
pub(in crate::store) const FILE: &str = ".modeldepotignore";

/// The outcome of the patterns for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "globs"), allow(dead_code, reason = "without patterns there is no outcome"))]
pub(in crate::store) enum Said {
    /// Leave it out.
    Out,
    /// Keep it, by a pattern with `!`. With `by_name`, the pattern also overrides the rules on names.
    In { by_name: bool },
}

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
