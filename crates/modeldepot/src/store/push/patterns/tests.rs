//! The meaning of patterns, with git as the judge.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Given, Said, decide};
use crate::error::{Error, SourceError};
use crate::store::push::scan::Scan;
use crate::store::push::source::Source;

fn given(patterns: &[&str]) -> Given {
    Given::new(&patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>(), &mut Vec::new())
        .expect("valid patterns")
}

fn out(patterns: &[&str], path: &str) -> Option<Said> {
    let folder = path.ends_with('/');
    decide(&mut given(patterns), &[], Path::new(path.trim_end_matches('/')), folder)
}

#[test]
fn patterns_mean_what_they_mean_to_git() {
    for (patterns, path, expected) in [
        (&["*.log"][..], "a.log", Some(Said::Out)),
        (&["*.log"], "deep/er/a.log", Some(Said::Out)),
        (&["/*.log"], "deep/a.log", None),
        (&["logs/**"], "logs/a", Some(Said::Out)),
        (&["logs/**"], "logs/", None),
        (&["logs/"], "logs/", Some(Said::Out)),
        (&["logs/"], "logs", None),
        (&[".git/"], ".git/", Some(Said::Out)),
        (&["logs/x"], "deep/logs/x", None),
        (&["**/logs/x"], "deep/logs/x", Some(Said::Out)),
        (&["*", "!*.bin"], "a.bin", Some(Said::In { by_name: true })),
        (&["!*.bin", "*"], "a.bin", Some(Said::Out)),
        (&["!*"], "a.pem", Some(Said::In { by_name: false })),
        (&["!*.pem"], "a.pem", Some(Said::In { by_name: true })),
        (&["!*.pem"], ".a.pem", Some(Said::In { by_name: false })),
        (&["!.env"], ".env", Some(Said::In { by_name: true })),
        (&["!*env"], ".env", Some(Said::In { by_name: false })),
        (&["!**/"], ".git/", Some(Said::In { by_name: false })),
        (&["\\!odd"], "!odd", Some(Said::Out)),
        (&["# a comment", ""], "# a comment", None),
        (&["{a,b}.log"], "{a,b}.log", Some(Said::Out)),
        (&["{a,b}.log"], "a.log", None),
        (&["{a"], "{a", Some(Said::Out)),
        (&["a}"], "a}", Some(Said::Out)),
        (&["\\{a}"], "{a}", Some(Said::Out)),
        (&["[{]a"], "{a", Some(Said::Out)),
        (&["[\\]]a"], "]a", Some(Said::Out)),
        (&["[a\\]]b"], "]b", Some(Said::Out)),
        (&["[]a]b"], "]b", Some(Said::Out)),
        (&["[\\!]b"], "!b", Some(Said::Out)),
        (&["[a\\-c]d"], "bd", None),
        (&["[a\\-c]d"], "-d", Some(Said::Out)),
        (&["[a-c]d"], "bd", Some(Said::Out)),
        (&["[!a]b"], "ab", None),
        (&["[[:digit:]]b"], "7b", Some(Said::Out)),
        (&["[\\a]b"], "ab", Some(Said::Out)),
        // What is literal in a class is so after each thing that may come before it.
        (&["[]{]b"], "{b", Some(Said::Out)),
        (&["[]{]b"], "]b", Some(Said::Out)),
        (&["[]{]b"], "\\b", None),
        (&["[[\\]]b"], "[b", Some(Said::Out)),
        (&["[[\\]]b"], "]b", Some(Said::Out)),
        (&["[[:\\]]b"], "[b", Some(Said::Out)),
        (&["[[a:]{]"], "a{]", Some(Said::Out)),
        (&["[[:digit:]{]b"], "{b", Some(Said::Out)),
        (&["[[:digit:]{]b"], "7b", Some(Said::Out)),
        (&["[[:digit:]{]b"], "\\b", None),
        // Malformed patterns.
        (&["["], "[", None),
        (&["a["], "a[", None),
        (&["[]"], "[]", None),
        (&["abc\\"], "abc\\", None),
        (&["[z-a]"], "b", None),
        (&["[z-a]"], "z", Some(Said::Out)),
        (&["[z-ab]"], "b", Some(Said::Out)),
    ] {
        assert_eq!(out(patterns, path), expected, "{patterns:?} {path}");
    }
}

#[test]
fn what_is_no_pattern_is_told() {
    let mut malformed = Vec::new();
    let patterns = ["*.log", "[", "{a", "abc\\", "[z-a]", ""].map(str::to_owned);
    Given::new(&patterns, &mut malformed).unwrap();
    let told: Vec<_> = malformed.iter().map(|one| one.pattern.as_str()).collect();
    assert_eq!(told, ["[", "abc\\"]);
}

