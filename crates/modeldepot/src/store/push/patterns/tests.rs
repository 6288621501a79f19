//! The meaning of patterns, with git as the judge.

use std::path::Path;

use super::{Given, Said, decide};

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
    let names =
        ["{a,b}", "a", "b", "{a", "a}", "]", "[", "-", "!", "^", "7", "a]", "[]", "c", "z", "abc", "{", "}", ","];
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
