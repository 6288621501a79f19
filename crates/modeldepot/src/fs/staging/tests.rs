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
