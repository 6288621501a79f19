//! Switching versions in a process that dies at any step.

mod compared;
#[cfg(unix)]
mod durable;
mod meanwhile;
#[cfg(unix)]
mod recorded;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::fetch::Ready;
use super::local::{self, Local};
use super::obstacle::ObstacleKind;
use super::owned::{OwnFile, Owned};
use super::place::{Done, Switch};
use super::plan::{Found, Step};
use super::planned;
use crate::error::{Error, Result};
use crate::fs::{Folder, Staging, fuse, write_at};
use crate::model::digest::{Blake3, Md5};
use crate::model::manifest::{FileEntry, Manifest};
use crate::store::lookup::{Description, StoredFile};

type Files = [(&'static str, &'static str)];

/// A version of ours, or one of the Python pipeline, which publishes only the MD5 of its first file.
fn version(name: &str, files: &Files, ours: bool) -> Arc<Description> {
    let entries = files.iter().map(|(path, text)| FileEntry {
        path: path.parse().unwrap(),
        size: text.len() as u64,
        md5: None,
        blake3: Blake3::of(text.as_bytes()),
        crc64nvme: None,
        parts: None,
        executable: false,
    });
    let entries: Vec<FileEntry> = entries.collect();
    let manifest = Manifest {
        model_name: "m".parse().unwrap(),
        version: name.parse().unwrap(),
        model_file: format!("m/v{name}/{}", files[0].0),
        model_url: String::new(),
        checksum: (!ours).then(|| Md5::of(files[0].1.as_bytes())),
        metadata: Default::default(),
        created_at: None,
        format_version: ours.then_some(1),
        files: ours.then(|| entries.clone()),
        write_id: None,
        published_by: None,
        tool: None,
        history: None,
        manifest_blake3: None,
    };
    let manifest = if ours { manifest.sealed() } else { manifest };
    let main = manifest.main().unwrap();
    let stored = entries.into_iter().map(|entry| StoredFile {
        md5: manifest.checksum.filter(|_| entry.path == main),
        blake3: ours.then_some(entry.blake3),
        path: entry.path,
        size: entry.size,
        parts: None,
        executable: false,
    });
    let (files, record) = (stored.collect(), manifest.to_json().into());
    Arc::new(Description { files, damaged: Vec::new(), listed: true, record, manifest })
}

/// Pulls a version as `ModelStorage::pull` does, with the given files.
fn pull(root: &Path, found: &Arc<Description>, files: &Files) -> Result<Done> {
    let (switch, ready) = fetched(root, found, files)?;
    switch.run(ready)
}

/// Plans a pull and stages the files that it needs.
fn fetched(root: &Path, found: &Arc<Description>, files: &Files) -> Result<(Switch, Vec<Ready>)> {
    let folder = Arc::new(Folder::make(root)?);
    let owned = Owned::read(&folder, found, false)?;
    let mut seen = Local::new();
    for file in &found.files {
        seen.insert(file.path.clone(), local::look(&folder, file, &owned, &Local::new(), true)?);
    }
    local::make_way(&folder, &owned, &mut seen)?;
    let plan = planned(&seen, Some(&owned), found, false, root)?;
    let staging = Staging::open(Arc::clone(&folder), true)?;
    let mut ready = Vec::new();
    for (path, text) in files {
        let path = path.parse().unwrap();
        if plan.steps[&path] == Step::Keep {
            continue;
        }
        let staged = staging.stage(&path, text.len() as u64, None, true)?;
        write_at(&staged.file(), text.as_bytes(), 0).unwrap();
        let blake3 = Some(Blake3::of(text.as_bytes()));
        let file = OwnFile { path, size: Some(text.len() as u64), blake3, md5: None };
        ready.push(Ready { file, staged, kept: 0, reused: 0 });
    }
    let found = Arc::clone(found);
    Ok((Switch { folder, staging, found, local: seen, force: false, resume: true, sync: false }, ready))
}

/// All files below a folder with their text, except staging files.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with(".modeldepot-staging") && !name.ends_with(".part") {
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn expected(found: &Description, files: &Files, more: &Files) -> BTreeMap<String, String> {
    let all = files.iter().chain(more).map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let record = String::from_utf8(found.record.to_vec()).unwrap();
    all.chain([("manifest.json".to_owned(), record)]).collect()
}

