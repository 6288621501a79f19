use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::*;
use crate::fs::write_at;

fn open(root: &Path) -> Arc<Staging> {
    Staging::open(Arc::new(Folder::make(root).unwrap()), true).unwrap()
}

fn stage(staging: &Arc<Staging>, bytes: &[u8]) -> Staged {
    let staged = staging.stage(&"f".parse().unwrap(), bytes.len() as u64, Some("x".to_owned()), true).unwrap();
    write_at(&staged.file(), bytes, 0).unwrap();
    staged.landed();
    staged
}

#[test]
fn what_was_cut_off_is_found_again_by_its_owner_alone() {
    let temp = tempfile::tempdir().unwrap();
    drop(stage(&open(temp.path()), b"abc"));
    let part = temp.path().join(".modeldepot-staging/x.part");
    assert_eq!(fs::read(&part).unwrap(), b"abc");
    let folder = fs::metadata(part.parent().unwrap()).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
    let first = open(temp.path());
    assert!(stage(&first, b"abc").was_begun());
    let second = open(temp.path());
    assert!(!stage(&second, b"abc").was_begun(), "the first one works there");
    drop(second);
    let mut done = stage(&first, b"abc");
    done.place(&"f".parse().unwrap(), false).unwrap();
    drop((done, first));
    let names: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["f"]);
}

#[test]
fn a_folder_is_not_swept_away_while_it_is_made() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Arc::new(Folder::make(temp.path()).unwrap());
    let made = std::sync::atomic::AtomicUsize::new(0);
    let fresh = || {
        for _ in 0..1000 {
            let staging = Staging::open(Arc::clone(&folder), false).unwrap();
            drop(staging.stage(&"f".parse().unwrap(), 1, None, true).unwrap());
            made.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(fresh), scope.spawn(fresh)];
        let folder = Folder::make(temp.path()).unwrap();
        scope.spawn(move || {
            while workers.iter().any(|worker| !worker.is_finished()) {
                sweep_complete(&folder);
            }
        });
    });
    assert_eq!(made.into_inner(), 2000);
}

#[test]
fn a_complete_folder_is_swept_of_what_a_killed_pull_left() {
    let temp = tempfile::tempdir().unwrap();
    drop(stage(&open(temp.path()), b"abc"));
    assert!(temp.path().join(".modeldepot-staging/x.part").exists());
    let busy = open(temp.path());
    sweep_complete(&Folder::make(temp.path()).unwrap());
    assert!(temp.path().join(".modeldepot-staging/x.part").exists(), "somebody works there");
    drop(busy);
    sweep_complete(&Folder::make(temp.path()).unwrap());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn what_a_pull_beside_another_left_is_swept_by_the_next() {
    let temp = tempfile::tempdir().unwrap();
    let first = open(temp.path());
    let second = open(temp.path());
    let alive = stage(&second, b"abc");
    let dead = temp.path().join(".modeldepot-staging-dead");
    fs::create_dir(&dead).unwrap();
    fs::set_permissions(&dead, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(dead.join("x.part"), "abc").unwrap();
    first.sweep();
    assert!(!dead.exists());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2, "the second one is alive");
    drop((alive, second, first));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn only_what_brought_something_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    let part = temp.path().join(".modeldepot-staging/x.part");
    let path = "f".parse().unwrap();
    let staging = open(temp.path());
    let staged = staging.stage(&path, 3, Some("x".to_owned()), true).unwrap();
    assert!(!staged.was_begun(), "it is new");
    assert!(part.exists());
    drop(staged);
    assert!(!part.exists(), "nothing has landed");
    drop(stage(&staging, b"abc"));
    assert!(part.exists());
    // What was begun earlier stays even if nothing more lands.
    let staged = staging.stage(&path, 3, Some("x".to_owned()), true).unwrap();
    assert!(staged.was_begun());
    drop(staged);
    assert!(part.exists());
    // What is damaged does not.
    let staged = stage(&staging, b"abc");
    staging.keep_nothing();
    drop((staged, staging));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    // Nor does a file without a name for its content, which nobody would find again.
    let staging = open(temp.path());
    let staged = staging.stage(&path, 3, None, true).unwrap();
    staged.landed();
    drop((staged, staging));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn a_pull_that_is_not_to_resume_finds_nothing_and_keeps_nothing() {
    let temp = tempfile::tempdir().unwrap();
    drop(stage(&open(temp.path()), b"abc"));
    let staging = Staging::open(Arc::new(Folder::make(temp.path()).unwrap()), false).unwrap();
    let staged = stage(&staging, b"abc");
    assert!(!staged.was_begun());
    drop((staged, staging));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1, "the other is not its own");
}

#[test]
fn space_is_taken_at_once_only_for_sizes_that_are_known() {
    let temp = tempfile::tempdir().unwrap();
    let staging = open(temp.path());
    let path = "f".parse().unwrap();
    let known = staging.stage(&path, 1 << 20, Some("a".to_owned()), true).unwrap();
    let unknown = staging.stage(&path, 1 << 20, Some("b".to_owned()), false).unwrap();
    for (staged, taken) in [(&known, true), (&unknown, false)] {
        let found = staged.file().metadata().unwrap();
        assert_eq!(found.len(), 1 << 20);
        #[cfg(target_os = "linux")]
        assert_eq!(found.blocks() * 512 >= 1 << 20, taken);
        #[cfg(not(target_os = "linux"))]
        let _ = taken;
    }
    assert_eq!(staging.reserved(), 2 << 20);
    known.landed();
    unknown.landed();
    drop((known, unknown, staging));
    assert_eq!(open(temp.path()).reserved(), 2 << 20, "the next pull does not need it again");
}

/// A version may have more files than a process may hold open.
#[test]
fn a_closed_file_is_held_by_nobody() {
    let temp = tempfile::tempdir().unwrap();
    let staging = open(temp.path());
    let mut staged = stage(&staging, b"abc");
    let file = staged.file();
    staged.close();
    assert_eq!(Arc::strong_count(&file), 1);
    staged.place(&"f".parse().unwrap(), false).unwrap();
    assert_eq!(fs::read(temp.path().join("f")).unwrap(), b"abc");
}

#[test]
fn nothing_but_staging_folders_is_swept() {
    let temp = tempfile::tempdir().unwrap();
    let names = [".modeldepot-stagings", ".modeldepot-staging.old", ".modeldepot", "staging", "x.modeldepot-staging"];
    for name in names {
        fs::create_dir(temp.path().join(name)).unwrap();
        fs::write(temp.path().join(name).join("x.part"), "theirs").unwrap();
    }
    let open_to_all = temp.path().join(".modeldepot-staging-open");
    fs::create_dir(&open_to_all).unwrap();
    fs::write(open_to_all.join("x.part"), "theirs").unwrap();
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o777)).unwrap();
    sweep_complete(&Folder::make(temp.path()).unwrap());
    for path in names.map(|name| temp.path().join(name)).iter().chain([&open_to_all]) {
        assert_eq!(fs::read(path.join("x.part")).unwrap(), b"theirs", "{}", path.display());
    }
}

