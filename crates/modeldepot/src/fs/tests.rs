//! Files and folders by their handles, on Unix.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};

use super::dir::Dir;
use super::*;

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn everybody_may_run_an_executable_who_may_read_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("f");
    let file = File::create(&path).unwrap();
    for (before, after) in [
        (0o600, 0o700),
        (0o640, 0o750),
        (0o644, 0o755),
        (0o444, 0o555),
        (0o755, 0o755),
        (0o700, 0o700),
        (0o604, 0o705),
        (0o620, 0o720),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        make_executable(&file).unwrap();
        assert_eq!(mode_of(&path), after, "{before:o}");
    }
}

#[test]
fn space_is_taken_before_anything_is_written() {
    let temp = tempfile::tempdir().unwrap();
    let file = File::create(temp.path().join("f")).unwrap();
    reserve(&file, 0).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 0);
    reserve(&file, 1 << 20).unwrap();
    let found = file.metadata().unwrap();
    assert_eq!(found.len(), 1 << 20);
    #[cfg(target_os = "linux")]
    assert!(found.blocks() * 512 >= 1 << 20, "{} blocks", found.blocks());
}

/// A program that the process starts meanwhile has none of its files, and what another program puts in place of a file is
/// opened without waiting.
#[test]
fn nothing_that_is_opened_is_inherited_or_waited_for() {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    dir.make("sub", false).unwrap();
    let created = dir.create("f").unwrap();
    fs::write(temp.path().join("f"), "text").unwrap();
    let opened = dir.open_file("f", true).unwrap();
    let read = open_to_read(&temp.path().join("f")).unwrap();
    for file in [&created, &opened, &read] {
        assert!(fcntl_getfd(file).unwrap().contains(FdFlags::CLOEXEC));
        assert!(fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK));
    }
    for dir in [dir.handle(), dir.enter("sub").unwrap().handle()] {
        assert!(fcntl_getfd(dir).unwrap().contains(FdFlags::CLOEXEC));
    }
    assert!(dir.create("f").is_err(), "it is there");
    assert!(dir.enter("f").is_err() && Dir::open(&temp.path().join("f")).is_err(), "a file is no folder");
}

#[test]
fn a_private_folder_is_for_its_owner_alone() {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    dir.make("private", true).unwrap();
    dir.make("open", false).unwrap();
    fs::create_dir(temp.path().join("ordinary")).unwrap();
    assert_eq!(mode_of(&temp.path().join("private")), 0o700);
    assert_eq!(mode_of(&temp.path().join("open")), mode_of(&temp.path().join("ordinary")), "as the umask has it");
    fs::write(temp.path().join("ordinary-file"), "").unwrap();
    dir.create("file").unwrap();
    assert_eq!(mode_of(&temp.path().join("file")), mode_of(&temp.path().join("ordinary-file")));
}

#[test]
fn a_folder_knows_whether_it_is_still_in_its_place() {
    let temp = tempfile::tempdir().unwrap();
    let parent = Dir::open(temp.path()).unwrap();
    parent.make("a", false).unwrap();
    let dir = parent.enter("a").unwrap();
    assert!(dir.is_at(&parent, "a"));
    assert!(!dir.is_at(&parent, "b"), "nothing is there");
    fs::rename(temp.path().join("a"), temp.path().join("b")).unwrap();
    parent.make("a", false).unwrap();
    assert!(!dir.is_at(&parent, "a"), "another has its name");
    assert!(dir.is_at(&parent, "b"));
}

#[test]
fn names_are_those_of_files_and_folders() {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    assert_eq!((dir.names().unwrap(), dir.all_names().unwrap()), (vec![], Some(vec![])));
    fs::create_dir(temp.path().join("folder")).unwrap();
    fs::write(temp.path().join(".file"), "").unwrap();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(dir.names().unwrap()), [".file", "folder"]);
    assert_eq!(sorted(dir.all_names().unwrap().unwrap()), [".file", "folder"]);
}

#[test]
fn free_space_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let free = Dir::open(temp.path()).unwrap().free().unwrap();
    assert!(free > 1 << 20, "{free}");
}

#[test]
fn one_process_at_a_time_locks_a_folder() {
    let temp = tempfile::tempdir().unwrap();
    let (first, second) = (Dir::open(temp.path()).unwrap(), Dir::open(temp.path()).unwrap());
    assert!(first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    drop(first);
    assert!(second.try_lock().unwrap());
}

/// What was found before must still be the same file when it is opened.
#[test]
fn what_is_opened_is_what_was_found() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("f");
    fs::write(&path, "first").unwrap();
    let stamp = Stamp::of_metadata(&fs::metadata(&path).unwrap());
    let (_, found) = open_found(&path, Some(stamp)).unwrap();
    assert_eq!(found.len(), 5);
    assert_eq!(Dir::open(temp.path()).unwrap().look("f").unwrap().unwrap().stamp, stamp, "both ways to look agree");
    fs::write(temp.path().join("g"), "other").unwrap();
    fs::rename(temp.path().join("g"), &path).unwrap();
    assert!(matches!(open_found(&path, Some(stamp)), Err(SourceError::Changed { .. })));
    assert!(open_found(&path, None).is_ok());
    assert!(matches!(open_found(temp.path(), None), Err(SourceError::Folder { .. })));
    assert!(matches!(open_found(&temp.path().join("none"), None), Err(SourceError::Missing { .. })));
    assert!(matches!(open_found(Path::new("/dev/null"), None), Err(SourceError::NotAFile { .. })));
    assert!(matches!(open_found(&path.join("below"), None), Err(SourceError::Unreadable { .. })));
}
