//! Where links of a folder may lead. Each test scans a folder.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use super::*;
use crate::error::Error;
use crate::store::push::left_out::Reason;
use crate::store::push::scan::Scan;
use crate::store::push::source::Source;

/// Creates a folder that holds the folder `run`, with one file, and these files.
fn around(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let around = tempfile::tempdir().unwrap();
    for file in ["run/model.bin"].iter().chain(files) {
        let path = around.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    let run = around.path().join("run");
    (around, run)
}

fn published(scan: &Scan) -> Vec<String> {
    Source::scan(scan).unwrap().files().iter().map(|file| file.path.to_string()).collect()
}

fn refused(scan: &Scan) -> SourceError {
    match Source::scan(scan) {
        Err(Error::Source(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_within_the_folder_are_followed() {
    let (_around, run) = around(&["run/sub/a.bin"]);
    symlink("sub/a.bin", run.join("file.bin")).unwrap();
    symlink(run.join("sub"), run.join("folder")).unwrap();
    assert_eq!(published(&Scan::new(&run)), ["file.bin", "folder/a.bin", "model.bin", "sub/a.bin"]);
    // The folder itself may be a link.
    symlink(&run, _around.path().join("link")).unwrap();
    assert_eq!(published(&Scan::new(_around.path().join("link"))).len(), 4);
}

#[test]
fn links_out_of_the_folder_are_refused_unless_they_may_lead_there() {
    let (_around, run) = around(&["other/weights.bin", "run-2/weights.bin"]);
    for target in ["../other", "../other/weights.bin", "..", "../run-2/weights.bin", "/"] {
        symlink(target, run.join("link")).unwrap();
        let error = refused(&Scan::new(&run));
        assert!(
            matches!(&error, SourceError::LeavesTheTree { path } if *path == run.join("link")),
            "{target}: {error}"
        );
        fs::remove_file(run.join("link")).unwrap();
    }
    symlink("../other", run.join("link")).unwrap();
    let anywhere = Scan::new(&run).follow_links(true);
    assert_eq!(published(&anywhere), ["link/weights.bin", "model.bin"]);
    // A link that is left out is not followed.
    fs::rename(run.join("link"), run.join(".link")).unwrap();
    assert_eq!(published(&Scan::new(&run)), ["model.bin"]);
}

#[test]
fn a_link_does_not_publish_what_its_target_is_left_out_for() {
    let secrets = [
        "run/.env",
        "run/.git/config",
        "home/.aws/credentials",
        "home/.ssh/known_hosts",
        "home/modeldepot-data/index.redb",
    ];
    let (around, run) = around(&secrets);
    for secret in secrets.iter().chain(&["home/.ssh", "home/.aws", "home/modeldepot-data"]) {
        symlink(around.path().join(secret), run.join("settings")).unwrap();
        let source = Source::scan(&Scan::new(&run).follow_links(true).include_hidden(true)).unwrap();
        let paths: Vec<_> = source.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["model.bin"], "{secret}");
        let left = source.left_out().iter().find(|left| left.path == "settings").unwrap();
        assert_ne!(left.reason, Reason::Hidden, "{secret}");
        assert_eq!(left.folder, around.path().join(secret).is_dir(), "{secret}");
        fs::remove_file(run.join("settings")).unwrap();
    }
}

/// Only the names that the target does not share with the folder count: the user named those of the folder.
#[test]
fn the_folder_may_be_anywhere() {
    let (around, _) = around(&["home/.docker/run/model.bin", "home/.docker/other/weights.bin"]);
    let run = around.path().join("home/.docker/run");
    symlink("../other/weights.bin", run.join("link.bin")).unwrap();
    symlink("model.bin", run.join("same.bin")).unwrap();
    assert_eq!(published(&Scan::new(&run).follow_links(true)), ["link.bin", "model.bin", "same.bin"]);
}

#[test]
fn a_snapshot_of_a_hugging_face_cache_is_made_of_links_into_its_blobs() {
    for (repository, is_cache) in [
        ("models--org--bert", true),
        ("datasets--org--cats", true),
        ("spaces--org--demo", true),
        ("backup", false),
        ("my-models--x", false),
    ] {
        let at = |name: &str| format!("{repository}/{name}");
        let (around, _) = around(&[&at("blobs/aaaa"), &at("refs/main"), &at("snapshots/1/sub/config.json")]);
        let snapshot = around.path().join(at("snapshots/1"));
        symlink("../../blobs/aaaa", snapshot.join("model.bin")).unwrap();
        symlink("../../../blobs/aaaa", snapshot.join("sub/more.bin")).unwrap();
        if !is_cache {
            assert!(matches!(refused(&Scan::new(&snapshot)), SourceError::LeavesTheTree { .. }), "{repository}");
            continue;
        }
        assert_eq!(published(&Scan::new(&snapshot)), ["model.bin", "sub/config.json", "sub/more.bin"]);
        assert_eq!(published(&Scan::new(snapshot.join("sub"))), ["config.json", "more.bin"]);
        // Only the blobs, and one by one.
        for target in ["../../refs/main", "../../blobs", "../../refs"] {
            symlink(target, snapshot.join("link")).unwrap();
            let error = refused(&Scan::new(&snapshot));
            assert!(matches!(error, SourceError::LeavesTheTree { .. }), "{target}: {error}");
            fs::remove_file(snapshot.join("link")).unwrap();
        }
        fs::rename(around.path().join(at("blobs")), around.path().join(at("moved"))).unwrap();
        fs::remove_file(snapshot.join("model.bin")).unwrap();
        symlink("../../moved/aaaa", snapshot.join("model.bin")).unwrap();
        assert!(matches!(refused(&Scan::new(&snapshot)), SourceError::LeavesTheTree { .. }), "without blobs");
    }
}

#[test]
fn links_that_lead_nowhere_or_in_circles_are_named() {
    let (_around, run) = around(&["run/a/x", "run/b/y"]);
    let link = |name: &str, target: &str| symlink(target, run.join(name)).unwrap();
    link("a/to-b", "../b");
    link("b/to-a", "../a");
    let told = |error: SourceError| match error {
        SourceError::LinkLoop { path, target } => ("loop", path, target),
        SourceError::Dangling { path, target } => ("dangling", path, target),
        other => panic!("{other}"),
    };
    let scan = Scan::new(&run);
    assert_eq!(told(refused(&scan)), ("loop", run.join("a/to-b/to-a"), "../a".into()));
    fs::remove_file(run.join("a/to-b")).unwrap();
    fs::remove_file(run.join("b/to-a")).unwrap();
    for (target, kind) in [("link", "loop"), (".", "loop"), ("gone", "dangling"), ("model.bin/x", "dangling")] {
        link("link", target);
        assert_eq!(told(refused(&scan)), (kind, run.join("link"), target.into()));
        if target != "." {
            let named = Scan::new(run.join("model.bin")).with([run.join("link")]);
            assert_eq!(told(refused(&named)), (kind, run.join("link"), target.into()));
        }
        fs::remove_file(run.join("link")).unwrap();
    }
    // Without a link, nothing is said of one.
    assert!(matches!(refused(&Scan::new(run.join("gone"))), SourceError::Missing { .. }));
    assert!(matches!(refused(&Scan::new(run.join("model.bin/x"))), SourceError::Unreadable { .. }));
}
