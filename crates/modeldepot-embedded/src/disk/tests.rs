use super::*;

fn disk() -> (tempfile::TempDir, Arc<Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::open(folder.path()).unwrap());
    (folder, disk)
}

fn blob(disk: &Arc<Disk>) -> BlobId {
    let (staged, mut file) = disk.create().unwrap();
    file.write_all(b"bytes").unwrap();
    staged.sync(&file).unwrap();
    let id = staged.id();
    staged.keep();
    id
}

#[test]
fn one_process_per_folder() {
    let (folder, disk) = disk();
    let error = Disk::open(folder.path()).unwrap_err();
    assert!(matches!(&error, Error::InUse { folder: named } if named == folder.path()), "{error}");
    drop(disk);
    Disk::open(folder.path()).unwrap();
}

#[test]
fn foreign_folders_and_other_formats_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "precious").unwrap();
    assert!(matches!(Disk::open(folder.path()), Err(Error::NotADataFolder { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let folder = tempfile::tempdir().unwrap();
    drop(Disk::open(folder.path()).unwrap());
    fs::write(folder.path().join("format"), "modeldepot-embedded 3\n").unwrap();
    let error = Disk::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("has format `modeldepot-embedded 3`"), "{error}");
}

#[cfg(unix)]
#[test]
fn other_users_see_nothing_of_it() {
    use std::os::unix::fs::PermissionsExt as _;

    fn modes(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
        found.push((path.to_owned(), path.metadata().unwrap().permissions().mode() & 0o777));
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| modes(&entry.unwrap().path(), found));
        }
    }

    // A new folder, and folders that an earlier build or the user made readable or writable by all.
    for made in [None, Some(0o755), Some(0o777)] {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("data");
        if let Some(mode) = made {
            drop(Disk::open(&folder).unwrap());
            for path in ["", "lock", "format", "index.redb", "blobs"].map(|name| folder.join(name)) {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        let disk = Arc::new(Disk::open(&folder).unwrap());
        blob(&disk);
        let mut found = Vec::new();
        modes(&folder, &mut found);
        assert!(found.len() > 260, "{}", found.len());
        for (path, mode) in found {
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
        }
    }
}

#[test]
fn a_half_made_folder_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lock"), "").unwrap();
    fs::write(folder.path().join("format.new"), "model").unwrap();
    drop(Disk::open(folder.path()).unwrap());
    Disk::open(folder.path()).unwrap();
}

#[test]
fn an_unkept_file_goes() {
    let (_folder, disk) = disk();
    let (staged, _file) = disk.create().unwrap();
    let path = disk.path(staged.id());
    assert!(path.exists());
    drop(staged);
    assert!(!path.exists());
}

#[test]
fn a_removed_file_stays_while_it_is_read() {
    let (_folder, disk) = disk();
    let id = blob(&disk);
    let pin = || disk.pinned(|| Ok::<_, ()>(((), vec![id]))).unwrap().1;
    let (first, second) = (pin(), pin());
    disk.remove(&[id]);
    drop(first);
    assert!(second.open(id).is_ok());
    drop(second);
    assert!(!disk.path(id).exists());
}

#[test]
fn the_sweep_removes_what_the_index_does_not_know() {
    let (_folder, disk) = disk();
    let (known, left) = (blob(&disk), blob(&disk));
    let foreign = disk.blobs().join("00").join("notes.txt");
    fs::write(&foreign, "").unwrap();
    let swept = disk.sweep(&HashSet::from([known])).unwrap();
    assert_eq!(swept, Swept { removed: 1, present: 1 });
    assert!(disk.path(known).exists() && !disk.path(left).exists() && foreign.exists());
}
