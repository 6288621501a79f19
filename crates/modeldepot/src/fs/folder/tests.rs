use super::*;

#[cfg(unix)]
#[test]
fn nothing_is_seen_or_written_through_a_link() {
    let temp = tempfile::tempdir().unwrap();
    let (outside, inside) = (temp.path().join("outside"), temp.path().join("inside"));
    std::fs::create_dir_all(outside.join("b")).unwrap();
    std::fs::create_dir_all(inside.join("a")).unwrap();
    std::fs::write(outside.join("f"), "theirs").unwrap();
    std::fs::write(outside.join("b/f"), "theirs").unwrap();
    std::os::unix::fs::symlink(&outside, inside.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.join("b"), inside.join("a/b")).unwrap();
    std::os::unix::fs::symlink(outside.join("f"), inside.join("f")).unwrap();
    let folder = Folder::make(&inside).unwrap();
    for path in ["out/f", "a/b/f", "out/new", "a/b/c/d"] {
        assert!(matches!(folder.look(path).unwrap(), Seen::Behind { kind: Kind::Link, .. }), "{path}");
        assert!(folder.open(path).is_err(), "{path}");
        folder.write_by(&folder.dir, "staged", b"ours", false).unwrap();
        let target: ArtifactPath = path.parse().unwrap();
        folder.place(&folder.dir, "staged", &target, true).unwrap_err();
        folder.remove(path).unwrap();
        folder.prune(path);
    }
    assert_eq!(folder.look("f").unwrap(), Seen::Other(Kind::Link));
    assert!(folder.open("f").is_err());
    folder.place(&folder.dir, "staged", &"f".parse().unwrap(), true).unwrap();
    assert_eq!(std::fs::read(outside.join("f")).unwrap(), b"theirs");
    assert_eq!(std::fs::read(outside.join("b/f")).unwrap(), b"theirs");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2, "nothing was made or removed outside");
    assert!(std::fs::symlink_metadata(inside.join("f")).unwrap().is_file(), "the link was replaced, not followed");
}

/// Swaps a folder on the way with a link, again and again, while files are placed, read and removed below it.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_becomes_a_link_at_any_moment_leads_nowhere() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use std::sync::atomic::{AtomicBool, Ordering};

    let temp = tempfile::tempdir().unwrap();
    let (outside, inside) = (temp.path().join("outside"), temp.path().join("inside"));
    std::fs::create_dir_all(outside.join("b")).unwrap();
    std::fs::write(outside.join("b/kept"), "theirs").unwrap();
    std::fs::create_dir_all(inside.join("a/b")).unwrap();
    std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
    let folder = Folder::make(&inside).unwrap();
    let (new, kept): (ArtifactPath, ArtifactPath) = ("a/b/new".parse().unwrap(), "a/b/kept".parse().unwrap());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, inside.join("a"), CWD, inside.join("link"), RenameFlags::EXCHANGE);
            }
        });
        for _ in 0..3000 {
            for path in [&new, &kept] {
                folder.write_by(&folder.dir, "staged", b"ours", false).unwrap();
                let _ = folder.place(&folder.dir, "staged", path, true);
                if let Ok(file) = folder.open(path.as_str()) {
                    assert_eq!(io::read_to_string(file).unwrap(), "ours");
                }
                let _ = folder.remove(path.as_str());
                folder.prune(path.as_str());
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(std::fs::read_to_string(outside.join("b/kept")).unwrap(), "theirs");
    assert_eq!(std::fs::read_dir(outside.join("b")).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn what_appears_meanwhile_is_not_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    folder.write_by(&folder.dir, "staged", b"ours", false).unwrap();
    std::fs::write(temp.path().join("f"), "theirs").unwrap();
    let (path, from) = ("f".parse().unwrap(), &folder.dir);
    folder.place(from, "staged", &path, false).unwrap_err();
    assert_eq!(std::fs::read(temp.path().join("f")).unwrap(), b"theirs");
    folder.place(from, "staged", &path, true).unwrap();
    assert_eq!(std::fs::read(temp.path().join("f")).unwrap(), b"ours");
}

#[test]
fn an_abandoned_folder_goes_only_if_it_was_made() {
    let temp = tempfile::tempdir().unwrap();
    let made = temp.path().join("made");
    Folder::make(&made).unwrap().abandon();
    assert!(!made.exists());
    Folder::make(temp.path()).unwrap().abandon();
    assert!(temp.path().exists());
}

#[test]
fn only_empty_folders_are_pruned() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::create_dir_all(temp.path().join("a/b/c")).unwrap();
    std::fs::write(temp.path().join("a/kept"), "").unwrap();
    folder.prune("a/b/c/gone");
    assert!(temp.path().join("a/kept").exists() && !temp.path().join("a/b").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_with_a_name_that_is_not_utf8_is_not_ours() {
    use std::os::unix::ffi::OsStrExt as _;
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::create_dir(temp.path().join("a")).unwrap();
    std::fs::write(temp.path().join("a/x"), "").unwrap();
    assert_eq!(folder.below("a").unwrap(), Some((vec!["a/x".to_owned()], vec!["a".to_owned()])));
    std::fs::write(temp.path().join("a").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert_eq!(folder.below("a").unwrap(), None);
}

#[cfg(unix)]
#[test]
fn a_folder_is_found_or_it_is_said_what_is_there() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    std::fs::write(at("file"), "").unwrap();
    std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
    assert!(Folder::find(&at("none")).unwrap().is_none());
    for path in ["file", "file/below"] {
        let error = Folder::find(&at(path)).err().unwrap().to_string();
        assert!(error.contains("create the folder") && error.contains(path), "{error}");
    }
    let error = Folder::find(&at("loop")).err().unwrap().to_string();
    assert!(error.contains("open the folder"), "{error}");
    let folder = Folder::find(temp.path()).unwrap().unwrap();
    assert_eq!((folder.root(), folder.shown("a/b")), (temp.path(), temp.path().join("a/b")));
    assert!(folder.free().unwrap() > 1 << 20);
}

#[cfg(unix)]
#[test]
fn a_folder_is_changed_by_one_process_at_a_time() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    let lock = folder.lock().unwrap().unwrap();
    let error = folder.lock_within(2).err().unwrap();
    assert_eq!(error.kind(), crate::ErrorKind::Unavailable, "{error}");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| folder.lock());
        // Time for it to find the folder locked.
        sleep(PAUSE);
        drop(lock);
        assert!(waits.join().unwrap().unwrap().is_some());
    });
    assert!(folder.lock_within(1).unwrap().is_some());
}