/// The reverse switch, with more in the folder.
const THREE: &Files = &[("becomes-a-folder", "new"), ("new", "a file")];

/// The user's own files, which no pull touches.
const THEIRS: &Files = &[("notes.txt", "mine"), ("logs/run.txt", "mine too"), ("LICENSE", "as in the first version")];

/// Without the file that cannot be compared, since the version has no digest of it.
const THEIRS_ALONE: &Files = &[("notes.txt", "mine"), ("logs/run.txt", "mine too")];

const ONE: &Files = &[
    ("m-1-of-3", "old 1"),
    ("m-2-of-3", "old 2"),
    ("only/here/m-3-of-3", "old 3"),
    ("config", "old"),
    ("same", "same"),
    ("logs/old.txt", "old"),
    ("becomes-a-folder", "old"),
    ("LICENSE", "as in the first version"),
];

const TWO: &Files = &[
    ("m-1-of-2", "new 1"),
    ("new/folder/m-2-of-2", "new 2"),
    ("config", "newer"),
    ("same", "same"),
    ("becomes-a-folder/f", "new"),
];

#[test]
fn a_switch_that_dies_at_any_step_is_completed_by_the_next_pull() {
    for (ours_before, ours_after) in [(true, true), (false, true), (true, false), (false, false)] {
        let (one, two) = (version("1", ONE, ours_before), version("2", TWO, ours_after));
        let theirs = if ours_before { THEIRS } else { THEIRS_ALONE };
        let mut survived = 0;
        for steps in 0..500 {
            let temp = tempfile::tempdir().unwrap();
            let root = temp.path();
            for (path, text) in theirs {
                fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
                fs::write(root.join(path), text).unwrap();
            }
            pull(root, &one, ONE).unwrap();

            fuse::set(Some(steps));
            let died = pull(root, &two, TWO);
            fuse::set(None);
            let now = tree(root);
            match now.get("manifest.json") {
                Some(record) if record.as_bytes() == &one.record[..] => {
                    for (path, text) in ONE {
                        assert_eq!(
                            now.get(*path).map(String::as_str),
                            Some(*text),
                            "step {steps}: not the old version"
                        );
                    }
                }
                Some(record) => {
                    assert_eq!(record.as_bytes(), &two.record[..]);
                    for (path, text) in TWO {
                        assert_eq!(
                            now.get(*path).map(String::as_str),
                            Some(*text),
                            "step {steps}: not the new version"
                        );
                    }
                }
                None => assert!(now.contains_key(".modeldepot-files.json"), "step {steps}: nobody knows what is ours"),
            }
            // Forward or back: either is complete, with no leftovers of the other.
            let done = died.is_ok();
            let (next, files) = if steps % 2 == 0 || done { (&two, TWO) } else { (&one, ONE) };
            pull(root, next, files).unwrap_or_else(|error| panic!("step {steps}: {error}"));
            let mut now = tree(root);
            let recorded = now.remove(".modeldepot-files.json").is_some();
            // The record is about whose file `LICENSE` is.
            assert_eq!(recorded, next.manifest.files.is_none() || files == ONE, "step {steps}");
            assert_eq!(now, expected(next, files, theirs), "step {steps}");
            for gone in ["only", "new"].iter().filter(|gone| !files.iter().any(|(path, _)| path.starts_with(**gone))) {
                assert!(!root.join(gone).exists(), "step {steps}: an empty folder `{gone}` stays");
            }
            survived += u32::from(done);
            if survived > 1 {
                assert!(steps > 15, "it is not tried what it is to be");
                break;
            }
        }
        assert!(survived > 1, "it never came to its end");
    }
}

