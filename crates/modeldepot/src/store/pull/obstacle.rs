//! Obstacles to a pull.

use std::fmt;

use crate::visible::{FEW, named};

/// An entry of the folder that is in the way of a file of the version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// Its path in the folder.
    pub path: String,
    /// What it is.
    pub what: ObstacleKind,
}

/// The kind of an obstacle to a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObstacleKind {
    /// A file that does not come from an earlier pull.
    File,
    /// A `manifest.json` that another user may have written.
    OtherUser,
    /// A `manifest.json` that modeldepot did not write, or that was changed since.
    Manifest,
    /// A symbolic link.
    Link,
    /// A folder where a file should be.
    Folder,
    /// A named pipe, a socket or a device.
    Special,
    /// Something that is not a folder where a folder should be.
    NotAFolder,
    /// A name that other programs act on: `.git`, `.env`.
    Sensitive,
}

impl ObstacleKind {
    /// Returns true when `force` allows a pull to replace it.
    pub fn yields(self) -> bool {
        matches!(
            self,
            ObstacleKind::File
                | ObstacleKind::OtherUser
                | ObstacleKind::Manifest
                | ObstacleKind::Link
                | ObstacleKind::Special
                | ObstacleKind::Sensitive
        )
    }
}

impl ObstacleKind {
    /// Returns the wording for one obstacle, or several.
    fn phrase(self, several: bool) -> &'static str {
        let (one, many) = match self {
            ObstacleKind::File => (
                "is not from an earlier pull, or was changed since",
                "are not from an earlier pull, or were changed since",
            ),
            ObstacleKind::OtherUser => ("may be another user's", "may be another user's"),
            ObstacleKind::Manifest => ("was not written by modeldepot", "were not written by modeldepot"),
            ObstacleKind::Link => ("is a symbolic link", "are symbolic links"),
            ObstacleKind::Folder => ("is a folder, and a file in the version", "are folders, and files in the version"),
            ObstacleKind::Special => ("is not a regular file", "are not regular files"),
            ObstacleKind::NotAFolder => ("is not a folder, as in the version", "are not folders, as in the version"),
            ObstacleKind::Sensitive => ("is a name that other programs act on", "are names that other programs act on"),
        };
        if several { many } else { one }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path.escape_debug(), self.what.phrase(false))
    }
}

impl Obstacle {
    /// Lists the obstacles, with the first few names of each kind.
    pub(crate) fn list(obstacles: &[Obstacle]) -> String {
        let mut kinds: Vec<ObstacleKind> = Vec::new();
        for obstacle in obstacles {
            if !kinds.contains(&obstacle.what) {
                kinds.push(obstacle.what);
            }
        }
        let of_kind = |kind: &ObstacleKind| {
            let all: Vec<&Obstacle> = obstacles.iter().filter(|one| one.what == *kind).collect();
            let names = named(all.iter().map(|one| one.path.as_str()), all.len(), FEW);
            format!("{names} {}", kind.phrase(all.len() > 1))
        };
        kinds.iter().map(of_kind).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(ObstacleKind, bool, &str, &str); 8] = [
        (
            ObstacleKind::File,
            true,
            "`a` is not from an earlier pull, or was changed since",
            "`a`, `b` are not from an earlier pull, or were changed since",
        ),
        (ObstacleKind::OtherUser, true, "`a` may be another user's", "`a`, `b` may be another user's"),
        (ObstacleKind::Manifest, true, "`a` was not written by modeldepot", "`a`, `b` were not written by modeldepot"),
        (ObstacleKind::Link, true, "`a` is a symbolic link", "`a`, `b` are symbolic links"),
        (
            ObstacleKind::Folder,
            false,
            "`a` is a folder, and a file in the version",
            "`a`, `b` are folders, and files in the version",
        ),
        (ObstacleKind::Special, true, "`a` is not a regular file", "`a`, `b` are not regular files"),
        (
            ObstacleKind::NotAFolder,
            false,
            "`a` is not a folder, as in the version",
            "`a`, `b` are not folders, as in the version",
        ),
        (
            ObstacleKind::Sensitive,
            true,
            "`a` is a name that other programs act on",
            "`a`, `b` are names that other programs act on",
        ),
    ];

    fn obstacle(path: &str, what: ObstacleKind) -> Obstacle {
        Obstacle { path: path.to_owned(), what }
    }

    /// Force replaces files, and no folder with what is in it.
    #[test]
    fn each_kind_says_what_it_is_and_whether_force_helps() {
        for (what, yields, one, two) in ALL {
            assert_eq!(what.yields(), yields, "{what:?}");
            assert_eq!(obstacle("a", what).to_string(), one);
            assert_eq!(Obstacle::list(&[obstacle("a", what)]), one);
            assert_eq!(Obstacle::list(&[obstacle("a", what), obstacle("b", what)]), two);
        }
    }

    #[test]
    fn obstacles_are_listed_by_kind() {
        let all = [("b", ObstacleKind::Link), ("a", ObstacleKind::Folder), ("c", ObstacleKind::Link)];
        let listed = Obstacle::list(&all.map(|(path, what)| obstacle(path, what)));
        assert_eq!(listed, "`b`, `c` are symbolic links; `a` is a folder, and a file in the version");
        let many: Vec<Obstacle> = (0..7).map(|n| obstacle(&n.to_string(), ObstacleKind::Link)).collect();
        assert_eq!(Obstacle::list(&many), "`0`, `1`, `2`, `3`, `4` and 2 more are symbolic links");
    }
}
