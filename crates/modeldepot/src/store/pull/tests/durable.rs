//! What is made durable before what, so that after a power failure a folder has what its manifest lists.

use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::fs::fuse::Note;

fn number(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// Pulls `one` and then `two` into a folder, and returns what the second pull did.
fn switched(root: &Path, sync: bool) -> Vec<Note> {
    pull(root, &version("1", ONE, true), ONE).unwrap();
    let (mut switch, ready) = fetched(root, &version("2", TWO, true), TWO).unwrap();
    switch.sync = sync;
    fuse::note();
    switch.run(ready).unwrap();
    fuse::noted()
}

#[test]
fn files_are_durable_before_the_manifest_lists_them() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    let notes = switched(root, true);
    let first = |note: Note| notes.iter().position(|one| *one == note).unwrap_or_else(|| panic!("{note:?}: {notes:?}"));
    let last = |note: Note| notes.iter().rposition(|one| *one == note).unwrap();
    let renamed = |name: &str| first(Note::Renamed(name.to_owned()));
    let (record, manifest) = (renamed(".modeldepot-files.json"), renamed("manifest.json"));
    let folder = Note::Synced(number(root));
    // The files of the new version, with their folders.
    let new = ["m-1-of-2", "new/folder/m-2-of-2", "config", "becomes-a-folder/f"];
    for path in new {
        let path = root.join(path);
        let placed = renamed(path.file_name().unwrap().to_str().unwrap());
        assert!(first(Note::Synced(number(&path))) < record, "its bytes come first: {path:?}");
        assert!(record < placed && placed < manifest, "{path:?}");
        for within in path.ancestors().skip(1).take_while(|within| within.starts_with(root)) {
            let synced = last(Note::Synced(number(within)));
            let before_manifest = &notes[placed..manifest];
            assert!(synced > placed && before_manifest.contains(&Note::Synced(number(within))), "{within:?}");
        }
    }
    // It is on disk whose files these are before the first of them appears.
    assert!(matches!(notes[record - 1], Note::Synced(_)), "{notes:?}");
    assert_eq!(notes[record + 1], folder, "{notes:?}");
    assert_eq!(notes[manifest - 1], Note::Synced(number(&root.join("manifest.json"))), "{notes:?}");
    assert_eq!(notes.last(), Some(&folder), "{notes:?}");
}

#[test]
fn without_sync_the_system_decides_when_bytes_reach_the_disk() {
    let temp = tempfile::tempdir().unwrap();
    let notes = switched(temp.path(), false);
    assert!(notes.iter().all(|note| matches!(note, Note::Renamed(_))), "{notes:?}");
    assert!(notes.contains(&Note::Renamed("manifest.json".to_owned())));
}

/// A file that stays where it is gets the mode that the version says, if it is not the user's own.
#[test]
fn kept_files_of_pulls_become_executable() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    let files: &Files = &[("m", "1"), ("run.sh", "x"), ("plain.sh", "x"), ("mine.sh", "x")];
    fs::write(root.join("mine.sh"), "x").unwrap();
    pull(root, &version("1", files, true), files).unwrap();
    let mut two = Arc::unwrap_or_clone(version("2", files, true));
    for file in &mut two.files {
        file.executable = ["run.sh", "mine.sh"].contains(&file.path.as_str());
    }
    pull(root, &Arc::new(two), files).unwrap();
    let executable = |path: &str| fs::metadata(root.join(path)).unwrap().mode() & 0o111 != 0;
    assert_eq!(["m", "run.sh", "plain.sh", "mine.sh"].map(executable), [false, true, false, false]);
}