#[test]
fn a_folder_becomes_a_file_if_it_has_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let (two, three) = (version("2", TWO, true), version("3", THREE, true));
    pull(temp.path(), &two, TWO).unwrap();
    fs::write(temp.path().join("new/theirs"), "theirs").unwrap();
    assert_eq!(pull(temp.path(), &three, THREE).unwrap_err().kind(), crate::ErrorKind::Conflict);
    fs::remove_file(temp.path().join("new/theirs")).unwrap();
    fs::write(temp.path().join("new/folder/m-2-of-2"), "tuned").unwrap();
    assert_eq!(pull(temp.path(), &three, THREE).unwrap_err().kind(), crate::ErrorKind::Conflict, "changed");
    fs::write(temp.path().join("new/folder/m-2-of-2"), "new 2").unwrap();
    pull(temp.path(), &three, THREE).unwrap();
    assert_eq!(tree(temp.path()), expected(&three, THREE, &[]));
}

#[test]
fn a_file_becomes_a_folder_if_it_is_unchanged() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = (version("1", ONE, true), version("2", TWO, true));
    let at = temp.path().join("becomes-a-folder");
    pull(temp.path(), &one, ONE).unwrap();
    for changed in ["old, and more", "OLD"] {
        fs::write(&at, changed).unwrap();
        let refused = pull(temp.path(), &two, TWO).unwrap_err();
        let Error::InTheWay { obstacles, .. } = &refused else { panic!("{refused:?}") };
        assert_eq!(obstacles.len(), 1);
        assert_eq!((obstacles[0].path.as_str(), obstacles[0].what), ("becomes-a-folder", ObstacleKind::NotAFolder));
        assert_eq!(fs::read_to_string(&at).unwrap(), changed);
        assert!(temp.path().join("manifest.json").exists(), "nothing was touched");
    }
    fs::write(&at, "old").unwrap();
    pull(temp.path(), &two, TWO).unwrap();
    assert_eq!(tree(temp.path()), expected(&two, TWO, &[]));
}

/// While a pull waits for others, the user may change the file.
#[test]
fn a_file_that_changes_before_it_becomes_a_folder_stays() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().join("becomes-a-folder");
    pull(temp.path(), &version("1", ONE, true), ONE).unwrap();
    let before = tree(temp.path()).len();
    let (switch, ready) = fetched(temp.path(), &version("2", TWO, true), TWO).unwrap();
    let changed = at.clone();
    fuse::meanwhile(move || fs::write(changed, "mine").unwrap());
    assert_eq!(switch.run(ready).unwrap_err().kind(), crate::ErrorKind::Conflict);
    assert_eq!(fs::read_to_string(&at).unwrap(), "mine");
    assert_eq!(tree(temp.path()).len(), before, "nothing was touched");
}

#[test]
fn what_was_changed_here_stays_and_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = (version("1", ONE, true), version("2", TWO, true));
    pull(temp.path(), &one, ONE).unwrap();
    fs::write(temp.path().join("m-2-of-3"), "OLD 2").unwrap();
    fs::write(temp.path().join("logs/old.txt"), "longer than it was").unwrap();
    let done = pull(temp.path(), &two, TWO).unwrap();
    assert_eq!(done.left, ["logs/old.txt", "m-2-of-3"].map(|path| path.parse().unwrap()));
    assert_eq!(done.removed, 3, "of `m-1-of-3`, `m-3-of-3` and `LICENSE`");
    assert_eq!(fs::read_to_string(temp.path().join("m-2-of-3")).unwrap(), "OLD 2");
    // From now on they belong to the user.
    assert_eq!(pull(temp.path(), &one, ONE).unwrap_err().kind(), crate::ErrorKind::Conflict);
}

#[test]
fn a_hostile_record_gives_nothing_away() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    fs::write(root.join("theirs"), "theirs").unwrap();
    let found = version("1", ONE, true);
    for record in ["", "{", "[]", r#"{"model_name": "m", "files": [{"path": "../theirs"}]}"#, r#"{"model_name": "m"}"#]
    {
        fs::write(root.join(".modeldepot-files.json"), record).unwrap();
        pull(root, &found, ONE).unwrap();
        assert_eq!(fs::read_to_string(root.join("theirs")).unwrap(), "theirs");
        assert!(!root.join(".modeldepot-files.json").exists());
    }
    // A record that lists a file without a digest does not allow removing or replacing it.
    let record = r#"{"model_name": "m", "files": [{"path": "theirs"}]}"#;
    fs::write(root.join(".modeldepot-files.json"), record).unwrap();
    assert_eq!(pull(root, &found, ONE).unwrap(), Done::default());
    fs::write(root.join(".modeldepot-files.json"), record).unwrap();
    let files: &Files = &[("theirs", "ours")];
    assert_eq!(pull(root, &version("2", files, true), files).unwrap_err().kind(), crate::ErrorKind::Conflict);
    assert_eq!(fs::read_to_string(root.join("theirs")).unwrap(), "theirs");
}