/// Compares with git itself, where it is installed.
#[cfg(unix)]
#[test]
fn git_agrees() {
    use std::process::Command;
    let folder = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| Command::new("git").arg("-C").arg(folder.path()).args(args).output();
    if !git(&["init", "-q"]).is_ok_and(|done| done.status.success()) {
        return;
    }
    let names = [
        "{a,b}", "a", "b", "{a", "a}", "]", "[", "-", "!", "^", "7", "a]", "[]", "c", "z", "abc", "{", "}", ",", "\\",
        "a{]",
    ];
    for name in names {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    for pattern in [
        "{a,b}",
        "{a",
        "a}",
        "\\{a",
        "[{]",
        "[{}]",
        "[]]",
        "[\\]]",
        "[a\\]]",
        "[]-]",
        "[!a]",
        "[^a]",
        "[a-c]",
        "[a\\-c]",
        "[\\!]",
        "[\\^]",
        "[[:digit:]]",
        "[[:alpha:]]*",
        "[![:alpha:]]",
        "[",
        "[a",
        "[]",
        "a[",
        "abc\\",
        "[z-a]",
        "[z-ab]",
        "[!]",
        "[a]]",
        "[[]",
        "[]",
        "\\[",
        "\\]",
        "[\\\\]",
        "{a,[b}",
        "*}",
        "{*",
        "?",
        "[-a]",
        "[a-]",
        "[!-a]",
        "[,]",
        "[\\a]",
        "[]{]",
        "[[\\]]",
        "[[:\\]]",
        "[[a:]{]",
        "[[:digit:]{]",
    ] {
        std::fs::write(folder.path().join(".gitignore"), format!("{pattern}\n")).unwrap();
        for name in names {
            let ignored = git(&["check-ignore", "-q", "--no-index", &format!("./{name}")]).unwrap().status.success();
            assert_eq!(out(&[pattern], name).is_some(), ignored, "{pattern} {name}");
        }
    }
}

#[test]
fn only_what_a_pattern_spells_is_brought_back() {
    for (pattern, path, by_name) in [
        ("!*.*", "server.pem", false),
        ("!*.*", "tls.key", false),
        ("![!_]*", "server.pem", false),
        ("![a-z]*.[a-z]*", "server.pem", false),
        ("!model.*", "model.key", false),
        ("!*e*", "server.pem", false),
        ("!*token", "token", false),
        ("!id_*", "id_rsa", false),
        ("!.*", ".env", false),
        ("!.*", ".git/", false),
        ("!.*/", ".git/", false),
        ("!.[!.]*", ".env", false),
        ("!.e*", ".env", false),
        ("!.?*", ".git/", false),
        ("!*~*", "notes.txt~", true),
        ("!.*", ".cache/", true),
        ("!.c*", ".cache/", true),
        ("!.env*", ".env.local", true),
        ("!.env.*", ".env.local", true),
        ("!*.[pP][eE][mM]", "a.pem", true),
        ("!*.pem*", "a.pem", true),
        ("!/keys/server.key", "keys/server.key", true),
        ("!id_rsa*", "id_rsa.pub", true),
        ("!\\.git", ".git/", false),
        ("!.git/", ".git/", true),
        ("!*.pyc", "x.pyc", true),
    ] {
        assert_eq!(out(&[pattern], path), Some(Said::In { by_name }), "{pattern} {path}");
    }
}

#[test]
fn what_matches_nothing_is_known() {
    let mut given = given(&["*.log", "a.log", "!b.log", "*.tmp"]);
    decide(&mut given, &[], Path::new("a.log"), false);
    decide(&mut given, &[], Path::new("c.txt"), false);
    assert_eq!(given.unmatched(), ["!b.log", "*.tmp"]);
}

/// Creates a folder with some files, and these pattern files.
fn with_patterns(patterns: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let around = tempfile::tempdir().unwrap();
    let run = around.path().join("run");
    let files = ["m.bin", "a.log", "keep.log", "logs/x", "deep/a.log", "deep/logs/x", "deep/er/a.log", "deep/er/w.pem"];
    fs::create_dir_all(run.join("deep/er")).unwrap();
    for folder in ["logs", "deep/logs"] {
        fs::create_dir_all(run.join(folder)).unwrap();
    }
    for file in files {
        fs::write(run.join(file), file).unwrap();
    }
    for (folder, text) in patterns {
        fs::write(run.join(folder).join(".modeldepotignore"), text).unwrap();
    }
    (around, run)
}

fn published(scan: &Scan) -> Vec<String> {
    Source::scan(scan).unwrap().files().iter().map(|file| file.path.to_string()).collect()
}

#[test]
fn pattern_files_apply_to_their_folder_and_what_is_below() {
    let (_around, run) = with_patterns(&[
        ("", b"*.log\r\n!keep.log\n/logs/\n"),
        ("deep", b"!a.log\n"),
        ("deep/er", b"/a.log\n!w.pem\n"),
    ]);
    let all = ["deep/a.log", "deep/er/w.pem", "deep/logs/x", "keep.log", "m.bin"];
    assert_eq!(published(&Scan::new(&run)), all);
    // Those given with the push come last.
    assert_eq!(published(&Scan::new(&run).exclude(["deep/a.log", "logs/"])), ["deep/er/w.pem", "keep.log", "m.bin"]);
    let without = Source::scan(&Scan::new(&run).exclude(["deep", "*.tmp"])).unwrap();
    assert_eq!(without.unmatched(), ["*.tmp"]);
    let left: Vec<_> =
        without.left_out().iter().map(|left| (left.path.as_str(), left.folder, left.reason.word())).collect();
    assert_eq!(
        left,
        [
            (".modeldepotignore", false, "modeldepot"),
            ("a.log", false, "excluded"),
            ("deep", true, "excluded"),
            ("logs", true, "excluded")
        ]
    );
    // A file that is named needs no patterns to agree, and for a single file they mean nothing.
    let scan = Scan::new(&run).with([run.join("a.log")]);
    assert!(published(&scan).contains(&"a.log".to_owned()));
    let alone = Source::scan(&Scan::new(run.join("m.bin")).exclude(["*.bin"])).unwrap();
    assert_eq!((alone.files().len(), alone.unmatched()), (1, &["*.bin".to_owned()][..]));
}

#[test]
fn the_first_malformed_lines_are_told_with_their_places() {
    // With a byte order mark, as some editors write it.
    let (_around, run) = with_patterns(&[("", b"\xef\xbb\xbf*.log\n\n[\n"), ("deep", b"abc\\\n")]);
    let source = Source::scan(&Scan::new(&run).exclude(["x["])).unwrap();
    let told: Vec<_> = source.malformed().iter().map(|one| (one.pattern.as_str(), one.line.clone())).collect();
    let at = |file: &str, line| Some((file.to_owned(), line));
    assert_eq!(told, [("x[", None), ("[", at(".modeldepotignore", 3)), ("abc\\", at("deep/.modeldepotignore", 1))]);
    assert_eq!(source.malformed()[1].reason, "unclosed character class; missing ']'");
    assert_eq!(source.unmatched(), ["x[", "[", "abc\\"]);
    assert!(!source.files().iter().any(|file| file.path.as_str().ends_with(".log")), "the others apply");

    let (_around, run) = with_patterns(&[("", "[\n".repeat(150).as_bytes())]);
    let source = Source::scan(&Scan::new(&run)).unwrap();
    assert_eq!(source.malformed().len(), 100);
    assert_eq!(source.malformed().last().unwrap().line, at(".modeldepotignore", 100));
}

/// To ignore such a file would publish what it leaves out.
#[test]
fn a_pattern_file_that_is_none_stops_the_push() {
    let refused = |run: &Path| match Source::scan(&Scan::new(run)) {
        Err(Error::Source(SourceError::IgnoreFile { reason, .. })) => reason,
        Err(Error::Source(SourceError::Dangling { .. })) => "dangling".to_owned(),
        Err(Error::Source(SourceError::LinkLoop { .. })) => "loop".to_owned(),
        other => panic!("{other:?}"),
    };
    let largest = [b"#".repeat((1 << 20) - 1), b"\n".to_vec()].concat();
    let (_around, run) = with_patterns(&[("deep", &largest)]);
    assert_eq!(published(&Scan::new(&run)).len(), 7);
    let (_around, run) = with_patterns(&[("deep", &[&largest[..], b"\n"].concat())]);
    assert_eq!(refused(&run), "it has more than 1048576 bytes");
    let (_around, run) = with_patterns(&[("deep", b"\xff\xfe*")]);
    assert_eq!(refused(&run), "it is not UTF-8");
    let (_around, run) = with_patterns(&[]);
    fs::create_dir(run.join("deep/.modeldepotignore")).unwrap();
    assert_eq!(refused(&run), "it is not a regular file");
    #[cfg(unix)]
    {
        fs::remove_dir(run.join("deep/.modeldepotignore")).unwrap();
        for (target, reason) in [("../../shared", "dangling"), (".modeldepotignore", "loop")] {
            std::os::unix::fs::symlink(target, run.join("deep/.modeldepotignore")).unwrap();
            assert_eq!(refused(&run), reason);
            fs::remove_file(run.join("deep/.modeldepotignore")).unwrap();
        }
        std::os::unix::fs::symlink("../../shared", run.join("deep/.modeldepotignore")).unwrap();
        fs::write(run.join("../shared"), "*.log\n").unwrap();
        assert!(!published(&Scan::new(&run)).contains(&"deep/a.log".to_owned()));
    }
}
