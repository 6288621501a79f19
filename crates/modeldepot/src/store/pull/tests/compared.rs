//! Comparing what a folder has with what a version, or an earlier pull, says.

use super::*;
use crate::store::pull::local::{md5_of, unchanged};

/// More than is read at once, and no multiple of it.
const LONG: usize = 700_000;

fn long() -> Vec<u8> {
    (0..LONG).map(|at| (at / 7 % 251) as u8).collect()
}

/// The same with one byte changed.
fn damaged(at: usize) -> Vec<u8> {
    let mut bytes = long();
    bytes[at] ^= 1;
    bytes
}

/// The places where a damaged byte may be overlooked: the ends of the file and of what is read at once.
const PLACES: [usize; 6] = [0, 256 * 1024 - 1, 256 * 1024, 512 * 1024, LONG - 2, LONG - 1];

#[test]
fn a_file_is_unchanged_if_all_its_bytes_are() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    let path: crate::model::name::ArtifactPath = "f".parse().unwrap();
    let own = |blake3, md5, size| OwnFile { path: path.clone(), size, blake3, md5 };
    let (blake3, md5) = (Some(Blake3::of(&long())), Some(Md5::of(&long())));
    let size = Some(LONG as u64);
    let is = |known: &[OwnFile]| unchanged(&folder, &path, known).unwrap().is_some();
    assert!(!is(&[own(blake3, None, size)]), "it is not there");
    fs::write(temp.path().join("f"), long()).unwrap();
    assert!(is(&[own(blake3, None, size)]) && is(&[own(None, md5, size)]) && is(&[own(blake3, None, None)]));
    assert!(!is(&[own(None, None, size)]), "nothing to compare");
    assert!(!is(&[own(blake3, None, Some(1))]), "another size");
    let other = Some(Blake3::of(b"other"));
    assert!(!is(&[own(other, md5, size)]), "the BLAKE3 decides");
    assert!(is(&[own(other, None, size), own(blake3, None, size)]), "either version's");
    assert!(!is(&[]));
    for at in PLACES {
        fs::write(temp.path().join("f"), damaged(at)).unwrap();
        assert!(!is(&[own(blake3, None, size)]) && !is(&[own(None, md5, size)]), "byte {at}");
    }
    fs::write(temp.path().join("f"), &long()[1..]).unwrap();
    assert!(!is(&[own(blake3, None, None)]) && !is(&[own(blake3, None, size)]), "cut off");
    assert_eq!(md5_of(&fs::File::open(temp.path().join("f")).unwrap(), LONG as u64), None, "shorter than it says");
}

#[test]
fn a_file_is_the_versions_if_all_its_bytes_are() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    let found = version("1", &[("f", "")], true);
    let owned = Owned::read(&folder, &found, false).unwrap();
    let (blake3, md5) = (Some(Blake3::of(&long())), Some(Md5::of(&long())));
    let look = |blake3, md5, read| {
        let file = StoredFile { size: LONG as u64, blake3, md5, ..found.files[0].clone() };
        local::look(&folder, &file, &owned, &Local::new(), read).unwrap().0
    };
    fs::write(temp.path().join("f"), long()).unwrap();
    assert_eq!([look(blake3, None, true), look(None, md5, true)], [Found::Same, Found::Same]);
    assert_eq!(look(None, None, true), Found::File, "nothing to compare");
    assert_eq!(look(Some(Blake3::of(b"other")), md5, true), Found::File, "the BLAKE3 decides");
    assert_eq!(look(blake3, None, false), Found::File, "not read");
    for at in PLACES {
        fs::write(temp.path().join("f"), damaged(at)).unwrap();
        assert_eq!([look(blake3, None, true), look(None, md5, true)], [Found::File, Found::File], "byte {at}");
    }
    for other in [&long()[1..], &[long(), vec![0]].concat()] {
        fs::write(temp.path().join("f"), other).unwrap();
        assert_eq!(look(blake3, None, true), Found::File, "{} bytes", other.len());
    }
}

/// What was compared before is not read again as long as it is the same file.
#[test]
fn what_was_compared_is_believed_until_it_changes() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::make(temp.path()).unwrap();
    let found = version("1", &[("f", "text")], true);
    let owned = Owned::read(&folder, &found, false).unwrap();
    fs::write(temp.path().join("f"), "text").unwrap();
    let look = |before: &Local| local::look(&folder, &found.files[0], &owned, before, true).unwrap();
    let first = look(&Local::new());
    assert_eq!(first.0, Found::Same);
    let before = Local::from([("f".parse().unwrap(), (Found::File, first.1))]);
    assert_eq!(look(&before), (Found::File, first.1), "read again");
    fs::write(temp.path().join("g"), "text").unwrap();
    fs::rename(temp.path().join("g"), temp.path().join("f")).unwrap();
    assert_eq!(look(&before).0, Found::Same, "another file");
}
