//! What a pull may do to each path of a folder, decided before anything is fetched. Pure: no disk access.

use std::collections::{BTreeMap, BTreeSet};

use super::obstacle::{Obstacle, ObstacleKind};
use crate::fs::Kind;
use crate::model::name::{ArtifactPath, folded};

/// What is at the path of a file of the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Absent,
    /// A regular file with the version's bytes.
    Same,
    /// A regular file with other or unknown bytes.
    File,
    /// A regular file with other bytes, as an earlier pull left it.
    Pulled,
    /// Only unchanged files of earlier pulls: in a folder at the path, or a file in place of a parent.
    Ours {
        /// The files.
        files: Vec<ArtifactPath>,
        /// The folder at this path and its subfolders, innermost first.
        folders: Vec<String>,
    },
    /// Something else.
    Other(Kind),
    /// A parent that should be a folder is something else.
    Behind(String, Kind),
}

/// The action at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// None: the file is as it should be.
    Keep,
    /// Put a file where there is none.
    Create,
    /// Put a file in place of another.
    Replace,
}

/// The actions in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The action for each file of the version.
    pub(super) steps: BTreeMap<ArtifactPath, Step>,
    /// Files of an earlier version at the path of a folder that this version needs, or in a folder at the path of a
    /// file that it needs.
    pub(super) cleared: BTreeSet<ArtifactPath>,
    /// Folders that are then empty, at the paths of files of this version.
    pub(super) folders: Vec<String>,
    /// Files of an earlier version that this one does not have; removed if they are unchanged.
    pub(super) obsolete: BTreeSet<ArtifactPath>,
    /// Kept files that no pull put there: they have the version's bytes, and still belong to the user.
    pub(super) theirs: BTreeSet<ArtifactPath>,
}

impl Plan {
    /// Changes the plan for a pull that reuses no local data: files that would be kept are fetched and replaced by the
    /// same bytes. The user's own files stay.
    pub(super) fn anew(&mut self) {
        let kept = self.steps.iter_mut().filter(|(path, step)| **step == Step::Keep && !self.theirs.contains(*path));
        kept.for_each(|(_, step)| *step = Step::Replace);
    }
}

/// Plans by what was found at the paths of a version's files. `owned` are the paths of files from earlier pulls.
///
/// # Errors
/// All obstacles that `force` does not remove.
pub(super) fn plan(
    found: &BTreeMap<ArtifactPath, Found>,
    owned: &BTreeSet<ArtifactPath>,
    force: bool,
) -> Result<Plan, Vec<Obstacle>> {
    let (mut plan, mut obstacles) = (Plan::default(), Vec::new());
    for (path, found) in found {
        let mut refuse = |path: &str, what| obstacles.push(Obstacle { path: path.to_owned(), what });
        let ours = owned.contains(path);
        let may = |what: ObstacleKind| force && what.yields();
        if is_sensitive(path) && !force {
            refuse(path.as_str(), ObstacleKind::Sensitive);
            continue;
        }
        let step = match found {
            Found::Absent => Step::Create,
            Found::Same => {
                if !ours {
                    plan.theirs.insert(path.clone());
                }
                Step::Keep
            }
            Found::Pulled if ours => Step::Replace,
            Found::File | Found::Pulled if may(ObstacleKind::File) => Step::Replace,
            Found::Ours { files, folders } if files.iter().all(|file| owned.contains(file)) => {
                plan.cleared.extend(files.iter().cloned());
                plan.folders.extend(folders.iter().cloned());
                Step::Create
            }
            Found::Other(Kind::Link) if may(ObstacleKind::Link) => Step::Replace,
            Found::Other(Kind::Special) if force => Step::Replace,
            Found::File | Found::Pulled | Found::Other(Kind::File) => {
                refuse(path.as_str(), if ours { ObstacleKind::Changed } else { ObstacleKind::File });
                continue;
            }
            Found::Ours { .. } => {
                refuse(path.as_str(), ObstacleKind::Folder);
                continue;
            }
            Found::Other(kind) => {
                let what = match kind {
                    Kind::Link => ObstacleKind::Link,
                    Kind::Folder => ObstacleKind::Folder,
                    _ => ObstacleKind::Special,
                };
                refuse(path.as_str(), what);
                continue;
            }
            Found::Behind(at, _) => {
                refuse(at, ObstacleKind::NotAFolder);
                continue;
            }
        };
        plan.steps.insert(path.clone(), step);
    }
    if !obstacles.is_empty() {
        obstacles.dedup();
        return Err(obstacles);
    }
    let obsolete = |path: &&ArtifactPath| !found.contains_key(*path) && !plan.cleared.contains(*path);
    plan.obsolete = owned.iter().filter(obsolete).cloned().collect();
    Ok(plan)
}

