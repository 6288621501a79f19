//! Which files of a folder are published, under which paths, and which are left out.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;

/// Creates the folder `run` with these files. Each holds its own path.
fn folder(files: &[&str]) -> (TempDir, PathBuf) {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("run");
    fs::create_dir(&folder).unwrap();
    for file in files {
        write(&folder, file, file);
    }
    (around, folder)
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn paths(source: &Source) -> Vec<&str> {
    source.files().iter().map(|file| file.path.as_str()).collect()
}

fn published(scan: &Scan) -> Vec<String> {
    paths(&Source::scan(scan).unwrap()).into_iter().map(str::to_owned).collect()
}

fn left_out(source: &Source) -> Vec<(&str, bool, Reason)> {
    source.left_out().iter().map(|left| (left.path.as_str(), left.folder, left.reason)).collect()
}

fn refused(scan: &Scan) -> SourceError {
    match Source::scan(scan) {
        Err(Error::Source(error)) => error,
        other => panic!("{other:?}"),
    }
}

const JUNK: &[&str] = &[
    "model.safetensors",
    "sub/config.json",
    "sub/deeper/vocab.txt",
    ".env",
    ".cache/x",
    ".git/config",
    "keys/id_rsa",
    "notes.txt~",
    "modeldepot-data/index.redb",
    "sub/.modeldepot-staging/x",
];

#[test]
fn what_does_not_belong_in_a_version_is_left_out() {
    let (_around, folder) = folder(JUNK);
    fs::create_dir_all(folder.join("sub/tensorboard")).unwrap();
    let source = Source::scan(&Scan::new(&folder)).unwrap();
    assert_eq!(paths(&source), ["model.safetensors", "sub/config.json", "sub/deeper/vocab.txt"]);
    assert_eq!((source.main().as_str(), source.main_was_chosen()), ("model.safetensors", true));
    assert_eq!(
        left_out(&source),
        [
            (".cache", true, Reason::Hidden),
            (".env", false, Reason::Secret),
            (".git", true, Reason::Repository),
            ("keys/id_rsa", false, Reason::Secret),
            ("modeldepot-data", true, Reason::Own),
            ("notes.txt~", false, Reason::Temporary),
            ("sub/.modeldepot-staging", true, Reason::Own),
        ]
    );
    assert_eq!(source.empty_folders(), ["sub/tensorboard"]);
    assert_eq!((source.unmatched().len(), source.malformed().len()), (0, 0));
    for file in source.files() {
        assert_eq!(fs::read_to_string(&file.local).unwrap(), file.path.as_str(), "each is the file at its path");
        assert_eq!(file.size, file.path.as_str().len() as u64);
    }
    let hidden = published(&Scan::new(&folder).include_hidden(true));
    assert_eq!(hidden, [".cache/x", "model.safetensors", "sub/config.json", "sub/deeper/vocab.txt"]);
}

#[test]
fn a_folder_without_files_is_refused() {
    let (_around, folder) = folder(&[".hidden", "sub/.env"]);
    fs::create_dir_all(folder.join("empty")).unwrap();
    let empty = |path: &Path| matches!(refused(&Scan::new(path)), SourceError::Empty { path: told } if told == path);
    assert!(empty(&folder) && empty(&folder.join("empty")));
    let missing = folder.join("missing");
    assert!(matches!(refused(&Scan::new(&missing)), SourceError::Missing { path } if path == missing));
}

#[test]
fn what_is_named_is_published_at_its_place() {
    let (_around, folder) = folder(JUNK);
    write(&folder, "../beside.bin", "beside");
    let beside = folder.join("../beside.bin");
    let scan = Scan::new(&folder)
        .with([folder.join("keys/id_rsa"), folder.join("sub/../.env"), beside.clone()])
        .history(folder.join("notes.txt~"));
    let source = Source::scan(&scan).unwrap();
    assert_eq!(
        paths(&source),
        [
            ".env",
            "beside.bin",
            "keys/id_rsa",
            "model.safetensors",
            "notes.txt~",
            "sub/config.json",
            "sub/deeper/vocab.txt"
        ]
    );
    assert_eq!(source.history().unwrap().as_str(), "notes.txt~");
    let left: Vec<_> = left_out(&source).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(left, [".cache", ".git", "modeldepot-data", "sub/.modeldepot-staging"]);
    assert_eq!(source.main().as_str(), "model.safetensors", "never a file beside the folder");
}

#[test]
fn the_model_file_is_the_one_named() {
    let (_around, folder) = folder(&["a.bin", "sub/b.bin", ".cache/c.bin"]);
    let scan = |main: &str| Scan::new(&folder).main(main);
    for (named, main) in [("a.bin", "a.bin"), ("./sub/b.bin", "sub/b.bin"), (".cache/c.bin", ".cache/c.bin")] {
        let source = Source::scan(&scan(named)).unwrap();
        assert_eq!((source.main().as_str(), source.main_was_chosen()), (main, false));
    }
    write(&folder, "../beside.bin", "beside");
    for named in ["missing.bin", "sub", "../beside.bin", "b.bin"] {
        assert!(matches!(refused(&scan(named)), SourceError::NoSuchMain { main } if main == named), "{named}");
    }
    let alone = folder.join("a.bin");
    assert_eq!(Source::scan(&Scan::new(&alone).main("a.bin")).unwrap().main().as_str(), "a.bin");
    assert!(matches!(refused(&Scan::new(&alone).main("b.bin")), SourceError::NoSuchMain { .. }));
    // With a single file there is no choice.
    for path in [&alone, &folder.join("sub")] {
        assert!(!Source::scan(&Scan::new(path)).unwrap().main_was_chosen(), "{path:?}");
    }
    assert!(!Source::scan(&Scan::new(&alone).with([folder.join("sub/b.bin")])).unwrap().main_was_chosen());
}

#[test]
fn two_files_never_share_a_path() {
    let (_around, folder) = folder(&["run/m.bin", "run/config.json", "other/config.json"]);
    let at = |name: &str| folder.join(name);
    let scan = Scan::new(at("run"));
    let again = scan.clone().with([at("run/config.json"), at("run/../run/m.bin")]);
    assert_eq!(published(&again), ["config.json", "m.bin"], "the same file, named again");
    let error = refused(&scan.with([at("other/config.json")]));
    assert!(matches!(&error, SourceError::Twice { path, .. } if path.as_str() == "config.json"), "{error}");
    let error = refused(&Scan::new(at("run/m.bin")).with([at("other")]));
    assert!(matches!(&error, SourceError::Folder { path } if *path == at("other")), "{error}");
}

/// The manifest of a pulled version is modeldepot's, at the root. Another file of that name is not left out in silence.
#[test]
fn the_manifest_of_a_pulled_version_is_left_out() {
    const MANIFEST: &str = r#"{"model_name": "m", "version": "1", "model_file": "m/v1/m.bin"}"#;
    let (_around, folder) = folder(&["m.bin"]);
    write(&folder, "manifest.json", MANIFEST);
    write(&folder, "sub/manifest.json", MANIFEST);
    write(&folder, "copy.json", MANIFEST);
    let source = Source::scan(&Scan::new(&folder)).unwrap();
    assert_eq!(paths(&source), ["copy.json", "m.bin", "sub/manifest.json"]);
    assert_eq!(left_out(&source), [("manifest.json", false, Reason::Own)]);
    for other in [r#"{"name": "a web page"}"#, "", &MANIFEST.replace("m/v1/", "elsewhere/")] {
        write(&folder, "manifest.json", other);
        assert!(matches!(refused(&Scan::new(&folder)), SourceError::Name { .. }), "{other}");
    }
    fs::remove_file(folder.join("manifest.json")).unwrap();
    write(&folder, "modeldepot-data", "a file may have this name");
    assert_eq!(published(&Scan::new(&folder)), ["copy.json", "m.bin", "modeldepot-data", "sub/manifest.json"]);
}

#[test]
fn a_folder_of_too_many_entries_is_refused() {
    let (_around, folder) = folder(&["a", "b", "sub/c"]);
    let scan = Scan::new(&folder);
    assert_eq!(Source::scan_at_most(&scan, 4).unwrap().files().len(), 3);
    for most in [3, 1, 0] {
        let error = Source::scan_at_most(&scan, most).unwrap_err();
        let told = matches!(&error, Error::Source(SourceError::TooMany { limit, .. }) if *limit == most);
        assert!(told && error.kind() == ErrorKind::Invalid, "{error:?}");
    }
}

/// The recursion ends: no file can be that deep.
#[test]
fn a_folder_deeper_than_any_path_is_refused() {
    let (_around, folder) = folder(&["m.bin"]);
    let (deepest, deeper) = (
        ["x".repeat(255), "x".repeat(254), "x".to_owned()].join("/"),
        ["x".repeat(255), "x".repeat(254), "xx".to_owned()].join("/"),
    );
    assert_eq!(deepest.len(), 512);
    fs::create_dir_all(folder.join(&deepest)).unwrap();
    let source = Source::scan(&Scan::new(&folder)).unwrap();
    assert_eq!(source.empty_folders(), [deepest]);
    fs::create_dir_all(folder.join(&deeper)).unwrap();
    let error = refused(&Scan::new(&folder));
    assert!(matches!(&error, SourceError::Name { path, .. } if *path == folder.join(deeper)), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let (_around, folder) = folder(&["m.bin"]);
    let odd = folder.join(std::ffi::OsStr::from_bytes(b"\xff.bin"));
    fs::write(&odd, "x").unwrap();
    assert!(matches!(refused(&Scan::new(&folder)), SourceError::NotUtf8 { path } if path == odd));
    // What is left out need not be.
    let left = Source::scan(&Scan::new(&folder).exclude(["*.bin", "!m.bin"])).unwrap();
    assert_eq!((paths(&left), left.left_out().len()), (vec!["m.bin"], 1));
}

#[cfg(unix)]
#[test]
fn what_can_be_executed_is_known() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_around, folder) = folder(&["m.bin"]);
    let path = folder.join("m.bin");
    // Only the owner's permission counts.
    for (mode, executable) in [(0o644, false), (0o744, true), (0o700, true), (0o655, false), (0o411, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let source = Source::scan(&Scan::new(&folder)).unwrap();
        assert_eq!(source.files()[0].executable, executable, "{mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_folder_is_refused_and_not_opened() {
    for name in ["pipe", "manifest.json"] {
        let (_around, folder) = folder(&["m.bin"]);
        let pipe = folder.join(name);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert!(matches!(refused(&Scan::new(&folder)), SourceError::NotAFile { path } if path == pipe));
    }
}
