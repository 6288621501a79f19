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
