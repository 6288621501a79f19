//! Why something cannot be pushed.

use std::path::PathBuf;

use crate::model::name::{ArtifactPath, NameError};

/// Why a file or folder cannot be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is nothing at the path.
    #[error("`{}` does not exist", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A file was expected and a folder is there.
    #[error("`{}` is a folder where a file is needed", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
    },
    /// A pipe, socket or device, which cannot be read twice.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The folder holds no file.
    #[error("`{}` contains no files to publish", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's name cannot be a path in a version.
    #[error("`{}` cannot be published under its name", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The rule.
        source: NameError,
    },
    /// The file's name is not UTF-8.
    #[error("`{}` cannot be published: its name is not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// Two files would lie at one path.
    #[error("two files would be `{path}`: `{}` and `{}`", first.display(), second.display())]
    Twice {
        /// The path in the version.
        path: ArtifactPath,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A symbolic link leads out of the folder.
    #[error("`{}` is a symbolic link that leaves the folder", path.display())]
    LeavesTheTree {
        /// The link.
        path: PathBuf,
    },
    /// A symbolic link leads to nothing.
    #[error("`{}` is a symbolic link to `{}`, which does not exist", path.display(), target.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: PathBuf,
    },
    /// A symbolic link leads back to a folder that it lies in, or to itself.
    #[error("`{}` is a symbolic link to `{}`, which leads back to it", path.display(), target.display())]
    LinkLoop {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: PathBuf,
    },
    /// The folder has more entries than any version.
    #[error("`{}` holds more than {limit} files and folders", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The most that are looked at.
        limit: usize,
    },
    /// The file named as main is not among those to push.
    #[error("`{main}` is not among the files to publish")]
    NoSuchMain {
        /// The name given.
        main: String,
    },
    /// A file of patterns cannot be one.
    #[error("cannot use `{}`: {reason}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are patterns of files to leave out, and the library was built without the feature `globs`.
    #[error("cannot apply `{patterns}`: this build of modeldepot has no patterns")]
    WithoutGlobs {
        /// The first pattern given with the push, or else the path of a pattern file.
        patterns: String,
    },
    /// The file was written to while it was read.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}