/// A version is pulled into the folder from which it was pushed, and then the next version.
#[test]
fn what_was_there_before_stays_the_users() {
    for ours in [true, false] {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let files: &Files = &[("model.pt", "1"), ("LICENSE", "mine")];
        for (path, text) in files {
            fs::write(root.join(path), text).unwrap();
        }
        // The Python pipeline publishes no digest of the other files, so they cannot be compared.
        let first: &Files = if ours { files } else { &files[..1] };
        let (one, two) = (version("1", first, ours), version("2", &[("model.pt", "2"), ("new", "")], ours));
        for _ in 0..2 {
            pull(root, &one, first).unwrap();
            let mut now = tree(root);
            assert!(now.remove(".modeldepot-files.json").is_some());
            assert_eq!(now, expected(&one, files, &[]));
        }
        let before = tree(root);
        let refused = pull(root, &two, &[("model.pt", "2"), ("new", "")]).unwrap_err();
        assert!(
            matches!(&refused, Error::InTheWay { obstacles, .. } if obstacles[0].path == "model.pt"),
            "{refused:?}"
        );
        assert_eq!(tree(root), before);
        // A version without them leaves them; once they are gone, a pull creates its own.
        let three: &Files = &[("new", "")];
        assert_eq!(pull(root, &version("3", three, ours), three).unwrap(), Done::default());
        assert!(files.iter().all(|(path, text)| fs::read_to_string(root.join(path)).unwrap() == *text));
        fs::remove_file(root.join("model.pt")).unwrap();
        pull(root, &one, first).unwrap();
        fs::write(root.join("model.pt"), "tuned").unwrap();
        pull(root, &version("2", first, ours), first).unwrap();
        assert_eq!(fs::read_to_string(root.join("model.pt")).unwrap(), "1", "a pull had put it there");
    }
}

#[test]
fn what_changes_while_files_are_fetched_is_seen() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Arc::new(Folder::make(temp.path()).unwrap());
    let found = version("1", &[("a", "1"), ("b", "2")], true);
    let seen: Local = found.files.iter().map(|file| (file.path.clone(), (Found::Absent, None))).collect();
    let staging = Staging::open(Arc::clone(&folder), true).unwrap();
    let staged = staging.stage(&"a".parse().unwrap(), 1, None, true).unwrap();
    let file = OwnFile { path: "a".parse().unwrap(), size: Some(1), blake3: None, md5: None };
    let ready = vec![Ready { file, staged, kept: 0, reused: 0 }];
    fs::write(temp.path().join("a"), "theirs").unwrap();
    let switch = Switch { folder, staging, found, local: seen, force: false, resume: true, sync: true };
    assert!(matches!(switch.run(ready), Err(Error::InTheWay { .. })));
    assert_eq!(tree(temp.path()).len(), 1);
    assert_eq!(fs::read_to_string(temp.path().join("a")).unwrap(), "theirs");
}

