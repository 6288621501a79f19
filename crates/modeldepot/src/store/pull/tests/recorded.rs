//! What a folder says about itself, and when it is complete.

use std::os::unix::fs::symlink;

use super::*;
use crate::ErrorKind;
use crate::store::pull::is_complete;
use crate::store::pull::owned::Present;

const MANIFEST: &str = "manifest.json";
const RECORD: &str = ".modeldepot-files.json";

fn owned(root: &Path, force: bool) -> Result<Owned> {
    Owned::read(&Folder::make(root).unwrap(), &version("2", TWO, true), force)
}

/// The manifest of another model, and one that none could be.
fn of_another() -> String {
    let one = String::from_utf8(version("1", ONE, true).record.to_vec()).unwrap();
    let other = Manifest { model_name: "other".parse().unwrap(), ..serde_json::from_str(&one).unwrap() };
    let other = Manifest { model_file: other.model_file.replace("m/", "other/"), ..other };
    String::from_utf8(other.sealed().to_json()).unwrap()
}

#[test]
fn a_manifest_that_is_not_of_the_model_is_refused_and_with_force_no_evidence() {
    type Case = (&'static str, fn(&Path), Option<ObstacleKind>);
    let cases: [Case; 5] = [
        ("another model", |at| fs::write(at, of_another()).unwrap(), None),
        ("no manifest", |at| fs::write(at, "{}").unwrap(), Some(ObstacleKind::Manifest)),
        ("a link", |at| symlink("elsewhere", at).unwrap(), Some(ObstacleKind::Link)),
        ("a socket", |at| drop(std::os::unix::net::UnixListener::bind(at).unwrap()), Some(ObstacleKind::Special)),
        ("a folder", |at| fs::create_dir(at).unwrap(), Some(ObstacleKind::Folder)),
    ];
    for (what, make, obstacle) in cases {
        let temp = tempfile::tempdir().unwrap();
        make(&temp.path().join(MANIFEST));
        let refused = owned(temp.path(), false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{what}");
        if let Some(expected) = obstacle {
            let Error::InTheWay { obstacles, .. } = &refused else { panic!("{what}: {refused:?}") };
            assert_eq!((obstacles[0].path.as_str(), obstacles[0].what), (MANIFEST, expected), "{what}");
        }
        let forced = owned(temp.path(), true);
        if obstacle == Some(ObstacleKind::Folder) {
            assert!(forced.is_err(), "a folder does not give way");
            continue;
        }
        let forced = forced.unwrap();
        let expected = match obstacle {
            None => Present::Manifest(of_another().into_bytes()),
            Some(_) => Present::Foreign,
        };
        assert_eq!((forced.manifest, forced.files.len()), (expected, 0), "{what}: its files are not ours");
    }
}

#[test]
fn a_record_of_another_model_is_refused_and_with_force_no_evidence() {
    let temp = tempfile::tempdir().unwrap();
    let digest = Blake3::of(b"");
    let record = |model: &str| {
        format!(r#"{{"model_name": "{model}", "files": [{{"path": "f", "blake3": "{digest}"}}], "theirs": ["g"]}}"#)
    };
    fs::write(temp.path().join(RECORD), record("other")).unwrap();
    assert_eq!(owned(temp.path(), false).unwrap_err().kind(), ErrorKind::Conflict);
    let forced = owned(temp.path(), true).unwrap();
    assert_eq!((forced.files.len(), forced.theirs.len(), forced.stale), (0, 0, true));
    fs::write(temp.path().join(RECORD), record("m")).unwrap();
    let own = owned(temp.path(), false).unwrap();
    assert_eq!((own.paths(), own.theirs.len(), own.stale), (["f".parse().unwrap()].into(), 1, true));
    assert_eq!(own.manifest, Present::Absent);
}

#[test]
fn a_record_that_cannot_be_read_is_stale_and_none_is_not() {
    type Case = (&'static str, fn(&Path), bool);
    let cases: [Case; 5] = [
        ("none", |_| (), false),
        ("a folder", |at| fs::create_dir(at).unwrap(), true),
        ("a link", |at| symlink("elsewhere", at).unwrap(), true),
        ("no record", |at| fs::write(at, "{}").unwrap(), true),
        ("of no files", |at| fs::write(at, r#"{"model_name": "m", "files": []}"#).unwrap(), false),
    ];
    for (what, make, stale) in cases {
        let temp = tempfile::tempdir().unwrap();
        make(&temp.path().join(RECORD));
        let owned = owned(temp.path(), false).unwrap();
        assert_eq!((owned.stale, owned.files.len()), (stale, 0), "{what}");
    }
}

/// A file of the user that both records list stays the user's, and either digest is evidence for others.
#[test]
fn whose_a_file_is_follows_from_both_records() {
    let temp = tempfile::tempdir().unwrap();
    let (blake3, md5) = (Blake3::of(b"1"), Md5::of(b"1"));
    fs::write(temp.path().join(MANIFEST), &version("1", &[("a", "1"), ("b", "1")], true).record).unwrap();
    let record = format!(
        r#"{{"model_name": "m", "theirs": ["b", "c"], "files": [{{"path": "a", "size": 1, "blake3": "{blake3}"}},
        {{"path": "c", "md5": "{md5}"}}, {{"path": "d", "md5": "{md5}"}}, {{"path": "e", "blake3": "{blake3}"}},
        {{"path": "f"}}]}}"#
    );
    fs::write(temp.path().join(RECORD), record).unwrap();
    let owned = owned(temp.path(), false).unwrap();
    assert_eq!(owned.paths(), ["a", "d", "e"].map(|path| path.parse().unwrap()).into());
    assert_eq!(owned.files[&"a".parse().unwrap()].len(), 1, "both say the same of it");
    assert_eq!(owned.files[&"e".parse().unwrap()][0].blake3, Some(blake3));
}

/// Where only one thing is missing, a pull has something to do.
#[test]
fn a_folder_is_complete_if_nothing_is_missing_left_or_unclear() {
    let (one, pipeline) = (version("1", ONE, true), version("1", &ONE[..1], false));
    let is = |root: &Path, found: &Arc<Description>| {
        let folder = Folder::make(root).unwrap();
        let owned = Owned::read(&folder, found, false).unwrap();
        let look = |file: &StoredFile| local::look(&folder, file, &owned, &Local::new(), true).unwrap();
        let mut seen: Local = found.files.iter().map(|file| (file.path.clone(), look(file))).collect();
        local::make_way(&folder, &owned, &mut seen).unwrap();
        let plan = planned(&seen, Some(&owned), found, false, root).unwrap();
        is_complete(&plan, &owned, found)
    };
    type Case = (&'static str, fn(&Path));
    let record =
        |files: &str, theirs: &str| format!(r#"{{"model_name": "m", "files": [{files}], "theirs": [{theirs}]}}"#);
    let obsolete = record(&format!(r#"{{"path": "gone", "blake3": "{}"}}"#, Blake3::of(b"")), "");
    let stale = record(&format!(r#"{{"path": "config", "blake3": "{}"}}"#, Blake3::of(b"old")), "");
    let cases: [Case; 3] = [
        ("a file is missing", |root| fs::remove_file(root.join("config")).unwrap()),
        ("a file is damaged", |root| fs::write(root.join("config"), "OLD").unwrap()),
        ("the manifest is missing", |root| fs::remove_file(root.join(MANIFEST)).unwrap()),
    ];
    let pulled = || {
        let temp = tempfile::tempdir().unwrap();
        pull(temp.path(), &one, ONE).unwrap();
        assert!(is(temp.path(), &one));
        temp
    };
    for (what, change) in cases {
        let temp = pulled();
        change(temp.path());
        // Without its manifest, the files are the user's, and nothing is known of them.
        assert!(!is(temp.path(), &one), "{what}");
    }
    for (what, text) in [
        ("a file of another version is left", obsolete),
        ("a record is no longer needed", stale),
        ("a record names a file as the user's that is not there", record("", r#""x""#)),
    ] {
        let temp = pulled();
        fs::write(temp.path().join(RECORD), text).unwrap();
        assert!(!is(temp.path(), &one), "{what}");
    }
    let temp = pulled();
    assert!(!is(temp.path(), &version("2", ONE, true)), "the manifest is of a version with the same files");
    // A manifest that lists no files needs its record.
    let temp = tempfile::tempdir().unwrap();
    pull(temp.path(), &pipeline, &ONE[..1]).unwrap();
    assert!(temp.path().join(RECORD).exists() && is(temp.path(), &pipeline));
}