/// Returns true for a path under a name that programs act on unasked: hooks and settings of Git, and environment files.
fn is_sensitive(path: &ArtifactPath) -> bool {
    path.segments().any(|segment| {
        let name = folded(segment);
        name == ".git" || name == "git~1" || name.starts_with(".env")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> ArtifactPath {
        text.parse().unwrap()
    }

    fn paths(texts: &[&str]) -> BTreeSet<ArtifactPath> {
        texts.iter().map(|text| path(text)).collect()
    }

    #[test]
    fn sensitive_names_are_seen_in_every_spelling() {
        for name in
            [".git/config", ".GIT/hooks/x", ".git./x", "GIT~1/x", ".g\u{200c}it/x", ".env", ".env.local", "a/.ENV"]
        {
            let found = BTreeMap::from([(path(name), Found::Absent)]);
            let refused = plan(&found, &paths(&[name]), false).unwrap_err();
            assert_eq!(refused[0].what, ObstacleKind::Sensitive, "{name}");
            assert!(plan(&found, &BTreeSet::new(), true).is_ok(), "{name}");
        }
        for name in [".gitattributes", ".gitignore", "env/x", "git", "a.env"] {
            assert!(plan(&BTreeMap::from([(path(name), Found::Absent)]), &BTreeSet::new(), false).is_ok(), "{name}");
        }
    }

    /// A path of the version: whether an earlier pull put a file there, what was found, and what is planned.
    type Case = (Found, bool, bool, Result<Step, ObstacleKind>);

    #[test]
    fn each_thing_in_the_way_is_kept_replaced_or_reported() {
        use ObstacleKind as Kinds;
        let both = [false, true];
        let behind = |at: &str, kind| Found::Behind(at.to_owned(), kind);
        let in_place_of_a_parent = Found::Ours { files: vec![path("own")], folders: Vec::new() };
        let mut cases: Vec<Case> = Vec::new();
        for (ours, force) in both.iter().flat_map(|ours| both.map(|force| (*ours, force))) {
            let replaced = |may: bool, what| if may { Ok(Step::Replace) } else { Err(what) };
            cases.extend([
                (Found::Absent, ours, force, Ok(Step::Create)),
                (Found::Same, ours, force, Ok(Step::Keep)),
                (Found::File, ours, force, replaced(force, if ours { Kinds::Changed } else { Kinds::File })),
                (Found::Pulled, ours, force, replaced(ours || force, Kinds::File)),
                (Found::Other(Kind::Link), ours, force, replaced(force, Kinds::Link)),
                // Something else than a pull makes there, even where one had put a file.
                (Found::Other(Kind::Special), ours, force, replaced(force, Kinds::Special)),
                (Found::Other(Kind::Folder), ours, force, Err(Kinds::Folder)),
                (behind("x", Kind::Link), ours, force, Err(Kinds::NotAFolder)),
                // Even one of an earlier pull, which was changed since.
                (behind("own", Kind::File), ours, force, Err(Kinds::NotAFolder)),
                (in_place_of_a_parent.clone(), ours, force, Ok(Step::Create)),
            ]);
        }
        for (at, ours, force, expected) in cases {
            let owned = paths(if ours { &["own", "a"] } else { &["own"] });
            let planned = plan(&BTreeMap::from([(path("a"), at.clone())]), &owned, force);
            let step = planned.as_ref().map(|plan| plan.steps[&path("a")]).map_err(|refused| refused[0].what);
            assert_eq!(step, expected, "{at:?} {ours} {force}");
            let Ok(planned) = planned else { continue };
            assert_eq!(planned.theirs.contains(&path("a")), at == Found::Same && !ours, "{at:?} {ours}");
            let cleared = at == in_place_of_a_parent;
            assert_eq!(planned.cleared, paths(if cleared { &["own"] } else { &[] }), "{at:?}");
            assert_eq!(planned.obsolete, paths(if cleared { &[] } else { &["own"] }), "{at:?}");
        }
    }

    #[test]
    fn a_folder_gives_way_if_all_in_it_is_from_pulls() {
        let found = |files: &[&str]| Found::Ours {
            files: files.iter().map(|text| path(text)).collect(),
            folders: vec!["a/b".to_owned(), "a".to_owned()],
        };
        let at = |files: &[&str]| BTreeMap::from([(path("a"), found(files))]);
        let planned = plan(&at(&["a/b/c", "a/d"]), &paths(&["a/b/c", "a/d", "e"]), false).unwrap();
        assert_eq!(planned.steps[&path("a")], Step::Create);
        assert_eq!((planned.cleared, planned.obsolete), (paths(&["a/b/c", "a/d"]), paths(&["e"])));
        assert_eq!(planned.folders, ["a/b", "a"]);
        for force in [false, true] {
            let refused = plan(&at(&["a/b/c", "a/d"]), &paths(&["a/b/c", "a"]), force).unwrap_err();
            assert_eq!(refused, [Obstacle { path: "a".to_owned(), what: ObstacleKind::Folder }]);
        }
    }

    #[test]
    fn a_pull_that_begins_anew_fetches_all_but_the_users_files() {
        let found = BTreeMap::from(
            [("kept", Found::Same), ("mine", Found::Same), ("new", Found::Absent), ("old", Found::Pulled)]
                .map(|(at, found)| (path(at), found)),
        );
        let mut planned = plan(&found, &paths(&["kept", "old"]), false).unwrap();
        planned.anew();
        let steps = [("kept", Step::Replace), ("mine", Step::Keep), ("new", Step::Create), ("old", Step::Replace)];
        assert_eq!(planned.steps, steps.map(|(at, step)| (path(at), step)).into());
    }

    fn any_path() -> impl Strategy<Value = ArtifactPath> {
        proptest::sample::select(vec!["a", "b", "a/b", "a/c", "b/c/d", "w-00001-of-00003", ".env", ".git/config"])
            .prop_map(path)
    }

    fn any_found() -> impl Strategy<Value = Found> {
        prop_oneof![
            Just(Found::Absent),
            Just(Found::Same),
            Just(Found::File),
            Just(Found::Pulled),
            proptest::sample::select(vec![Kind::Folder, Kind::Link, Kind::Special]).prop_map(Found::Other),
            proptest::collection::vec(any_path(), 0..3).prop_map(|files| Found::Ours { files, folders: Vec::new() }),
            (any_path(), proptest::sample::select(vec![Kind::File, Kind::Link, Kind::Special]))
                .prop_map(|(at, kind)| Found::Behind(at.to_string(), kind)),
        ]
    }

    proptest! {
        #[test]
        fn only_what_is_ours_is_touched(
            found in proptest::collection::btree_map(any_path(), any_found(), 0..8),
            owned in proptest::collection::btree_set(any_path(), 0..8),
            force: bool,
        ) {
            let planned = plan(&found, &owned, force);
            if let Ok(plan) = &planned {
                prop_assert!(plan.steps.keys().eq(found.keys()), "a step for each file");
                for (path, step) in &plan.steps {
                    match step {
                        Step::Keep => {
                            prop_assert_eq!(&found[path], &Found::Same);
                            prop_assert_eq!(plan.theirs.contains(path), !owned.contains(path), "whose it is is known");
                        }
                        Step::Create => {
                            let free = matches!(found[path], Found::Absent | Found::Ours { .. });
                            prop_assert!(free, "{path}");
                        }
                        Step::Replace => {
                            let unchanged = owned.contains(path) && found[path] == Found::Pulled;
                            prop_assert!(unchanged || force, "{path} was changed, or no pull put it there");
                            let one = matches!(&found[path], Found::File | Found::Pulled | Found::Other(Kind::Link | Kind::Special));
                            prop_assert!(one, "{path}");
                        }
                    }
                    prop_assert!(force || !is_sensitive(path));
                }
                prop_assert!(plan.cleared.is_subset(&owned) && plan.obsolete.is_subset(&owned));
                prop_assert!(plan.obsolete.iter().all(|path| !found.contains_key(path)));
            }
            // Without obstacles a pull is never refused.
            let free = |(path, found): (&ArtifactPath, &Found)| {
                !is_sensitive(path) && matches!(found, Found::Absent | Found::Same)
            };
            if found.iter().all(free) {
                prop_assert!(planned.is_ok());
            }
            if let Err(obstacles) = planned {
                prop_assert!(!obstacles.is_empty() && obstacles.iter().all(|one| !(force && one.what.yields())));
            }
        }
    }
    /// The files of a version, by path and content.
    fn any_version() -> impl Strategy<Value = BTreeMap<ArtifactPath, u8>> {
        let path = proptest::sample::select(vec!["a", "b", "c", "d"]).prop_map(path);
        proptest::collection::btree_map(path, 0..3u8, 1..4)
    }

    proptest! {
        /// Over any sequence of pulls, only files that a pull put there are removed or replaced, not those that merely
        /// have the same bytes.
        #[test]
        fn what_goes_was_put_there_by_a_pull(
            theirs in any_version(),
            versions in proptest::collection::vec((any_version(), any::<bool>()), 1..6),
        ) {
            let (mut folder, mut owned) = (theirs.clone(), BTreeSet::new());
            for (version, anew) in versions {
                let look = |(path, content): (&ArtifactPath, &u8)| {
                    let found = match folder.get(path) {
                        None => Found::Absent,
                        Some(found) if found == content => Found::Same,
                        Some(_) if owned.contains(path) => Found::Pulled,
                        Some(_) => Found::File,
                    };
                    (path.clone(), found)
                };
                let Ok(mut plan) = plan(&version.iter().map(look).collect(), &owned, false) else { continue };
                if anew {
                    plan.anew();
                }
                let replaced = plan.steps.iter().filter(|(_, step)| **step == Step::Replace).map(|(path, _)| path);
                for gone in replaced.chain(&plan.cleared).chain(&plan.obsolete) {
                    prop_assert!(!theirs.contains_key(gone), "{gone} was there before");
                }
                folder.retain(|path, _| !plan.obsolete.contains(path));
                folder.extend(version.iter().map(|(path, content)| (path.clone(), *content)));
                owned = version.into_keys().filter(|path| !plan.theirs.contains(path)).collect();
            }
        }
    }
}