/// In a shared folder others may write anything, but that gives no access to the files of the user who pulls.
#[cfg(unix)]
#[test]
fn what_another_user_wrote_down_is_not_believed() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let found = version("1", &[("m", "1"), ("train.py", "of the version")], true);
    let files: &Files = &[("m", "1"), ("train.py", "of the version")];
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let thesis = Blake3::of(b"thesis");
    let record = format!(
        r#"{{"model_name": "m", "files": [{{"path": "train.py", "blake3": "{thesis}"}}, {{"path": "thesis", "blake3": "{thesis}"}}]}}"#
    );
    let manifest = version("0", &[("thesis", "thesis"), ("train.py", "old")], true).record.to_vec();
    for (name, bytes) in [(".modeldepot-files.json", record.as_bytes()), ("manifest.json", &manifest)] {
        for (how, folder_mode, file_mode, owner) in [
            ("another's", 0o777, 0o644, Some(4711)),
            ("another's", 0o1777, 0o644, Some(4711)),
            ("open", 0o1777, 0o666, None),
            ("open", 0o755, 0o664, None),
        ] {
            let temp = tempfile::tempdir().unwrap();
            let root = temp.path();
            fs::write(root.join("thesis"), "thesis").unwrap();
            fs::write(root.join("train.py"), "mine").unwrap();
            fs::write(root.join(name), bytes).unwrap();
            mode(root, folder_mode);
            mode(&root.join(name), file_mode);
            if owner.is_some() && chown(root.join(name), owner, None).is_err() {
                eprintln!("skipped: only root gives files away");
                continue;
            }
            assert_eq!(pull(root, &found, files).unwrap_err().kind(), crate::ErrorKind::Conflict, "{name} {how}");
            fs::remove_file(root.join("train.py")).unwrap();
            let pulled = pull(root, &found, files);
            assert_eq!(pulled.is_err(), name == "manifest.json", "{name} {how}: {pulled:?}");
            assert_eq!(fs::read_to_string(root.join("thesis")).unwrap(), "thesis", "{name} {how}");
        }
        // A folder that its group may write to (umask 002) is not refused.
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis"), "thesis").unwrap();
        fs::write(temp.path().join(name), bytes).unwrap();
        mode(temp.path(), 0o775);
        mode(&temp.path().join(name), 0o664);
        assert_eq!(pull(temp.path(), &found, files).unwrap().removed, 1, "{name}");
    }
}

/// A record of the files of two versions is longer than a manifest may be.
#[test]
fn a_record_longer_than_a_manifest_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let long = format!("{0}/{0}", "x".repeat(240));
    let (blake3, count) = (Blake3::of(b""), 120_000);
    let file = |n: usize| OwnFile {
        path: format!("{long}/{n}").parse().unwrap(),
        size: Some(0),
        blake3: Some(blake3),
        md5: None,
    };
    let record = super::owned::record(&"m".parse().unwrap(), (0..count).map(file).collect(), Default::default());
    assert!(record.len() > 64 << 20);
    fs::write(temp.path().join(".modeldepot-files.json"), record).unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    assert_eq!(Owned::read(&folder, &version("1", ONE, true), false).unwrap().files.len(), count);
}

/// On a file system that ignores case, a version that spells a path differently does not lose the file.
#[cfg(unix)]
#[test]
fn a_file_that_is_spelled_in_another_way_stays() {
    let (old, new): (&Files, &Files) = (&[("Model.bin", "1"), ("Sub/A", "a")], &[("model.bin", "1"), ("sub/a", "a")]);
    let changed: &Files = &[("MODEL.bin", "2"), ("Sub/a", "b")];
    let (one, two, three) = (version("1", old, true), version("2", new, true), version("3", changed, true));
    let texts = |root: &Path| tree(root).into_iter().filter(|(name, _)| name != "manifest.json").map(|(_, text)| text);
    for steps in (0..40).map(Some).chain([None]) {
        let temp = tempfile::tempdir().unwrap();
        fuse::fold(true);
        pull(temp.path(), &one, old).unwrap();
        fuse::set(steps);
        let _ = pull(temp.path(), &two, new);
        fuse::set(None);
        let done = pull(temp.path(), &two, new).unwrap();
        assert_eq!((done.removed, done.left), (0, vec![]));
        assert!(texts(temp.path()).eq(["1", "a"]), "{steps:?}");
        let done = pull(temp.path(), &three, changed).unwrap();
        assert_eq!((done.removed, done.left), (0, vec![]));
        assert!(texts(temp.path()).eq(["2", "b"]), "{steps:?}");
        fuse::fold(false);
    }
    // Elsewhere they are two files.
    let temp = tempfile::tempdir().unwrap();
    pull(temp.path(), &one, old).unwrap();
    assert_eq!(pull(temp.path(), &two, new).unwrap().removed, 2);
    assert_eq!(tree(temp.path()), expected(&two, new, &[]));
}
