use std::fs;

use super::*;
use crate::fs::write_at;

fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_appears_when_it_is_complete_or_not_at_all() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("f");
    fs::write(&path, "before").unwrap();
    let staged = stage_file(&path, 3).await.unwrap();
    write_at(&staged.file(), b"ne", 0).unwrap();
    assert_eq!(names(temp.path()).len(), 2);
    drop(staged);
    assert_eq!(names(temp.path()), ["f"], "what was staged is gone");
    assert_eq!(fs::read(&path).unwrap(), b"before");
    let staged = stage_file(&path, 3).await.unwrap();
    write_at(&staged.file(), b"new", 0).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"before");
    staged.persist().await.unwrap();
    assert_eq!(names(temp.path()), ["f"]);
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_file_is_replaced_and_nothing_else_but_files() {
    use std::os::unix::fs::symlink;
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::write(at("target"), "theirs").unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink(at("target"), at("link")).unwrap();
    symlink(at("folder"), at("link-to-folder")).unwrap();
    stage_file(&at("link"), 0).await.unwrap().persist().await.unwrap();
    assert!(fs::symlink_metadata(at("link")).unwrap().is_file());
    assert_eq!(fs::read(at("target")).unwrap(), b"theirs");
    for path in [at("folder"), at("link-to-folder"), "/dev/null".into()] {
        assert!(stage_file(&path, 0).await.is_err(), "{}", path.display());
    }
    assert!(names(temp.path()).iter().all(|name| !name.ends_with(".part")));
    assert!(at("link-to-folder").is_symlink());
}

#[test]
fn a_name_alone_is_in_the_current_folder() {
    for (path, folder) in [("f", "."), ("./f", "."), ("a/f", "a"), ("/f", "/"), ("/a/b/f", "/a/b")] {
        assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
    }
}