#[test]
fn no_more_of_a_file_is_read_than_is_allowed() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::write(temp.path().join("f"), "four").unwrap();
    std::fs::create_dir(temp.path().join("folder")).unwrap();
    assert_eq!(folder.read("f", 4).unwrap().0, b"four");
    assert_eq!(folder.read("f", 5).unwrap().0, b"four");
    for most in [0, 3] {
        assert!(folder.read("f", most).is_none(), "{most}");
    }
    assert!(folder.read("none", 4).is_none() && folder.read("folder", 4).is_none());
}

#[test]
fn what_keeps_a_folder_from_being_made_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::write(temp.path().join("file"), "").unwrap();
    folder.write_by(&folder.dir, "staged", b"ours", false).unwrap();
    let place = |path: &str| folder.place(&folder.dir, "staged", &path.parse().unwrap(), true);
    let error = format!("{:?}", place("file/below").unwrap_err());
    assert!(error.contains("use the folder") && error.contains("not a folder"), "{error}");
    #[cfg(unix)]
    {
        crate::fs::fuse::set(Some(0));
        let error = place("new/below").unwrap_err().to_string();
        crate::fs::fuse::set(None);
        assert!(error.contains("create the folder") && error.contains("new"), "{error}");
    }
    let folders = place("a/b/c").unwrap();
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["", "a", "a/b"], "all that the path needs are synced");
    assert_eq!(std::fs::read(temp.path().join("a/b/c")).unwrap(), b"ours");
}

#[test]
fn what_is_not_there_counts_as_removed_and_nothing_else_does() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::create_dir_all(temp.path().join("a/b")).unwrap();
    std::fs::write(temp.path().join("a/f"), "").unwrap();
    for path in ["none", "a/none", "none/f", "a/f/below"] {
        folder.remove(path).unwrap();
        folder.remove_folder(path).unwrap();
    }
    assert!(folder.remove("a/b").is_err(), "it is a folder");
    assert!(folder.remove_folder("a").is_err(), "it is not empty");
    assert!(temp.path().join("a/f").exists() && temp.path().join("a/b").exists());
    folder.remove("a/f").unwrap();
    folder.remove_folder("a/b").unwrap();
    folder.remove_folder("a").unwrap();
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn folders_on_the_way_are_pruned_though_some_are_gone() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::create_dir_all(temp.path().join("a/b")).unwrap();
    folder.prune("a/b/gone/too/f");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn what_is_below_a_folder_is_listed_with_the_innermost_folders_first() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    for path in ["a/b/c/d", "a/e", "a/g"] {
        std::fs::create_dir_all(temp.path().join(path)).unwrap();
    }
    std::fs::write(temp.path().join("a/b/f"), "").unwrap();
    let (files, folders) = folder.below("a").unwrap().unwrap();
    assert_eq!(files, ["a/b/f"]);
    assert_eq!(folders.len(), 6);
    folders.iter().try_for_each(|path| folder.remove_folder(path)).unwrap_err();
    folder.remove("a/b/f").unwrap();
    folders.iter().try_for_each(|path| folder.remove_folder(path)).unwrap();
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    assert!(folder.below("a").is_err() || folder.below("a").unwrap().is_none());
    // No pull makes that many.
    std::fs::create_dir(temp.path().join("many")).unwrap();
    for n in 1..10_000 {
        std::fs::write(temp.path().join(format!("many/{n}")), "").unwrap();
    }
    assert_eq!(folder.below("many").unwrap().unwrap().0.len(), 9_999);
    std::fs::write(temp.path().join("many/one-more"), "").unwrap();
    assert!(folder.below("many").unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn two_spellings_lead_to_one_file_where_case_is_ignored() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    std::fs::create_dir_all(temp.path().join("Sub/Folder")).unwrap();
    std::fs::create_dir_all(temp.path().join("both")).unwrap();
    for path in ["Sub/Folder/File", "both/a", "both/A", "x"] {
        std::fs::write(temp.path().join(path), "").unwrap();
    }
    let one = |a: &str, b: &str| folder.takes_for_one(a, b).unwrap();
    assert!(!one("Sub/Folder/File", "sub/folder/file"), "nothing has the second name");
    assert!(!one("both/a", "both/A"));
    crate::fs::fuse::fold(true);
    for other in ["sub/folder/file", "SUB/Folder/File", "Sub/FOLDER/File", "Sub/Folder/FILE"] {
        assert!(one("Sub/Folder/File", other) && one(other, "Sub/Folder/File"), "{other}");
    }
    assert!(!one("both/a", "both/A"), "both are there, spelled so");
    assert!(!one("x", "none") && !one("none", "x") && !one("x", "both"));
    crate::fs::fuse::fold(false);
}
