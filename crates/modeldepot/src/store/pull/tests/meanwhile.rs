//! What others change in the folder between the plan of a pull and its end.

use super::*;

fn read(root: &Path, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path)).ok()
}

/// A file that the version does not have is compared before the pull waits for others, which may take long.
#[test]
fn what_the_user_changes_while_a_pull_waits_is_not_removed() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().to_owned();
    pull(&root, &version("1", ONE, true), ONE).unwrap();
    let (switch, ready) = fetched(&root, &version("2", TWO, true), TWO).unwrap();
    let at = root.clone();
    fuse::meanwhile(move || {
        fs::write(at.join("m-1-of-3.new"), "mine").unwrap();
        fs::rename(at.join("m-1-of-3.new"), at.join("m-1-of-3")).unwrap();
    });
    let done = switch.run(ready).unwrap();
    assert_eq!(read(&root, "m-1-of-3").as_deref(), Some("mine"));
    assert_eq!(done.left, ["m-1-of-3".parse().unwrap()]);
    assert_eq!((read(&root, "m-2-of-3"), read(&root, "m-1-of-2").as_deref()), (None, Some("new 1")));
}

#[test]
fn what_the_user_removed_is_neither_left_nor_counted_and_its_folders_go() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    pull(root, &version("1", ONE, true), ONE).unwrap();
    fs::remove_file(root.join("only/here/m-3-of-3")).unwrap();
    fs::remove_file(root.join("m-1-of-3")).unwrap();
    let done = pull(root, &version("2", TWO, true), TWO).unwrap();
    assert_eq!(done, Done { removed: 3, left: vec![] }, "of `m-2-of-3`, `logs/old.txt` and `LICENSE`");
    assert!(!root.join("only").exists());
}

/// What a pull found in place is not fetched. If it is gone when the files are put in place, the pull cannot be completed.
#[test]
fn what_was_there_and_vanished_is_not_taken_for_fetched() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().to_owned();
    pull(&root, &version("1", ONE, true), ONE).unwrap();
    let before = tree(&root);
    let (switch, ready) = fetched(&root, &version("2", TWO, true), TWO).unwrap();
    let at = root.clone();
    fuse::meanwhile(move || fs::remove_file(at.join("same")).unwrap());
    assert_eq!(switch.run(ready).unwrap_err().kind(), crate::ErrorKind::Unavailable);
    fs::write(root.join("same"), "same").unwrap();
    assert_eq!(tree(&root), before, "nothing else was touched");
}

#[test]
fn what_another_pull_put_there_meanwhile_is_fine() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().to_owned();
    let two = version("2", TWO, true);
    pull(&root, &version("1", ONE, true), ONE).unwrap();
    let (first, ready) = fetched(&root, &two, TWO).unwrap();
    pull(&root, &two, TWO).unwrap();
    assert_eq!(first.run(ready).unwrap(), Done::default());
    assert_eq!(tree(&root), expected(&two, TWO, &[]));
}

/// A version is repaired: as long as a file of it is damaged or missing, there is no manifest that lists it as complete.
#[test]
fn a_repair_that_dies_at_any_step_leaves_no_manifest_of_what_is_not_there() {
    let both: &Files = &[("config", "old"), ("only/here/m", "old")];
    let some: &Files = &[("config", "old"), ("only/here/m", "old"), ("same", "same")];
    for files in [both, some] {
        let one = version("1", files, true);
        let mut ended = false;
        for steps in 0..100 {
            let temp = tempfile::tempdir().unwrap();
            let root = temp.path();
            pull(root, &one, files).unwrap();
            fs::write(root.join("config"), "damaged").unwrap();
            fs::remove_file(root.join("only/here/m")).unwrap();
            let (switch, ready) = fetched(root, &one, files).unwrap();
            fuse::set(Some(steps));
            let died = switch.run(ready).is_err();
            fuse::set(None);
            let now = tree(root);
            let right = ["config", "only/here/m"].map(|path| now.get(path).is_some_and(|text| text == "old"));
            // Once the pull changes anything, the manifest goes first and comes last.
            assert!(right[0] == right[1] || !now.contains_key("manifest.json"), "step {steps}: {now:?}");
            pull(root, &one, files).unwrap();
            assert_eq!(tree(root), expected(&one, files, &[]), "step {steps}");
            if !died {
                ended = true;
                break;
            }
        }
        assert!(ended, "it never came to its end");
    }
}

#[test]
fn a_record_too_long_to_be_read_again_is_not_written() {
    let temp = tempfile::tempdir().unwrap();
    let (switch, _) = fetched(temp.path(), &version("1", ONE, true), ONE).unwrap();
    let long = vec![0; super::super::owned::LARGEST_RECORD as usize + 1];
    let error = switch.write_record(long).unwrap_err();
    assert!(format!("{error:?}").contains("too many files"), "{error:?}");
    assert!(!temp.path().join(".modeldepot-files.json").exists());
    switch.write_record(vec![0; 1000]).unwrap();
    assert_eq!(fs::metadata(temp.path().join(".modeldepot-files.json")).unwrap().len(), 1000);
}