#[test]
fn each_file_is_synced_or_with_many_the_whole_file_system() {
    use crate::fs::fuse::{self, Note};
    let temp = tempfile::tempdir().unwrap();
    let staging = open(temp.path());
    for count in [1, 16, 17] {
        let mut files: Vec<Staged> =
            (0..count).map(|_| staging.stage(&"f".parse().unwrap(), 1, None, true).unwrap()).collect();
        let each: Vec<Note> =
            files.iter().map(|staged| Note::Synced(staged.file().metadata().unwrap().ino())).collect();
        // Also one that was closed to save handles.
        files[0].close();
        fuse::note();
        staging.sync(files.iter()).unwrap();
        let all = if count > 16 && cfg!(target_os = "linux") { vec![Note::SyncedAll] } else { each };
        assert_eq!(fuse::noted(), all, "{count}");
    }
}

/// Another user who may write to the target folder has prepared it before the pull.
#[test]
fn what_others_put_there_is_left_alone() {
    type Trap = (&'static str, fn(&Path));
    let traps: [Trap; 5] = [
        ("a folder that others may write to", |at| {
            fs::create_dir(at).unwrap();
            fs::write(at.join("x.part"), "trap").unwrap();
            fs::set_permissions(at, fs::Permissions::from_mode(0o777)).unwrap();
        }),
        ("a link to another folder", |at| {
            let other = at.with_file_name("other");
            fs::create_dir(&other).unwrap();
            std::os::unix::fs::symlink(other, at).unwrap();
        }),
        ("a file", |at| fs::write(at, "trap").unwrap()),
        ("a link in our folder", |at| {
            fs::create_dir(at).unwrap();
            fs::set_permissions(at, fs::Permissions::from_mode(0o700)).unwrap();
            let other = at.with_file_name("other");
            fs::write(&other, "trap").unwrap();
            std::os::unix::fs::symlink(&other, at.join("x.part")).unwrap();
        }),
        ("a second name of another file", |at| {
            fs::create_dir(at).unwrap();
            fs::set_permissions(at, fs::Permissions::from_mode(0o700)).unwrap();
            let other = at.with_file_name("other");
            fs::write(&other, "trap").unwrap();
            fs::hard_link(&other, at.join("x.part")).unwrap();
        }),
    ];
    for (what, trap) in traps {
        let temp = tempfile::tempdir().unwrap();
        trap(&temp.path().join(".modeldepot-staging"));
        let staging = open(temp.path());
        let mut staged = stage(&staging, b"abc");
        assert!(!staged.was_begun(), "{what}");
        staged.place(&"f".parse().unwrap(), false).unwrap();
        let placed = fs::symlink_metadata(temp.path().join("f")).unwrap();
        assert!(placed.is_file() && placed.nlink() == 1, "{what}");
        let other = temp.path().join("other");
        if other.is_file() {
            assert_eq!(fs::read(&other).unwrap(), b"trap", "{what}");
        } else if other.is_dir() {
            assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "{what}");
        }
    }
}

#[test]
fn a_file_of_another_user_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join(".modeldepot-staging");
    fs::create_dir(&at).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(at.join("x.part"), "trap").unwrap();
    fs::set_permissions(at.join("x.part"), fs::Permissions::from_mode(0o666)).unwrap();
    if std::os::unix::fs::chown(at.join("x.part"), Some(4711), None).is_err() {
        eprintln!("skipped: only root gives files away");
        return;
    }
    for whose in ["the file", "the folder"] {
        let staging = open(temp.path());
        let mut staged = stage(&staging, b"abc");
        staged.place(&"f".parse().unwrap(), true).unwrap();
        let placed = fs::metadata(temp.path().join("f")).unwrap();
        assert_eq!((placed.uid(), placed.mode() & 0o022), (us(), 0), "{whose} is another's");
        assert_eq!(fs::read(at.join("x.part")).unwrap(), b"trap", "{whose} is another's");
        std::os::unix::fs::chown(at.join("x.part"), Some(us()), None).unwrap();
        std::os::unix::fs::chown(&at, Some(4711), None).unwrap();
    }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}
